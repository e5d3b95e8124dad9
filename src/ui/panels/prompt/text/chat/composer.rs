//! The field at the foot of a conversation, in which the next turn is written.

use super::Chat;
use crate::ui::Cx;
use crate::ui::theme::space;
use crate::ui::widgets::{TextArea, icon_button};
use egui::{Event, Id, InputState, Key, Ui};
use lucide_icons::Icon;

/// The name of the field, so that it can be given the keyboard.
pub(super) fn field_id() -> Id {
    Id::unique("chat composer")
}

/// Takes Enter with nothing else from what was pressed: the field itself takes Shift+Enter for a line break.
fn take_enter(input: &mut InputState) -> bool {
    let is_enter = |event: &Event| match event {
        Event::Key { key: Key::Enter, pressed: true, modifiers, .. } => modifiers.is_none(),
        _ => false,
    };
    let count = input.events.len();
    input.events.retain(|event| !is_enter(event));
    input.events.len() < count
}

/// The field and its button. True when what stands in it is to be said.
pub(super) fn show(chat: &mut Chat, ui: &mut Ui, cx: &Cx<'_>) -> bool {
    const BUTTON: f32 = 28.0;
    let is_free = chat.writing().is_none() && chat.can_be_asked(cx);
    let is_typing = ui.memory(|memory| memory.has_focus(field_id()));
    let entered = is_typing && ui.input_mut(take_enter);
    let clicked = ui
        .horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = space::S;
            let width = ui.available_width() - BUTTON - space::S;
            ui.allocate_ui(egui::vec2(width, 0.0), |ui| {
                ui.set_width(width);
                let hint = "Say something: Enter sends, Shift+Enter breaks the line";
                let area = TextArea::new(&mut chat.draft, 2).id(field_id()).hint(hint).breaks_with_shift();
                let area = area.can_be_large("Message").margin(egui::Margin::symmetric(8, 6));
                let _ = ui.add(area).accessible_name("Message");
            });
            let ready = is_free && chat.has_draft();
            ui.add_enabled_ui(ready, |ui| icon_button(ui, Icon::SendHorizontal, "Send").clicked()).inner
        })
        .inner;
    if std::mem::take(&mut chat.wants_composer) {
        ui.memory_mut(|memory| memory.request_focus(field_id()));
    }
    // Letters and the Enter key behind them may come in one frame: what stands there now is meant.
    is_free && chat.has_draft() && (clicked || entered)
}
