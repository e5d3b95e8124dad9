//! The operations added to Burn's Flex backend, from its tensors to slices and back.

use super::inner::Level;
use super::pattern::{self, Sizes};
use super::product;
use super::{LEVEL, activation};
use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::{DType, TensorData};
use half::{bf16, f16};

/// What is computed without gradients only.
#[backend_extension(Flex)]
pub(crate) trait Reading: Backend {
    /// x · σ(slope · x + cubic · x³).
    fn gate(x: FloatTensor<Self>, slope: f32, cubic: f32) -> FloatTensor<Self>;

    /// x · σ(slope · x + cubic · x³) · y, both of one shape.
    fn gate_with(x: FloatTensor<Self>, y: FloatTensor<Self>, slope: f32, cubic: f32) -> FloatTensor<Self>;

    /// softmax(scale · q kᵀ) with a causal mask: `[B, H, T, K]`, `[B, G, S, K]` → `[B, H, T, S]`.
    fn causal_pattern(q: FloatTensor<Self>, k: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;
}

/// What is computed with and without gradients.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Learning: Backend {
    /// x Wᵀ: `[rows, in]`, `[out, in]` → `[rows, out]`.
    fn product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// x Wᵀ + b: the same with `bias` `[out]`.
    fn product_with_bias(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>)
    -> FloatTensor<Self>;
}

impl Reading for Flex {
    fn gate(x: FlexTensor, slope: f32, cubic: f32) -> FlexTensor {
        gated(x, None, slope, cubic)
    }

    fn gate_with(x: FlexTensor, y: FlexTensor, slope: f32, cubic: f32) -> FlexTensor {
        gated(x, Some(&y.to_contiguous()), slope, cubic)
    }

    fn causal_pattern(q: FlexTensor, k: FlexTensor, scale: f32) -> FlexTensor {
        let (q, k) = (q.to_contiguous(), k.to_contiguous());
        let ([b, h, t, width], [_, g, s, _]) = (dims(&q), dims(&k));
        let sizes = Sizes { groups: b * g, shared_by: h / g, queries: t, keys: s, width };
        let pattern = pattern::causal_pattern(level(), values(&q), values(&k), scale, sizes);
        tensor(pattern, [b, h, t, s])
    }
}

impl Learning for Flex {
    fn product(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        multiply(&x.to_contiguous(), &weight.to_contiguous(), None)
    }

    fn product_with_bias(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        multiply(&x.to_contiguous(), &weight.to_contiguous(), Some(&bias.to_contiguous()))
    }
}

/// What the processor can do.
pub(super) fn level() -> Level {
    LEVEL.expect("`serve` was asked before")
}

/// The sizes of a tensor of known rank.
pub(super) fn dims<const D: usize>(x: &FlexTensor) -> [usize; D] {
    std::array::from_fn(|dim| x.layout().shape()[dim])
}

/// The numbers of a contiguous tensor.
pub(super) fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect(IN_ORDER)
}

/// A tensor of these numbers, row-major.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

const IN_ORDER: &str = "of the type asked for, its elements in order";

fn gated(x: FlexTensor, y: Option<&FlexTensor>, slope: f32, cubic: f32) -> FlexTensor {
    let shape = x.layout().shape().clone();
    let numbers = x.into_data().try_into_vec::<f32>().expect(IN_ORDER);
    FlexTensor::from_data(TensorData::new(activation::gate(level(), numbers, y.map(values), slope, cubic), shape))
}

fn multiply(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let ([rows, inputs], [outputs, _]) = (dims(x), dims(weight));
    let (sizes, bias, dtype) = ([rows, inputs, outputs], bias.map(values), weight.dtype());
    let y = match dtype {
        DType::F16 => product::product(level(), values(x), weight.as_slice::<f16>().expect(IN_ORDER), bias, sizes),
        DType::BF16 => product::product(level(), values(x), weight.as_slice::<bf16>().expect(IN_ORDER), bias, sizes),
        _ => product::product(level(), values(x), values(weight), bias, sizes),
    };
    tensor(y, [rows, outputs])
}
