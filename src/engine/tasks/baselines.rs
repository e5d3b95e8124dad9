//! What counting alone reaches on a text, beside a model where there is one.

use super::{LoadedModel, Step, Task, TaskContext, wrong_kind};
use crate::engine::{Event, Outcome};
use crate::train::{CountBaselines, CountedFor, Progress};
use crate::types::{BaselinesSpec, ModelId, ModelKind, UserError};
use std::sync::Arc;

/// Counts a text.
pub(crate) struct Baselines {
    model: ModelId,
    counting: CountBaselines,
}

impl Baselines {
    /// To count a text for a model; where none is open under the id, vocabularies are learned.
    pub(crate) fn new(model: ModelId, spec: BaselinesSpec) -> Self {
        Self { model, counting: CountBaselines::new(spec) }
    }
}

impl Task for Baselines {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = match cx.models.get(self.model) {
            Some(LoadedModel::Text(model)) => CountedFor::Decoder(model),
            Some(LoadedModel::Encoder(model)) => CountedFor::Encoder(model),
            Some(other) => return Err(wrong_kind(other.info(), ModelKind::CausalLm)),
            None => CountedFor::Nothing,
        };
        let (job, emit) = (cx.job, &mut *cx.emit);
        let mut tell = |Progress { label, done, total, unit }| emit(Event::Progress { job, label, done, total, unit });
        let report = self.counting.step(model, cx.device, &mut tell)?;
        Ok(report.map_or(Step::More, |report| Step::Done(Outcome::Counted(Arc::new(report)))))
    }
}
