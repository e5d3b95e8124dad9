//! Learning to infer a task from its examples: running text and few-shot documents, mixed.
//!
//! Every sequence is drawn from seed, step and place alone, so a checkpoint needs to keep nothing of the data.

mod check;
mod document;
mod mixture;
mod repeats;
mod rules;
mod sources;
mod tables;
mod words;

use super::text::{LOOK_AGAIN, check_context, first_net, folder_model, no_shape, tokenizer_of, write_tokenizer};
use crate::load::tokens::word_bpe::learn_word_bpe;
use crate::load::{self, TextModel, Tokenizer};
use crate::nn::{CausalLm, Hooks, Random, cross_entropy, in_full_precision};
use crate::train::data::corpus::separators;
use crate::train::data::vocabulary::{LearningVocabulary, Texts};
use crate::train::examples::{Drawn, Example};
use crate::train::init::{check_shape, new_model};
use crate::train::objective::{Loss, Objective, Preparation, Progress, SampleStep, Setup, Tally};
use crate::train::sample::SampleWriter;
use crate::train::stream::{Stream, dropout};
use crate::train::text_loss::{Chosen, chosen_logits, chosen_loss};
use crate::train::watch::HeadProbe;
use crate::types::{
    DataPart, FewShotTask, HeadValues, HeldOut, MixtureStage, StartFrom, TextShape, TrainSpec, UserError,
};
use burn::tensor::Device;
use check::check_task;
use mixture::Kind;
use rayon::prelude::*;
use sources::Sources;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tables::Tables;

/// Few-shot sequences the learning curve is measured on, and as many of running text.
const HELD_OUT: usize = 96;
/// Sequences in one slice of a validation.
const SLICE: usize = 8;
/// What a model sees before its first sample.
const OPENING: &str = "Once upon a time";

/// Token ids, one more than the context, and which of those behind the first are learned.
#[derive(Clone, Debug, Default)]
struct TrainingSequence {
    ids: Vec<u32>,
    learned: Vec<bool>,
}

/// A causal model, tables and texts.
pub(crate) struct FewShot {
    task: FewShotTask,
    tables: Tables,
    sources: Sources,
    preparing: Preparing,
    tokenizer: Option<Arc<Tokenizer>>,
    /// Measured again and again: few-shot documents, then running text that is not learned from.
    held_out: Vec<TrainingSequence>,
    sample: Option<SampleWriter>,
    /// What its heads are scored on.
    probe: Option<HeadProbe>,
    /// The model, until all is ready; none where it is open already.
    made: Option<TextModel>,
    /// Kept for checkpoints of runs that learn their own tokenizer.
    tokenizer_json: Option<String>,
}

enum Preparing {
    Tables,
    Model,
    /// Learns a tokenizer from tables and texts.
    Vocabulary(LearningVocabulary),
    Texts,
}

