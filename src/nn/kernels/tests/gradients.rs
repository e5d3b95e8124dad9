//! Values and gradients against those that Burn's autodiff finds for the same formula.

use super::super::*;
use crate::nn::Random;
use burn::tensor::{Tensor, TensorData};

/// A function of some matrices.
type Formula<'a> = &'a dyn Fn(&[Tensor<2>]) -> Tensor<2>;

/// The value of a formula and the gradient of a weighted sum of it with respect to each input, all flat. The weights are
/// random, so that no gradient is lost in a sum that is always the same.
fn value_and_gradients(inputs: &[Tensor<2>], formula: Formula<'_>) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let leaves: Vec<_> = inputs.iter().map(|x| Tensor::from_inner(x.clone()).require_grad()).collect();
    let y = formula(&leaves);
    let mut random = Random::new(8, 1);
    let weights: Vec<f32> = (0..y.dims()[0] * y.dims()[1]).map(|_| random.normal()).collect();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, y.dims()), &device);
    let gradients = (y.clone() * weights).sum().backward();
    let of_leaves = leaves.iter().map(|leaf| leaf.grad(&gradients).expect("a gradient for every input"));
    std::iter::once(y.inner()).chain(of_leaves).map(|x| x.into_data().iter::<f32>().collect()).collect()
}

/// Checks a formula against another one for random inputs of the given sizes, `deviation` wide. Differences are compared
/// with the largest number of the same tensor: sums of numbers of either sign lose digits where they nearly cancel.
fn same(name: &str, sizes: &[[usize; 2]], deviation: f32, ours: Formula<'_>, plain: Formula<'_>) {
    let mut random = Random::new(7, 0);
    let inputs: Vec<_> = (sizes.iter())
        .map(|[rows, columns]| {
            let values: Vec<f32> = (0..rows * columns).map(|_| deviation * random.normal()).collect();
            Tensor::<2>::from_data(TensorData::new(values, [*rows, *columns]), &Device::flex())
        })
        .collect();
    let (ours, plain) = (value_and_gradients(&inputs, ours), value_and_gradients(&inputs, plain));
    for (i, (ours, plain)) in ours.iter().zip(&plain).enumerate() {
        assert_eq!(ours.len(), plain.len(), "{name} {sizes:?}: tensor {i}");
        let largest = plain.iter().fold(1e-3, |largest: f32, x| largest.max(x.abs()));
        let worst = ours.iter().zip(plain).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs()));
        // Both sides round sums of up to some hundred products of F32, in different orders.
        assert!(worst <= 1e-5 * largest, "{name} {sizes:?}: tensor {i} differs by {worst} of {largest}");
    }
}

#[test]
fn products() {
    if !serve(&Device::flex()) {
        return;
    }
    let row = |bias: &Tensor<2>| bias.clone().reshape([bias.dims()[1]]);
    for [rows, inputs, outputs] in [[1, 1, 1], [1, 37, 45], [5, 37, 45], [12, 64, 33], [13, 300, 70], [301, 20, 290]] {
        let sizes = [[rows, inputs], [outputs, inputs], [1, outputs]];
        same("x Wᵀ", &sizes[..2], 1.0, &|x| product(x[0].clone(), x[1].clone(), None), &|x| {
            x[0].clone().matmul(x[1].clone().transpose())
        });
        same("x Wᵀ + b", &sizes, 1.0, &|x| product(x[0].clone(), x[1].clone(), Some(row(&x[2]))), &|x| {
            x[0].clone().matmul(x[1].clone().transpose()) + x[2].clone()
        });
    }
}

#[test]
fn what_needs_no_gradient_gets_none() {
    let device = Device::flex().autodiff();
    if !serve_learning(&device) {
        return;
    }
    let constant = Tensor::<2>::ones([3, 4], &device);
    let weight = Tensor::<2>::ones([5, 4], &device).require_grad();
    let gradients = product(constant.clone(), weight.clone(), None).sum().backward();
    assert!(constant.grad(&gradients).is_none());
    let of_weight: Vec<f32> = weight.grad(&gradients).unwrap().into_data().iter().collect();
    assert_eq!(of_weight, [3.0; 20]);
}
