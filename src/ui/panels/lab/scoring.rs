//! Scoring the three prompts of every column: by itself a moment after each change, the newest change wins.

use super::changes::{Begun, sentences};
use super::past::{Entry, Past};
use super::plan::{Plan, SidePlan};
use super::setup::{Card, Setup};
use crate::engine::Work;
use crate::types::{CandidateScore, JobId, ModelId, ScoreReport, ScoreRequest, UserError};
use crate::ui::asked_model::AskedModel;
use crate::ui::{Answer, Ask, Cx, State};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How long nothing must change before it is scored, in seconds.
const DEBOUNCE_S: f64 = 0.25;

/// What one card was asked, and what came.
#[derive(Default)]
pub(super) struct Slot {
    ask: Ask<Question>,
    /// The newest report.
    pub shown: Option<Shown>,
    /// The report before it, to tell what changed.
    before: Option<Shown>,
}

#[derive(Clone, Debug, PartialEq)]
struct Question {
    model: ModelId,
    /// Which of its weights.
    version: u64,
    request: ScoreRequest,
    answers: Vec<String>,
}

/// A report and what it answers.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub model: ModelId,
    pub request: ScoreRequest,
    /// The answers by their own names, in the order of the report.
    pub answers: Vec<String>,
    pub report: Arc<ScoreReport>,
}

impl Shown {
    /// What is shown of an answer: its share of the probability of all answers, calibrated if asked for.
    pub fn value(score: &CandidateScore) -> f64 {
        score.calibrated.unwrap_or(score.share)
    }

    /// The likeliest answer and its value.
    pub fn best(&self) -> Option<(&str, f64)> {
        let best = self.report.best()?;
        Some((self.answers.get(best)?.as_str(), Self::value(&self.report.candidates[best])))
    }
}

impl Slot {
    /// The job that is under way.
    pub fn running(&self, state: &State) -> Option<JobId> {
        self.ask.running(state)
    }

    /// The job that brought the newest report.
    fn job(&self, state: &State) -> Option<JobId> {
        self.ask.job().filter(|job| state.report::<ScoreReport>(*job).is_some())
    }

    /// Why the newest question was not answered, and the job that says so.
    fn problem<'a>(&self, state: &'a State) -> Option<(JobId, &'a UserError)> {
        Some((self.ask.job()?, self.ask.error(state)?))
    }

    /// The value of an answer in the report before; `None` where it was not asked.
    pub fn value_before(&self, answer: &str) -> Option<f64> {
        let before = self.before.as_ref()?;
        let place = before.answers.iter().position(|a| a == answer)?;
        before.report.candidates.get(place).map(Shown::value)
    }
}

/// A run that is under way: what it was begun with.
struct Run {
    begun: Arc<Begun>,
    changed: Vec<String>,
    jobs: Vec<JobId>,
}

/// The scores on show, and the clock of the next ones.
#[derive(Default)]
pub(super) struct Scoring {
    /// By column, then by [`Card::ALL`].
    pub slots: [[Slot; 3]; 2],
    /// True once the person has asked for scores: from then on changes are scored by themselves.
    pub is_live: bool,
    due_s: Option<f64>,
    run: Option<Run>,
    /// What the newest complete run was begun with.
    last: Option<Arc<Begun>>,
    /// What that run changed, in sentences.
    pub changed: Vec<String>,
    /// Jobs whose errors the person closed.
    pub closed: BTreeSet<JobId>,
}

impl Scoring {
    /// What the newest complete run was begun with.
    pub fn last(&self) -> Option<&Setup> {
        self.last.as_ref().map(|begun| &begun.setup)
    }

    /// True when what a card shows answers what would be asked now.
    pub fn is_current(&self, plan: &Plan, side: usize, card: usize) -> bool {
        plan.sides.get(side).is_some() && question(plan, side, card).as_ref() == self.slots[side][card].ask.question()
    }

    /// Seconds until the next scoring is due.
    pub fn due_in_s(&self, now_s: f64) -> Option<f64> {
        self.due_s.map(|due| (due - now_s).max(0.0))
    }

    /// True while a change waits to be scored, or is being scored.
    pub fn is_busy(&self, state: &State) -> bool {
        self.due_s.is_some() || self.running(state).is_some()
    }

