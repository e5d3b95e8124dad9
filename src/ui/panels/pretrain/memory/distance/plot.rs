//! The plot: of each network the share of right answers as a line, its 95 % interval behind it, chance dashed, and where learning ended.

use super::nets::LONGEST;
use super::result::Comparison;
use crate::chart::spread_labels;
use crate::types::{MemoryKind, MemoryPoint, MemoryReport};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, space};
use crate::ui::widgets::MarkedPlot;
use egui::{Align2, Color32, Response, RichText, Role, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};
use egui_plot::{FilledArea, HLine, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotTransform, Points, VLine};
use std::ops::RangeInclusive;

const LABEL_GAP: f32 = 16.0;
const CHANCE: &str = "chance";

/// Where a distance stands on the horizontal axis.
fn place(distance: usize) -> f64 {
    (distance.max(1) as f64).log2()
}

/// A curve as it is drawn.
struct Drawn<'a> {
    name: &'a str,
    hue: usize,
    report: &'a MemoryReport,
}

impl Drawn<'_> {
    /// Points that were asked at.
    fn points(&self) -> impl Iterator<Item = &MemoryPoint> {
        self.report.points.iter().filter(|point| point.asked > 0)
    }

    fn line(&self) -> Vec<PlotPoint> {
        self.points().map(|point| PlotPoint::new(place(point.distance), point.accuracy())).collect()
    }
}

/// A share of right answers in words.
pub(super) fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

pub(super) fn show(ui: &mut Ui, comparison: &Comparison, size: Vec2) {
    let theme = ui.theme();
    let drawn: Vec<Drawn<'_>> = comparison
        .reports()
        .map(|(at, report)| {
            let contender = &comparison.contenders[at];
            Drawn { name: &contender.name, hue: contender.hue(at), report }
        })
        .collect();
    let lines: Vec<Vec<PlotPoint>> = drawn.iter().map(Drawn::line).collect();
    let distances = super::nets::distances(comparison.of());
    let learned = !comparison.form.nets.is_empty();
    let ends = [distances.first(), distances.last()].map(|end| place(end.copied().unwrap_or(1)));
    let named = named(theme, &drawn);
    let gutter = gutter(ui, &named);
    let shown = plot(theme, &distances, vec2((size.x - gutter).max(120.0), size.y)).show(ui, |plot_ui| {
        // Words stand above all of it.
        plot_ui.set_plot_bounds_y(-0.02..=1.14);
        plot_ui.set_plot_bounds_x(ends[0] - 0.2..=ends[1] + 0.2);
        let dashed = LineStyle::Dashed { length: 6.0 };
        let chance = HLine::new(CHANCE, MemoryKind::chance()).color(theme.line()).width(1.0).style(dashed);
        plot_ui.hline(chance.allow_hover(false));
        if learned {
            let end = VLine::new("learned", place(LONGEST)).color(theme.line()).width(1.0);
            plot_ui.vline(end.allow_hover(false));
        }
        for curve in &drawn {
            band(plot_ui, curve, theme.category(curve.hue));
        }
        for (curve, line) in drawn.iter().zip(&lines) {
            let hue = theme.category(curve.hue);
            let drawn = Line::new(curve.name.to_owned(), PlotPoints::Borrowed(line));
            plot_ui.line(drawn.color(hue).width(2.0).allow_hover(false));
            let dots = Points::new(format!("{} points", curve.name), PlotPoints::Borrowed(line));
            plot_ui.points(dots.color(hue).radius(3.5).allow_hover(false));
        }
    });
    let told = |curve: &Drawn<'_>| {
        let points: Vec<String> =
            curve.points().map(|point| format!("{} at {}", share(point.accuracy()), point.distance)).collect();
        format!("{}: {}.", curve.name, points.join(", "))
    };
    let summary = drawn.iter().map(told).collect::<Vec<_>>().join(" ");
    let response = shown.response;
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Right answers by distance. {summary}")));
    labels(ui, &shown.transform, &named);
    if learned {
        let frame = *shown.transform.frame();
        let x = shown.transform.position_from_point_x(place(LONGEST));
        let at = pos2(x + space::XS, frame.top() + 2.0);
        ui.painter().text(at, Align2::LEFT_TOP, "not learned", Type::Caption.sans(), theme.caption());
        let at = pos2(x - space::XS, frame.top() + 2.0);
        let words = format!("learned up to {LONGEST}");
        ui.painter().text(at, Align2::RIGHT_TOP, words, Type::Caption.sans(), theme.caption());
    }
    readout(ui, &response, &shown.transform, &drawn, &distances);
}

