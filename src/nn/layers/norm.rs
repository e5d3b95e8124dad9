//! Normalisation layers.

use crate::nn::kernels;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// Layer normalisation (Ba et al. 2016): zero mean and unit variance over D, then gain and bias.
#[derive(Module, Debug)]
pub struct LayerNorm {
    /// `[D]`.
    pub gain: Param<Tensor<1>>,
    /// `[D]`.
    pub bias: Param<Tensor<1>>,
    /// Added to the variance.
    pub epsilon: f64,
}

impl LayerNorm {
    /// A layer with these weights, both `[D]`.
    #[must_use]
    pub fn new(gain: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Self {
        Self { gain: Param::from_tensor(gain), bias: Param::from_tensor(bias), epsilon }
    }

    /// Gain 1 and bias 0.
    #[must_use]
    pub fn identity(width: usize, epsilon: f64, device: &Device) -> Self {
        Self::new(Tensor::ones([width], device), Tensor::zeros([width], device), epsilon)
    }

    /// `[B, T, D]` → `[B, T, D]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        if kernels::serve_learning(&x.device()) {
            return kernels::layer_norm(x, self.gain.val(), self.bias.val(), self.epsilon);
        }
        burn::tensor::module::layer_norm(x, self.gain.val(), Some(self.bias.val()), self.epsilon)
    }

    /// [`Self::forward`] of x + y.
    #[must_use]
    pub fn of_sum(&self, x: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
        // Sequences may have parted on one side of the sum alone.
        if [x.device(), self.gain.device()].iter().all(kernels::serve) && x.dims() == y.dims() {
            return kernels::normalised_sum([x, y], self.gain.val(), self.bias.val(), self.epsilon);
        }
        self.forward(x + y)
    }
}

/// Root mean square normalisation (Zhang and Sennrich 2019): unit mean square over the last dimension, then gain.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[D]`.
    pub gain: Param<Tensor<1>>,
    /// Added to the mean square.
    pub epsilon: f64,
    /// Added to the gain. Gemma learns how far the gain is from 1, which weight decay then pulls towards 1.
    pub base_gain: f64,
}

impl RmsNorm {
    /// A layer with this gain, `[D]`.
    #[must_use]
    pub fn new(gain: Tensor<1>, epsilon: f64) -> Self {
        Self { gain: Param::from_tensor(gain), epsilon, base_gain: 0.0 }
    }

    /// A layer whose gain is 1 plus this, `[D]`.
    #[must_use]
    pub fn around_one(gain: Tensor<1>, epsilon: f64) -> Self {
        Self { gain: Param::from_tensor(gain), epsilon, base_gain: 1.0 }
    }

    /// Gain 1.
    #[must_use]
    pub fn identity(width: usize, epsilon: f64, device: &Device) -> Self {
        Self::new(Tensor::ones([width], device), epsilon)
    }

    /// Normalises along the last dimension, `[.., D]` → `[.., D]`.
    #[must_use]
    pub fn forward<const N: usize>(&self, x: Tensor<N>) -> Tensor<N> {
        if kernels::serve_learning(&x.device()) {
            return kernels::rms_norm(x, self.gain.val(), self.epsilon, self.base_gain);
        }
        let mean_square = (x.clone() * x.clone()).mean_dim(N - 1); // [.., 1]
        let rms = mean_square.add_scalar(self.epsilon).sqrt();
        let gain = self.gain.val();
        let gain = if self.base_gain == 0.0 { gain } else { gain.add_scalar(self.base_gain) };
        x / rms * gain.unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(x: Tensor<3>) -> Vec<f32> {
        x.into_data().iter::<f32>().collect()
    }

    #[test]
    fn layer_norm_by_hand() {
        let device = Device::flex();
        let norm = LayerNorm::new(Tensor::from_data([1.0, 2.0], &device), Tensor::from_data([0.0, 1.0], &device), 0.0);
        // Mean 3, standard deviation 2: normalised values −1 and 1.
        assert_eq!(values(norm.forward(Tensor::from_data([[[1.0, 5.0]]], &device))), [-1.0, 3.0]);
    }

    #[test]
    fn rms_norm_by_hand() {
        let device = Device::flex();
        let norm = RmsNorm::new(Tensor::from_data([1.0, 2.0], &device), 0.5);
        // Mean square (1 + 6) / 2 + 0.5 = 4.
        let x = Tensor::from_data([[[1.0, 6.0_f32.sqrt()]]], &device);
        let y = values(norm.forward(x));
        assert!((y[0] - 0.5).abs() < 1e-6 && (y[1] - 6.0_f32.sqrt()).abs() < 1e-6, "{y:?}");
        let around_one = RmsNorm::around_one(Tensor::from_data([0.0, 1.0], &device), 0.5);
        let x = Tensor::from_data([[[1.0, 6.0_f32.sqrt()]]], &device);
        assert_eq!(values(around_one.forward(x)), y);
    }
}
