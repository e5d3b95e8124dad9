//! What is known of a run besides its curve: written beside it as `run.json`, so that it is there after the program has ended.

use crate::types::{TrainSpec, TrainSummary, TrainTask};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A run, in one file of its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// All its settings.
    pub spec: TrainSpec,
    /// When it began, in seconds since 1970.
    pub begun_s: u64,
    /// The program's version.
    pub version: String,
    /// The model whose weights it began with; none for random weights.
    pub start: Option<RunStart>,
    /// Weights of the network, tied ones counted once.
    pub parameters: u64,
    /// SHA-256 of the tokenizer, for text: what a token is decides what a loss means.
    pub tokenizer: Option<String>,
    /// How far it came.
    pub state: RunState,
    /// How it ended, once it has.
    pub summary: Option<TrainSummary>,
}

/// The model a run goes on from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStart {
    /// Its name.
    pub name: String,
    /// The folder it was opened from.
    pub path: PathBuf,
    /// The folder that holds the weights the run began with: the same, or a copy beside the run where no file held them.
    pub weights: PathBuf,
    /// SHA-256 of the weight files, where they are those of the model's own folder.
    pub sha256: Option<String>,
    /// Optimiser steps that the weights were away from the model's own folder.
    pub trained_steps: u64,
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It was begun. Where nobody trains it any more, the program was ended.
    Running,
    /// It was stopped, and can go on.
    Stopped,
    /// All steps were done.
    Done,
    /// Its loss became no number.
    Diverged,
}

/// What two runs must have in common for their losses to stand on one axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossKind {
    /// Nats an image, of ten classes.
    Digits,
    /// Nats a text, of the classes of this data.
    Classes(PathBuf),
    /// Nats a token of this tokenizer.
    Tokens(String),
    /// Nats a blank that stands for a token of this tokenizer.
    Blanks(String),
    /// Nats a text whose partner is told from so many.
    Pairs(usize),
}

impl RunRecord {
    /// Additions and multiplications a step: six for each weight and token, two forwards and four backwards (Kaplan et al. 2020). Not
    /// of networks that read images: a weight of a convolution is used many times for each.
    #[must_use]
    pub fn operations_per_step(&self) -> Option<f64> {
        self.spec.context()?;
        Some(6.0 * self.parameters as f64 * self.spec.examples_per_step() as f64)
    }

    /// What its losses are losses of.
    #[must_use]
    pub fn loss_kind(&self) -> LossKind {
        match &self.spec.task {
            TrainTask::Digits(_) => LossKind::Digits,
            TrainTask::Classify(task) => LossKind::Classes(task.data.clone()),
            TrainTask::Text(_) | TrainTask::FewShot(_) | TrainTask::Memory(_) => {
                LossKind::Tokens(self.tokenizer.clone().unwrap_or_default())
            }
            TrainTask::Masked(_) => LossKind::Blanks(self.tokenizer.clone().unwrap_or_default()),
            TrainTask::Contrastive(_) => LossKind::Pairs(self.spec.batch_size),
        }
    }
}

/// A run as it lies on the disk.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRun {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says of itself.
    pub record: RunRecord,
    /// The step it can go on from, where it has a checkpoint.
    pub checkpoint: Option<usize>,
    /// True when its folder holds a model, or an adapter for the one it began with.
    pub has_model: bool,
    /// True while a program trains it.
    pub is_held: bool,
    /// Bytes its files take.
    pub bytes: u64,
}

impl KeptRun {
    /// Whether it was begun and has not come to its end, so that it can be taken up again.
    #[must_use]
    pub fn can_go_on(&self) -> bool {
        !self.is_held && matches!(self.record.state, RunState::Running | RunState::Stopped)
    }
}

/// What a model in training wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSample {
    /// After which step.
    pub step: usize,
    /// What it went on from.
    pub prompt: String,
    /// Of its draws.
    pub seed: u64,
    /// The prompt and what followed.
    pub text: String,
}

/// What a run costs, measured on two steps that are thrown away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingCost {
    /// Seconds of one step.
    pub step_s: f64,
    /// Seconds of one validation.
    pub validation_s: f64,
    /// Memory it takes besides what is taken already, in bytes, where the platform tells.
    pub memory_bytes: Option<u64>,
    /// Weights that learn.
    pub parameters: u64,
}

impl TrainingCost {
    /// Seconds of the whole run.
    #[must_use]
    pub fn seconds(&self, spec: &TrainSpec) -> f64 {
        let validations = if spec.validation_share > 0.0 { spec.steps.div_ceil(spec.eval_every.max(1)) } else { 0 };
        // A snapshot is measured on the same data.
        let snapshots = spec.snapshots.as_ref().map_or(0, |snapshots| snapshots.count(spec.steps));
        self.step_s * spec.steps as f64 + self.validation_s * (validations + snapshots) as f64
    }
}

/// Bytes that a run with so many weights takes on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunBytes {
    /// One checkpoint: weights, best weights, and two moments of each. There are two for the moment in which the newer one takes
    /// the older one's place.
    pub checkpoint: u64,
    /// What is left when the run has ended.
    pub result: u64,
    /// All snapshots, which are left as well.
    pub snapshots: u64,
}

impl RunBytes {
    /// Of a run in which so many weights learn.
    #[must_use]
    pub fn of(parameters: u64, spec: &TrainSpec) -> Self {
        let result = 4 * parameters;
        let count = spec.snapshots.as_ref().map_or(0, |snapshots| snapshots.count(spec.steps));
        Self { checkpoint: 16 * parameters, result, snapshots: count as u64 * result }
    }

    /// The most that is there at once, and what is left.
    #[must_use]
    pub fn most_and_left(&self) -> [u64; 2] {
        [2 * self.checkpoint + self.snapshots, self.result + self.snapshots]
    }
}
