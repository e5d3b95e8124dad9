//! The operations added to Burn's Flex backend, from its tensors to slices and back.

use super::LEVEL;
use super::activation::{self, Gate};
use super::adamw::{self, Rates};
use super::attention::{self, Heads};
use super::gelu;
use super::inner::Level;
use super::keys::{self, Scores};
use super::loss;
use super::low_rank::{self, Place};
use super::norm::{self, Norm};
use super::pattern::{self, Sizes};
use super::product;
use super::recurrence::{self, Made, Steps};
use super::rows::WeightRows;
use crate::nn::stored::StoredRows;
use crate::types::RecurrentCell;
use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::{DType, TensorData};
use half::{bf16, f16};
use std::borrow::Cow;

/// What is computed without gradients only.
#[backend_extension(Flex)]
pub(crate) trait InferenceOps: Backend {
    /// softmax(scale · q kᵀ) with a causal mask: `[B, H, T, K]`, `[B, G, S, K]` → `[B, H, T, S]`.
    fn causal_pattern(q: FloatTensor<Self>, k: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;

    /// softmax(scores) v with a causal mask: `[B, H, T, K]`, `[B, G, S, K]` twice → `[B, H, T, K]`.
    fn attend_to_keys(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        scores: Scores,
    ) -> FloatTensor<Self>;

    /// The same with a bias on the scores, `[1 or B, 1, T, S]`.
    fn attend_to_keys_with_bias(
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scores: Scores,
    ) -> FloatTensor<Self>;

    /// Causal attention of a projection `[B, T, (H + 2·G)·K]` → `[B, T, H·K]`, and its patterns, `[B, H, T, T]`.
    fn attend_with_pattern(qkv: FloatTensor<Self>, heads: Heads) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The same with queries and keys rotated by `cosines` and `sines`, T · R/2 numbers both.
    fn attend_rotated_with_pattern(
        qkv: FloatTensor<Self>,
        cosines: FloatTensor<Self>,
        sines: FloatTensor<Self>,
        heads: Heads,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// One update of weights by their gradient: the new weights and moments, all of one shape.
    fn adamw(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        rates: Rates,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// Σ x², `[1]`.
    fn sum_of_squares(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// What is computed with and without gradients.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait TrainingOps: Backend {
    /// x Wᵀ: `[rows, in]`, `[out, in]` → `[rows, out]`.
    fn product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// x Wᵀ + b: the same with `bias` `[out]`.
    fn product_with_bias(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>)
    -> FloatTensor<Self>;

    /// x Wᵀ with weights that do not learn and stay where they lie.
    fn product_fixed(x: FloatTensor<Self>, weight: StoredRows) -> FloatTensor<Self>;

    /// x Wᵀ + b: the same with `bias` `[out]`.
    fn product_fixed_with_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>, weight: StoredRows) -> FloatTensor<Self>;

    /// y + factor · u Bᵀ in the columns of a place: `[rows, out]`, `[rows, R]`, `[columns, R]` → `[rows, out]`.
    fn add_product(y: FloatTensor<Self>, u: FloatTensor<Self>, b: FloatTensor<Self>, place: Place)
    -> FloatTensor<Self>;

    /// The gate of every element.
    fn gate(x: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self>;

    /// x · Φ(x) of every element.
    fn gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gate of the first half of every row times its second half: `[rows, 2 · width]` → `[rows, width]`.
    fn gate_halves(x: FloatTensor<Self>, gate: Gate) -> FloatTensor<Self>;

    /// Rows of `x`, `[.., D]`, normalised by their root mean square; `gain` `[D]`.
    fn rms_norm(x: FloatTensor<Self>, gain: FloatTensor<Self>, norm: Norm) -> FloatTensor<Self>;

    /// Rows of `x`, `[.., D]`, normalised by mean and variance; `gain` and `bias` `[D]`.
    fn layer_norm(
        x: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self>;

    /// Causal attention of a projection `[B, T, (H + 2·G)·K]` → `[B, T, H·K]`.
    fn attend(qkv: FloatTensor<Self>, heads: Heads) -> FloatTensor<Self>;

    /// The same with queries and keys rotated by `cosines` and `sines`, T · R/2 numbers both.
    fn attend_rotated(
        qkv: FloatTensor<Self>,
        cosines: FloatTensor<Self>,
        sines: FloatTensor<Self>,
        heads: Heads,
    ) -> FloatTensor<Self>;

    /// Mean cross-entropy of scores `[N, V]` against classes `[N]` → `[1]`.
    fn cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self>;

    /// All steps of a recurrent layer, from zeros on: `[B, T, G·H]`, `[G·H, H]` → h, `[B, T, H]`.
    fn recur(inputs: FloatTensor<Self>, weight: FloatTensor<Self>, cell: RecurrentCell) -> FloatTensor<Self>;
}

impl InferenceOps for Flex {
    fn causal_pattern(q: FlexTensor, k: FlexTensor, scale: f32) -> FlexTensor {
        let (q, k) = (q.to_contiguous(), k.to_contiguous());
        let ([b, h, t, width], [_, g, s, _]) = (dims(&q), dims(&k));
        let sizes = Sizes { groups: b * g, shared_by: h / g, queries: t, keys: s, width };
        let pattern = pattern::causal_pattern(level(), values(&q), values(&k), scale, sizes);
        tensor(pattern, [b, h, t, s])
    }

    fn attend_to_keys(q: FlexTensor, k: FlexTensor, v: FlexTensor, scores: Scores) -> FlexTensor {
        attended_to_keys(&q.to_contiguous(), [k, v], None, scores)
    }

    fn attend_to_keys_with_bias(
        q: FlexTensor,
        k: FlexTensor,
        v: FlexTensor,
        bias: FlexTensor,
        scores: Scores,
    ) -> FlexTensor {
        attended_to_keys(&q.to_contiguous(), [k, v], Some(&bias.to_contiguous()), scores)
    }

    fn attend_with_pattern(qkv: FlexTensor, heads: Heads) -> (FlexTensor, FlexTensor) {
        attended_with_pattern(&qkv.to_contiguous(), None, heads)
    }

    fn attend_rotated_with_pattern(
        qkv: FlexTensor,
        cosines: FlexTensor,
        sines: FlexTensor,
        heads: Heads,
    ) -> (FlexTensor, FlexTensor) {
        let (cosines, sines) = (cosines.to_contiguous(), sines.to_contiguous());
        attended_with_pattern(&qkv.to_contiguous(), Some((values(&cosines), values(&sines))), heads)
    }

    fn adamw(
        weights: FlexTensor,
        gradient: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        rates: Rates,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let weights = weights.to_contiguous();
        let [mut gradient, mut first, mut second] = [gradient, first, second].map(into_values);
        adamw::adamw(level(), &rates, values(&weights), &mut gradient, &mut first, &mut second);
        (like(gradient, &weights), like(first, &weights), like(second, &weights))
    }

    fn sum_of_squares(x: FlexTensor) -> FlexTensor {
        tensor(vec![adamw::sum_of_squares(level(), values(&x.to_contiguous()))], [1])
    }
}

impl TrainingOps for Flex {
    fn product(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        multiply(&x.to_contiguous(), &weight.to_contiguous(), None)
    }

    fn product_with_bias(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        multiply(&x.to_contiguous(), &weight.to_contiguous(), Some(&bias.to_contiguous()))
    }

    fn product_fixed(x: FlexTensor, weight: StoredRows) -> FlexTensor {
        multiply_rows(&x.to_contiguous(), &weight.view(), None)
    }

    fn product_fixed_with_bias(x: FlexTensor, bias: FlexTensor, weight: StoredRows) -> FlexTensor {
        multiply_rows(&x.to_contiguous(), &weight.view(), Some(&bias.to_contiguous()))
    }

    fn add_product(y: FlexTensor, u: FlexTensor, b: FlexTensor, place: Place) -> FlexTensor {
        low_rank::add(level(), y, &u.to_contiguous(), &b.to_contiguous(), place)
    }

    fn gate(x: FlexTensor, gate: Gate) -> FlexTensor {
        let x = x.to_contiguous();
        like(activation::gate(level(), gate, values(&x)), &x)
    }

    fn gelu(x: FlexTensor) -> FlexTensor {
        let x = x.to_contiguous();
        like(gelu::of_values(level(), values(&x)), &x)
    }

    fn gate_halves(x: FlexTensor, gate: Gate) -> FlexTensor {
        let x = x.to_contiguous();
        let [rows, both] = dims(&x);
        tensor(activation::gate_halves(level(), gate, values(&x), both / 2), [rows, both / 2])
    }

    fn rms_norm(x: FlexTensor, gain: FlexTensor, norm: Norm) -> FlexTensor {
        let (x, gain) = (x.to_contiguous(), gain.to_contiguous());
        like(norm::normalise(level(), norm, values(&x), values(&gain), None), &x)
    }

    fn layer_norm(x: FlexTensor, gain: FlexTensor, bias: FlexTensor, norm: Norm) -> FlexTensor {
        let (x, gain, bias) = (x.to_contiguous(), gain.to_contiguous(), bias.to_contiguous());
        like(norm::normalise(level(), norm, values(&x), values(&gain), Some(values(&bias))), &x)
    }

    fn attend(qkv: FlexTensor, heads: Heads) -> FlexTensor {
        attended(&qkv.to_contiguous(), None, heads)
    }

    fn attend_rotated(qkv: FlexTensor, cosines: FlexTensor, sines: FlexTensor, heads: Heads) -> FlexTensor {
        let (cosines, sines) = (cosines.to_contiguous(), sines.to_contiguous());
        attended(&qkv.to_contiguous(), Some((values(&cosines), values(&sines))), heads)
    }

    fn cross_entropy(logits: FlexTensor, targets: FlexTensor) -> FlexTensor {
        let logits = logits.to_contiguous();
        let [_, classes] = dims(&logits);
        tensor(vec![loss::cross_entropy(level(), values(&logits), &indices(targets), classes)], [1])
    }

    fn recur(inputs: FlexTensor, weight: FlexTensor, cell: RecurrentCell) -> FlexTensor {
        let (made, sizes) = recurred(inputs, &weight.to_contiguous(), cell);
        tensor(made.hidden, [sizes.batch, sizes.steps, sizes.units])
    }
}

/// All steps of a recurrent layer, from zeros on.
pub(super) fn recurred(inputs: FlexTensor, weight: &FlexTensor, cell: RecurrentCell) -> (Made, Steps) {
    let ([batch, steps, _], [_, units]) = (dims(&inputs), dims(weight));
    let sizes = Steps { cell, batch, steps, units };
    (recurrence::run(level(), into_values(inputs), &weight_rows(weight), None, sizes), sizes)
}

/// What the processor can do.
pub(super) fn level() -> Level {
    LEVEL.expect("`serve` was asked before")
}

const IN_ORDER: &str = "of the type asked for, its elements in order";

/// The sizes of a tensor of known rank.
pub(super) fn dims<const D: usize>(x: &FlexTensor) -> [usize; D] {
    std::array::from_fn(|dim| x.layout().shape()[dim])
}

/// The numbers of a contiguous tensor.
pub(in crate::nn) fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect(IN_ORDER)
}

/// The numbers of a contiguous tensor of any precision that weights are kept in.
pub(super) fn in_full_precision(x: &FlexTensor) -> Cow<'_, [f32]> {
    match x.dtype() {
        DType::F16 => x.as_slice::<f16>().expect(IN_ORDER).iter().map(|value| value.to_f32()).collect(),
        DType::BF16 => x.as_slice::<bf16>().expect(IN_ORDER).iter().map(|value| value.to_f32()).collect(),
        _ => Cow::Borrowed(values(x)),
    }
}

/// The numbers of a tensor, row-major; copied only where somebody else holds them too.
pub(super) fn into_values(x: FlexTensor) -> Vec<f32> {
    x.into_data().try_into_vec().expect(IN_ORDER)
}

/// Indices as the loops count.
pub(super) fn indices(x: FlexTensor) -> Vec<usize> {
    x.into_data().iter::<i64>().map(|index| usize::try_from(index).unwrap_or(usize::MAX)).collect()
}

/// A tensor of these numbers, row-major.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// A tensor of these numbers in the shape of another one.
pub(super) fn like(values: Vec<f32>, other: &FlexTensor) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, other.layout().shape().clone()))
}

