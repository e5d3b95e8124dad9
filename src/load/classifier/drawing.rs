//! Weights of a new head.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::nn::Linear;
use crate::types::Random;
use burn::tensor::{Device, Tensor, TensorData};

/// Standard deviation of new weights where a folder says nothing.
const USUAL_STD: f64 = 0.02;
/// The stream from which heads are drawn.
const HEAD: u64 = 22 << 40;

/// Draws layers as transformers does: weights from N(0, s²), biases of zeros.
pub(in crate::load) struct Drawing<'a> {
    random: Random,
    std: f64,
    device: &'a Device,
}

impl<'a> Drawing<'a> {
    /// From a seed, where s is the `initializer_range` of a config.json.
    ///
    /// # Errors
    /// When it says something else than a positive number.
    pub(in crate::load) fn new(settings: Option<&Fields>, seed: u64, device: &'a Device) -> Result<Self, LoadError> {
        let std = settings.map(|fields| fields.number_if_any("initializer_range")).transpose()?.flatten();
        Ok(Self { random: Random::new(seed, HEAD), std: std.unwrap_or(USUAL_STD), device })
    }

    /// From a seed, of a model whose settings say nothing of s.
    pub(in crate::load) fn usual(seed: u64, device: &'a Device) -> Self {
        Self { random: Random::new(seed, HEAD), std: USUAL_STD, device }
    }

    /// The next weights.
    pub(in crate::load) fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.random.normal() * self.std as f32).collect()
    }

    /// The next layer, `[out, in]`.
    pub(in crate::load) fn linear(&mut self, [outputs, inputs]: [usize; 2], with_bias: bool) -> Linear {
        let values = self.values(outputs * inputs);
        let weight = Tensor::<2>::from_data(TensorData::new(values, [outputs, inputs]), self.device);
        Linear::new(weight, with_bias.then(|| Tensor::zeros([outputs], self.device)))
    }
}
