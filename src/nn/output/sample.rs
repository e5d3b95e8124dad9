//! Choosing the next token from its scores. Plain numbers in, a token id out; the same on every device.
//!
//! A draw walks down from the likeliest token until it has passed a random share of the probability. So it needs the whole
//! order of tokens only as far down as it comes: the few likeliest are enough nearly always, which is what a GPU gives.

use crate::nn::{Random, kernels};
use crate::types::Sampling;

/// Tokens put into order at first; the next attempts order 16 times as many.
const FIRST_ORDERED: usize = 64;
/// Scores of a chunk are compared with a bound together, before one of them is looked at; sums of a chunk are in single precision.
const CHUNK: usize = 256;

/// Draws tokens: scores are divided by the temperature, cut to the `top_k` best, then to the nucleus of mass `top_p`, then to those
/// at least `min_p` times as likely as the likeliest.
#[derive(Clone, Debug)]
pub struct Sampler {
    temperature: f64,
    top_k: usize,
    top_p: f64,
    min_p: f64,
    random: Random,
}

/// The place of one draw: a share of the probability of all tokens that can be drawn, counted from the likeliest.
#[derive(Clone, Copy, Debug)]
pub(in crate::nn) struct Place(f64);

/// Tokens and weights of which one can be drawn, the weight of all that can, and whether these are all that can.
type Drawable<'a> = (&'a [(u32, f64)], f64, bool);

/// A token that was drawn, and what is needed to tell how likely it and others were then.
#[derive(Clone, Copy, Debug)]
pub(in crate::nn) struct Drawn {
    pub id: u32,
    temperature: f64,
    /// The highest logit.
    max: f32,
    /// The weight of all that could be drawn.
    mass: f64,
    /// The last in order that could be, where not all could.
    last: Option<(u32, f64)>,
}

impl Drawn {
    /// How likely a token with this logit was to be drawn; `None` for one that could not be.
    pub(in crate::nn) fn share(&self, id: u32, logit: f32) -> Option<f64> {
        let weight = weight(logit, self.max, self.temperature);
        let is_cut = self.last.is_some_and(|last| likelier_first(&last, &(id, weight)).is_lt());
        (!is_cut && weight > 0.0).then(|| weight / self.mass)
    }
}

impl Sampler {
    /// A sampler with its own random numbers, which depend on the seed alone.
    #[must_use]
    pub fn new(sampling: &Sampling) -> Self {
        Self {
            temperature: f64::from(sampling.temperature),
            top_k: sampling.top_k,
            top_p: f64::from(sampling.top_p),
            min_p: f64::from(sampling.min_p),
            random: Random::new(sampling.seed, 0),
        }
    }

    /// The next token. At temperature 0 the most likely one, the lowest id among equals.
    ///
    /// # Panics
    /// When `logits` is empty.
    pub fn draw(&mut self, logits: &[f32]) -> u32 {
        let place = self.place();
        self.draw_at(logits, place).id
    }

    /// Where the next draw falls. Every drawn token takes one random number; taking the likeliest takes none.
    pub(in crate::nn) fn place(&mut self) -> Place {
        Place(if self.temperature > 0.0 { self.random.unit() } else { 0.0 })
    }

    /// The token at a place, all scores being known.
    pub(in crate::nn) fn draw_at(&self, logits: &[f32], place: Place) -> Drawn {
        assert!(!logits.is_empty(), "no scores to draw from");
        if self.temperature <= 0.0 {
            let id = most_likely(logits);
            return self.likeliest(id, logits[id as usize]);
        }
        let first = if self.top_k > 0 { self.top_k } else { FIRST_ORDERED };
        let few = likeliest(logits, first);
        let max = few.first().map_or(f32::NEG_INFINITY, |id| logits[*id as usize]);
        if few.len() < logits.len() && max.is_finite() {
            let few: Vec<_> = few.into_iter().map(|id| (id, self.weight(logits[id as usize], max))).collect();
            let mass = sum_of_exps(logits, max, self.temperature.recip() as f32);
            if let Some(drawn) = self.draw_among(&few, max, mass, false, place) {
                return drawn;
            }
        }
        self.draw_in_order(logits, first, place)
    }

