//! The legend: which ways are drawn, and in which hue.

use super::View;
use super::controls::{help, short};
use crate::types::{AdaptReport, Way};
use crate::ui::Themed;
use crate::ui::theme::{Theme, space};
use egui::{Color32, Sense, Stroke, StrokeKind, Ui, Vec2};

/// The hue of a way: the same in every plot and figure.
pub(super) fn hue(theme: &Theme, way: Way) -> Color32 {
    theme.category(Way::ALL.iter().position(|of| *of == way).unwrap_or_default())
}

/// The ways that a comparison has or will have, in their order.
pub(super) fn ways(report: &AdaptReport) -> Vec<Way> {
    let is_there = |way: &Way| report.spec.ways.contains(way) || report.points.iter().any(|point| point.way == *way);
    Way::ALL.into_iter().filter(is_there).collect()
}

pub(super) fn show(view: &mut View, report: &AdaptReport, ui: &mut Ui) {
    let theme = ui.theme();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        for way in ways(report) {
            let mut on = view.shows(way);
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
            if on {
                ui.painter().rect_filled(rect, 2.0, hue(theme, way));
            } else {
                ui.painter().rect_stroke(rect, 2.0, Stroke::new(1.0, hue(theme, way)), StrokeKind::Inside);
            }
            let tick = ui.checkbox(&mut on, short(way));
            if tick.on_hover_text(format!("{}. {}", way.title(), help(way))).changed() {
                if on {
                    view.hidden.remove(&way)
                } else {
                    view.hidden.insert(way)
                };
            }
            ui.add_space(space::S);
        }
    });
}