fn attended(qkv: &FlexTensor, rotation: attention::Rotation<'_>, heads: Heads) -> FlexTensor {
    let [b, t, _] = dims(qkv);
    tensor(attention::attend(level(), values(qkv), rotation, heads, t), [b, t, heads.joined()])
}

fn attended_to_keys(q: &FlexTensor, kv: [FlexTensor; 2], bias: Option<&FlexTensor>, scores: Scores) -> FlexTensor {
    // A cache has room behind what it holds, and is read where it lies.
    let kv = kv.map(|x| if x.layout().strides()[3] == 1 { x } else { x.to_contiguous() });
    let ([batch, h, queries, width], [_, groups, keys, _]) = (dims(q), dims(&kv[0]));
    let sizes = keys::Sizes { batch, groups, shared_by: h / groups, queries, keys, width };
    let z = keys::attend(level(), values(q), kv.each_ref().map(strided), bias.map(values), scores, sizes);
    like(z, q)
}

/// Keys or values `[B, G, S, K]` whose last dimension lies together.
fn strided(x: &FlexTensor) -> keys::Strided<'_> {
    let layout = x.layout();
    let steps =
        std::array::from_fn(|dim| usize::try_from(layout.strides()[dim]).expect("made by views that turn nothing"));
    keys::Strided { values: &x.storage()[layout.start_offset()..], steps }
}

