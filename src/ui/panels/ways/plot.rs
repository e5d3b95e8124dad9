//! The plot: of every way the mean over seeds as a line, its 95 % interval behind it, the base rate dashed.

use super::View;
use super::controls::{short, short_noise};
use super::legend::{self, hue};
use crate::chart::{kshot_place, linear_ticks, spread_labels};
use crate::types::{AdaptCell, AdaptMetric, AdaptReport, LabelNoise, Way, adapt_curve};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, space};
use crate::ui::widgets::{MarkedPlot, labelled};
use egui::{Align2, Color32, Response, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};
use egui_plot::{FilledArea, HLine, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotTransform, Points};
use std::ops::RangeInclusive;
use std::sync::Arc;

const LABEL_GAP: f32 = 16.0;
/// Width from which curves are named at their ends, too.
const NAMED: f32 = 520.0;
/// How near to a point a click must be, in points.
const NEAR: f32 = 28.0;
/// Seeds from which an interval is narrow enough to be seen as a whole.
const TELLING: usize = 3;
const BASE: &str = "most common class";

/// A curve as it is drawn.
struct Drawn {
    way: Way,
    noise: LabelNoise,
    cells: Vec<AdaptCell>,
    line: Vec<PlotPoint>,
}

impl Drawn {
    fn name(&self) -> String {
        match self.noise {
            LabelNoise::True => short(self.way).to_owned(),
            noise => format!("{}, {}", short(self.way), short_noise(noise).to_lowercase()),
        }
    }
}

/// What the drawing depends on.
struct Key {
    report: Arc<AdaptReport>,
    view: View,
}

/// The curves, worked out again only when points came or a choice changed.
#[derive(Default)]
pub(super) struct WaysPlot {
    drawn: Vec<Drawn>,
    key: Option<Key>,
    sizes: Vec<usize>,
    /// The vertical axis.
    range: [f64; 2],
    summary: String,
}

/// A value of a metric in words.
pub(super) fn value(value: f64, metric: AdaptMetric) -> String {
    match metric {
        AdaptMetric::Accuracy | AdaptMetric::MacroF1 => format!("{:.1} %", value * 100.0),
        AdaptMetric::LogProb => format!("{value:.2}"),
    }
}

/// A mean with its interval.
fn told(cell: &AdaptCell, metric: AdaptMetric) -> String {
    let mean = value(cell.mean, metric);
    match (cell.half, metric) {
        (None, _) => mean,
        (Some(half), AdaptMetric::LogProb) => format!("{mean} ± {half:.2}"),
        (Some(half), _) => format!("{mean} ± {:.1}", half * 100.0),
    }
}

