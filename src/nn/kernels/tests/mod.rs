//! The kernels against what Burn computes.

mod gradients;
mod stored;

use super::*;
use crate::nn::Random;
use burn::tensor::{DType, TensorData};

fn values(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.normal()).collect()
}

fn matrix(values: Vec<f32>, shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// Sizes around every border: one row and several, whole and broken vectors, panels and tiles, shared and not.
const SIZES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [1, 37, 45],
    [1, 512, 300],
    [2, 8, 32],
    [5, 37, 45],
    [12, 64, 33],
    [13, 100, 70],
    [25, 16, 7],
    [64, 96, 130],
];

#[test]
fn equals_burn_for_every_size_and_element_type() {
    if !serve(&Device::flex()) {
        return;
    }
    let mut random = Random::new(3, 0);
    for [rows, inputs, outputs] in SIZES {
        let x = matrix(values(&mut random, rows * inputs), [rows, inputs]);
        let bias = Tensor::<1>::from_data(TensorData::new(values(&mut random, outputs), [outputs]), &Device::flex());
        let weight = matrix(values(&mut random, outputs * inputs), [outputs, inputs]);
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let weight = weight.clone().cast(dtype);
            // Half precision is exact in F32, so both sides multiply the same numbers.
            let plain = x.clone().matmul(weight.clone().cast(DType::F32).transpose());
            let with_bias = plain.clone() + bias.clone().unsqueeze();
            for (ours, expected) in [
                (product(x.clone(), weight.clone(), None), plain),
                (product(x.clone(), weight, Some(bias.clone())), with_bias),
            ] {
                assert_eq!(ours.dims(), [rows, outputs]);
                let difference: f32 = (ours - expected).abs().max().into_scalar();
                assert!(difference < 1e-4, "{rows} × {inputs} × {outputs} in {dtype:?} differs by {difference}");
            }
        }
    }
}

#[test]
fn views_are_read_where_they_lie() {
    if !serve(&Device::flex()) {
        return;
    }
    let mut random = Random::new(4, 0);
    let x = matrix(values(&mut random, 6 * 20), [6, 20]).narrow(0, 2, 3).narrow(1, 4, 9); // [3, 9]
    let weight = matrix(values(&mut random, 9 * 40), [9, 40]).transpose().narrow(0, 5, 30); // [30, 9]
    let expected = x.clone().matmul(weight.clone().transpose());
    let difference: f32 = (product(x, weight, None) - expected).abs().max().into_scalar();
    assert!(difference < 1e-5, "differs by {difference}");
}

#[test]
fn half_precision_is_served_without_gradients_only() {
    let device = Device::flex();
    assert!(serve_learning(&device) == serve(&device) && serve_learning(&device.clone().autodiff()) == serve(&device));
    assert!(!serve(&device.autodiff()));
}