    /// The same where the likeliest are not enough, or all are few.
    fn draw_in_order(&self, logits: &[f32], mut ordered: usize, place: Place) -> Drawn {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut weights: Vec<_> = logits.iter().enumerate().map(|(i, &x)| (i as u32, self.weight(x, max))).collect();
        let mass = weights.iter().map(|w| w.1).sum();
        loop {
            ordered = ordered.min(weights.len());
            let is_all = ordered == weights.len();
            if !is_all {
                weights.select_nth_unstable_by(ordered - 1, likelier_first);
            }
            weights[..ordered].sort_unstable_by(likelier_first);
            if let Some(drawn) = self.draw_among(&weights[..ordered], max, mass, is_all, place) {
                return drawn;
            }
            ordered = ordered.saturating_mul(16);
        }
    }

    /// The token at a place, of the first tokens and logits of a vocabulary in order of likelihood, in which all tokens
    /// together weigh `mass`, in units of the first one's [weight](Self::weight). Nothing when they are not enough.
    pub(in crate::nn) fn draw_likeliest(&self, logits: &[(u32, f32)], mass: f64, place: Place) -> Option<Drawn> {
        let &(first, max) = logits.first()?;
        if self.temperature <= 0.0 {
            return Some(self.likeliest(first, max));
        }
        let weights: Vec<_> = logits.iter().map(|&(id, x)| (id, self.weight(x, max))).collect();
        self.draw_among(&weights, max, mass, false, place)
    }

    /// The likeliest token, where no other can be drawn.
    fn likeliest(&self, id: u32, max: f32) -> Drawn {
        Drawn { id, temperature: self.temperature, max, mass: 1.0, last: Some((id, 1.0)) }
    }

    fn weight(&self, logit: f32, max: f32) -> f64 {
        weight(logit, max, self.temperature)
    }

    /// The token at a place, of the likeliest tokens, in order. Nothing when it lies behind them, or the border of what can
    /// be drawn does, and they are not all.
    fn draw_among(&self, ordered: &[(u32, f64)], max: f32, mass: f64, is_all: bool, place: Place) -> Option<Drawn> {
        let (kept, mass, is_all) = self.cut(ordered, mass, is_all)?;
        let mut rest = place.0 * mass;
        let reached = kept.iter().find(|(_, weight)| {
            rest -= weight;
            rest < 0.0
        });
        // Rounding may leave a crumb of probability over.
        let last = kept.last().copied().filter(|_| is_all);
        let id = reached.copied().or(last)?.0;
        Some(Drawn { id, temperature: self.temperature, max, mass, last })
    }

    /// The tokens that can be drawn. Nothing when that takes more tokens than there are.
    fn cut<'a>(&self, ordered: &'a [(u32, f64)], mass: f64, is_all: bool) -> Option<Drawable<'a>> {
        let (mut kept, mut mass, mut is_all) = (ordered, mass, is_all);
        if self.top_k > 0 && self.top_k <= kept.len() {
            kept = &kept[..self.top_k];
            mass = kept.iter().map(|w| w.1).sum();
            is_all = true;
        } else if self.top_k > 0 && !is_all {
            return None;
        }
        if self.top_p < 1.0 {
            // The smallest set whose mass reaches p, likeliest first (nucleus sampling, Holtzman et al. 2020).
            let mut reached = 0.0;
            let last = kept.iter().position(|w| {
                reached += w.1;
                reached >= self.top_p * mass
            });
            match last {
                Some(last) => (kept, mass, is_all) = (&kept[..=last], reached, true),
                None if !is_all => return None,
                None => {}
            }
        }
        if self.min_p > 0.0 {
            // The likeliest weighs 1, and the temperature has been divided by, as in transformers.
            let least = self.min_p * kept.first().map_or(1.0, |first| first.1);
            let enough = kept.partition_point(|w| w.1 >= least).max(1).min(kept.len());
            if enough < kept.len() {
                kept = &kept[..enough];
                mass = kept.iter().map(|w| w.1).sum();
                is_all = true;
            } else if !is_all {
                return None;
            }
        }
        Some((kept, mass, is_all))
    }
}

