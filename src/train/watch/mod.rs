//! What a run was at steps of a person's choice: its weights then, in folders of their own, and a line for each step of what was measured
//! with them. Nothing of it changes what is learned, and a run that is taken up again has the same.
//!
//! The line is written last: a folder without one is of a program that was ended there, and is made anew.

mod files;
mod heads;
mod moved;
mod taking;

pub(in crate::train) use files::SnapshotLog;
pub(crate) use files::{read_snapshots, snapshot_folder, write_weights};
pub(in crate::train) use heads::HeadProbe;
pub(in crate::train) use taking::Taking;

use crate::types::{RunSnapshot, SnapshotSteps, TrainSpec, UserError};
use std::collections::BTreeSet;

/// Which snapshots a run has, and where it tells of them.
pub(super) struct Watch {
    steps: Option<SnapshotSteps>,
    taken: BTreeSet<usize>,
    log: Option<SnapshotLog>,
    /// Those of before the run was taken up again.
    pub kept: Vec<RunSnapshot>,
}

impl Watch {
    /// Of a run that begins, or goes on behind so many steps: what is later is taken away, since it will come again.
    ///
    /// # Errors
    /// When nothing can be written.
    pub(super) fn begin(spec: &TrainSpec, done: Option<usize>) -> Result<Self, UserError> {
        let mut watch = Self { steps: spec.snapshots.clone(), taken: BTreeSet::new(), log: None, kept: Vec::new() };
        if let Some(out) = &spec.out {
            let (log, kept) = SnapshotLog::begin(out, done, spec.snapshots.is_some())?;
            watch.taken = kept.iter().map(|snapshot| snapshot.step).collect();
            (watch.log, watch.kept) = (log, kept);
        }
        Ok(watch)
    }

    /// True where a snapshot is to be taken, and was not yet.
    pub(super) fn wants(&self, step: usize, is_last: bool) -> bool {
        self.steps.as_ref().is_some_and(|steps| steps.is_at(step, is_last)) && !self.taken.contains(&step)
    }

    /// Takes note of a snapshot. A line that cannot be written waits for [`Self::flush`], which tells.
    pub(super) fn note(&mut self, snapshot: &RunSnapshot) {
        self.taken.insert(snapshot.step);
        if let Some(log) = &mut self.log {
            log.add(snapshot);
        }
    }

    /// Makes sure that all lines are on disk.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn flush(&mut self) -> Result<(), UserError> {
        self.log.as_mut().map_or(Ok(()), SnapshotLog::flush)
    }

    /// Writes nothing any more.
    pub(super) fn let_go(&mut self) {
        self.log = None;
    }
}
