//! The plane: every head as a point, at two of its scores.

use super::explain;
use super::export::Scored;
use crate::analysis::{AtlasHead, AtlasScore, score_words};
use crate::chart::linear_ticks;
use crate::types::ColorMap;
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, rgb, space};
use crate::ui::widgets::{caption, legend, still_plot};
use egui::{Color32, ComboBox, Pos2, Rangef, Response, RichText, Role, Stroke, Ui, Vec2, WidgetInfo, vec2};
use egui_plot::{AxisHints, GridInput, GridMark, Plot, PlotPoint, PlotPoints, PlotTransform, Points};
use std::collections::BTreeMap;

/// How near the pointer must be to a point.
const NEAR: f32 = 12.0;
const DOT: f32 = 3.5;
/// Room of the legend.
const LEGEND: Vec2 = Vec2::new(132.0, 28.0);

/// Which scores are the axes.
pub(super) struct PlaneView {
    across: AtlasScore,
    up: AtlasScore,
}

impl Default for PlaneView {
    fn default() -> Self {
        Self { across: AtlasScore::Previous, up: AtlasScore::Induction }
    }
}

impl PlaneView {
    /// The scores that were chosen, across and upwards, whether a sequence has them or not.
    pub fn chosen(&self) -> [AtlasScore; 2] {
        [self.across, self.up]
    }

    /// Chooses both.
    pub fn choose(&mut self, [across, up]: [AtlasScore; 2]) {
        (self.across, self.up) = (across, up);
    }

    /// The two scores on show: the chosen ones, or others where the sequence does not have them.
    pub fn axes(&self, scores: &[AtlasScore]) -> [AtlasScore; 2] {
        let across = if scores.contains(&self.across) { self.across } else { AtlasScore::Own };
        let others = [self.up, AtlasScore::Sink, AtlasScore::Entropy];
        let up = others.into_iter().find(|score| scores.contains(score)).unwrap_or(AtlasScore::Entropy);
        [across, up]
    }

    /// Shows the plane; gives the head that was clicked.
    pub fn show(&mut self, ui: &mut Ui, scored: &Scored<'_>, is_found: &[bool], height: f32) -> Option<(usize, usize)> {
        let top = ui.cursor().top();
        let theme = ui.theme();
        let deepest = scored.atlas.heads.iter().map(|head| head.layer).max().unwrap_or(0);
        let is_named = self.pickers(ui, scored, deepest);
        let [across, up] = self.axes(scored.scores);
        let place = |head: &AtlasHead| {
            let at = [f64::from(head.value(across)?), f64::from(head.value(up)?)];
            at.iter().all(|v| v.is_finite()).then_some(at)
        };
        let points: Vec<(&AtlasHead, [f64; 2], bool)> = (scored.atlas.heads.iter().zip(is_found))
            .filter_map(|(head, found)| Some((head, place(head)?, *found)))
            .collect();
        let used = ui.cursor().top() - top + if is_named { 0.0 } else { LEGEND.y };
        let size = vec2(ui.available_width(), (height - used - space::XS).max(90.0));
        let spans = [0, 1].map(|axis| span(points.iter().map(|(_, at, _)| at[axis])));
        // What is not looked for lies beneath.
        let mut layers: BTreeMap<(bool, usize), Vec<PlotPoint>> = BTreeMap::new();
        for (head, at, found) in &points {
            let layer = if *found { head.layer } else { 0 };
            layers.entry((*found, layer)).or_default().push(PlotPoint::new(at[0], at[1]));
        }
        let shown = plot(theme, [across, up], size).show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(spans[0].0..=spans[0].1);
            plot_ui.set_plot_bounds_y(spans[1].0..=spans[1].1);
            for ((found, layer), points) in &layers {
                let ink = if *found { hue(theme, *layer as f32 / deepest.max(1) as f32) } else { theme.grid() };
                let dots = Points::new(format!("layer {layer} {found}"), PlotPoints::Borrowed(points));
                plot_ui.points(dots.color(ink).radius(DOT).allow_hover(false));
            }
        });
        if !is_named {
            layers_legend(ui, deepest);
        }
        let response = shown.response;
        self.describe(&response, scored, points.len());
        let at = |(_, at, _): &(&AtlasHead, [f64; 2], bool)| position(&shown.transform, *at);
        let pointer = response.hover_pos();
        let distance = |point: &(&AtlasHead, [f64; 2], bool)| pointer.map_or(f32::INFINITY, |p| p.distance(at(point)));
        let nearest = points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).filter(|p| distance(p) < NEAR);
        let frame = ui.painter_at(shown.transform.frame().expand(DOT + 4.0));
        if let Some(point) = points.iter().find(|(head, ..)| (head.layer, head.head) == scored.chosen) {
            frame.circle_stroke(at(point), DOT + 3.0, Stroke::new(2.0, theme.accent()));
        }
        if let Some(point) = nearest {
            frame.circle_stroke(at(point), DOT + 3.0, Stroke::new(1.0, theme.body()));
            tell(&response, point.0, [across, up]);
            if response.clicked() {
                return Some((point.0.layer, point.0.head));
            }
        }
        None
    }

    /// True where the legend found room beside them.
    fn pickers(&mut self, ui: &mut Ui, scored: &Scored<'_>, deepest: usize) -> bool {
        let [across, up] = self.axes(scored.scores);
        ui.horizontal(|ui| {
            caption(ui, "Up");
            pick(ui, "Score upwards", up, &mut self.up, scored);
            ui.add_space(space::S);
            caption(ui, "across");
            pick(ui, "Score across", across, &mut self.across, scored);
            ui.add_space(space::M);
            let has_room = ui.available_width() > LEGEND.x;
            if has_room {
                layers_legend(ui, deepest);
            }
            has_room
        })
        .inner
    }

    fn describe(&self, response: &Response, scored: &Scored<'_>, count: usize) {
        let [across, up] = self.axes(scored.scores);
        let chosen = scored.atlas.head(scored.chosen.0, scored.chosen.1);
        response.widget_info(|| {
            let names = (up.name().to_lowercase(), across.name().to_lowercase());
            let mut words = format!("{count} heads as points: {} against {}", names.0, names.1);
            if let Some(head) = chosen {
                words += &format!(". {}; {}", score_words(head, up), score_words(head, across));
            }
            WidgetInfo::labeled(Role::Image, true, words)
        });
    }
}

