//! The prompt panel while a model is in use that reads a text at once: masked words are filled in, texts are compared by their
//! vectors, or a text is put into a class.

mod classify;
mod compare;
mod controls;
mod fill;

use crate::engine::{FillSpec, Work};
use crate::types::{Ability, ClassifierInfo, EmbeddingReport, EncoderInfo, JobId, ModelId};
use crate::ui::theme::space;
use crate::ui::widgets::{Stamp, caption, job_error, job_progress};
use crate::ui::{Ask, Cx, OpenModel, State};
use egui::{Frame, Margin, Ui};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Candidates asked for at each mask.
const CANDIDATES: usize = 8;

/// What is done with a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Guess masked words.
    #[default]
    Fill,
    /// Compare texts by their vectors.
    Compare,
    /// Put a text into a class.
    Classify,
}

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    mode: Mode,
    /// A text with masks, written as `[MASK]` whatever the model's own spelling.
    masked: String,
    /// Texts to compare, one a line.
    lines: String,
    /// A text to classify.
    classified: String,
}

/// The spelling in which masks are kept; every model reads its own.
const MASK: &str = "[MASK]";

impl Default for Typed {
    fn default() -> Self {
        Self {
            mode: Mode::Fill,
            masked: format!("The sky is {MASK}."),
            lines:
                "A cat sits on the mat.\nA kitten rests on a rug.\nThe river bank is steep.\nThe bank lends money.\n\
                    Stocks fell sharply today."
                    .to_owned(),
            classified: "A charming film, well acted and never dull.".to_owned(),
        }
    }
}

/// The view.
#[derive(Default)]
pub(super) struct EncoderView {
    pub typed: Typed,
    /// What was asked last in each mode, and of which model.
    filling: Ask<(ModelId, String)>,
    comparing: Ask<(ModelId, Vec<String>)>,
    classifying: Ask<(ModelId, String)>,
    /// The text whose neighbours are told, by its place.
    selected: Option<usize>,
    hovered: Option<(usize, usize)>,
    /// What is done, as of the last frame.
    mode: Mode,
    /// The similarities of a job's texts, computed once.
    similarities: Option<(JobId, Rc<Vec<Vec<f32>>>)>,
}

impl EncoderView {
    /// The encoder or classifier in use, while the panel is to work with it.
    pub fn model(state: &State) -> Option<&OpenModel> {
        state
            .active(Ability::Prompt)
            .filter(|model| [Ability::Embed, Ability::ClassifyTexts].into_iter().any(|ability| model.info.can(ability)))
    }

    fn facts(state: &State) -> Option<&EncoderInfo> {
        Self::model(state)?.info.shape.encoder()
    }

    fn classes(state: &State) -> Option<&ClassifierInfo> {
        Self::model(state)?.info.shape.classifier()
    }

    /// What is done now: without a head there is nothing to fill, and a classifier does one thing only.
    fn mode(&self, state: &State) -> Mode {
        if Self::classes(state).is_some() {
            return Mode::Classify;
        }
        let can_fill = Self::facts(state).is_some_and(|facts| facts.mask.is_some());
        if can_fill && self.typed.mode == Mode::Fill { Mode::Fill } else { Mode::Compare }
    }

    /// The masked text in the model's own spelling.
    fn masked(&self, state: &State) -> String {
        let mask = Self::facts(state).and_then(|facts| facts.mask.as_deref()).unwrap_or(MASK);
        self.typed.masked.replace(MASK, mask)
    }

