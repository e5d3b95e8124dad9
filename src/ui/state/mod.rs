//! What the engine's events have left behind. Changed by [`State::apply`], [`State::sent`] and [`State::keep`] only.

mod hub;
mod job;
mod keep;
mod live;
mod log;
mod made;
mod report;
#[cfg(test)]
mod tests;

pub use hub::{Download, DownloadPhase, HubState};
pub use job::{Job, Phase, Progress};
pub use live::{KShotRun, Live, Run, Training};
pub use log::{Log, LogEntry};
pub use made::{Made, full_name};
pub use report::Reported;

use crate::engine::{Command, Event, Outcome, Work};
use crate::hub::HubCommand;
use crate::types::{
    Ability, Classification, DeviceStatus, JobId, LayerWeights, ModelId, ModelInfo, ModelKind, UserError,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// A model that comes with Fovea.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedModel {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// What it takes and gives.
    pub kind: ModelKind,
    /// True when it was trained to infer tasks from examples.
    pub few_shot: bool,
}

/// An open model, and what was asked of it as it is now.
#[derive(Clone, Debug)]
pub struct OpenModel {
    /// What is known of it.
    pub info: ModelInfo,
    /// Its weights as pictures (digit networks only). The same `Arc` as long as they have not changed.
    pub weights: Arc<Vec<LayerWeights>>,
    /// Counts the times the model was opened, trained or saved: what was computed before belongs to other weights.
    pub version: u64,
    /// Counts the times its weights became others since it was opened.
    pub weights_version: u64,
    /// SHA-256 of its weights, where it was asked for.
    pub sha256: Option<String>,
    /// The latest answer of a digit network.
    pub classification: Option<Arc<Classification>>,
}

/// What is done with a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prompting {
    /// It is continued, token by token.
    #[default]
    Continues,
    /// It is read at once, for vectors, guesses or classes.
    Encodes,
    /// It is a picture.
    Sees,
}

impl Prompting {
    /// What this model does with a prompt.
    #[must_use]
    pub fn of(model: &ModelInfo) -> Self {
        match model {
            m if m.can(Ability::Continue) => Self::Continues,
            m if m.can(Ability::SeePictures) => Self::Sees,
            _ => Self::Encodes,
        }
    }
}

/// Everything the window knows of the engine's world.
#[derive(Default)]
pub struct State {
    /// Seconds since the app started; set by the app before events are applied.
    pub now_s: f64,
    /// When that was by the clock; unknown where pictures must be the same at any time.
    pub began: Option<jiff::Zoned>,
    /// The device in use, once known.
    pub device: Option<DeviceStatus>,
    /// Memory the process holds, in bytes, where the platform tells.
    pub memory_bytes: Option<u64>,
    /// Memory that is free for models, in bytes, where the platform tells.
    pub free_memory: Option<u64>,
    /// Models that come with Fovea.
    pub shipped: Vec<ShippedModel>,
    /// The folder in which the window keeps what is its own; none where nothing is kept.
    pub folder: Option<PathBuf>,
    /// Model folders opened lately, newest first.
    pub recent: Vec<PathBuf>,
    /// The folder for runs that are kept; none in a window that keeps nothing.
    pub runs_dir: Option<PathBuf>,
    /// Models in the Hugging Face cache, and downloads into it.
    pub hub: HubState,
    /// Open models.
    pub models: BTreeMap<ModelId, OpenModel>,
    /// Jobs by id: waiting, running, and finished ones whose results are kept.
    pub jobs: BTreeMap<JobId, Job>,
    /// Everything worth reading later, errors above all.
    pub log: Log,
    /// The open models in the order in which they were chosen, the last one last. Those that nobody chose come first.
    chosen: Vec<ModelId>,
    /// Models that are being opened for a panel that had none, of which nobody asked for one in particular.
    unasked: BTreeSet<ModelId>,
}

impl State {
    /// The model in use where this is asked for: of the open ones that can, the one chosen last.
    #[must_use]
    pub fn active(&self, ability: Ability) -> Option<&OpenModel> {
        self.chosen.iter().rev().filter_map(|id| self.models.get(id)).find(|m| m.info.can(ability))
    }

    /// The models that are in use for anything, in the order in which they were chosen.
    pub fn in_use(&self) -> impl Iterator<Item = &OpenModel> {
        let used: Vec<ModelId> = Ability::ALL.iter().filter_map(|a| Some(self.active(*a)?.info.id)).collect();
        self.chosen.iter().filter(move |id| used.contains(id)).filter_map(|id| self.models.get(id))
    }

    /// How the prompt and attention panels work: by what the model does that was chosen last of those that take a prompt.
    #[must_use]
    pub fn prompting(&self) -> Prompting {
        self.active(Ability::Prompt).map_or(Prompting::Continues, |open| Prompting::of(&open.info))
    }

