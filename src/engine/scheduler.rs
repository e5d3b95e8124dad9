//! Whose turn it is. Jobs take turns, one step each; what a person waits for goes before what runs on its own, and the
//! latter still advances.
//!
//! Must not know: tensors, events or threads. Time is handed in, so that the order can be tested.

use super::tasks::Task;
use super::{Turn, Work};
use crate::types::{JobId, ModelId};
use std::collections::VecDeque;
use std::mem::discriminant;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After a background step that took `d`, waiting interactive jobs have the engine for `INTERACTIVE_SHARE · d`.
const INTERACTIVE_SHARE: u32 = 3;

/// One piece of work and whose it is.
pub(crate) struct Job {
    /// Its name in commands and events.
    pub id: JobId,
    /// What it does.
    pub work: Arc<Work>,
    /// The model it works on, if any.
    pub model: Option<ModelId>,
    /// The work itself.
    pub task: Box<dyn Task>,
    /// True while it is held.
    pub paused: bool,
}

impl Job {
    fn is_waited_for(&self) -> bool {
        self.work.facts().turn != Turn::Background
    }
}

/// The jobs that are not done, in the order of their turns.
#[derive(Default)]
pub(crate) struct Scheduler {
    jobs: VecDeque<Job>,
    interactive_until: Option<Instant>,
}

impl Scheduler {
    /// Adds a job at the end of the row. Where the latest wins, it drops those of its kind that still wait for the same
    /// model.
    pub(crate) fn add(&mut self, job: Job) {
        if job.work.facts().latest_wins {
            let kind = discriminant(&*job.work);
            self.jobs.retain(|waiting| discriminant(&*waiting.work) != kind || waiting.model != job.model);
        }
        self.jobs.push_back(job);
    }

    /// True when no job could take a step.
    pub(crate) fn is_idle(&self) -> bool {
        self.jobs.iter().all(|job| job.paused)
    }

    /// Takes the job whose turn it is out of the row; [`Self::put_back`] lines it up again.
    pub(crate) fn take_next(&mut self, now: Instant) -> Option<Job> {
        let first =
            |interactive: bool| self.jobs.iter().position(|job| !job.paused && job.is_waited_for() == interactive);
        let place = match (first(true), first(false)) {
            (Some(interactive), Some(background)) => {
                // At the first meeting of the two, the person is served first.
                let until = self.interactive_until;
                self.interactive_until.get_or_insert(now);
                if until.is_none_or(|until| now < until) { interactive } else { background }
            }
            (interactive, background) => interactive.or(background)?,
        };
        self.jobs.remove(place)
    }

