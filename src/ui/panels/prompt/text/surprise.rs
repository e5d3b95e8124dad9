//! The prompt's tokens tinted by how surprised the model is by each.

use super::output::probability_fill;
use crate::engine::{SurpriseSpec, Work};
use crate::types::{Edit, JobId, ModelId, SurpriseReport, SurpriseToken};
use crate::ui::edits::all_words;
use crate::ui::theme::{Theme, Type, space};
use crate::ui::widgets::{self, caption, percent, visible_text};
use crate::ui::{Answer, Ask, Cx, State, Themed};
use egui::{Color32, Label, RichText, Ui, Vec2};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds without a change after which a text is read again.
const PAUSE_S: f64 = 0.5;

/// What the colours of the prompt's tokens tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tint {
    /// What part of the prompt a token is of.
    #[default]
    Parts,
    /// How surprised the model is by it.
    Surprise,
}

/// A text that a model reads as it changes.
#[derive(Default)]
pub(super) struct Reading {
    ask: Ask<(ModelId, String, Vec<Edit>)>,
}

impl Reading {
    /// Reads a text once it has not changed for a moment.
    pub(super) fn follow(&mut self, model: ModelId, text: &str, cx: &mut Cx<'_>) {
        let work = |(model, text, edits): &(ModelId, String, Vec<Edit>)| {
            (*model, Work::Surprise(SurpriseSpec { prompt: text.clone().into(), edits: edits.clone() }))
        };
        self.ask.follow((model, text.to_owned(), cx.edits.on()), PAUSE_S, cx, work);
        cx.wake_in(PAUSE_S, self.ask.is_due());
    }

    /// What came of the text as it is now.
    pub(super) fn report<'a>(&self, text: &str, state: &'a State) -> Option<&'a Arc<SurpriseReport>> {
        let (_, asked, _) = self.ask.question()?;
        match self.ask.answer(state) {
            Answer::New(report) if asked == text => Some(report),
            _ => None,
        }
    }

    /// The jobs whose answers must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.ask.shows(shown);
    }

    /// The sums of the text, or what keeps them, in a row that wraps.
    pub(super) fn sums(&self, text: &str, ui: &mut Ui, cx: &Cx<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::new(space::M, 2.0);
            // Lines of text stand as close as in a paragraph.
            ui.spacing_mut().interact_size.y = 0.0;
            self.sums_in_row(text, ui, cx);
        });
    }

    fn sums_in_row(&self, text: &str, ui: &mut Ui, cx: &Cx<'_>) {
        let theme = ui.theme();
        if let Some(report) = self.report(text, cx.state) {
            for words in sums(report) {
                let words = RichText::new(words).font(Type::Caption.mono()).color(theme.caption());
                ui.add(Label::new(words).extend()).on_hover_text(SUMS_HELP);
            }
            if let Some((_, _, edits)) = self.ask.question().filter(|(_, _, edits)| !edits.is_empty()) {
                let words = RichText::new("of the edited model").font(Type::Caption.sans()).color(theme.caption());
                ui.add(Label::new(words).extend()).on_hover_text(all_words(edits));
            }
            if report.begins_unread() {
                let words = RichText::new("first token without").font(Type::Caption.sans()).color(theme.caption());
                ui.add(Label::new(words).extend()).on_hover_text(UNREAD_HELP);
            }
        } else if let Some(error) = self.ask.error(cx.state) {
            ui.label(RichText::new(&error.what).font(Type::Caption.sans()).color(theme.danger()));
        } else {
            caption(ui, "Reading the text…");
        }
    }
}

const SUMS_HELP: &str = "The surprise of all tokens, −Σ log p; perplexity, the exponential of its mean over tokens; and bits for each \
     byte of the text, which compares across models with different tokens.";

const UNREAD_HELP: &str = "Nothing stands before the first token, so the model says nothing about it: it and its bytes are left out of \
     the sums. A model that begins every text with a token of its own tells of the first one, too.";

fn sums(report: &SurpriseReport) -> Vec<String> {
    let mut words = vec![
        format!("{:.1} nats", report.nats()),
        if report.count() == 1 { "1 token".to_owned() } else { format!("{} tokens", report.count()) },
    ];
    if let Some(perplexity) = report.perplexity() {
        words.push(format!("perplexity {}", widgets::significant(perplexity)));
    }
    if let Some(bits) = report.bits_per_byte() {
        words.push(format!("{} bits a byte", widgets::significant(bits)));
    }
    words
}

/// Behind a token: the stronger the more surprising, nothing where nobody can tell.
pub(super) fn fill(theme: &Theme, token: &SurpriseToken, paper: Color32) -> Color32 {
    token.log_prob.map_or(Color32::TRANSPARENT, |log_prob| probability_fill(theme, log_prob.exp() as f32, paper))
}

/// What is told of a token under the pointer.
pub(super) fn tip(ui: &mut Ui, token: &SurpriseToken) {
    for line in told(token) {
        caption(ui, line);
    }
}

fn told(token: &SurpriseToken) -> Vec<String> {
    let (Some(log_prob), Some(rank)) = (token.log_prob, token.rank) else {
        return vec!["Nothing stands before it, so it has no surprise.".to_owned()];
    };
    let mut lines = vec![format!("{:.2} nats · {} · rank {rank}", -log_prob, percent(log_prob.exp() as f32))];
    if let Some(best) = token.likeliest.as_ref().filter(|best| best.id != token.id) {
        lines.push(format!("Likeliest: {} {}", visible_text(&best.text), percent(best.probability)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Candidate;

    fn token(log_prob: Option<f64>) -> SurpriseToken {
        let likeliest = log_prob.map(|_| Candidate { id: 7, text: " the".into(), probability: 0.5 });
        SurpriseToken { id: 3, text: "a".into(), span: 0..1, log_prob, rank: log_prob.map(|_| 4), likeliest }
    }

    #[test]
    fn a_token_is_told_with_what_was_likelier() {
        assert_eq!(told(&token(Some(0.1f64.ln()))), ["2.30 nats · 10.0 % · rank 4", "Likeliest: ·the 50.0 %"]);
        assert_eq!(told(&token(None)).len(), 1);
        let report = SurpriseReport { tokens: vec![token(None), token(Some(-2.0)), token(Some(-2.0))] };
        assert_eq!(sums(&report), ["4.0 nats", "2 tokens", "perplexity 7.39"]);
    }
}
