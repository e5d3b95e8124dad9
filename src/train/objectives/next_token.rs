//! Learning to predict the next token of a text.

use super::text::{
    LOOK_AGAIN, OpenedModel, check_context, first_net, folder_model, no_shape, tokenizer_of, write_tokenizer,
};
use crate::load::data::text_data;
use crate::load::tokens::byte_bpe::{DOCUMENT_SEPARATOR, learn_byte_bpe};
use crate::load::{self, TextModel, Tokenizer};
use crate::nn::{CausalLm, in_full_precision};
use crate::train::data::corpus::{Corpus, CorpusReader, separators};
use crate::train::data::passages::Passages;
use crate::train::data::token_ids::TokenParts;
use crate::train::data::vocabulary::LearningVocabulary;
use crate::train::examples::{Drawn, Example};
use crate::train::init::{check_shape, new_model};
use crate::train::objective::{Loss, Objective, Preparation, Progress, SampleStep, Setup, Tally};
use crate::train::sample::SampleWriter;
use crate::train::text_loss::text_loss;
use crate::train::watch::HeadProbe;
use crate::types::{DataPart, HeadValues, StartFrom, TextShape, TextTask, TrainSpec, UserError};
use burn::tensor::Device;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tokens in one slice of a validation.
const SLICE: usize = 2048;
/// Tokens the learning curve is measured on, spread over all that is held out; the finished model is measured on all.
const VALIDATION: usize = 32 * 1024;
/// Tokens of the text's beginning that a sample goes on from.
const OPENING: usize = 6;

/// A causal model and the text it learns from.
pub(crate) struct NextToken {
    task: TextTask,
    preparing: Preparing,
    /// The model of a folder the run starts from, until all is ready.
    opened: Option<TextModel>,
    passages: Passages,
    held_out: Passages,
    /// What samples go on from.
    opening: Vec<u32>,
    sample: Option<SampleWriter>,
    /// What its heads are scored on.
    probe: Option<HeadProbe>,
    /// Kept for checkpoints of runs that learn their own tokenizer.
    tokenizer_json: Option<String>,
}

/// What is done of the preparation.
enum Preparing {
    Nothing,
    /// Learns a tokenizer from the files.
    Learning(LearningVocabulary),
    /// Encodes the files.
    Encoding {
        reader: Box<CorpusReader>,
        tokenizer: Arc<Tokenizer>,
    },
}

impl NextToken {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: TextTask) -> Self {
        Self {
            task,
            preparing: Preparing::Nothing,
            opened: None,
            passages: Passages::default(),
            held_out: Passages::default(),
            opening: Vec::new(),
            sample: None,
            probe: None,
            tokenizer_json: None,
        }
    }

    /// Decides where model and tokenizer come from.
    fn begin(&mut self, setup: &Setup<'_, TextModel>, tell: &mut dyn FnMut(Progress)) -> Result<Preparing, UserError> {
        let files = text_data::text_files(&self.task.data)?;
        if setup.spec.start == StartFrom::Scratch {
            check_shape(self.shape()?, self.task.context)?;
            return match tokenizer_of(setup.checkpoint)? {
                Some(tokenizer) => encoding(files, tokenizer),
                None => {
                    let vocabulary = self.shape()?.vocabulary;
                    let files = files.into_iter().map(|file| (file, None)).collect();
                    let learning = LearningVocabulary::start(files, move |texts| learn_byte_bpe(texts, vocabulary))?;
                    Ok(Preparing::Learning(learning))
                }
            };
        }
        self.opened = folder_model(setup, tell)?;
        let model = setup.open.or(self.opened.as_ref()).ok_or_else(no_shape)?;
        check_context(self.task.context, model.lm.context())?;
        let reader = Box::new(CorpusReader::of_model(files, model)?);
        Ok(Preparing::Encoding { reader, tokenizer: Arc::clone(&model.tokenizer) })
    }

    fn shape(&self) -> Result<&TextShape, UserError> {
        self.task.shape.as_ref().ok_or_else(no_shape)
    }

    /// The model, once the text is read: a new one, where it is made from scratch.
    fn finish(
        &mut self,
        setup: &Setup<'_, TextModel>,
        corpus: &Corpus,
        tokenizer: Arc<Tokenizer>,
    ) -> Result<OpenedModel, UserError> {
        self.split(setup.spec, corpus)?;
        let made = match setup.spec.start {
            StartFrom::Scratch => {
                self.tokenizer_json = Some(tokenizer.to_json()?);
                Some(new_model(setup.spec, self.shape()?, tokenizer, setup.device))
            }
            StartFrom::Folder { .. } | StartFrom::OpenModel => self.opened.take(),
        };
        let model = setup.open.or(made.as_ref()).ok_or_else(no_shape)?;
        let (ends, separators) = (model.eos.clone(), separators(&model.tokenizer, &model.eos));
        let usual = self.opening.clone();
        self.probe = Some(HeadProbe::new(&model.tokenizer, &model.lm));
        self.sample = Some(SampleWriter::new(setup.spec, usual, &model.tokenizer, ends, separators)?);
        Ok(made.map_or(Preparation::ReadyForOpen, Preparation::Ready))
    }

    /// Parts what is learned from and what is held out.
    fn split(&mut self, spec: &TrainSpec, corpus: &Corpus) -> Result<(), UserError> {
        // The largest file is what a run is about; a note about the data may lie beside it.
        let largest = corpus.files.iter().map(|file| file.tokens.clone()).max_by_key(ExactSizeIterator::len);
        self.opening = largest.map_or(Vec::new(), |tokens| {
            let count = OPENING.min(tokens.len());
            corpus.parts([tokens]).copy(0..count)
        });
        let (train, held_out) = corpus.split(spec.validation_share);
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
        let context = |ids: &TokenParts| self.task.context.min(ids.len().saturating_sub(1)).max(1);
        let (of_train, of_held_out) = (context(&train), context(&held_out));
        self.passages = Passages::new(train, of_train, spec.seed);
        self.held_out = Passages::new(held_out, of_held_out, spec.seed);
        Ok(())
    }

    /// At most `most` passages of a part, side by side, once it is read.
    pub(crate) fn examples(&self, part: DataPart, most: usize) -> Drawn {
        let passages = match part {
            DataPart::Train => &self.passages,
            DataPart::Validation => &self.held_out,
            DataPart::Test => return Drawn::default(),
        };
        Drawn::spread(passages.passages(), most, |place| {
            let ids = passages.passage(place);
            Example::Tokens { predicted: vec![true; ids.len() - 1], ids }
        })
    }

    /// What is learned from, what is held out, and the windows of that which the learning curve is measured on: all tokens of each but the
    /// first are predicted.
    pub(in crate::train) fn counted(&self) -> (&TokenParts, &TokenParts, Vec<Range<usize>>) {
        let (windows, all, context) = (self.validation_windows(), self.held_out.windows(), self.held_out.context());
        let starts = (0..windows).map(|i| i * all / windows * context);
        (self.passages.ids(), self.held_out.ids(), starts.map(|start| start..start + context + 1).collect())
    }

    fn windows_per_slice(&self) -> usize {
        (SLICE / self.held_out.context()).max(1)
    }

    fn validation_windows(&self) -> usize {
        self.held_out.windows().min((VALIDATION / self.held_out.context()).max(1))
    }
}

