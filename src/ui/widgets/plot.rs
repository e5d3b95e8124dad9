//! Plots as all panels have them.

use egui::Vec2;
use egui_plot::Plot;

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
