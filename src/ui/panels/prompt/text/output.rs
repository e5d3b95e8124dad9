//! What was generated: every token with how likely it was.

use super::Wish;
use super::beside::{self, Other};
use super::differences::Differences;
use super::past::Past;
use crate::types::{Ability, FewShotPrompt, GeneratedToken, JobId, PromptToken, StopReason};
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Theme, Type, mix, space};
use crate::ui::widgets::{self, Chip, Distribution, caption, token_bars, token_strip, visible_text};
use crate::ui::{Cx, Job, Run, State};
use egui::{Color32, Frame, RichText, ScrollArea, Ui};
use std::rc::Rc;

/// Bytes of what is taken for an answer; what is longer is a text, and is read as one.
const LONGEST_ANSWER: usize = 100;
/// Probability at which the colour is at its strongest.
const FLOOR: f32 = 0.001;

/// The output on show: tokens kept from an earlier run, then those of the job.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub job: JobId,
    /// The prompt's tokens as they were before anything was generated; empty until the first run told them.
    pub prompt: Vec<PromptToken>,
    /// Tokens kept when the person went on from an alternative, that alternative last.
    pub kept: Vec<GeneratedToken>,
    /// The text that was to be continued.
    pub text: Rc<str>,
    /// What was typed for it; `None` in a chat.
    pub typed: Option<Rc<FewShotPrompt>>,
    /// The same with edits or by another model, beside it.
    pub other: Option<Other>,
}

impl Shown {
    /// All generated tokens on show.
    pub fn tokens<'a>(&'a self, state: &'a State) -> impl ExactSizeIterator<Item = &'a GeneratedToken> + Clone {
        self.tokens_of(self.job, state)
    }

    /// The same of another job that went on from the same tokens.
    pub fn tokens_of<'a>(
        &'a self,
        job: JobId,
        state: &'a State,
    ) -> impl ExactSizeIterator<Item = &'a GeneratedToken> + Clone {
        let new = state.run(job).map_or(&[][..], |r| &r.tokens);
        let count = self.kept.len();
        (0..count + new.len()).map(move |i| if i < count { &self.kept[i] } else { &new[i - count] })
    }

    pub fn token<'a>(&'a self, state: &'a State, index: usize) -> Option<&'a GeneratedToken> {
        match index.checked_sub(self.kept.len()) {
            None => self.kept.get(index),
            Some(new) => state.run(self.job)?.tokens.get(new),
        }
    }

    /// The prompt's tokens, as the first run of this output told them.
    pub fn prompt<'a>(&'a self, state: &'a State) -> &'a [PromptToken] {
        if self.kept.is_empty() { state.run(self.job).map_or(&[], |r| &r.prompt) } else { &self.prompt }
    }
}

/// What was generated in one mode, and what is picked out of it.
#[derive(Default)]
pub(super) struct Output {
    pub shown: Option<Shown>,
    /// The runs of before, that on show among them.
    pub past: Past,
    /// Generated token the person clicked.
    pub selected: Option<usize>,
    /// Generated token under the pointer, as of the last frame.
    pub hovered: Option<usize>,
    /// How what was written with edits differs.
    pub differences: Differences,
}

impl Output {
    /// All its jobs that are under way.
    pub fn under_way<'a>(&'a self, state: &'a State) -> impl Iterator<Item = JobId> + 'a {
        self.shown.iter().flat_map(beside::jobs).filter(|job| state.is_active(*job))
    }

    /// Shows a run that has just begun.
    pub fn begin(&mut self, shown: Shown) {
        self.past.push(shown.clone());
        self.shown = Some(shown);
    }

    /// Shows a run of before. Does nothing where it is no longer kept.
    pub fn look_at(&mut self, job: JobId) {
        if let Some(run) = self.past.find(job)
            && self.shown.as_ref().is_none_or(|shown| shown.job != job)
        {
            self.shown = Some(run.clone());
            (self.selected, self.hovered) = (None, None);
        }
    }

