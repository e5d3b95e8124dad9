//! The scores of one position, as far as a draw and its report need them.
//!
//! On the CPU that is all of them. A GPU would have to send 200 KB a token at GPT-2's vocabulary, and the processor to go
//! through them; so there the likeliest are found on the device, and they alone are read, with two sums over all tokens.
//! The rest is read only when a draw falls behind them.
//!
//! Bias and penalties change scores before the likeliest are found. What is told of a token, its probability and its place among
//! all, is told of the scores as the model gave them.

use crate::nn::output::adjust::Adjustments;
use crate::nn::output::sample::{Drawn, Sampler, likeliest, log_sum_exp, rank_of};
use crate::types::Sampling;
use burn::tensor::{Bool, Device, Int, Tensor};
use std::collections::BTreeMap;

/// How many of the likeliest tokens are read: the smallest of these that serves. Few lengths, because each has kernels of
/// its own to be built and tuned; none longer, because each thread keeps as many candidates.
const LENGTHS: [usize; 2] = [16, 64];

/// Vocabularies up to this are read whole: 16 KB take less time than the kernels that would spare them.
const SMALL: usize = 4096;

/// The logits of one position, or the likeliest of them.
#[derive(Debug)]
pub struct Scores {
    /// As the model gave them.
    own: Known,
    /// As they are drawn from, where that differs.
    adjusted: Option<Adjusted>,
    /// What was drawn.
    drawn: Option<Drawn>,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives for a token; nothing copies them in a loop")]
enum Known {
    /// All, and ln Σ exp x of those that the model gave.
    All(Vec<f32>, f64),
    /// The likeliest, in order; ln Σ exp x and Σ exp((x − max) / temperature) over all tokens; all of them on the device.
    Likeliest { tokens: Vec<(u32, f32)>, log_sum: f64, mass: f64, all: Tensor<2> },
}

/// Scores after bias and penalties.
#[derive(Debug)]
struct Adjusted {
    by: Adjustments,
    scores: Known,
    /// Logits of their likeliest as the model gave them, where not all are known.
    own: Vec<(u32, f32)>,
}

/// Scores that could not be read from the device, with what it gave in their place.
#[derive(Debug)]
pub struct Unreadable(pub String);

impl Scores {
    /// Reads what is needed for one draw with these settings, and for the alternatives it reports: logits `[1, V]`.
    ///
    /// # Errors
    /// When the device gives something else than numbers in F32.
    pub fn read(logits: Tensor<2>, sampling: &Sampling) -> Result<Self, Unreadable> {
        Self::read_adjusted(logits, sampling, None)
    }

    /// The same, drawn from after bias and penalties.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_adjusted(logits: Tensor<2>, sampling: &Sampling, by: Option<&Adjustments>) -> Result<Self, Unreadable> {
        match Self::length(&logits.device(), logits.dims()[1], sampling) {
            Some(length) => Self::read_likeliest(logits, f64::from(sampling.temperature), length, by),
            None => values(logits).map(|logits| Self::all(logits, by)),
        }
    }

    /// How many of the likeliest tokens are read; nothing where all are.
    fn length(device: &Device, vocabulary: usize, sampling: &Sampling) -> Option<usize> {
        (*device != Device::flex()).then(|| Self::length_on_gpu(vocabulary, sampling))?
    }

    fn length_on_gpu(vocabulary: usize, sampling: &Sampling) -> Option<usize> {
        let drawn_from = match sampling {
            Sampling { temperature, .. } if *temperature <= 0.0 => 1,
            Sampling { top_k: 0, .. } => LENGTHS[LENGTHS.len() - 1],
            Sampling { top_k, .. } => *top_k,
        };
        let needed = drawn_from.max(sampling.candidates);
        LENGTHS.into_iter().find(|length| *length >= needed).filter(|_| vocabulary > SMALL)
    }

    fn all(logits: Vec<f32>, by: Option<&Adjustments>) -> Self {
        let adjusted = by.map(|by| {
            let scores = Known::All(by.all(&logits), f64::NAN);
            Adjusted { by: by.clone(), scores, own: Vec::new() }
        });
        Self { own: Known::read_whole(logits), adjusted, drawn: None }
    }

