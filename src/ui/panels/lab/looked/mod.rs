//! Where the answer looked: the attention of the token that predicts it, summed over the examples, and which heads do it.

mod heads;
mod parts;

use super::desk::Desk;
use super::setup::Card;
use crate::analysis::{HeadScore, PartSums, PromptPart, attention_from, head_scores, prompt_parts, sum_parts};
use crate::engine::{InspectSpec, PromptInput, Work};
use crate::types::{Edit, InspectReport, JobId, ModelId, RenderedPrompt, SiteFilter};
use crate::ui::Themed;
use crate::ui::edits::all_words;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::closable_error;
use crate::ui::widgets::{Stamp, caption, empty_state, job_progress, segmented, stage_header, visible_text};
use crate::ui::{Answer, Ask, Cx, Intent, State};
use egui::{RichText, Ui};
use lucide_icons::Icon;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long nothing must change before the prompt is read again, in seconds.
const DEBOUNCE_S: f64 = 0.25;
/// Least width at which the heads stand beside the parts.
const BESIDE: f32 = 540.0;

const FROM_HELP: &str = "‘Before it’ is the last token of the prompt: its attention decides what the first token of the answer \
     is. ‘The answer’ is that first token itself, read as part of the text.";

/// Which token's attention is summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum From {
    /// The last token of the prompt, which predicts the answer.
    #[default]
    Prompt,
    /// The first token of the right answer.
    Answer,
}

/// What heads are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Rank {
    #[default]
    Labels,
    Induction,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
struct Question {
    model: ModelId,
    /// Which of its weights.
    version: u64,
    rendered: RenderedPrompt,
    /// The answer behind it, with what parts them; empty for none.
    answer: String,
    /// Changes inside the model.
    edits: Vec<Edit>,
}

/// What is computed from a report once.
struct Seen {
    key: (JobId, From, Option<(usize, usize)>, Rank),
    /// The token whose attention is summed.
    token: String,
    sums: PartSums,
    /// Best first.
    scores: Vec<HeadScore>,
}

/// The tab.
#[derive(Default)]
pub(super) struct LookedTab {
    reading: Ask<Question>,
    pub from: From,
    pub rank: Rank,
    /// Layer and head that are looked at; `None` for the mean over all.
    head: Option<(usize, usize)>,
    seen: Option<Seen>,
    /// The job whose error was closed.
    closed: Option<JobId>,
}

impl LookedTab {
    /// The reading that is under way.
    pub fn running(&self, state: &State) -> Option<JobId> {
        self.reading.running(state)
    }

    /// Has the prompt read again, even if nothing changed.
    pub fn forget(&mut self, cx: &mut Cx<'_>) {
        self.reading.forget(cx);
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.reading.shows(shown);
    }

    /// Reads the prompt again once it has not changed for a moment.
    fn follow(&mut self, question: Question, cx: &mut Cx<'_>) {
        self.reading.follow(question, DEBOUNCE_S, cx, |question| {
            let prompt = PromptInput::Text(format!("{}{}", question.rendered.text, question.answer));
            let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: question.edits.clone() };
            (question.model, Work::Inspect(spec))
        });
    }

    /// The report on show.
    fn report(&self, state: &State) -> Option<(JobId, Arc<InspectReport>)> {
        match self.reading.answer(state) {
            Answer::New(report) => Some((self.reading.job()?, Arc::clone(report))),
            _ => None,
        }
    }

    /// Computes what is shown, unless it is known.
    fn look(&mut self, state: &State, examples: usize) -> Option<&Seen> {
        let (job, report) = self.report(state)?;
        let key = (job, self.from, self.head, self.rank);
        if self.seen.as_ref().is_none_or(|seen| seen.key != key) {
            let question = self.reading.question()?;
            let parts = prompt_parts(&question.rendered, &report.tokens);
            let from = position(&parts, self.from)?;
            let weights = attention_from(&report, from, self.head)?;
            let mut scores = head_scores(&report, &parts, from);
            let value = |score: &HeadScore| match self.rank {
                Rank::Labels => score.label,
                Rank::Induction => score.induction.unwrap_or(0.0),
            };
            scores.sort_by(|a, b| value(b).total_cmp(&value(a)));
            let token = report.tokens[from].text.clone();
            self.seen = Some(Seen { key, token, sums: sum_parts(&weights, &parts, examples), scores });
        }
        self.seen.as_ref()
    }
}

/// The token that is meant: the last before the answer, or the first of the answer.
fn position(parts: &[PromptPart], from: From) -> Option<usize> {
    let answer = parts.iter().position(|part| *part == PromptPart::Answer);
    match from {
        From::Answer => answer.or_else(|| parts.len().checked_sub(1)),
        From::Prompt => answer.unwrap_or(parts.len()).checked_sub(1),
    }
}