    /// The generated token to tell about: under the pointer, else the clicked one.
    pub fn focus(&self) -> Option<usize> {
        self.hovered.or(self.selected)
    }
}

/// Errors of the view's jobs, beside them.
pub(super) fn problems(output: &Output, ui: &mut Ui, cx: &mut Cx<'_>) {
    if let Some(job) = cx.state.opening().map(|j| j.id) {
        widgets::job_progress(ui, cx, job);
        ui.add_space(space::S);
    }
    let no_model = cx.state.active(Ability::Continue).is_none();
    let opening = cx.state.latest_opening();
    let is_opening = opening.is_some_and(Job::is_active);
    let opening = opening.map(|job| job.id);
    let mut has_failed = false;
    for job in [opening, output.shown.as_ref().map(|shown| shown.job)].into_iter().flatten() {
        has_failed |= widgets::job_error(ui, cx, job);
    }
    if no_model && !is_opening && !has_failed {
        caption(ui, "No text model is open. Choose one in the top bar, or drop a model folder on the window.");
        ui.add_space(space::S);
    }
}

pub(super) fn card(theme: &Theme) -> Frame {
    Frame::new()
        .fill(theme.surface())
        .stroke(egui::Stroke::new(1.0, theme.grid()))
        .corner_radius(RADIUS)
        .inner_margin(space::M)
}

/// What the model answers to a query behind examples, as one reads it.
pub(super) fn answer(shown: &Shown, ui: &mut Ui, cx: &Cx<'_>) {
    let has_examples = shown.typed.as_ref().is_some_and(|typed| typed.shots.iter().any(|shot| shot.on));
    let text: String = shown.tokens(cx.state).map(|token| token.text.as_str()).collect();
    let text = text.trim();
    if !has_examples || text.is_empty() || text.len() > LONGEST_ANSWER {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        caption(ui, "Answer");
        let words = RichText::new(text).font(Type::Strong.bold()).color(ui.theme().body());
        ui.add(egui::Label::new(words).wrap().selectable(true));
    });
    ui.add_space(space::XS);
}

/// The generated tokens. Gives what the person wants to go on from.
pub(super) fn strip(output: &mut Output, ui: &mut Ui, cx: &mut Cx<'_>, height: f32) -> Option<Wish> {
    let shown = output.shown.clone()?;
    let theme = ui.theme();
    let state = cx.state;
    let tokens: Vec<&GeneratedToken> = shown.tokens(state).collect();
    if tokens.is_empty() {
        if state.is_active(shown.job) {
            caption(ui, "Reading the prompt…");
        } else if state.error(shown.job).is_none() {
            caption(ui, "Nothing was generated.");
        }
        return None;
    }
    let (paper, branch) = (theme.surface(), shown.kept.len().checked_sub(1));
    let end = state.run(shown.job).and_then(end_token);
    let (mut chosen, mut told) = (None, None);
    let strip = ScrollArea::vertical()
        .id_salt("output strip")
        .max_height((height - 2.0 * space::M).max(80.0))
        .auto_shrink(false)
        .stick_to_bottom(true)
        .show(ui, |ui| {
            let name = |i: usize| if tokens[i].name().is_empty() { "∅" } else { tokens[i].name() };
            let chip = |i: usize| Chip {
                text: end.filter(|_| i + 1 == tokens.len()).unwrap_or(name(i)),
                fill: probability_fill(theme, tokens[i].logprob.exp(), paper),
                selected: output.selected == Some(i),
                underline: (branch == Some(i)).then(|| theme.accent()),
            };
            token_strip(ui, "Output tokens", tokens.len(), chip, |ui, i| {
                ui.set_width(300.0);
                let token = tokens[i];
                let name = visible_text(token.name());
                ui.label(RichText::new(name).font(Type::Strong.mono()).color(theme.body()));
                if let Some(place) = token_bars(ui, token, Distribution::Model, true) {
                    chosen = Some((i, place));
                }
                caption(ui, "Click an alternative to go on from it.");
                told = Some(i);
            })
        })
        .inner;
    // While the pointer is on the alternatives of a token, that token is meant.
    output.hovered = strip.hovered.or(told);
    if let Some(index) = strip.clicked {
        output.selected =
            if output.selected == Some(index) && strip.hovered == Some(index) { None } else { Some(index) };
        cx.selection.token = output.selected.map(|i| shown.prompt(state).len() + i);
    }
    cx.selection.words =
        output.focus().and_then(|i| tokens.get(i).map(|t| (i, t))).map_or_else(String::new, |(i, t)| {
            format!("token {i} · {:?} · {}", t.name(), widgets::percent(t.logprob.exp()))
        });
    chosen.map(|(index, alternative)| Wish::Branch(index, alternative))
}

