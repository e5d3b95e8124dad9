//! Learning curves as panels show them: zoom, pan, log axes, hover, direct labels.
//!
//! The same [`CurveFigure`] is drawn here and in exported files. Lines are worked out again only when points came or a
//! choice changed, and thinned (to the lowest and highest value of every pixel column) only when the view changed too.

mod export;
mod low_plots;
mod marks;

use crate::chart::{
    CurveFigure, CurveLevel, CurveLine, LineKind, Metric, TimeAxis, curve_lines, envelope, left_out_words,
    linear_ticks, log_ticks, number, spread_labels,
};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, mix, space};
use crate::ui::widgets::one_line;
use egui::{Color32, Rangef, Response, RichText, Role, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};
use egui_plot::{
    AxisHints, GridInput, GridMark, HLine, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotTransform, Points,
};
use low_plots::LowPlots;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;

pub use export::export;

/// Validation points drawn as dots up to this many.
const MOST_DOTS: usize = 200;
const LABEL_GAP: f32 = 16.0;
/// Height from which an upright axis has its name.
const LEAST_FOR_NAME: f32 = 200.0;
/// Of the room, what low axes below take at most.
const LOW_SHARE: f32 = 0.45;
/// Of the width, what names at the ends of curves take at most.
const NAMES_SHARE: f32 = 0.35;
/// Of numbers beside an axis: those below each other begin at one place.
pub(super) const AXIS_WIDTH: f32 = 64.0;

/// A change of the view asked for by a button.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    /// Show everything and follow new points.
    Fit,
    /// Look closer.
    In,
    /// Step back.
    Out,
}

/// The plot's caches and pending moves.
#[derive(Default)]
pub struct LossPlot {
    lines: Vec<CurveLine>,
    lines_key: u64,
    thinned: Vec<Vec<PlotPoint>>,
    thinned_key: u64,
    pending: Option<Move>,
    low: LowPlots,
    /// What was left out, and of which stamp.
    left_out: (u64, Option<String>),
}

/// A stamp that changes with everything the lines depend on; `runs` are what all runs are known by, shown or not.
pub fn stamp<K: Hash>(figure: &CurveFigure<'_>, runs: impl Iterator<Item = K>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (figure.metric, figure.time, figure.log_x, figure.log_y, figure.smoothing.to_bits()).hash(&mut hasher);
    for run in &figure.runs {
        (run.name, run.hue, run.points.len(), run.marks).hash(&mut hasher);
    }
    for level in &figure.levels {
        (&level.name, level.value.to_bits()).hash(&mut hasher);
    }
    runs.for_each(|run| run.hash(&mut hasher));
    hasher.finish()
}

/// Data units to plot units and back, for an axis that may be logarithmic.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    pub log: bool,
}

impl Scale {
    pub(super) fn to_plot(self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    fn to_data(self, value: f64) -> f64 {
        if self.log { 10f64.powf(value) } else { value }
    }

    pub(super) fn marks(self, input: &GridInput, target: usize) -> Vec<GridMark> {
        let (lo, hi) = input.bounds;
        self.marked(self.ticks(lo, hi, target), hi - lo)
    }

    /// Ticks as the plot takes them, of an axis so long.
    pub(super) fn marked(self, ticks: Vec<crate::chart::Tick>, span: f64) -> Vec<GridMark> {
        // egui_plot fades marks by their step: numbered ones are given a large step, the others a small one.
        ticks
            .into_iter()
            .map(|t| GridMark {
                value: self.to_plot(t.value),
                step_size: if t.label.is_empty() { span / 120.0 } else { span },
            })
            .collect()
    }

    pub(super) fn ticks(self, lo: f64, hi: f64, target: usize) -> Vec<crate::chart::Tick> {
        if self.log { log_ticks(self.to_data(lo), self.to_data(hi), target) } else { linear_ticks(lo, hi, target) }
    }

    fn label(self, mark: GridMark, range: &RangeInclusive<f64>, target: usize) -> String {
        let nearest = |a: &crate::chart::Tick, b: &crate::chart::Tick| {
            let distance = |t: &crate::chart::Tick| (self.to_plot(t.value) - mark.value).abs();
            distance(a).total_cmp(&distance(b))
        };
        self.ticks(*range.start(), *range.end(), target).into_iter().min_by(nearest).map_or(String::new(), |t| t.label)
    }
}

impl LossPlot {
    /// Asks for a change of the view.
    pub fn go(&mut self, step: Move) {
        self.pending = Some(step);
    }