impl FewShot {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: FewShotTask) -> Self {
        Self {
            task,
            tables: Tables::default(),
            sources: Sources::default(),
            preparing: Preparing::Tables,
            tokenizer: None,
            held_out: Vec::new(),
            sample: None,
            probe: None,
            made: None,
            tokenizer_json: None,
        }
    }

    fn shape(&self) -> Result<&TextShape, UserError> {
        self.task.shape.as_ref().ok_or_else(no_shape)
    }

    /// Opens the model of a folder, or makes a new one with the tokenizer of a checkpoint; where there is none, begins to learn
    /// one.
    fn begin_model(
        &mut self,
        setup: &Setup<'_, TextModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparing, UserError> {
        if setup.spec.start != StartFrom::Scratch {
            self.made = folder_model(setup, tell)?;
            let model = setup.open.or(self.made.as_ref()).ok_or_else(no_shape)?;
            check_context(self.task.context, model.lm.context())?;
            return self.begin_texts(setup);
        }
        check_shape(self.shape()?, self.task.context)?;
        if let Some(tokenizer) = tokenizer_of(setup.checkpoint)? {
            return self.make_model(setup, tokenizer);
        }
        let (words, vocabulary) = (self.tables.vocabulary.clone(), self.shape()?.vocabulary());
        let learn = move |texts: &mut Texts| learn_word_bpe(texts, &words, vocabulary);
        LearningVocabulary::start(Sources::files(&self.task.text)?, learn).map(Preparing::Vocabulary)
    }

    /// A new model with this tokenizer.
    fn make_model(&mut self, setup: &Setup<'_, TextModel>, tokenizer: Tokenizer) -> Result<Preparing, UserError> {
        self.tokenizer_json = Some(tokenizer.to_json()?);
        self.made = Some(new_model(setup.spec, self.shape()?, tokenizer, setup.device));
        self.begin_texts(setup)
    }

    /// The model is there: what its tokenizer knows is taken in.
    fn begin_texts(&mut self, setup: &Setup<'_, TextModel>) -> Result<Preparing, UserError> {
        let model = setup.open.or(self.made.as_ref()).ok_or_else(no_shape)?;
        let tokenizer = Arc::clone(&model.tokenizer);
        let texts = (0..tokenizer.vocabulary() as u32).map(|id| tokenizer.lossy_token_text(id));
        self.tables.widen(texts.filter_map(|text| text.strip_prefix(' ').map(str::to_owned)));
        self.sources.begin(&self.task.text, model)?;
        self.tokenizer = Some(tokenizer);
        Ok(Preparing::Texts)
    }

    /// The sequence at one place of a batch.
    fn sequence(&self, kind: Kind, tokenizer: &Tokenizer, random: &mut Random) -> TrainingSequence {
        let length = self.task.context + 1;
        if kind == Kind::Text && !self.sources.is_empty() {
            let ids = self.sources.passage(length, random);
            return TrainingSequence { learned: vec![true; ids.len() - 1], ids };
        }
        if kind == Kind::Repeats {
            return repeats::write(length, tokenizer.vocabulary(), random);
        }
        let (mut ids, mut learned) = (Vec::with_capacity(length), Vec::with_capacity(length));
        while ids.len() < length {
            let document = mixture::write(kind, &self.task, &self.tables, random);
            // Tables and texts were tokenized by this tokenizer before; a text it refuses would have ended the run there.
            let Ok(tokens) = tokenizer.encode(&document.text) else { break };
            let mut ranges = document.learned.iter().peekable();
            for token in tokens {
                while ranges.next_if(|range| token.span.start >= range.end).is_some() {}
                let inside = ranges.peek().is_some_and(|range| range.contains(&token.span.start));
                ids.push(token.id);
                learned.push(inside && !token.span.is_empty());
            }
        }
        ids.resize(length, 0);
        learned.resize(length, false);
        learned.remove(0);
        TrainingSequence { ids, learned }
    }

    /// At most `most` sequences of a part, once all is read: of what is learned from those that the run's steps draw.
    pub(crate) fn examples(&self, spec: &TrainSpec, part: DataPart, most: usize) -> Drawn {
        let Some(tokenizer) = &self.tokenizer else { return Drawn::default() };
        let example = |sequence: TrainingSequence| Example::Tokens { ids: sequence.ids, predicted: sequence.learned };
        match part {
            DataPart::Validation => {
                Drawn::spread(self.held_out.len(), most, |place| example(self.held_out[place].clone()))
            }
            DataPart::Train => {
                let batches = spec.steps * spec.accumulate;
                Drawn::spread(batches * spec.batch_size, most, |place| {
                    let batch = place / spec.batch_size + 1;
                    example(self.drawn(spec, batch, place % spec.batch_size, tokenizer))
                })
            }
            DataPart::Test => Drawn::default(),
        }
    }

    /// The sequence at a place of a batch of the run, counted from 1.
    fn drawn(&self, spec: &TrainSpec, batch: usize, place: usize, tokenizer: &Tokenizer) -> TrainingSequence {
        let stage = mixture::stage(&self.task.stages, batch, spec.steps * spec.accumulate);
        let mut random = Random::new(spec.seed, Stream::Sequences.at((batch * spec.batch_size + place) as u64));
        let kind = mixture::kind(stage, &mut random);
        self.sequence(kind, tokenizer, &mut random)
    }

    fn held_out_sequences(&self, tokenizer: &Tokenizer) -> Vec<TrainingSequence> {
        let Some(last) = self.task.stages.last().cloned() else { return Vec::new() };
        let stage = MixtureStage { text: 0.0, ..last };
        let few_shot = (0..HELD_OUT).into_par_iter().map(|place| {
            let mut random = Random::new(1, Stream::HeldOutSequences.at(place as u64));
            let kind = mixture::kind(&stage, &mut random);
            self.sequence(kind, tokenizer, &mut random)
        });
        let mut all: Vec<TrainingSequence> = few_shot.collect();
        all.extend(self.sources.held_out(self.task.context + 1, HELD_OUT).into_iter().map(|ids| {
            let learned = vec![true; ids.len() - 1];
            TrainingSequence { ids, learned }
        }));
        all
    }
}

impl Objective for FewShot {
    type Model = TextModel;
    type Net = CausalLm;

