//! The conversation with the engine: commands in, one stream of events out. Plain values only.
#![allow(missing_docs)] // Every variant is documented, its fields with it: `job`, `model` and `path` mean the same everywhere.

use super::Work;
use crate::types::{
    AdaptReport, AttributionReport, BaselinesReport, BatchReport, BiasReport, BrokenReport, ChatPrompt, Classification,
    ClassifyReport, ContextsReport, DeviceChoice, DeviceStatus, EditFaults, EditedNext, EmbeddingReport,
    EvaluationReport, FillReport, ForgetReport, GeneratedToken, GenerationStats, Glimpse, HeadWrites, InspectReport,
    JacobianLens, JobId, KShotPoint, KShotReport, LabelledReport, LayerWeights, LensReport, LossesReport, MemoryReport,
    MemoryTraffic, ModelId, ModelInfo, NeighboursReport, PaceReport, PatchReport, Picture, PictureReport, PromptToken,
    RunRecord, RunSample, RunSnapshot, SamplesReport, ScoreEachReport, ScoreReport, StatesReport, StepsReport,
    SurpriseReport, SweepReport, TableReport, TermsReport, TokenizeReport, TrainPoint, TrainSummary, TrainingCost,
    UserError, WordOrderReport,
};
use std::path::PathBuf;
use std::sync::Arc;

/// What a prompt is given as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptInput {
    /// Text, tokenized by the model's own tokenizer, special tokens added as it prescribes.
    Text(String),
    /// Token ids, used as they are.
    Ids(Vec<u32>),
    /// A picture, brought to the size the model reads; its patches are the tokens.
    Picture(Picture),
    /// A conversation, written by the model's chat template and tokenized as that text is: the template has put in every
    /// special token.
    Chat(Box<ChatPrompt>),
}

