//! What both have in common: where encoder, tokenizer and text come from.

use super::super::text::{LOOK_AGAIN, check_context, tokenizer_of, write_tokenizer};
use crate::load::data::text_data;
use crate::load::tokens::word_piece::learn_word_piece;
use crate::load::{self, EncoderModel, Tokenizer};
use crate::train::data::corpus::{Corpus, CorpusReader};
use crate::train::data::vocabulary::LearningVocabulary;
use crate::train::init::{check_bert_shape, new_encoder};
use crate::train::objective::{Progress, Setup};
use crate::types::{BertShape, StartFrom, UserError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stands around every text that an encoder reads, and the tokens that are no part of one.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// `[CLS]`.
    before: Vec<u32>,
    /// `[SEP]`, which parts documents, too.
    behind: Vec<u32>,
    /// Stands for a blank, where the model has a head that fills it.
    pub mask: Option<u32>,
    /// Fills shorter texts up.
    pub padding: u32,
    /// Tokens that a text can hold, in rising order.
    pub ordinary: Arc<[u32]>,
    /// Those that go on with the word before them, in rising order.
    going_on: Arc<[u32]>,
}

impl Frame {
    fn of(model: &EncoderModel) -> Result<Self, UserError> {
        let tokenizer = &model.tokenizer;
        let (mut before, behind) = (tokenizer.ids("")?, tokenizer.added_behind()?);
        before.truncate(before.len().saturating_sub(behind.len()));
        let ids = 0..model.config.shape().vocabulary as u32;
        let ordinary: Vec<u32> =
            ids.filter(|id| !tokenizer.is_special(*id) && !tokenizer.token_text(*id).is_empty()).collect();
        let going_on = ordinary.iter().copied().filter(|id| tokenizer.goes_on(*id)).collect();
        let (mask, padding) = (model.mask_id, model.padding_id);
        Ok(Self { before, behind, mask, padding, ordinary: ordinary.into(), going_on })
    }

    /// Tokens of a sequence of `context` tokens that are its text's.
    pub(super) fn room(&self, context: usize) -> usize {
        context.saturating_sub(self.before.len() + self.behind.len())
    }

    /// A text with what stands around it.
    pub(super) fn around(&self, text: &[u32]) -> Vec<u32> {
        [&self.before[..], text, &self.behind[..]].concat()
    }

    /// Tokens before the text.
    pub(super) fn offset(&self) -> usize {
        self.before.len()
    }

    /// True for a token that stands around texts or parts documents.
    pub(super) fn is_border(&self, id: u32) -> bool {
        self.before.contains(&id) || self.behind.contains(&id)
    }

    /// True for a token that goes on with the word before it.
    pub(super) fn goes_on(&self, id: u32) -> bool {
        self.going_on.binary_search(&id).is_ok()
    }
}

/// Model and text on their way.
pub(super) struct EncoderStart {
    data: Vec<PathBuf>,
    context: usize,
    shape: Option<BertShape>,
    stage: Stage,
    /// The model of a folder the run starts from, until all is ready.
    opened: Option<EncoderModel>,
    /// Kept for checkpoints of runs that learn their own tokenizer.
    tokenizer_json: Option<String>,
}

/// What is done of the preparation.
enum Stage {
    Nothing,
    /// Learns a tokenizer from the files.
    Learning(LearningVocabulary),
    /// Encodes the files, without what is put around texts.
    Encoding {
        reader: Box<CorpusReader>,
        plain: Box<Tokenizer>,
        tokenizer: Arc<Tokenizer>,
    },
}

/// All that was prepared.
pub(super) struct Prepared {
    /// The tokens of all files, without what stands around texts; a border behind every document.
    pub corpus: Corpus,
    /// The model, where it was made or opened for the run.
    pub made: Option<EncoderModel>,
    /// How its texts are framed.
    pub frame: Frame,
    /// Its tokenizer.
    pub tokenizer: Arc<Tokenizer>,
}

impl EncoderStart {
    /// From these files; nothing is read yet.
    pub(super) fn new(data: Vec<PathBuf>, context: usize, shape: Option<BertShape>) -> Self {
        Self { data, context, shape, stage: Stage::Nothing, opened: None, tokenizer_json: None }
    }

    /// Tokens of a sequence.
    pub(super) fn context(&self) -> usize {
        self.context
    }

