//! Networks that learn from one text, one after another: the text is written where it is not there, two steps of each are tried to tell
//! how long it takes, then each has its turn.

use super::form::{Form, Learns, Source};
use super::net::Net;
use crate::engine::{Command, Outcome, Work};
use crate::types::{JobId, ModelId, TrainPoint, TrainSpec, TrainTask, TrainingCost, UserError, WriteTextSpec};
use crate::ui::{Cx, Phase, State, Training};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What takes longer is not begun before the person has seen how long.
const LONG_S: f64 = 600.0;
/// Runs that are kept on show.
const MOST_RUNS: usize = 24;
/// Points of a run that outlive a restart, about; the folder of a run that is kept on the disk has all.
const MOST_POINTS: usize = 500;

/// One network and its run.
pub(super) struct Runner {
    pub net: Net,
    pub name: String,
    /// The same as long as it is on show.
    pub hue: usize,
    pub model: ModelId,
    pub learns: Learns,
    /// Settled when its turn comes.
    pub spec: Option<TrainSpec>,
    trial: Option<JobId>,
    pub cost: Option<TrainingCost>,
    pub job: Option<JobId>,
    /// Its curve where its job is of an earlier sitting.
    pub kept: Option<KeptRunner>,
    pub hidden: bool,
}

/// A run as it outlives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptRunner {
    pub net: Net,
    pub name: String,
    pub hue: usize,
    pub learns: Learns,
    pub parameters: u64,
    pub spec: TrainSpec,
    pub points: Vec<TrainPoint>,
}

impl Runner {
    /// Its run, where it has begun in this sitting.
    pub fn training<'a>(&self, state: &'a State) -> Option<&'a Training> {
        state.training(self.job?)
    }

    /// Its learning curve.
    pub fn points<'a>(&'a self, state: &'a State) -> &'a [TrainPoint] {
        let kept = || self.kept.as_ref().map_or(&[][..], |kept| &kept.points);
        self.training(state).map_or_else(kept, |training| &training.points)
    }

    /// Numbers that learn.
    pub fn parameters(&self) -> Option<u64> {
        self.cost.map(|cost| cost.parameters).or_else(|| Some(self.kept.as_ref()?.parameters))
    }

    /// As it is kept, once it has learned something.
    pub fn to_keep(&self, state: &State) -> Option<KeptRunner> {
        if let Some(kept) = &self.kept {
            return Some(kept.clone());
        }
        let points = self.points(state);
        (!points.is_empty()).then_some(KeptRunner {
            net: self.net,
            name: self.name.clone(),
            hue: self.hue,
            learns: self.learns,
            parameters: self.parameters()?,
            spec: self.spec.clone()?,
            points: thinned(points),
        })
    }

    /// What was kept, on show again.
    pub fn of_kept(kept: KeptRunner) -> Self {
        Self {
            net: kept.net,
            name: kept.name.clone(),
            hue: kept.hue,
            model: ModelId::next(),
            learns: kept.learns,
            spec: Some(kept.spec.clone()),
            trial: None,
            cost: None,
            job: None,
            kept: Some(kept),
            hidden: false,
        }
    }
}

/// What is done at the moment.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Idle,
    Writing(JobId),
    /// Two steps of this runner are taken.
    Trying(usize),
    /// The person is asked whether it may take so long.
    Asking,
    Running(usize),
}

/// All runs on show, and those under way.
pub(super) struct Race {
    pub runners: Vec<Runner>,
    stage: Stage,
    /// The first runner that was begun by the newest start.
    first: usize,
    form: Form,
    /// What is learned from.
    pub data: PathBuf,
    /// Folder of runs; none keeps nothing.
    runs: Option<PathBuf>,
    /// It is told how long it would take, and nothing is begun.
    only_tell: bool,
    error: Option<UserError>,
}

impl Default for Race {
    fn default() -> Self {
        Self {
            runners: Vec::new(),
            stage: Stage::Idle,
            first: 0,
            form: Form::default(),
            data: PathBuf::new(),
            runs: None,
            only_tell: false,
            error: None,
        }
    }
}

