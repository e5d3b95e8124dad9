//! What is changed about scores before temperature and cuts: bias and penalties, in the order of transformers'
//! `_get_logits_processor`, with presence and frequency, which it has not, behind repetition.

use crate::types::{BiasHit, Sampling};
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};
use std::collections::{BTreeMap, BTreeSet};

/// Bias and penalties of one generation, with the tokens they are for.
#[derive(Clone, Debug)]
pub struct Adjustments {
    bias: BTreeMap<u32, f32>,
    repetition: f32,
    presence: f32,
    frequency: f32,
    /// How often each token was generated; 0 for those of the prompt.
    seen: BTreeMap<u32, u32>,
}

impl Adjustments {
    /// For a generation behind a prompt; `None` when these settings change no score.
    #[must_use]
    pub fn new(sampling: &Sampling, bias: &[BiasHit], prompt: &[u32]) -> Option<Self> {
        let &Sampling { repetition_penalty, presence_penalty, frequency_penalty, .. } = sampling;
        let repeats = repetition_penalty != 1.0;
        let is_idle = bias.is_empty() && !repeats && presence_penalty == 0.0 && frequency_penalty == 0.0;
        (!is_idle).then(|| Self {
            bias: bias.iter().map(|hit| (hit.id, hit.bias)).collect(),
            repetition: repetition_penalty,
            presence: presence_penalty,
            frequency: frequency_penalty,
            seen: prompt.iter().filter(|_| repeats).map(|&id| (id, 0)).collect(),
        })
    }

    /// Counts a generated token.
    pub fn note(&mut self, id: u32) {
        *self.seen.entry(id).or_default() += 1;
    }

    /// A token's logit as it is drawn from. A penalty for repetition divides what is positive and multiplies what is negative
    /// (Keskar et al. 2019); presence and frequency take off p · [count > 0] + f · count.
    #[must_use]
    pub fn of(&self, id: u32, logit: f32) -> f32 {
        let mut logit = logit + self.bias.get(&id).copied().unwrap_or(0.0);
        if let Some(&count) = self.seen.get(&id) {
            logit = if logit < 0.0 { logit * self.repetition } else { logit / self.repetition };
            logit -= self.taken(count);
        }
        logit
    }

    fn taken(&self, count: u32) -> f32 {
        if count > 0 { self.frequency * count as f32 + self.presence } else { 0.0 }
    }

    /// All logits as they are drawn from.
    #[must_use]
    pub fn all(&self, logits: &[f32]) -> Vec<f32> {
        let mut adjusted = logits.to_vec();
        for id in self.ids() {
            if let Some(logit) = adjusted.get_mut(id as usize) {
                *logit = self.of(id, *logit);
            }
        }
        adjusted
    }

    /// The same on the device: logits `[1, V]`.
    #[must_use]
    pub fn on_device(&self, logits: Tensor<2>) -> Tensor<2> {
        let vocabulary = logits.dims()[1] as u32;
        let ids: Vec<u32> = self.ids().into_iter().filter(|id| *id < vocabulary).collect();
        if ids.is_empty() {
            return logits;
        }
        let device = logits.device();
        let list = |value: &dyn Fn(&u32) -> f32| {
            let values: Vec<f32> = ids.iter().map(value).collect();
            Tensor::<2>::from_data(TensorData::new(values, [1, ids.len()]), &device) // [1, S]
        };
        let bias = list(&|id| self.bias.get(id).copied().unwrap_or(0.0));
        let factor = list(&|id| if self.seen.contains_key(id) { self.repetition } else { 1.0 });
        let taken = list(&|id| self.seen.get(id).map_or(0.0, |count| self.taken(*count)));
        let places: Vec<i32> = ids.iter().map(|id| *id as i32).collect();
        let places = Tensor::<2, Int>::from_data(TensorData::new(places, [1, ids.len()]), &device);
        let biased = logits.clone().gather(1, places.clone()) + bias; // [1, S]
        let is_negative = biased.clone().lower_elem(0.0);
        let divided = biased.clone() / factor.clone();
        let changed = divided.mask_where(is_negative, biased * factor) - taken;
        logits.scatter(1, places, changed, IndexingUpdateOp::Assign)
    }

    /// Tokens whose scores may change.
    fn ids(&self) -> BTreeSet<u32> {
        self.bias.keys().chain(self.seen.keys()).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn hit(id: u32, bias: f32) -> BiasHit {
        BiasHit { id, text: String::new(), bias }
    }

    #[test]
    fn settings_that_change_nothing_are_none() {
        assert!(Adjustments::new(&Sampling::default(), &[], &[1, 2]).is_none());
        let presence = Sampling { presence_penalty: 0.5, ..Sampling::default() };
        assert!(Adjustments::new(&presence, &[], &[]).is_some());
    }

    #[test]
    fn presence_and_frequency_count_what_was_generated_and_not_the_prompt() {
        let sampling = Sampling { presence_penalty: 0.5, frequency_penalty: 0.25, ..Sampling::default() };
        let mut penalties = Adjustments::new(&sampling, &[], &[0]).unwrap();
        for id in [1, 2, 2, 2] {
            penalties.note(id);
        }
        // logit − f · count − p · [count > 0]
        assert_eq!(penalties.all(&[1.0; 4]), [1.0, 0.25, -0.25, 1.0]);
    }

    #[test]
    fn bias_comes_before_the_penalty_for_repetition_and_that_before_presence() {
        let sampling = Sampling { repetition_penalty: 2.0, presence_penalty: 1.0, ..Sampling::default() };
        let mut adjustments = Adjustments::new(&sampling, &[hit(1, -3.0), hit(3, 4.0)], &[0, 1]).unwrap();
        adjustments.note(2);
        assert_eq!(adjustments.all(&[2.0, 1.0, -1.0, 1.0]), [1.0, -4.0, -3.0, 5.0]);
    }

    #[test]
    fn the_device_changes_scores_as_the_host_does() {
        let sampling =
            Sampling { repetition_penalty: 1.3, presence_penalty: 0.2, frequency_penalty: 0.7, ..Sampling::default() };
        let bias = [hit(3, 2.5), hit(40, f32::NEG_INFINITY), hit(9000, 1.0)];
        let mut adjustments = Adjustments::new(&sampling, &bias, &[3, 5, 7, 7]).unwrap();
        for id in [5, 5, 41, 42] {
            adjustments.note(id);
        }
        let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.9).sin() * 8.0).collect();
        let on_device = Tensor::<2>::from_data(TensorData::new(logits.clone(), [1, 50]), &Device::flex());
        let changed: Vec<f32> = adjustments.on_device(on_device).into_data().try_to_vec().unwrap();
        let expected = adjustments.all(&logits);
        assert_ne!(expected, logits);
        for (ours, theirs) in changed.iter().zip(&expected) {
            assert!(ours == theirs || (ours - theirs).abs() < 1e-6, "{ours} and {theirs}");
        }
    }
}