impl WaysPlot {
    /// Shows the curves; gives the number of examples and the way that was clicked.
    pub fn show(&mut self, ui: &mut Ui, report: &Arc<AdaptReport>, view: &View, size: Vec2) -> Option<(usize, Way)> {
        let theme = ui.theme();
        self.update(report, view);
        let metric = view.metric;
        let base = (metric == AdaptMetric::Accuracy).then_some(report.base_rate);
        let gutter = if size.x >= NAMED { self.gutter(ui, base) } else { 0.0 };
        let Self { drawn, sizes, range: [low, high], .. } = self;
        let ends = [sizes.first(), sizes.last()].map(|size| kshot_place(size.copied().unwrap_or(1)));
        let shown = plot(theme, sizes, metric, vec2((size.x - gutter).max(120.0), size.y)).show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_y(*low..=*high);
            plot_ui.set_plot_bounds_x(ends[0] - 0.25..=ends[1] + 0.25);
            if let Some(base) = base {
                let style = LineStyle::Dashed { length: 6.0 };
                plot_ui.hline(HLine::new(BASE, base).color(theme.line()).width(1.0).style(style).allow_hover(false));
            }
            for curve in drawn.iter() {
                band(plot_ui, curve, metric, hue(theme, curve.way));
            }
            for curve in drawn.iter() {
                let ink = hue(theme, curve.way);
                let style = match curve.noise {
                    LabelNoise::True => LineStyle::Solid,
                    LabelNoise::Shuffled => LineStyle::Dashed { length: 8.0 },
                    LabelNoise::FifthWrong => LineStyle::Dotted { spacing: 6.0 },
                };
                let line = Line::new(curve.name(), PlotPoints::Borrowed(&curve.line)).style(style);
                plot_ui.line(line.color(ink).width(2.0).allow_hover(false));
                let dots = Points::new(format!("{} points", curve.name()), PlotPoints::Borrowed(&curve.line));
                plot_ui.points(dots.color(ink).radius(3.5).allow_hover(false));
            }
        });
        let response = shown.response.interact(Sense::click());
        response.widget_info(|| {
            WidgetInfo::labeled(Role::Image, true, format!("Ways by number of examples. {}", self.summary))
        });
        if gutter > 0.0 {
            self.labels(ui, &shown.transform, base);
        }
        self.readout(ui, &response, &shown.transform, metric);
        let clicked = response.interact_pointer_pos().filter(|_| response.clicked())?;
        let distance = |(size, mean): (usize, f64)| {
            let at = pos2(
                shown.transform.position_from_point_x(kshot_place(size)),
                shown.transform.position_from_point_y(mean),
            );
            at.distance(clicked)
        };
        let points = self.drawn.iter().flat_map(|curve| curve.cells.iter().map(|cell| (curve.way, cell)));
        let near = points.map(|(way, cell)| (cell.size, way, distance((cell.size, cell.mean))));
        near.filter(|(.., far)| *far <= NEAR).min_by(|a, b| a.2.total_cmp(&b.2)).map(|(size, way, _)| (size, way))
    }

    fn update(&mut self, report: &Arc<AdaptReport>, view: &View) {
        let is_known = |key: &Key| Arc::ptr_eq(&key.report, report) && key.view == *view;
        if self.key.as_ref().is_some_and(is_known) {
            return;
        }
        self.key = Some(Key { report: Arc::clone(report), view: view.clone() });
        let metric = view.metric;
        let draw = |(noise, way): (LabelNoise, Way)| {
            let cells = adapt_curve(&report.points, way, noise, metric);
            let line = cells.iter().map(|cell| PlotPoint::new(kshot_place(cell.size), cell.mean)).collect();
            (!cells.is_empty()).then_some(Drawn { way, noise, cells, line })
        };
        let ways: Vec<Way> = legend::ways(report).into_iter().filter(|way| view.shows(*way)).collect();
        let noises = view.noises(report);
        let all = noises.iter().flat_map(|noise| ways.iter().map(|way| (*noise, *way)));
        self.drawn = all.filter_map(draw).collect();
        // The axis is that of all points there will be, so that it stays while they come.
        self.sizes = report.spec.sizes_of(report.examples);
        // Two seeds tell next to nothing: their intervals are drawn, and do not decide how much of the axis is seen.
        let values = self.drawn.iter().flat_map(|curve| curve.cells.iter());
        let values = values.flat_map(|cell| if cell.seeds < TELLING { [cell.mean; 2] } else { cell.ends(metric) });
        let base = (metric == AdaptMetric::Accuracy).then_some(report.base_rate);
        self.range = range(values.chain(base), metric);
        let told = |curve: &Drawn| {
            let cells: Vec<String> =
                curve.cells.iter().map(|cell| format!("{} with {}", told(cell, metric), cell.size)).collect();
            format!("{}: {}.", curve.name(), cells.join(", "))
        };
        self.summary = self.drawn.iter().map(told).collect::<Vec<_>>().join(" ");
    }

    /// Names at the right, with their places on the vertical axis and their inks.
    fn named(&self, theme: &Theme, base: Option<f64>) -> Vec<(String, f64, Color32)> {
        let end = |drawn: &Drawn| Some((drawn.name(), drawn.cells.last()?.mean, hue(theme, drawn.way)));
        let base = base.map(|base| (BASE.to_owned(), base, theme.caption()));
        self.drawn.iter().filter_map(end).chain(base).collect()
    }

    fn gutter(&self, ui: &Ui, base: Option<f64>) -> f32 {
        let width =
            |name: &String| ui.painter().layout_no_wrap(name.clone(), Type::Caption.sans(), Color32::WHITE).size().x;
        let widest = self.named(ui.theme(), base).iter().map(|(name, ..)| width(name)).fold(0.0, f32::max);
        widest + space::M
    }

    fn labels(&self, ui: &Ui, transform: &PlotTransform, base: Option<f64>) {
        let frame = *transform.frame();
        let named = self.named(ui.theme(), base);
        let place = |value: f64| f64::from(transform.position_from_point_y(value).clamp(frame.top(), frame.bottom()));
        let wishes: Vec<f64> = named.iter().map(|(_, value, _)| place(*value)).collect();
        let (top, bottom) = (f64::from(frame.top()) + 6.0, f64::from(frame.bottom()) - 6.0);
        let placed = spread_labels(&wishes, f64::from(LABEL_GAP), top, bottom);
        for ((name, _, ink), y) in named.into_iter().zip(placed) {
            let at = pos2(frame.right() + space::S, y as f32);
            ui.painter().text(at, Align2::LEFT_CENTER, name, Type::Caption.sans(), ink);
        }
    }

    /// The values under the pointer, of every way at the nearest number of examples.
    fn readout(&self, ui: &Ui, response: &Response, transform: &PlotTransform, metric: AdaptMetric) {
        let theme = ui.theme();
        let Some(pointer) = response.hover_pos() else { return };
        let wanted = transform.value_from_position(pointer).x;
        let distance = |size: &usize| (kshot_place(*size) - wanted).abs();
        let Some(size) = self.sizes.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))) else { return };
        let frame = *transform.frame();
        let x = transform.position_from_point_x(kshot_place(size));
        ui.painter_at(frame).vline(x, frame.y_range(), Stroke::new(1.0, theme.line()));
        response.clone().on_hover_ui_at_pointer(|ui| {
            ui.set_max_width(340.0);
            let examples = if size == 1 { "example" } else { "examples" };
            ui.label(RichText::new(format!("{size} {examples}")).font(Type::Caption.bold()).color(theme.body()));
            let grid = egui::Grid::new("ways readout").num_columns(3).min_row_height(16.0).spacing(vec2(space::M, 2.0));
            grid.show(ui, |ui| {
                for curve in &self.drawn {
                    let Some(cell) = curve.cells.iter().find(|cell| cell.size == size) else { continue };
                    let ink = hue(theme, curve.way);
                    ui.label(RichText::new(curve.name()).font(Type::Caption.sans()).color(ink));
                    ui.label(RichText::new(told(cell, metric)).font(Type::Caption.mono()).color(theme.body()));
                    let seeds = if cell.seeds == 1 { "1 seed".to_owned() } else { format!("{} seeds", cell.seeds) };
                    ui.label(RichText::new(seeds).font(Type::Caption.sans()).color(theme.caption()));
                    ui.end_row();
                }
            });
        });
    }
}

