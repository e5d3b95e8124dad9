//! A fully connected layer whose weight is stored one output a row.

use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Tensor};

/// `y = x Wᵀ + b`.
///
/// The weight is `[out, in]`, as PyTorch stores it: files are read without transposing, and a matrix-vector product (one
/// token) reads every weight once and in order.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A layer with these weights.
    #[must_use]
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self { weight: Param::from_tensor(weight), bias: bias.map(Param::from_tensor) }
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
        let y = project(x, self.weight.val());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

/// `x Wᵀ`: `[B, T, in]` times a weight `[out, in]` → `[B, T, out]`.
#[must_use]
pub fn project(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [b, t, inputs] = x.dims();
    let [outputs, _] = weight.dims();
    let rows = b * t;
    if on_plain_cpu(&x) && rows <= FEW_ROWS {
        return match rows {
            1 if outputs * inputs >= SHARE_FROM => project_one_row(x, weight),
            _ => project_few_rows(x, weight),
        };
    }
    x.reshape([rows, inputs]).matmul(weight.transpose()).reshape([b, t, outputs]) // [B, T, out]
}

/// Up to here turning the product round is faster on Flex, measured from 4 to 256 rows; training has thousands.
const FEW_ROWS: usize = 256;

/// (W xᵀ)ᵀ. The matrix product packs its left side; for `x Wᵀ` it would first have to turn all weights round.
fn project_few_rows(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [b, t, inputs] = x.dims();
    let [outputs, _] = weight.dims();
    let y = weight.matmul(x.reshape([b * t, inputs]).transpose()); // [out, B·T]
    y.transpose().reshape([b, t, outputs]) // [B, T, out]
}

/// Flex shares a batched product among threads from 2²¹ multiplications on, but never a single matrix-vector product.
const SHARE_FROM: usize = 1 << 21;
const PARTS: usize = 4;

/// One row: the product is a batch of `PARTS` products with a share of the outputs each, so that all threads read weights.
/// Decoding is bound by reading them. `[1, 1, in]` → `[1, 1, out]`.
fn project_one_row(x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [outputs, inputs] = weight.dims();
    let share = outputs / PARTS;
    let even = share * PARTS;
    let parts = weight.clone().slice([0..even, 0..inputs]).reshape([PARTS, share, inputs]); // [P, out/P, in]
    let y = x.clone().matmul(parts.swap_dims(1, 2)).reshape([1, 1, even]);
    if even == outputs {
        return y;
    }
    let rest = weight.slice([even..outputs, 0..inputs]).transpose().unsqueeze(); // [1, in, rest]
    Tensor::cat(vec![y, x.matmul(rest)], 2)
}

/// True for tensors that Flex computes and no gradient is asked of.
pub(super) fn on_plain_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    !device.is_autodiff() && device == Device::flex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_gives_the_same_product() {
        let device = Device::flex();
        let random = |shape| Tensor::<2>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let weight = random([PARTS * 5 + 3, 24]);
        for (rows, way) in [(1, project_one_row as fn(_, _) -> _), (1, project_few_rows), (7, project_few_rows)] {
            let x = random([rows, 24]);
            let plain = x.clone().matmul(weight.clone().transpose()).unsqueeze();
            let difference: f32 = (way(x.unsqueeze(), weight.clone()) - plain).abs().max().into_scalar();
            assert!(difference < 1e-5, "{rows} rows differ by {difference}");
        }
    }
}
