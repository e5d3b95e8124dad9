//! What models compute most on the CPU, faster than Burn's Flex backend does it, as an extension of that backend.
//!
//! Flex hands every product to a general matrix multiplication. That packs both sides again for each call, runs a
//! matrix-vector product (every token of a generation) on one thread, and cannot take weights of half precision with
//! activations of full precision. Here weights stay as they lie in the file, `[out, in]` in F32, F16 or BF16; sums are F32.
//!
//! What training needs is differentiable, with gradients written by hand: Burn's autodiff would keep and pass over every
//! intermediate value, most of it on one thread.

mod activation;
mod adamw;
mod attention;
mod beside;
mod block_product;
mod eights;
mod extension;
mod gelu;
mod gradients;
#[cfg_attr(target_arch = "x86_64", path = "x86/mod.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "other.rs")]
mod inner;
mod keys;
mod loss;
mod low_rank;
mod norm;
mod output;
mod panel;
pub(in crate::nn) mod pass;
mod pattern;
mod product;
mod recurrence;
pub(in crate::nn) mod rows;
mod scratch;
mod stalls;
mod team;
mod texts;

pub use adamw::Rates;
pub(super) use attention::Heads;
pub(super) use beside::{count_above, exps_below, log_sum_exp, maximum, sum_of_exps, sums_beside};
pub(super) use extension::{values as numbers, weight_rows};
pub(super) use gelu::gelu;
pub(super) use keys::Scores;
pub(super) use recurrence::Made;
pub(super) use texts::{Lengths, attend_in_texts, normalised_sum};

use super::stored::StoredRows;
use crate::types::RecurrentCell;
use activation::Gate;
use burn::backend::Dispatch;
use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::{Device, Int, Tensor};
use extension::{InferenceOps, TrainingOps};
use inner::Level;
use low_rank::Place;
use norm::Norm;
use rows::WeightRows;
use std::cell::Cell;
use std::sync::LazyLock;

static LEVEL: LazyLock<Option<Level>> = LazyLock::new(Level::detect);

thread_local! {
    /// See [`without`].
    static OFF: Cell<bool> = const { Cell::new(false) };
}

/// True when weights on this device can be multiplied here: on plain Flex (no gradient is asked for), on a processor whose
/// instructions are known. Weights may then be F16 or BF16; anywhere else they must be F32.
#[must_use]
pub fn serve(device: &Device) -> bool {
    !device.is_autodiff() && serve_learning(device)
}

/// As [`serve`], with gradients or without. With them, weights that learn are F32. What asks for this is differentiable.
pub(super) fn serve_learning(device: &Device) -> bool {
    LEVEL.is_some() && !OFF.get() && *device == Device::flex()
}

/// Does something on this thread as on a processor that is not served here. Weights must be F32.
pub fn without<T>(work: impl FnOnce() -> T) -> T {
    OFF.set(true);
    let result = work();
    OFF.set(false);
    result
}

/// y = x Wᵀ + b.
///
/// # Shapes
/// `x` `[rows, in]` in F32, `weight` `[out, in]` in F32, F16 or BF16, `bias` `[out]` in F32 → `[rows, out]` in F32.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn product(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let y = match bias {
        Some(bias) => <Dispatch as TrainingOps>::product_with_bias(x, weight, bias.into_dispatch()),
        None => <Dispatch as TrainingOps>::product(x, weight),
    };
    Tensor::from_dispatch(y)
}

/// As [`product`], with weights that stay where they lie.
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn product_stored(x: Tensor<2>, weight: &StoredRows, bias: Option<Tensor<1>>) -> Tensor<2> {
    let flex = |x: FlexTensor| x.to_contiguous();
    let x = flex(x.try_into_primitive::<Flex>().expect(ON_FLEX));
    let bias = bias.map(|bias| flex(bias.try_into_primitive::<Flex>().expect(ON_FLEX)));
    Tensor::from_primitive::<Flex>(extension::multiply_rows(&x, &weight.view(), bias.as_ref()))
}

