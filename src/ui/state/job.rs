//! One piece of work, as the window sees it.

use super::Made;
use super::live::Live;
use crate::engine::{Outcome, Turn, Work, WorkFacts};
use crate::types::{JobId, ModelId, UserError};
use std::sync::Arc;

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
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// On which model.
    pub model: Option<ModelId>,
    /// What was asked.
    pub work: Arc<Work>,
    /// Where it stands.
    pub phase: Phase,
    /// How far it is, once it has said so.
    pub progress: Option<Progress>,
    /// What it has brought on its way.
    pub live: Live,
    /// What it has so far of what it ends with, where it says so.
    pub so_far: Option<Outcome>,
    /// What it ended with.
    pub outcome: Option<Outcome>,
    /// True once it was asked to stop.
    pub stopping: bool,
    /// True once the person has put its error away.
    pub is_dismissed: bool,
    /// Why it is held, where an error holds it.
    pub trouble: Option<UserError>,
    /// When it was given to the engine, in seconds since the app started.
    pub started_s: f64,
    /// With which model, as that was then.
    pub made: Option<Made>,
    /// When it ended.
    pub ended_s: Option<f64>,
}

impl Job {
    pub(super) fn new(id: JobId, model: Option<ModelId>, work: Arc<Work>, now_s: f64) -> Self {
        Self {
            id,
            model,
            live: Live::of(id, model, &work),
            work,
            phase: Phase::Waiting,
            progress: None,
            so_far: None,
            outcome: None,
            stopping: false,
            is_dismissed: false,
            trouble: None,
            started_s: now_s,
            made: None,
            ended_s: None,
        }
    }

    /// What is known of its kind.
    #[must_use]
    pub fn facts(&self) -> WorkFacts {
        self.work.facts()
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

    /// True for what follows every stroke and every letter: too short to be shown or stopped.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.facts().latest_wins || self.facts().turn == Turn::Aside
    }

    /// What it does, as a present participle.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self.phase {
            Phase::Paused => "paused",
            _ if self.stopping => "stopping",
            // Data is read and a model opened first; how far that is says nothing of the training.
            _ if matches!(&self.live, Live::Training(training) if training.points.is_empty()) => "preparing",
            _ => self.facts().doing,
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