/// exp((x − max) / temperature); at temperature 0 nothing but the highest weighs.
fn weight(logit: f32, max: f32, temperature: f64) -> f64 {
    if temperature <= 0.0 {
        return if logit < max { 0.0 } else { 1.0 };
    }
    ((f64::from(logit) - f64::from(max)) / temperature).exp()
}

/// A total order, so that equal probabilities never make a draw depend on chance.
fn likelier_first(a: &(u32, f64), b: &(u32, f64)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The token with the highest score, the lowest id among equals; 0 of none.
#[must_use]
pub fn most_likely(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (place, chunk) in logits.chunks(CHUNK).enumerate() {
        let most = kernels::maximum(chunk);
        if most > best.1 {
            best = (place, most);
        }
    }
    let start = best.0 * CHUNK;
    let found = logits.iter().skip(start).position(|x| *x == best.1);
    found.map_or(0, |place| (start + place) as u32)
}

/// The place of a token among all by its score, from 1; of equal scores the lower id stands first.
#[must_use]
pub fn rank_of(logits: &[f32], id: u32) -> u32 {
    let logit = logits[id as usize];
    let (before, after) = logits.split_at(id as usize);
    // Equal ones before it are above the next number below.
    let not_below =
        if logit == f32::NEG_INFINITY { before.len() } else { kernels::count_above(before, logit.next_down()) };
    (not_below + kernels::count_above(after, logit)) as u32 + 1
}

/// ln Σ exp of the scores, within 10⁻⁶: what a score is above it is the log of its probability. NaN when one of them is, or
/// the largest is infinite.
#[must_use]
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = logits.chunks(CHUNK).map(kernels::maximum).fold(f32::NEG_INFINITY, f32::max);
    f64::from(max) + sum_of_exps(logits, max, 1.0).ln()
}

/// Σ exp(scale · (x − max)) of scores that are not above `max`.
fn sum_of_exps(logits: &[f32], max: f32, scale: f32) -> f64 {
    logits.chunks(CHUNK).map(|chunk| f64::from(kernels::sum_of_exps(chunk, max, scale))).sum()
}

