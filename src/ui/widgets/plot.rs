//! Plots as all panels have them.

use crate::ui::theme::{Theme, Type};
use egui::{Rangef, RichText, Vec2};
use egui_plot::{AxisHints, GridMark, Plot};
use std::ops::RangeInclusive;

/// A plot of this size on the ground of the stage: what is under the pointer is told beside it, so nothing is drawn there, and the
/// wheel scrolls what it stands in.
pub fn plot(name: &'static str, size: Vec2) -> Plot<'static> {
    Plot::new(name)
        .width(size.x)
        .height(size.y)
        .show_background(false)
        .show_x(false)
        .show_y(false)
        .show_crosshair(false)
        .allow_scroll(false)
}

/// The same where neither the pointer nor a double click moves what is in sight.
pub fn still_plot(name: &'static str, size: Vec2) -> Plot<'static> {
    plot(name, size).allow_drag(false).allow_zoom(false).allow_boxed_zoom(false)
}

/// How a [`still_plot`] over a few values is drawn, each of which has a grid line and a label of its own.
pub struct MarkedPlot<'a> {
    /// Its id.
    pub id: &'static str,
    /// What the axes count, the horizontal one first.
    pub axes: [&'a str; 2],
    /// Where the values stand on the horizontal axis, and their labels.
    pub marks: Vec<(f64, String)>,
    /// Distance of labels from which they are shown, in points.
    pub spacing: f32,
}

impl MarkedPlot<'_> {
    /// The plot; `lines` gives the places of the grid lines between two ends of the vertical axis, `label` what stands at one.
    pub fn plot(
        self,
        theme: &Theme,
        size: Vec2,
        lines: impl Fn(RangeInclusive<f64>) -> Vec<f64> + 'static,
        label: impl Fn(f64, &RangeInclusive<f64>) -> String + 'static,
    ) -> Plot<'static> {
        let Self { id, axes: [across, up], marks, spacing } = self;
        let axis = |hints: AxisHints<'static>, name: &str| {
            let name = RichText::new(name).font(Type::Caption.sans()).color(theme.caption());
            let hints = hints.label(name).tick_label_color(theme.caption()).tick_label_font(Type::Caption.sans());
            hints.label_spacing(Rangef::new(spacing, 40.0))
        };
        let labels = marks.clone();
        let x_axis = axis(AxisHints::new_x(), across).formatter(move |mark, _| {
            let found = labels.iter().find(|(place, _)| (place - mark.value).abs() < 1e-9);
            found.map_or_else(String::new, |(_, label)| label.clone())
        });
        let y_axis = axis(AxisHints::new_y(), up).formatter(move |mark, ends| label(mark.value, ends));
        // All lines are of one strength.
        let grid = |places: Vec<f64>, (low, high): (f64, f64)| {
            places.into_iter().map(|value| GridMark { value, step_size: high - low }).collect()
        };
        let across: Vec<f64> = marks.into_iter().map(|(place, _)| place).collect();
        still_plot(id, size)
            .grid_color(theme.grid())
            .grid_spacing(Rangef::new(2.0, 24.0))
            .x_grid_spacer(move |input| grid(across.clone(), input.bounds))
            .y_grid_spacer(move |input| grid(lines(input.bounds.0..=input.bounds.1), input.bounds))
            .custom_x_axes(vec![x_axis])
            .custom_y_axes(vec![y_axis])
    }
}

/// The places of those ticks that have a label.
pub fn labelled(ticks: Vec<crate::chart::Tick>) -> Vec<f64> {
    ticks.into_iter().filter(|tick| !tick.label.is_empty()).map(|tick| tick.value).collect()
}