    /// Lines a job up again after a step.
    pub(crate) fn put_back(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// Notes how long a step took, to share time fairly.
    pub(crate) fn took(&mut self, job: &Job, step: Duration, now: Instant) {
        if !job.is_waited_for() {
            self.interactive_until = Some(now + step * INTERACTIVE_SHARE);
        }
    }

    /// Holds a job or lets it go on; false when there is no such job or it is so already.
    pub(crate) fn set_paused(&mut self, id: JobId, paused: bool) -> bool {
        match self.jobs.iter_mut().find(|job| job.id == id && job.paused != paused) {
            Some(job) => {
                job.paused = paused;
                true
            }
            None => false,
        }
    }

    /// A job, to change what it does.
    pub(crate) fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    /// Takes a job out for good.
    pub(crate) fn remove(&mut self, id: JobId) -> Option<Job> {
        let place = self.jobs.iter().position(|job| job.id == id)?;
        self.jobs.remove(place)
    }

    /// Ids of the jobs that work on a model.
    pub(crate) fn jobs_on(&self, model: ModelId) -> Vec<JobId> {
        self.jobs.iter().filter(|job| job.model == Some(model)).map(|job| job.id).collect()
    }

    /// True when a training run on this model is not done.
    pub(crate) fn is_training(&self, model: ModelId) -> bool {
        self.jobs.iter().any(|job| matches!(*job.work, Work::Train(_)) && job.model == Some(model))
    }

    /// Takes every job out.
    pub(crate) fn drain(&mut self) -> Vec<Job> {
        self.jobs.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tasks::{Step, TaskContext};
    use crate::engine::{GenerateSpec, PromptInput};
    use crate::types::{DigitImage, EvaluateSpec, Sampling, UserError};

    struct Endless;
    impl Task for Endless {
        fn step(&mut self, _: &mut TaskContext<'_>) -> Result<Step, UserError> {
            Ok(Step::More)
        }
    }

    fn job(id: u64, work: Work, model: u64) -> Job {
        Job { id: JobId(id), work: Arc::new(work), model: Some(ModelId(model)), task: Box::new(Endless), paused: false }
    }

    fn generate() -> Work {
        let prompt = PromptInput::Ids(vec![1]);
        Work::Generate(GenerateSpec { prompt, sampling: Sampling::default(), edits: Vec::new() })
    }

    fn evaluate() -> Work {
        Work::Evaluate(EvaluateSpec { data: "data".into(), ..EvaluateSpec::default() })
    }

    fn classify() -> Work {
        Work::Classify(DigitImage(vec![0.0; 784].into()))
    }

    /// Ids in the order of their turns, each step taking the given time.
    fn turns(scheduler: &mut Scheduler, count: usize, step: impl Fn(&Work) -> Duration) -> Vec<u64> {
        let mut now = Instant::now();
        (0..count)
            .map(|_| {
                let job = scheduler.take_next(now).unwrap();
                now += step(&job.work);
                scheduler.took(&job, step(&job.work), now);
                let id = job.id.0;
                scheduler.put_back(job);
                id
            })
            .collect()
    }

    #[test]
    fn jobs_of_one_kind_take_turns() {
        let mut scheduler = Scheduler::default();
        for id in 1..=3 {
            scheduler.add(job(id, generate(), 1));
        }
        assert_eq!(turns(&mut scheduler, 6, |_| Duration::from_millis(1)), [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn generation_has_three_quarters_of_the_time_and_what_runs_on_its_own_the_rest() {
        let mut scheduler = Scheduler::default();
        scheduler.add(job(1, evaluate(), 1));
        scheduler.add(job(2, generate(), 1));
        let step = |work: &Work| Duration::from_millis(if matches!(work, Work::Evaluate(_)) { 40 } else { 20 });
        let order = turns(&mut scheduler, 21, step);
        assert_eq!(order[0], 2, "what a person waits for comes first");
        let background = order.iter().filter(|id| **id == 1).count();
        assert_eq!(background, 3, "one background step of 40 ms for six tokens of 20 ms: {order:?}");
    }

    #[test]
    fn what_runs_on_its_own_alone_never_waits() {
        let mut scheduler = Scheduler::default();
        scheduler.add(job(1, evaluate(), 1));
        assert_eq!(turns(&mut scheduler, 3, |_| Duration::from_millis(9)), [1, 1, 1]);
    }

    #[test]
    fn the_newest_drawing_replaces_the_one_that_waits_for_the_same_model() {
        let mut scheduler = Scheduler::default();
        scheduler.add(job(1, classify(), 1));
        scheduler.add(job(2, classify(), 2));
        scheduler.add(job(3, classify(), 1));
        assert_eq!(turns(&mut scheduler, 2, |_| Duration::ZERO), [2, 3]);
    }

    #[test]
    fn a_held_job_takes_no_turn_and_leaves_the_engine_idle() {
        let mut scheduler = Scheduler::default();
        scheduler.add(job(1, evaluate(), 1));
        assert!(scheduler.set_paused(JobId(1), true));
        assert!(!scheduler.set_paused(JobId(1), true), "it is held already");
        assert!(scheduler.is_idle() && scheduler.take_next(Instant::now()).is_none());
        assert!(scheduler.set_paused(JobId(1), false));
        assert!(!scheduler.is_idle());
    }
}
