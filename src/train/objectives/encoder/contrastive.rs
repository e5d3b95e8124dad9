//! Learning which texts belong together (InfoNCE: van den Oord et al. 2018; of sentences: Gao et al. 2021, SimCSE).

use super::blanks::{self, Blanked};
use super::pairs::{Pair, SentenceEnds, Sentences};
use super::start::{EncoderStart, Frame, Prepared, no_head, too_short};
use crate::load::{EncoderModel, Tokenizer, write_sentence_files};
use crate::nn::{Random, TextEncoder, cross_entropy, in_full_precision};
use crate::train::data::passages::Passages;
use crate::train::objective::{Loss, Objective, Preparation, Progress, SampleStep, Setup, Tally, Written};
use crate::train::stream::Stream;
use crate::types::{ContrastiveTask, Pooling, TrainSpec, UserError};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::path::Path;
use std::sync::Arc;

/// Batches of held-out pairs that the learning curve is measured on.
const SLICES: usize = 16;
/// Held-out sentences of which the nearest to one is shown after each validation.
const SHOWN: usize = 256;

/// An encoder and the text whose sentences it tells apart.
pub(crate) struct Contrastive {
    task: ContrastiveTask,
    start: EncoderStart,
    frame: Frame,
    batch_size: usize,
    seed: u64,
    width: usize,
    sentences: Sentences,
    held_out: Sentences,
    /// For blanks, where their loss is added.
    passages: Option<Passages>,
    tokenizer: Option<Arc<Tokenizer>>,
}

impl Contrastive {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: ContrastiveTask) -> Self {
        Self {
            start: EncoderStart::new(task.data.clone(), task.context, task.shape.clone()),
            task,
            frame: Frame::default(),
            batch_size: 0,
            seed: 0,
            width: 0,
            sentences: Sentences::default(),
            held_out: Sentences::default(),
            passages: None,
            tokenizer: None,
        }
    }

    fn take(&mut self, prepared: &Prepared, spec: &TrainSpec) -> Result<(), UserError> {
        let frame = prepared.frame.clone();
        let room = frame.room(self.start.context());
        let (train, held_out) = prepared.corpus.split(spec.validation_share, spec.learn_from);
        let ends = SentenceEnds::of(&prepared.tokenizer, &frame);
        if self.task.masked > 0.0 {
            if train.len() <= room {
                let (has, needs) = (format!("Only {} tokens", train.len()), format!("a sequence takes {}", room + 1));
                return Err(too_short("learned from", &has, &needs));
            }
            self.passages = Some(Passages::new(train.clone(), room, spec.seed));
        }
        let sentences = |part| Sentences::new(part, &ends, &frame, room);
        (self.sentences, self.held_out) = (sentences(train), sentences(held_out));
        for (part, found) in [("learned from", &self.sentences), ("held out", &self.held_out)] {
            let may_be_empty = part == "held out" && spec.validation_share == 0.0;
            if found.len() < spec.batch_size && !may_be_empty {
                let has = format!("Only {} sentences of six tokens and more", found.len());
                return Err(too_short(part, &has, &format!("a batch takes {}", spec.batch_size)));
            }
        }
        (self.frame, self.tokenizer) = (frame, Some(Arc::clone(&prepared.tokenizer)));
        (self.seed, self.batch_size) = (spec.seed, spec.batch_size);
        Ok(())
    }

    fn scores(&self, net: &TextEncoder, pairs: &[Pair], device: &Device) -> (Tensor<2>, Tensor<1, Int>) {
        pair_scores(net, pairs, self.task.temperature, self.frame.padding, device)
    }

    /// The held-out pairs of a slice, the same each time.
    fn held_out_pairs(&self, slice: usize) -> Vec<Pair> {
        let mut random = Random::new(self.seed, Stream::HeldOutViews.at(slice as u64));
        let (all, slices) = (self.held_out.len(), self.validation_slices());
        let of_slice = (0..self.batch_size).map(|i| (slice * self.batch_size + i) * all / (slices * self.batch_size));
        of_slice.map(|place| self.held_out.pair(place, &self.task, &self.frame, &mut random)).collect()
    }
}

/// Cosines of all first with all second texts, divided by the temperature, `[B, B]`; and that text i belongs to text i, `[B]`.
pub(super) fn pair_scores(
    net: &TextEncoder,
    pairs: &[Pair],
    temperature: f64,
    padding: u32,
    device: &Device,
) -> (Tensor<2>, Tensor<1, Int>) {
    let texts: Vec<&[u32]> = (0..2).flat_map(|side| pairs.iter().map(move |pair| &pair[side][..])).collect();
    let unit = unit(net.mean_vectors(&texts, padding)); // [2·B, D]
    let b = pairs.len();
    let (first, second) = (unit.clone().narrow(0, 0, b), unit.narrow(0, b, b));
    let scores = first.matmul(second.transpose()).div_scalar(temperature); // [B, B]
    let right = TensorData::new((0..b as i32).collect::<Vec<_>>(), [b]);
    (scores, Tensor::from_data(right, device))
}

