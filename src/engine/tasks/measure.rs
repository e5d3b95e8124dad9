//! Measures what bounds the speed of a generation.

use super::{Step, Task, TaskContext};
use crate::engine::Outcome;
use crate::nn::read_bandwidth;
use crate::types::{MemoryTraffic, ModelId, UserError};

/// Counts what a token of a causal model reads from memory, and measures how fast the device reads. One step.
pub(crate) struct MeasureMemory {
    model: ModelId,
}

impl MeasureMemory {
    /// To measure for `model`.
    pub(crate) fn new(model: ModelId) -> Self {
        Self { model }
    }
}

impl Task for MeasureMemory {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.text(self.model)?;
        Ok(Step::Done(Outcome::MemoryMeasured(MemoryTraffic {
            weight_bytes: model.lm.weight_bytes_per_token(),
            cache_bytes_per_position: model.config.cache_bytes_per_position(),
            bytes_per_s: read_bandwidth(cx.device),
        })))
    }
}
