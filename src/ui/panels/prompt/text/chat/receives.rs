//! What the model receives for a conversation: the text the chat template writes, token by token, special tokens and all.

use super::conversation::Conversation;
use crate::engine::{PromptInput, Work};
use crate::types::{Ability, ChatFailure, ChatPrompt, ChatRole, JobId, ModelId, RenderedChat, TokenizeReport};
use crate::ui::Themed;
use crate::ui::theme::{Theme, Type, mix, space};
use crate::ui::widgets::{self, Chip, token_strip, visible_text};
use crate::ui::{Answer, Ask, Cx};
use egui::{Color32, RichText, Ui};
use std::collections::BTreeSet;

/// The conversation as it was last shown to the template.
#[derive(Default)]
pub(super) struct Receives {
    written: Ask<(ModelId, ChatPrompt)>,
    /// Names of the model's templates, where it has several.
    pub formats: Vec<String>,
}

impl Receives {
    /// Asks anew when the conversation or the model changed.
    pub(super) fn update(&mut self, conversation: &Conversation, cx: &mut Cx<'_>) {
        let Some(model) = cx.state.active(Ability::Continue).map(|m| m.info.id) else { return };
        let question = (model, conversation.prompt(conversation.next()));
        self.written.follow(question, 0.0, cx, |(model, prompt)| {
            (*model, Work::Tokenize(PromptInput::Chat(Box::new(prompt.clone()))))
        });
        if let Some(Ok(chat)) = self.answer(cx).and_then(|answer| answer.chat.as_ref()) {
            self.formats.clone_from(&chat.formats);
        }
    }

    /// The jobs whose answers must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.written.shows(shown);
    }

    /// The latest answer. While a newer one is on its way, the one before it is better than nothing.
    pub(super) fn answer<'a>(&self, cx: &Cx<'a>) -> Option<&'a TokenizeReport> {
        match self.written.answer(cx.state) {
            Answer::New(report) | Answer::Old(report) => Some(report),
            _ => None,
        }
    }

    /// Why the template gives no text.
    pub(super) fn failure<'a>(&self, cx: &Cx<'a>) -> Option<&'a ChatFailure> {
        self.answer(cx)?.chat.as_ref()?.as_ref().err()
    }

    /// The written text.
    pub(super) fn written<'a>(&self, cx: &Cx<'a>) -> Option<&'a RenderedChat> {
        self.answer(cx)?.chat.as_ref()?.as_ref().ok()
    }

    /// The strip. Gives the token that was clicked.
    pub(super) fn show(
        &self,
        ui: &mut Ui,
        cx: &Cx<'_>,
        conversation: &Conversation,
        selected: Option<usize>,
    ) -> Option<usize> {
        let theme = ui.theme();
        let (answer, chat) = (self.answer(cx)?, self.written(cx)?);
        let tokens = &answer.tokens;
        let kind = |i: usize| -> Kind {
            if answer.special.binary_search(&i).is_ok() {
                return Kind::Special;
            }
            let message = chat.message_at(tokens[i].span.start);
            message.and_then(|m| conversation.turns.get(m)).map_or(Kind::Template, |turn| Kind::Turn(turn.role))
        };
        let chip = |i: usize| Chip {
            text: if tokens[i].text.is_empty() { "∅" } else { &tokens[i].text },
            fill: kind(i).fill(theme),
            selected: selected == Some(i),
            underline: None,
        };
        let response = token_strip(ui, "Chat tokens", tokens.len(), chip, |ui, i| {
            let name = RichText::new(visible_text(&tokens[i].text));
            ui.label(name.font(Type::Strong.mono()).color(theme.body()));
            widgets::caption(ui, format!("id {} · position {i}", tokens[i].id));
            widgets::caption(ui, kind(i).words());
        });
        response.clicked
    }
}

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Special,
    Template,
    Turn(ChatRole),
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Special => "Special token, written by the template",
            Self::Template => "Written by the template",
            Self::Turn(ChatRole::System) => "System message",
            Self::Turn(ChatRole::User) => "What the user says",
            Self::Turn(ChatRole::Assistant) => "What the assistant says",
        }
    }

    fn fill(self, theme: &Theme) -> Color32 {
        let paper = theme.surface();
        match self {
            Self::Special => mix(paper, theme.neutral(6), 0.5),
            Self::Template => mix(paper, theme.category(7), 0.14),
            Self::Turn(role) => mix(paper, role_colour(theme, role), 0.3),
        }
    }
}

/// The hue that stands for a role.
pub(super) fn role_colour(theme: &Theme, role: ChatRole) -> Color32 {
    theme.category(match role {
        ChatRole::System => 6,
        ChatRole::User => 0,
        ChatRole::Assistant => 2,
    })
}

/// Which colour stands for what.
pub(super) fn legend(ui: &mut Ui) {
    let theme = ui.theme();
    let kinds = [
        (Kind::Turn(ChatRole::System), "System"),
        (Kind::Turn(ChatRole::User), "User"),
        (Kind::Turn(ChatRole::Assistant), "Assistant"),
        (Kind::Template, "Template"),
        (Kind::Special, "Special token"),
    ];
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        for (kind, name) in kinds {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = space::XS;
                let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(10.0), egui::Sense::hover());
                ui.painter().rect_filled(rect, 2, kind.fill(theme));
                let line = egui::Stroke::new(1.0, theme.line());
                ui.painter().rect_stroke(rect, 2, line, egui::StrokeKind::Inside);
                widgets::caption(ui, name);
            });
        }
    });
}
