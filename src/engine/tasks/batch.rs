//! Asks every query of a table with one prompt, a batch a step.

use super::answers::Asking;
use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::types::{BatchReport, BatchSpec, ModelId, UserError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Answers a table of queries.
pub(crate) struct Batch {
    model: ModelId,
    spec: BatchSpec,
    asking: Option<Asking>,
    elapsed: Duration,
}

impl Batch {
    /// To ask `model` what `spec` says.
    pub(crate) fn new(model: ModelId, spec: BatchSpec) -> Self {
        Self { model, spec, asking: None, elapsed: Duration::ZERO }
    }

    fn report(&mut self) -> Outcome {
        let cut = self.asking.as_ref().map_or(0, Asking::cut);
        let answers = self.asking.take().map(Asking::into_answers).unwrap_or_default();
        Outcome::Batched(Arc::new(BatchReport { answers, cut, elapsed_ms: self.elapsed.as_secs_f64() * 1e3 }))
    }
}

impl Task for Batch {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let begun = Instant::now();
        let model = cx.models.text(self.model)?;
        let is_done = match &mut self.asking {
            None => {
                self.asking = Some(Asking::new(model, std::mem::take(&mut self.spec))?);
                false
            }
            Some(asking) => asking.step(model)?,
        };
        self.elapsed += begun.elapsed();
        if is_done {
            return Ok(Step::Done(self.report()));
        }
        let (done, total) = self.asking.as_ref().map_or((0, 0), Asking::progress);
        (cx.emit)(Event::Progress { job: cx.job, label: "Asking".to_owned(), done, total, unit: "queries" });
        Ok(Step::More)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(self.report())
    }
}