    /// What the figure has no place for, in words.
    pub fn left_out(&mut self, figure: &CurveFigure<'_>, stamp: u64) -> Option<String> {
        if self.left_out.0 != stamp {
            self.left_out = (stamp, left_out_words(figure));
        }
        self.left_out.1.clone()
    }

    /// Draws the figure into `size`. `summary` is what a screen reader tells.
    pub fn show(&mut self, ui: &mut Ui, figure: &CurveFigure<'_>, stamp: u64, size: Vec2, summary: &str) -> Response {
        let theme = ui.theme();
        if self.lines_key != stamp {
            self.lines = curve_lines(figure);
            self.lines_key = stamp;
        }
        let (x, y) = (Scale { log: figure.log_x }, Scale { log: figure.log_y });
        let most = size.x * NAMES_SHARE;
        let gutter = self.gutter(ui, figure, most);
        let below = self.low.height(figure).min(size.y * LOW_SHARE);
        let plot_size = vec2((size.x - gutter).max(120.0), size.y - below);
        let pending = self.pending.take();
        let ground = theme.ground();
        let hues: Vec<Color32> = self.lines.iter().map(|l| theme.category(l.hue)).collect();
        let smoothed: Vec<bool> = self
            .lines
            .iter()
            .map(|l| self.lines.iter().any(|o| o.run == l.run && o.kind == LineKind::Smoothed))
            .collect();
        let several = figure.runs.len() > 1;
        let Self { lines, thinned, thinned_key, .. } = self;
        let shown = plot(theme, figure, x, y, plot_size).show(ui, |plot_ui| {
            let response = plot_ui.response().clone();
            let scroll = if response.hovered() { plot_ui.ctx().input(|i| i.smooth_scroll_delta.y) } else { 0.0 };
            if scroll != 0.0 {
                plot_ui.zoom_bounds_around_hovered(Vec2::splat((scroll / 240.0).exp()));
            }
            let centre = plot_ui.plot_bounds().center();
            match pending {
                Some(Move::Fit) => plot_ui.set_auto_bounds(true),
                Some(Move::In) => plot_ui.zoom_bounds(Vec2::splat(1.5), centre),
                Some(Move::Out) => plot_ui.zoom_bounds(Vec2::splat(1.0 / 1.5), centre),
                None => {}
            }
            let fit = plot_ui.auto_bounds().x || pending == Some(Move::Fit);
            let window = if fit { whole(lines, x) } else { plot_ui.plot_bounds().range_x() };
            thin(lines, thinned, thinned_key, stamp, (x, y), &window, plot_size.x as usize);
            for level in &figure.levels {
                let style = LineStyle::Dashed { length: 4.0 };
                let line = HLine::new(level.name.clone(), y.to_plot(level.value)).style(style).width(1.0);
                plot_ui.hline(line.color(mix(ground, theme.caption(), 0.6)).allow_hover(false));
            }
            for (i, line) in lines.iter().enumerate() {
                let faint = mix(ground, hues[i], if smoothed[i] { 0.3 } else { 1.0 });
                draw(plot_ui, line, &thinned[i], (hues[i], faint), several, i);
            }
        });
        let response = shown.response;
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Learning curves. {summary}")));
        self.labels(ui, figure, &shown.transform, (x, y), most);
        marks::paint(ui, figure, &shown.transform, |mark| (x.to_plot(mark.x), mark.y.map(|value| y.to_plot(value))));
        self.low.show(ui, figure, stamp, &shown.transform, below);
        self.readout(ui, figure, &response, &shown.transform, (x, y));
        response
    }

