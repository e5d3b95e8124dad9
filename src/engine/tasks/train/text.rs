//! Learning to predict the next token of a text.

use super::lesson::{Lesson, SampleStep, Score};
use super::passage::{Passages, Sampling};
use super::text_model::{check_shape, new_model};
use crate::engine::Event;
use crate::engine::tasks::corpus::{CorpusReader, FileTokens, separators};
use crate::engine::tasks::text_loss::text_loss;
use crate::engine::tasks::{LoadedModel, ModelStore, TaskContext};
use crate::load::byte_bpe::learn_byte_bpe;
use crate::load::{self, Tokenizer, text_data};
use crate::nn::{CausalLm, in_full_precision};
use crate::types::{ModelId, StartFrom, TextShape, TextTask, TrainSpec, UserError};
use burn::tensor::{Device, Tensor};
use std::path::{Path, PathBuf};

/// Tokens in one slice of a validation.
const SLICE: usize = 2048;
/// Tokens the learning curve is measured on, spread over all that is held out; the finished model is measured on all.
const VALIDATION: usize = 32 * 1024;
/// Tokens of the text's beginning that a sample goes on from.
const OPENING: usize = 6;
/// The tokenizer in a checkpoint: learning it again must not be able to give another one.
pub(super) const TOKENIZER_FILE: &str = "tokenizer.json";

/// A causal model and the text it learns from.
pub(super) struct TextLesson {
    task: TextTask,
    preparing: Preparing,
    passages: Passages,
    held_out: Passages,
    /// Those of the last batch.
    tokens: Vec<u32>,
    /// What samples go on from.
    opening: Vec<u32>,
    sampling: Option<Sampling>,
    /// Kept for checkpoints of runs that learn their own tokenizer.
    tokenizer_json: Option<String>,
}

/// What is done of the preparation.
enum Preparing {
    Nothing,
    /// Reads the files a tokenizer is learned from.
    Collecting {
        waiting: Vec<PathBuf>,
        texts: Vec<String>,
    },
    /// Encodes the files; with the new tokenizer, where the model is made from scratch.
    Encoding {
        reader: Box<CorpusReader>,
        tokenizer: Option<Box<Tokenizer>>,
    },
}

impl TextLesson {
    pub(super) fn new(task: TextTask) -> Self {
        Self {
            task,
            preparing: Preparing::Nothing,
            passages: Passages::default(),
            held_out: Passages::default(),
            tokens: Vec::new(),
            opening: Vec::new(),
            sampling: None,
            tokenizer_json: None,
        }
    }

    /// Decides where model and tokenizer come from.
    fn begin(
        &self,
        spec: &TrainSpec,
        model: ModelId,
        checkpoint: Option<&Path>,
        cx: &mut TaskContext<'_>,
    ) -> Result<Preparing, UserError> {
        let files = text_data::text_files(&self.task.data)?;
        match &spec.start {
            StartFrom::Scratch => {
                check_shape(self.shape()?, self.task.context)?;
                match checkpoint.map(|folder| folder.join(TOKENIZER_FILE)).filter(|file| file.is_file()) {
                    Some(file) => encoding(files, Tokenizer::from_file(&file)?),
                    None => Ok(Preparing::Collecting { waiting: files, texts: Vec::new() }),
                }
            }
            StartFrom::Folder { path } => {
                let job = cx.job;
                let label = format!("Opening {}", path.display());
                let mut opened = load::open_text_model(path, cx.device, &mut |done, total| {
                    (cx.emit)(Event::Progress { job, label: label.clone(), done, total, unit: "bytes" });
                })?;
                opened.info.id = model;
                cx.models.insert(model, LoadedModel::Text(opened));
                self.encode_for(model, files, cx)
            }
            StartFrom::OpenModel => self.encode_for(model, files, cx),
        }
    }

    fn encode_for(&self, model: ModelId, files: Vec<PathBuf>, cx: &TaskContext<'_>) -> Result<Preparing, UserError> {
        let model = cx.models.text(model)?;
        check_context(self.task.context, model.lm.context())?;
        Ok(Preparing::Encoding { reader: Box::new(CorpusReader::of_model(files, model)?), tokenizer: None })
    }

