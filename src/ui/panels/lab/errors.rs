//! Errors of the lab: each stands where it arose, goes with its cause, and can be closed before.

use crate::types::UserError;
use crate::ui::widgets::{error_card, icon_button};
use egui::{Align, Layout, Ui};
use lucide_icons::Icon;

/// An error with a button that closes it. True when that was pressed.
pub(super) fn closable(ui: &mut Ui, error: &UserError) -> bool {
    let mut closed = false;
    ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
        closed = icon_button(ui, Icon::X, "Close the error").clicked();
        ui.with_layout(Layout::top_down(Align::Min), |ui| error_card(ui, error));
    });
    closed
}
