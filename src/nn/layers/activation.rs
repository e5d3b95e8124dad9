//! Functions applied to each value on its own.

use crate::nn::kernels;
use crate::types::Nonlinearity;
use burn::tensor::Tensor;
use burn::tensor::activation::{self, sigmoid};

/// The activation function of an MLP without a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU (Hendrycks and Gimpel 2016), exact.
    Gelu,
    /// GELU by its tanh approximation.
    GeluTanh,
}

impl Activation {
    /// Applied to each value.
    pub(in crate::nn) fn apply(self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Gelu => gelu(x),
            Self::GeluTanh => gelu_tanh(x),
        }
    }
}

impl Nonlinearity {
    /// Applied to each value.
    pub(in crate::nn) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Tanh => x.tanh(),
            Self::Relu => activation::relu(x),
            Self::Sigmoid => sigmoid(x),
        }
    }
}

/// GELU (Hendrycks and Gimpel 2016), exact: x · Φ(x), where Φ is the distribution function of the normal distribution.
pub(in crate::nn) fn gelu(x: Tensor<3>) -> Tensor<3> {
    if kernels::serve_learning(&x.device()) { kernels::gelu(x) } else { activation::gelu(x) }
}

/// GELU by its tanh approximation (Hendrycks and Gimpel 2016), the one GPT-2 was trained with, written with
/// (1 + tanh u) / 2 = σ(2u): x · σ(√(8/π) · (x + 0.044715 x³)).
pub(in crate::nn) fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    if kernels::serve_learning(&x.device()) {
        return kernels::gelu_tanh(x);
    }
    const SQRT_8_OVER_PI: f64 = 2.0 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    let square = x.clone() * x.clone();
    let slope = square.mul_scalar(0.044715 * SQRT_8_OVER_PI).add_scalar(SQRT_8_OVER_PI);
    x.clone() * sigmoid(x * slope)
}

/// c · tanh(x / c): nearly x around 0, and never outside −c..c.
pub(in crate::nn) fn softcap<const D: usize>(x: Tensor<D>, cap: f64) -> Tensor<D> {
    x.div_scalar(cap).tanh().mul_scalar(cap)
}
