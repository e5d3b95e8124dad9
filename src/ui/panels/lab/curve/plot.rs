//! The plot: mean over seeds as a line, the band from the lowest to the highest seed behind it, names at the ends.

use super::Curve;
use super::words::{summary, value};
use crate::chart::{KShotBand, KShotMetric, kshot_bands, kshot_place, linear_ticks, spread_labels};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, space};
use crate::ui::widgets::{MarkedPlot, labelled};
use egui::{Align2, Color32, Response, RichText, Role, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};
use egui_plot::{FilledArea, HLine, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotTransform, Points};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

const LABEL_GAP: f32 = 16.0;

/// A curve as it is drawn.
struct Drawn {
    name: String,
    hue: usize,
    bands: Vec<KShotBand>,
    line: Vec<PlotPoint>,
}

/// What the drawing depends on: of every curve its hue, its points so far and its name.
type Stamp = (KShotMetric, Vec<(usize, usize, String)>);

/// The curves as they are drawn, worked out again only when points came or a choice changed.
#[derive(Default)]
pub(super) struct CurvePlot {
    drawn: Vec<Drawn>,
    stamp: Option<Stamp>,
    ks: Vec<usize>,
    summary: String,
}

impl CurvePlot {
    pub fn show(&mut self, ui: &mut Ui, curves: &[Curve], metric: KShotMetric, size: Vec2) {
        let theme = ui.theme();
        self.update(curves, metric);
        let chance =
            curves.iter().filter(|c| !c.hidden).find_map(|c| c.chance).filter(|_| metric == KShotMetric::Accuracy);
        let plot_size = vec2((size.x - self.gutter(ui, chance)).max(120.0), size.y);
        let Self { drawn, ks, summary, .. } = self;
        let last = ks.last().copied().unwrap_or(1).max(1);
        let shown = plot(theme, ks, metric, plot_size).show(ui, |plot_ui| {
            if metric == KShotMetric::Accuracy {
                plot_ui.set_plot_bounds_y(-0.02..=1.02);
            }
            plot_ui.set_plot_bounds_x(-0.12..=kshot_place(last) + 0.12);
            if let Some(chance) = chance {
                let style = LineStyle::Dashed { length: 6.0 };
                plot_ui
                    .hline(HLine::new("chance", chance).color(theme.line()).width(1.0).style(style).allow_hover(false));
            }
            for curve in drawn.iter() {
                band(plot_ui, curve, theme.category(curve.hue));
            }
            for curve in drawn.iter() {
                let hue = theme.category(curve.hue);
                let line = Line::new(curve.name.clone(), PlotPoints::Borrowed(&curve.line));
                plot_ui.line(line.color(hue).width(2.0).allow_hover(false));
                let dots = Points::new(format!("{} points", curve.name), PlotPoints::Borrowed(&curve.line));
                plot_ui.points(dots.color(hue).radius(3.5).allow_hover(false));
            }
        });
        let response = shown.response;
        response
            .widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Curves by number of examples. {summary}")));
        self.labels(ui, &shown.transform, chance);
        self.readout(ui, &response, &shown.transform, metric);
    }

    fn update(&mut self, curves: &[Curve], metric: KShotMetric) {
        let shown = || curves.iter().filter(|curve| !curve.hidden && !curve.points.is_empty());
        let stamp = (metric, shown().map(|c| (c.hue, c.points.len(), c.name.clone())).collect());
        if self.stamp.as_ref() == Some(&stamp) {
            return;
        }
        self.stamp = Some(stamp);
        self.summary = shown().map(|curve| summary(curve, metric)).collect::<Vec<_>>().join(" ");
        let draw = |curve: &Curve| {
            let bands = kshot_bands(&curve.points, metric);
            let line = bands.iter().map(|band| PlotPoint::new(kshot_place(band.k), band.mean)).collect();
            Drawn { name: curve.name.clone(), hue: curve.hue, bands, line }
        };
        self.drawn = shown().map(draw).collect();
        let ks: BTreeSet<usize> = self.drawn.iter().flat_map(|d| d.bands.iter().map(|band| band.k)).collect();
        self.ks = ks.into_iter().collect();
    }

    /// Room at the right for the curves' names.
    fn gutter(&self, ui: &Ui, chance: Option<f64>) -> f32 {
        let names = self.drawn.iter().map(|d| d.name.as_str()).chain(chance.map(|_| "chance"));
        let widest = names
            .map(|name| ui.painter().layout_no_wrap(name.to_owned(), Type::Caption.sans(), Color32::WHITE).size().x);
        widest.fold(0.0, f32::max) + space::M
    }

