//! One piece of work, as the window sees it.

use crate::types::{JobId, ModelId, UserError};
use std::path::PathBuf;

/// What kind of work a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Reads a model folder.
    Open {
        /// The folder.
        path: PathBuf,
    },
    /// Streams tokens.
    Generate,
    /// Captures the inside of one forward pass.
    Inspect,
    /// Turns texts into vectors.
    Embed,
    /// Guesses masked tokens.
    Fill,
    /// Reads one digit.
    Classify,
    /// Tells what a picture shows.
    ClassifyPicture,
    /// Measures a model on data.
    Evaluate {
        /// The data.
        data: PathBuf,
    },
    /// Tells how likely some answers are.
    Score,
    /// Asks a table of queries.
    Batch,
    /// Measures accuracy against the number of examples.
    KShot,
    /// Reads a table of pairs.
    ReadTable {
        /// The file.
        path: PathBuf,
    },
    /// Computes the hash of a model's weights.
    Fingerprint,
    /// Trains.
    Train,
    /// Writes a model folder.
    Save {
        /// The folder.
        path: PathBuf,
    },
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Given to the engine, nothing heard yet.
    Waiting,
    /// At work.
    Running,
    /// Held between two steps.
    Paused,
    /// Ended well, or was stopped and ended with what it had.
    Done,
    /// Was stopped before it had anything to show.
    Cancelled,
    /// Ended with an error.
    Failed(UserError),
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub label: String,
    /// Done so far, in units.
    pub done: u64,
    /// Of so many; 0 when not known.
    pub total: u64,
    /// The unit, such as `bytes` or `steps`.
    pub unit: &'static str,
    /// Units a second, averaged since this label began; 0 until there is something to average.
    pub rate: f64,
    started_s: f64,
    started_at: u64,
}

impl Progress {
    /// Share done in `0..=1`; `None` when the total is not known.
    #[must_use]
    pub fn share(&self) -> Option<f32> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).clamp(0.0, 1.0) as f32)
    }

    /// Seconds left at the present rate; `None` when that cannot be told.
    #[must_use]
    pub fn left_s(&self) -> Option<f64> {
        (self.total > 0 && self.rate > 0.0).then(|| self.total.saturating_sub(self.done) as f64 / self.rate)
    }
}

/// One piece of work.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What kind of work.
    pub kind: JobKind,
    /// On which model.
    pub model: Option<ModelId>,
    /// Where it stands.
    pub phase: Phase,
    /// How far it is, once it has said so.
    pub progress: Option<Progress>,
    /// True once it was asked to stop.
    pub stopping: bool,
    /// When it was given to the engine, in seconds since the app started.
    pub started_s: f64,
    /// When it ended.
    pub ended_s: Option<f64>,
}

impl Job {
    pub(super) fn new(id: JobId, kind: JobKind, model: Option<ModelId>, now_s: f64) -> Self {
        Self {
            id,
            kind,
            model,
            phase: Phase::Waiting,
            progress: None,
            stopping: false,
            started_s: now_s,
            ended_s: None,
        }
    }

    /// True while it waits, runs or is paused.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Waiting | Phase::Running | Phase::Paused)
    }

    /// True while it is held.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.phase == Phase::Paused
    }

    /// What it does, as a present participle.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match (&self.kind, &self.phase) {
            (_, Phase::Paused) => "paused",
            (_, _) if self.stopping => "stopping",
            (JobKind::Open { .. }, _) => "opening",
            (JobKind::Generate, _) => "generating",
            (JobKind::Inspect, _) => "inspecting",
            (JobKind::Embed, _) => "embedding",
            (JobKind::Fill, _) => "filling",
            (JobKind::Classify | JobKind::ClassifyPicture, _) => "reading",
            (JobKind::Evaluate { .. }, _) => "evaluating",
            (JobKind::Score, _) => "scoring",
            (JobKind::Batch | JobKind::KShot, _) => "measuring",
            (JobKind::ReadTable { .. }, _) => "reading",
            (JobKind::Fingerprint, _) => "hashing",
            (JobKind::Train, _) => "training",
            (JobKind::Save { .. }, _) => "saving",
        }
    }

    pub(super) fn advance(&mut self, now_s: f64, label: String, done: u64, total: u64, unit: &'static str) {
        let (started_s, started_at) = match &self.progress {
            Some(p) if p.label == label && p.done <= done => (p.started_s, p.started_at),
            _ => (now_s, done),
        };
        let elapsed = now_s - started_s;
        let rate = if elapsed > 0.0 { (done - started_at) as f64 / elapsed } else { 0.0 };
        self.progress = Some(Progress { label, done, total, unit, rate, started_s, started_at });
    }
}
