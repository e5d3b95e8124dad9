//! Learning to remember: what stood some tokens before is said again.

use super::text::{OpenedModel, check_context, first_net, folder_model, no_shape, tokenizer_of, write_tokenizer};
use crate::load::tokens::byte_bpe::learn_byte_bpe;
use crate::load::{self, TextModel, Tokenizer};
use crate::nn::{CausalLm, Hooks, Random, cross_entropy, in_full_precision};
use crate::train::data::memory::{MemoryTokens, least_length, question, sequence};
use crate::train::glimpse;
use crate::train::init::{check_shape, new_model};
use crate::train::objective::{Loss, Objective, Preparation, Progress, SampleStep, Setup, Tally};
use crate::train::sample::SampleWriter;
use crate::train::stream::{Stream, dropout};
use crate::train::text_loss::{Chosen, chosen_logits, chosen_loss};
use crate::train::watch::HeadProbe;
use crate::types::{
    BYTE_VOCABULARY, GlimpseToken, HeadValues, MemoryKind, MemoryTask, RecurrentCell, StartFrom, TextShape, TrainSpec,
    UserError,
};
use burn::tensor::Device;
use std::path::Path;
use std::sync::Arc;

/// Tokens in one slice of a validation.
const SLICE: usize = 2048;
/// Sequences that are measured.
const HELD_OUT: usize = 64;

/// A causal model, and questions that are drawn for it.
pub(crate) struct Memory {
    task: MemoryTask,
    tokens: Option<MemoryTokens>,
    /// Of sequences that are measured.
    seed: u64,
    is_measured: bool,
    sample: Option<SampleWriter>,
    probe: Option<HeadProbe>,
    tokenizer: Option<Arc<Tokenizer>>,
    /// Kept for checkpoints of runs that make their own tokenizer.
    tokenizer_json: Option<String>,
}

impl Memory {
    /// The objective of a task.
    pub(crate) fn new(task: MemoryTask) -> Self {
        Self {
            task,
            tokens: None,
            seed: 0,
            is_measured: false,
            sample: None,
            probe: None,
            tokenizer: None,
            tokenizer_json: None,
        }
    }

    fn shape(&self) -> Result<&TextShape, UserError> {
        self.task.shape.as_ref().ok_or_else(no_shape)
    }

    /// Refuses what cannot be asked for.
    fn check(&self) -> Result<(), UserError> {
        let MemoryTask { of, longest, context, .. } = self.task;
        let wrong = |why: String| {
            UserError::new("What is to be remembered cannot be asked for.", why, "Change [task] and start again.")
        };
        if longest < of.least() || longest > context {
            let least = of.least();
            return Err(wrong(format!(
                "longest ({longest}) must be at least {least} and at most the context ({context})."
            )));
        }
        let least = least_length(of, longest);
        if context + 1 < least {
            return Err(wrong(format!(
                "A question at a distance of {longest} needs a context of {} tokens, not {context}.",
                least - 1
            )));
        }
        Ok(())
    }

    /// Sequences, one for each place of a stream.
    fn sequences(&self, stream: Stream, seed: u64, places: std::ops::Range<usize>) -> (Vec<Vec<u32>>, Vec<Vec<bool>>) {
        let tokens = self.tokens.as_ref().expect("asked once all is ready");
        let MemoryTask { of, longest, context, .. } = self.task;
        places
            .map(|place| {
                let (text, predicted) =
                    sequence(of, longest, context + 1, &mut Random::new(seed, stream.at(place as u64)));
                (text.into_iter().map(|character| tokens.id(character)).collect::<Vec<u32>>(), predicted)
            })
            .unzip()
    }

    fn sequences_per_slice(&self) -> usize {
        (SLICE / self.task.context).max(1)
    }
}

impl Objective for Memory {
    type Model = TextModel;
    type Net = CausalLm;

