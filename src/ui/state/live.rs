//! What jobs bring before they end.

use crate::engine::{Event, GenerateSpec, Outcome, Work};
use crate::types::{
    GeneratedToken, GenerationStats, Glimpse, JobId, KShotPoint, KShotSpec, ModelId, PromptToken, RunRecord, RunSample,
    RunSnapshot, TrainPoint, TrainSpec, TrainSummary,
};
use std::sync::Arc;

/// What a job has brought so far.
#[derive(Clone, Debug)]
pub enum Live {
    /// Nothing: it tells everything at its end.
    Nothing,
    /// Tokens.
    Run(Run),
    /// Points of a learning curve.
    Training(Training),
    /// Points of a curve of accuracy against the number of examples.
    KShot(KShotRun),
}

impl Live {
    pub(super) fn of(job: JobId, model: Option<ModelId>, work: &Arc<Work>) -> Self {
        match (work.itself(), model) {
            (Work::Generate(_), Some(model)) => Self::Run(Run::new(job, model, Arc::clone(work))),
            (Work::Train(_), Some(model)) => Self::Training(Training {
                job,
                model,
                work: Arc::clone(work),
                points: Vec::new(),
                samples: Vec::new(),
                snapshots: Vec::new(),
                glimpse: None,
                record: None,
                summary: None,
            }),
            (Work::KShot(_), Some(model)) => {
                Self::KShot(KShotRun { job, model, work: Arc::clone(work), points: Vec::new() })
            }
            _ => Self::Nothing,
        }
    }

    /// Takes in an event of its job.
    pub(super) fn hear(&mut self, event: Event, now_s: f64) {
        match (self, event) {
            (Self::Run(run), Event::Prompted { tokens, .. }) => run.prompt = tokens,
            (Self::Run(run), Event::Token { token, .. }) => run.push(token, now_s),
            (Self::Run(run), Event::HeldBack { text, .. }) => run.complete(&text),
            (Self::Training(training), Event::Trained { points, .. }) => training.points.extend(points),
            (Self::Training(training), Event::Begun { record, .. }) => training.record = Some(record),
            (Self::Training(training), Event::Sample { sample, .. }) => training.samples.push(sample),
            (Self::Training(training), Event::Snapshot { snapshot, .. }) => {
                training.snapshots.push(*snapshot);
            }
            (Self::Training(training), Event::Glimpsed { glimpse, .. }) => training.glimpse = Some(glimpse),
            (Self::KShot(run), Event::KShot { points, .. }) => run.points.extend(points),
            _ => {}
        }
    }

    /// Takes in the end of its job.
    pub(super) fn end(&mut self, outcome: &Outcome) {
        match (self, outcome) {
            (Self::Run(run), Outcome::Generated(stats)) => run.stats = Some(stats.clone()),
            (Self::Training(training), Outcome::Trained(summary)) => training.summary = Some(summary.clone()),
            (Self::KShot(run), Outcome::KShot(report)) => run.points.clone_from(&report.points),
            _ => {}
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Nothing => 0,
            // A token has ten alternatives with texts of their own.
            Self::Run(run) => run.tokens.len() * 1024 + run.prompt.len() * 64,
            Self::Training(training) => training.points.len() * size_of::<TrainPoint>(),
            Self::KShot(run) => run.points.len() * size_of::<KShotPoint>(),
        }
    }
}

/// One generation.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its job.
    pub job: JobId,
    /// The model.
    pub model: ModelId,
    work: Arc<Work>,
    /// The prompt's tokens, once read.
    pub prompt: Vec<PromptToken>,
    /// Tokens generated so far.
    pub tokens: Vec<GeneratedToken>,
    /// Timing, once ended.
    pub stats: Option<GenerationStats>,
    /// All generated text so far.
    pub text: String,
    first_token_s: Option<f64>,
    last_token_s: f64,
}

impl Run {
    fn new(job: JobId, model: ModelId, work: Arc<Work>) -> Self {
        Self {
            job,
            model,
            work,
            prompt: Vec::new(),
            tokens: Vec::new(),
            stats: None,
            text: String::new(),
            first_token_s: None,
            last_token_s: 0.0,
        }
    }

    /// What was asked.
    #[must_use]
    pub fn spec(&self) -> &GenerateSpec {
        match self.work.itself() {
            Work::Generate(spec) => spec,
            other => unreachable!("{} streams no tokens", other.facts().name),
        }
    }

    fn push(&mut self, token: GeneratedToken, now_s: f64) {
        self.first_token_s.get_or_insert(now_s);
        self.last_token_s = now_s;
        self.text.push_str(&token.text);
        self.tokens.push(token);
    }

    /// Takes the text that was held back for the last token.
    fn complete(&mut self, text: &str) {
        if let Some(last) = self.tokens.last_mut() {
            self.text.push_str(text);
            last.text.push_str(text);
        }
    }

    /// Ids of the whole sequence: prompt, then generated.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        self.prompt.iter().map(|t| t.id).chain(self.tokens.iter().map(|t| t.id)).collect()
    }

    /// Tokens a second so far, by the window's clock; the engine's own figure once the run has ended.
    #[must_use]
    pub fn tokens_per_s(&self) -> f64 {
        if let Some(stats) = &self.stats {
            return stats.tokens_per_s;
        }
        let elapsed = self.last_token_s - self.first_token_s.unwrap_or(self.last_token_s);
        if elapsed > 0.0 { (self.tokens.len() - 1) as f64 / elapsed } else { 0.0 }
    }
}

/// One training run.
#[derive(Clone, Debug)]
pub struct Training {
    /// Its job.
    pub job: JobId,
    /// The model in training.
    pub model: ModelId,
    work: Arc<Work>,
    /// The learning curve so far.
    pub points: Vec<TrainPoint>,
    /// Texts written after validations: step and text.
    pub samples: Vec<RunSample>,
    /// What was noted at the steps that were chosen.
    pub snapshots: Vec<RunSnapshot>,
    /// What it was asked when somebody looked last.
    pub glimpse: Option<Box<Glimpse>>,
    /// What the engine tells of it, once it has begun.
    pub record: Option<Box<RunRecord>>,
    /// How it ended, once it has.
    pub summary: Option<TrainSummary>,
}

impl Training {
    /// What was asked.
    #[must_use]
    pub fn spec(&self) -> &TrainSpec {
        match &*self.work {
            Work::Train(spec) => spec,
            other => unreachable!("{} has no learning curve", other.facts().name),
        }
    }
}

/// One curve of accuracy against the number of examples.
#[derive(Clone, Debug)]
pub struct KShotRun {
    /// Its job.
    pub job: JobId,
    /// The model.
    pub model: ModelId,
    work: Arc<Work>,
    /// The points so far.
    pub points: Vec<KShotPoint>,
}

impl KShotRun {
    /// What was asked.
    #[must_use]
    pub fn spec(&self) -> &KShotSpec {
        match &*self.work {
            Work::KShot(spec) => spec,
            other => unreachable!("{} has no points", other.facts().name),
        }
    }
}