impl Objective for NextToken {
    type Model = TextModel;
    type Net = CausalLm;

    fn beta_2(&self) -> f32 {
        // A shorter memory than the usual 0.999 steadies language models (Brown et al. 2020).
        0.95
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, TextModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<OpenedModel, UserError> {
        let bytes = |label: &str, (done, total)| Progress { label: label.to_owned(), done, total, unit: "bytes" };
        match &mut self.preparing {
            Preparing::Nothing => self.preparing = self.begin(setup, tell)?,
            Preparing::Learning(learning) => {
                let learned = learning.wait(LOOK_AGAIN);
                tell(bytes("Learning the vocabulary", learning.progress()));
                if let Some(tokenizer) = learned {
                    self.preparing = encoding(text_data::text_files(&self.task.data)?, tokenizer?)?;
                }
            }
            Preparing::Encoding { reader, tokenizer } => {
                let is_done = reader.step(tokenizer)?;
                tell(bytes("Splitting the text into tokens", reader.progress()));
                if is_done
                    && let Preparing::Encoding { reader, tokenizer } =
                        std::mem::replace(&mut self.preparing, Preparing::Nothing)
                {
                    return self.finish(setup, &reader.finish()?, tokenizer);
                }
            }
        }
        Ok(Preparation::More)
    }

    fn net(model: &TextModel) -> CausalLm {
        in_full_precision(model.lm.clone())
    }

    fn first_net(&self, spec: &TrainSpec, model: &TextModel) -> Result<CausalLm, UserError> {
        first_net(spec, model)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &CausalLm, batch: usize, device: &Device) -> Loss {
        let context = self.passages.context();
        let sequences = self.passages.batch(spec.batch_size, batch);
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let predicted = context * sequences.len();
        Loss { mean: text_loss(net, &borrowed, context, device), tokens: sequences.concat(), predicted }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        (spec.batch_size * self.passages.context()) as u64
    }

    fn examples_per_epoch(&self) -> Option<u64> {
        Some((self.passages.windows() * self.passages.context()) as u64)
    }

    fn reads_tokens(&self) -> bool {
        true
    }

    fn validation_slices(&self) -> usize {
        self.validation_windows().div_ceil(self.windows_per_slice())
    }

    fn validate(&self, net: &CausalLm, slice: usize, device: &Device) -> Tally {
        let net = &load::merged(net);
        let (windows, per_slice) = (self.validation_windows(), self.windows_per_slice());
        let chosen = slice * per_slice..((slice + 1) * per_slice).min(windows);
        let all = self.held_out.windows();
        let sequences: Vec<Vec<u32>> = chosen.map(|i| self.held_out.window(i * all / windows)).collect();
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let count = sequences.len() * self.held_out.context();
        let mean = text_loss(net, &borrowed, self.held_out.context(), device).into_scalar::<f32>();
        Tally { loss: f64::from(mean) * count as f64, count, correct: None }
    }

    fn whole(net: &CausalLm) -> CausalLm {
        load::merged(net)
    }

    fn head_values(&self, net: &CausalLm) -> Option<HeadValues> {
        self.probe.as_ref()?.values(net)
    }

    fn sample(&mut self, net: &CausalLm) -> SampleStep {
        self.sample.as_mut().map_or(SampleStep::None, |sample| sample.step(net))
    }

    fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        write_tokenizer(self.tokenizer_json.as_deref(), folder)
    }
}

fn encoding(files: Vec<PathBuf>, tokenizer: Tokenizer) -> Result<Preparing, UserError> {
    let end = tokenizer.token_id(DOCUMENT_SEPARATOR).into_iter().collect::<Vec<_>>();
    let reader = CorpusReader::new(files, &tokenizer, &end)?;
    Ok(Preparing::Encoding { reader: Box::new(reader), tokenizer: Arc::new(tokenizer) })
}