/// As [`product_stored`], with gradients or without: those of `x` and `bias`, not of the weights. A weight in blocks is multiplied as
/// everywhere; its gradient is that of the values that the blocks stand for.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn product_fixed(x: Tensor<2>, weight: StoredRows, bias: Option<Tensor<1>>) -> Tensor<2> {
    let x = x.into_dispatch();
    let y = match bias {
        Some(bias) => <Dispatch as TrainingOps>::product_fixed_with_bias(x, bias.into_dispatch(), weight),
        None => <Dispatch as TrainingOps>::product_fixed(x, weight),
    };
    Tensor::from_dispatch(y)
}

/// y + factor · u Bᵀ in some columns: `y` `[rows, out]`, `u` `[rows, R]`, `b` `[columns, R]`, from column `first` on.
///
/// # Panics
/// When [`serve_learning`] is false for the device, or the sizes do not fit.
pub(super) fn add_product(y: Tensor<2>, u: Tensor<2>, b: Tensor<2>, first: usize, factor: f32) -> Tensor<2> {
    let (y, u, b) = (y.into_dispatch(), u.into_dispatch(), b.into_dispatch());
    Tensor::from_dispatch(<Dispatch as TrainingOps>::add_product(y, u, b, Place { first, factor }))
}

const ON_FLEX: &str = "`serve` was asked before";

/// GELU by its tanh approximation.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as TrainingOps>::gate(x.into_dispatch(), Gate::GELU_TANH))
}

/// The gated linear unit with SiLU: the first half of every row, times its σ, times the second half,
/// `[B, T, 2·F]` → `[B, T, F]`.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn swiglu(x: Tensor<3>) -> Tensor<3> {
    gate_halves(x, Gate::SILU)
}

/// The gated linear unit with GELU by its tanh approximation, `[B, T, 2·F]` → `[B, T, F]`.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn geglu(x: Tensor<3>) -> Tensor<3> {
    gate_halves(x, Gate::GELU_TANH)
}

fn gate_halves(x: Tensor<3>, gate: Gate) -> Tensor<3> {
    let [b, t, both] = x.dims();
    let gated = <Dispatch as TrainingOps>::gate_halves(x.reshape([b * t, both]).into_dispatch(), gate);
    Tensor::<2>::from_dispatch(gated).reshape([b, t, both / 2]) // [B, T, F]
}

/// x / √(mean of x² + epsilon) · (gain + shift) along the last dimension; `gain` `[D]`.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn rms_norm<const N: usize>(x: Tensor<N>, gain: Tensor<1>, epsilon: f64, shift: f64) -> Tensor<N> {
    let norm = Norm { epsilon: epsilon as f32, shift: shift as f32, is_centred: false };
    Tensor::from_dispatch(<Dispatch as TrainingOps>::rms_norm(x.into_dispatch(), gain.into_dispatch(), norm))
}

/// (x − mean) / √(variance + epsilon) · gain + bias along the last dimension; `gain` and `bias` `[D]`.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn layer_norm(x: Tensor<3>, gain: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Tensor<3> {
    let norm = Norm { epsilon: epsilon as f32, shift: 0.0, is_centred: true };
    let (x, gain, bias) = (x.into_dispatch(), gain.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as TrainingOps>::layer_norm(x, gain, bias, norm))
}

/// Causal attention from the projection to queries, keys and values, which lie in it as `heads` says. Queries and keys are
/// rotated by cosines and sines, `[1, 1, T, R/2]`, if there are any.
///
/// # Shapes
/// `qkv` `[B, T, (H + 2·G)·K]` → `[B, T, H·K]`.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn attend(qkv: Tensor<3>, rotation: Option<[Tensor<4>; 2]>, heads: Heads) -> Tensor<3> {
    let qkv = qkv.into_dispatch();
    Tensor::from_dispatch(match rotation.map(|rotation| rotation.map(Tensor::into_dispatch)) {
        Some([cosines, sines]) => <Dispatch as TrainingOps>::attend_rotated(qkv, cosines, sines, heads),
        None => <Dispatch as TrainingOps>::attend(qkv, heads),
    })
}

/// As [`attend`], with the patterns: `[B, T, (H + 2·G)·K]` → `[B, T, H·K]` and `[B, H, T, T]`.
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn attend_with_pattern(
    qkv: Tensor<3>,
    rotation: Option<[Tensor<4>; 2]>,
    heads: Heads,
) -> (Tensor<3>, Tensor<4>) {
    let qkv = qkv.into_dispatch();
    let (z, pattern) = match rotation.map(|rotation| rotation.map(Tensor::into_dispatch)) {
        Some([cosines, sines]) => <Dispatch as InferenceOps>::attend_rotated_with_pattern(qkv, cosines, sines, heads),
        None => <Dispatch as InferenceOps>::attend_with_pattern(qkv, heads),
    };
    (Tensor::from_dispatch(z), Tensor::from_dispatch(pattern))
}