    /// Room at the right for the lines' names.
    fn gutter(&self, ui: &Ui, figure: &CurveFigure<'_>, most: f32) -> f32 {
        let labels = self.lines.iter().map(|l| &l.label).chain(figure.levels.iter().map(|level| &level.name));
        let widest = labels.filter(|label| !label.is_empty()).map(|label| {
            let galley = ui.painter().layout_no_wrap(label.clone(), Type::Caption.sans(), Color32::WHITE);
            galley.size().x
        });
        widest.fold(0.0, f32::max).min(most) + space::M
    }

    /// The name of each line at its end.
    fn labels(&self, ui: &Ui, figure: &CurveFigure<'_>, transform: &PlotTransform, (x, y): (Scale, Scale), most: f32) {
        let theme = ui.theme();
        let frame = *transform.frame();
        let right = transform.bounds().max()[0];
        let lines = self.lines.iter().filter(|l| !l.label.is_empty()).filter_map(|l| {
            let end = l.points.partition_point(|p| x.to_plot(p[0]) <= right).max(1);
            let last = l.points.get(end - 1)?;
            let at = transform.position_from_point_y(y.to_plot(last[1]));
            Some((&l.label, at, theme.category(l.hue), !l.kind.is_held_out()))
        });
        let level = |level: &'_ CurveLevel| transform.position_from_point_y(y.to_plot(level.value));
        let levels = figure.levels.iter().map(|one| (&one.name, level(one), theme.caption(), false));
        let mut named: Vec<(&String, f32, Color32, bool)> = lines.chain(levels).collect();
        // Without room for all, lines of training go unnamed first: the hue of a run is named by its validation, too.
        let room = ((frame.height() - 12.0) / LABEL_GAP + 1.0).max(1.0) as usize;
        if named.len() > room {
            named.sort_by_key(|(.., of_training)| *of_training);
            named.truncate(room);
        }
        let wishes: Vec<f64> = named.iter().map(|(_, y, ..)| f64::from(y.clamp(frame.top(), frame.bottom()))).collect();
        let gap = f64::from(LABEL_GAP);
        let placed = spread_labels(&wishes, gap, f64::from(frame.top()) + 6.0, f64::from(frame.bottom()) - 6.0);
        for ((label, _, ink, _), y) in named.into_iter().zip(placed) {
            let at = pos2(frame.right() + space::S, y as f32);
            let name = one_line(ui.painter(), label, Type::Caption.sans(), ink, most);
            let half = name.size().y / 2.0;
            ui.painter().galley(at - vec2(0.0, half), name, ink);
        }
    }