    fn lines(&self) -> Vec<String> {
        self.typed.lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Why there is nothing to run, if so.
    fn missing(&self, state: &State) -> Option<String> {
        match self.mode(state) {
            Mode::Fill => {
                let mask = Self::facts(state)?.mask.as_deref()?;
                let holds_one = self.masked(state).contains(mask);
                (!holds_one).then(|| format!("Write {mask} where a word is to be guessed."))
            }
            Mode::Compare => self.lines().is_empty().then(|| "Write at least one line.".to_owned()),
            Mode::Classify => self.typed.classified.trim().is_empty().then(|| "Write a text first.".to_owned()),
        }
    }

    pub fn run(&mut self, cx: &mut Cx<'_>) {
        let Some(model) = Self::model(cx.state).map(|m| m.info.id) else { return };
        if let Some(words) = self.missing(cx.state) {
            cx.toast(words);
            return;
        }
        match self.mode(cx.state) {
            Mode::Fill => {
                let text = self.masked(cx.state);
                cx.selection.text = Some((model, text.clone()));
                self.filling.ask((model, text), cx, |(model, text)| {
                    (*model, Work::Fill(FillSpec { text: text.clone(), top: CANDIDATES }))
                });
            }
            Mode::Compare => {
                let texts = self.lines();
                cx.selection.text = texts.first().map(|text| (model, text.clone()));
                self.comparing.ask((model, texts), cx, |(model, texts)| (*model, Work::Embed(texts.clone())));
                self.selected = None;
            }
            Mode::Classify => {
                let text = self.typed.classified.clone();
                cx.selection.text = Some((model, text.clone()));
                self.classifying
                    .ask((model, text), cx, |(model, text)| (*model, Work::ClassifyTexts(vec![text.clone()])));
            }
        }
    }

    /// The job on show, if it belongs to the model in use.
    pub fn job(&self, state: &State) -> Option<JobId> {
        let (asked, job) = match self.mode(state) {
            Mode::Fill => (self.filling.question()?.0, self.filling.job()),
            Mode::Compare => (self.comparing.question()?.0, self.comparing.job()),
            Mode::Classify => (self.classifying.question()?.0, self.classifying.job()),
        };
        job.filter(|_| Self::model(state).is_some_and(|model| model.info.id == asked))
    }

    /// With what the answer on show was made.
    fn stamp(&self, state: &State) -> Option<Stamp> {
        let (is_retyped, pooling) = match self.mode(state) {
            Mode::Fill => (self.filling.question()?.1 != self.masked(state), None),
            Mode::Compare => {
                let pooling = Self::facts(state)?.pooling.to_string();
                (self.comparing.question()?.1 != self.lines(), Some(pooling))
            }
            Mode::Classify => (self.classifying.question()?.1 != self.typed.classified, None),
        };
        let stamp = Stamp::of(state, self.job(state)?)?.old_where(is_retyped, "The text was changed since.");
        Some(match pooling {
            Some(words) => stamp.with(words),
            None => stamp,
        })
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.filling.shows(shown);
        self.comparing.shows(shown);
        self.classifying.shows(shown);
    }

    /// The similarities of the texts on show.
    fn similarities(&mut self, state: &State) -> Option<Rc<Vec<Vec<f32>>>> {
        let job = self.job(state)?;
        match &self.similarities {
            Some((of, similarities)) if *of == job => Some(similarities.clone()),
            _ => {
                let similarities = Rc::new(state.report::<EmbeddingReport>(job)?.similarities());
                self.similarities = Some((job, similarities.clone()));
                Some(similarities)
            }
        }
    }

    fn running(&self, state: &State) -> Option<JobId> {
        self.job(state).filter(|job| state.is_active(*job))
    }

    pub fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        controls::show(self, ui, cx);
    }

    pub fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        controls::footer(self, ui, cx);
    }

    pub fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        Frame::new().inner_margin(Margin::symmetric(space::XL as i8, space::L as i8)).show(ui, |ui| {
            let opening = cx.state.latest_opening().map(|j| j.id);
            for job in [opening, self.job(cx.state)].into_iter().flatten() {
                if !job_error(ui, cx, job) && cx.state.is_active(job) {
                    job_progress(ui, cx, job);
                    ui.add_space(space::S);
                }
            }
            self.mode = self.mode(cx.state);
            match self.mode {
                Mode::Fill => fill::show(self, ui, cx),
                Mode::Compare => compare::show(self, ui, cx),
                Mode::Classify => classify::show(self, ui, cx),
            }
        });
    }

    /// Of the mode of the last frame.
    pub fn inspector_title(&self) -> &'static str {
        match self.mode {
            Mode::Fill => "How it guesses",
            Mode::Compare => "Alike",
            Mode::Classify => "How it decides",
        }
    }

    pub fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        match self.mode(cx.state) {
            Mode::Fill => {
                ui.add_space(space::S);
                let words = "Each mask is guessed on its own, with every other mask still in the text: the guesses of \
                             several masks need not fit together.";
                caption(ui, words);
            }
            Mode::Compare => compare::neighbours(self, ui, cx),
            Mode::Classify => classify::inspector(ui, cx),
        }
    }
}