    /// One transfer of 2 · `length` + 2 numbers, and of 3 · `length` + 2 more where scores are adjusted.
    fn read_likeliest(
        logits: Tensor<2>,
        temperature: f64,
        length: usize,
        by: Option<&Adjustments>,
    ) -> Result<Self, Unreadable> {
        let vocabulary = logits.dims()[1];
        let (own, _) = likeliest_on_device(logits.clone(), temperature, length); // [1, 2N + 2]
        let Some(by) = by else {
            let own = Known::of_likeliest(&values(own)?, vocabulary, logits);
            return Ok(Self { own, adjusted: None, drawn: None });
        };
        let changed = by.on_device(logits.clone());
        let (adjusted, ids) = likeliest_on_device(changed.clone(), temperature, length); // [1, 2N + 2], [1, N]
        let given = logits.clone().gather(1, ids); // [1, N]
        let read = values(Tensor::cat(vec![own, adjusted, given], 1))?; // [1, 5N + 4]
        let (own, rest) = read.split_at(2 * length + 2);
        let (adjusted, given) = rest.split_at(2 * length + 2);
        let ids = &adjusted[length..2 * length];
        let given = ids.iter().zip(given).map(|(&id, &logit)| (id as u32, logit)).collect();
        let adjusted =
            Adjusted { by: by.clone(), scores: Known::of_likeliest(adjusted, vocabulary, changed), own: given };
        Ok(Self { own: Known::of_likeliest(own, vocabulary, logits), adjusted: Some(adjusted), drawn: None })
    }

    /// True when no score is NaN and none infinitely high.
    #[must_use]
    pub fn are_numbers(&self) -> bool {
        match &self.own {
            Known::All(_, log_sum) => !log_sum.is_nan(),
            Known::Likeliest { log_sum, mass, .. } => !log_sum.is_nan() && !mass.is_nan(),
        }
    }

    /// How many tokens' scores have been read from the device.
    #[must_use]
    pub fn read_count(&self) -> usize {
        match &self.own {
            Known::All(logits, _) => logits.len(),
            Known::Likeliest { tokens, .. } => tokens.len(),
        }
    }

    /// The next token: that of [`Sampler::draw`], up to the rounding of sums that the device makes in F32. Reads the rest
    /// when the draw falls behind the likeliest, or more of them can be drawn than were read.
    ///
    /// # Errors
    /// When the rest cannot be read.
    pub fn draw(&mut self, sampler: &mut Sampler) -> Result<u32, Unreadable> {
        let place = sampler.place();
        let drawn = match self.adjusted.as_ref().map_or(&self.own, |adjusted| &adjusted.scores) {
            Known::All(logits, _) => Some(sampler.draw_at(logits, place)),
            Known::Likeliest { tokens, mass, .. } => sampler.draw_likeliest(tokens, *mass, place),
        };
        let drawn = match drawn {
            Some(drawn) => drawn,
            None => sampler.draw_at(self.read_rest()?, place),
        };
        self.drawn = Some(drawn);
        Ok(drawn.id)
    }

    /// Reads all scores; those that are drawn from.
    fn read_rest(&mut self) -> Result<&[f32], Unreadable> {
        if let Known::Likeliest { all, .. } = &self.own {
            let by = self.adjusted.take().map(|adjusted| adjusted.by);
            *self = Self::all(values(all.clone())?, by.as_ref());
        }
        match self.adjusted.as_ref().map_or(&self.own, |adjusted| &adjusted.scores) {
            Known::All(logits, _) => Ok(logits),
            Known::Likeliest { .. } => unreachable!("all were just read"),
        }
    }

    /// The log probability of a token that was drawn, under the model.
    ///
    /// # Panics
    /// When the token's score has not been read.
    #[must_use]
    pub fn log_probability(&self, id: u32) -> f64 {
        match &self.own {
            Known::All(logits, log_sum) => f64::from(logits[id as usize]) - log_sum,
            Known::Likeliest { log_sum, .. } => f64::from(self.logit(id).expect("a drawn token was read")) - log_sum,
        }
    }

    /// A token's logit as the model gave it, if it was read.
    fn logit(&self, id: u32) -> Option<f32> {
        let found = |tokens: &[(u32, f32)]| tokens.iter().find(|token| token.0 == id).map(|token| token.1);
        match &self.own {
            Known::All(logits, _) => logits.get(id as usize).copied(),
            Known::Likeliest { tokens, .. } => found(tokens).or_else(|| found(&self.adjusted.as_ref()?.own)),
        }
    }

