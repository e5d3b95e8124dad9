//! Choosing the next token from its scores. Plain numbers in, a token id out; the same on every device.

use super::Random;
use crate::types::Sampling;

/// Draws tokens: scores are divided by the temperature, cut to the `top_k` best, then to the nucleus of mass `top_p`.
#[derive(Clone, Debug)]
pub struct Sampler {
    temperature: f64,
    top_k: usize,
    top_p: f64,
    random: Random,
}

impl Sampler {
    /// A sampler with its own random numbers, which depend on the seed alone.
    #[must_use]
    pub fn new(sampling: &Sampling) -> Self {
        Self {
            temperature: f64::from(sampling.temperature),
            top_k: sampling.top_k,
            top_p: f64::from(sampling.top_p),
            random: Random::new(sampling.seed, 0),
        }
    }

    /// The next token. At temperature 0 the most likely one, the lowest id among equals.
    ///
    /// # Panics
    /// When `logits` is empty.
    pub fn draw(&mut self, logits: &[f32]) -> u32 {
        if self.temperature <= 0.0 {
            return most_likely(logits);
        }
        let kept = self.distribution(logits);
        let mut rest = self.random.unit();
        for &(id, probability) in &kept {
            rest -= probability;
            if rest < 0.0 {
                return id;
            }
        }
        // Rounding left a crumb of probability over.
        kept[kept.len() - 1].0
    }

    /// The tokens that can be drawn and their probabilities, which sum to 1. At least one token stays.
    ///
    /// # Panics
    /// When `logits` is empty.
    #[must_use]
    pub fn distribution(&self, logits: &[f32]) -> Vec<(u32, f64)> {
        assert!(!logits.is_empty(), "no scores to draw from");
        if self.temperature <= 0.0 {
            return vec![(most_likely(logits), 1.0)];
        }
        let scores = || logits.iter().map(|&x| f64::from(x) / self.temperature);
        let max = scores().fold(f64::NEG_INFINITY, f64::max);
        let mut kept: Vec<(u32, f64)> = scores().enumerate().map(|(i, x)| (i as u32, (x - max).exp())).collect();
        if self.top_k > 0 && self.top_k < kept.len() {
            kept.select_nth_unstable_by(self.top_k - 1, likelier_first);
            kept.truncate(self.top_k);
        }
        normalise(&mut kept);
        if self.top_p < 1.0 {
            keep_nucleus(&mut kept, self.top_p);
            normalise(&mut kept);
        }
        kept
    }
}

/// Keeps the smallest set whose mass reaches `p`, likeliest first (nucleus sampling, Holtzman et al. 2020).
fn keep_nucleus(tokens: &mut Vec<(u32, f64)>, p: f64) {
    // All tokens below this bound together weigh less than 1 − p, so none is needed: most need no sorting.
    let bound = (1.0 - p) / tokens.len() as f64;
    let likeliest = tokens.iter().copied().min_by(likelier_first);
    tokens.retain(|t| t.1 >= bound);
    tokens.sort_unstable_by(likelier_first);
    let mut mass = 0.0;
    let needed = tokens.iter().position(|t| {
        mass += t.1;
        mass >= p
    });
    if let Some(last) = needed {
        tokens.truncate(last + 1);
    }
    if tokens.is_empty() {
        tokens.extend(likeliest);
    }
}

fn normalise(tokens: &mut [(u32, f64)]) {
    let mass: f64 = tokens.iter().map(|t| t.1).sum();
    for token in tokens {
        token.1 /= mass;
    }
}

/// A total order, so that equal probabilities never make a draw depend on chance.
fn likelier_first(a: &(u32, f64), b: &(u32, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The token with the highest score, the lowest id among equals; 0 of none.
#[must_use]
pub fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (i, x) in logits.iter().enumerate() {
        if *x > logits[best] {
            best = i;
        }
    }
    best as u32
}

/// ln Σ exp of the scores, all of it in double precision: what a score is above it is the log of its probability. NaN when
/// one of them is.
#[must_use]
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    max + sum.ln()
}

/// Natural log of the softmax of the scores, summed in double precision.
#[must_use]
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from((x - max).exp())).sum();
    let log_sum = f64::from(max) + sum.ln();
    logits.iter().map(|&x| f64::from(x) - log_sum).collect()
}