impl Race {
    /// Begins: `stories` is a text that is to be written first.
    pub fn start(&mut self, cx: &mut Cx<'_>, form: &Form, stories: Option<WriteTextSpec>, only_tell: bool) {
        if self.is_busy() {
            return;
        }
        self.drop_untold();
        self.error = None;
        (self.form, self.only_tell) = (form.clone(), only_tell);
        self.runs = cx.state.runs_dir.clone().filter(|_| form.keep);
        self.data = match (form.source, &stories) {
            (Source::Stories, Some(stories)) => stories.out.clone(),
            _ => PathBuf::from(form.file.trim()),
        };
        // Losses of another text or vocabulary do not stand on one axis with these.
        let vocabulary = form.size.numbers().vocabulary;
        for runner in &mut self.runners {
            let is_alike =
                runner.spec.as_ref().is_some_and(|spec| told_of(spec) == Some((self.data.as_path(), vocabulary)));
            runner.hidden |= !is_alike;
        }
        self.first = self.runners.len();
        for net in form.learners() {
            let hue = (0..).find(|hue| self.runners.iter().all(|runner| runner.hue != *hue)).unwrap_or(0);
            let plain = form.name(net);
            let is_free = |name: &String| self.runners.iter().all(|runner| runner.name != *name);
            let numbered = (2..).map(|number| format!("{plain} ({number})"));
            let name = std::iter::once(plain.clone()).chain(numbered).find(is_free).unwrap_or(plain.clone());
            self.runners.push(Runner {
                net,
                name,
                hue,
                model: ModelId::next(),
                learns: form.learns,
                spec: None,
                trial: None,
                cost: None,
                job: None,
                kept: None,
                hidden: false,
            });
        }
        match stories.filter(|stories| !stories.out.is_file()) {
            Some(stories) => {
                let job = JobId::next();
                cx.send(Command::start(job, None, Work::WriteText(stories)));
                self.stage = Stage::Writing(job);
            }
            None => self.stage = Stage::Trying(self.first),
        }
    }

    /// True while something is written, tried or learned, or the person is asked.
    pub fn is_busy(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// True while the text is written that is learned from.
    pub fn is_writing(&self) -> bool {
        matches!(self.stage, Stage::Writing(_))
    }

    /// True while the person is to say whether it may take so long.
    pub fn asks(&self) -> bool {
        self.stage == Stage::Asking
    }

    /// Why it ended, where that was not within a job.
    pub fn error(&self) -> Option<&UserError> {
        self.error.as_ref()
    }

    /// The job that is under way.
    pub fn job(&self) -> Option<JobId> {
        match self.stage {
            Stage::Writing(job) => Some(job),
            Stage::Trying(place) => self.runners.get(place)?.trial,
            Stage::Running(place) => self.runners.get(place)?.job,
            Stage::Idle | Stage::Asking => None,
        }
    }

    /// The runner that learns now.
    pub fn running(&self) -> Option<usize> {
        match self.stage {
            Stage::Running(place) => Some(place),
            _ => None,
        }
    }

    /// Jobs whose results are on show.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        let of_runners = self.runners.iter().flat_map(|runner| [runner.trial, runner.job]);
        of_runners.flatten().chain(self.job())
    }

    /// Seconds of all runs of the newest start, where all were tried.
    pub fn seconds(&self) -> Option<f64> {
        let newest = self.runners.get(self.first..)?;
        let all = newest.iter().map(|runner| Some(runner.cost?.seconds(runner.spec.as_ref()?)));
        (!newest.is_empty()).then(|| all.sum::<Option<f64>>()).flatten()
    }

    /// The runners of the newest start.
    pub fn newest(&self) -> &[Runner] {
        self.runners.get(self.first..).unwrap_or_default()
    }

    /// The person has seen how long it takes.
    pub fn go_on(&mut self) {
        if self.asks() {
            self.stage = Stage::Running(self.first);
        }
    }

    /// The person does not want it to take so long.
    pub fn give_up(&mut self) {
        if self.asks() {
            self.stage = Stage::Idle;
            self.drop_untold();
        }
    }

    /// Ends what is under way; what was learned stays.
    pub fn stop(&mut self, cx: &mut Cx<'_>) {
        if let Some(job) = self.job() {
            cx.cancel(job);
        }
        self.stage = Stage::Idle;
        self.drop_untold();
    }

    /// Takes all runs that are over off the show.
    pub fn clear(&mut self) {
        if !self.is_busy() {
            self.runners.clear();
            self.first = 0;
        }
    }

    /// Runners that have begun nothing are no longer on show.
    fn drop_untold(&mut self) {
        self.runners.retain(|runner| runner.job.is_some() || runner.kept.is_some());
        let over = self.runners.len().saturating_sub(MOST_RUNS);
        self.runners.drain(..over);
        self.first = self.first.min(self.runners.len());
    }

