//! How likely tokens are that follow a common beginning. The beginning is read once into a cache, what follows it in batches.

use super::embed::unreadable;
use crate::load::TextModel;
use crate::nn::{KvCache, sample};
use crate::types::UserError;
use burn::tensor::{Int, Tensor, TensorData};

/// Tokens of the beginning read in one step.
const BEGINNING_CHUNK: usize = 128;
/// Sequences in one batch.
const SEQUENCES: usize = 64;
/// Scores a batch may hold, over all positions and the whole vocabulary: 64 MB.
const LOGITS: usize = 1 << 24;
/// Multiplications a step is aimed at: well below 100 ms on two cores.
const MULTIPLICATIONS: u64 = 4_000_000_000;

/// Tokens, of which the last ones are scored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// From the first token of the prompt on.
    pub ids: Vec<u32>,
    /// How many of the last ones are scored; at least one token stands before them.
    pub scored: usize,
}

impl Sequence {
    /// An answer after a prompt, whose tokens alone are scored.
    pub(super) fn new(prompt: &[u32], answer: &[u32]) -> Self {
        Self { ids: [prompt, answer].concat(), scored: answer.len() }
    }

    /// Tokens the model has to read: all but the last.
    pub(super) fn read(&self) -> usize {
        self.ids.len() - 1
    }

    /// The tokens that are scored.
    pub(super) fn scored_ids(&self) -> &[u32] {
        &self.ids[self.ids.len() - self.scored..]
    }
}

/// What the model makes of the scored tokens of one sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scored {
    /// Natural logarithm of each token's probability over the whole vocabulary.
    pub log_probs: Vec<f64>,
    /// The most likely token in the place of each.
    pub best: Vec<u32>,
}

impl Scored {
    /// ln P of all tokens together.
    pub(super) fn sum(&self) -> f64 {
        self.log_probs.iter().sum()
    }
}

/// Sequences on their way through a model.
pub(super) struct Continuations {
    /// What all sequences begin with.
    beginning: Vec<u32>,
    cache: KvCache,
    sequences: Vec<Sequence>,
    scores: Vec<Scored>,
    tokens_a_step: usize,
}

impl Continuations {
    /// To score sequences that fit in the context of a model.
    pub(super) fn new(model: &TextModel, sequences: Vec<Sequence>) -> Self {
        let beginning = common_beginning(&sequences).to_vec();
        let affordable = MULTIPLICATIONS / model.info.parameters.max(1);
        let tokens_a_step = usize::try_from(affordable).unwrap_or(usize::MAX).clamp(32, 1024);
        Self { beginning, cache: model.lm.new_cache(), sequences, scores: Vec::new(), tokens_a_step }
    }

    /// True once everything is scored.
    pub(super) fn is_done(&self) -> bool {
        self.scores.len() == self.sequences.len()
    }

    /// Reads a stretch of the beginning, or scores a batch.
    ///
    /// # Errors
    /// When the scores are not numbers.
    pub(super) fn step(&mut self, model: &TextModel) -> Result<(), UserError> {
        let read = self.cache.len();
        if read < self.beginning.len() {
            let end = self.beginning.len().min(read + BEGINNING_CHUNK);
            let _ = model.lm.forward_cached(model.lm.ids(&self.beginning[read..end]), &mut self.cache);
        } else {
            let next = self.scores.len();
            let batch = &self.sequences[next..next + self.batch_size(model.info.vocabulary)];
            if !batch.is_empty() {
                self.scores.extend(score(model, &self.cache, batch)?);
            }
        }
        Ok(())
    }

    /// The scores so far, in the order of the sequences.
    pub(super) fn scores(&self) -> &[Scored] {
        &self.scores
    }

    /// One of the sequences.
    pub(super) fn sequence(&self, place: usize) -> &Sequence {
        &self.sequences[place]
    }

    /// How many of the next sequences go together.
    fn batch_size(&self, vocabulary: usize) -> usize {
        let tokens = self.tokens_a_step.min(LOGITS / vocabulary.max(1));
        let waiting = &self.sequences[self.scores.len()..];
        let mut longest = 0;
        let fits = |(count, sequence): (usize, &Sequence)| {
            longest = longest.max(sequence.read() - self.beginning.len());
            count == 0 || (count < SEQUENCES && longest * (count + 1) <= tokens)
        };
        waiting.iter().enumerate().map(fits).take_while(|fits| *fits).count()
    }
}

/// The tokens all sequences begin with, up to the last one before any that is scored.
fn common_beginning(sequences: &[Sequence]) -> &[u32] {
    let Some(first) = sequences.first() else { return &[] };
    let mut shared = first.ids.len();
    for Sequence { ids, scored } in sequences {
        shared = shared.min(ids.len() - scored - 1);
        shared = first.ids.iter().zip(&ids[..shared]).take_while(|(a, b)| a == b).count();
    }
    &first.ids[..shared]
}

/// Scores a batch of sequences after their beginning, which the cache holds.
fn score(model: &TextModel, cache: &KvCache, batch: &[Sequence]) -> Result<Vec<Scored>, UserError> {
    let after: Vec<&[u32]> = batch.iter().map(|sequence| &sequence.ids[cache.len()..sequence.read()]).collect();
    let longest = after.iter().map(|ids| ids.len()).max().unwrap_or(0);
    // Filled up with any id at the end: nothing that counts sees it.
    let filled = after.iter().flat_map(|ids| (0..longest).map(|i| ids.get(i).map_or(0, |id| *id as i32))).collect();
    let ids = TensorData::new::<i32, _>(filled, [batch.len(), longest]);
    let ids = Tensor::<2, Int>::from_data(ids, &model.lm.device());
    let logits = model.lm.forward_after(ids, &mut cache.repeated(batch.len())); // [B, T, V]
    let [_, t, v] = logits.dims();
    let data = logits.into_data();
    let logits = data.as_slice::<f32>().map_err(|error| unreadable(format!("{error:?}")))?;
    let of_sequence = |((row, sequence), read): ((usize, &Sequence), &&[u32])| {
        let mut scored = Scored::default();
        // A token is predicted at the place of the one before it.
        for (id, at) in sequence.scored_ids().iter().zip(read.len() - sequence.scored..) {
            let logits = &logits[(row * t + at) * v..][..v];
            let log_prob = sample::log_probability(logits, *id);
            if log_prob.is_nan() {
                return Err(not_a_number(&model.info.name));
            }
            scored.log_probs.push(log_prob);
            scored.best.push(sample::most_likely(logits));
        }
        Ok(scored)
    };
    batch.iter().enumerate().zip(&after).map(of_sequence).collect()
}

fn not_a_number(name: &str) -> UserError {
    UserError::new(
        format!("{name} gave scores that are not numbers (NaN)."),
        "Its weights hold NaN or infinite values, or overflow on the way.",
        "Download the model again, or, if it was trained here, train with a lower learning rate.",
    )
}

#[cfg(test)]
#[path = "continuations_tests.rs"]
pub(super) mod tests;
