//! Reads labelled data and tells what it holds and how it is split.

use super::{Step, Task, TaskContext};
use crate::engine::Outcome;
use crate::load;
use crate::types::{LabelledReport, LabelledSource, UserError};
use std::sync::Arc;

/// Reads all files of a source in one step.
pub(crate) struct ReadLabelled {
    source: LabelledSource,
}

impl ReadLabelled {
    /// To read `source`.
    pub(crate) fn new(source: LabelledSource) -> Self {
        Self { source }
    }
}

impl Task for ReadLabelled {
    fn step(&mut self, _: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let (rows, data) = load::read_labelled(&self.source)?;
        Ok(Step::Done(Outcome::LabelledRead(Arc::new(LabelledReport::of(&rows, &data)))))
    }
}
