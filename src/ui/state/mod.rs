//! What the engine's events have left behind. Changed by [`State::apply`] and [`State::sent`] only.

mod hub;
mod job;
mod log;
mod result;
#[cfg(test)]
mod tests;

pub use hub::{Download, DownloadPhase, HubState};
pub use job::{Job, JobKind, Phase, Progress};
pub use log::{Log, LogEntry};
pub use result::{Evaluation, Inspection, KShotRun, OpenModel, ReadTable, Run, ShippedModel, Tokenized, Training};

use crate::engine::{Command, Event, Outcome};
use crate::hub::HubCommand;
use crate::types::{
    BatchReport, Classification, DeviceStatus, EmbeddingReport, FillReport, JobId, ModelId, ModelKind, PictureReport,
    ScoreReport, UserError,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Finished jobs that are kept, so that their errors and times can be shown.
const JOBS_KEPT: usize = 256;
/// Generations that are kept.
const RUNS_KEPT: usize = 32;
/// Embeddings, filled masks and classified pictures that are kept.
const REPORTS_KEPT: usize = 8;
/// Scores, batches and curves that are kept.
const MEASUREMENTS_KEPT: usize = 64;
/// Inspections that are kept; each may hold hundreds of megabytes.
const INSPECTIONS_KEPT: usize = 2;

/// Everything the window knows of the engine's world.
#[derive(Default)]
pub struct State {
    /// Seconds since the app started; set by the app before events are applied.
    pub now_s: f64,
    /// The device in use, once known.
    pub device: Option<DeviceStatus>,
    /// Memory the process holds, in bytes, where the platform tells.
    pub memory_bytes: Option<u64>,
    /// Memory that is free for models, in bytes, where the platform tells.
    pub free_memory: Option<u64>,
    /// Models that come with Fovea.
    pub shipped: Vec<ShippedModel>,
    /// Model folders opened lately, newest first.
    pub recent: Vec<PathBuf>,
    /// Models in the Hugging Face cache, and downloads into it.
    pub hub: HubState,
    /// Open models.
    pub models: BTreeMap<ModelId, OpenModel>,
    /// Jobs by id: waiting, running, and the latest finished ones.
    pub jobs: BTreeMap<JobId, Job>,
    /// Generations by job.
    pub runs: BTreeMap<JobId, Run>,
    /// Inspections by job.
    pub inspections: BTreeMap<JobId, Inspection>,
    /// The latest answer of each digit network.
    pub classifications: BTreeMap<ModelId, Arc<Classification>>,
    /// Vectors of texts by job, the latest few.
    pub embeddings: BTreeMap<JobId, Arc<EmbeddingReport>>,
    /// Filled masks by job, the latest few.
    pub fills: BTreeMap<JobId, Arc<FillReport>>,
    /// What pictures show, by job, the latest few.
    pub pictures: BTreeMap<JobId, Arc<PictureReport>>,
    /// Scored answers by job.
    pub scores: BTreeMap<JobId, Arc<ScoreReport>>,
    /// Batches of queries by job.
    pub batches: BTreeMap<JobId, Arc<BatchReport>>,
    /// Curves of accuracy against the number of examples by job.
    pub kshots: BTreeMap<JobId, KShotRun>,
    /// Tables read from files by job, the latest few.
    pub tables: BTreeMap<JobId, ReadTable>,
    /// SHA-256 of the weights of open models, where it was asked for.
    pub fingerprints: BTreeMap<ModelId, String>,
    /// Training runs by job, all of this session.
    pub trainings: BTreeMap<JobId, Training>,
    /// Evaluations by job.
    pub evaluations: BTreeMap<JobId, Evaluation>,
    /// The latest answer to a [`super::Cx::tokenize`].
    pub tokenized: Option<Tokenized>,
    /// Everything worth reading later, errors above all.
    pub log: Log,
    active_text: Option<ModelId>,
    active_encoder: Option<ModelId>,
    active_image: Option<ModelId>,
    active_digits: Option<ModelId>,
    focus: Option<ModelKind>,
}

impl State {
    /// The model in use for this kind of work.
    #[must_use]
    pub fn active(&self, kind: ModelKind) -> Option<&OpenModel> {
        let id = match kind {
            ModelKind::CausalLm => self.active_text,
            ModelKind::TextEncoder => self.active_encoder,
            ModelKind::ImageClassifier => self.active_image,
            ModelKind::DigitClassifier => self.active_digits,
        };
        self.models.get(&id?)
    }

    /// Of the kinds that read prompts (texts or pictures in colour), the one whose model was chosen last: what the prompt
    /// and attention panels work with.
    #[must_use]
    pub fn focus(&self) -> ModelKind {
        self.focus.filter(|kind| self.active(*kind).is_some()).unwrap_or(ModelKind::CausalLm)
    }

    /// Makes a model the one in use for its kind. Does nothing for a model that is not open.
    pub fn activate(&mut self, model: ModelId) {
        let kind = self.models.get(&model).map(|m| m.info.kind());
        if kind.is_some() && kind != Some(ModelKind::DigitClassifier) {
            self.focus = kind;
        }
        self.put_in_use(model);
    }

    /// As [`Self::activate`], without a say in what the prompt and attention panels work with.
    fn put_in_use(&mut self, model: ModelId) {
        match self.models.get(&model).map(|m| m.info.kind()) {
            Some(ModelKind::CausalLm) => self.active_text = Some(model),
            Some(ModelKind::TextEncoder) => self.active_encoder = Some(model),
            Some(ModelKind::ImageClassifier) => self.active_image = Some(model),
            Some(ModelKind::DigitClassifier) => self.active_digits = Some(model),
            None => {}
        }
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

    /// Why a job failed, if it did.
    #[must_use]
    pub fn error(&self, id: JobId) -> Option<&UserError> {
        match &self.jobs.get(&id)?.phase {
            Phase::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Jobs that wait, run or are paused, oldest first.
    pub fn active_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().filter(|j| j.is_active())
    }

    /// The opening that is under way, if any.
    #[must_use]
    pub fn opening(&self) -> Option<&Job> {
        self.active_jobs().find(|j| matches!(j.kind, JobKind::Open { .. }))
    }

    /// The generation that was asked for last.
    #[must_use]
    pub fn latest_run(&self) -> Option<&Run> {
        self.runs.values().next_back()
    }

    /// Takes note of a command that was given to the engine, so that its job can be shown before its first event.
    pub fn sent(&mut self, command: &Command) {
        let now_s = self.now_s;
        let (id, model, kind) = match command {
            Command::Open { job, model, path } | Command::OpenRandom { job, model, path, .. } => {
                (*job, Some(*model), JobKind::Open { path: path.clone() })
            }
            Command::Generate { job, model, prompt, sampling, .. } => {
                self.runs.insert(*job, Run::new(*job, *model, prompt.clone(), sampling.as_ref().clone()));
                keep_latest(&mut self.runs, RUNS_KEPT);
                (*job, Some(*model), JobKind::Generate)
            }
            Command::Inspect { job, model, .. } => (*job, Some(*model), JobKind::Inspect),
            Command::Classify { job, model, .. } => {
                // Latest wins: the engine drops a waiting one without a word.
                self.jobs.retain(|_, j| {
                    !(j.kind == JobKind::Classify && j.model == Some(*model) && j.phase == Phase::Waiting)
                });
                (*job, Some(*model), JobKind::Classify)
            }
            Command::Embed { job, model, .. } => (*job, Some(*model), JobKind::Embed),
            Command::Fill { job, model, .. } => (*job, Some(*model), JobKind::Fill),
            Command::ClassifyPicture { job, model, .. } => (*job, Some(*model), JobKind::ClassifyPicture),
            Command::Score { job, model, .. } => (*job, Some(*model), JobKind::Score),
            Command::RunBatch { job, model, .. } => (*job, Some(*model), JobKind::Batch),
            Command::RunKShot { job, model, spec } => {
                let (spec, points) = ((**spec).clone(), Vec::new());
                self.kshots.insert(*job, KShotRun { job: *job, model: *model, spec, points, report: None });
                keep_latest(&mut self.kshots, MEASUREMENTS_KEPT);
                (*job, Some(*model), JobKind::KShot)
            }
            Command::ReadTable { job, path } => (*job, None, JobKind::ReadTable { path: path.clone() }),
            Command::Fingerprint { job, model } => (*job, Some(*model), JobKind::Fingerprint),
            Command::Evaluate { job, model, data } => (*job, Some(*model), JobKind::Evaluate { data: data.clone() }),
            Command::Train { job, model, spec } => {
                self.trainings.insert(*job, Training::new(*job, *model, (**spec).clone()));
                (*job, Some(*model), JobKind::Train)
            }
            Command::Save { job, model, path, .. } => (*job, Some(*model), JobKind::Save { path: path.clone() }),
            Command::Close { model } => {
                self.forget(*model);
                return;
            }
            Command::Cancel { job } => {
                if let Some(job) = self.jobs.get_mut(job) {
                    job.stopping = true;
                }
                return;
            }
            Command::Pause { .. } | Command::Resume { .. } | Command::SetDevice { .. } => return,
            Command::MeasureMemory { .. } => return, // asked by the command line alone
        };
        self.jobs.insert(id, Job::new(id, kind, model, now_s));
    }

    /// Takes note of a command that was given to the hub.
    pub fn sent_to_hub(&mut self, command: &HubCommand) {
        if let HubCommand::Cancel { id } = command {
            self.hub.stopping(id);
        }
    }

    fn forget(&mut self, model: ModelId) {
        self.models.remove(&model);
        self.fingerprints.remove(&model);
        self.classifications.remove(&model);
        let other = |kind| self.models.values().find(|m| m.info.kind() == kind).map(|m| m.info.id);
        if self.active_text == Some(model) {
            self.active_text = other(ModelKind::CausalLm);
        }
        if self.active_encoder == Some(model) {
            self.active_encoder = other(ModelKind::TextEncoder);
        }
        if self.active_image == Some(model) {
            self.active_image = other(ModelKind::ImageClassifier);
        }
        if self.active_digits == Some(model) {
            self.active_digits = other(ModelKind::DigitClassifier);
        }
    }

    /// Takes in one event. Depends on nothing but the state, the event and [`State::now_s`].
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Device(status) => {
                if self.device.as_ref() != Some(&status) {
                    self.log.info(self.now_s, format!("Device: {}. {}", status.name, status.reason));
                }
                self.device = Some(status);
            }
            Event::Progress { job, label, done, total, unit } => {
                let now_s = self.now_s;
                if let Some(job) = self.running(job) {
                    job.advance(now_s, label, done, total, unit);
                }
            }
            Event::Tokenized { request, model, tokens, special, chat } => {
                self.tokenized = Some(Tokenized { request, model, tokens, special, chat });
            }
            Event::Prompted { job, tokens } => {
                self.running(job);
                if let Some(run) = self.runs.get_mut(&job) {
                    run.prompt = tokens;
                }
            }
            Event::Token { job, token } => {
                self.running(job);
                let now_s = self.now_s;
                if let Some(run) = self.runs.get_mut(&job) {
                    run.push(token, now_s);
                }
            }
            Event::HeldBack { job, text } => {
                if let Some(run) = self.runs.get_mut(&job) {
                    run.complete(&text);
                }
            }
            Event::Model { info, weights } => {
                let (id, kind) = (info.id, info.kind());
                self.fingerprints.remove(&id);
                let version = self.models.get(&id).map_or(0, |open| open.version + 1);
                self.models.insert(id, OpenModel { info, weights, version });
                if self.active(kind).is_none() {
                    self.put_in_use(id);
                }
            }
            Event::Trained { job, points } => {
                let now_s = self.now_s;
                let mut reached = None;
                if let Some(training) = self.trainings.get_mut(&job) {
                    training.points.extend(points);
                    reached = training.points.last().map(|p| (p.step as u64, training.spec.steps as u64));
                }
                if let (Some(job), Some((done, total))) = (self.running(job), reached) {
                    job.advance(now_s, "Training".to_owned(), done, total, "steps");
                }
            }
            Event::KShot { job, points } => {
                self.running(job);
                if let Some(run) = self.kshots.get_mut(&job) {
                    run.points.extend(points);
                }
            }
            Event::Sample { job, step, text } => {
                if let Some(training) = self.trainings.get_mut(&job) {
                    training.samples.push((step, text));
                }
            }
            Event::Paused { job, paused } => {
                if let Some(job) = self.jobs.get_mut(&job).filter(|j| j.is_active()) {
                    job.phase = if paused { Phase::Paused } else { Phase::Running };
                }
            }
            Event::Done { job, outcome } => self.done(job, outcome),
            Event::Failed { job, error } => self.failed(job, error),
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
        let phase = if matches!(outcome, Outcome::Cancelled) { Phase::Cancelled } else { Phase::Done };
        self.end(id, phase);
        match outcome {
            Outcome::Opened { model } => {
                self.activate(model);
                if let Some(model) = self.models.get(&model) {
                    self.log.info(self.now_s, format!("Opened {}.", model.info.name));
                }
            }
            Outcome::Generated(stats) => {
                if let Some(run) = self.runs.get_mut(&id) {
                    run.stats = Some(stats);
                }
            }
            Outcome::Inspected(report) => {
                let model = self.jobs.get(&id).and_then(|j| j.model);
                self.inspections.insert(id, Inspection { job: id, model, report });
                keep_latest(&mut self.inspections, INSPECTIONS_KEPT);
            }
            Outcome::Classified { model, result } => {
                self.classifications.insert(model, result);
            }
            Outcome::Embedded(report) => {
                self.embeddings.insert(id, report);
                keep_latest(&mut self.embeddings, REPORTS_KEPT);
            }
            Outcome::Filled(report) => {
                self.fills.insert(id, report);
                keep_latest(&mut self.fills, REPORTS_KEPT);
            }
            Outcome::PictureClassified(report) => {
                self.pictures.insert(id, report);
                keep_latest(&mut self.pictures, REPORTS_KEPT);
            }
            Outcome::Scored(report) => {
                self.scores.insert(id, report);
                keep_latest(&mut self.scores, MEASUREMENTS_KEPT);
            }
            Outcome::Batched(report) => {
                self.batches.insert(id, report);
                keep_latest(&mut self.batches, MEASUREMENTS_KEPT);
            }
            Outcome::KShot(report) => {
                if let Some(run) = self.kshots.get_mut(&id) {
                    run.points.clone_from(&report.points);
                    run.report = Some(report);
                }
            }
            Outcome::TableRead { table, warnings } => {
                self.tables.insert(id, ReadTable { table, warnings });
                keep_latest(&mut self.tables, REPORTS_KEPT);
            }
            Outcome::Fingerprinted { model, sha256 } => {
                self.fingerprints.insert(model, sha256);
            }
            Outcome::Evaluated(report) => {
                if let Some(job) = self.jobs.get(&id) {
                    let JobKind::Evaluate { data } = &job.kind else { return };
                    let evaluation = Evaluation { job: id, model: job.model, data: data.clone(), report };
                    self.evaluations.insert(id, evaluation);
                }
            }
            Outcome::Trained(summary) => {
                self.log.info(self.now_s, format!("Training ended after {} steps.", summary.steps));
                if let Some(training) = self.trainings.get_mut(&id) {
                    training.summary = Some(summary);
                }
            }
            Outcome::Saved { path } => self.log.info(self.now_s, format!("Saved to {}.", path.display())),
            Outcome::MemoryMeasured(_) | Outcome::Cancelled => {}
        }
    }

    fn failed(&mut self, id: Option<JobId>, error: UserError) {
        self.log.error(self.now_s, id, error.clone());
        if let Some(id) = id {
            self.end(id, Phase::Failed(error));
        }
    }

    fn end(&mut self, id: JobId, phase: Phase) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.phase = phase;
            job.ended_s = Some(self.now_s);
        }
        let finished: Vec<JobId> = self.jobs.values().filter(|j| !j.is_active()).map(|j| j.id).collect();
        for old in finished.iter().take(finished.len().saturating_sub(JOBS_KEPT)) {
            self.jobs.remove(old);
        }
    }
}

fn keep_latest<V>(map: &mut BTreeMap<JobId, V>, count: usize) {
    while map.len() > count {
        map.pop_first();
    }
}