    /// The place of a token that was drawn among all tokens, by the scores the model gave, from 1; of equal ones the lower id
    /// stands first. Counted on the device where not all scores have been read.
    ///
    /// # Errors
    /// When the count cannot be read.
    ///
    /// # Panics
    /// When the token's score has not been read.
    pub fn rank(&self, id: u32) -> Result<u32, Unreadable> {
        let logit = self.logit(id).expect("a drawn token was read");
        match &self.own {
            Known::All(logits, _) => Ok(rank_of(logits, id)),
            Known::Likeliest { tokens, all, .. } => {
                // Of several that are as likely as the last one read, others may not have been read.
                let is_above_last = tokens.last().is_some_and(|last| logit > last.1);
                if let Some(place) = tokens.iter().position(|token| token.0 == id).filter(|_| is_above_last) {
                    return Ok(place as u32 + 1);
                }
                let count = |part: Tensor<2, Bool>| part.float().sum_dim(1); // [1, 1]
                let mut above = count(all.clone().greater_elem(logit));
                if id > 0 {
                    let before = all.clone().slice([0..1, 0..id as usize]);
                    above = above + count(before.equal_elem(logit));
                }
                Ok(values(above)?[0] as u32 + 1)
            }
        }
    }

    /// The `n` most likely tokens under the model with their log probabilities, most likely first; no more than were asked for
    /// when the scores were read.
    #[must_use]
    pub fn top(&self, n: usize) -> Vec<(u32, f64)> {
        match &self.own {
            Known::All(logits, log_sum) => {
                likeliest(logits, n).into_iter().map(|id| (id, f64::from(logits[id as usize]) - log_sum)).collect()
            }
            Known::Likeliest { tokens, log_sum, .. } => {
                tokens.iter().take(n).map(|&(id, logit)| (id, f64::from(logit) - log_sum)).collect()
            }
        }
    }

    /// What was drawn from, after bias, penalties, temperature and cuts: the `n` most likely tokens of all, those of `top` that
    /// could be drawn, and the drawn one, with their probabilities, most likely first. Nothing before a draw.
    #[must_use]
    pub fn drawn_from(&self, n: usize, top: &[(u32, f64)]) -> Vec<(u32, f64)> {
        let Some(drawn) = self.drawn else { return Vec::new() };
        let mut logits: BTreeMap<u32, f32> = match self.adjusted.as_ref().map(|adjusted| &adjusted.scores) {
            None => BTreeMap::new(),
            Some(Known::All(logits, _)) => {
                likeliest(logits, n).into_iter().map(|id| (id, logits[id as usize])).collect()
            }
            Some(Known::Likeliest { tokens, .. }) => tokens.iter().copied().collect(),
        };
        for id in top.iter().map(|token| token.0).chain([drawn.id]) {
            if let Some(logit) = self.logit(id) {
                let by = self.adjusted.as_ref().map(|adjusted| &adjusted.by);
                logits.entry(id).or_insert_with(|| by.map_or(logit, |by| by.of(id, logit)));
            }
        }
        let mut shares: Vec<(u32, f64)> =
            logits.into_iter().filter_map(|(id, logit)| Some((id, drawn.share(id, logit)?))).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let is_told = |id| id == drawn.id || top.iter().any(|token| token.0 == id);
        let mut place = 0;
        shares.retain(|(id, _)| {
            place += 1;
            place <= n || is_told(*id)
        });
        shares
    }
}

impl Known {
    fn read_whole(logits: Vec<f32>) -> Self {
        let log_sum = log_sum_exp(&logits);
        Self::All(logits, log_sum)
    }

    /// From what [`likeliest_on_device`] gave, `[2N + 2]`.
    fn of_likeliest(read: &[f32], vocabulary: usize, all: Tensor<2>) -> Self {
        let length = (read.len() - 2) / 2;
        let (top, rest) = read.split_at(length);
        let (ids, sums) = rest.split_at(length);
        // Scores of −∞ are never found, and leave places without a token.
        let found = top.iter().zip(ids).filter(|(_, id)| (0.0..vocabulary as f32).contains(*id));
        let mut tokens: Vec<(u32, f32)> = found.map(|(&logit, &id)| (id as u32, logit)).collect();
        tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let log_sum = f64::from(top[0]) + f64::from(sums[0]).ln();
        Self::Likeliest { tokens, log_sum, mass: f64::from(sums[1]), all }
    }
}