/// The `n` most likely tokens with their log probabilities, most likely first, the lowest id first among equals.
#[must_use]
pub fn top_candidates(log_probs: &[f64], n: usize) -> Vec<(u32, f64)> {
    let mut best: Vec<(u32, f64)> = Vec::with_capacity(n + 1);
    for (id, &log_prob) in log_probs.iter().enumerate() {
        let candidate = (id as u32, log_prob);
        // Ids rise, so an equal one never goes before those already kept: one comparison settles nearly every token.
        if best.len() < n || best.last().is_some_and(|last| log_prob > last.1) {
            let place = best.partition_point(|kept| likelier_first(kept, &candidate).is_le());
            best.insert(place, candidate);
            best.truncate(n);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sampler(temperature: f32, top_k: usize, top_p: f32, seed: u64) -> Sampler {
        Sampler::new(&Sampling { temperature, top_k, top_p, seed, ..Sampling::default() })
    }

    fn logits() -> impl Strategy<Value = Vec<f32>> {
        proptest::collection::vec(-20.0f32..20.0, 1..200)
    }

    #[test]
    fn greedy_takes_the_first_of_equals() {
        assert_eq!(sampler(0.0, 0, 1.0, 1).draw(&[0.0, 3.0, 3.0, -1.0]), 1);
        assert_eq!(sampler(0.0, 0, 1.0, 1).draw(&[f32::NEG_INFINITY, -4.0]), 1);
    }

    #[test]
    fn draws_follow_the_distribution() {
        let mut sampler = sampler(2.0, 0, 1.0, 9);
        let logits = [0.0, 2.0 * 3f32.ln(), f32::NEG_INFINITY];
        let ones = (0..4000).filter(|_| sampler.draw(&logits) == 1).count();
        // Expected 3000 with a standard deviation of 27.
        assert!((2870..3130).contains(&ones), "{ones} of 4000");
    }

    #[test]
    fn same_seed_same_draws() {
        let logits: Vec<f32> = (0..50).map(|i| (i as f32).sin()).collect();
        let draws = |seed| {
            let mut sampler = sampler(1.0, 0, 0.9, seed);
            (0..40).map(|_| sampler.draw(&logits)).collect::<Vec<_>>()
        };
        assert_eq!(draws(4), draws(4));
        assert_ne!(draws(4), draws(5));
    }

    #[test]
    fn scores_above_the_log_of_the_sum_are_those_of_the_softmax() {
        let logits = [0.5, -100.0, 3.0, 90.0];
        for (logit, expected) in logits.iter().zip(log_softmax(&logits)) {
            assert!((f64::from(*logit) - log_sum_exp(&logits) - expected).abs() < 1e-9);
        }
        assert!(log_sum_exp(&[f32::NAN, 0.0]).is_nan());
    }

    #[test]
    fn candidates_come_most_likely_first() {
        let log_probs = log_softmax(&[1.0, 3.0, 2.0, 3.0]);
        let ids: Vec<u32> = top_candidates(&log_probs, 3).iter().map(|c| c.0).collect();
        assert_eq!(ids, [1, 3, 2]);
        assert_eq!(top_candidates(&log_probs, 9).len(), 4);
    }

    proptest! {
        #[test]
        fn nucleus_is_the_smallest_set_of_mass_p(logits in logits(), p in 0.0f32..1.0) {
            let full: Vec<f64> = log_softmax(&logits).iter().map(|l| l.exp()).collect();
            let kept = sampler(1.0, 0, p, 1).distribution(&logits);
            let mass: f64 = kept.iter().map(|k| full[k.0 as usize]).sum();
            prop_assert!(mass >= f64::from(p) - 1e-6, "mass {} of {}", mass, p);
            let rarest = kept.iter().map(|k| full[k.0 as usize]).fold(f64::INFINITY, f64::min);
            prop_assert!(kept.len() == 1 || mass - rarest < f64::from(p) + 1e-6);
            prop_assert!(full.iter().filter(|&&x| x > rarest + 1e-9).count() < kept.len());
            let total: f64 = kept.iter().map(|k| k.1).sum();
            prop_assert!((total - 1.0).abs() < 1e-9);
        }

        #[test]
        fn top_k_keeps_the_k_best(logits in logits(), k in 1usize..20) {
            let mut kept = sampler(0.7, k, 1.0, 1).distribution(&logits);
            kept.sort_unstable_by(likelier_first);
            let best = top_candidates(&log_softmax(&logits), k);
            let mut ids: Vec<u32> = kept.iter().map(|t| t.0).collect();
            let mut best: Vec<u32> = best.iter().map(|t| t.0).collect();
            ids.sort_unstable();
            best.sort_unstable();
            prop_assert_eq!(ids, best);
        }

        #[test]
        fn log_softmax_sums_to_one(logits in logits()) {
            let total: f64 = log_softmax(&logits).iter().map(|l| l.exp()).sum();
            prop_assert!((total - 1.0).abs() < 1e-5, "sums to {}", total);
        }
    }
}