/// Each vector divided by its length; one of zeros stays.
fn unit(vectors: Tensor<2>) -> Tensor<2> {
    let lengths = (vectors.clone() * vectors.clone()).sum_dim(1).sqrt().clamp_min(1e-8); // [N, 1]
    vectors / lengths
}

impl Objective for Contrastive {
    type Model = EncoderModel;
    type Net = TextEncoder;

    fn beta_2(&self) -> f32 {
        0.999
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, EncoderModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<EncoderModel>, UserError> {
        let Some(mut prepared) = self.start.step(setup, tell)? else { return Ok(Preparation::More) };
        let model = setup.open.or(prepared.made.as_ref());
        if let Some(model) = model.filter(|_| self.task.masked > 0.0 && prepared.frame.mask.is_none()) {
            return Err(no_head(&model.info.name));
        }
        if let Some(model) = model.filter(|model| model.reads.pooling != Pooling::Mean) {
            return Err(UserError::new(
                format!("{} does not make the mean of its tokens' vectors the vector of a text.", model.info.name),
                "Which texts belong together is learned for that mean alone.",
                "Start from an encoder whose 1_Pooling/config.json says mean, or that has none.",
            ));
        }
        self.width = model.map_or(0, |model| model.encoder.width());
        self.take(&prepared, setup.spec)?;
        if let Some(made) = &mut prepared.made {
            made.read_sentences(self.task.context);
        }
        Ok(prepared.made.map_or(Preparation::ReadyForOpen, Preparation::Ready))
    }

    fn net(model: &EncoderModel) -> TextEncoder {
        in_full_precision(model.encoder.clone())
    }

    fn freezes(&self, path: &str) -> bool {
        // Nothing asks the head for blanks where there are none, and decay alone would wear it away; nor the pooler.
        path.starts_with("pooler") || (self.task.masked == 0.0 && path.starts_with("head"))
    }

    fn loss(&mut self, spec: &TrainSpec, net: &TextEncoder, batch: usize, device: &Device) -> Loss {
        let pairs = self.sentences.batch(&self.task, &self.frame, spec.batch_size, spec.seed, batch);
        let (scores, right) = self.scores(net, &pairs, device);
        let mut mean = cross_entropy(scores, right);
        let mut tokens: Vec<u32> = pairs.iter().flatten().flatten().copied().collect();
        if let Some(passages) = &mut self.passages {
            let blanked = Blanked::batch(passages, &self.frame, [self.task.masked_sequences, batch], self.task.blanks);
            tokens.extend(blanked.iter().flat_map(|one| one.ids.iter().chain(&one.truth)));
            mean = mean + blanks::loss(net, &blanked, self.frame.padding, device).mul_scalar(self.task.masked);
        }
        Loss { mean, tokens, predicted: pairs.len() }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        spec.batch_size as u64
    }

    fn examples_per_epoch(&self) -> Option<u64> {
        Some(self.sentences.len() as u64)
    }

    fn validation_slices(&self) -> usize {
        SLICES.min(self.held_out.len() / self.batch_size.max(1))
    }

    fn validate(&self, net: &TextEncoder, slice: usize, device: &Device) -> Tally {
        let pairs = self.held_out_pairs(slice);
        let (scores, right) = self.scores(net, &pairs, device);
        let nearest = scores.clone().argmax(1).flatten::<1>(0, 1);
        let found = nearest.equal(right.clone()).int().sum().into_scalar::<i64>() as usize;
        let loss = cross_entropy(scores, right).into_scalar::<f32>();
        let count = pairs.len();
        Tally { loss: f64::from(loss) * count as f64, count, correct: Some((found, count)) }
    }

    fn sample(&mut self, net: &TextEncoder) -> SampleStep {
        let (Some(tokenizer), all) = (&self.tokenizer, self.held_out.len()) else { return SampleStep::None };
        let count = SHOWN.min(all);
        if count < 2 {
            return SampleStep::None;
        }
        let texts: Vec<Vec<u32>> = (0..count).map(|i| self.held_out.sentence(i * all / count)).collect();
        let framed: Vec<Vec<u32>> = texts.iter().map(|text| self.frame.around(text)).collect();
        let borrowed: Vec<&[u32]> = framed.iter().map(Vec::as_slice).collect();
        let unit = unit(net.mean_vectors(&borrowed, self.frame.padding));
        let one = unit.clone().narrow(0, 0, 1);
        let cosines: Vec<f32> = one.matmul(unit.transpose()).into_data().iter::<f32>().collect();
        // Itself is always the nearest.
        let others = cosines.iter().enumerate().skip(1);
        let Some((nearest, cosine)) = others.max_by(|a, b| a.1.total_cmp(b.1)) else { return SampleStep::None };
        let prompt = tokenizer.decode(&texts[0]);
        let text = format!("{prompt} ~ {} ({cosine:.2})", tokenizer.decode(&texts[nearest]));
        SampleStep::Done(Written { prompt, seed: self.seed, text, is_last: true })
    }

    fn write_beside(&self, out: &Path) -> Result<(), UserError> {
        Ok(write_sentence_files(out, self.width, self.task.context)?)
    }

    fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        self.start.write_extra(folder)
    }
}
