//! Products with weights on the CPU, faster than Burn's Flex backend makes them, as an extension of that backend.
//!
//! Flex hands every product to a general matrix multiplication. That packs both sides again for each call, runs a
//! matrix-vector product (every token of a generation) on one thread, and cannot take weights of half precision with
//! activations of full precision. Here weights stay as they lie in the file, `[out, in]` in F32, F16 or BF16; sums are F32.

mod activation;
#[cfg_attr(target_arch = "x86_64", path = "x86.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "other.rs")]
mod inner;
mod panel;
mod pattern;
mod product;

use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::{DType, Device, Tensor, TensorData};
use half::{bf16, f16};
use inner::Level;
use pattern::Sizes;
use std::sync::LazyLock;

static LEVEL: LazyLock<Option<Level>> = LazyLock::new(Level::detect);

/// True when weights on this device can be multiplied here: on plain Flex (no gradient is asked for), on a processor whose
/// instructions are known. Weights may then be F16 or BF16; anywhere else they must be F32.
#[must_use]
pub fn serve(device: &Device) -> bool {
    LEVEL.is_some() && !device.is_autodiff() && *device == Device::flex()
}

/// y = x Wᵀ + b.
///
/// # Shapes
/// `x` `[rows, in]` in F32, `weight` `[out, in]` in F32, F16 or BF16, `bias` `[out]` in F32 → `[rows, out]` in F32.
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn product(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    let y = match bias {
        Some(bias) => <Dispatch as WeightProduct>::product_with_bias(x, weight, bias.into_dispatch()),
        None => <Dispatch as WeightProduct>::product(x, weight),
    };
    Tensor::from_dispatch(y)
}

/// GELU by its tanh approximation: x · σ(√(8/π) · (x + 0.044715 x³)), since (1 + tanh u) / 2 = σ(2u).
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn gelu_tanh(x: Tensor<3>) -> Tensor<3> {
    const SLOPE: f32 = 1.595_769;
    Tensor::from_dispatch(<Dispatch as WeightProduct>::gate(x.into_dispatch(), SLOPE, 0.044_715 * SLOPE))
}

/// x · σ(x) · y, the gated linear unit with SiLU.
///
/// # Panics
/// When [`serve`] is false for the device.
pub(super) fn swiglu(x: Tensor<3>, y: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as WeightProduct>::gate_with(x.into_dispatch(), y.into_dispatch(), 1.0, 0.0))
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
    Tensor::from_dispatch(<Dispatch as WeightProduct>::causal_pattern(
        q.into_dispatch(),
        k.into_dispatch(),
        scale as f32,
    ))
}

/// The operations that are added to the backend.
#[backend_extension(Flex)]
pub(crate) trait WeightProduct: Backend {
    /// x · σ(slope · x + cubic · x³).
    fn gate(x: FloatTensor<Self>, slope: f32, cubic: f32) -> FloatTensor<Self>;

    /// x · σ(slope · x + cubic · x³) · y, both of one shape.
    fn gate_with(x: FloatTensor<Self>, y: FloatTensor<Self>, slope: f32, cubic: f32) -> FloatTensor<Self>;

    /// softmax(scale · q kᵀ) with a causal mask: `[B, H, T, K]`, `[B, G, S, K]` → `[B, H, T, S]`.
    fn causal_pattern(q: FloatTensor<Self>, k: FloatTensor<Self>, scale: f32) -> FloatTensor<Self>;

    /// x Wᵀ: `[rows, in]`, `[out, in]` → `[rows, out]`.
    fn product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// x Wᵀ + b: the same with `bias` `[out]`.
    fn product_with_bias(x: FloatTensor<Self>, weight: FloatTensor<Self>, bias: FloatTensor<Self>)
    -> FloatTensor<Self>;
}

impl WeightProduct for Flex {
    fn gate(x: FlexTensor, slope: f32, cubic: f32) -> FlexTensor {
        gated(x, None, slope, cubic)
    }

    fn gate_with(x: FlexTensor, y: FlexTensor, slope: f32, cubic: f32) -> FlexTensor {
        gated(x, Some(&y.to_contiguous()), slope, cubic)
    }

    fn causal_pattern(q: FlexTensor, k: FlexTensor, scale: f32) -> FlexTensor {
        let (q, k) = (q.to_contiguous(), k.to_contiguous());
        let [b, h, t, width] = [0, 1, 2, 3].map(|dim| q.layout().shape()[dim]);
        let [g, s] = [1, 2].map(|dim| k.layout().shape()[dim]);
        let sizes = Sizes { groups: b * g, shared_by: h / g, queries: t, keys: s, width };
        let level = LEVEL.expect("`serve` was asked before");
        let (q, k) = (q.as_slice::<f32>().expect(IN_ORDER), k.as_slice::<f32>().expect(IN_ORDER));
        let pattern = pattern::causal_pattern(level, q, k, scale, sizes);
        FlexTensor::from_data(TensorData::new(pattern, [b, h, t, s]))
    }

    fn product(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        multiply(&x.to_contiguous(), &weight.to_contiguous(), None)
    }

    fn product_with_bias(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
        multiply(&x.to_contiguous(), &weight.to_contiguous(), Some(&bias.to_contiguous()))
    }
}

const IN_ORDER: &str = "of the type asked for, its elements in order";

fn gated(x: FlexTensor, y: Option<&FlexTensor>, slope: f32, cubic: f32) -> FlexTensor {
    let level = LEVEL.expect("`serve` was asked before");
    let shape = x.layout().shape().clone();
    let values = x.into_data().try_into_vec::<f32>().expect(IN_ORDER);
    let y = y.map(|y| y.as_slice::<f32>().expect(IN_ORDER));
    FlexTensor::from_data(TensorData::new(activation::gate(level, values, y, slope, cubic), shape))
}

fn multiply(x: &FlexTensor, weight: &FlexTensor, bias: Option<&FlexTensor>) -> FlexTensor {
    let level = LEVEL.expect("`serve` was asked before");
    let sizes = [x.layout().shape()[0], x.layout().shape()[1], weight.layout().shape()[0]];
    let x = x.as_slice::<f32>().expect(IN_ORDER);
    let bias = bias.map(|bias| bias.as_slice::<f32>().expect(IN_ORDER));
    let y = match weight.dtype() {
        DType::F16 => product::product(level, x, weight.as_slice::<f16>().expect(IN_ORDER), bias, sizes),
        DType::BF16 => product::product(level, x, weight.as_slice::<bf16>().expect(IN_ORDER), bias, sizes),
        _ => product::product(level, x, weight.as_slice::<f32>().expect(IN_ORDER), bias, sizes),
    };
    FlexTensor::from_data(TensorData::new(y, [sizes[0], sizes[2]]))
}

#[cfg(test)]
mod tests;