    /// Puts a model in use for all it can. Does nothing for a model that is not open.
    pub fn activate(&mut self, model: ModelId) {
        if self.models.contains_key(&model) {
            self.chosen.retain(|id| *id != model);
            self.chosen.push(model);
        }
    }

    /// Of a model that is being opened and nobody chose: it is in use only for what no other open one can.
    pub fn open_unasked(&mut self, model: ModelId) {
        self.unasked.insert(model);
    }

    /// A job by id.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// True while the job waits, runs or is paused.
    #[must_use]
    pub fn is_active(&self, id: JobId) -> bool {
        self.jobs.get(&id).is_some_and(Job::is_active)
    }

    /// Why a job failed, if it did and the person has not put that away.
    #[must_use]
    pub fn error(&self, id: JobId) -> Option<&UserError> {
        let job = self.jobs.get(&id)?;
        match &job.phase {
            Phase::Failed(error) if !job.is_dismissed => Some(error),
            _ => None,
        }
    }

    /// Puts the error of a job away. The log keeps it.
    pub fn dismiss(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.is_dismissed = true;
        }
    }

    /// Jobs that wait, run or are paused, oldest first.
    pub fn active_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|j| j.is_active())
    }

    /// The opening that is under way, if any.
    #[must_use]
    pub fn opening(&self) -> Option<&Job> {
        self.active_jobs().find(|j| matches!(*j.work, Work::Open(_)))
    }

    /// The opening that was asked for last, however it went.
    #[must_use]
    pub fn latest_opening(&self) -> Option<&Job> {
        self.jobs.values().rev().find(|j| matches!(*j.work, Work::Open(_)))
    }

    /// What a job brought in the end, if it is of this kind and still kept.
    #[must_use]
    pub fn report<R: Reported>(&self, job: JobId) -> Option<&Arc<R>> {
        R::of(self.jobs.get(&job)?.outcome.as_ref()?)
    }

    /// What a job has so far of what it will end with, if it is of this kind.
    #[must_use]
    pub fn so_far<R: Reported>(&self, job: JobId) -> Option<&Arc<R>> {
        R::of(self.jobs.get(&job)?.so_far.as_ref()?)
    }

    /// Every kept result of this kind, oldest first, with its job.
    pub fn reports<R: Reported + 'static>(&self) -> impl DoubleEndedIterator<Item = (&Job, &Arc<R>)> {
        self.jobs.values().filter_map(|job| Some((job, R::of(job.outcome.as_ref()?)?)))
    }

    /// A generation.
    #[must_use]
    pub fn run(&self, job: JobId) -> Option<&Run> {
        match &self.jobs.get(&job)?.live {
            Live::Run(run) => Some(run),
            _ => None,
        }
    }

    /// Generations that are kept, oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.jobs.keys().filter_map(|job| self.run(*job))
    }

    /// The generation that was asked for last.
    #[must_use]
    pub fn latest_run(&self) -> Option<&Run> {
        self.runs().next_back()
    }

    /// A training run.
    #[must_use]
    pub fn training(&self, job: JobId) -> Option<&Training> {
        match &self.jobs.get(&job)?.live {
            Live::Training(training) => Some(training),
            _ => None,
        }
    }

    /// All training runs of this session, oldest first.
    pub fn trainings(&self) -> impl DoubleEndedIterator<Item = &Training> {
        self.jobs.keys().filter_map(|job| self.training(*job))
    }

    /// A curve of accuracy against the number of examples.
    #[must_use]
    pub fn kshot(&self, job: JobId) -> Option<&KShotRun> {
        match &self.jobs.get(&job)?.live {
            Live::KShot(run) => Some(run),
            _ => None,
        }
    }

    /// Takes note of a command that was given to the engine, so that its job can be shown before its first event.
    pub fn sent(&mut self, command: &Command) {
        match command {
            Command::Start { job, model, work } => {
                if work.facts().latest_wins {
                    // The engine drops a waiting one without a word.
                    let kind = std::mem::discriminant(&**work);
                    let is_dropped = |j: &Job| {
                        std::mem::discriminant(&*j.work) == kind && j.model == *model && j.phase == Phase::Waiting
                    };
                    self.jobs.retain(|_, j| !is_dropped(j));
                }
                let made = model.and_then(|model| self.models.get(&model)).map(|open| Made::with(open, work));
                self.jobs.insert(*job, Job { made, ..Job::new(*job, *model, Arc::clone(work), self.now_s) });
            }
            Command::Close { model } => self.forget(*model),
            Command::Cancel { job } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.stopping = true;
                }
            }
            Command::Resume { job } | Command::LetGo { job } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.trouble = None;
                }
            }
            Command::Pause { .. } | Command::Glimpse { .. } | Command::SetDevice { .. } => {}
        }
    }

    /// Takes note of a command that was given to the hub.
    pub fn sent_to_hub(&mut self, command: &HubCommand) {
        if let HubCommand::Cancel { id } = command {
            self.hub.stopping(id);
        }
    }

    fn forget(&mut self, model: ModelId) {
        self.models.remove(&model);
        self.chosen.retain(|id| *id != model);
    }

    /// Takes in one event. Depends on nothing but the state, the event and [`State::now_s`].
    pub fn apply(&mut self, event: Event) {
        let now_s = self.now_s;
        match event {
            Event::Device(status) => {
                if self.device.as_ref() != Some(&status) {
                    self.log.info(now_s, format!("Device: {}. {}", status.name, status.reason));
                }
                self.device = Some(status);
            }
            Event::Model { mut info, weights } => {
                let id = info.id;
                let before = self.models.remove(&id);
                let others: Vec<&str> = self.models.values().map(|open| open.info.name.as_str()).collect();
                info.name = made::own_name(&info.name, before.as_ref().map(|open| open.info.name.as_str()), &others);
                let version = before.as_ref().map_or(0, |open| open.version + 1);
                let weights_version = before
                    .as_ref()
                    .map_or(0, |open| open.weights_version + u64::from(made::has_other_weights(&open.info, &info)));
                let classification = before.and_then(|open| open.classification);
                let open = OpenModel { info, weights, version, weights_version, sha256: None, classification };
                self.models.insert(id, open);
                if !self.chosen.contains(&id) {
                    self.chosen.insert(0, id);
                }
            }
            Event::Progress { job, label, done, total, unit } => {
                if let Some(job) = self.running(job) {
                    job.advance(now_s, label, done, total, unit);
                }
            }
            Event::SoFar { job, outcome } => {
                if let Some(job) = self.running(job) {
                    job.so_far = Some(outcome);
                }
            }
            Event::Prompted { job, .. }
            | Event::Token { job, .. }
            | Event::HeldBack { job, .. }
            | Event::Begun { job, .. }
            | Event::Trained { job, .. }
            | Event::KShot { job, .. }
            | Event::Sample { job, .. }
            | Event::Glimpsed { job, .. }
            | Event::Snapshot { job, .. } => {
                if let Some(job) = self.running(job) {
                    job.live.hear(event, now_s);
                    if let Live::Training(training) = &job.live
                        && let Some(last) = training.points.last()
                    {
                        let (done, total) = (last.step as u64, training.spec().steps as u64);
                        job.advance(now_s, "Training".to_owned(), done, total, "steps");
                    }
                }
            }
            Event::Held { job, error } => {
                self.log.error(now_s, Some(job), error.clone());
                if let Some(job) = self.jobs.get_mut(&job).filter(|j| j.is_active()) {
                    (job.phase, job.trouble) = (Phase::Paused, Some(error));
                }
            }
            Event::Paused { job, paused } => {
                if let Some(job) = self.jobs.get_mut(&job).filter(|j| j.is_active()) {
                    job.phase = if paused { Phase::Paused } else { Phase::Running };
                }
            }
            Event::Done { job, outcome } => self.done(job, outcome),
            Event::Failed { job, error } => {
                self.log.error(now_s, job, error.clone());
                if let Some(job) = job.and_then(|job| self.jobs.get_mut(&job)) {
                    (job.phase, job.ended_s) = (Phase::Failed(error), Some(now_s));
                }
            }
        }
    }

    /// The job, marked as running unless it is held or over.
    fn running(&mut self, id: JobId) -> Option<&mut Job> {
        let job = self.jobs.get_mut(&id)?;
        if job.phase == Phase::Waiting {
            job.phase = Phase::Running;
        }
        Some(job)
    }

    fn done(&mut self, id: JobId, outcome: Outcome) {
        let on = self.jobs.get(&id).and_then(|job| job.model);
        match &outcome {
            Outcome::Opened { model } => {
                if !self.unasked.remove(model) {
                    self.activate(*model);
                }
                if let Some(model) = self.models.get(model) {
                    self.log.info(self.now_s, format!("Opened {}.", model.info.name));
                }
            }
            Outcome::Classified(result) => {
                if let Some(model) = on.and_then(|model| self.models.get_mut(&model)) {
                    model.classification = Some(Arc::clone(result));
                }
            }
            Outcome::Fingerprinted(sha256) => {
                if let Some(model) = on.and_then(|model| self.models.get_mut(&model)) {
                    model.sha256 = Some(sha256.clone());
                }
            }
            Outcome::Trained(summary) => {
                self.log.info(self.now_s, format!("Training ended after {} steps.", summary.steps));
            }
            Outcome::Saved { path } => self.log.info(self.now_s, format!("Saved to {}.", path.display())),
            _ => {}
        }
        let now_s = self.now_s;
        if let Some(job) = self.jobs.get_mut(&id) {
            job.phase = if matches!(outcome, Outcome::Cancelled) { Phase::Cancelled } else { Phase::Done };
            job.ended_s = Some(now_s);
            job.live.end(&outcome);
            (job.so_far, job.outcome) = (None, Some(outcome));
        }
    }
}
