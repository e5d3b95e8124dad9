//! Tokens a second on logarithmic axes: a hue a network, a stroke a processor.

use crate::chart::{log_ticks, number, number_grouped};
use crate::types::PaceProcessor;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{MarkedPlot, labelled};
use egui::{RichText, Role, Stroke, Ui, Vec2, WidgetInfo, vec2};
use egui_plot::{Line, LineStyle, PlotPoint, PlotPoints, Points};
use std::ops::RangeInclusive;

/// One network on one processor.
pub(super) struct Curve {
    pub name: String,
    pub hue: usize,
    pub processor: PaceProcessor,
    /// What is counted, and tokens a second.
    pub points: Vec<(usize, f64)>,
}

/// Shows curves over what `axis` counts.
pub(super) fn show(ui: &mut Ui, id: &'static str, axis: &str, curves: &[Curve], size: Vec2) {
    let theme = ui.theme();
    let placed = |at: usize, pace: f64| PlotPoint::new((at as f64).log10(), pace.log10());
    let lines: Vec<Vec<PlotPoint>> =
        curves.iter().map(|curve| curve.points.iter().map(|(at, pace)| placed(*at, *pace)).collect()).collect();
    let mut counted: Vec<usize> = curves.iter().flat_map(|curve| curve.points.iter().map(|(at, _)| *at)).collect();
    counted.sort_unstable();
    counted.dedup();
    let marks: Vec<(f64, String)> =
        counted.iter().map(|at| ((*at as f64).log10(), number_grouped(*at as u64))).collect();
    let rows = ((size.y / 56.0) as usize).max(2);
    let ticks = move |ends: &RangeInclusive<f64>| {
        let [low, high] = [ends.start(), ends.end()].map(|end| 10f64.powf(*end));
        log_ticks(low, high, rows)
    };
    let grid = move |ends| labelled(ticks(&ends)).into_iter().map(f64::log10).collect();
    let label = move |at: f64, ends: &RangeInclusive<f64>| {
        let found = ticks(ends).into_iter().find(|tick| (tick.value.log10() - at).abs() < 1e-9);
        found.map_or_else(String::new, |tick| tick.label)
    };
    let marked = MarkedPlot { id, axes: [axis, "tokens a second"], marks, spacing: 20.0 };
    let plot = marked.plot(theme, size, grid, label).set_margin_fraction(vec2(0.05, 0.08));
    let shown = plot.show(ui, |plot_ui| {
        for (curve, line) in curves.iter().zip(&lines) {
            let ink = theme.category(curve.hue);
            let style = match curve.processor {
                PaceProcessor::OneCore => LineStyle::Dotted { spacing: 5.0 },
                PaceProcessor::AllCores => LineStyle::Solid,
                PaceProcessor::Gpu => LineStyle::Dashed { length: 8.0 },
            };
            let drawn = Line::new(curve.name.clone(), PlotPoints::Borrowed(line)).style(style);
            plot_ui.line(drawn.color(ink).width(2.0).allow_hover(false));
            let dots = Points::new(format!("{} points", curve.name), PlotPoints::Borrowed(line));
            plot_ui.points(dots.color(ink).radius(3.0).allow_hover(false));
        }
    });
    let response = shown.response;
    let told = |curve: &Curve| {
        let points = curve.points.iter().map(|(at, pace)| format!("{} at {at}", number(*pace)));
        format!("{}: {}.", curve.name, points.collect::<Vec<_>>().join(", "))
    };
    response.widget_info(|| {
        let summary = curves.iter().filter(|curve| !curve.points.is_empty()).map(told).collect::<Vec<_>>().join(" ");
        WidgetInfo::labeled(Role::Image, true, format!("Tokens a second by {axis}. {summary}"))
    });
    let Some(pointer) = response.hover_pos() else { return };
    let wanted = shown.transform.value_from_position(pointer).x;
    let distance = |at: &usize| ((*at as f64).log10() - wanted).abs();
    let Some(at) = counted.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))) else { return };
    let frame = *shown.transform.frame();
    let x = shown.transform.position_from_point_x((at as f64).log10());
    ui.painter_at(frame).vline(x, frame.y_range(), Stroke::new(1.0, theme.line()));
    response.on_hover_ui_at_pointer(|ui| {
        ui.set_max_width(320.0);
        ui.label(
            RichText::new(format!("{} {axis}", number_grouped(at as u64)))
                .font(Type::Caption.bold())
                .color(theme.body()),
        );
        let grid = egui::Grid::new((id, "readout")).num_columns(2).min_row_height(16.0).spacing(vec2(space::M, 2.0));
        grid.show(ui, |ui| {
            for curve in curves {
                let Some((_, pace)) = curve.points.iter().find(|(place, _)| *place == at) else { continue };
                ui.label(RichText::new(&curve.name).font(Type::Caption.sans()).color(theme.category(curve.hue)));
                let pace = number_grouped(pace.round() as u64);
                ui.label(RichText::new(pace).font(Type::Caption.mono()).color(theme.body()));
                ui.end_row();
            }
        });
    });
}
