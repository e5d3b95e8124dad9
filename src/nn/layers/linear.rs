//! A fully connected layer whose weight is stored one output a row.

use crate::nn::kernels;
use crate::nn::layers::weight::Weight;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Distribution, Int, Tensor};

/// `y = x Wᵀ + b`.
///
/// The weight is `[out, in]`, as PyTorch stores it: files are read without transposing, and a matrix-vector product (one
/// token) reads every weight once and in order. Where `kernels::serve` says so, it may be kept in half precision.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Weight,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A layer with these weights.
    #[must_use]
    pub fn new(weight: impl Into<Weight>, bias: Option<Tensor<1>>) -> Self {
        Self { weight: weight.into(), bias: bias.map(Param::from_tensor) }
    }

    /// Weights from N(0, `std`²), a bias of zeros where there is one.
    #[must_use]
    pub fn random([outputs, inputs]: [usize; 2], with_bias: bool, std: f64, device: &Device) -> Self {
        let weight = Tensor::random([outputs, inputs], Distribution::Normal(0.0, std), device);
        Self::new(weight, with_bias.then(|| Tensor::zeros([outputs], device)))
    }

    /// `[B, T, in]` → `[B, T, out]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.weight.project_with(x, self.bias.as_ref().map(Param::val))
    }
}

impl Linear {
    /// What each head adds to the output of a layer that joins heads, without the bias that all share: `[B, H, T, K]` →
    /// `[B, H, T, out]`, whose sum over the heads is the output for heads laid side by side.
    #[must_use]
    pub(in crate::nn) fn of_each_head(&self, z: Tensor<4>) -> Tensor<4> {
        let ([_, heads, _, width], [outputs, _]) = (z.dims(), self.weight.dims());
        let weight = in_f32(self.weight.val()).reshape([outputs, heads, width]); // [out, H, K]
        z.matmul(weight.permute([1, 2, 0]).unsqueeze()) // [B, H, T, out]
    }
}

/// x Wᵀ + b: `[rows, in]` times a weight `[out, in]`, which may be of half precision where that is multiplied.
pub(in crate::nn) fn product(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    if kernels::serve_learning(&x.device()) {
        return kernels::product(x, weight, bias); // [rows, out]
    }
    let y = x.matmul(weight.transpose()); // [rows, out]
    match bias {
        Some(bias) => y + bias.unsqueeze(),
        None => y,
    }
}

/// Rows of a table `[N, D]` by their numbers: `[B, T]` → `[B, T, D]`.
pub(in crate::nn) fn embedding(table: Tensor<2>, ids: Tensor<2, Int>) -> Tensor<3> {
    in_f32(burn::tensor::module::embedding(table, ids))
}

/// The same values in F32.
pub(in crate::nn) fn in_f32<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.dtype() == DType::F32 { x } else { x.cast(DType::F32) }
}

/// True for tensors that Flex computes and no gradient is asked of.
pub(in crate::nn) fn on_plain_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    !device.is_autodiff() && device == Device::flex()
}

/// Every weight in F32: for training, and for devices on which half precision is not multiplied.
#[must_use]
pub fn in_full_precision<M: Module>(module: M) -> M {
    module.map(&mut Cast { matrices: DType::F32, vectors: DType::F32 })
}

/// Every matrix rounded to half precision, for devices that `kernels::serve` says multiply it. Vectors stay in F32: they
/// are few, and added where the sums are.
#[must_use]
pub fn in_half_precision<M: Module>(module: M) -> M {
    module.map(&mut Cast { matrices: DType::F16, vectors: DType::F32 })
}

struct Cast {
    matrices: DType,
    vectors: DType,
}

impl ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let dtype = if D == 1 { self.vectors } else { self.matrices };
        if param.val().dtype() == dtype { param } else { param.map(|tensor| tensor.cast(dtype)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_changes_matrices_alone_and_back_again() {
        let device = Device::flex();
        device.seed(2);
        let layer = Linear::random([5, 40], true, 1.0, &device);
        let half = in_half_precision(layer.clone());
        assert_eq!((half.weight.val().dtype(), half.bias.as_ref().unwrap().val().dtype()), (DType::F16, DType::F32));
        let full = in_full_precision(half.clone());
        assert_eq!(full.weight.val().dtype(), DType::F32);
        let x = Tensor::random([1, 3, 40], Distribution::Normal(0.0, 1.0), &device);
        if kernels::serve(&device) {
            // Both sides multiply the same rounded weights.
            let difference: f32 = (half.forward(x.clone()) - full.forward(x.clone())).abs().max().into_scalar();
            assert!(difference < 1e-5, "differs by {difference}");
        }
        let rounding: f32 = (layer.forward(x.clone()) - full.forward(x)).abs().max().into_scalar();
        assert!(rounding > 0.0 && rounding < 0.1, "rounding changed the result by {rounding}");
    }
}
