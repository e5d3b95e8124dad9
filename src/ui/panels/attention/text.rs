//! The text an encoder reads, typed here or taken from the prompt panel.

use super::AttentionPanel;
use crate::types::Ability;
use crate::ui::Cx;
use crate::ui::widgets::{caption, secondary_button, section};
use egui::{TextEdit, Ui};
use lucide_icons::Icon;

/// What is read when there is nothing else.
pub(super) const EXAMPLE: &str = "The bank of the river was steep.";

pub(super) fn show(panel: &mut AttentionPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    // A text that came from elsewhere takes the place of what was typed.
    if let Some((_, text)) = &cx.selection.text
        && panel.read.as_ref() != Some(text)
    {
        panel.text.clone_from(text);
        panel.read = Some(text.clone());
    }
    section(ui, "Text", |ui| {
        let edit = TextEdit::multiline(&mut panel.text).desired_rows(2).hint_text("What should the encoder read?");
        let _ = ui.add(edit.desired_width(f32::INFINITY)).accessible_name("Text for the encoder");
        ui.add_enabled_ui(!panel.text.trim().is_empty(), |ui| {
            if secondary_button(ui, Some(Icon::BookOpen), "Read it").clicked() {
                panel.read_text(cx);
            }
        });
        caption(ui, "Ctrl+Enter reads it. Every token may look at every other, before and behind it.");
    });
}

impl AttentionPanel {
    /// Has the encoder in use read what is typed, or the example.
    pub(super) fn read_text(&mut self, cx: &mut Cx<'_>) {
        let Some(model) = cx.state.active(Ability::Embed).map(|m| m.info.id) else { return };
        if self.text.trim().is_empty() {
            EXAMPLE.clone_into(&mut self.text);
        }
        self.read = Some(self.text.clone());
        cx.selection.text = Some((model, self.text.clone()));
    }
}