    /// Does a stretch; gives all once it is there.
    ///
    /// # Errors
    /// When data or model cannot be used.
    pub(super) fn step(
        &mut self,
        setup: &Setup<'_, EncoderModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Option<Prepared>, UserError> {
        let bytes = |label: &str, (done, total)| Progress { label: label.to_owned(), done, total, unit: "bytes" };
        match &mut self.stage {
            Stage::Nothing => self.stage = self.begin(setup, tell)?,
            Stage::Learning(learning) => {
                let learned = learning.wait(LOOK_AGAIN);
                tell(bytes("Learning the vocabulary", learning.progress()));
                if let Some(tokenizer) = learned {
                    let tokenizer = Arc::new(tokenizer?);
                    let asked = self.shape()?.vocabulary;
                    if tokenizer.vocabulary() < asked {
                        let count = tokenizer.vocabulary() as u64;
                        let label = format!("The text gives fewer pieces than the {asked} asked for");
                        tell(Progress { label, done: count, total: count, unit: "tokens" });
                    }
                    self.stage = self.encoding(tokenizer)?;
                }
            }
            Stage::Encoding { reader, plain, .. } => {
                let is_done = reader.step(plain)?;
                tell(bytes("Splitting the text into tokens", reader.progress()));
                if is_done
                    && let Stage::Encoding { reader, tokenizer, .. } =
                        std::mem::replace(&mut self.stage, Stage::Nothing)
                {
                    return self.finish(setup, reader.finish()?, tokenizer).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn shape(&self) -> Result<&BertShape, UserError> {
        self.shape.as_ref().ok_or_else(no_shape)
    }

    fn begin(&mut self, setup: &Setup<'_, EncoderModel>, tell: &mut dyn FnMut(Progress)) -> Result<Stage, UserError> {
        let files = text_data::text_files(&self.data)?;
        match &setup.spec.start {
            StartFrom::Scratch => {
                check_bert_shape(self.shape()?, self.context)?;
                if let Some(tokenizer) = tokenizer_of(setup.checkpoint)? {
                    return self.encoding(Arc::new(tokenizer));
                }
                let vocabulary = self.shape()?.vocabulary;
                let files = files.into_iter().map(|file| (file, None)).collect();
                let learning = LearningVocabulary::start(files, move |texts| learn_word_piece(texts, vocabulary))?;
                return Ok(Stage::Learning(learning));
            }
            StartFrom::Folder { path } => {
                let label = format!("Opening {}", path.display());
                let mut progress = |done, total| tell(Progress { label: label.clone(), done, total, unit: "bytes" });
                self.opened = Some(load::open_encoder_model(path, setup.device, &mut progress)?);
            }
            StartFrom::OpenModel => {}
        }
        let model = setup.open.or(self.opened.as_ref()).ok_or_else(no_shape)?;
        check_context(self.context, model.config.context())?;
        self.encoding(Arc::clone(&model.tokenizer))
    }

    fn encoding(&self, tokenizer: Arc<Tokenizer>) -> Result<Stage, UserError> {
        let plain = tokenizer.without_added()?;
        let files = text_data::text_files(&self.data)?;
        let reader = CorpusReader::new(files, &plain, &tokenizer.added_behind()?)?;
        Ok(Stage::Encoding { reader: Box::new(reader), plain: Box::new(plain), tokenizer })
    }

    fn finish(
        &mut self,
        setup: &Setup<'_, EncoderModel>,
        corpus: Corpus,
        tokenizer: Arc<Tokenizer>,
    ) -> Result<Prepared, UserError> {
        let made = match setup.spec.start {
            StartFrom::Scratch => {
                self.tokenizer_json = Some(tokenizer.to_json()?);
                let (text, _) = corpus.split(setup.spec.validation_share, setup.spec.learn_from);
                Some(new_encoder(setup.spec, self.shape()?, Arc::clone(&tokenizer), &text, setup.device)?)
            }
            StartFrom::Folder { .. } | StartFrom::OpenModel => self.opened.take(),
        };
        let frame = Frame::of(setup.open.or(made.as_ref()).ok_or_else(no_shape)?)?;
        if frame.room(self.context) < LEAST_ROOM {
            return Err(UserError::new(
                format!("Sequences of {} tokens are too short.", self.context),
                format!("Besides what stands around a text, at least {LEAST_ROOM} tokens are needed to learn from."),
                "Choose a longer context.",
            ));
        }
        check_words(&corpus, &frame)?;
        Ok(Prepared { corpus, made, frame, tokenizer })
    }

    /// Adds a tokenizer that was learned for the run to its checkpoint.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        write_tokenizer(self.tokenizer_json.as_deref(), folder)
    }
}

/// Tokens of a text that are enough to leave some out.
const LEAST_ROOM: usize = 4;
/// Tokens that are looked at to see whether a text has more than one word.
const LOOKED_AT: usize = 1 << 16;

/// One word over and over teaches nothing.
fn check_words(corpus: &Corpus, frame: &Frame) -> Result<(), UserError> {
    let all = corpus.parts(corpus.files.iter().map(|file| file.tokens.clone()));
    let some = all.copy(0..all.len().min(LOOKED_AT));
    let different: BTreeSet<u32> = some.iter().copied().filter(|id| !frame.is_border(*id)).collect();
    if different.len() > 1 {
        return Ok(());
    }
    Err(UserError::new(
        "The text has one word only.",
        "A blank is guessed from the words around it, and texts are told from others by their words.",
        "Use a text with more words.",
    ))
}

/// The text is too short for what is asked of it.
pub(super) fn too_short(part: &str, has: &str, needs: &str) -> UserError {
    UserError::new(
        "The text is too short.",
        format!("{has} are {part}, and {needs}."),
        "Use more text, a shorter context, or another validation share.",
    )
}

pub(super) fn no_head(name: &str) -> UserError {
    UserError::new(
        format!("{name} cannot learn to fill blanks."),
        "Its folder holds the encoder without the head that guesses masked tokens.",
        "Start from a folder with ForMaskedLM in its config.json, or from scratch with a [task.shape].",
    )
}

fn no_shape() -> UserError {
    UserError::new(
        "An encoder cannot be made from scratch without a shape.",
        "The spec has no [task.shape] with hidden, layers, heads and so on.",
        "Add the shape, or start from a model folder.",
    )
}

#[cfg(test)]
impl Frame {
    /// With one token of each kind.
    pub(super) fn test(before: &[u32], behind: &[u32], mask: u32, ordinary: std::ops::Range<u32>) -> Self {
        Self {
            before: before.to_vec(),
            behind: behind.to_vec(),
            mask: Some(mask),
            padding: 0,
            going_on: ordinary.clone().filter(|id| id % 10 == 0).collect(),
            ordinary: ordinary.collect(),
        }
    }
}
