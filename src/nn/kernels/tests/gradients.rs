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
        let largest = plain.iter().fold(0.1, |largest: f32, x| largest.max(x.abs()));
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

#[test]
fn activations() {
    if !serve(&Device::flex()) {
        return;
    }
    for [rows, columns] in [[1, 1], [3, 7], [5, 24], [130, 141]] {
        let sigmoid = burn::tensor::activation::sigmoid::<2>;
        let gelu = |x: Tensor<2>| {
            let slope = x.clone().square().mul_scalar(0.044_715 * 1.595_769_1).add_scalar(1.595_769_1);
            x.clone() * sigmoid(x * slope)
        };
        same("GELU", &[[rows, columns]], 2.0, &|x| gelu_tanh(x[0].clone().unsqueeze()).squeeze_dim(0), &|x| {
            gelu(x[0].clone())
        });
        let halves = |x: &Tensor<2>| (x.clone().narrow(1, 0, columns), x.clone().narrow(1, columns, columns));
        let two = &[[rows, 2 * columns]];
        same("SiLU gate", two, 2.0, &|x| swiglu(x[0].clone().unsqueeze()).squeeze_dim(0), &|x| {
            let (gate, up) = halves(&x[0]);
            gate.clone() * sigmoid(gate) * up
        });
        same("GELU gate", two, 2.0, &|x| geglu(x[0].clone().unsqueeze()).squeeze_dim(0), &|x| {
            let (gate, up) = halves(&x[0]);
            gelu(gate) * up
        });
    }
}

#[test]
fn norms() {
    if !serve(&Device::flex()) {
        return;
    }
    let flat = |x: &Tensor<2>| x.clone().reshape([x.dims()[1]]);
    for [rows, width] in [[1, 1], [3, 7], [5, 24], [200, 141]] {
        let sizes = [[rows, width], [1, width], [1, width]];
        for shift in [0.0, 1.0] {
            same("RMSNorm", &sizes[..2], 1.5, &|x| rms_norm(x[0].clone(), flat(&x[1]), 1e-3, shift), &|x| {
                let mean_square = x[0].clone().square().mean_dim(1);
                x[0].clone() / mean_square.add_scalar(1e-3).sqrt() * x[1].clone().add_scalar(shift)
            });
        }
        same(
            "LayerNorm",
            &sizes,
            1.5,
            &|x| layer_norm(x[0].clone().unsqueeze(), flat(&x[1]), flat(&x[2]), 1e-3).squeeze_dim(0),
            &|x| {
                let centred = x[0].clone() - x[0].clone().mean_dim(1);
                let variance = centred.clone().square().mean_dim(1);
                centred / variance.add_scalar(1e-3).sqrt() * x[1].clone() + x[2].clone()
            },
        );
    }
}

/// Attention from the same projection, step by step.
fn plain_attention(
    qkv: Tensor<3>,
    rotation: Option<&[Tensor<4>; 2]>,
    [heads, groups, width]: [usize; 3],
    is_interleaved: bool,
) -> Tensor<3> {
    let [b, t, _] = qkv.dims();
    let [q, k, v] = if is_interleaved {
        let qkv = qkv.reshape([b, t, heads, 3 * width]).swap_dims(1, 2);
        [0, 1, 2].map(|part| qkv.clone().narrow(3, part * width, width))
    } else {
        let qkv = qkv.reshape([b, t, heads + 2 * groups, width]).swap_dims(1, 2);
        [(0, heads), (heads, groups), (heads + groups, groups)].map(|(first, n)| qkv.clone().narrow(1, first, n))
    };
    let rotate = |x: Tensor<4>| match rotation {
        Some([cosines, sines]) => {
            let half = cosines.dims()[3];
            let (a, b) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
            let rotated =
                [a.clone() * cosines.clone() - b.clone() * sines.clone(), b * cosines.clone() + a * sines.clone()];
            let mut parts = rotated.to_vec();
            if 2 * half < width {
                parts.push(x.narrow(3, 2 * half, width - 2 * half));
            }
            Tensor::cat(parts, 3)
        }
        None => x,
    };
    let share = |x: Tensor<4>| -> Tensor<4> {
        let copies: Vec<_> = (0..heads).map(|head| x.clone().narrow(1, head * groups / heads, 1)).collect();
        Tensor::cat(copies, 1)
    };
    let (q, k, v) = (rotate(q), share(rotate(k)), share(v));
    let scores = q.matmul(k.swap_dims(2, 3)).mul_scalar((width as f64).sqrt().recip());
    let hidden = Tensor::<2, burn::tensor::Bool>::tril_mask([t, t], 0, &scores.device());
    let scores = scores.mask_fill(hidden.unsqueeze::<4>().expand([b, heads, t, t]), f32::MIN);
    let z = burn::tensor::activation::softmax(scores, 3).matmul(v);
    z.swap_dims(1, 2).reshape([b, t, heads * width])
}