/// What colours mean.
fn layers_legend(ui: &mut Ui, deepest: usize) {
    let marks = [(0.0, "layer 0".to_owned()), (1.0, deepest.to_string())];
    let theme = ui.theme();
    legend(ui, LEGEND.x - space::M, |place| hue(theme, place), &marks);
}

fn position(transform: &PlotTransform, at: [f64; 2]) -> Pos2 {
    transform.position_from_point(&PlotPoint::new(at[0], at[1]))
}

/// The colour of a layer by its depth, in `0..=1`: those of the map that are seen on the theme's ground.
fn hue(theme: &Theme, depth: f32) -> Color32 {
    let (from, to) = if theme.is_dark() { (0.25, 1.0) } else { (0.0, 0.85) };
    rgb(ColorMap::Viridis.at(from + (to - from) * depth))
}

/// From the least to the most, with room for the dots.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return (0.0, 1.0);
    }
    let room = if hi > lo { 0.06 * (hi - lo) } else { 0.5 };
    (lo - room, hi + room)
}

fn pick(ui: &mut Ui, name: &str, shown: AtlasScore, score: &mut AtlasScore, scored: &Scored<'_>) {
    let combo = ComboBox::from_id_salt(name).selected_text(shown.name()).width(128.0).icon(|ui, rect, visuals, _| {
        let icon = char::from(lucide_icons::Icon::ChevronDown);
        let ink = visuals.fg_stroke.color;
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
    });
    let response = combo.truncate().show_ui(ui, |ui| {
        for choice in scored.scores {
            if ui.selectable_label(*choice == shown, choice.name()).clicked() {
                *score = *choice;
            }
        }
    });
    let denominator = scored.atlas.denominator(shown);
    let response = response.response.on_hover_ui(|ui| explain(ui, shown, denominator, scored.measured));
    let _ = response.accessible_name(format!("{name}: {}", shown.name()));
}

/// What stands beside the pointer.
fn tell(response: &Response, head: &AtlasHead, scores: [AtlasScore; 2]) {
    response.clone().on_hover_ui_at_pointer(|ui| {
        let theme = ui.theme();
        let name = format!("Layer {} · head {}", head.layer, head.head);
        ui.label(RichText::new(name).font(Type::Body.bold()).color(theme.body()));
        for score in scores.into_iter().rev() {
            caption(ui, super::sentence(&score_words(head, score)));
        }
    });
}

fn plot(theme: &Theme, [across, up]: [AtlasScore; 2], size: Vec2) -> Plot<'static> {
    let name = |score: AtlasScore| RichText::new(score.name()).font(Type::Caption.sans()).color(theme.caption());
    let ticks = |hints: AxisHints<'static>, target: usize| {
        let hints = hints.tick_label_color(theme.caption()).tick_label_font(Type::Caption.sans());
        let hints = hints.label_spacing(Rangef::new(20.0, 40.0));
        hints.formatter(move |mark, range| {
            let near = |tick: &crate::chart::Tick| (tick.value - mark.value).abs();
            let found = linear_ticks(*range.start(), *range.end(), target).into_iter();
            found.min_by(|a, b| near(a).total_cmp(&near(b))).map_or_else(String::new, |tick| tick.label)
        })
    };
    let (columns, rows) = (((size.x / 64.0) as usize).max(3), ((size.y / 44.0) as usize).max(3));
    let marks = |target: usize| {
        move |input: GridInput| {
            let (lo, hi) = input.bounds;
            let marks = linear_ticks(lo, hi, target).into_iter();
            marks.map(|tick| GridMark { value: tick.value, step_size: hi - lo }).collect()
        }
    };
    still_plot("plane of heads", size)
        .allow_double_click_reset(false)
        .grid_color(theme.grid())
        .grid_spacing(Rangef::new(2.0, 24.0))
        .x_grid_spacer(marks(columns))
        .y_grid_spacer(marks(rows))
        .custom_x_axes(vec![ticks(AxisHints::new_x().label(name(across)), columns)])
        .custom_y_axes(vec![ticks(AxisHints::new_y().label(name(up)), rows)])
}
