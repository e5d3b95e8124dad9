//! From a text to what counting reaches on it, a stretch at a time. The text is split and cut as a run does it, so that the figures stand
//! beside those of its learning curve.

use super::ngrams::KneserNey;
use super::words_around::{Sides, WordsAround};
use crate::load::{EncoderModel, TextModel, Tokenizer, gzipped};
use crate::train::objective::{Objective, Preparation, Progress, Setup, Tally};
use crate::train::objectives::{MaskedTokens, NextToken};
use crate::types::{
    BaselinesReport, BaselinesSpec, BertShape, BlankBaselines, BlankRow, EncoderInit, GzipSize, Init, LlamaShape,
    MaskedTask, NextBaselines, NextRow, StartFrom, TextShape, TextTask, TrainSpec, TrainTask, UserError,
};
use burn::tensor::Device;
use std::sync::Arc;

/// Tokens of a sequence, unless told.
const CONTEXT: usize = 128;
/// The longest sequences that are counted.
const LONGEST: usize = 5;

/// The model that the text is read for.
#[derive(Clone, Copy)]
pub(crate) enum CountedFor<'a> {
    /// One that continues text.
    Decoder(&'a TextModel),
    /// One that fills blanks.
    Encoder(&'a EncoderModel),
    /// None: vocabularies are learned.
    Nothing,
}

/// Counts, and what they reach.
pub(crate) struct CountBaselines {
    spec: BaselinesSpec,
    next: Part<NextToken>,
    blanks: Part<MaskedTokens>,
    report: BaselinesReport,
}

/// How far one of the two is.
enum Part<O> {
    Waiting,
    Reading(Box<O>),
    /// The text is read; so many slices of the held-out part were measured by the model.
    Measuring {
        objective: Box<O>,
        tokenizer: Arc<Tokenizer>,
        slice: usize,
        sum: Option<Tally>,
    },
    /// All is there to be counted.
    Measured {
        objective: Box<O>,
        tokenizer: Arc<Tokenizer>,
        sum: Option<Tally>,
    },
    Done,
}

impl CountBaselines {
    /// To count a text; nothing is read yet.
    pub(crate) fn new(spec: BaselinesSpec) -> Self {
        Self { spec, next: Part::Waiting, blanks: Part::Waiting, report: BaselinesReport::default() }
    }

    /// Does a stretch; gives the report once all is done.
    ///
    /// # Errors
    /// When the text cannot be used.
    pub(crate) fn step(
        &mut self,
        model: CountedFor<'_>,
        device: &Device,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Option<BaselinesReport>, UserError> {
        if !matches!(self.next, Part::Done) && !matches!(model, CountedFor::Encoder(_)) {
            self.next = self.next_step(model, device, tell)?;
            return Ok(None);
        }
        if !matches!(self.blanks, Part::Done) && !matches!(model, CountedFor::Decoder(_)) {
            self.blanks = self.blanks_step(model, device, tell)?;
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.report)))
    }

    /// What a run on the text would be.
    fn run(&self, task: TrainTask, has_model: bool) -> TrainSpec {
        let (validation_share, seed) = (self.spec.validation_share, self.spec.seed);
        let start = if has_model { StartFrom::OpenModel } else { StartFrom::Scratch };
        TrainSpec { validation_share, seed, start, ..TrainSpec::reading(task) }
    }

    fn next_step(
        &mut self,
        model: CountedFor<'_>,
        device: &Device,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Part<NextToken>, UserError> {
        let open = if let CountedFor::Decoder(model) = model { Some(model) } else { None };
        let longest = open.map_or(CONTEXT, |model| model.lm.context());
        let context = self.spec.context.unwrap_or(CONTEXT.min(longest));
        let task =
            TextTask { data: self.spec.data.clone(), context, shape: Some(smallest_decoder(&self.spec, context)) };
        let spec = self.run(TrainTask::Text(task.clone()), open.is_some());
        let text = Text { spec, open, tokenizer: |model| &model.tokenizer, of_model: self.spec.of_model };
        let part = std::mem::replace(&mut self.next, Part::Done);
        let part = text.advance(part, || NextToken::new(task), device, tell)?;
        let Part::Measured { objective, tokenizer, sum } = part else { return Ok(part) };
        tell(Progress { label: "Counting what follows".to_owned(), done: 0, total: 0, unit: "tokens" });
        let own = open.zip(sum).map(|(open, sum)| (open.info.name.clone(), sum.mean_loss()));
        self.report.next = Some(next_baselines(&objective, &tokenizer, own)?);
        Ok(Part::Done)
    }

    fn blanks_step(
        &mut self,
        model: CountedFor<'_>,
        device: &Device,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Part<MaskedTokens>, UserError> {
        let open = if let CountedFor::Encoder(model) = model { Some(model) } else { None };
        let longest = open.map_or(CONTEXT, |model| model.config.context());
        let context = self.spec.context.unwrap_or(CONTEXT.min(longest));
        let shape = Some(smallest_encoder(&self.spec, context));
        let task = MaskedTask { data: self.spec.data.clone(), context, blanks: crate::types::BLANKS, shape };
        let spec = self.run(TrainTask::Masked(task.clone()), open.is_some());
        let text = Text { spec, open, tokenizer: |model| &model.tokenizer, of_model: self.spec.of_model };
        let part = std::mem::replace(&mut self.blanks, Part::Done);
        let part = text.advance(part, || MaskedTokens::new(task), device, tell)?;
        let Part::Measured { objective, tokenizer, sum } = part else { return Ok(part) };
        tell(Progress { label: "Counting what stands between".to_owned(), done: 0, total: 0, unit: "tokens" });
        let own = open.zip(sum).and_then(|(open, sum)| Some((open.info.name.clone(), sum.accuracy()?)));
        self.report.blanks = Some(blank_baselines(&objective, &tokenizer, own)?);
        Ok(Part::Done)
    }
}

/// A text as a run would read it.
struct Text<'a, M> {
    spec: TrainSpec,
    open: Option<&'a M>,
    tokenizer: fn(&M) -> &Arc<Tokenizer>,
    /// The open model is measured too.
    of_model: bool,
}

impl<M> Text<'_, M> {
    /// Reads a stretch, or measures a slice of the held-out part.
    fn advance<O: Objective<Model = M>>(
        &self,
        part: Part<O>,
        make: impl FnOnce() -> O,
        device: &Device,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Part<O>, UserError> {
        match part {
            Part::Waiting => Ok(Part::Reading(Box::new(make()))),
            Part::Reading(mut objective) => {
                let setup = Setup { spec: &self.spec, open: self.open, checkpoint: None, device };
                let tokenizer = match objective.prepare(&setup, tell)? {
                    Preparation::More => return Ok(Part::Reading(objective)),
                    Preparation::Ready(made) => Some(Arc::clone((self.tokenizer)(&made))),
                    Preparation::ReadyForOpen => self.open.map(|open| Arc::clone((self.tokenizer)(open))),
                };
                let sum = self.open.filter(|_| self.of_model).map(|_| Tally::default());
                Ok(tokenizer.map_or(Part::Done, |tokenizer| Part::Measuring { objective, tokenizer, slice: 0, sum }))
            }
            Part::Measuring { objective, tokenizer, slice, sum } => {
                let slices = objective.validation_slices();
                let (Some(open), Some(before)) = (self.open.filter(|_| slice < slices), sum) else {
                    return Ok(Part::Measured { objective, tokenizer, sum });
                };
                let label = "Measuring the model".to_owned();
                tell(Progress { label, done: slice as u64, total: slices as u64, unit: "slices" });
                let sum = Some(before.plus(objective.validate(&O::net(open), slice, device)));
                Ok(Part::Measuring { objective, tokenizer, slice: slice + 1, sum })
            }
            Part::Measured { .. } | Part::Done => Ok(part),
        }
    }
}

fn next_baselines(
    objective: &NextToken,
    tokenizer: &Tokenizer,
    own: Option<(String, f64)>,
) -> Result<NextBaselines, UserError> {
    let (text, held_out, windows) = objective.counted();
    if windows.is_empty() {
        return Err(nothing_held_out());
    }
    let vocabulary = tokenizer.vocabulary();
    let (mut tokens, mut bytes) = (0, 0);
    for window in &windows {
        let ids = held_out.copy(window.start + 1..window.end);
        bytes += text_of(&ids, tokenizer).len();
        tokens += ids.len();
    }
    let row = |name: String, nats_per_token: f64| NextRow {
        name,
        nats_per_token,
        bits_per_byte: nats_per_token * tokens as f64 / std::f64::consts::LN_2 / bytes.max(1) as f64,
    };
    let mut rows = vec![row("uniform".to_owned(), (vocabulary as f64).ln())];
    for (name, longest) in [("unigram", 1), ("bigram", 2), ("5-gram", LONGEST)] {
        let counted = KneserNey::count(text, longest, vocabulary);
        let mut sum = 0.0;
        for window in &windows {
            let before = window.start.saturating_sub(LONGEST);
            let ids = held_out.copy(before..window.end);
            let first = window.start + 1 - before;
            sum -= (first..ids.len()).map(|place| counted.probability(&ids[..place], ids[place]).ln()).sum::<f64>();
        }
        rows.push(row(name.to_owned(), sum / tokens as f64));
    }
    rows.extend(own.map(|(name, loss)| row(name, loss)));
    let whole = text_of(&held_out.copy(0..held_out.len()), tokenizer);
    let compressed = gzipped(whole.as_bytes());
    let bits_per_byte = 8.0 * compressed as f64 / whole.len().max(1) as f64;
    let gzip = GzipSize { bytes: whole.len(), compressed, bits_per_byte };
    Ok(NextBaselines { vocabulary, counted: text.len(), tokens, bytes, rows, gzip })
}

fn blank_baselines(
    objective: &MaskedTokens,
    tokenizer: &Tokenizer,
    own: Option<(String, f64)>,
) -> Result<BlankBaselines, UserError> {
    let (text, blanks) = objective.counted();
    if blanks.is_empty() {
        return Err(nothing_held_out());
    }
    let asked = blanks.iter().flat_map(|blank| [blank.seen, blank.known]);
    let counted = WordsAround::count(text, asked);
    let right = |guess: &dyn Fn(&HeldOutBlank) -> u32| {
        blanks.iter().filter(|blank| guess(blank) == blank.truth).count() as f64 / blanks.len() as f64
    };
    let mut rows = vec![
        BlankRow { name: "unigram".to_owned(), right: right(&|_| counted.most_frequent) },
        BlankRow { name: "same neighbours".to_owned(), right: right(&|blank| counted.guess(blank.seen)) },
        BlankRow {
            name: "same neighbours, blanks among them told".to_owned(),
            right: right(&|blank| counted.guess(blank.known)),
        },
    ];
    rows.extend(own.map(|(name, right)| BlankRow { name, right }));
    Ok(BlankBaselines { vocabulary: tokenizer.vocabulary(), counted: text.len(), blanks: blanks.len(), rows })
}

/// A held-out blank for those who count.
pub(in crate::train) struct HeldOutBlank {
    /// Its neighbours as an encoder sees them: one that is a blank itself is not known.
    pub seen: Sides,
    /// Its neighbours as they stood in the text.
    pub known: Sides,
    /// What stood there.
    pub truth: u32,
}

/// The text of tokens without what parts documents.
fn text_of(ids: &[u32], tokenizer: &Tokenizer) -> String {
    let plain: Vec<u32> = ids.iter().copied().filter(|id| !tokenizer.is_special(*id)).collect();
    tokenizer.decode(&plain)
}

fn nothing_held_out() -> UserError {
    UserError::new(
        "Nothing is held out.",
        "What counting reaches is told by text that was not counted.",
        "Use more text, a shorter context, or a larger share that is held out.",
    )
}

/// No model is wanted, only the tokenizer and the text as a run would have them.
fn smallest_decoder(spec: &BaselinesSpec, context: usize) -> TextShape {
    TextShape::Llama(LlamaShape {
        hidden: 2,
        layers: 1,
        heads: 1,
        kv_heads: 1,
        intermediate: 1,
        max_positions: context,
        vocabulary: spec.vocabulary,
        init: Init::Normal,
    })
}

fn smallest_encoder(spec: &BaselinesSpec, context: usize) -> BertShape {
    BertShape {
        hidden: 2,
        layers: 1,
        heads: 1,
        intermediate: 1,
        max_positions: context,
        vocabulary: spec.vocabulary,
        init: EncoderInit::Normal,
    }
}
