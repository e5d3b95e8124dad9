//! Learning to predict the next token of a text.

use super::text::{
    LOOK_AGAIN, OpenedModel, check_context, first_net, folder_model, no_shape, tokenizer_of, write_tokenizer,
};
use crate::load::data::text_data;
use crate::load::tokens::byte_bpe::{DOCUMENT_SEPARATOR, learn_byte_bpe};
use crate::load::{self, TextModel, Tokenizer};
use crate::nn::{CausalLm, in_full_precision};
use crate::train::data::corpus::{Corpus, CorpusReader, separators};
use crate::train::data::held_out::{HeldOut, Slice};
use crate::train::data::passages::Passages;
use crate::train::data::token_ids::TokenParts;
use crate::train::data::vocabulary::LearningVocabulary;
use crate::train::examples::{Drawn, Example};
use crate::train::glimpse;
use crate::train::init::{check_shape, new_model};
use crate::train::objective::{Loss, Objective, Preparation, Progress, SampleStep, Setup, Tally};
use crate::train::sample::SampleWriter;
use crate::train::stream::dropout;
use crate::train::text_loss::{learning_loss, text_loss};
use crate::train::watch::HeadProbe;
use crate::types::{DataPart, GlimpseToken, HeadValues, StartFrom, TextShape, TextTask, TrainSpec, UserError};
use burn::tensor::Device;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Data sets that are validated each by itself at most: of more, a plot could tell none from another.
const MOST_SETS: usize = 8;
/// Tokens of the text's beginning that a sample goes on from.
const OPENING: usize = 6;

/// A causal model and the text it learns from.
pub(crate) struct NextToken {
    task: TextTask,
    preparing: Preparing,
    /// The model of a folder the run starts from, until all is ready.
    opened: Option<TextModel>,
    passages: Passages,
    held_out: HeldOut,
    /// All of that, set behind set.
    held_out_ids: TokenParts,
    /// What samples go on from.
    opening: Vec<u32>,
    sample: Option<SampleWriter>,
    /// What its heads are scored on.
    probe: Option<HeadProbe>,
    tokenizer: Option<Arc<Tokenizer>>,
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
            held_out: HeldOut::default(),
            held_out_ids: TokenParts::default(),
            opening: Vec::new(),
            sample: None,
            probe: None,
            tokenizer: None,
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
                    let vocabulary = self.shape()?.vocabulary();
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
        self.tokenizer = Some(Arc::clone(&model.tokenizer));
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
        let (train, held_out) = corpus.split(spec.validation_share, spec.learn_from);
        for (name, ids) in [("learned from", &train), ("held out", &held_out)] {
            let may_be_empty = name == "held out" && spec.validation_share == 0.0;
            if ids.len() < 2 && !may_be_empty {
                return Err(UserError::new(
                    "The text is too short.",
                    format!("Only {} tokens are {name}, and predicting one needs another before it.", ids.len()),
                    "Use more text, or another validation share or learn_from.",
                ));
            }
        }
        // A text shorter than one sequence is learned as one shorter sequence.
        let context = self.task.context.min(train.len().saturating_sub(1)).max(1);
        self.passages = Passages::new(train, context, spec.seed);
        self.held_out_ids = held_out.clone();
        let sets = match self.sets()? {
            sets if sets.len() > 1 => {
                let held_out = |(name, files)| (name, corpus.held_out_of(files, spec.validation_share));
                sets.into_iter().map(held_out).collect()
            }
            _ => vec![(String::new(), held_out)],
        };
        self.held_out = HeldOut::new(sets, self.task.context, spec.seed);
        Ok(())
    }

    /// The data sets that are validated each by itself: what the task names, with its files' places; none of too many.
    fn sets(&self) -> Result<Vec<(String, Range<usize>)>, UserError> {
        let named = &self.task.data;
        if named.len() > MOST_SETS {
            return Ok(Vec::new());
        }
        let mut begin = 0;
        let mut files = Vec::with_capacity(named.len());
        for path in named {
            let end = begin + text_data::text_files(std::slice::from_ref(path))?.len();
            files.push(begin..end);
            begin = end;
        }
        Ok(set_names(named).into_iter().zip(files).collect())
    }

    /// At most `most` passages of a part, side by side, once it is read.
    pub(crate) fn examples(&self, part: DataPart, most: usize) -> Drawn {
        let passages = match part {
            DataPart::Train => self.passages.passages(),
            DataPart::Validation => self.held_out.passages(),
            DataPart::Test => return Drawn::default(),
        };
        Drawn::spread(passages, most, |place| {
            let ids = match part {
                DataPart::Train => self.passages.passage(place),
                DataPart::Validation | DataPart::Test => self.held_out.passage(place),
            };
            Example::Tokens { predicted: vec![true; ids.len() - 1], ids }
        })
    }
}

impl NextToken {
    /// What is learned from, what is held out, and the windows of that which the learning curve is measured on: all tokens of each but the
    /// first are predicted.
    pub(in crate::train) fn counted(&self) -> (&TokenParts, &TokenParts, Vec<Range<usize>>) {
        (self.passages.ids(), &self.held_out_ids, self.held_out.measured())
    }
}

/// What data sets are called: by their files or folders, a second one of a name with its number. Names stand in tables and under keys
/// of other programs, so they have no comma and no quotation mark.
fn set_names(paths: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(paths.len());
    for path in paths {
        let part = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let name = part.map_or("text".into(), |part| part.to_string_lossy());
        let name = name.replace(|c: char| matches!(c, ',' | '"' | ':') || c.is_control(), "-");
        let like = names.iter().filter(|other| **other == name).count();
        names.push(if like == 0 { name } else { format!("{name} ({})", like + 1) });
    }
    names
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
        let mean = learning_loss(net, &borrowed, context, dropout(spec.seed, batch), device);
        Loss { mean, tokens: sequences.concat(), predicted }
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
        self.held_out.slices()
    }

    fn validation_sets(&self) -> Vec<String> {
        self.held_out.names()
    }

    fn set_of_slice(&self, slice: usize) -> usize {
        self.held_out.set_of_slice(slice)
    }

    fn validate(&self, net: &CausalLm, slice: usize, device: &Device) -> Tally {
        let net = &load::merged(net);
        let Slice { sequences, context, .. } = self.held_out.slice(slice);
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let count = sequences.len() * context;
        let mean = text_loss(net, &borrowed, context, device).into_scalar::<f32>();
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

    fn glimpse(
        &mut self,
        spec: &TrainSpec,
        net: &CausalLm,
        batch: usize,
        device: &Device,
    ) -> Option<Vec<GlimpseToken>> {
        let sequence = self.passages.batch(spec.batch_size, batch).into_iter().next()?;
        let chosen = vec![true; sequence.len() - 1];
        glimpse::causal(&load::merged(net), &sequence, &chosen, self.tokenizer.as_deref()?, device)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_sets_are_called_by_their_files_and_told_apart() {
        let paths = ["a/plays.txt", "b/plays.txt", "tiny-stories.v2.txt", "x, y:\"z\".txt"].map(PathBuf::from);
        assert_eq!(set_names(&paths), ["plays", "plays (2)", "tiny-stories.v2", "x- y--z-"]);
    }
}
