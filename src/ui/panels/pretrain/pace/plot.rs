//! Tokens a second on logarithmic axes: a hue a network, a stroke a processor.

use crate::chart::{log_ticks, number, number_grouped};
use crate::types::PaceProcessor;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use egui::{Rangef, RichText, Role, Stroke, Ui, Vec2, WidgetInfo, vec2};
use egui_plot::{AxisHints, GridMark, Line, LineStyle, PlotPoint, PlotPoints, Points};

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
    let name = |text: &str| RichText::new(text).font(Type::Caption.sans()).color(theme.caption());
    let ticks = |hints: AxisHints<'static>| {
        let hints = hints.tick_label_color(theme.caption()).tick_label_font(Type::Caption.sans());
        hints.label_spacing(Rangef::new(20.0, 40.0))
    };
    let mut counted: Vec<usize> = curves.iter().flat_map(|curve| curve.points.iter().map(|(at, _)| *at)).collect();
    counted.sort_unstable();
    counted.dedup();
    let marks: Vec<(f64, String)> =
        counted.iter().map(|at| ((*at as f64).log10(), number_grouped(*at as u64))).collect();
    let labels = marks.clone();
    let x_axis = ticks(AxisHints::new_x().label(name(axis))).formatter(move |mark, _| {
        let found = labels.iter().find(|(place, _)| (place - mark.value).abs() < 1e-9);
        found.map_or_else(String::new, |(_, label)| label.clone())
    });
    let rows = ((size.y / 56.0) as usize).max(2);
    let y_axis = ticks(AxisHints::new_y().label(name("tokens a second"))).formatter(move |mark, range| {
        let [low, high] = [range.start(), range.end()].map(|end| 10f64.powf(*end));
        let found = log_ticks(low, high, rows).into_iter().find(|tick| (tick.value.log10() - mark.value).abs() < 1e-9);
        found.map_or_else(String::new, |tick| tick.label)
    });
    let plot = crate::ui::widgets::still_plot(id, size)
        .set_margin_fraction(vec2(0.05, 0.08))
        .grid_color(theme.grid())
        .grid_spacing(Rangef::new(2.0, 24.0))
        .x_grid_spacer(move |input| {
            let span = input.bounds.1 - input.bounds.0;
            marks.iter().map(|(value, _)| GridMark { value: *value, step_size: span }).collect()
        })
        .y_grid_spacer(move |input| {
            let (low, high) = input.bounds;
            let ticks = log_ticks(10f64.powf(low), 10f64.powf(high), rows).into_iter();
            let named = ticks.filter(|tick| !tick.label.is_empty());
            named.map(|tick| GridMark { value: tick.value.log10(), step_size: high - low }).collect()
        })
        .custom_x_axes(vec![x_axis])
        .custom_y_axes(vec![y_axis]);
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
