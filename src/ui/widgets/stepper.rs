//! One of several versions, and the way to the others: `‹ 2 / 3 ›`.

use super::icon_button;
use crate::ui::Themed;
use crate::ui::theme::Type;
use egui::{RichText, Ui};
use lucide_icons::Icon;

/// Shows which of `count` versions is on show (`at`, from 0). Gives the one to go to. Nothing where there is only one.
pub fn stepper(ui: &mut Ui, at: usize, count: usize, what: &str) -> Option<usize> {
    if count < 2 {
        return None;
    }
    let mut to = None;
    let mut parts = [Some(Icon::ChevronLeft), None, Some(Icon::ChevronRight)];
    if ui.layout().prefer_right_to_left() {
        parts.reverse();
    }
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for part in parts {
            let (name, target) = match part {
                Some(Icon::ChevronLeft) => (format!("Previous {what}"), at.checked_sub(1)),
                Some(_) => (format!("Next {what}"), Some(at + 1).filter(|next| *next < count)),
                None => {
                    let words = RichText::new(format!("{} / {count}", at + 1)).font(Type::Caption.mono());
                    ui.label(words.color(ui.theme().caption()));
                    continue;
                }
            };
            let Some(icon) = part else { continue };
            let clicked = ui.add_enabled_ui(target.is_some(), |ui| icon_button(ui, icon, &name).clicked()).inner;
            if clicked {
                to = target;
            }
        }
    });
    to
}
