//! The left column in chat mode: the template, and where turns come from.

use super::Chat;
use super::conversation::Ask;
use crate::types::{ChatFormat, FewShotPrompt};
use crate::ui::Cx;
use crate::ui::theme::space;
use crate::ui::widgets::{caption, field, secondary_button};
use egui::Ui;
use lucide_icons::Icon;

const TEMPLATE_HELP: &str = "The program that writes the turns as text, with the special tokens the model was trained on. It \
     comes with the model, in tokenizer_config.json or chat_template.jinja.";

/// `prompt` is the plain one, whose examples can become turns.
pub(in super::super) fn controls(chat: &mut Chat, prompt: &FewShotPrompt, ui: &mut Ui, cx: &Cx<'_>) {
    ui.add_space(space::XS);
    if chat.conversation.format == ChatFormat::Lines {
        caption(
            ui,
            "Turns are plain lines that begin with User: and Assistant: here. No model was trained on exactly this.",
        );
        if secondary_button(ui, Some(Icon::Undo2), "Use the model's template").clicked() {
            chat.write_lines(false);
        }
    } else if chat.receives.formats.len() > 1 {
        formats(chat, ui);
    }
    let examples = prompt.shots.iter().filter(|shot| shot.on).count();
    ui.add_space(space::XS);
    let fresh = secondary_button(ui, Some(Icon::MessageSquarePlus), "New conversation");
    if fresh.on_hover_text("Begins with an empty turn; Ctrl+Z brings the old one back.").clicked() {
        chat.new_conversation(cx.state.now_s);
    }
    let add = ui.add_enabled_ui(examples > 0, |ui| secondary_button(ui, Some(Icon::Rows3), "Add examples"));
    let words = format!("Puts the {examples} examples of the plain prompt in front, as turns of user and assistant.");
    let none = "The plain prompt has no examples that are switched on.";
    if add.inner.on_hover_text(words).on_disabled_hover_text(none).clicked() {
        chat.add_examples(prompt, cx.state.now_s);
    }
    ui.add_space(space::XS);
}

fn formats(chat: &mut Chat, ui: &mut Ui) {
    let names = chat.receives.formats.clone();
    let format = &mut chat.conversation.format;
    let current = match format {
        ChatFormat::Named(name) => name.clone(),
        _ => "default".to_owned(),
    };
    field(ui, "Template", TEMPLATE_HELP, |ui| {
        let combo = egui::ComboBox::from_id_salt("chat template").selected_text(&current).width(ui.available_width());
        let shown = combo.show_ui(ui, |ui| {
            for name in names {
                if ui.selectable_label(name == current, &name).clicked() {
                    *format = if name == "default" { ChatFormat::Model } else { ChatFormat::Named(name) };
                }
            }
        });
        shown.response
    });
}

/// What the button at the foot does now.
pub(in super::super) fn default_words(chat: &Chat) -> &'static str {
    match chat.conversation.next() {
        Ask::Answer(_) => "Answer",
        Ask::Continue(_) => "Continue",
    }
}
