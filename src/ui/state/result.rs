//! What jobs have brought so far.

use crate::engine::PromptInput;
use crate::types::{
    ChatFailure, EvaluationReport, GeneratedToken, GenerationStats, InspectReport, JobId, KShotPoint, KShotReport,
    KShotSpec, LayerWeights, ModelId, ModelInfo, ModelKind, PromptToken, RenderedChat, Sampling, TableWarning,
    TaskTable, TrainPoint, TrainSpec, TrainSummary,
};
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

/// An open model.
#[derive(Clone, Debug)]
pub struct OpenModel {
    /// What is known of it.
    pub info: ModelInfo,
    /// Its weights as pictures (digit networks only). The same `Arc` as long as they have not changed.
    pub weights: Arc<Vec<LayerWeights>>,
    /// Counts the times the model was opened, trained or saved: what was computed before belongs to other weights.
    pub version: u64,
}

/// The answer to a tokenization.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokenized {
    /// The number it was asked with.
    pub request: u64,
    /// Whose tokenizer.
    pub model: ModelId,
    /// The tokens.
    pub tokens: Vec<PromptToken>,
    /// Places of the special ones.
    pub special: Vec<usize>,
    /// What a conversation was written as, or why it could not be; `None` for a text.
    pub chat: Option<Result<RenderedChat, ChatFailure>>,
}

/// One generation.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its job.
    pub job: JobId,
    /// The model.
    pub model: ModelId,
    /// What was asked.
    pub asked: PromptInput,
    /// How tokens are drawn.
    pub sampling: Sampling,
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
    pub(super) fn new(job: JobId, model: ModelId, asked: PromptInput, sampling: Sampling) -> Self {
        Self {
            job,
            model,
            asked,
            sampling,
            prompt: Vec::new(),
            tokens: Vec::new(),
            stats: None,
            text: String::new(),
            first_token_s: None,
            last_token_s: 0.0,
        }
    }

    pub(super) fn push(&mut self, token: GeneratedToken, now_s: f64) {
        self.first_token_s.get_or_insert(now_s);
        self.last_token_s = now_s;
        self.text.push_str(&token.text);
        self.tokens.push(token);
    }

    /// Takes the text that was held back for the last token.
    pub(super) fn complete(&mut self, text: &str) {
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

/// One inspected forward pass.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its job.
    pub job: JobId,
    /// The model.
    pub model: Option<ModelId>,
    /// The captured sites.
    pub report: Arc<InspectReport>,
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Its job.
    pub job: JobId,
    /// The model.
    pub model: Option<ModelId>,
    /// The data.
    pub data: PathBuf,
    /// The figures.
    pub report: EvaluationReport,
}

/// One training run.
#[derive(Clone, Debug)]
pub struct Training {
    /// Its job.
    pub job: JobId,
    /// The model in training.
    pub model: ModelId,
    /// What was asked.
    pub spec: TrainSpec,
    /// The learning curve so far.
    pub points: Vec<TrainPoint>,
    /// Texts written after validations: step and text.
    pub samples: Vec<(usize, String)>,
    /// How it ended, once it has.
    pub summary: Option<TrainSummary>,
}

impl Training {
    pub(super) fn new(job: JobId, model: ModelId, spec: TrainSpec) -> Self {
        Self { job, model, spec, points: Vec::new(), samples: Vec::new(), summary: None }
    }
}

/// One curve of accuracy against the number of examples.
#[derive(Clone, Debug)]
pub struct KShotRun {
    /// Its job.
    pub job: JobId,
    /// The model.
    pub model: ModelId,
    /// What was asked.
    pub spec: KShotSpec,
    /// The points so far.
    pub points: Vec<KShotPoint>,
    /// All of it, once ended.
    pub report: Option<Arc<KShotReport>>,
}

/// A table of pairs that was read from a file.
#[derive(Clone, Debug)]
pub struct ReadTable {
    /// The table.
    pub table: Arc<TaskTable>,
    /// What is odd about it.
    pub warnings: Vec<TableWarning>,
}
