//! Passages of a text: which of them a step learns from, and the sample a model writes in between.

use super::lesson::SampleStep;
use crate::load::{StreamDecoder, Tokenizer};
use crate::nn::sample::Sampler;
use crate::nn::{CausalLm, DecoderState, Hooks, Random};
use crate::types;
use std::sync::Arc;

/// Random number stream; the epoch is added.
const ORDER: u64 = 4 << 40;
/// Tokens a sample adds.
const SAMPLE: usize = 48;

/// A text cut into windows of one length, in an order drawn anew each epoch. Each epoch cuts at other places, so that the
/// borders between windows move.
#[derive(Default)]
pub(super) struct Passages {
    ids: Vec<u32>,
    context: usize,
    seed: u64,
    /// The epoch the order was drawn for.
    epoch: Option<usize>,
    offset: usize,
    order: Vec<u32>,
}

impl Passages {
    pub(super) fn new(ids: Vec<u32>, context: usize, seed: u64) -> Self {
        Self { ids, context, seed, epoch: None, offset: 0, order: Vec::new() }
    }

    /// Tokens predicted in a window; at least 1.
    pub(super) fn context(&self) -> usize {
        self.context.max(1)
    }

    /// Windows side by side from the beginning on.
    pub(super) fn windows(&self) -> usize {
        self.ids.len().saturating_sub(1).checked_div(self.context).unwrap_or(0)
    }

    /// One of them: `context` tokens and the one after.
    pub(super) fn window(&self, i: usize) -> &[u32] {
        &self.ids[i * self.context..(i + 1) * self.context + 1]
    }

    /// The windows of a step, counted from 1: `context` tokens and the one after, each.
    pub(super) fn batch(&mut self, size: usize, step: usize) -> Vec<&[u32]> {
        // Cutting at an offset may lose one window; leaving it out makes every epoch equally long.
        let windows = self.windows().saturating_sub(1).max(1);
        let first = (step - 1) * size;
        let mut starts = Vec::with_capacity(size);
        for place in first..first + size {
            let epoch = place / windows;
            if self.epoch != Some(epoch) {
                let mut random = Random::new(self.seed, ORDER + epoch as u64);
                let room = self.ids.len() - (windows * self.context + 1);
                self.offset = random.below(room.min(self.context - 1) + 1);
                self.order = random.permutation(windows);
                self.epoch = Some(epoch);
            }
            starts.push(self.offset + self.order[place % windows] as usize * self.context);
        }
        starts.into_iter().map(|start| &self.ids[start..start + self.context + 1]).collect()
    }
}

/// Goes on from the same opening after every validation, a token a step.
pub(super) struct Sampling {
    opening: Vec<u32>,
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
    text: String,
    count: usize,
}

impl Sampling {
    pub(super) fn new(opening: Vec<u32>, tokenizer: &Arc<Tokenizer>, ends: Vec<u32>, separators: Vec<String>) -> Self {
        Self { opening, tokenizer: Arc::clone(tokenizer), ends, separators, writing: None }
    }

    /// Adds a token.
    pub(super) fn step(&mut self, net: &CausalLm) -> SampleStep {
        let writing = self.writing.get_or_insert_with(|| {
            let settings = types::Sampling { temperature: 0.8, top_k: 40, seed: 1, ..types::Sampling::default() };
            let mut text = self.tokenizer.decode(&self.opening);
            for separator in &self.separators {
                text = text.replace(separator, "");
            }
            Writing {
                state: net.new_state(),
                sampler: Sampler::new(&settings),
                decoder: self.tokenizer.stream(),
                next: self.opening.clone(),
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
        let text = std::mem::take(&mut writing.text);
        self.writing = None;
        SampleStep::Done(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_is_met_once_an_epoch_and_the_cuts_move() {
        let ids: Vec<u32> = (0..1000).collect();
        let mut passages = Passages::new(ids, 10, 3);
        let windows = passages.windows() - 1;
        let mut starts_of = |epoch: usize| {
            let steps = epoch * windows / 7 + 1..=(epoch + 1) * windows / 7;
            steps.flat_map(|step| passages.batch(7, step).iter().map(|w| w[0]).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let (first, second) = (starts_of(0), starts_of(1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), first.len(), "a window came twice");
        assert!(sorted.windows(2).all(|w| (w[1] - w[0]) % 10 == 0));
        assert_ne!(first, second);
    }

    #[test]
    fn a_step_gives_the_same_windows_whatever_came_before() {
        let ids: Vec<u32> = (0..500).collect();
        let mut once = Passages::new(ids.clone(), 8, 1);
        let mut again = Passages::new(ids, 8, 1);
        for step in 1..40 {
            let _ = once.batch(4, step);
        }
        assert_eq!(once.batch(4, 40), again.batch(4, 40));
    }

    #[test]
    fn the_shortest_possible_text_has_one_window() {
        let mut passages = Passages::new((0..9).collect(), 8, 1);
        assert_eq!(passages.batch(2, 5), [(0..9).collect::<Vec<u32>>(), (0..9).collect()]);
    }
}
