//! The probe as a job of its own, asked for when somebody looks.

use crate::analysis::{Probe, Surroundings};
use crate::engine::{InspectSpec, PromptInput, Work};
use crate::types::{InspectReport, JobId, ModelId, SiteFilter, TokenizeReport};
use crate::ui::widgets::Stamp;
use crate::ui::{Answer, Ask, Cx, OpenModel, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a model was asked to read: which model, which of its weights, which tokens.
#[derive(Clone, PartialEq)]
struct Question {
    model: ModelId,
    version: u64,
    probe: Probe,
}

/// A reading of the probe. What the tokenizer puts around a text is asked first.
#[derive(Default)]
pub(super) struct ProbeReading {
    around: Ask<ModelId>,
    known: Option<(ModelId, Surroundings)>,
    reading: Ask<Question>,
    /// All jobs that read a probe.
    own: BTreeSet<JobId>,
    /// True when nothing can be said twice to the model.
    is_too_small: bool,
}

impl ProbeReading {
    /// Asks, and gives the answer to the newest question once it is there.
    pub fn follow(
        &mut self,
        model: &OpenModel,
        seed: u64,
        cx: &mut Cx<'_>,
    ) -> Option<(JobId, Arc<InspectReport>, Probe)> {
        let (id, version) = (model.info.id, model.weights_version);
        if self.known.as_ref().is_none_or(|(of, _)| *of != id) {
            // Any text will do: what stands for none of it is the tokenizer's own.
            self.around.follow(id, 0.0, cx, |model| (*model, Work::Tokenize(PromptInput::Text("a".to_owned()))));
            let Answer::New(report) = self.around.answer::<TokenizeReport>(cx.state) else { return None };
            self.known = Some((id, Surroundings::of(&report.tokens)));
        }
        let (_, around) = self.known.as_ref()?;
        let (vocabulary, context) = (model.info.shape.vocabulary()?, model.info.shape.context()?);
        let probe = Probe::new(vocabulary, context, around, seed);
        self.is_too_small = probe.is_none();
        let question = Question { model: id, version, probe: probe? };
        self.reading.follow(question, 0.0, cx, |question| {
            let prompt = PromptInput::Ids(question.probe.ids.clone());
            let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() };
            (question.model, Work::Inspect(spec))
        });
        self.own.extend(self.reading.job());
        let Answer::New(report) = self.reading.answer::<InspectReport>(cx.state) else { return None };
        Some((self.reading.job()?, report.clone(), self.reading.question()?.probe.clone()))
    }

    /// Why there is nothing to read, if so.
    pub fn missing(&self) -> Option<&'static str> {
        self.is_too_small.then_some("The context of this model has no room to say anything twice.")
    }

    /// The newest reading.
    pub fn job(&self) -> Option<JobId> {
        self.reading.job()
    }

    /// True once there is something to show.
    pub fn is_there(&self) -> bool {
        self.reading.job().is_some() && !self.is_too_small
    }

    /// True of a job that read a probe.
    pub fn is_own(&self, job: JobId) -> bool {
        self.own.contains(&job)
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.around.shows(shown);
        self.reading.shows(shown);
    }

    /// With what the newest reading was made.
    pub fn stamp(&self, state: &State) -> Option<Stamp> {
        let (job, probe) = (self.reading.job()?, &self.reading.question()?.probe);
        let behind = if probe.front == 0 { "" } else { " behind what the tokenizer puts in front" };
        let words = format!("2 × {} random tokens{behind}", probe.half);
        Some(Stamp::of(state, job)?.with(words).with(format!("seed {}", probe.seed)))
    }
}
