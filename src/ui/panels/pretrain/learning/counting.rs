//! What counting reaches on the text that networks learn from: counted once for each text, vocabulary and seed.

use super::form::Learns;
use super::race::Race;
use crate::engine::{Command, Work};
use crate::types::{BaselinesReport, BaselinesSpec, JobId, TextShape, TrainTask};
use crate::ui::{Cx, State};
use std::sync::Arc;

/// What was counted, for each of what can be learned.
#[derive(Default)]
pub(super) struct Counting {
    counted: Vec<(Learns, Arc<BaselinesReport>)>,
    asked: Option<(JobId, Learns, BaselinesSpec)>,
}

impl Counting {
    /// What counting reaches.
    pub fn report(&self, learns: Learns) -> Option<&BaselinesReport> {
        self.counted.iter().find(|(of, _)| *of == learns).map(|(_, report)| &**report)
    }

    /// The newest question's job.
    pub fn job(&self) -> Option<JobId> {
        self.asked.as_ref().map(|(job, ..)| *job)
    }

    /// All of it, to be kept.
    pub fn all(&self) -> Vec<(Learns, BaselinesReport)> {
        self.counted.iter().map(|(of, report)| (*of, BaselinesReport::clone(report))).collect()
    }

    /// What was kept.
    pub fn take(&mut self, counted: Vec<(Learns, BaselinesReport)>) {
        self.counted = counted.into_iter().map(|(of, report)| (of, Arc::new(report))).collect();
    }

    /// Asks once the first network of a start is there, whose tokens are counted, and takes in the answer.
    pub fn tick(&mut self, cx: &mut Cx<'_>, race: &Race) {
        self.take_in(cx.state);
        let Some(runner) = race.running().map(|place| &race.runners[place]) else { return };
        let has_begun = runner.training(cx.state).is_some_and(|training| training.record.is_some());
        let Some(spec) = runner.spec.as_ref().filter(|_| has_begun) else { return };
        let (data, vocabulary) = match &spec.task {
            TrainTask::Text(task) => (&task.data, task.shape.as_ref().map(TextShape::vocabulary)),
            TrainTask::Masked(task) => (&task.data, task.shape.as_ref().map(|shape| shape.vocabulary)),
            _ => return,
        };
        let wanted = BaselinesSpec {
            data: data.clone(),
            context: spec.context(),
            validation_share: spec.validation_share,
            seed: spec.seed,
            vocabulary: vocabulary.unwrap_or_default(),
            of_model: false,
        };
        let is_asked = |(_, of, asked): &(JobId, Learns, BaselinesSpec)| *of == runner.learns && *asked == wanted;
        if self.asked.as_ref().is_some_and(is_asked) {
            return;
        }
        // What was counted of another text no longer holds.
        self.counted.retain(|(of, _)| *of != runner.learns);
        let job = JobId::next();
        cx.send(Command::start(job, runner.model, Work::Baselines(wanted.clone())));
        self.asked = Some((job, runner.learns, wanted));
    }

    fn take_in(&mut self, state: &State) {
        let Some((job, learns, _)) = &self.asked else { return };
        let Some(report) = state.report::<BaselinesReport>(*job) else { return };
        if self.counted.iter().any(|(of, known)| of == learns && Arc::ptr_eq(known, report)) {
            return;
        }
        self.counted.retain(|(of, _)| of != learns);
        self.counted.push((*learns, Arc::clone(report)));
    }
}
