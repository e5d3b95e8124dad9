//! Learning to fill blanks (Devlin et al. 2019).

use super::blanks::{self, Blanked, Filling};
use super::start::{EncoderStart, Frame, Prepared, no_head, too_short};
use crate::load::{EncoderModel, Tokenizer};
use crate::nn::{Random, TextEncoder, in_full_precision};
use crate::train::baselines::HeldOutBlank;
use crate::train::data::passages::Passages;
use crate::train::data::token_ids::TokenParts;
use crate::train::glimpse;
use crate::train::objective::{Loss, Objective, Preparation, Progress, SampleStep, Setup, Tally, Written};
use crate::train::stream::Stream;
use crate::types::{BLANKS, GlimpseToken, MaskedTask, Seen, TrainSpec, UserError};
use burn::tensor::{Device, Tensor};
use std::path::Path;
use std::sync::Arc;

/// Tokens in one slice of a validation.
const SLICE: usize = 2048;
/// Tokens the learning curve is measured on, spread over all that is held out.
const VALIDATION: usize = 64 * 1024;
/// Held-out texts that are filled after each validation, where a run names none.
const SAMPLES: usize = 2;
/// Tokens of each.
const SAMPLE: usize = 32;

/// An encoder and the text it learns from.
pub(crate) struct MaskedTokens {
    start: EncoderStart,
    /// Share of blanks in learning.
    blanks: f64,
    frame: Frame,
    seed: u64,
    passages: Passages,
    held_out: Passages,
    tokenizer: Option<Arc<Tokenizer>>,
    /// Texts that are filled after each validation, and which is next.
    samples: Vec<Blanked>,
    next_sample: usize,
}

impl MaskedTokens {
    /// The objective of a task; nothing is read yet.
    pub(crate) fn new(task: MaskedTask) -> Self {
        Self {
            start: EncoderStart::new(task.data, task.context, task.shape),
            blanks: task.blanks,
            frame: Frame::default(),
            seed: 0,
            passages: Passages::default(),
            held_out: Passages::default(),
            tokenizer: None,
            samples: Vec::new(),
            next_sample: 0,
        }
    }

    fn take(&mut self, prepared: &Prepared, spec: &TrainSpec) -> Result<(), UserError> {
        let frame = prepared.frame.clone();
        let room = frame.room(self.start.context());
        let (train, held_out) = prepared.corpus.split(spec.validation_share, spec.learn_from);
        for (part, ids) in [("learned from", &train), ("held out", &held_out)] {
            let may_be_empty = part == "held out" && spec.validation_share == 0.0;
            if ids.len() <= room && !may_be_empty {
                let (has, needs) = (format!("Only {} tokens", ids.len()), format!("a sequence takes {}", room + 1));
                return Err(too_short(part, &has, &needs));
            }
        }
        self.passages = Passages::new(train, room, spec.seed);
        self.held_out = Passages::new(held_out, room, spec.seed);
        (self.frame, self.seed, self.tokenizer) = (frame, spec.seed, Some(Arc::clone(&prepared.tokenizer)));
        self.samples = self.sample_texts(spec, &prepared.tokenizer)?;
        Ok(())
    }

    /// What is filled after each validation: the prompts of the run, or held-out text.
    fn sample_texts(&self, spec: &TrainSpec, tokenizer: &Tokenizer) -> Result<Vec<Blanked>, UserError> {
        let mask = self.frame.mask.unwrap_or_default();
        let given = spec.sample_prompts.iter().map(|prompt| {
            let (ids, _) = tokenizer.ids_at_most(prompt, self.start.context())?;
            let places: Vec<usize> = (0..ids.len()).filter(|place| ids[*place] == mask).collect();
            if places.is_empty() {
                return Err(UserError::new(
                    format!("A text for samples has no blank: {prompt:?}."),
                    format!(
                        "After each validation the encoder fills the blanks of each, written {}.",
                        tokenizer.token_text(mask)
                    ),
                    "Put a blank where a word is to be guessed, or leave the text out.",
                ));
            }
            Ok(Blanked { ids, places, truth: Vec::new() })
        });
        let given: Vec<Blanked> = given.collect::<Result<_, UserError>>()?;
        let windows = self.held_out.windows();
        if !given.is_empty() || windows == 0 {
            return Ok(given);
        }
        let window = |i: usize| self.held_out.window(i * windows / SAMPLES.min(windows));
        let texts = (0..SAMPLES.min(windows)).map(|i| {
            let mut random = Random::new(self.seed, Stream::HeldOutBlanks.at((1 << 39) + i as u64));
            let ids = window(i);
            Blanked::of(&ids[..ids.len().min(SAMPLE)], &self.frame, BLANKS, Filling::Masks, &mut random)
        });
        Ok(texts.collect())
    }