    /// The values under the pointer, of every line at that step.
    fn readout(
        &self,
        ui: &Ui,
        figure: &CurveFigure<'_>,
        response: &Response,
        transform: &PlotTransform,
        (x, y): (Scale, Scale),
    ) {
        let theme = ui.theme();
        let Some(pointer) = response.hover_pos().filter(|_| !response.dragged()) else { return };
        let wanted = x.to_data(transform.value_from_position(pointer).x);
        let Some(step) = self
            .lines
            .iter()
            .filter_map(|l| nearest(&l.points, wanted))
            .map(|p| p[0])
            .min_by(|a, b| (a - wanted).abs().total_cmp(&(b - wanted).abs()))
        else {
            return;
        };
        let frame = *transform.frame();
        let at_x = transform.position_from_point_x(x.to_plot(step));
        let painter = ui.painter_at(frame);
        painter.vline(at_x, frame.y_range(), Stroke::new(1.0, theme.line()));
        let mut rows: Vec<(String, f64, Color32)> = Vec::new();
        for line in &self.lines {
            let Some(point) = nearest(&line.points, step) else { continue };
            // Beyond its last point a run has no value to show.
            let reach = if line.kind.is_held_out() { f64::INFINITY } else { 0.0 };
            if point[0] != step && (reach == 0.0 || line.points.last().is_some_and(|l| l[0] < step)) {
                continue;
            }
            let ink = theme.category(line.hue);
            let place = pos2(
                transform.position_from_point_x(x.to_plot(point[0])),
                transform.position_from_point_y(y.to_plot(point[1])),
            );
            let raw_under = line.label.is_empty();
            if !raw_under {
                painter.circle(place, 3.5, ink, Stroke::new(1.0, theme.ground()));
            }
            let name = match (raw_under, point[0] == step) {
                (true, _) if figure.runs.len() > 1 => format!("{} this batch", figure.runs[line.run].name),
                (true, _) => "this batch".to_owned(),
                (false, true) => line.label.clone(),
                (false, false) => format!("{} at {}", line.label, number(point[0])),
            };
            rows.push((name, point[1], if raw_under { mix(ink, theme.ground(), 0.4) } else { ink }));
        }
        let title = match figure.time {
            TimeAxis::Steps => format!("step {}", number_exact(step)),
            TimeAxis::Seconds => format!("{} s", number(step)),
            TimeAxis::Examples => format!("{} tokens or images", number_exact(step)),
            TimeAxis::Operations => format!("{} operations", number(step)),
        };
        let accuracy = figure.metric == Metric::Accuracy;
        response.clone().on_hover_ui_at_pointer(|ui| {
            ui.set_max_width(280.0);
            ui.label(RichText::new(title).font(Type::Caption.bold()).color(theme.body()));
            egui::Grid::new("curve readout").num_columns(2).min_row_height(16.0).spacing(vec2(space::M, 2.0)).show(
                ui,
                |ui| {
                    for (name, value, ink) in rows {
                        ui.label(RichText::new(name).font(Type::Caption.sans()).color(ink));
                        let text = if accuracy { format!("{:.2} %", value * 100.0) } else { number(value) };
                        ui.label(RichText::new(text).font(Type::Caption.mono()).color(theme.body()));
                        ui.end_row();
                    }
                },
            );
        });
    }
}

/// Ticks of a horizontal axis in a plot so wide.
pub(super) fn x_ticks(width: f32) -> usize {
    ((width / 110.0) as usize).max(2)
}

fn plot(theme: &Theme, figure: &CurveFigure<'_>, x: Scale, y: Scale, size: Vec2) -> Plot<'static> {
    let (x_count, y_count) = (x_ticks(size.x), ((size.y / 56.0) as usize).max(2));
    // Where there is no room for the name of the upright axis, the title above the plot says it.
    let metric = if size.y < LEAST_FOR_NAME { "" } else { figure.metric.title() };
    let time = figure.time.title();
    let name = |text: &str, log: bool| {
        let text = if log && !text.is_empty() { format!("{text} (log)") } else { text.to_owned() };
        RichText::new(text).font(Type::Caption.sans()).color(theme.caption())
    };
    let ticks = |hints: AxisHints<'static>| {
        hints
            .tick_label_color(theme.caption())
            .tick_label_font(Type::Caption.sans())
            .label_spacing(Rangef::new(20.0, 40.0))
    };
    let x_axis =
        ticks(AxisHints::new_x().label(name(time, figure.log_x))).formatter(move |m, r| x.label(m, r, x_count));
    let y_axis =
        ticks(AxisHints::new_y().label(name(metric, figure.log_y))).formatter(move |m, r| y.label(m, r, y_count));
    crate::ui::widgets::plot("learning curves", size)
        .allow_double_click_reset(true)
        .set_margin_fraction(vec2(0.01, 0.06))
        .grid_color(theme.grid())
        .grid_spacing(Rangef::new(2.0, 24.0))
        .x_grid_spacer(move |input| x.marks(&input, x_count))
        .y_grid_spacer(move |input| y.marks(&input, y_count))
        .custom_x_axes(vec![x_axis])
        .custom_y_axes(vec![y_axis])
        .y_axis_min_width(AXIS_WIDTH)
}

/// The range of x of all lines, in plot units.
fn whole(lines: &[CurveLine], x: Scale) -> RangeInclusive<f64> {
    let ends = lines.iter().flat_map(|l| l.points.first().into_iter().chain(l.points.last())).map(|p| x.to_plot(p[0]));
    let (lo, hi) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    lo..=hi
}

/// Brings the lines to plot units and to no more points than the pixels can show.
pub(super) fn thin(
    lines: &[CurveLine],
    thinned: &mut Vec<Vec<PlotPoint>>,
    thinned_key: &mut u64,
    stamp: u64,
    (x, y): (Scale, Scale),
    window: &RangeInclusive<f64>,
    columns: usize,
) {
    let mut hasher = DefaultHasher::new();
    (stamp, window.start().to_bits(), window.end().to_bits(), columns).hash(&mut hasher);
    let key = hasher.finish();
    if *thinned_key == key && thinned.len() == lines.len() {
        return;
    }
    *thinned_key = key;
    *thinned = lines
        .iter()
        .map(|line| {
            let placed: Vec<[f64; 2]> = line.points.iter().map(|p| [x.to_plot(p[0]), y.to_plot(p[1])]).collect();
            let kept = envelope(&placed, *window.start(), *window.end(), columns);
            kept.into_iter().map(|[x, y]| PlotPoint::new(x, y)).collect()
        })
        .collect();
}

fn draw<'a>(
    plot_ui: &mut egui_plot::PlotUi<'a>,
    line: &CurveLine,
    points: &'a [PlotPoint],
    (hue, faint): (Color32, Color32),
    several: bool,
    index: usize,
) {
    let (width, colour) = match line.kind {
        // Mixed, not transparent: a line that crosses itself within a pixel would add up to full strength.
        LineKind::Raw if faint != hue => (1.0, faint),
        LineKind::Raw | LineKind::Smoothed => (2.0, hue),
        LineKind::Validation => (1.5, hue),
        LineKind::ValidationSet => (1.0, hue),
    };
    let name = format!("{index} {}", line.label);
    // The points are already thinned; the plot's own bands leave gaps where a line is steep.
    let mut drawn = Line::new(name.clone(), PlotPoints::Borrowed(points)).color(colour).width(width);
    drawn = drawn.allow_hover(false).allow_band(false);
    if line.kind.is_held_out() {
        if several {
            drawn = drawn.style(LineStyle::Dashed { length: 6.0 });
        }
        if points.len() <= MOST_DOTS {
            let dots = Points::new(format!("{name} points"), PlotPoints::Borrowed(points));
            let radius = if line.kind == LineKind::Validation { 2.8 } else { 1.8 };
            plot_ui.points(dots.color(colour).radius(radius).allow_hover(false));
        }
    }
    plot_ui.line(drawn);
}

