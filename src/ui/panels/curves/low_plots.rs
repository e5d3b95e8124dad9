//! Learning rate and gradient norm on low axes of their own, below the curves and on the same horizontal axis.

use super::{AXIS_WIDTH, Scale, thin, x_ticks};
use crate::chart::{CurveFigure, CurveLine, Metric, Tick, curve_lines, number};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::still_plot;
use egui::{Align2, Rangef, RichText, Role, Ui, Vec2, WidgetInfo, pos2, vec2};
use egui_plot::{AxisHints, Line, PlotPoint, PlotPoints, PlotTransform};

/// Of one axis, with its name above it.
const HEIGHT: f32 = 72.0;
const NAME: f32 = 18.0;
const MOST_TICKS: usize = 3;

/// The caches of the low axes.
#[derive(Default)]
pub(super) struct LowPlots {
    each: Vec<Low>,
    key: u64,
}

struct Low {
    metric: Metric,
    /// Its axis.
    name: String,
    log_y: bool,
    lines: Vec<CurveLine>,
    thinned: Vec<Vec<PlotPoint>>,
    thinned_key: u64,
}

/// The numbered ticks of a low axis: no more than fit above each other.
fn few_ticks(y: Scale, lo: f64, hi: f64) -> Vec<Tick> {
    let all: Vec<Tick> = y.ticks(lo, hi, 2).into_iter().filter(|tick| !tick.label.is_empty()).collect();
    let every = all.len().div_ceil(MOST_TICKS).max(1);
    all.into_iter().step_by(every).collect()
}

impl LowPlots {
    /// The room they take.
    pub fn height(&self, figure: &CurveFigure<'_>) -> f32 {
        figure.below.len() as f32 * HEIGHT
    }

    /// Draws them under a plot that shows what `transform` says.
    pub fn show(&mut self, ui: &mut Ui, figure: &CurveFigure<'_>, stamp: u64, transform: &PlotTransform, height: f32) {
        if figure.below.is_empty() {
            return self.each.clear();
        }
        if self.key != stamp || self.each.len() != figure.below.len() {
            self.each = figure.below.iter().map(|metric| Low::of(&figure.of(*metric))).collect();
            self.key = stamp;
        }
        let each_height = height / self.each.len() as f32;
        for low in &mut self.each {
            low.show(ui, stamp, transform, Scale { log: figure.log_x }, each_height);
        }
    }
}

impl Low {
    fn of(figure: &CurveFigure<'_>) -> Self {
        let name = figure.metric.title();
        let name = if figure.log_y { format!("{name} (log)") } else { name.to_owned() };
        let (metric, log_y, lines) = (figure.metric, figure.log_y, curve_lines(figure));
        Self { metric, name, log_y, lines, thinned: Vec::new(), thinned_key: 0 }
    }

    fn show(&mut self, ui: &mut Ui, stamp: u64, transform: &PlotTransform, x: Scale, height: f32) {
        let theme = ui.theme();
        let frame = *transform.frame();
        let (y, window) = (Scale { log: self.log_y }, transform.bounds().range_x());
        let left = frame.left() - AXIS_WIDTH;
        let (rect, response) =
            ui.allocate_exact_size(vec2(frame.right() - ui.max_rect().left(), height), egui::Sense::hover());
        let at = pos2(left.max(rect.left()) + AXIS_WIDTH, rect.top() + NAME / 2.0 + space::XS);
        ui.painter().text(at, Align2::LEFT_CENTER, &self.name, Type::Caption.sans(), theme.caption());
        let last = self.lines.iter().filter_map(|line| line.points.last()).map(|point| number(point[1]));
        let ends = last.collect::<Vec<_>>().join(", ");
        let words = if ends.is_empty() { "nothing was measured".to_owned() } else { format!("at the end {ends}") };
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{}: {words}", self.name)));
        thin(&self.lines, &mut self.thinned, &mut self.thinned_key, stamp, (x, y), &window, frame.width() as usize);
        let axis = AxisHints::new_y()
            .tick_label_color(theme.caption())
            .tick_label_font(Type::Caption.sans())
            .label_spacing(Rangef::new(12.0, 24.0))
            .formatter(move |mark, range| {
                let ticks = few_ticks(y, *range.start(), *range.end());
                let found = ticks.into_iter().find(|tick| (y.to_plot(tick.value) - mark.value).abs() < 1e-9);
                found.map_or(String::new(), |tick| tick.label)
            });
        let columns = x_ticks(rect.width());
        let size = Vec2::new(rect.width(), (height - NAME - space::XS).max(24.0));
        let mut below = ui.new_child(
            egui::UiBuilder::new().max_rect(egui::Rect::from_min_size(pos2(rect.left(), rect.bottom() - size.y), size)),
        );
        if self.lines.is_empty() {
            below.label(RichText::new("Nothing was measured.").font(Type::Caption.sans()).color(theme.caption()));
            return;
        }
        let id = if self.metric == Metric::LearningRate { "learning rates" } else { "gradient norms" };
        still_plot(id, size)
            .show_axes([false, true])
            .grid_color(theme.grid())
            .grid_spacing(Rangef::new(2.0, 24.0))
            .x_grid_spacer(move |input| x.marks(&input, columns))
            .y_grid_spacer(move |input| {
                let (lo, hi) = input.bounds;
                y.marked(few_ticks(y, lo, hi), hi - lo)
            })
            .set_margin_fraction(vec2(0.0, 0.1))
            .custom_y_axes(vec![axis])
            .y_axis_min_width(AXIS_WIDTH)
            .show(&mut below, |plot_ui| {
                plot_ui.set_plot_bounds_x(window);
                for (i, (line, points)) in self.lines.iter().zip(&self.thinned).enumerate() {
                    let drawn = Line::new(format!("{i}"), PlotPoints::Borrowed(points));
                    plot_ui.line(drawn.color(theme.category(line.hue)).width(1.5).allow_hover(false).allow_band(false));
                }
            });
    }
}