    fn beta_2(&self) -> f32 {
        0.95
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, TextModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<OpenedModel, UserError> {
        self.check()?;
        let made = if setup.spec.start == StartFrom::Scratch {
            let shape = self.shape()?.clone();
            check_shape(&shape, self.task.context)?;
            if shape.vocabulary() != BYTE_VOCABULARY {
                return Err(UserError::new(
                    "The model's shape is not possible.",
                    format!(
                        "A model that learns to remember has one token a byte, {BYTE_VOCABULARY} in all, and vocabulary is {}.",
                        shape.vocabulary()
                    ),
                    "Leave out vocabulary in [task.shape].",
                ));
            }
            let tokenizer = match tokenizer_of(setup.checkpoint)? {
                Some(tokenizer) => tokenizer,
                None => learn_byte_bpe(std::iter::empty::<&str>(), BYTE_VOCABULARY)?,
            };
            self.tokenizer_json = Some(tokenizer.to_json()?);
            let mut model = new_model(setup.spec, &shape, tokenizer, setup.device);
            if setup.spec.out.is_none() {
                model.info.name = format!("{}-{}", self.task.of.name(), kind_of(&shape));
            }
            Some(model)
        } else {
            folder_model(setup, tell)?
        };
        let model = setup.open.or(made.as_ref()).ok_or_else(no_shape)?;
        check_context(self.task.context, model.lm.context())?;
        let tokens = MemoryTokens::of(&model.tokenizer, &model.info.name)?;
        let usual = opening(&model.tokenizer, self.task.of, setup.spec.seed)?;
        self.sample = Some(SampleWriter::new(setup.spec, usual, &model.tokenizer, model.eos.clone(), Vec::new())?);
        self.probe = Some(HeadProbe::new(&model.tokenizer, &model.lm));
        self.tokenizer = Some(Arc::clone(&model.tokenizer));
        (self.tokens, self.seed) = (Some(tokens), setup.spec.seed);
        self.is_measured = setup.spec.validation_share > 0.0;
        Ok(made.map_or(Preparation::ReadyForOpen, Preparation::Ready))
    }

    fn net(model: &TextModel) -> CausalLm {
        in_full_precision(model.lm.clone())
    }

    fn first_net(&self, spec: &TrainSpec, model: &TextModel) -> Result<CausalLm, UserError> {
        first_net(spec, model)
    }

    fn loss(&mut self, spec: &TrainSpec, net: &CausalLm, batch: usize, device: &Device) -> Loss {
        let first = (batch - 1) * spec.batch_size;
        let (sequences, chosen) = self.sequences(Stream::MemorySequences, spec.seed, first..first + spec.batch_size);
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let predicted = chosen.iter().flatten().filter(|is| **is).count();
        let hooks = &mut Hooks::off().learning(dropout(spec.seed, batch));
        Loss { mean: chosen_loss(net, &borrowed, &chosen, hooks, device), tokens: sequences.concat(), predicted }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        (spec.batch_size * self.task.context) as u64
    }

    fn reads_tokens(&self) -> bool {
        true
    }

    fn validation_slices(&self) -> usize {
        if self.is_measured { HELD_OUT.div_ceil(self.sequences_per_slice()) } else { 0 }
    }

    fn validate(&self, net: &CausalLm, slice: usize, device: &Device) -> Tally {
        let (net, per_slice) = (&load::merged(net), self.sequences_per_slice());
        let places = slice * per_slice..((slice + 1) * per_slice).min(HELD_OUT);
        let (sequences, chosen) = self.sequences(Stream::HeldOutMemory, self.seed, places);
        let borrowed: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let Chosen { logits, targets } = chosen_logits(net, &borrowed, &chosen, &mut Hooks::off(), device);
        let count = targets.dims()[0];
        let is_right = logits.clone().argmax(1).flatten::<1>(0, 1).equal(targets.clone()).int();
        let right = is_right.into_data().iter::<i64>().filter(|is| *is == 1).count();
        let loss = f64::from(cross_entropy(logits, targets).into_scalar::<f32>()) * count as f64;
        Tally { loss, count, correct: Some((right, count)) }
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
        let first = (batch - 1) * spec.batch_size;
        let (sequences, chosen) = self.sequences(Stream::MemorySequences, spec.seed, first..first + 1);
        let (sequence, chosen) = (sequences.first()?, chosen.first()?);
        glimpse::causal(&load::merged(net), sequence, chosen, self.tokenizer.as_deref()?, device)
    }

    fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        write_tokenizer(self.tokenizer_json.as_deref(), folder)
    }
}

/// What a network of this shape is called.
fn kind_of(shape: &TextShape) -> &'static str {
    match shape {
        TextShape::Llama(_) => "transformer",
        TextShape::Recurrent(shape) => match shape.cell {
            RecurrentCell::Lstm => "lstm",
            RecurrentCell::Tanh => "rnn",
        },
        TextShape::FeedForward(_) => "feed-forward",
    }
}

/// A question at a short distance, whose answer samples show.
fn opening(tokenizer: &Arc<Tokenizer>, of: MemoryKind, seed: u64) -> Result<Vec<u32>, UserError> {
    let distance = of.at_most(8).unwrap_or(of.least());
    let asked = question(of, distance, &mut Random::new(seed, Stream::HeldOutMemory.at(u64::from(u32::MAX))));
    Ok(tokenizer.encode_whole(&asked.text)?.into_iter().map(|token| token.id).collect())
}
