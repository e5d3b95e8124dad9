//! Labelled fields for paths and numbers.

use super::{field, icon_button};
use crate::ui::theme::{CONTROL_HEIGHT, space};
use egui::{DragValue, Response, TextEdit, Ui};
use lucide_icons::Icon;
use std::ops::RangeInclusive;

/// A path that can be typed or chosen. Returns true when the button was pressed.
pub fn path_field(ui: &mut Ui, label: &str, hint: &str, icon: Icon, path: &mut String) -> bool {
    let mut choose = false;
    field(ui, label, "", |ui| {
        let size = egui::vec2(ui.available_width(), CONTROL_HEIGHT);
        // From the right, so that the field takes what the button leaves and the column keeps its width.
        ui.allocate_ui_with_layout(size, egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            choose = icon_button(ui, icon, "Choose").clicked();
            let edit = TextEdit::singleline(path).hint_text(super::hint(hint)).desired_width(ui.available_width());
            ui.add(edit.margin(egui::Margin::symmetric(8, 6)))
        })
        .inner
    });
    choose
}

fn boxed(ui: &mut Ui, drag: DragValue<'_>) -> Response {
    ui.add_sized([ui.available_width(), CONTROL_HEIGHT], drag)
}

/// A whole number in a box over the whole width, under its label.
pub fn integer_field<N: egui::emath::Numeric>(
    ui: &mut Ui,
    label: &str,
    help: &str,
    value: &mut N,
    range: RangeInclusive<N>,
) {
    field(ui, label, help, |ui| {
        // A tenth of a per cent a point keeps both 8 and 10,000 easy to reach.
        let speed = (value.to_f64() * 0.005).max(0.05);
        boxed(ui, DragValue::new(value).range(range).speed(speed))
    });
}

/// The same for any number.
pub fn real_field(ui: &mut Ui, label: &str, help: &str, value: &mut f64, range: RangeInclusive<f64>) {
    // 16 is shown as 16, whatever a drag could make of it.
    let words = |value: f64, _| ((value * 1e4).round() / 1e4).to_string();
    let drag = DragValue::new(value).range(range).speed(0.005).custom_formatter(words);
    field(ui, label, help, |ui| boxed(ui, drag));
}

/// The same for a share, in percent.
pub fn percent_field(ui: &mut Ui, label: &str, help: &str, value: &mut f64) {
    field(ui, label, help, |ui| {
        boxed(ui, DragValue::new(value).range(0.5..=90.0).speed(0.2).max_decimals(1).suffix(" %"))
    });
}
