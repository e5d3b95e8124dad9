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

use super::lesson::{Lesson, SampleStep, Score};
use super::passage::Sampling;
use super::text::{TOKENIZER_FILE, check_context, net_to_train, no_shape, put_trained, write_tokenizer};
use super::text_model::{check_shape, new_model};
use crate::engine::Event;
use crate::engine::tasks::corpus::separators;
use crate::engine::tasks::text_loss::{Chosen, chosen_logits, chosen_loss};
use crate::engine::tasks::{LoadedModel, ModelStore, TaskContext};
use crate::load::word_bpe::learn_word_bpe;
use crate::load::{self, Tokenizer, byte_bpe::DOCUMENT_SEPARATOR, text_data};
use crate::nn::{CausalLm, Hooks, Random, cross_entropy};
use crate::types::{FewShotTask, HeldOut, ModelId, Stage, StartFrom, TextShape, TrainSpec, UserError};
use burn::tensor::{Device, Tensor};
use check::check_task;
use mixture::Kind;
use rayon::prelude::*;
use sources::Sources;
use std::path::Path;
use std::sync::Arc;
use tables::Tables;

/// Random number streams; step and place are added.
const SEQUENCES: u64 = 6 << 40;
const VALIDATION: u64 = 7 << 40;
/// Few-shot sequences the learning curve is measured on, and as many of running text.
const HELD_OUT: usize = 96;
/// Sequences in one slice of a validation.
const SLICE: usize = 8;
/// What a model sees before its first sample.
const OPENING: &str = "Once upon a time";

/// Token ids, one more than the context, and which of those behind the first are learned.
#[derive(Clone, Debug, Default)]
struct Sequence {
    ids: Vec<u32>,
    learned: Vec<bool>,
}

/// A causal model, tables and texts.
pub(super) struct FewShotLesson {
    task: FewShotTask,
    tables: Tables,
    sources: Sources,
    preparing: Preparing,
    tokenizer: Option<Arc<Tokenizer>>,
    /// Measured again and again: few-shot documents, then running text that is not learned from.
    held_out: Vec<Sequence>,
    /// Those of the last batch.
    tokens: Vec<u32>,
    sampling: Option<Sampling>,
    /// Kept for checkpoints of runs that learn their own tokenizer.
    tokenizer_json: Option<String>,
}

enum Preparing {
    Tables,
    Model,
    Texts,
}

impl FewShotLesson {
    pub(super) fn new(task: FewShotTask) -> Self {
        Self {
            task,
            tables: Tables::default(),
            sources: Sources::default(),
            preparing: Preparing::Tables,
            tokenizer: None,
            held_out: Vec::new(),
            tokens: Vec::new(),
            sampling: None,
            tokenizer_json: None,
        }
    }

    fn shape(&self) -> Result<&TextShape, UserError> {
        self.task.shape.as_ref().ok_or_else(no_shape)
    }

    /// Puts the model into the store: from a folder, or new with a vocabulary learned from tables and texts.
    fn make_model(
        &mut self,
        spec: &TrainSpec,
        model: ModelId,
        checkpoint: Option<&Path>,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), UserError> {
        let mut made = match &spec.start {
            StartFrom::OpenModel => {
                check_context(self.task.context, cx.models.text(model)?.lm.context())?;
                return Ok(());
            }
            StartFrom::Folder { path } => {
                let opened = load::open_text_model(path, cx.device, &mut |_, _| {})?;
                check_context(self.task.context, opened.lm.context())?;
                opened
            }
            StartFrom::Scratch => {
                let shape = self.shape()?.clone();
                check_shape(&shape, self.task.context)?;
                let kept = checkpoint.map(|folder| folder.join(TOKENIZER_FILE)).filter(|file| file.is_file());
                let tokenizer = match kept {
                    Some(file) => Tokenizer::from_file(&file)?,
                    None => {
                        let texts = self.sources.texts(&self.task.text)?;
                        let documents = texts.iter().flat_map(|text| text_data::documents(text, &[DOCUMENT_SEPARATOR]));
                        learn_word_bpe(documents, &self.tables.vocabulary, shape.vocabulary)?
                    }
                };
                let made = new_model(spec, &shape, tokenizer, cx.device);
                self.tokenizer_json = Some(made.tokenizer.to_json()?);
                made
            }
        };
        made.info.id = model;
        cx.models.insert(model, LoadedModel::Text(made));
        Ok(())
    }

