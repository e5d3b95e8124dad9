//! What rows of scores say beside the rows they end in: what the logit lens tells of a state, without keeping its scores.
//!
//! R rows, V vocabulary.

use crate::nn::kernels;
use crate::nn::output::sample::likeliest;
use crate::nn::output::scores::{Unreadable, values};
use burn::tensor::Tensor;
use rayon::prelude::*;

/// What one row of scores says.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The likeliest tokens and the natural logs of their probabilities, likeliest first, the lowest id first among equals.
    pub top: Vec<(u32, f32)>,
    /// In nats.
    pub entropy: f32,
    /// KL(end ‖ this), in nats.
    pub divergence: f32,
    /// The place of the token asked for among all, from 1; of equal scores the lower id stands first.
    pub rank: u32,
    /// The natural log of its probability.
    pub log_prob: f32,
}

/// The rows of scores that a model ends in.
#[derive(Debug)]
pub struct EndRows {
    vocabulary: usize,
    logits: Vec<f32>,
    probabilities: Vec<f32>,
    /// ln Σ exp of each row.
    log_sums: Vec<f32>,
}

impl EndRows {
    /// Reads the scores, `[R, V]`.
    ///
    /// # Errors
    /// When the device gives something else than numbers in F32.
    pub fn read(logits: Tensor<2>) -> Result<Self, Unreadable> {
        let [rows, vocabulary] = logits.dims();
        let logits = values(logits)?;
        let mut probabilities = vec![0.0; logits.len()];
        let log_sums = probabilities.par_chunks_mut(vocabulary).zip(logits.par_chunks(vocabulary)).map(|(p, x)| {
            let log_sum = kernels::log_sum_exp(x);
            kernels::exps_below(x, log_sum, p);
            log_sum
        });
        let log_sums = log_sums.collect::<Vec<f32>>();
        debug_assert_eq!(log_sums.len(), rows);
        Ok(Self { vocabulary, logits, probabilities, log_sums })
    }

    /// The token that a row makes likeliest.
    #[must_use]
    pub fn most_likely(&self, row: usize) -> u32 {
        super::sample::most_likely(&self.logits[row * self.vocabulary..][..self.vocabulary])
    }

    /// The probabilities of a row, `[V]`.
    #[must_use]
    pub fn probabilities(&self, row: usize) -> &[f32] {
        &self.probabilities[row * self.vocabulary..][..self.vocabulary]
    }

    /// What other rows of scores say beside these, as many or several times as many, `[nR, V]`: of each, the `top` likeliest tokens,
    /// and of the token of its row, the rank.
    ///
    /// # Errors
    /// As [`Self::read`].
    ///
    /// # Panics
    /// When there is another number of tokens, or one of rows that is no multiple.
    pub fn beside(&self, logits: Tensor<2>, tokens: &[u32], top: usize) -> Result<Vec<Said>, Unreadable> {
        let (rows, v) = (self.log_sums.len(), self.vocabulary);
        let [count, width] = logits.dims();
        assert!(count.is_multiple_of(rows) && width == v && tokens.len() == rows, "rows of the same tokens");
        let logits = values(logits)?;
        let say = |place: usize| {
            let row = place % rows;
            let own = row * v..(row + 1) * v;
            let (x, y, p) = (&logits[place * v..][..v], &self.logits[own.clone()], &self.probabilities[own]);
            let [most, sum, weighted, beside] = kernels::sums_beside(x, y, p);
            let log_sum = most + sum.ln();
            let token = tokens[row] as usize;
            let before = x[..token].iter().filter(|other| **other == x[token]).count();
            // Rounding may leave a hair below 0, where neither can be. (`max` would hide what is no number, too.)
            let not_below_0 = |value: f32| if value < 0.0 { 0.0 } else { value };
            Said {
                top: likeliest(x, top).into_iter().map(|id| (id, x[id as usize] - log_sum)).collect(),
                entropy: not_below_0(sum.ln() - weighted / sum),
                divergence: not_below_0(beside - self.log_sums[row] + log_sum),
                rank: (kernels::count_above(x, x[token]) + before + 1) as u32,
                log_prob: x[token] - log_sum,
            }
        };
        Ok((0..count).into_par_iter().map(say).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Random;
    use crate::nn::output::sample::{log_softmax, rank_of, top_candidates};
    use burn::tensor::{Device, TensorData};

    fn rows(values: Vec<f32>, count: usize) -> Tensor<2> {
        let width = values.len() / count;
        Tensor::from_data(TensorData::new(values, [count, width]), &Device::flex())
    }

    fn random(seed: u64, len: usize, spread: f32) -> Vec<f32> {
        let mut random = Random::new(seed, 0);
        // Rounded, so that there are equals.
        (0..len).map(|_| (random.normal() * spread * 8.0).round() / 8.0).collect()
    }

    #[test]
    fn every_sum_is_that_of_the_definition_in_double_precision() {
        for (vocabulary, spread) in [(1, 1.0), (5, 3.0), (64, 0.1), (257, 6.0), (3001, 2.0)] {
            let (end, x) = (random(1, 3 * vocabulary, spread), random(2, 3 * vocabulary, spread));
            let ends = EndRows::read(rows(end.clone(), 3)).unwrap();
            let tokens = [0, vocabulary as u32 / 2, vocabulary as u32 - 1];
            let said = ends.beside(rows(x.clone(), 3), &tokens, 10).unwrap();
            for (row, said) in said.iter().enumerate() {
                let of = |all: &[f32]| log_softmax(&all[row * vocabulary..][..vocabulary]);
                let (p, q) = (of(&end), of(&x));
                let entropy: f64 = q.iter().map(|log| -log.exp() * log).sum();
                let divergence: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
                let near = |ours: f32, theirs: f64| (f64::from(ours) - theirs).abs() < 2e-5 * theirs.abs().max(1.0);
                assert!(near(said.entropy, entropy), "{vocabulary}: {} {entropy}", said.entropy);
                assert!(near(said.divergence, divergence), "{vocabulary}: {} {divergence}", said.divergence);
                let token = tokens[row];
                assert!(near(said.log_prob, q[token as usize]));
                assert_eq!(said.rank, rank_of(&x[row * vocabulary..][..vocabulary], token));
                let top = top_candidates(&q, 10);
                assert_eq!(said.top.len(), top.len());
                for ((id, log), (of, expected)) in said.top.iter().zip(top) {
                    assert!(*id == of && near(*log, expected), "{vocabulary}: {id} {log}, not {of} {expected}");
                }
                assert_eq!(ends.most_likely(row), top_candidates(&p, 1)[0].0);
            }
        }
    }

    #[test]
    fn what_ends_alike_diverges_by_nothing() {
        let x = random(3, 2 * 1000, 4.0);
        let ends = EndRows::read(rows(x.clone(), 2)).unwrap();
        let said = ends.beside(rows(x, 2), &[0, 1], 1).unwrap();
        assert!(said.iter().all(|said| said.divergence < 1e-6), "{said:?}");
        let sum: f32 = ends.probabilities(1).iter().sum();
        assert!((sum - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_is_no_number_is_told_as_none() {
        let mut x = random(4, 500, 1.0);
        let ends = EndRows::read(rows(x.clone(), 1)).unwrap();
        x[77] = f32::NAN;
        let said = ends.beside(rows(x, 1), &[3], 5).unwrap().remove(0);
        assert!(said.entropy.is_nan() || said.divergence.is_nan(), "{said:?}");
    }
}
