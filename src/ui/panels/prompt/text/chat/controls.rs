//! The left column in chat mode: the template, and where turns come from.

use super::conversation::Ask;
use super::{Chat, Export, talks};
use crate::types::{ChatFormat, FewShotPrompt};
use crate::ui::theme::space;
use crate::ui::widgets::{caption, field, icon_button, row, secondary_button, section};
use crate::ui::{Cx, Themed};
use egui::Ui;
use lucide_icons::Icon;

const TEMPLATE_HELP: &str = "The program that writes the turns as text, with the special tokens the model was trained on. It \
     comes with the model, in tokenizer_config.json or chat_template.jinja.";

/// `prompt` is the plain one, whose examples can become turns.
pub(in super::super) fn controls(chat: &mut Chat, prompt: &FewShotPrompt, ui: &mut Ui, cx: &mut Cx<'_>) {
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
    if fresh.on_hover_text("The old one goes to the list of conversations.").clicked() {
        chat.new_conversation(cx.state.now_s);
    }
    let add = ui.add_enabled_ui(examples > 0, |ui| secondary_button(ui, Some(Icon::Rows3), "Add examples"));
    let words = format!("Puts the {examples} examples of the plain prompt in front, as turns of user and assistant.");
    let none = "The plain prompt has no examples that are switched on.";
    if add.inner.on_hover_text(words).on_disabled_hover_text(none).clicked() {
        chat.add_examples(prompt, cx.state.now_s);
    }
    ui.add_space(space::XS);
    row(ui, 2, |columns| {
        for (ui, (export, words)) in columns.iter_mut().zip([(Export::Markdown, "Markdown"), (Export::Json, "JSON")]) {
            let button = ui.add_enabled_ui(!chat.conversation.turns.is_empty(), |ui| {
                let button = secondary_button(ui, Some(Icon::Download), words);
                let help = format!("Export the conversation as {words}");
                button.on_hover_text(help).on_disabled_hover_text("Nothing was said yet.")
            });
            if button.inner.clicked() {
                chat.export(export, cx);
            }
        }
    });
    conversations(chat, ui, cx);
    ui.add_space(space::XS);
}

/// The conversations of before.
fn conversations(chat: &mut Chat, ui: &mut Ui, cx: &Cx<'_>) {
    if chat.talks.kept.is_empty() {
        return;
    }
    let (mut chosen, mut gone) = (None, None);
    let list = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for (place, talk) in chat.talks.kept.iter().enumerate() {
            ui.horizontal(|ui| {
                let title = talks::title(talk);
                let words = egui::RichText::new(&title).color(ui.theme().body());
                let width = ui.available_width() - 32.0;
                let button = egui::Button::new(words).frame_when_inactive(false).truncate();
                let size = egui::vec2(width, 26.0);
                let layout = egui::Layout::left_to_right(egui::Align::Center).with_main_justify(true);
                let layout = layout.with_main_align(egui::Align::Min);
                let response = ui.allocate_ui_with_layout(size, layout, |ui| ui.add(button)).inner;
                let turns = talk.turns.len();
                if response.on_hover_text(format!("{title}\n{turns} turns")).clicked() {
                    chosen = Some(place);
                }
                if icon_button(ui, Icon::Trash2, &format!("Delete conversation {}", place + 1)).clicked() {
                    gone = Some(place);
                }
            });
        }
    };
    section(ui, "Conversations", |ui| ui.scope(list));
    if let Some(place) = chosen {
        chat.go_back_to(place, cx.state.now_s);
    } else if let Some(place) = gone {
        chat.talks.kept.remove(place);
    }
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
    if chat.has_draft() {
        return "Send";
    }
    match chat.conversation.next() {
        Ask::Answer(_) => "Answer",
        Ask::Continue(_) => "Continue",
    }
}
