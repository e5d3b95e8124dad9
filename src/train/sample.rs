//! The sample a text model writes after every validation.

use super::objective::{SampleStep, Written};
use crate::load::{StreamDecoder, Tokenizer};
use crate::nn::output::sample::Sampler;
use crate::nn::{CausalLm, DecoderState, Hooks};
use crate::types::{Sampling, TrainSpec, UserError};
use std::sync::Arc;

/// Tokens a sample adds.
const SAMPLE: usize = 48;
/// Of the draws: the same after each validation, so that samples differ by what was learned alone.
const SEED: u64 = 1;

/// Goes on from the same openings after every validation, one after the other, a token a step.
pub(super) struct SampleWriter {
    openings: Vec<Vec<u32>>,
    /// Which of them is next.
    place: usize,
    tokenizer: Arc<Tokenizer>,
    /// Tokens that end a text.
    ends: Vec<u32>,
    /// Separators in the opening are not shown.
    separators: Vec<String>,
    writing: Option<Writing>,
}

struct Writing {
    state: DecoderState,
    sampler: Sampler,
    decoder: StreamDecoder,
    next: Vec<u32>,
    prompt: String,
    text: String,
    count: usize,
}

impl SampleWriter {
    /// To go on from the prompts of a run, or from `usual` where it has none.
    ///
    /// # Errors
    /// When a prompt is no text of the tokenizer, or empty.
    pub(super) fn new(
        spec: &TrainSpec,
        usual: Vec<u32>,
        tokenizer: &Arc<Tokenizer>,
        ends: Vec<u32>,
        separators: Vec<String>,
    ) -> Result<Self, UserError> {
        let mut openings =
            spec.sample_prompts.iter().map(|prompt| tokenizer.ids(prompt)).collect::<Result<Vec<_>, _>>()?;
        if openings.iter().any(Vec::is_empty) {
            return Err(UserError::new(
                "A prompt for samples is empty.",
                "The model goes on from each of them after a validation.",
                "Give it a word, or leave it out.",
            ));
        }
        if openings.is_empty() {
            openings.push(usual);
        }
        Ok(Self { openings, place: 0, tokenizer: Arc::clone(tokenizer), ends, separators, writing: None })
    }

    /// Adds a token.
    pub(super) fn step(&mut self, net: &CausalLm) -> SampleStep {
        let opening = &self.openings[self.place];
        let writing = self.writing.get_or_insert_with(|| {
            let settings = Sampling { temperature: 0.8, top_k: 40, seed: SEED, ..Sampling::default() };
            let mut text = self.tokenizer.decode(opening);
            for separator in &self.separators {
                text = text.replace(separator, "");
            }
            Writing {
                state: net.new_state(),
                sampler: Sampler::new(&settings),
                decoder: self.tokenizer.stream(opening),
                next: opening.clone(),
                prompt: text.clone(),
                text,
                count: 0,
            }
        });
        let room = writing.state.len() + writing.next.len() <= net.context();
        if room && writing.count < SAMPLE && writing.text.len() < 4096 {
            let logits = net.forward_cached(net.ids(&writing.next), &mut writing.state, &mut Hooks::off());
            let logits = logits.try_to_vec_as::<f32>().expect("the device gives back what it holds");
            let token = writing.sampler.draw(&logits);
            writing.count += 1;
            if !self.ends.contains(&token) {
                writing.text.push_str(&writing.decoder.push(token));
                writing.next = vec![token];
                return SampleStep::More;
            }
        }
        let (prompt, text) = (std::mem::take(&mut writing.prompt), std::mem::take(&mut writing.text));
        self.writing = None;
        self.place = (self.place + 1) % self.openings.len();
        SampleStep::Done(Written { prompt, seed: SEED, text, is_last: self.place == 0 })
    }
}