/// The likeliest of logits `[1, V]`: their logits, their ids, Σ exp(x − max) and Σ exp((x − max) / temperature), `[1, 2N + 2]`, in
/// which ids travel as F32, which holds integers up to 2²⁴; and their ids, `[1, N]`.
fn likeliest_on_device(logits: Tensor<2>, temperature: f64, length: usize) -> (Tensor<2>, Tensor<2, Int>) {
    let temperature = if temperature > 0.0 { temperature } else { 1.0 };
    let (top, ids) = logits.clone().topk_with_indices(length, 1); // [1, N]
    let shifted = logits - top.clone().slice([0..1, 0..1]); // [1, V]
    let mass = shifted.clone().div_scalar(temperature).exp().sum_dim(1); // [1, 1]
    let sum = shifted.exp().sum_dim(1); // [1, 1]
    (Tensor::cat(vec![top, ids.clone().float(), sum, mass], 1), ids)
}

pub(super) fn values(tensor: Tensor<2>) -> Result<Vec<f32>, Unreadable> {
    tensor.into_data().try_into_vec::<f32>().map_err(|error| Unreadable(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::BiasHit;
    use burn::tensor::TensorData;
    use proptest::prelude::*;

    fn on_device(logits: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(logits.to_vec(), [1, logits.len()]), &Device::flex())
    }

    /// Draws some tokens from the same logits with all scores known and with the likeliest alone; tells how often those
    /// were enough.
    fn draws_agree(
        logits: &[f32],
        sampling: &Sampling,
        by: Option<&Adjustments>,
        length: usize,
        draws: usize,
    ) -> Result<usize, TestCaseError> {
        let (mut of_all, mut of_likeliest) = (Sampler::new(sampling), Sampler::new(sampling));
        let mut all = Scores::all(logits.to_vec(), by);
        let changed = by.map_or_else(|| logits.to_vec(), |by| by.all(logits));
        let mut enough = 0;
        for _ in 0..draws {
            let mut scores =
                Scores::read_likeliest(on_device(logits), f64::from(sampling.temperature), length, by).unwrap();
            prop_assert!(scores.are_numbers());
            for (ours, theirs) in scores.top(10).iter().zip(all.top(10)) {
                prop_assert_eq!(ours.0, theirs.0);
                prop_assert!((ours.1 - theirs.1).abs() < 1e-5, "{} and {}", ours.1, theirs.1);
            }
            let id = scores.draw(&mut of_likeliest).unwrap();
            let mut same = of_all.clone();
            prop_assert_eq!(id, of_all.draw(&changed));
            prop_assert_eq!(id, all.draw(&mut same).unwrap());
            prop_assert_eq!(scores.rank(id).unwrap(), all.rank(id).unwrap());
            let (ours, theirs) = (scores.drawn_from(10, &scores.top(10)), all.drawn_from(10, &all.top(10)));
            prop_assert_eq!(ours.len(), theirs.len(), "{:?} and {:?}", ours, theirs);
            for (ours, theirs) in ours.iter().zip(&theirs) {
                prop_assert!(ours.0 == theirs.0 && (ours.1 - theirs.1).abs() < 1e-4, "{:?} and {:?}", ours, theirs);
            }
            prop_assert!((scores.log_probability(id) - all.log_probability(id)).abs() < 1e-5);
            enough += usize::from(scores.read_count() <= length);
        }
        Ok(enough)
    }

    proptest! {
        #[test]
        fn the_likeliest_give_the_token_that_all_give(
            logits in proptest::collection::vec(-9.0f32..9.0, 100..400),
            temperature in prop::sample::select(vec![0.0f32, 0.3, 1.0, 1.7]),
            top_k in prop::sample::select(vec![0usize, 1, 40, 90]),
            top_p in prop::sample::select(vec![0.5f32, 0.95, 1.0]),
            seed in 0u64..1000,
        ) {
            let sampling = Sampling { temperature, top_k, top_p, seed, ..Sampling::default() };
            let enough = draws_agree(&logits, &sampling, None, 64, 8)?;
            // Only a draw from all tokens, or from more than were read, may need the rest.
            prop_assert!(enough == 8 || temperature > 0.0 && (top_k == 0 || top_k > 64), "{} of 8", enough);
        }
    }

    #[test]
    fn bias_and_penalties_come_before_the_likeliest_are_chosen() {
        let logits: Vec<f32> = (0..300).map(|i| (i as f32 * 0.7).sin() * 6.0).collect();
        let least = (0..300).min_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
        let bias = BiasHit { id: least as u32, text: String::new(), bias: 30.0 };
        for (temperature, top_k, min_p) in [(0.0, 0, 0.0), (1.0, 12, 0.0), (0.8, 0, 0.05)] {
            let sampling = Sampling { temperature, top_k, min_p, repetition_penalty: 1.4, ..Sampling::default() };
            let by = Adjustments::new(&sampling, std::slice::from_ref(&bias), &[3, 9, 12]).unwrap();
            let enough = draws_agree(&logits, &sampling, Some(&by), 16, 20).unwrap();
            assert_eq!(enough, 20);
            let mut scores = Scores::read_likeliest(on_device(&logits), 1.0, 16, Some(&by)).unwrap();
            let id = scores.draw(&mut Sampler::new(&sampling)).unwrap();
            assert_eq!(id as usize, least, "its bias makes it the likeliest by far");
            assert_eq!(scores.rank(id).unwrap(), 300, "and to the model it is the last");
            assert!(scores.top(10).iter().all(|token| token.0 != id));
        }
    }

    #[test]
    fn a_rank_is_exact_wherever_the_token_stands() {
        let mut logits: Vec<f32> = (0..90).map(|i| ((i * 37) % 90) as f32).collect();
        logits[50] = logits[4];
        let mut order: Vec<usize> = (0..90).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        let all = Scores::all(logits.clone(), None);
        for (place, id) in order.into_iter().enumerate() {
            assert_eq!(all.rank(id as u32).unwrap() as usize, place + 1);
        }
        let equal = vec![1.0; 80];
        let read = Scores::read_likeliest(on_device(&equal), 1.0, 16, None).unwrap();
        let last = read.top(16)[15].0;
        assert_eq!(read.rank(last).unwrap(), last + 1, "counted among those that were not read");
    }

    #[test]
    fn equal_scores_are_drawn_by_id_and_impossible_ones_never() {
        let mut logits = vec![1.0; 80];
        logits[..70].fill(f32::NEG_INFINITY);
        let sampling = Sampling { temperature: 1.0, seed: 3, ..Sampling::default() };
        draws_agree(&logits, &sampling, None, 16, 30).unwrap();
        let scores = Scores::read_likeliest(on_device(&logits), 1.0, 16, None).unwrap();
        assert_eq!(scores.top(3).iter().map(|token| token.0).collect::<Vec<_>>(), [70, 71, 72]);
        assert!((scores.top(1)[0].1 - 0.1f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn what_lies_behind_the_likeliest_is_read_when_it_can_be_drawn() {
        let logits: Vec<f32> = (0..300).map(|i| (i as f32 * 0.7).sin()).collect();
        let enough = |top_k| {
            let sampling = Sampling { temperature: 1.0, top_k, ..Sampling::default() };
            draws_agree(&logits, &sampling, None, 16, 50).unwrap()
        };
        assert_eq!((enough(16), enough(17)), (50, 0));
        // The 16 likeliest of 300 hold a tenth of the probability.
        assert!((1..15).contains(&enough(0)), "{} of 50", enough(0));
    }

    #[test]
    fn a_score_that_is_no_number_is_found_among_those_not_read() {
        let mut logits: Vec<f32> = (0..200).map(|i| (i % 17) as f32).collect();
        logits[3] = f32::NAN;
        assert!(!Scores::read_likeliest(on_device(&logits), 1.0, 16, None).unwrap().are_numbers());
        assert!(!Scores::all(logits, None).are_numbers());
    }

    #[test]
    fn what_is_read_depends_on_device_vocabulary_and_settings() {
        let settings =
            |temperature, top_k, candidates| Sampling { temperature, top_k, candidates, ..Sampling::default() };
        assert_eq!(Scores::length(&Device::flex(), 50_000, &settings(0.0, 0, 10)), None);
        assert_eq!(Scores::length_on_gpu(50_000, &settings(0.0, 0, 10)), Some(16));
        assert_eq!(Scores::length_on_gpu(50_000, &settings(0.0, 0, 20)), Some(64));
        assert_eq!(Scores::length_on_gpu(50_000, &settings(0.8, 12, 10)), Some(16));
        assert_eq!(Scores::length_on_gpu(50_000, &settings(0.8, 40, 10)), Some(64));
        assert_eq!(Scores::length_on_gpu(50_000, &settings(1.0, 0, 10)), Some(64));
        assert_eq!(Scores::length_on_gpu(50_000, &settings(1.0, 100, 10)), None);
        assert_eq!(Scores::length_on_gpu(256, &settings(0.0, 0, 10)), None);
    }
}