/// Mean cross-entropy in nats, `[1]`, of scores `[N, V]` against classes `[N]`.
///
/// # Panics
/// When [`serve_learning`] is false for the device, there is no row, or a class is not below V.
pub(super) fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(<Dispatch as TrainingOps>::cross_entropy(logits, targets))
}

/// All steps of a recurrent layer, from zeros on: what the inputs give, biases added, `[B, T, G·H]`, with the matrix between two steps,
/// `[G·H, H]` in F32, F16 or BF16 → h, `[B, T, H]`.
///
/// # Panics
/// When [`serve_learning`] is false for the device.
pub(super) fn recur(inputs: Tensor<3>, weight: Tensor<2>, cell: RecurrentCell) -> Tensor<3> {
    let (inputs, weight) = (inputs.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as TrainingOps>::recur(inputs, weight, cell))
}

/// As [`recur`], with all that the steps made, from h and c on that a sequence has before (`[B, H]`; c of an LSTM alone, else `[B, 0]`).
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn recur_from(
    inputs: Tensor<3>,
    weight: &WeightRows<'_>,
    start: Option<[Tensor<2>; 2]>,
    cell: RecurrentCell,
) -> Made {
    let flex = |x: FlexTensor| x.to_contiguous();
    let [batch, steps, _] = inputs.dims();
    let [_, units] = weight.shape();
    let inputs = inputs.try_into_primitive::<Flex>().expect(ON_FLEX);
    let start = start.map(|start| start.map(|x| flex(x.try_into_primitive::<Flex>().expect(ON_FLEX))));
    let start = start.as_ref().map(|[h, c]| [numbers(h), numbers(c)]);
    let sizes = recurrence::Steps { cell, batch, steps, units };
    recurrence::run(extension::level(), extension::into_values(inputs), weight, start, sizes)
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
    Tensor::from_dispatch(<Dispatch as InferenceOps>::causal_pattern(
        q.into_dispatch(),
        k.into_dispatch(),
        scale as f32,
    ))
}

/// Causal attention to keys and values that may be more than the queries: the last T of the S are the queries' own, and each query sees
/// those up to its own. `bias` is added to the scores: `[1 or B, 1, T, S]`.
///
/// # Shapes
/// `q` `[B, H, T, K]`, `k` and `v` `[B, G, S, K]` → `[B, H, T, K]`.
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn attend_to_keys([q, k, v]: [Tensor<4>; 3], bias: Option<Tensor<4>>, scores: Scores) -> Tensor<4> {
    let [q, k, v] = [q, k, v].map(Tensor::into_dispatch);
    Tensor::from_dispatch(match bias {
        Some(bias) => <Dispatch as InferenceOps>::attend_to_keys_with_bias(q, k, v, bias.into_dispatch(), scores),
        None => <Dispatch as InferenceOps>::attend_to_keys(q, k, v, scores),
    })
}

/// One update by AdamW: weights, gradient, first and second moment, all of one shape → the new weights and moments. Memory
/// that nobody else holds is used again.
///
/// # Panics
/// When [`serve`] is false for the device.
#[must_use]
pub fn adamw<const D: usize>([weights, gradient, first, second]: [Tensor<D>; 4], rates: Rates) -> [Tensor<D>; 3] {
    let [weights, gradient, first, second] = [weights, gradient, first, second].map(Tensor::into_dispatch);
    let (weights, first, second) = <Dispatch as InferenceOps>::adamw(weights, gradient, first, second, rates);
    [weights, first, second].map(Tensor::from_dispatch)
}

/// Σ x².
///
/// # Panics
/// When [`serve`] is false for the device.
#[must_use]
pub fn sum_of_squares<const D: usize>(x: Tensor<D>) -> f32 {
    Tensor::<1>::from_dispatch(<Dispatch as InferenceOps>::sum_of_squares(x.into_dispatch())).into_scalar()
}

#[cfg(test)]
mod tests;
