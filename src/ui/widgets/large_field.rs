//! A text in a field as large as the window lets it be, over everything else.

use super::{dialog, icon_button, primary_button};
use crate::ui::theme::{Themed, Type, space};
use egui::{FontId, Id, Key, Rect, Response, RichText, ScrollArea, TextEdit, Ui, UiBuilder, Vec2, pos2};
use lucide_icons::Icon;

const BUTTON: f32 = 22.0;

/// Offers a large field for the text of a small one: by a button in its corner while the pointer is on it, and by F2 while it
/// has the keyboard. `title` says what the text is.
pub fn enlarge(ui: &mut Ui, small: &Response, text: &mut String, title: &str, font: &FontId) {
    let memory = small.id.with("is open large");
    let mut is_open: bool = ui.data(|data| data.get_temp(memory)).unwrap_or_default();
    let was_open = is_open;
    if !is_open {
        is_open = button(ui, small) || (small.has_focus() && ui.input(|input| input.key_pressed(Key::F2)));
    }
    if is_open {
        is_open = !show(ui, small.id, text, title, font, !was_open);
        if !is_open {
            ui.memory_mut(|memory| memory.request_focus(small.id));
        }
    }
    if is_open != was_open {
        ui.data_mut(|data| data.insert_temp(memory, is_open));
    }
}

/// The button, over the text's first line.
fn button(ui: &mut Ui, small: &Response) -> bool {
    let is_covered = ui.memory(|memory| memory.top_modal_layer().is_some());
    if is_covered || !small.enabled() || !ui.rect_contains_pointer(small.rect) {
        return false;
    }
    let corner = pos2(small.rect.right() - BUTTON - space::XS, small.rect.top() + 3.0);
    let rect = Rect::from_min_size(corner, Vec2::splat(BUTTON)).intersect(ui.clip_rect());
    ui.painter().rect_filled(rect, crate::ui::theme::CHIP_RADIUS, ui.theme().surface());
    let builder = UiBuilder::new().max_rect(rect);
    ui.scope_builder(builder, |ui| icon_button(ui, Icon::Maximize2, "Edit in a large field (F2)").clicked()).inner
}

/// The large field. True once it is to be closed.
fn show(ui: &Ui, small: Id, text: &mut String, title: &str, font: &FontId, is_new: bool) -> bool {
    let window = ui.ctx().content_rect().size();
    let size = Vec2::new((window.x * 0.8).min(960.0), window.y * 0.7);
    let mut is_done = false;
    let modal = dialog(ui.ctx(), small.with("large")).show(ui.ctx(), |ui| {
        ui.set_width(size.x);
        ui.label(RichText::new(title).font(Type::Title.bold()).color(ui.theme().body()));
        ui.add_space(space::XS);
        ScrollArea::vertical().id_salt("large field").max_height(size.y).auto_shrink(false).show(ui, |ui| {
            let row = ui.fonts_mut(|fonts| fonts.row_height(font));
            let rows = ((size.y - 16.0) / row) as usize;
            let field = TextEdit::multiline(text).id(small.with("large text")).desired_rows(rows).font(font.clone());
            let field = ui.add(field.desired_width(f32::INFINITY).margin(egui::Margin::symmetric(8, 6)));
            if is_new {
                field.request_focus();
            }
            let _ = field.accessible_name(format!("{title}, large"));
        });
        ui.add_space(space::S);
        is_done = primary_button(ui, Icon::Check, "Done").on_hover_text("Esc").clicked();
    });
    is_done || modal.should_close()
}