/// The `count` tokens with the highest scores, highest first, the lowest id first among equals.
#[must_use]
pub(in crate::nn) fn likeliest(logits: &[f32], count: usize) -> Vec<u32> {
    let maxima: Vec<f32> = logits.chunks(CHUNK).map(kernels::maximum).collect();
    // So many chunks have one that is at least as large, so nothing smaller is among the largest.
    let mut sorted = maxima.clone();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let bound = if count < sorted.len() { sorted[count.max(1) - 1] } else { f32::NEG_INFINITY };
    let mut found: Vec<u32> = Vec::new();
    for (chunk, _) in maxima.iter().enumerate().filter(|(_, most)| **most >= bound) {
        let ids = chunk * CHUNK..((chunk + 1) * CHUNK).min(logits.len());
        found.extend(ids.filter(|id| logits[*id] >= bound).map(|id| id as u32));
    }
    found.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    found.truncate(count);
    found
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

    /// The tokens that can be drawn, likeliest first, and their probabilities.
    fn distribution(sampler: &Sampler, logits: &[f32]) -> Vec<(u32, f64)> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut weights: Vec<_> = (0..).zip(logits).map(|(id, &x)| (id, sampler.weight(x, max))).collect();
        weights.sort_by(likelier_first);
        let mass = weights.iter().map(|w| w.1).sum();
        let (kept, mass, _) = sampler.cut(&weights, mass, true).unwrap();
        kept.iter().map(|&(id, weight)| (id, weight / mass)).collect()
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
    fn a_draw_tells_how_likely_each_token_was_in_it() {
        let logits = [3f32.ln(), 2f32.ln(), 2f32.ln(), 1f32.ln(), f32::NEG_INFINITY];
        let share = |temperature, top_k, top_p| {
            let mut sampler = sampler(temperature, top_k, top_p, 1);
            let place = sampler.place();
            let drawn = sampler.draw_at(&logits, place);
            (0u32..).zip(logits).map(move |(id, logit)| drawn.share(id, logit)).collect::<Vec<_>>()
        };
        let near = |shares: &[Option<f64>], expected: &[Option<f64>]| {
            let same = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-6,
                (a, b) => a.is_none() && b.is_none(),
            };
            assert!(shares.iter().zip(expected).all(same), "{shares:?} and {expected:?}");
        };
        near(&share(1.0, 0, 1.0), &[Some(0.375), Some(0.25), Some(0.25), Some(0.125), None]);
        near(&share(1.0, 2, 1.0), &[Some(0.6), Some(0.4), None, None, None]);
        near(&share(1.0, 0, 0.8), &[Some(3.0 / 7.0), Some(2.0 / 7.0), Some(2.0 / 7.0), None, None]);
        near(&share(0.5, 0, 1.0), &[Some(0.5), Some(4.0 / 18.0), Some(4.0 / 18.0), Some(1.0 / 18.0), None]);
        near(&share(0.0, 0, 1.0), &[Some(1.0), None, None, None, None]);
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
    fn a_long_row_is_read_in_chunks_as_one_by_one() {
        let mut random = Random::new(3, 0);
        // Rounded, so that there are equals, and some that can never be drawn.
        let mut logits: Vec<f32> = (0..5003).map(|_| (random.normal() * 24.0).round() / 8.0 + 0.0).collect();
        logits.iter_mut().step_by(97).for_each(|x| *x = f32::NEG_INFINITY);
        let exact: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum::<f64>().ln();
        assert!((log_sum_exp(&logits) - exact).abs() < 1e-6);
        let mut order: Vec<u32> = (0..5003).collect();
        order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
        assert_eq!(most_likely(&logits), order[0]);
        for (place, id) in order.iter().enumerate().filter(|(_, id)| logits[**id as usize].is_finite()) {
            assert_eq!(rank_of(&logits, *id), place as u32 + 1);
        }
        for count in [0, 1, 5, 64, 700] {
            assert_eq!(likeliest(&logits, count), order[..count]);
        }
        // Whatever is drawn first is what drawing among all in order gives.
        for (temperature, top_k, top_p) in [(1.0, 0, 1.0), (0.3, 0, 0.8), (2.0, 40, 1.0), (1.0, 0, 0.999)] {
            let mut sampler = sampler(temperature, top_k, top_p, 5);
            for _ in 0..200 {
                let place = sampler.place();
                let first = if top_k > 0 { top_k } else { FIRST_ORDERED };
                assert_eq!(sampler.draw_at(&logits, place).id, sampler.draw_in_order(&logits, first, place).id);
            }
        }
        assert!(log_sum_exp(&[f32::INFINITY, 0.0]).is_nan());
        assert_eq!(most_likely(&[f32::NEG_INFINITY; 300]), 0);
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
            let kept = distribution(&sampler(1.0, 0, p, 1), &logits);
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
            let kept = distribution(&sampler(0.7, k, 1.0, 1), &logits);
            let best = top_candidates(&log_softmax(&logits), k);
            let ids = |tokens: &[(u32, f64)]| tokens.iter().map(|t| t.0).collect::<Vec<_>>();
            prop_assert_eq!(ids(&kept), ids(&best));
        }

        #[test]
        fn min_p_keeps_what_is_likely_enough_beside_the_likeliest(logits in logits(), p in 0.01f32..1.0) {
            let settings = Sampling { temperature: 0.7, min_p: p, ..Sampling::default() };
            let kept = distribution(&Sampler::new(&settings), &logits);
            let hot: Vec<f32> = logits.iter().map(|x| x / 0.7).collect();
            let full: Vec<f64> = log_softmax(&hot).iter().map(|l| l.exp()).collect();
            let max = full.iter().copied().fold(0.0, f64::max);
            let share = |id: u32| full[id as usize] / max;
            prop_assert!(kept.iter().all(|k| share(k.0) >= f64::from(p) - 1e-4));
            let enough = (0..logits.len() as u32).filter(|id| share(*id) > f64::from(p) + 1e-4).count();
            prop_assert!(enough <= kept.len() && !kept.is_empty());
        }

        #[test]
        fn log_softmax_sums_to_one(logits in logits()) {
            let total: f64 = log_softmax(&logits).iter().map(|l| l.exp()).sum();
            prop_assert!((total - 1.0).abs() < 1e-5, "sums to {}", total);
        }
    }
}
