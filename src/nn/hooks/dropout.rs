//! Dropout (Srivastava et al. 2014), inverted: what is kept is enlarged while a network learns, so that nothing need be done afterwards.

use crate::nn::hooks::Hooks;
use crate::types::Random;
use burn::tensor::{Tensor, TensorData};

impl Hooks {
    /// The pass is one of learning: networks that have dropout draw what they drop from `random`, in the order of their layers.
    #[must_use]
    pub fn learning(mut self, random: Random) -> Self {
        self.dropping = Some(random);
        self
    }

    /// Sets each value of `x` to zero with probability `rate`, and divides the others by 1 − rate; nothing outside of learning.
    pub(in crate::nn) fn drop_out<const D: usize>(&mut self, rate: f64, x: Tensor<D>) -> Tensor<D> {
        let Some(random) = self.dropping.as_mut().filter(|_| rate > 0.0) else { return x };
        let shape = x.shape();
        let kept = (1.0 / (1.0 - rate)) as f32;
        let values: Vec<f32> =
            (0..shape.num_elements()).map(|_| if random.unit() < rate { 0.0 } else { kept }).collect();
        let mask = Tensor::from_data(TensorData::new(values, shape), &x.device());
        x * mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use proptest::prelude::*;

    fn dropped(rate: f64, hooks: &mut Hooks) -> Vec<f32> {
        let x = Tensor::<3>::ones([4, 32, 64], &Device::flex());
        hooks.drop_out(rate, x).into_data().iter::<f32>().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn the_mean_stays_and_a_share_is_zero(rate in 0.0..0.9_f64, seed: u64) {
            let values = dropped(rate, &mut Hooks::off().learning(Random::new(seed, 1)));
            let count = values.len() as f64;
            let zeros = values.iter().filter(|value| **value == 0.0).count() as f64 / count;
            let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
            // Six deviations of a share and of a mean of 8,192 draws.
            let deviation = (rate * (1.0 - rate) / count).sqrt();
            prop_assert!((zeros - rate).abs() <= 6.0 * deviation, "{zeros} of {rate}");
            prop_assert!((mean - 1.0).abs() <= 6.0 * deviation / (1.0 - rate) + 1e-6, "{mean} at {rate}");
        }

        #[test]
        fn nothing_is_dropped_outside_of_learning_and_the_same_by_one_seed(rate in 0.1..0.9_f64, seed: u64) {
            prop_assert!(dropped(rate, &mut Hooks::off()).iter().all(|value| *value == 1.0));
            let of = |seed| dropped(rate, &mut Hooks::off().learning(Random::new(seed, 1)));
            prop_assert_eq!(of(seed), of(seed));
            prop_assert_ne!(of(seed), of(seed.wrapping_add(1)));
        }
    }
}
