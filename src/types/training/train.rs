//! What to train, and what training reports.

use crate::types::training::train_written::WrittenSpec;
use crate::types::{
    ClassifyTask, ContrastiveTask, FewShotTask, LoraSpec, MaskedTask, MemoryTask, Nonlinearity, Precision,
    SnapshotSteps, TextShape, glob::glob_matches,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A complete, repeatable description of one training run. Read from TOML on the command line, filled in by the panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenSpec")]
pub struct TrainSpec {
    /// What is learned, from what.
    pub task: TrainTask,
    /// Where the weights come from.
    pub start: StartFrom,
    /// Where the result is written, if anywhere. The panel saves later, on request.
    pub out: Option<PathBuf>,
    /// Element type of the weights that are written: training keeps F32, half precision rounds at the end.
    pub precision: Precision,
    /// Peak learning rate of AdamW (Loshchilov and Hutter 2019).
    pub learning_rate: f64,
    /// Parameters that learn by rules of their own. The first group that names a parameter holds for it.
    pub groups: Vec<ParameterGroup>,
    /// Learns low-rank changes of some matrices in place of all weights, which stay as they are. What is written is an adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraSpec>,
    /// Learning rate over the steps.
    pub schedule: LrSchedule,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest gradient norm; 0 does not clip.
    pub clip_norm: f64,
    /// Sequences or images a batch.
    pub batch_size: usize,
    /// Batches whose gradients are added up before a step: what a step learns is that of so many batches together, in the memory
    /// of one.
    #[serde(skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Share of the data held out for validation, in `0..1`.
    pub validation_share: f64,
    /// Share of what is not held out that is learned from, above 0 and up to 1. The rest is not used, and what is held out stays the same, so
    /// that curves compare: with little of it a network learns its data by heart (overfitting).
    #[serde(skip_serializing_if = "is_whole")]
    pub learn_from: f64,
    /// Steps between validations.
    pub eval_every: usize,
    /// The run ends early when so many validations have passed since the best; 0 goes through all steps.
    #[serde(skip_serializing_if = "is_default")]
    pub patience: usize,
    /// Seed of initial weights, the split and the order of the data.
    pub seed: u64,
    /// What a text model goes on from after each validation; from the beginning of its text where there is none.
    #[serde(skip_serializing_if = "is_default")]
    pub sample_prompts: Vec<String>,
    /// Where the run keeps its weights as they are then, and notes what is inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<SnapshotSteps>,
}

impl TrainSpec {
    /// For data that is read and not learned from: nothing is held out of it.
    #[must_use]
    pub fn reading(task: TrainTask) -> Self {
        Self {
            task,
            start: StartFrom::OpenModel,
            out: None,
            precision: Precision::F32,
            learning_rate: 0.0,
            groups: Vec::new(),
            lora: None,
            schedule: LrSchedule::Constant,
            warmup_steps: 0,
            weight_decay: 0.0,
            clip_norm: 0.0,
            batch_size: 1,
            accumulate: 1,
            steps: 1,
            validation_share: 0.0,
            learn_from: 1.0,
            eval_every: 1,
            patience: 0,
            seed: 0,
            sample_prompts: Vec::new(),
            snapshots: None,
        }
    }

    /// Tokens of a sequence, where tokens are learned from.
    #[must_use]
    pub fn context(&self) -> Option<usize> {
        match &self.task {
            TrainTask::Text(task) => Some(task.context),
            TrainTask::FewShot(task) => Some(task.context),
            TrainTask::Memory(task) => Some(task.context),
            TrainTask::Masked(task) => Some(task.context),
            // Texts of a pair are as long as they are.
            TrainTask::Contrastive(_) | TrainTask::Digits(_) | TrainTask::Classify(_) => None,
        }
    }

    /// Tokens, texts or images that a step learns from.
    #[must_use]
    pub fn examples_per_step(&self) -> usize {
        self.batch_size * self.accumulate * self.context().unwrap_or(1)
    }
}

/// The lowest validation loss of a curve and its step.
#[must_use]
pub fn best_validation(points: &[TrainPoint]) -> Option<(usize, f64)> {
    let measured = points.iter().filter_map(|point| Some((point.step, point.validation_loss?)));
    measured.filter(|(_, loss)| loss.is_finite()).min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The first step of a curve whose loss was no number. One that was only validated has none.
#[must_use]
pub fn broken_step(points: &[TrainPoint]) -> Option<usize> {
    let is_broken = |point: &&TrainPoint| !point.loss.is_finite() && !point.is_validated();
    points.iter().find(is_broken).map(|point| point.step)
}

/// Rules that hold for some of a network's parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// Which: a path such as `token_embedding` or `blocks.0`, with all that lies below it; `*` stands for any characters.
    pub parameters: String,
    /// Learning rate in proportion to the run's. Slow embeddings leave less room for learning word by word what holds for all
    /// words.
    #[serde(default = "whole_rate", skip_serializing_if = "is_whole")]
    pub rate: f64,
    /// They stay as they are. No gradient of theirs is computed, and checkpoints leave them out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub frozen: bool,
    /// A row changes only in steps whose batch holds its token. AdamW makes a whole step of the small push down that every
    /// other token gives one that hardly ever comes, however small it is; so rare tokens would drift away.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seen_rows_only: bool,
    /// Values at the end of every row that stay as they were drawn. What tells tokens apart there is as good for a token that is
    /// rare in training as for a frequent one, so what copies it works for both.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fixed_columns: usize,
}

impl ParameterGroup {
    /// These parameters, by the rules of all others.
    #[must_use]
    pub fn of(parameters: &str) -> Self {
        Self { parameters: parameters.to_owned(), rate: 1.0, frozen: false, seen_rows_only: false, fixed_columns: 0 }
    }

    /// True when the group holds for the parameter with this path.
    #[must_use]
    pub fn holds_for(&self, path: &str) -> bool {
        let below = path.match_indices('.').map(|(end, _)| &path[..end]);
        below.chain([path]).any(|part| glob_matches(self.parameters.as_bytes(), part.as_bytes()))
    }
}

fn whole_rate() -> f64 {
    1.0
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

fn is_whole(rate: &f64) -> bool {
    *rate == 1.0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrainTask {
    /// Next-token prediction on text files.
    Text(TextTask),
    /// Next-token prediction on text and on few-shot documents.
    FewShot(FewShotTask),
    /// Ten-class classification of MNIST-format images.
    Digits(DigitTask),
    /// Classes of labelled texts.
    Classify(ClassifyTask),
    /// Saying again what stood some tokens before.
    Memory(MemoryTask),
    /// Blanks in text files, by an encoder.
    Masked(MaskedTask),
    /// Which texts belong together, by an encoder.
    Contrastive(ContrastiveTask),
}

/// Next-token prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextTask {
    /// UTF-8 text files, or folders searched for `.txt` files. Up to eight are validated each by itself, too.
    pub data: Vec<PathBuf>,
    /// Sequence length T in tokens.
    pub context: usize,
    /// The model to build; needed only from scratch.
    #[serde(default)]
    pub shape: Option<TextShape>,
}

/// Digit classification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigitTask {
    /// Folder with MNIST-format IDX files, plain or `.gz`. The training files are split into what is learned from and what is
    /// held out; test files are left alone, for measuring the finished network.
    pub data: PathBuf,
    /// Which network to build from scratch.
    pub network: DigitNetwork,
    /// Hidden layers of a perceptron that is built from scratch, where they are not the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<DigitLayers>,
    /// Shift, turn and scale the images a little at random, so that hand-drawn digits are read too.
    #[serde(default)]
    pub augment: bool,
}

/// Hidden layers of a perceptron that reads digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DigitLayers {
    /// Units of each, from input to output.
    pub hidden: Vec<usize>,
    /// What is applied to each value.
    pub activation: Nonlinearity,
    /// Share of each layer's values that are zeros while the network learns; below 1.
    pub dropout: f64,
    /// Layer normalisation before each activation.
    pub norm: bool,
    /// Layers behind the first add what they read; all have as many units.
    pub residual: bool,
}