    /// The name of each curve at its end.
    fn labels(&self, ui: &Ui, transform: &PlotTransform, chance: Option<f64>) {
        let theme = ui.theme();
        let frame = *transform.frame();
        let end = |drawn: &Drawn| Some((drawn.name.clone(), drawn.bands.last()?.mean, theme.category(drawn.hue)));
        let mut named: Vec<(String, f64, Color32)> = self.drawn.iter().filter_map(end).collect();
        named.extend(chance.map(|chance| ("chance".to_owned(), chance, theme.caption())));
        let place = |value: f64| f64::from(transform.position_from_point_y(value).clamp(frame.top(), frame.bottom()));
        let wishes: Vec<f64> = named.iter().map(|(_, value, _)| place(*value)).collect();
        let (top, bottom) = (f64::from(frame.top()) + 6.0, f64::from(frame.bottom()) - 6.0);
        let placed = spread_labels(&wishes, f64::from(LABEL_GAP), top, bottom);
        for ((name, _, ink), y) in named.into_iter().zip(placed) {
            let at = pos2(frame.right() + space::S, y as f32);
            ui.painter().text(at, Align2::LEFT_CENTER, name, Type::Caption.sans(), ink);
        }
    }

    /// The values under the pointer, of every curve at the nearest number of examples.
    fn readout(&self, ui: &Ui, response: &Response, transform: &PlotTransform, metric: KShotMetric) {
        let theme = ui.theme();
        let Some(pointer) = response.hover_pos() else { return };
        let wanted = transform.value_from_position(pointer).x;
        let distance = |k: &usize| (kshot_place(*k) - wanted).abs();
        let Some(k) = self.ks.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))) else { return };
        let frame = *transform.frame();
        let x = transform.position_from_point_x(kshot_place(k));
        ui.painter_at(frame).vline(x, frame.y_range(), Stroke::new(1.0, theme.line()));
        response.clone().on_hover_ui_at_pointer(|ui| {
            ui.set_max_width(320.0);
            ui.label(RichText::new(format!("k = {k}")).font(Type::Caption.bold()).color(theme.body()));
            let grid =
                egui::Grid::new("k-shot readout").num_columns(3).min_row_height(16.0).spacing(vec2(space::M, 2.0));
            grid.show(ui, |ui| {
                for curve in &self.drawn {
                    let Some(band) = curve.bands.iter().find(|band| band.k == k) else { continue };
                    ui.label(RichText::new(&curve.name).font(Type::Caption.sans()).color(theme.category(curve.hue)));
                    let mean = value(band.mean, metric);
                    ui.label(RichText::new(mean).font(Type::Caption.mono()).color(theme.body()));
                    let ends = format!("{} to {}", value(band.low, metric), value(band.high, metric));
                    ui.label(RichText::new(ends).font(Type::Caption.mono()).color(theme.caption()));
                    ui.end_row();
                }
            });
        });
    }
}

fn band(plot_ui: &mut egui_plot::PlotUi<'_>, curve: &Drawn, hue: Color32) {
    if curve.bands.iter().all(|band| band.low == band.high) {
        return;
    }
    let column = |of: fn(&KShotBand) -> f64| curve.bands.iter().map(of).collect::<Vec<f64>>();
    let (xs, low, high) = (column(|b| kshot_place(b.k)), column(|b| b.low), column(|b| b.high));
    let area = FilledArea::new(format!("{} band", curve.name), &xs, &low, &high);
    plot_ui.add(area.fill_color(hue.gamma_multiply(0.16)).allow_hover(false));
}

fn plot(theme: &Theme, ks: &[usize], metric: KShotMetric, size: Vec2) -> Plot<'static> {
    let up = match metric {
        KShotMetric::Accuracy => "share of right answers",
        KShotMetric::LogProb => "mean ln P(right answer), nats",
    };
    let marks = ks.iter().map(|k| (kshot_place(*k), k.to_string())).collect();
    let rows = ((size.y / 48.0) as usize).max(2);
    let lines = move |ends: RangeInclusive<f64>| labelled(linear_ticks(*ends.start(), *ends.end(), rows));
    let label = move |at: f64, _: &RangeInclusive<f64>| match metric {
        KShotMetric::Accuracy => format!("{:.0} %", at * 100.0),
        KShotMetric::LogProb => value(at, metric),
    };
    let marked = MarkedPlot { id: "k-shot curves", axes: ["examples in the prompt, k", up], marks, spacing: 20.0 };
    marked.plot(theme, size, lines, label).set_margin_fraction(vec2(0.0, 0.08))
}