    fn windows_per_slice(&self) -> usize {
        (SLICE / self.held_out.context()).max(1)
    }

    fn validation_windows(&self) -> usize {
        self.held_out.windows().min((VALIDATION / self.held_out.context()).max(1))
    }

    /// What is learned from, and the blanks that the learning curve is measured on.
    pub(in crate::train) fn counted(&self) -> (&TokenParts, Vec<HeldOutBlank>) {
        let blanked = (0..self.validation_slices()).flat_map(|slice| self.held_out_blanks(slice));
        let blanks = blanked.flat_map(|one| {
            let known = |place: usize| match one.places.binary_search(&place) {
                Ok(blank) => one.truth[blank],
                Err(_) => one.ids[place],
            };
            // What stands around a text is no neighbour.
            let inside = self.frame.offset()..self.frame.offset() + self.held_out.context();
            let sides =
                |place: usize| [place.checked_sub(1), Some(place + 1)].map(|at| at.filter(|at| inside.contains(at)));
            let blank = |(place, truth): (&usize, &u32)| HeldOutBlank {
                seen: sides(*place).map(|at| at.map(|at| one.ids[at]).filter(|id| Some(*id) != self.frame.mask)),
                known: sides(*place).map(|at| at.map(known)),
                truth: *truth,
            };
            one.places.iter().zip(&one.truth).map(blank).collect::<Vec<_>>()
        });
        (self.passages.ids(), blanks.collect())
    }

    /// The held-out sequences of a slice, whose blanks are the same each time.
    fn held_out_blanks(&self, slice: usize) -> Vec<Blanked> {
        let (windows, per_slice) = (self.validation_windows(), self.windows_per_slice());
        let all = self.held_out.windows();
        let chosen = slice * per_slice..((slice + 1) * per_slice).min(windows);
        let blanked = chosen.map(|i| {
            let place = i * all / windows;
            let ids = self.held_out.window(place);
            let mut random = Random::new(self.seed, Stream::HeldOutBlanks.at(place as u64));
            Blanked::of(&ids[..ids.len() - 1], &self.frame, BLANKS, Filling::Masks, &mut random)
        });
        blanked.collect()
    }
}

impl Objective for MaskedTokens {
    type Model = EncoderModel;
    type Net = TextEncoder;

    fn beta_2(&self) -> f32 {
        // A shorter memory than BERT's 0.999 steadies it (RoBERTa, Liu et al. 2019).
        0.98
    }

    fn prepare(
        &mut self,
        setup: &Setup<'_, EncoderModel>,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Preparation<EncoderModel>, UserError> {
        let Some(prepared) = self.start.step(setup, tell)? else { return Ok(Preparation::More) };
        if prepared.frame.mask.is_none() {
            let model = setup.open.or(prepared.made.as_ref());
            return Err(no_head(model.map_or("The model", |model| &model.info.name)));
        }
        self.take(&prepared, setup.spec)?;
        Ok(prepared.made.map_or(Preparation::ReadyForOpen, Preparation::Ready))
    }

    fn net(model: &EncoderModel) -> TextEncoder {
        in_full_precision(model.encoder.clone())
    }

    fn loss(&mut self, spec: &TrainSpec, net: &TextEncoder, batch: usize, device: &Device) -> Loss {
        let blanked = Blanked::batch(&mut self.passages, &self.frame, [spec.batch_size, batch], self.blanks);
        let predicted = blanked.iter().map(|one| one.places.len()).sum();
        let tokens = blanked.iter().flat_map(|one| one.ids.iter().chain(&one.truth)).copied().collect();
        Loss { mean: blanks::loss(net, &blanked, self.frame.padding, device), tokens, predicted }
    }

    fn examples_per_step(&self, spec: &TrainSpec) -> u64 {
        (spec.batch_size * self.start.context()) as u64
    }

    fn examples_per_epoch(&self) -> Option<u64> {
        Some((self.passages.windows() * self.start.context()) as u64)
    }

    fn reads_tokens(&self) -> bool {
        true
    }

    fn validation_slices(&self) -> usize {
        self.validation_windows().div_ceil(self.windows_per_slice())
    }

