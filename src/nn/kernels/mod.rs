//! What models compute most on the CPU, faster than Burn's Flex backend does it, as an extension of that backend.
//!
//! Flex hands every product to a general matrix multiplication. That packs both sides again for each call, runs a
//! matrix-vector product (every token of a generation) on one thread, and cannot take weights of half precision with
//! activations of full precision. Here weights stay as they lie in the file, `[out, in]` in F32, F16 or BF16; sums are F32.
//! What training needs has a gradient written by hand.

mod activation;
mod extension;
mod gradients;
#[cfg_attr(target_arch = "x86_64", path = "x86/mod.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "other.rs")]
mod inner;
mod panel;
mod pattern;
mod product;
mod scratch;

use burn::backend::Dispatch;
use burn::tensor::{Device, Tensor};
use extension::{Learning, Reading};
use inner::Level;
use std::sync::LazyLock;

static LEVEL: LazyLock<Option<Level>> = LazyLock::new(Level::detect);

/// True when weights on this device can be multiplied here: on plain Flex (no gradient is asked for), on a processor whose
/// instructions are known. Weights may then be F16 or BF16; anywhere else they must be F32.
#[must_use]
pub fn serve(device: &Device) -> bool {
    !device.is_autodiff() && serve_learning(device)
}

/// As [`serve`], with gradients or without: what says so below is differentiable. With gradients, weights are F32.
pub(super) fn serve_learning(device: &Device) -> bool {
    LEVEL.is_some() && *device == Device::flex()
}

/// y = x Wᵀ + b, differentiable.
///
/// # Shapes
/// `x` `[rows, in]` in F32, `weight` `[out, in]` in F32, F16 or BF16, `bias` `[out]` in F32 → `[rows, out]` in F32.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn product(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let y = match bias {
        Some(bias) => <Dispatch as Learning>::product_with_bias(x, weight, bias.into_dispatch()),
        None => <Dispatch as Learning>::product(x, weight),
    };
    Tensor::from_dispatch(y)
}

/// GELU by its tanh approximation: x · σ(√(8/π) · (x + 0.044715 x³)), since (1 + tanh u) / 2 = σ(2u).
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    const SLOPE: f32 = 1.595_769;
    Tensor::from_dispatch(<Dispatch as Reading>::gate(x.into_dispatch(), SLOPE, 0.044_715 * SLOPE))
}

/// x · σ(x) · y, the gated linear unit with SiLU.
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn swiglu(x: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as Reading>::gate_with(x.into_dispatch(), y.into_dispatch(), 1.0, 0.0))
}

/// The pattern of causal attention: softmax(scale · q kᵀ), each of the T queries seeing the keys up to its own position,
/// the last one all S.
///
/// # Shapes
/// `q` `[B, H, T, K]`, `k` `[B, G, S, K]` → `[B, H, T, S]`.
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn causal_pattern(q: Tensor<4>, k: Tensor<4>, scale: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Reading>::causal_pattern(q.into_dispatch(), k.into_dispatch(), scale as f32))
}

#[cfg(test)]
mod tests;
