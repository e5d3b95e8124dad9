//! What the training loop asks of the thing it trains.

use crate::engine::tasks::{ModelStore, TaskContext};
use crate::types::{ModelId, TrainSpec, UserError};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use std::path::Path;

/// A network and the data it learns from. Everything random is drawn from the spec's seed and the step, so that a lesson
/// keeps no state a checkpoint would have to save.
pub(super) trait Lesson {
    /// The network.
    type Net: Module + 'static;

    /// Decay of AdamW's second moment.
    fn beta_2(&self) -> f32;

    /// Reads data and makes the model ready, a stretch at a time; true once the model is in the store under `model`.
    /// `checkpoint` is the folder of the run that is resumed.
    fn prepare(
        &mut self,
        spec: &TrainSpec,
        model: ModelId,
        checkpoint: Option<&Path>,
        cx: &mut TaskContext<'_>,
    ) -> Result<bool, UserError>;

    /// The network in the store.
    fn net(&self, models: &ModelStore, model: ModelId) -> Result<Self::Net, UserError>;

    /// Puts a network without autodiff into the store.
    fn put(&self, models: &mut ModelStore, model: ModelId, net: Self::Net) -> Result<(), UserError>;

    /// Mean loss `[1]` of the batch of `step`, counted from 1; `device` carries autodiff.
    fn loss(&mut self, spec: &TrainSpec, net: &Self::Net, step: usize, device: &Device) -> Tensor<1>;

    /// Tokens of the batch whose loss was asked for last; none where it learns no tokens.
    fn tokens(&self) -> &[u32] {
        &[]
    }

    /// Learning rate of token embeddings at a step, counted from 1, in proportion to that of other weights.
    fn embedding_rate(&self, spec: &TrainSpec, _step: usize) -> f64 {
        spec.embedding_rate
    }

    /// Tokens or images in one batch.
    fn examples_per_step(&self, spec: &TrainSpec) -> u64;

    /// Number of slices a validation is cut into; 0 when nothing is held out.
    fn validation_slices(&self) -> usize;

    /// Measures one slice of the held-out data.
    fn validate(&self, net: &Self::Net, slice: usize, device: &Device) -> Score;

    /// Writes the next piece of a sample, shown after each validation.
    fn sample(&mut self, net: &Self::Net, device: &Device) -> SampleStep;

    /// Writes files beside the finished model that say how it was trained.
    fn write_beside(&self, _out: &Path) -> Result<(), UserError> {
        Ok(())
    }

    /// Adds to a checkpoint what cannot be made again from spec and data.
    fn write_extra(&self, folder: &Path) -> Result<(), UserError>;
}

/// A measurement that can be added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::engine::tasks) struct Score {
    /// Sum of cross-entropies in nats.
    pub loss: f64,
    /// Tokens or images measured.
    pub count: usize,
    /// How many answers were right, and of how many, where that is asked.
    pub correct: Option<(usize, usize)>,
}

impl Score {
    /// Both measurements together.
    pub(super) fn plus(self, other: Self) -> Self {
        let correct = match (self.correct, other.correct) {
            (None, None) => None,
            (a, b) => {
                let ((right_a, of_a), (right_b, of_b)) = (a.unwrap_or_default(), b.unwrap_or_default());
                Some((right_a + right_b, of_a + of_b))
            }
        };
        Self { loss: self.loss + other.loss, count: self.count + other.count, correct }
    }

    /// Mean cross-entropy.
    pub(super) fn mean_loss(&self) -> f64 {
        self.loss / self.count as f64
    }

    /// Share of right answers.
    pub(super) fn accuracy(&self) -> Option<f64> {
        self.correct.map(|(right, of)| right as f64 / of as f64)
    }
}

/// How far a sample is.
pub(super) enum SampleStep {
    /// This kind of network writes none.
    None,
    /// There is more to come.
    More,
    /// The whole text.
    Done(String),
}