#[test]
fn activations_equal_their_formulas() {
    let device = Device::flex();
    if !serve(&device) {
        return;
    }
    // Far out on both sides, where the exponential ends, and densely between; not a multiple of eight.
    let x: Vec<f32> = (-6001..6002).map(|i| if i % 1000 == 0 { i as f32 } else { i as f32 / 500.0 }).collect();
    let y: Vec<f32> = x.iter().map(|x| 1.0 - x / 7.0).collect();
    let tensor =
        |values: &[f32]| Tensor::<3>::from_data(TensorData::new(values.to_vec(), [1, 1, values.len()]), &device);
    let gelu: Vec<f32> = gelu_tanh(tensor(&x)).into_data().iter().collect();
    let swiglu: Vec<f32> = swiglu(Tensor::cat(vec![tensor(&x), tensor(&y)], 2)).into_data().iter().collect();
    for i in 0..x.len() {
        let (x, y) = (f64::from(x[i]), f64::from(y[i]));
        let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
        for (ours, exact) in [(gelu[i], 0.5 * x * (1.0 + u.tanh())), (swiglu[i], x * y / (1.0 + (-x).exp()))] {
            let allowed = 1e-6 * exact.abs().max(1e-3);
            assert!((f64::from(ours) - exact).abs() < allowed, "at {x}: {ours} is not {exact}");
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn older_processors_get_the_same_products() {
    use super::panel::Element;
    use super::product::{LeftMatrix, RightMatrix, multiply};
    use super::rows::WeightRows;

    fn check<E: Element>(random: &mut Random, in_element: impl Fn(f32) -> E, [rows, depth, columns]: [usize; 3]) {
        let Some(best) = *LEVEL else { return };
        let (left, right) = (values(random, rows * depth), values(random, depth * columns));
        let weights: Vec<E> = right.iter().map(|x| in_element(*x)).collect();
        let weights = WeightRows::of(&weights, [columns, depth]);
        for left in [LeftMatrix::Rows(&left), LeftMatrix::Columns(&left)] {
            for right in [RightMatrix::Rows(&right), RightMatrix::Columns(&weights)] {
                let [ours, newer] =
                    [Level::Avx2, best].map(|level| multiply(level, left, right, None, [rows, depth, columns]));
                let worst = ours.iter().zip(&newer).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs()));
                assert!(worst < 1e-4, "{rows} × {depth} × {columns} differs by {worst}");
            }
        }
    }
    let mut random = Random::new(5, 0);
    for size in [[1, 1, 1], [5, 37, 45], [12, 64, 33], [19, 300, 70]] {
        check(&mut random, |x| x, size);
        check(&mut random, half::f16::from_f32, size);
        check(&mut random, half::bf16::from_f32, size);
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn older_processors_look_at_the_same_keys() {
    use super::keys::{Sizes, Strided, attend};

    let Some(best) = *LEVEL else { return };
    let mut random = Random::new(6, 0);
    let sizes = Sizes { batch: 2, groups: 2, shared_by: 3, queries: 7, keys: 300, width: 40 };
    let q = values(&mut random, 2 * 6 * 7 * 40);
    let [k, v] = [(); 2].map(|()| values(&mut random, 2 * 2 * 300 * 40));
    let bias: Vec<f32> = (0..7 * 300).map(|i| if i % 5 == 0 { f32::MIN } else { 0.0 }).collect();
    let kv = [&k, &v].map(|values| Strided { values, steps: [2 * 300 * 40, 300 * 40, 40] });
    for (cap, bias) in [(None, None), (Some(0.5), None), (None, Some(&bias[..]))] {
        let scores = Scores { scale: 0.2, cap };
        let [ours, newer] = [Level::Avx2, best].map(|level| attend(level, &q, kv, bias, scores, sizes));
        let worst = ours.iter().zip(&newer).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-5, "a cap of {cap:?}: differs by {worst}");
    }
}

#[test]
fn adamw_is_that_of_burn_and_leaves_alone_what_others_hold() {
    use burn::optim::{AdamWConfig, Optimizer};

    let device = Device::flex();
    if !serve(&device) {
        return;
    }
    let mut random = Random::new(6, 0);
    let (rate, decay, betas, epsilon, scale) = (0.02, 0.3, [0.9, 0.95], 1e-8, 0.5);
    let config = AdamWConfig::new().with_beta_1(betas[0]).with_beta_2(betas[1]).with_epsilon(epsilon);
    let burns = config.with_weight_decay(decay as f32).build();
    // A part of a vector; more than one thread takes at a time, and an odd number of them.
    for shape in [[1, 3], [211, 157]] {
        let mut draw = || matrix(values(&mut random, shape[0] * shape[1]), shape);
        let start = draw();
        let before = start.to_data();
        let (mut ours, mut plain) = ([start.clone(), start.zeros_like(), start.zeros_like()], start.clone());
        let mut state = None;
        for step in 1..=3 {
            let gradient = draw();
            let of_gradient = gradient.to_data();
            let rates = Rates::of_update(step, rate, decay, betas, epsilon, scale);
            let [weights, first, second] = ours;
            ours = adamw([weights, gradient.clone(), first, second], rates);
            assert_eq!(gradient.to_data(), of_gradient);
            (plain, state) = burns.step(rate, plain, gradient.mul_scalar(scale), state);
            let momentum = &state.as_ref().expect("a state").momentum;
            let expected = [&plain, &momentum.moment_1, &momentum.moment_2];
            for (ours, expected) in ours.iter().zip(expected) {
                let difference: f32 = (ours.clone() - expected.clone()).abs().max().into_scalar();
                // Weights are a few units wide, and each step rounds them once.
                assert!(difference < 1e-6, "step {step} differs by {difference}");
            }
        }
        assert_eq!(start.to_data(), before);
        let squares: f32 = start.clone().square().sum().into_scalar();
        assert!((sum_of_squares(start) - squares).abs() < 1e-4 * squares);
    }
}