/// The point whose x is nearest to `wanted`.
fn nearest(points: &[[f64; 2]], wanted: f64) -> Option<[f64; 2]> {
    let after = points.partition_point(|p| p[0] < wanted);
    let candidates = [after.checked_sub(1), Some(after)];
    candidates
        .into_iter()
        .flatten()
        .filter_map(|i| points.get(i).copied())
        .min_by(|a, b| (a[0] - wanted).abs().total_cmp(&(b[0] - wanted).abs()))
}

fn number_exact(step: f64) -> String {
    crate::chart::number_grouped(step.max(0.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_is_found_on_either_side() {
        let points = [[1.0, 0.0], [2.0, 0.0], [10.0, 0.0]];
        assert_eq!(nearest(&points, 2.4), Some([2.0, 0.0]));
        assert_eq!(nearest(&points, 7.0), Some([10.0, 0.0]));
        assert_eq!(nearest(&points, -5.0), Some([1.0, 0.0]));
        assert_eq!(nearest(&[], 1.0), None);
    }

    #[test]
    fn log_marks_are_placed_by_exponent_and_named_by_value() {
        let scale = Scale { log: true };
        let input = GridInput { bounds: (0.0, 3.0), base_step_size: 0.01 };
        let marks = scale.marks(&input, 6);
        let thousand = marks.iter().find(|m| (m.value - 3.0).abs() < 1e-9).expect("a mark at 1,000");
        assert_eq!(scale.label(*thousand, &(0.0..=3.0), 6), "1,000");
        let two = marks.iter().find(|m| (m.value - 2f64.log10()).abs() < 1e-9).expect("a mark at 2");
        assert!(two.step_size < thousand.step_size, "unnumbered marks are fainter");
    }
}