    fn shape(&self) -> Result<&TextShape, UserError> {
        self.task.shape.as_ref().ok_or_else(no_shape)
    }

    /// Parts what is learned from and what is held out: the end of every file, so that both are of the same kind.
    fn split(&mut self, spec: &TrainSpec, files: Vec<FileTokens>) -> Result<(), UserError> {
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        // The largest file is what a run is about; a note about the data may lie beside it.
        let largest = files.iter().max_by_key(|file| file.ids.len());
        self.opening = largest.map_or(Vec::new(), |file| file.ids[..OPENING.min(file.ids.len())].to_vec());
        for mut file in files {
            let kept = file.ids.len() - (file.ids.len() as f64 * spec.validation_share).round() as usize;
            held_out.extend(file.ids.split_off(kept));
            train.extend(file.ids);
        }
        for (name, ids) in [("learned from", &train), ("held out", &held_out)] {
            let may_be_empty = name == "held out" && spec.validation_share == 0.0;
            if ids.len() < 2 && !may_be_empty {
                return Err(UserError::new(
                    "The text is too short.",
                    format!("Only {} tokens are {name}, and predicting one needs another before it.", ids.len()),
                    "Use more text, or another validation share.",
                ));
            }
        }
        // A text shorter than one sequence is learned as one shorter sequence.
        let context = |ids: &[u32]| self.task.context.min(ids.len().saturating_sub(1)).max(1);
        let (of_train, of_held_out) = (context(&train), context(&held_out));
        self.passages = Passages::new(train, of_train, spec.seed);
        self.held_out = Passages::new(held_out, of_held_out, spec.seed);
        Ok(())
    }

    fn windows_per_slice(&self) -> usize {
        (SLICE / self.held_out.context()).max(1)
    }

    fn validation_windows(&self) -> usize {
        self.held_out.windows().min((VALIDATION / self.held_out.context()).max(1))
    }
}

impl Lesson for TextLesson {
    type Net = CausalLm;

    fn beta_2(&self) -> f32 {
        // A shorter memory than the usual 0.999 steadies language models (Brown et al. 2020).
        0.95
    }