/// Time to first token, speed, count and stop reason, in the direction of the layout.
pub(super) fn figures(ui: &mut Ui, cx: &Cx<'_>, shown: &Shown) {
    figures_of(ui, cx, shown.job);
}

/// The same of one job.
pub(super) fn figures_of(ui: &mut Ui, cx: &Cx<'_>, job: JobId) {
    let theme = ui.theme();
    let Some(run) = cx.state.run(job) else { return };
    let mut items = vec![(format!("{} new", run.tokens.len()), "Tokens generated in this run.")];
    if run.tokens_per_s() > 0.0 {
        let words = format!("{} tok/s", widgets::significant(run.tokens_per_s()));
        items.push((words, "Tokens a second, after the first one."));
    }
    if let Some(stats) = &run.stats {
        items.push((format!("{:.0} ms to first token", stats.ttft_ms), "Time from the request to the first token."));
        let why = end_token(run).map_or_else(|| stats.stop.to_string(), |end| format!("ended with {end}"));
        items.push((why, "Why the generation ended."));
    }
    if ui.layout().prefer_right_to_left() {
        items.reverse();
    }
    for (place, (words, help)) in items.iter().enumerate() {
        if place > 0 {
            ui.label(RichText::new("·").font(Type::Caption.mono()).color(theme.neutral(6)));
        }
        ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.caption())).on_hover_text(*help);
    }
}

/// The token a run ended with by itself, by its name: it stands for no text.
fn end_token(run: &Run) -> Option<&str> {
    let stats = run.stats.as_ref()?;
    let last = run.tokens.last().filter(|_| stats.stop == StopReason::EndOfSequence)?;
    last.top.iter().find(|candidate| candidate.id == last.id).map(|candidate| candidate.text.as_str())
}

pub(super) fn probability_legend(ui: &mut Ui) {
    let theme = ui.theme();
    ui.horizontal(|ui| {
        widgets::explain(
            ui,
            "Probability",
            "How likely the model held each token, at temperature 1. Colour grows with −log p, the surprise.",
        );
        let marks = [1.0f32, 0.1, 0.01, 0.001];
        let marks =
            marks.map(|p| (surprise(p), if p >= 0.01 { format!("{:.0} %", p * 100.0) } else { "0.1 %".into() }));
        let paper = theme.surface();
        widgets::legend(ui, 220.0, |share| surprise_fill(theme, share, paper), &marks);
    });
}

/// −log p as a share of the strongest surprise shown.
fn surprise(probability: f32) -> f32 {
    (probability.max(FLOOR).ln() / FLOOR.ln()).clamp(0.0, 1.0)
}

fn surprise_fill(theme: &Theme, share: f32, paper: Color32) -> Color32 {
    mix(paper, theme.category(1), share * 0.55)
}

pub(super) fn probability_fill(theme: &Theme, probability: f32, paper: Color32) -> Color32 {
    surprise_fill(theme, surprise(probability), paper)
}