/// The ends of the vertical axis, a little beyond the values; shares end at 0 and 1.
fn range(values: impl Iterator<Item = f64>, metric: AdaptMetric) -> [f64; 2] {
    let [mut low, mut high] =
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)]);
    if metric != AdaptMetric::LogProb {
        (low, high) = (low.clamp(0.0, 0.95), high.clamp(0.05, 1.0));
    }
    if !(low.is_finite() && high.is_finite()) {
        return [0.0, 1.0];
    }
    let beyond = ((high - low) * 0.06).max(0.01);
    [low - beyond, high + beyond]
}

fn band(plot_ui: &mut egui_plot::PlotUi<'_>, curve: &Drawn, metric: AdaptMetric, hue: Color32) {
    if curve.cells.iter().all(|cell| cell.half.is_none_or(|half| half == 0.0)) {
        return;
    }
    let xs: Vec<f64> = curve.cells.iter().map(|cell| kshot_place(cell.size)).collect();
    let [low, high] = [0, 1].map(|end| curve.cells.iter().map(|cell| cell.ends(metric)[end]).collect::<Vec<f64>>());
    let area = FilledArea::new(format!("{} interval", curve.name()), &xs, &low, &high);
    let is_telling = curve.cells.iter().any(|cell| cell.seeds >= TELLING);
    let strength = if is_telling { 0.12 } else { 0.05 };
    plot_ui.add(area.fill_color(hue.gamma_multiply(strength)).allow_hover(false));
}

fn plot(theme: &Theme, sizes: &[usize], metric: AdaptMetric, size: Vec2) -> Plot<'static> {
    let up = match metric {
        AdaptMetric::Accuracy => "share of right answers",
        AdaptMetric::MacroF1 => "mean F1 of the classes",
        AdaptMetric::LogProb => "mean ln P(right class), nats",
    };
    let marks = sizes.iter().map(|size| (kshot_place(*size), size.to_string())).collect();
    let rows = ((size.y / 48.0) as usize).max(2);
    let lines = move |ends: RangeInclusive<f64>| labelled(linear_ticks(*ends.start(), *ends.end(), rows));
    let label = move |at: f64, _: &RangeInclusive<f64>| match metric {
        AdaptMetric::LogProb => value(at, metric),
        AdaptMetric::Accuracy | AdaptMetric::MacroF1 => format!("{:.0} %", at * 100.0),
    };
    let marked = MarkedPlot { id: "ways", axes: ["labelled examples", up], marks, spacing: 20.0 };
    marked.plot(theme, size, lines, label).set_margin_fraction(vec2(0.0, 0.0))
}
