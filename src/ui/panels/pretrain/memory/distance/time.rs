//! How long the networks will learn, told beforehand: two steps of each are taken on a network that is thrown away.

use super::form::Form;
use super::nets::Net;
use crate::engine::{Command, Outcome, Work};
use crate::types::{JobId, MemoryKind, ModelId, TrainingCost};
use crate::ui::{Cx, Job, State};
use std::collections::{BTreeSet, HashMap};

/// What is tried: how long a step takes depends on nothing else.
type Tried = (Net, MemoryKind);

/// What a step of each kind takes.
#[derive(Default)]
pub(super) struct Times {
    known: HashMap<Tried, Option<TrainingCost>>,
    trial: Option<(Tried, JobId)>,
}

impl Times {
    /// Tries the next kind whose time is not known; one at a time, while nothing else is at work.
    pub fn measure(&mut self, form: &Form, cx: &mut Cx<'_>) {
        if self.trial.is_some() || cx.state.active_jobs().any(|job| !job.is_quiet()) {
            return;
        }
        let unknown = form.nets.iter().map(|net| (*net, form.of)).find(|tried| !self.known.contains_key(tried));
        if let Some(tried) = unknown {
            let job = JobId::next();
            cx.send(Command::start(job, ModelId::next(), Work::TryTraining(tried.0.spec(form))));
            self.trial = Some((tried, job));
        }
    }

    pub fn take_in(&mut self, state: &State) {
        let Some((tried, job)) = self.trial else { return };
        let Some(found) = state.job(job).filter(|job| !job.is_active()) else { return };
        // What could not be tried is not tried again: the run itself says why.
        self.known.insert(tried, cost(found));
        self.trial = None;
    }

    /// Ends what is being tried.
    pub fn stop(&mut self, cx: &mut Cx<'_>) {
        if let Some((_, job)) = self.trial.take() {
            cx.cancel(job);
        }
    }

    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        shown.extend(self.trial.map(|(_, job)| job));
    }

    /// Seconds that all who are ticked learn, once that is known of each.
    pub fn seconds(&self, form: &Form) -> Option<f64> {
        let each = form.nets.iter().map(|net| {
            let cost = self.known.get(&(*net, form.of))?.as_ref()?;
            Some(cost.seconds(&net.spec(form)))
        });
        each.sum()
    }

    pub fn is_measuring(&self) -> bool {
        self.trial.is_some()
    }
}

fn cost(job: &Job) -> Option<TrainingCost> {
    match job.outcome {
        Some(Outcome::Tried(cost)) => Some(cost),
        _ => None,
    }
}