    fn validate(&self, net: &TextEncoder, slice: usize, device: &Device) -> Tally {
        let blanked = self.held_out_blanks(slice);
        let (logits, truth) = blanks::scores(net, &blanked, self.frame.padding, device);
        let [count, _] = logits.dims();
        let likeliest = logits.clone().argmax(1).flatten::<1>(0, 1);
        let right = likeliest.equal(truth.clone()).int().sum().into_scalar::<i64>() as usize;
        let loss = crate::nn::cross_entropy(logits, truth).into_scalar::<f32>();
        Tally { loss: f64::from(loss) * count as f64, count, correct: Some((right, count)) }
    }

    fn sample(&mut self, net: &TextEncoder) -> SampleStep {
        let (Some(blanked), Some(tokenizer)) = (self.samples.get(self.next_sample), &self.tokenizer) else {
            return SampleStep::None;
        };
        let Some(logits) = net.logits_at(&[&blanked.ids], self.frame.padding, &blanked.places) else {
            return SampleStep::None;
        };
        let likeliest = likeliest(logits);
        let (prompt, text) = (in_words(blanked, None, tokenizer), in_words(blanked, Some(&likeliest), tokenizer));
        self.next_sample = (self.next_sample + 1) % self.samples.len();
        SampleStep::Done(Written { prompt, seed: self.seed, text, is_last: self.next_sample == 0 })
    }

    fn glimpse(
        &mut self,
        spec: &TrainSpec,
        net: &TextEncoder,
        batch: usize,
        _device: &Device,
    ) -> Option<Vec<GlimpseToken>> {
        let tokenizer = Arc::clone(self.tokenizer.as_ref()?);
        let blanked = Blanked::batch(&mut self.passages, &self.frame, [spec.batch_size, batch], self.blanks);
        let blanked = blanked.into_iter().next()?;
        let logits = net.logits_at(&[&blanked.ids], self.frame.padding, &blanked.places)?;
        let mut guesses = glimpse::guesses(&logits, &blanked.truth, &tokenizer)?.into_iter();
        let mut blanks = 0;
        let mut tokens = Vec::with_capacity(blanked.ids.len());
        for (place, id) in blanked.ids.iter().enumerate() {
            if blanked.places.get(blanks) == Some(&place) {
                let truth = blanked.truth[blanks];
                blanks += 1;
                let seen = match *id {
                    id if Some(id) == self.frame.mask => Seen::Mask,
                    id if id == truth => Seen::Itself,
                    id => Seen::Other(tokenizer.token_text(id)),
                };
                tokens.push(GlimpseToken { truth: tokenizer.token_text(truth), seen, guess: guesses.next() });
            } else if !tokenizer.is_special(*id) {
                tokens.push(GlimpseToken { truth: tokenizer.token_text(*id), seen: Seen::Itself, guess: None });
            }
        }
        tokens.truncate(glimpse::LONGEST);
        Some(tokens)
    }

    fn write_extra(&self, folder: &Path) -> Result<(), UserError> {
        self.start.write_extra(folder)
    }
}

/// The token with the highest score in each row.
fn likeliest(logits: Tensor<2>) -> Vec<u32> {
    logits.argmax(1).into_data().iter::<i64>().map(|id| id as u32).collect()
}

/// A text in words, what is guessed in brackets: `[dog]`, and what stood there where that is another, `[cat, not dog]`.
fn in_words(blanked: &Blanked, guesses: Option<&[u32]>, tokenizer: &Tokenizer) -> String {
    let mut text = String::new();
    let word = |id: u32| tokenizer.lossy_token_text(id).trim().trim_start_matches("##").to_owned();
    let mut blanks = 0;
    for (place, id) in blanked.ids.iter().enumerate() {
        let blank = (blanked.places.get(blanks) == Some(&place)).then_some(blanks);
        blanks += usize::from(blank.is_some());
        if blank.is_none() && tokenizer.is_special(*id) {
            continue;
        }
        let truth = blank.and_then(|blank| blanked.truth.get(blank)).copied();
        if !text.is_empty() && !tokenizer.goes_on(truth.unwrap_or(*id)) {
            text.push(' ');
        }
        match (blank, guesses) {
            (None, _) => text.push_str(&word(*id)),
            (Some(_), None) => text.push_str("[…]"),
            (Some(blank), Some(guesses)) => {
                let guess = guesses[blank];
                let found = match truth {
                    Some(truth) if truth != guess => format!("[{}, not {}]", word(truth), word(guess)),
                    _ => format!("[{}]", word(guess)),
                };
                text.push_str(&found);
            }
        }
    }
    text
}
