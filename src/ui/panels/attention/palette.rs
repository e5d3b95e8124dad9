//! The choice of a colour map and of its scale, for tokens and pictures.

use super::look::Colours;
use crate::types::{ColorMap, ScaleCurve};
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, rgb};
use crate::ui::widgets::{caption, segmented};
use egui::{Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2};

const CURVE_HELP: &str = "Linear shows weights as they are. The square root makes small ones visible beside one that takes \
     nearly all; the logarithm shows four powers of ten, and what is smaller not at all.";

/// Room of the words before a row of buttons, so that the rows stand under each other.
const LEAST_NAME: f32 = 64.0;
/// Size of a sample of a colour map.
const SAMPLE: Vec2 = Vec2::new(36.0, 20.0);
const STEPS: usize = 18;

/// How weights become colours.
const CURVES: [(ScaleCurve, &str); 3] =
    [(ScaleCurve::Linear, "Linear"), (ScaleCurve::SquareRoot, "Root"), (ScaleCurve::Log, "Log")];

pub(super) fn show(ui: &mut Ui, colours: &mut Colours) {
    row(ui, "Map", None, |ui| {
        for map in ColorMap::ALL {
            sample(ui, map, &mut colours.map);
        }
    });
    row(ui, "Scale", Some(CURVE_HELP), |ui| segmented(ui, &mut colours.scale.curve, &CURVES));
}

/// A name and, beside it, what is chosen. Side by side the rows leave room for the grid of heads below them.
pub(super) fn row<T>(ui: &mut Ui, name: &str, help: Option<&str>, add: impl FnOnce(&mut Ui) -> T) -> T {
    ui.horizontal(|ui| {
        ui.scope(|ui| {
            ui.set_min_width(LEAST_NAME);
            let words = caption(ui, name);
            if let Some(help) = help {
                words.on_hover_text(help);
            }
        });
        add(ui)
    })
    .inner
}

/// A colour map as its own colours, to be chosen.
fn sample(ui: &mut Ui, map: ColorMap, chosen: &mut ColorMap) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(SAMPLE, Sense::CLICK);
    let on = *chosen == map;
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, on, map.name()));
    if response.clicked() {
        *chosen = map;
    }
    let strip = rect.shrink(3.0);
    let ground = theme.ground();
    let step = strip.width() / STEPS as f32;
    for i in 0..STEPS {
        let left = strip.left() + step * i as f32;
        // A little wider than a step, so that no seam shows.
        let right = (left + step + 0.5).min(strip.right());
        let piece = Rect::from_min_max(pos2(left, strip.top()), pos2(right, strip.bottom()));
        let place = (i as f32 + 0.5) / STEPS as f32;
        ui.painter().rect_filled(piece, 0, rgb(map.ink(place, [ground.r(), ground.g(), ground.b()])));
    }
    let edge = if on || response.has_focus() {
        Stroke::new(1.5, theme.accent())
    } else if response.hovered() {
        Stroke::new(1.0, theme.body())
    } else {
        Stroke::new(1.0, theme.hairline())
    };
    ui.painter().rect_stroke(rect, CHIP_RADIUS, edge, StrokeKind::Inside);
    response.on_hover_text(map.name());
}