impl From<&str> for PromptInput {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for PromptInput {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// What the engine is told. A job's events carry its id; a job ends with exactly one [`Event::Done`] or [`Event::Failed`].
#[derive(Clone, Debug)]
pub enum Command {
    /// Do something, mostly with a model. What it ends with is told at the variant of [`Outcome`] that has its name.
    Start { job: JobId, model: Option<ModelId>, work: Arc<Work> },
    /// Forget a model. Jobs that work on it end with what they have.
    Close { model: ModelId },
    /// Hold a job between two steps.
    Pause { job: JobId },
    /// Go on with a job that was held.
    Resume { job: JobId },
    /// Go on with a job that was held by an error, and give up what failed: a run goes on in memory, and is not kept.
    LetGo { job: JobId },
    /// Tell what a training run is asked at this moment: [`Event::Glimpsed`], before its next step.
    Glimpse { job: JobId },
    /// End a job within one step. It ends with what it has.
    Cancel { job: JobId },
    /// Move to another device. Jobs end with what they have; open models come along, weights in training included.
    SetDevice { choice: DeviceChoice },
}

impl Command {
    /// To do something with a model, or without one.
    pub fn start(job: JobId, model: impl Into<Option<ModelId>>, work: Work) -> Self {
        Self::Start { job, model: model.into(), work: Arc::new(work) }
    }
}

/// What the engine says.
#[derive(Clone, Debug)]
pub enum Event {
    /// The device in use; sent at start and after every change.
    Device(DeviceStatus),
    /// How far a job is. `done` of `total`, in `unit`s; `total` 0 means unknown.
    Progress { job: JobId, label: String, done: u64, total: u64, unit: &'static str },
    /// A generation has read its prompt.
    Prompted { job: JobId, tokens: Vec<PromptToken> },
    /// One generated token.
    Token { job: JobId, token: GeneratedToken },
    /// Text that was held back as the possible beginning of a stop string, and belongs to the last token after all: the
    /// generation was stopped before it was complete.
    HeldBack { job: JobId, text: String },
    /// A model changed: it was opened, trained or saved. Weights are given for digit networks, so that they can be drawn.
    Model { info: ModelInfo, weights: Arc<Vec<LayerWeights>> },
    /// New points of a learning curve; at most 30 such events a second.
    Trained { job: JobId, points: Vec<TrainPoint> },
    /// New points of a curve of accuracy against the number of examples.
    KShot { job: JobId, points: Vec<KShotPoint> },
    /// What a job has so far, in the form it ends with; each stands for the one before.
    SoFar { job: JobId, outcome: Outcome },
    /// A text the model in training wrote, unasked, after a validation: the same prompt each time.
    Sample { job: JobId, sample: RunSample },
    /// What a network in training makes of a sequence that it learns from next, as [`Command::Glimpse`] asked.
    Glimpsed { job: JobId, glimpse: Box<Glimpse> },
    /// A run was looked into at a step that was chosen. Those of before a checkpoint come first, when it is taken up again.
    Snapshot { job: JobId, snapshot: Box<RunSnapshot> },
    /// A training run is about to take its first step, or the first after a checkpoint.
    Begun { job: JobId, record: Box<RunRecord> },
    /// A job cannot go on as things are, and is held: [`Command::Resume`] tries again, [`Command::LetGo`] gives up what failed.
    Held { job: JobId, error: UserError },
    /// A job was held or goes on.
    Paused { job: JobId, paused: bool },
    /// A job ended well, or was stopped and ended with what it had.
    Done { job: JobId, outcome: Outcome },
    /// A job, or (without a job) the engine's own work, ended with an error.
    Failed { job: Option<JobId>, error: UserError },
}

/// What a job ended with.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The model is ready. [`Event::Model`] was sent before.
    Opened { model: ModelId },
    /// The model has an adapter, uses it in another way, or has none any more. [`Event::Model`] was sent before.
    Adapted { model: ModelId },
    /// The model has the weights of a snapshot. [`Event::Model`] was sent before.
    SnapshotShown { model: ModelId },
    /// Generation ended.
    Generated(GenerationStats),
    /// The continuations.
    Sampled(Arc<SamplesReport>),
    /// How surprised the model is by each token of a text.
    Surprised(Arc<SurpriseReport>),
    /// The next token before and after edits.
    NextCompared(Arc<EditedNext>),
    /// Why edits cannot be made.
    EditsChecked(Arc<EditFaults>),
    /// The tokens that logit bias is for.
    BiasRead(Arc<BiasReport>),
    /// The captured sites.
    Inspected(Arc<InspectReport>),
    /// Where values stop being numbers.
    BrokenFound(Arc<BrokenReport>),
    /// What heads write.
    WritesMeasured(Arc<HeadWrites>),
    /// What each layer would say.
    LensRead(Arc<LensReport>),
    /// A lens that was fitted, or read from a file.
    LensFitted(Arc<JacobianLens>),
    /// What the score of a token is made of.
    Attributed(Arc<AttributionReport>),
    /// What each part does for an answer.
    Swept(Arc<SweepReport>),
    /// What values of one prompt do in another.
    Patched(Arc<PatchReport>),
    /// A word in two texts.
    ContextsCompared(Arc<ContextsReport>),
    /// What a word is near to.
    NeighboursFound(Arc<NeighboursReport>),
    /// A text in other orders.
    OrderChanged(Arc<WordOrderReport>),
    /// The arithmetic of a token in a head.
    Stepped(Arc<StepsReport>),
    /// The sum that made a number.
    TermsFound(Arc<TermsReport>),
    /// The tokens of a prompt.
    Tokenized(Arc<TokenizeReport>),
    /// The network's answer.
    Classified(Arc<Classification>),
    /// The vectors of the texts.
    Embedded(Arc<EmbeddingReport>),
    /// The guesses for every mask.
    Filled(Arc<FillReport>),
    /// The classes of the texts.
    TextsClassified(Arc<ClassifyReport>),
    /// What the picture shows.
    PictureClassified(Arc<PictureReport>),
    /// How likely every answer is.
    Scored(Arc<ScoreReport>),
    /// How likely every answer is after each of the prompts.
    EachScored(Arc<ScoreEachReport>),
    /// The answers to a table of queries.
    Batched(Arc<BatchReport>),
    /// Accuracy against the number of examples.
    KShot(Arc<KShotReport>),
    /// Ways to adapt a model, side by side.
    WaysCompared(Arc<AdaptReport>),
    /// A table of pairs, and what is odd about it.
    TableRead(Arc<TableReport>),
    /// What labelled data holds.
    LabelledRead(Arc<LabelledReport>),
    /// The SHA-256 of a model's weights in hexadecimal digits; of the weights in memory for a model changed since it was
    /// opened.
    Fingerprinted(String),
    /// The measurement.
    Evaluated(Arc<EvaluationReport>),
    /// What counting reaches.
    Counted(Arc<BaselinesReport>),
    /// What examples cost two models.
    LossesCompared(Arc<LossesReport>),
    /// How far back the last token's loss depends on what was read.
    Forgotten(Arc<ForgetReport>),
    /// What a recurrent model keeps, token by token.
    StatesWatched(Arc<StatesReport>),
    /// What a model remembers, by distance.
    Remembered(Arc<MemoryReport>),
    /// How many tokens a second networks read and learn.
    Paced(Arc<PaceReport>),
    /// What a token reads, and how fast the device does.
    MemoryMeasured(MemoryTraffic),
    /// Training ended.
    Trained(TrainSummary),
    /// What two steps of training took.
    Tried(TrainingCost),
    /// Written to this folder.
    Saved { path: PathBuf },
    /// The job was cancelled before it had anything to show.
    Cancelled,
}
