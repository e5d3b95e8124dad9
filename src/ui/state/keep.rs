//! Which results stay: those that somebody shows, and of the others the newest while there is room.

use super::{Job, State};
use crate::engine::Kept;
use crate::types::JobId;
use std::collections::BTreeSet;

/// Memory for results that nobody shows, in bytes: the patterns of two long inspections.
const SPARE_BYTES: usize = 1 << 30;
/// Finished jobs that nobody shows.
pub(super) const SPARE_JOBS: usize = 256;

impl State {
    /// Lets finished jobs go that nobody in `shown` needs. To be called once a frame: a result that is asked for while it is
    /// not on screen must survive until it is.
    pub fn keep(&mut self, shown: &BTreeSet<JobId>) {
        let (mut bytes, mut count, mut gone) = (0, 0, Vec::new());
        for job in self.jobs.values().rev().filter(|job| !job.is_active() && !shown.contains(&job.id)) {
            let stays = match job.facts().kept {
                Kept::Always => true,
                Kept::WhileShown => false,
                Kept::Spare => {
                    bytes += job.bytes();
                    count += 1;
                    bytes <= SPARE_BYTES && count <= SPARE_JOBS
                }
            };
            if !stays {
                gone.push(job.id);
            }
        }
        gone.iter().for_each(|id| drop(self.jobs.remove(id)));
    }
}

impl Job {
    /// About how much memory its results take.
    fn bytes(&self) -> usize {
        let told = [&self.so_far, &self.outcome].into_iter().flatten();
        self.live.bytes() + told.map(super::report::bytes).sum::<usize>()
    }
}