impl Default for DigitLayers {
    fn default() -> Self {
        Self { hidden: vec![16, 16], activation: Nonlinearity::Relu, dropout: 0.0, norm: false, residual: false }
    }
}

/// The digit networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigitNetwork {
    /// Multilayer perceptron 784 → 16 → 16 → 10.
    #[default]
    Mlp,
    /// Small convolutional network.
    Cnn,
}

/// Where the weights come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum StartFrom {
    /// Random weights from the seed.
    #[default]
    Scratch,
    /// The weights of a model folder.
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The model named in the command that carries this spec.
    OpenModel,
}

/// Learning rate over the steps, after warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrSchedule {
    /// Stays at the peak.
    #[default]
    Constant,
    /// Falls along half a cosine to a tenth of the peak (to zero is worse for small runs: the last steps learn nothing).
    Cosine,
}

/// One point of the learning curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainPoint {
    /// Optimiser steps done, from 1.
    pub step: usize,
    /// Seconds since the run began, pauses not counted.
    pub elapsed_s: f64,
    /// Mean cross-entropy of the batch in nats.
    pub loss: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Mean cross-entropy on held-out data in nats, on steps that measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Share of held-out images or texts classified rightly, of blanks filled rightly, or of texts whose partner is the nearest, on steps
    /// that measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Length of the gradient of all weights that learn, before it is clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
    /// The same as [`Self::validation_loss`] of each data set by itself, where what is held out is of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_sets: Vec<SetLoss>,
}

impl TrainPoint {
    /// Whether something was measured on held-out data at this step.
    #[must_use]
    pub fn is_validated(&self) -> bool {
        self.validation_loss.is_some() || !self.validation_sets.is_empty()
    }
}

/// A loss on what is held out of one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetLoss {
    /// The data set's name.
    pub set: String,
    /// Mean cross-entropy in nats.
    pub loss: f64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSummary {
    /// Steps done.
    pub steps: usize,
    /// Seconds of training, pauses not counted.
    pub elapsed_s: f64,
    /// Best validation loss and its step; the model keeps those weights.
    pub best: Option<(usize, f64)>,
    /// True when a person ended it before all steps were done.
    pub stopped_early: bool,
    /// Validations that had passed since the best, where the run ended for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<usize>,
    /// Tokens or images seen.
    pub examples: u64,
    /// Where the result was written, if anywhere.
    pub saved_to: Option<PathBuf>,
}
