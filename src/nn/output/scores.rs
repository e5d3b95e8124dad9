//! The scores of one position, as far as a draw and its report need them.
//!
//! On the CPU that is all of them. A GPU would have to send 200 KB a token at GPT-2's vocabulary, and the processor to go
//! through them; so there the likeliest are found on the device, and they alone are read, with two sums over all tokens.
//! The rest is read only when a draw falls behind them.

use crate::nn::output::sample::{Sampler, log_softmax, top_candidates};
use crate::types::Sampling;
use burn::tensor::{Device, Tensor};

/// How many of the likeliest tokens are read: the smallest of these that serves. Few lengths, because each has kernels of
/// its own to be built and tuned; none longer, because each thread keeps as many candidates.
const LENGTHS: [usize; 2] = [16, 64];

/// Vocabularies up to this are read whole: 16 KB take less time than the kernels that would spare them.
const SMALL: usize = 4096;

/// The logits of one position, or the likeliest of them.
#[derive(Debug)]
pub struct Scores(Known);

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives for a token; nothing copies them in a loop")]
enum Known {
    /// All, and their log softmax.
    All(Vec<f32>, Vec<f64>),
    /// The likeliest, in order; ln Σ exp x and Σ exp((x − max) / temperature) over all tokens; all of them on the device.
    Likeliest { tokens: Vec<(u32, f32)>, log_sum: f64, mass: f64, all: Tensor<2> },
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
        match Self::length(&logits.device(), logits.dims()[1], sampling) {
            Some(length) => Self::read_likeliest(logits, f64::from(sampling.temperature), length),
            None => values(logits).map(Self::all),
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

    fn all(logits: Vec<f32>) -> Self {
        let log_probabilities = log_softmax(&logits);
        Self(Known::All(logits, log_probabilities))
    }

    /// One transfer of 2 · `length` + 2 numbers. Ids travel as F32, which holds integers up to 2²⁴.
    fn read_likeliest(logits: Tensor<2>, temperature: f64, length: usize) -> Result<Self, Unreadable> {
        let temperature = if temperature > 0.0 { temperature } else { 1.0 };
        let vocabulary = logits.dims()[1];
        let (top, ids) = logits.clone().topk_with_indices(length, 1); // [1, N]
        let shifted = logits.clone() - top.clone().slice([0..1, 0..1]); // [1, V]
        let mass = shifted.clone().div_scalar(temperature).exp().sum_dim(1); // [1, 1]
        let sum = shifted.exp().sum_dim(1); // [1, 1]
        let read = values(Tensor::cat(vec![top, ids.float(), sum, mass], 1))?; // [1, 2N + 2]
        let (top, rest) = read.split_at(length);
        let (ids, sums) = rest.split_at(length);
        // Scores of −∞ are never found, and leave places without a token.
        let found = top.iter().zip(ids).filter(|(_, id)| (0.0..vocabulary as f32).contains(*id));
        let mut tokens: Vec<(u32, f32)> = found.map(|(&logit, &id)| (id as u32, logit)).collect();
        tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let log_sum = f64::from(top[0]) + f64::from(sums[0]).ln();
        Ok(Self(Known::Likeliest { tokens, log_sum, mass: f64::from(sums[1]), all: logits }))
    }

    /// True when no score is NaN.
    #[must_use]
    pub fn are_numbers(&self) -> bool {
        match &self.0 {
            Known::All(logits, _) => !logits.iter().any(|logit| logit.is_nan()),
            Known::Likeliest { log_sum, mass, .. } => !log_sum.is_nan() && !mass.is_nan(),
        }
    }

    /// How many tokens' scores have been read from the device.
    #[must_use]
    pub fn read_count(&self) -> usize {
        match &self.0 {
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
        let all = match &self.0 {
            Known::All(logits, _) => return Ok(sampler.draw_at(logits, place)),
            Known::Likeliest { tokens, mass, all, .. } => match sampler.draw_likeliest(tokens, *mass, place) {
                Some(id) => return Ok(id),
                None => values(all.clone())?,
            },
        };
        let id = sampler.draw_at(&all, place);
        *self = Self::all(all);
        Ok(id)
    }

    /// The log probability of a token that was drawn.
    ///
    /// # Panics
    /// When the token's score has not been read.
    #[must_use]
    pub fn log_probability(&self, id: u32) -> f64 {
        match &self.0 {
            Known::All(_, log_probabilities) => log_probabilities[id as usize],
            Known::Likeliest { tokens, log_sum, .. } => {
                let token = tokens.iter().find(|token| token.0 == id).expect("a drawn token was read");
                f64::from(token.1) - log_sum
            }
        }
    }

    /// The `n` most likely tokens with their log probabilities, most likely first; no more than were asked for when the
    /// scores were read.
    #[must_use]
    pub fn top(&self, n: usize) -> Vec<(u32, f64)> {
        match &self.0 {
            Known::All(_, log_probabilities) => top_candidates(log_probabilities, n),
            Known::Likeliest { tokens, log_sum, .. } => {
                tokens.iter().take(n).map(|&(id, logit)| (id, f64::from(logit) - log_sum)).collect()
            }
        }
    }
}

fn values(tensor: Tensor<2>) -> Result<Vec<f32>, Unreadable> {
    tensor.into_data().try_to_vec::<f32>().map_err(|error| Unreadable(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;
    use proptest::prelude::*;

    fn on_device(logits: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(logits.to_vec(), [1, logits.len()]), &Device::flex())
    }

    /// Draws some tokens from the same logits with all scores known and with the likeliest alone; tells how often those
    /// were enough.
    fn draws_agree(logits: &[f32], sampling: &Sampling, length: usize, draws: usize) -> Result<usize, TestCaseError> {
        let (mut of_all, mut of_likeliest) = (Sampler::new(sampling), Sampler::new(sampling));
        let all = Scores::all(logits.to_vec());
        let mut enough = 0;
        for _ in 0..draws {
            let mut scores =
                Scores::read_likeliest(on_device(logits), f64::from(sampling.temperature), length).unwrap();
            prop_assert!(scores.are_numbers());
            for (ours, theirs) in scores.top(10).iter().zip(all.top(10)) {
                prop_assert_eq!(ours.0, theirs.0);
                prop_assert!((ours.1 - theirs.1).abs() < 1e-5, "{} and {}", ours.1, theirs.1);
            }
            let id = scores.draw(&mut of_likeliest).unwrap();
            prop_assert_eq!(id, of_all.draw(logits));
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
            let enough = draws_agree(&logits, &sampling, 64, 8)?;
            // Only a draw from all tokens, or from more than were read, may need the rest.
            prop_assert!(enough == 8 || temperature > 0.0 && (top_k == 0 || top_k > 64), "{} of 8", enough);
        }
    }

    #[test]
    fn equal_scores_are_drawn_by_id_and_impossible_ones_never() {
        let mut logits = vec![1.0; 80];
        logits[..70].fill(f32::NEG_INFINITY);
        let sampling = Sampling { temperature: 1.0, seed: 3, ..Sampling::default() };
        draws_agree(&logits, &sampling, 16, 30).unwrap();
        let scores = Scores::read_likeliest(on_device(&logits), 1.0, 16).unwrap();
        assert_eq!(scores.top(3).iter().map(|token| token.0).collect::<Vec<_>>(), [70, 71, 72]);
        assert!((scores.top(1)[0].1 - 0.1f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn what_lies_behind_the_likeliest_is_read_when_it_can_be_drawn() {
        let logits: Vec<f32> = (0..300).map(|i| (i as f32 * 0.7).sin()).collect();
        let enough = |top_k| {
            let sampling = Sampling { temperature: 1.0, top_k, ..Sampling::default() };
            draws_agree(&logits, &sampling, 16, 50).unwrap()
        };
        assert_eq!((enough(16), enough(17)), (50, 0));
        // The 16 likeliest of 300 hold a tenth of the probability.
        assert!((1..15).contains(&enough(0)), "{} of 50", enough(0));
    }

    #[test]
    fn a_score_that_is_no_number_is_found_among_those_not_read() {
        let mut logits: Vec<f32> = (0..200).map(|i| (i % 17) as f32).collect();
        logits[3] = f32::NAN;
        assert!(!Scores::read_likeliest(on_device(&logits), 1.0, 16).unwrap().are_numbers());
        assert!(!Scores::all(logits).are_numbers());
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