fn attended_with_pattern(
    qkv: &FlexTensor,
    rotation: attention::Rotation<'_>,
    heads: Heads,
) -> (FlexTensor, FlexTensor) {
    let [b, t, _] = dims(qkv);
    let [z, pattern] = attention::attend_with_pattern(level(), values(qkv), rotation, heads, t);
    (tensor(z, [b, t, heads.joined()]), tensor(pattern, [b, heads.count(), t, t]))
}

fn multiply(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    multiply_rows(x, &weight_rows(weight), bias)
}

/// x Wᵀ + b of contiguous tensors.
pub(super) fn multiply_rows(x: &FlexTensor, weight: &WeightRows<'_>, bias: Option<&FlexTensor>) -> FlexTensor {
    let ([rows, _], [outputs, _]) = (dims(x), weight.shape());
    tensor(product::product(level(), values(x), weight, bias.map(values), rows), [rows, outputs])
}

/// A contiguous weight `[out, in]` as the products read it.
pub(in crate::nn) fn weight_rows(weight: &FlexTensor) -> WeightRows<'_> {
    let shape = dims(weight);
    match weight.dtype() {
        DType::F16 => WeightRows::of(weight.as_slice::<f16>().expect(IN_ORDER), shape),
        DType::BF16 => WeightRows::of(weight.as_slice::<bf16>().expect(IN_ORDER), shape),
        _ => WeightRows::of(values(weight), shape),
    }
}