#[test]
fn attention() {
    let device = Device::flex();
    if !serve(&device) {
        return;
    }
    // Batches, tokens, heads, groups, width, rotary half: one token, part of a panel and of a tile, several blocks.
    let sizes = [
        [1, 1, 1, 1, 2, 1],
        [2, 5, 2, 1, 6, 2],
        [1, 33, 4, 2, 8, 4],
        [2, 12, 3, 3, 32, 16],
        [1, 131, 2, 1, 16, 0],
        [1, 230, 2, 2, 40, 10],
    ];
    for [b, t, heads, groups, width, half] in sizes {
        let mut random = Random::new(9, 0);
        let angles: Vec<f32> = (0..t * half).map(|_| random.normal()).collect();
        let rotation = (half > 0).then(|| {
            [f32::cos, f32::sin].map(|f| {
                let values: Vec<f32> = angles.iter().copied().map(f).collect();
                Tensor::<4>::from_data(TensorData::new(values, [1, 1, t, half]), &device.clone().autodiff())
            })
        });
        let mut ways = vec![(Heads::packed(heads, groups, width), false)];
        if heads == groups {
            ways.push((Heads::interleaved(heads, width), true));
        }
        let row = (heads + 2 * groups) * width;
        for (layout, is_interleaved) in ways {
            same(
                "attention",
                &[[b * t, row]],
                1.0,
                &|x| {
                    let z = attend(x[0].clone().reshape([b, t, row]), rotation.clone(), layout);
                    z.reshape([b * t, heads * width])
                },
                &|x| {
                    let qkv = x[0].clone().reshape([b, t, row]);
                    let z = plain_attention(qkv, rotation.as_ref(), [heads, groups, width], is_interleaved);
                    z.reshape([b * t, heads * width])
                },
            );
        }
    }
}

#[test]
fn cross_entropies() {
    let device = Device::flex().autodiff();
    if !serve_learning(&device) {
        return;
    }
    for [rows, classes] in [[1, 2], [5, 7], [33, 300]] {
        let targets: Vec<i32> = (0..rows).map(|row| (row * 7 % classes) as i32).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [rows]), &device);
        // Half of it, so that the gradient that comes in is not 1.
        let ours = |x: &[Tensor<2>]| cross_entropy(x[0].clone(), targets.clone()).mul_scalar(0.5).unsqueeze();
        same("cross-entropy", &[[rows, classes]], 3.0, &ours, &|x| {
            let logs = burn::tensor::activation::log_softmax(x[0].clone(), 1);
            logs.gather(1, targets.clone().unsqueeze_dim(1)).mean().mul_scalar(-0.5).unsqueeze()
        });
        let scores = Tensor::<2>::ones([rows, classes], &device).inner();
        let plain: f32 = cross_entropy(scores, targets.clone().inner()).into_scalar();
        assert!((plain - (classes as f32).ln()).abs() < 1e-6, "{plain} without a gradient");
    }
}

#[test]
fn a_score_that_is_no_number_makes_the_loss_none() {
    let device = Device::flex();
    if !serve(&device) {
        return;
    }
    for place in [0, 3, 8, 12] {
        let mut scores = vec![1.0; 13];
        scores[place] = f32::NAN;
        let scores = Tensor::<2>::from_data(TensorData::new(scores, [1, 13]), &device);
        let target = Tensor::<1, Int>::from_data([5], &device);
        assert!(cross_entropy(scores.clone(), target.clone()).into_scalar::<f32>().is_nan(), "at {place}");
        let scores = Tensor::from_inner(scores).require_grad();
        assert!(cross_entropy(scores, target).into_scalar::<f32>().is_nan(), "at {place}, with a gradient");
    }
}