    /// Goes on where something has ended.
    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        match self.stage {
            Stage::Idle | Stage::Asking => {}
            Stage::Writing(job) => match cx.state.job(job).map(|job| (&job.phase, &job.outcome)) {
                Some((Phase::Done, Some(Outcome::Saved { .. }))) => self.stage = Stage::Trying(self.first),
                Some((Phase::Failed(error), _)) => self.fail(error.clone()),
                Some((Phase::Cancelled | Phase::Done, _)) => self.stop(cx),
                _ => {}
            },
            Stage::Trying(place) => self.try_steps(place, cx),
            Stage::Running(place) => self.run(place, cx),
        }
    }

    fn fail(&mut self, error: UserError) {
        self.error = Some(error);
        self.stage = Stage::Idle;
        self.drop_untold();
    }

    /// The numbers that networks without attention are to have: as many as the transformer of this start.
    fn parameters(&self) -> u64 {
        let of_transformer = self.newest().iter().find(|runner| runner.net == Net::Transformer);
        let told = of_transformer.and_then(|runner| runner.cost).map(|cost| cost.parameters);
        told.unwrap_or_else(|| self.form.numbers().map_or(0, |numbers| numbers.parameters()))
    }

    fn spec(&self, place: usize) -> Result<TrainSpec, UserError> {
        let net = self.runners[place].net;
        self.form.spec(net, self.data.clone(), self.parameters(), None).map_err(|why| {
            UserError::new("The networks were not trained.", why, "Change what is filled in, and start again.")
        })
    }

    fn try_steps(&mut self, place: usize, cx: &mut Cx<'_>) {
        let Some(trial) = self.runners[place].trial else {
            match self.spec(place) {
                Err(error) => self.fail(error),
                Ok(spec) => {
                    let job = JobId::next();
                    let model = self.runners[place].model;
                    cx.send(Command::start(job, model, Work::TryTraining(spec.clone())));
                    (self.runners[place].trial, self.runners[place].spec) = (Some(job), Some(spec));
                }
            }
            return;
        };
        let Some(job) = cx.state.job(trial) else { return };
        match (&job.phase, &job.outcome) {
            (Phase::Done, Some(Outcome::Tried(cost))) => {
                self.runners[place].cost = Some(*cost);
                let is_last = place + 1 == self.runners.len();
                self.stage = match self.seconds() {
                    _ if !is_last => Stage::Trying(place + 1),
                    Some(seconds) if seconds <= LONG_S && !self.only_tell => Stage::Running(self.first),
                    _ => Stage::Asking,
                };
            }
            (Phase::Failed(error), _) => self.fail(error.clone()),
            (Phase::Done | Phase::Cancelled, _) => self.stop(cx),
            _ => {}
        }
    }

    fn run(&mut self, place: usize, cx: &mut Cx<'_>) {
        let Some(job) = self.runners[place].job else {
            let Some(mut spec) = self.runners[place].spec.clone() else { return };
            spec.out =
                self.runs.as_ref().map(|runs| crate::ui::panels::run_folder(runs, self.runners[place].net.name()));
            let job = JobId::next();
            cx.send(Command::start(job, self.runners[place].model, Work::Train(spec.clone())));
            (self.runners[place].job, self.runners[place].spec) = (Some(job), Some(spec));
            return;
        };
        // Before the next frame the state does not know the job.
        let Some(found) = cx.state.job(job) else { return };
        if found.is_active() {
            return;
        }
        // One that ran away is no reason to leave out the others; one that somebody stopped is.
        let is_stopped = found.stopping || found.phase == Phase::Cancelled;
        if place + 1 < self.runners.len() && !is_stopped {
            self.stage = Stage::Running(place + 1);
        } else {
            self.stage = Stage::Idle;
            self.drop_untold();
        }
    }
}

/// The first point, the last, every one with a validation, and of the others as many as a session should carry.
fn thinned(points: &[TrainPoint]) -> Vec<TrainPoint> {
    let (every, last) = (points.len().div_ceil(MOST_POINTS).max(1), points.len().saturating_sub(1));
    let is_kept = |(place, point): &(usize, &TrainPoint)| {
        place.is_multiple_of(every) || *place == last || point.validation_loss.is_some()
    };
    points.iter().enumerate().filter(is_kept).map(|(_, point)| point.clone()).collect()
}

/// The text and the size of the vocabulary that a run learns with.
fn told_of(spec: &TrainSpec) -> Option<(&Path, usize)> {
    let (data, vocabulary) = match &spec.task {
        TrainTask::Text(task) => (&task.data, task.shape.as_ref()?.vocabulary()),
        TrainTask::Masked(task) => (&task.data, task.shape.as_ref()?.vocabulary),
        _ => return None,
    };
    Some((data.first()?, vocabulary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_carries_the_ends_and_every_validation_of_a_long_run() {
        let point = |step: usize| TrainPoint {
            step,
            loss: 1.0,
            validation_loss: step.is_multiple_of(777).then_some(2.0),
            ..TrainPoint::default()
        };
        let points: Vec<TrainPoint> = (1..=9_999).map(point).collect();
        let kept = thinned(&points);
        assert!(kept.len() < 600 && kept.is_sorted_by_key(|point| point.step), "{}", kept.len());
        assert_eq!((kept[0].step, kept[kept.len() - 1].step), (1, 9_999));
        assert_eq!(kept.iter().filter(|point| point.validation_loss.is_some()).count(), 9_999 / 777);
        assert_eq!(thinned(&points[..300]), points[..300]);
        assert!(thinned(&[]).is_empty());
    }
}
