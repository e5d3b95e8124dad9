//! A menu of choices.

use crate::ui::theme::Type;
use egui::{ComboBox, Ui};
use lucide_icons::Icon;

/// A menu with an arrow of ours.
pub fn menu<R>(ui: &mut Ui, id: &str, shown: &str, width: f32, add: impl FnOnce(&mut Ui) -> R) -> egui::Response {
    let combo = ComboBox::from_id_salt(id).selected_text(shown).width(width).icon(|ui, rect, visuals, _| {
        let icon = char::from(Icon::ChevronDown);
        let ink = visuals.fg_stroke.color;
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, icon, Type::Caption.icon(), ink);
    });
    combo.truncate().show_ui(ui, add).response
}