    /// Why a card was not scored, as long as it would be asked the same and nobody closed the error; with its job.
    pub fn problem<'a>(
        &self,
        plan: Option<&Plan>,
        (side, card): (usize, usize),
        state: &'a State,
    ) -> Option<(JobId, &'a UserError)> {
        let problem = self.slots[side][card].problem(state)?;
        let is_current = plan.is_some_and(|plan| self.is_current(plan, side, card));
        (is_current && !self.closed.contains(&problem.0)).then_some(problem)
    }

    /// A job whose scores are on show in a column.
    pub fn job(&self, side: usize, state: &State) -> Option<JobId> {
        self.slots[side].iter().rev().find_map(|slot| slot.job(state))
    }

    /// The oldest job that is under way.
    pub fn running(&self, state: &State) -> Option<JobId> {
        self.slots.iter().flatten().filter_map(|slot| slot.running(state)).min()
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.slots.iter().flatten().for_each(|slot| slot.ask.shows(shown));
        shown.extend(self.run.iter().flat_map(|run| &run.jobs));
    }

    /// Takes in reports; scores what changed once nothing has changed for a moment.
    pub fn tick(&mut self, plan: Option<&Plan>, plan_changed: bool, setup: &Setup, past: &mut Past, cx: &mut Cx<'_>) {
        self.hear(past, cx.state);
        let Some(plan) = plan.filter(|_| self.is_live) else { return };
        if plan.missing.is_some() || plan.sides.iter().any(|side| side.is_counting) {
            self.due_s = None;
            return;
        }
        if !self.is_stale(plan) {
            self.due_s = None;
            return;
        }
        let now_s = cx.state.now_s;
        if plan_changed || self.due_s.is_none() {
            self.due_s = Some(now_s + DEBOUNCE_S);
        }
        if self.due_s.is_some_and(|due| now_s >= due) {
            self.ask(plan, setup, false, cx);
        }
    }

    fn is_stale(&self, plan: &Plan) -> bool {
        places(plan).any(|(side, card)| {
            question(plan, side, card).as_ref() != self.slots[side][card].ask.question()
                && plan.sides[side].model.is_some()
        })
    }

    /// Scores what has changed since it was scored last, or everything.
    pub fn ask(&mut self, plan: &Plan, setup: &Setup, everything: bool, cx: &mut Cx<'_>) {
        self.is_live = true;
        self.due_s = None;
        let model = |side: &SidePlan| side.model.and_then(|id| cx.state.models.get(&id)).map(AskedModel::of);
        let models = plan.sides.iter().map(model).collect();
        let begun = Arc::new(Begun { setup: setup.clone(), models });
        let changed = self.last.as_ref().map(|last| sentences(last, &begun)).unwrap_or_default();
        let mut jobs = Vec::new();
        for (side, card) in places(plan) {
            let Some(question) = question(plan, side, card) else { continue };
            let slot = &mut self.slots[side][card];
            let is_same = slot.ask.question() == Some(&question) && !everything;
            match slot.running(cx.state) {
                Some(job) if is_same => jobs.push(job),
                // Not asked again: nothing has changed since the run before.
                None if is_same && slot.shown.is_some() => slot.before.clone_from(&slot.shown),
                _ => jobs.push(slot.ask.ask(question, cx, |asked| (asked.model, Work::Score(asked.request.clone())))),
            }
        }
        self.run = Some(Run { begun, changed, jobs });
    }

    fn hear(&mut self, past: &mut Past, state: &State) {
        for slot in self.slots.iter_mut().flatten() {
            let Some(question) = slot.ask.question() else { continue };
            let Answer::New(report) = slot.ask.answer::<ScoreReport>(state) else { continue };
            let is_new = slot.shown.as_ref().is_none_or(|shown| !Arc::ptr_eq(&shown.report, report));
            if is_new && report.candidates.len() == question.answers.len() {
                let Question { model, request, answers, .. } = question.clone();
                slot.before = slot.shown.replace(Shown { model, request, answers, report: report.clone() });
            }
        }
        let is_over = |run: &Run| run.jobs.iter().all(|job| !state.is_active(*job));
        if let Some(run) = self.run.take_if(|run| is_over(run)) {
            let is_whole = run.jobs.iter().all(|job| state.report::<ScoreReport>(*job).is_some());
            if is_whole {
                past.push(self.entry(&run));
                self.changed.clone_from(&run.changed);
                self.last = Some(run.begun);
            }
        }
    }

    fn entry(&self, run: &Run) -> Entry {
        let side = |side: usize| {
            let best = |slot: &Slot| slot.shown.as_ref()?.best().map(|(answer, value)| (answer.to_owned(), value));
            self.slots[side].iter().map(best).collect::<Vec<_>>()
        };
        let Begun { setup, models } = &*run.begun;
        let models = models.iter().map(|model| model.clone().unwrap_or_default()).collect();
        Entry::new(run.changed.join(" "), models, (0..setup.sides().len()).map(side).collect(), setup)
    }
}

fn places(plan: &Plan) -> impl Iterator<Item = (usize, usize)> + use<> {
    (0..plan.sides.len()).flat_map(|side| (0..Card::ALL.len()).map(move |card| (side, card)))
}

fn question(plan: &Plan, side: usize, card: usize) -> Option<Question> {
    let model = plan.sides[side].model?;
    let request = plan.sides[side].cards[card].request.clone();
    Some(Question { model, version: plan.sides[side].version, request, answers: plan.answers.clone() })
}
