//! Networks learn one after another, and each is asked when it has.

use super::form::Form;
use super::result::{Comparison, Contender};
use crate::engine::{Command, Outcome, Work};
use crate::types::{JobId, MemoryReport, ModelId, best_validation};
use crate::ui::{Cx, Job, Phase, State};
use std::collections::{BTreeSet, VecDeque};

/// What is under way and what comes after it.
#[derive(Default)]
pub(super) struct Race {
    /// Who is still to come: the place in the comparison, and the model of one that learns nothing.
    left: VecDeque<(usize, Option<ModelId>)>,
    now: Option<Now>,
    /// Every job since the beginning, whose errors are shown.
    jobs: Vec<JobId>,
}

struct Now {
    place: usize,
    job: JobId,
    model: ModelId,
    doing: Doing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Learning,
    Asking,
}

impl Race {
    /// A race of those that learn, then of those that are asked as they are.
    pub fn begin(form: &Form, others: &BTreeSet<ModelId>, state: &State) -> (Self, Comparison) {
        let nets = form.nets.iter().map(|net| {
            let contender = Contender { name: net.name().to_owned(), net: Some(*net), ..Contender::default() };
            (contender, None)
        });
        let open = others.iter().filter_map(|model| {
            let info = &state.models.get(model)?.info;
            let contender =
                Contender { name: info.full_name(), parameters: Some(info.parameters), ..Contender::default() };
            Some((contender, Some(*model)))
        });
        let (contenders, models): (Vec<Contender>, Vec<Option<ModelId>>) = nets.chain(open).unzip();
        let race = Self { left: models.into_iter().enumerate().collect(), ..Self::default() };
        (race, Comparison { form: form.clone(), contenders })
    }

    pub fn is_on(&self) -> bool {
        self.now.is_some() || !self.left.is_empty()
    }

    /// The job under way.
    pub fn job(&self) -> Option<JobId> {
        self.now.as_ref().map(|now| now.job)
    }

    /// Who is at it, and at what.
    pub fn now(&self) -> Option<(usize, Doing)> {
        self.now.as_ref().map(|now| (now.place, now.doing))
    }

    pub fn is_waiting(&self, place: usize) -> bool {
        self.left.iter().any(|(waiting, _)| *waiting == place)
    }

    pub fn jobs(&self) -> &[JobId] {
        &self.jobs
    }

    /// Ends what is under way; nobody comes after it. What there is stays.
    pub fn stop(&mut self, cx: &mut Cx<'_>) {
        self.left.clear();
        if let Some(now) = &self.now {
            cx.cancel(now.job);
        }
    }

    /// Takes in what came, and lets the next one begin. True when a contender has ended: what there is should be kept.
    pub fn advance(&mut self, comparison: &mut Comparison, cx: &mut Cx<'_>) -> bool {
        let Some(Now { place, job, model, doing }) = self.now else {
            self.next(comparison, cx);
            return false;
        };
        // A job is known from the frame after it was given out.
        let Some(found) = cx.state.job(job) else { return false };
        let Some(contender) = comparison.contenders.get_mut(place) else {
            self.now = None;
            return false;
        };
        match doing {
            Doing::Learning => learned(contender, cx.state, found),
            Doing::Asking => {
                let report = cx.state.report::<MemoryReport>(job).or_else(|| cx.state.so_far(job));
                if let Some(report) = report
                    && contender.report.as_ref().is_none_or(|of| of != report.as_ref())
                {
                    contender.report = Some(MemoryReport::clone(report));
                }
            }
        }
        if found.is_active() {
            return false;
        }
        if found.stopping {
            self.left.clear();
        }
        let goes_on = doing == Doing::Learning && found.phase == Phase::Done && !found.stopping;
        if goes_on {
            self.ask(place, model, comparison, cx);
            return false;
        }
        self.now = None;
        self.next(comparison, cx);
        true
    }

    fn next(&mut self, comparison: &Comparison, cx: &mut Cx<'_>) {
        let Some((place, model)) = self.left.pop_front() else { return };
        match (model, comparison.contenders.get(place).and_then(|of| of.net)) {
            (Some(model), _) => self.ask(place, model, comparison, cx),
            (None, Some(net)) => {
                let model = ModelId::next();
                let work = Work::Train(net.spec(&comparison.form));
                self.start(place, model, Doing::Learning, work, cx);
            }
            (None, None) => {}
        }
    }

    fn ask(&mut self, place: usize, model: ModelId, comparison: &Comparison, cx: &mut Cx<'_>) {
        self.start(place, model, Doing::Asking, Work::Remember(comparison.form.questions()), cx);
    }

    fn start(&mut self, place: usize, model: ModelId, doing: Doing, work: Work, cx: &mut Cx<'_>) {
        let job = JobId::next();
        cx.send(Command::start(job, model, work));
        self.jobs.push(job);
        self.now = Some(Now { place, job, model, doing });
    }
}

/// What is known of a network that learns, or has learned.
fn learned(contender: &mut Contender, state: &State, job: &Job) {
    let Some(training) = state.training(job.id) else { return };
    if let Some(last) = training.points.last() {
        (contender.steps, contender.trained_s, contender.loss) = (last.step, last.elapsed_s, Some(last.loss));
    }
    contender.held_out = training.points.iter().rev().find_map(|point| point.validation_accuracy);
    if let Some(Outcome::Trained(summary)) = &job.outcome {
        (contender.steps, contender.trained_s) = (summary.steps, summary.elapsed_s);
        // The model keeps the weights that were best on what is held out.
        let best = best_validation(&training.points).map(|(step, _)| step);
        let of_best = training.points.iter().find(|point| Some(point.step) == best && point.is_validated());
        contender.held_out = of_best.and_then(|point| point.validation_accuracy).or(contender.held_out);
        contender.parameters = state.models.get(&training.model).map(|open| open.info.parameters);
    }
}
