//! Passages that a model writes from nothing, many side by side.

use super::embed::unreadable;
use crate::load::TextModel;
use crate::nn::output::sample::log_softmax;
use crate::nn::{DecoderState, Hooks};
use crate::types::{Random, UserError};
use burn::tensor::{Tensor, TensorData};

/// Passages on their way.
pub(super) struct Writing {
    count: usize,
    beside: usize,
    tokens: usize,
    random: Random,
    done: Vec<Vec<u32>>,
    rows: Vec<Vec<u32>>,
    state: DecoderState,
}

impl Writing {
    /// So many passages of so many tokens each, that a model writes from nothing, `beside` of them at a time.
    pub(super) fn new(model: &TextModel, [count, beside]: [usize; 2], tokens: usize, seed: u64) -> Self {
        let (random, state) = (Random::new(seed, 0), model.lm.new_state());
        Self { count, beside, tokens, random, done: Vec::new(), rows: Vec::new(), state }
    }

    /// Tokens written, and all.
    pub(super) fn progress(&self) -> (u64, u64) {
        let written = self.done.len() * self.tokens + self.rows.iter().map(Vec::len).sum::<usize>();
        (written as u64, (self.count * self.tokens) as u64)
    }

    /// One token more of some passages; all of them once they are whole.
    ///
    /// # Errors
    /// When the scores cannot be read.
    pub(super) fn step(&mut self, model: &TextModel) -> Result<Option<Vec<Vec<u32>>>, UserError> {
        if self.rows.is_empty() {
            if self.done.len() == self.count {
                return Ok(Some(std::mem::take(&mut self.done)));
            }
            let beside = self.beside.min(self.count - self.done.len());
            // Without a token that begins texts, any may stand first.
            let begins = model.bos.or(model.eos.first().copied());
            let any = model.lm.vocabulary().min(model.tokenizer.vocabulary().max(1)) as f64;
            self.rows =
                (0..beside).map(|_| vec![begins.unwrap_or_else(|| (self.random.unit() * any) as u32)]).collect();
            self.state = model.lm.new_state();
            return Ok(None);
        }
        let last: Vec<i32> = self.rows.iter().map(|row| row[row.len() - 1] as i32).collect();
        let count = last.len();
        let ids = Tensor::from_data(TensorData::new(last, [count, 1]), &model.lm.device());
        let scores = model.lm.forward_cached(ids, &mut self.state, &mut Hooks::off()); // [B, V]
        let [_, vocabulary] = scores.dims();
        let scores = scores.try_to_vec_as::<f32>().map_err(unreadable)?;
        for (row, scores) in self.rows.iter_mut().zip(scores.chunks_exact(vocabulary)) {
            row.push(drawn(scores, self.random.unit()));
        }
        if self.rows[0].len() == self.tokens {
            self.done.append(&mut self.rows);
        }
        Ok(None)
    }
}

/// The token at a share of the probability that a softmax gives, in the order of ids.
fn drawn(scores: &[f32], share: f64) -> u32 {
    let mut left = share;
    for (id, log_prob) in log_softmax(scores).into_iter().enumerate() {
        left -= log_prob.exp();
        if left < 0.0 {
            return id as u32;
        }
    }
    crate::nn::output::sample::most_likely(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_drawn_by_its_share() {
        let scores = [0.25f32, 0.5, 0.25].map(f32::ln);
        let of = |share| drawn(&scores, share);
        assert_eq!([0.0, 0.2499, 0.2501, 0.7499, 0.7501, 0.9999].map(of), [0, 0, 1, 1, 2, 2]);
    }
}