    fn prepare(
        &mut self,
        spec: &TrainSpec,
        model: ModelId,
        checkpoint: Option<&Path>,
        cx: &mut TaskContext<'_>,
    ) -> Result<bool, UserError> {
        let job = cx.job;
        let mut tell = |label: &str, (done, total): (u64, u64)| {
            (cx.emit)(Event::Progress { job, label: label.to_owned(), done, total, unit: "bytes" });
        };
        match &mut self.preparing {
            Preparing::Nothing => self.preparing = self.begin(spec, model, checkpoint, cx)?,
            Preparing::Collecting { waiting, texts } => {
                if !waiting.is_empty() {
                    texts.push(text_data::read_text(&waiting.remove(0))?);
                    return Ok(false);
                }
                tell("Learning the vocabulary", (0, 0));
                let texts = std::mem::take(texts);
                let documents =
                    texts.iter().flat_map(|text| text_data::documents(text, &[load::byte_bpe::DOCUMENT_SEPARATOR]));
                let tokenizer = learn_byte_bpe(documents, self.shape()?.vocabulary)?;
                self.preparing = encoding(text_data::text_files(&self.task.data)?, tokenizer)?;
            }
            Preparing::Encoding { reader, tokenizer } => {
                let is_done = match tokenizer {
                    Some(tokenizer) => reader.step(tokenizer)?,
                    None => reader.step(&cx.models.text(model)?.tokenizer)?,
                };
                tell("Splitting the text into tokens", reader.progress());
                if is_done
                    && let Preparing::Encoding { reader, tokenizer } =
                        std::mem::replace(&mut self.preparing, Preparing::Nothing)
                {
                    self.split(spec, reader.into_files()?)?;
                    if let Some(tokenizer) = tokenizer {
                        let mut made = new_model(spec, self.shape()?, *tokenizer, cx.device);
                        made.info.id = model;
                        self.tokenizer_json = Some(made.tokenizer.to_json()?);
                        cx.models.insert(model, LoadedModel::Text(made));
                    }
                    let text_model = cx.models.text(model)?;
                    let ends = text_model.eos.clone();
                    let separators = separators(&text_model.tokenizer, &ends);
                    self.sampling = Some(Sampling::new(self.opening.clone(), &text_model.tokenizer, ends, separators));
                    if let Some(model) = cx.models.get(model) {
                        (cx.emit)(model.event());
                    }
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn net(&self, models: &ModelStore, model: ModelId) -> Result<CausalLm, UserError> {
        net_to_train(models, model)
    }

    fn put(&self, models: &mut ModelStore, model: ModelId, net: CausalLm) -> Result<(), UserError> {
        put_trained(models, model, net)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &CausalLm, step: usize, device: &Device) -> Tensor<1> {
        let context = self.passages.context();
        let sequences = self.passages.batch(spec.batch_size, step);
        self.tokens = sequences.concat();
        text_loss(net, &sequences, context, device)
    }

    fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        (spec.batch_size * self.passages.context()) as u64
    }

    fn validation_slices(&self) -> usize {
        self.validation_windows().div_ceil(self.windows_per_slice())
    }

    fn validate(&self, net: &CausalLm, slice: usize, device: &Device) -> Score {
        let (windows, per_slice) = (self.validation_windows(), self.windows_per_slice());
        let chosen = slice * per_slice..((slice + 1) * per_slice).min(windows);
        let all = self.held_out.windows();
        let sequences: Vec<&[u32]> = chosen.map(|i| self.held_out.window(i * all / windows)).collect();
        let count = sequences.len() * self.held_out.context();
        let mean = text_loss(net, &sequences, self.held_out.context(), device).into_scalar::<f32>();
        Score { loss: f64::from(mean) * count as f64, count, correct: None }
    }

    fn sample(&mut self, net: &CausalLm, _device: &Device) -> SampleStep {
        self.sampling.as_mut().map_or(SampleStep::None, |sampling| sampling.step(net))
    }

    fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        write_tokenizer(self.tokenizer_json.as_deref(), folder)
    }
}

/// The causal model in the store, in the precision that is trained.
pub(super) fn net_to_train(models: &ModelStore, model: ModelId) -> Result<CausalLm, UserError> {
    Ok(in_full_precision(models.text(model)?.lm.clone()))
}

/// Gives the causal model in the store other weights.
pub(super) fn put_trained(models: &mut ModelStore, model: ModelId, net: CausalLm) -> Result<(), UserError> {
    models.text(model)?;
    if let Some(LoadedModel::Text(model)) = models.get_mut(model) {
        model.lm = net;
        model.info.modified = true;
    }
    Ok(())
}

/// Adds a tokenizer that was learned for the run, if one was, to its checkpoint.
pub(super) fn write_tokenizer(tokenizer: Option<&str>, folder: &Path) -> Result<(), UserError> {
    let Some(tokenizer) = tokenizer else { return Ok(()) };
    std::fs::write(folder.join(TOKENIZER_FILE), tokenizer)
        .map_err(|error| super::checkpoint::cannot_write(folder, &error))
}

fn encoding(files: Vec<PathBuf>, tokenizer: Tokenizer) -> Result<Preparing, UserError> {
    let end = tokenizer.token_id(load::byte_bpe::DOCUMENT_SEPARATOR).into_iter().collect::<Vec<_>>();
    let reader = CorpusReader::new(files, &tokenizer, &end)?;
    Ok(Preparing::Encoding { reader: Box::new(reader), tokenizer: Some(Box::new(tokenizer)) })
}

pub(super) fn no_shape() -> UserError {
    UserError::new(
        "A text model cannot be made from scratch without a shape.",
        "The spec has no [task.shape] with hidden, layers, heads and so on.",
        "Add the shape, or start from a model folder.",
    )
}

pub(super) fn check_context(asked: usize, longest: usize) -> Result<(), UserError> {
    if (1..=longest).contains(&asked) {
        return Ok(());
    }
    Err(UserError::new(
        format!("Sequences of {asked} tokens cannot be learned from."),
        format!("The model reads 1 to {longest} tokens."),
        "Change the context and start again.",
    ))
}