    /// The sequence at one place of a batch.
    fn sequence(&self, kind: Kind, tokenizer: &Tokenizer, random: &mut Random) -> Sequence {
        let length = self.task.context + 1;
        if kind == Kind::Text && !self.sources.is_empty() {
            let ids = self.sources.passage(length, random);
            return Sequence { learned: vec![true; ids.len() - 1], ids };
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
        Sequence { ids, learned }
    }

    fn held_out_sequences(&self, tokenizer: &Tokenizer) -> Vec<Sequence> {
        let Some(last) = self.task.stages.last().copied() else { return Vec::new() };
        let stage = Stage { text: 0.0, ..last };
        let few_shot = (0..HELD_OUT).into_par_iter().map(|place| {
            let mut random = Random::new(1, VALIDATION + place as u64);
            let kind = mixture::kind(&stage, &mut random);
            self.sequence(kind, tokenizer, &mut random)
        });
        let mut all: Vec<Sequence> = few_shot.collect();
        all.extend(self.sources.held_out(self.task.context + 1, HELD_OUT).into_iter().map(|ids| {
            let learned = vec![true; ids.len() - 1];
            Sequence { ids, learned }
        }));
        all
    }
}

impl Lesson for FewShotLesson {
    type Net = CausalLm;

    fn beta_2(&self) -> f32 {
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
        match self.preparing {
            Preparing::Tables => {
                check_task(&self.task)?;
                self.tables = Tables::read(&self.task)?;
                tell("Learning the vocabulary", (0, 0));
                self.preparing = Preparing::Model;
            }
            Preparing::Model => {
                self.make_model(spec, model, checkpoint, cx)?;
                let text_model = cx.models.text(model)?;
                let tokenizer = Arc::clone(&text_model.tokenizer);
                let texts = (0..tokenizer.vocabulary() as u32).map(|id| tokenizer.token_text(id));
                self.tables.widen(texts.filter_map(|text| text.strip_prefix(' ').map(str::to_owned)));
                self.tokenizer = Some(tokenizer);
                self.sources.begin(&self.task.text, text_model)?;
                self.preparing = Preparing::Texts;
            }
            Preparing::Texts => {
                let Some(tokenizer) = self.tokenizer.clone() else { return Ok(false) };
                if !self.sources.step(&tokenizer, spec.validation_share)? {
                    tell("Splitting the text into tokens", self.sources.progress());
                    return Ok(false);
                }
                self.held_out = self.held_out_sequences(&tokenizer);
                let text_model = cx.models.text(model)?;
                let (opening, ends) = (tokenizer.ids(OPENING)?, text_model.eos.clone());
                let separators = separators(&tokenizer, &ends);
                self.sampling = Some(Sampling::new(opening, &tokenizer, ends, separators));
                if let Some(model) = cx.models.get(model) {
                    (cx.emit)(model.event());
                }
                return Ok(true);
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
        let tokenizer = self.tokenizer.as_ref().expect("prepared before the first step");
        let stage = mixture::stage(&self.task.stages, step, spec.steps);
        let first = SEQUENCES + (step * spec.batch_size) as u64;
        let batch: Vec<Sequence> = (0..spec.batch_size)
            .into_par_iter()
            .map(|place| {
                let mut random = Random::new(spec.seed, first + place as u64);
                let kind = mixture::kind(&stage, &mut random);
                self.sequence(kind, tokenizer, &mut random)
            })
            .collect();
        self.tokens = borrowed(&batch).concat();
        chosen_loss(net, &borrowed(&batch), &chosen(&batch), device)
    }

    fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    fn embedding_rate(&self, spec: &TrainSpec, step: usize) -> f64 {
        mixture::stage(&self.task.stages, step, spec.steps).embedding_rate.unwrap_or(spec.embedding_rate)
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        (spec.batch_size * self.task.context) as u64
    }

    fn validation_slices(&self) -> usize {
        self.held_out.len().div_ceil(SLICE)
    }

    fn validate(&self, net: &CausalLm, slice: usize, device: &Device) -> Score {
        let batch = &self.held_out[slice * SLICE..((slice + 1) * SLICE).min(self.held_out.len())];
        let Chosen { logits, targets } =
            chosen_logits(net, &borrowed(batch), &chosen(batch), &mut Hooks::off(), device);
        let count = targets.dims()[0];
        let right = logits.clone().argmax(1).flatten::<1>(0, 1).equal(targets.clone()).int().sum();
        let correct = right.into_scalar::<i64>() as usize;
        let loss = f64::from(cross_entropy(logits, targets).into_scalar::<f32>());
        // Accuracy is that of few-shot answers; running text has none that is right.
        let correct = (slice * SLICE < HELD_OUT).then_some((correct, count));
        Score { loss: loss * count as f64, count, correct }
    }

    fn sample(&mut self, net: &CausalLm, _device: &Device) -> SampleStep {
        self.sampling.as_mut().map_or(SampleStep::None, |sampling| sampling.step(net))
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

fn borrowed(batch: &[Sequence]) -> Vec<&[u32]> {
    batch.iter().map(|sequence| sequence.ids.as_slice()).collect()
}

fn chosen(batch: &[Sequence]) -> Vec<Vec<bool>> {
    batch.iter().map(|sequence| sequence.learned.clone()).collect()
}