impl LookedTab {
    fn question(&self, desk: &Desk) -> Option<Question> {
        let plan = desk.plan.as_ref()?.sides.get(desk.side)?;
        let rendered = plan.cards.get(Card::ALL.len() - 1)?.rendered.clone();
        let asked = desk.asked();
        let answer = match self.from {
            From::Answer if !desk.setup.expected.is_empty() => {
                let prompt = desk.prompt();
                let gap = match prompt.gap() {
                    "" | " " if rendered.text.ends_with(char::is_whitespace) => "",
                    "" => " ",
                    gap => gap,
                };
                format!("{gap}{}", asked.name(&desk.setup.expected))
            }
            _ => String::new(),
        };
        Some(Question {
            model: plan.model?,
            version: plan.version,
            rendered,
            answer,
            edits: desk.asked().edits.clone(),
        })
    }

    /// Reads the prompt again when it changed.
    pub fn look_again(&mut self, desk: &Desk, cx: &mut Cx<'_>) {
        let is_ready = desk.plan.as_ref().is_some_and(|plan| plan.missing.is_none());
        if let Some(question) = self.question(desk).filter(|_| is_ready) {
            self.follow(question, cx);
        }
    }

    /// The middle of the window.
    pub fn stage(&mut self, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
        let theme = ui.theme();
        if self.reading.is_due() {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(DEBOUNCE_S));
        }
        let has_answer = !desk.setup.expected.is_empty();
        if !has_answer {
            self.from = From::Prompt;
        }
        let sub = match self.head {
            None => "all heads".to_owned(),
            Some((layer, head)) => format!("layer {layer} · head {head}"),
        };
        stage_header(ui, "Where the answer looked", &sub, |ui| {
            if has_answer {
                let choices = [(From::Prompt, "Before it"), (From::Answer, "The answer")];
                segmented(ui, &mut self.from, &choices);
                caption(ui, "Look from").on_hover_text(FROM_HELP);
                ui.add_space(space::S);
            }
        });
        let edits = self.reading.question().map(|question| all_words(&question.edits)).unwrap_or_default();
        let stamp = self.reading.job().and_then(|job| Stamp::of(cx.state, job));
        let edited = |stamp: Stamp| if edits.is_empty() { stamp } else { stamp.with(format!("edited: {edits}")) };
        if let Some(stamp) = stamp.map(edited) {
            stamp.show(ui);
        }
        if let Some(job) = self.reading.job() {
            job_progress(ui, cx, job);
            let is_current = self.question(desk).as_ref() == self.reading.question();
            if let Some(error) = cx.state.error(job).filter(|_| is_current && self.closed != Some(job))
                && closable_error(ui, error)
            {
                self.closed = Some(job);
            }
        }
        let (side, examples) = (desk.side, desk.asked().examples.len());
        let is_running = self.running(cx.state).is_some();
        let missing = desk.missing();
        let (mut rank, head) = (self.rank, self.head);
        let Some(seen) = self.look(cx.state, examples) else {
            if !is_running {
                let sentence = missing
                    .map_or("The few-shot prompt is read once, and every head's attention is summed.", |m| m.words());
                empty_state(ui, Icon::Crosshair, "Nothing to look into yet", sentence, None);
            }
            return;
        };
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            caption(ui, "How much of the attention of");
            ui.label(RichText::new(visible_text(&seen.token)).font(Type::Caption.mono()).color(theme.accent_text()));
            caption(ui, "goes to each part of the few-shot prompt.");
        });
        ui.add_space(space::S);
        let mut wanted = None;
        if ui.available_width() >= BESIDE {
            let height = ui.available_height();
            ui.horizontal_top(|ui| {
                let right = (ui.available_width() * 0.38).clamp(220.0, 340.0);
                let left = ui.available_width() - right - space::XL;
                let down = egui::Layout::top_down(egui::Align::Min);
                ui.allocate_ui_with_layout(egui::vec2(left, height), down, |ui| {
                    parts::show(ui, &desk.setup, side, &seen.sums);
                });
                ui.add_space(space::L);
                ui.allocate_ui_with_layout(egui::vec2(right, height), down, |ui| {
                    wanted = heads::show(ui, &mut rank, head, &seen.scores);
                });
            });
        } else {
            let height = (ui.available_height() * 0.55).max(120.0);
            ui.allocate_ui(egui::vec2(ui.available_width(), height), |ui| {
                parts::show(ui, &desk.setup, side, &seen.sums);
            });
            wanted = heads::show(ui, &mut rank, head, &seen.scores);
        }
        self.rank = rank;
        match wanted {
            Some(heads::Wanted::Look(head)) => self.head = head,
            Some(heads::Wanted::Show(layer, head)) => {
                (cx.selection.layer, cx.selection.head) = (layer, head);
                if let Some(job) = self.reading.job() {
                    cx.intend(Intent::Inspect(job));
                }
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_stands_behind_the_token_that_predicts_it() {
        use PromptPart::{Added, Answer, Query, Template};
        let parts = [Added, Query, Template, Answer, Answer];
        assert_eq!((position(&parts, From::Prompt), position(&parts, From::Answer)), (Some(2), Some(3)));
        assert_eq!((position(&parts[..3], From::Prompt), position(&[], From::Prompt)), (Some(2), None));
    }
}