/// Names at the right, with their places on the vertical axis and their inks.
fn named(theme: &Theme, drawn: &[Drawn<'_>]) -> Vec<(String, f64, Color32)> {
    let end = |curve: &Drawn<'_>| {
        let last = curve.points().last()?;
        Some((curve.name.to_owned(), last.accuracy(), theme.category(curve.hue)))
    };
    let chance = (CHANCE.to_owned(), MemoryKind::chance(), theme.caption());
    drawn.iter().filter_map(end).chain([chance]).collect()
}

fn gutter(ui: &Ui, named: &[(String, f64, Color32)]) -> f32 {
    let width =
        |name: &String| ui.painter().layout_no_wrap(name.clone(), Type::Caption.sans(), Color32::WHITE).size().x;
    named.iter().map(|(name, ..)| width(name)).fold(0.0, f32::max) + space::M
}

fn labels(ui: &Ui, transform: &PlotTransform, named: &[(String, f64, Color32)]) {
    let frame = *transform.frame();
    let place = |value: f64| f64::from(transform.position_from_point_y(value).clamp(frame.top(), frame.bottom()));
    let wishes: Vec<f64> = named.iter().map(|(_, value, _)| place(*value)).collect();
    let (top, bottom) = (f64::from(frame.top()) + 6.0, f64::from(frame.bottom()) - 6.0);
    for ((name, _, ink), y) in named.iter().zip(spread_labels(&wishes, f64::from(LABEL_GAP), top, bottom)) {
        let at = pos2(frame.right() + space::S, y as f32);
        ui.painter().text(at, Align2::LEFT_CENTER, name, Type::Caption.sans(), *ink);
    }
}

/// The values under the pointer, of every network at the nearest distance.
fn readout(ui: &Ui, response: &Response, transform: &PlotTransform, drawn: &[Drawn<'_>], distances: &[usize]) {
    let theme = ui.theme();
    let Some(pointer) = response.hover_pos() else { return };
    let wanted = transform.value_from_position(pointer).x;
    let far = |distance: &usize| (place(*distance) - wanted).abs();
    let Some(distance) = distances.iter().copied().min_by(|a, b| far(a).total_cmp(&far(b))) else { return };
    let frame = *transform.frame();
    let x = transform.position_from_point_x(place(distance));
    ui.painter_at(frame).vline(x, frame.y_range(), Stroke::new(1.0, theme.line()));
    response.clone().on_hover_ui_at_pointer(|ui| {
        ui.set_max_width(340.0);
        let title = format!("{distance} tokens back");
        ui.label(RichText::new(title).font(Type::Caption.bold()).color(theme.body()));
        let grid = egui::Grid::new("memory readout").num_columns(3).min_row_height(16.0).spacing(vec2(space::M, 2.0));
        grid.show(ui, |ui| {
            for curve in drawn {
                let Some(point) = curve.points().find(|point| point.distance == distance) else { continue };
                let [low, high] = point.interval();
                let ends = format!("{} to {}", share(low), share(high));
                ui.label(RichText::new(curve.name).font(Type::Caption.sans()).color(theme.category(curve.hue)));
                let words = format!("{} of {}", point.right, point.asked);
                ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.body()));
                ui.label(RichText::new(ends).font(Type::Caption.mono()).color(theme.caption()));
                ui.end_row();
            }
        });
    });
}

fn band(plot_ui: &mut egui_plot::PlotUi<'_>, curve: &Drawn<'_>, hue: Color32) {
    let xs: Vec<f64> = curve.points().map(|point| place(point.distance)).collect();
    let [low, high] = [0, 1].map(|end| curve.points().map(|point| point.interval()[end]).collect::<Vec<f64>>());
    let area = FilledArea::new(format!("{} interval", curve.name), &xs, &low, &high);
    plot_ui.add(area.fill_color(hue.gamma_multiply(0.14)).allow_hover(false));
}

fn plot(theme: &Theme, distances: &[usize], size: Vec2) -> Plot<'static> {
    let marks = distances.iter().map(|of| (place(*of), of.to_string())).collect();
    let axes = ["tokens back (log scale)", "share of right answers"];
    let quarters = |_: RangeInclusive<f64>| vec![0.0, 0.25, 0.5, 0.75, 1.0];
    let label = |at: f64, _: &RangeInclusive<f64>| format!("{:.0} %", at * 100.0);
    let marked = MarkedPlot { id: "memory", axes, marks, spacing: 18.0 };
    marked.plot(theme, size, quarters, label).set_margin_fraction(vec2(0.0, 0.0))
}