    fn beta_2(&self) -> f32 {
        0.95
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, TextModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<TextModel>, UserError> {
        let bytes = |label: &str, (done, total)| Progress { label: label.to_owned(), done, total, unit: "bytes" };
        match &self.preparing {
            Preparing::Tables => {
                check_task(&self.task)?;
                self.tables = Tables::read(&self.task)?;
                self.preparing = Preparing::Model;
            }
            Preparing::Model => self.preparing = self.begin_model(setup, tell)?,
            Preparing::Vocabulary(learning) => {
                let learned = learning.wait(LOOK_AGAIN);
                tell(bytes("Learning the vocabulary", learning.progress()));
                if let Some(tokenizer) = learned {
                    self.preparing = self.make_model(setup, tokenizer?)?;
                }
            }
            Preparing::Texts => {
                let Some(tokenizer) = self.tokenizer.clone() else { return Ok(Preparation::More) };
                if !self.sources.step(&tokenizer, setup.spec.validation_share)? {
                    tell(bytes("Splitting the text into tokens", self.sources.progress()));
                    return Ok(Preparation::More);
                }
                self.held_out = self.held_out_sequences(&tokenizer);
                let model = setup.open.or(self.made.as_ref()).ok_or_else(no_shape)?;
                let (opening, ends) = (tokenizer.ids(OPENING)?, model.eos.clone());
                let separators = separators(&tokenizer, &ends);
                self.probe = Some(HeadProbe::new(&tokenizer, &model.lm));
                self.sample = Some(SampleWriter::new(setup.spec, opening, &tokenizer, ends, separators)?);
                return Ok(self.made.take().map_or(Preparation::ReadyForOpen, Preparation::Ready));
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
        let tokenizer = self.tokenizer.as_ref().expect("prepared before the first step");
        let hooks = &mut Hooks::off().learning(dropout(spec.seed, batch));
        let places = (0..spec.batch_size).into_par_iter();
        let batch: Vec<TrainingSequence> = places.map(|place| self.drawn(spec, batch, place, tokenizer)).collect();
        let mean = chosen_loss(net, &borrowed(&batch), &chosen(&batch), hooks, device);
        let predicted = batch.iter().flat_map(|sequence| &sequence.learned).filter(|learned| **learned).count();
        Loss { mean, tokens: borrowed(&batch).concat(), predicted }
    }

    fn rates(&self, spec: &TrainSpec, step: usize) -> Option<&BTreeMap<String, f64>> {
        Some(&mixture::stage(&self.task.stages, step, spec.steps).rates)
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        (spec.batch_size * self.task.context) as u64
    }

    fn reads_tokens(&self) -> bool {
        true
    }

    fn validation_slices(&self) -> usize {
        self.held_out.len().div_ceil(SLICE)
    }

    fn validation_sets(&self) -> Vec<String> {
        let several = self.held_out.len() > HELD_OUT;
        let names = if several { ["few-shot documents", "running text"].as_slice() } else { &[] };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn set_of_slice(&self, slice: usize) -> usize {
        usize::from(slice * SLICE >= HELD_OUT)
    }

    fn validate(&self, net: &CausalLm, slice: usize, device: &Device) -> Tally {
        let net = &load::merged(net);
        let batch = &self.held_out[slice * SLICE..((slice + 1) * SLICE).min(self.held_out.len())];
        let Chosen { logits, targets } =
            chosen_logits(net, &borrowed(batch), &chosen(batch), &mut Hooks::off(), device);
        let count = targets.dims()[0];
        let right = logits.clone().argmax(1).flatten::<1>(0, 1).equal(targets.clone()).int().sum();
        let correct = right.into_scalar::<i64>() as usize;
        let loss = f64::from(cross_entropy(logits, targets).into_scalar::<f32>());
        // Accuracy is that of few-shot answers; running text has none that is right.
        let correct = (slice * SLICE < HELD_OUT).then_some((correct, count));
        Tally { loss: loss * count as f64, count, correct }
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

    fn write_beside(&self, out: &Path) -> Result<(), UserError> {
        let FewShotTask { held_out_tasks, unseen_rules, held_out_pairs, held_out_templates, .. } = &self.task;
        let left_out = HeldOut {
            held_out_tasks: held_out_tasks.clone(),
            unseen_rules: unseen_rules.clone(),
            held_out_pairs: *held_out_pairs,
            held_out_templates: held_out_templates.clone(),
        };
        load::write_held_out(out, &left_out)
    }

    fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        write_tokenizer(self.tokenizer_json.as_deref(), folder)
    }
}

fn borrowed(batch: &[TrainingSequence]) -> Vec<&[u32]> {
    batch.iter().map(|sequence| sequence.ids.as_slice()).collect()
}

fn chosen(batch: &[TrainingSequence]) -> Vec<Vec<bool>> {
    batch.iter().map(|sequence| sequence.learned.clone()).collect()
}
