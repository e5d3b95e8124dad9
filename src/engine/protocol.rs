//! The conversation with the engine: commands in, one stream of events out. Plain values only.
#![allow(missing_docs)] // Every variant is documented, its fields with it: `job`, `model` and `path` mean the same everywhere.

use crate::types::{
    BatchReport, BatchSpec, ChatFailure, ChatPrompt, Classification, DeviceChoice, DeviceStatus, DigitImage, Edit,
    EmbeddingReport, EvaluationReport, FillReport, GeneratedToken, GenerationStats, InspectReport, JobId, KShotPoint,
    KShotReport, KShotSpec, LayerWeights, MemoryTraffic, ModelId, ModelInfo, Picture, PictureReport, Precision,
    PromptToken, RenderedChat, Sampling, ScoreReport, ScoreRequest, SiteFilter, TableWarning, TaskTable, TrainPoint,
    TrainSpec, TrainSummary, UserError,
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

/// What the engine can be asked to do. A job's events carry its id; a job ends with exactly one [`Event::Done`] or
/// [`Event::Failed`].
#[derive(Clone, Debug)]
pub enum Command {
    /// Read a model folder. Ends with [`Outcome::Opened`]. Until then a model with the same id stays usable.
    Open { job: JobId, model: ModelId, path: PathBuf },
    /// Build the model that a folder's `config.json` describes, with random weights kept in F32 or F16; for measurements of
    /// speed. Works without weights and tokenizer. Ends with [`Outcome::Opened`].
    OpenRandom { job: JobId, model: ModelId, path: PathBuf, seed: u64, precision: Precision },
    /// Forget a model. Jobs that work on it end with what they have.
    Close { model: ModelId },
    /// Stream tokens, with changes inside the model. [`Event::Prompted`] comes first, then [`Event::Token`]s, then
    /// [`Outcome::Generated`].
    Generate { job: JobId, model: ModelId, prompt: PromptInput, sampling: Box<Sampling>, edits: Vec<Edit> },
    /// One uncached forward pass over a sequence, with changes inside it. Ends with [`Outcome::Inspected`].
    Inspect { job: JobId, model: ModelId, prompt: PromptInput, sites: SiteFilter, edits: Vec<Edit> },
    /// Classify an image. Latest wins: one that is still waiting for the same model is dropped without an event.
    Classify { job: JobId, model: ModelId, image: DigitImage },
    /// Turn texts into vectors with an encoder. Ends with [`Outcome::Embedded`].
    Embed { job: JobId, model: ModelId, texts: Vec<String> },
    /// Guess every mask of a text with an encoder, with the `top` likeliest tokens of each. Ends with
    /// [`Outcome::Filled`].
    Fill { job: JobId, model: ModelId, text: String, top: usize },
    /// Tell what a picture shows. Ends with [`Outcome::PictureClassified`].
    ClassifyPicture { job: JobId, model: ModelId, picture: Picture },
    /// How likely each of some answers is. Ends with [`Outcome::Scored`].
    Score { job: JobId, model: ModelId, request: Box<ScoreRequest> },
    /// Ask every query of a table with one prompt. [`Event::Progress`] in queries; ends with [`Outcome::Batched`].
    RunBatch { job: JobId, model: ModelId, spec: Box<BatchSpec> },
    /// Accuracy against the number of examples. [`Event::KShot`] as points are measured; ends with [`Outcome::KShot`], with
    /// the points so far when it is cancelled.
    RunKShot { job: JobId, model: ModelId, spec: Box<KShotSpec> },
    /// Read a table of pairs from a TSV, CSV or JSONL file. Ends with [`Outcome::TableRead`].
    ReadTable { job: JobId, path: PathBuf },
    /// The SHA-256 of the weights of an open model, by which an exported run names it. Ends with
    /// [`Outcome::Fingerprinted`].
    Fingerprint { job: JobId, model: ModelId },
    /// Measure a model on a folder or file. Ends with [`Outcome::Evaluated`].
    Evaluate { job: JobId, model: ModelId, data: PathBuf },
    /// Measure how fast the device reads memory, and count what a token of a causal model reads. Takes half a gigabyte for a
    /// moment. Ends with [`Outcome::MemoryMeasured`].
    MeasureMemory { job: JobId, model: ModelId },
    /// Train. `model` is where the weights in training can be used from, while the run goes on and afterwards: an open
    /// model for [`crate::types::StartFrom::OpenModel`], else a new id. Ends with [`Outcome::Trained`].
    Train { job: JobId, model: ModelId, spec: Box<TrainSpec> },
    /// Write a model as a folder that Fovea and transformers open, its weights in `precision`. Ends with
    /// [`Outcome::Saved`].
    Save { job: JobId, model: ModelId, path: PathBuf, precision: Precision },
    /// Hold a job between two steps.
    Pause { job: JobId },
    /// Go on with a job that was held.
    Resume { job: JobId },
    /// End a job within one step. It ends with what it has.
    Cancel { job: JobId },
    /// Move to another device. Jobs end with what they have; open models come along, weights in training included.
    SetDevice { choice: DeviceChoice },
}

/// What the engine says.
#[derive(Clone, Debug)]
pub enum Event {
    /// The device in use; sent at start and after every change.
    Device(DeviceStatus),
    /// How far a job is. `done` of `total`, in `unit`s; `total` 0 means unknown.
    Progress { job: JobId, label: String, done: u64, total: u64, unit: &'static str },
    /// The answer to [`crate::engine::EngineHandle::tokenize`]. `request` is the number given there. `special` are the
    /// places of special tokens; `chat` tells what a conversation was written as, or why it could not be.
    Tokenized {
        request: u64,
        model: ModelId,
        tokens: Vec<PromptToken>,
        special: Vec<usize>,
        chat: Option<Result<RenderedChat, ChatFailure>>,
    },
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
    /// A text the model in training wrote, unasked, after a validation: the same prompt each time.
    Sample { job: JobId, step: usize, text: String },
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
    /// Generation ended.
    Generated(GenerationStats),
    /// The captured sites.
    Inspected(Arc<InspectReport>),
    /// The network's answer.
    Classified { model: ModelId, result: Arc<Classification> },
    /// The vectors of the texts.
    Embedded(Arc<EmbeddingReport>),
    /// The guesses for every mask.
    Filled(Arc<FillReport>),
    /// What the picture shows.
    PictureClassified(Arc<PictureReport>),
    /// How likely every answer is.
    Scored(Arc<ScoreReport>),
    /// The answers to a table of queries.
    Batched(Arc<BatchReport>),
    /// Accuracy against the number of examples.
    KShot(Arc<KShotReport>),
    /// A table of pairs, and what is odd about it.
    TableRead { table: Arc<TaskTable>, warnings: Vec<TableWarning> },
    /// The SHA-256 of a model's weights in hexadecimal digits; of the weights in memory for a model changed since it was
    /// opened.
    Fingerprinted { model: ModelId, sha256: String },
    /// The measurement.
    Evaluated(EvaluationReport),
    /// What a token reads, and how fast the device does.
    MemoryMeasured(MemoryTraffic),
    /// Training ended.
    Trained(TrainSummary),
    /// Written to this folder.
    Saved { path: PathBuf },
    /// The job was cancelled before it had anything to show.
    Cancelled,
}
