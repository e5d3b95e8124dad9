//! Layers by kernels against the same by tensors: values, gradients, and passes in pieces.

use super::*;
use crate::nn::Random;
use crate::nn::batch::padding::Padding;
use crate::nn::batch::tree::TokenTree;

fn matrix(random: &mut Random, shape: [usize; 2], deviation: f32) -> Tensor<2> {
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| deviation * random.normal()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn layer(cell: RecurrentCell, inputs: usize, units: usize) -> RecurrentLayer {
    let mut random = Random::new(5, 0);
    let rows = cell.gates() * units;
    let mut linear = |columns: usize| {
        let bias = matrix(&mut random, [1, rows], 0.3).reshape([rows]);
        Linear::new(matrix(&mut random, [rows, columns], 0.4), Some(bias))
    };
    RecurrentLayer { input: linear(inputs), recurrent: linear(units) }
}

fn inputs(batch: usize, length: usize, width: usize) -> Tensor<3> {
    matrix(&mut Random::new(6, 0), [batch * length, width], 1.0).reshape([batch, length, width])
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

fn assert_close(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let largest = b.iter().fold(0.1, |largest: f32, x| largest.max(x.abs()));
    let worst = a.iter().zip(b).fold(0.0, |worst: f32, (a, b)| worst.max((a - b).abs()));
    // Both sum products of F32 in orders of their own, over up to 30 steps that each read the last.
    assert!(worst <= 2e-5 * largest, "{what} differs by {worst} of {largest}");
}

const CELLS: [RecurrentCell; 2] = [RecurrentCell::Lstm, RecurrentCell::Tanh];

#[test]
fn the_kernel_gives_what_tensors_give() {
    for cell in CELLS {
        for [batch, length, width, units] in [[1, 1, 3, 5], [1, 7, 4, 40], [3, 5, 6, 8], [16, 9, 8, 33], [29, 4, 5, 16]]
        {
            let (layer, x) = (layer(cell, width, units), inputs(batch, length, width));
            let tokens = Tokens::new([batch, length], 0, None);
            let before = |at: u64| matrix(&mut Random::new(9, at), [batch, units], 0.7);
            let start = || Before { hidden: before(0), cells: (cell == RecurrentCell::Lstm).then(|| before(1)) };
            for start in [None, Some(start())] {
                let ours = layer.values(x.clone(), &tokens, start.clone());
                let plain = kernels::without(|| layer.values(x.clone(), &tokens, start));
                let what = format!("{cell:?} {batch} x {length} x {width}, {units} units");
                assert_close(&numbers(ours.hidden), &numbers(plain.hidden), &what);
                assert_close(&numbers(ours.gates), &numbers(plain.gates), &what);
                let [ours, plain] = [ours.cells, plain.cells].map(|cells| cells.map(numbers).unwrap_or_default());
                assert_close(&ours, &plain, &what);
            }
        }
    }
}

/// Gradients of a weighted sum of h with respect to the input and all that the layer learns.
fn gradients(layer: &RecurrentLayer, x: &Tensor<3>) -> Vec<Vec<f32>> {
    let [batch, length, _] = x.dims();
    let layer = layer.clone().train();
    let x = Tensor::from_inner(x.clone()).require_grad();
    let hidden = layer.hidden(x.clone(), &Tokens::new([batch, length], 0, None));
    let shape = hidden.dims();
    let weights = matrix(&mut Random::new(7, 0), [shape[0] * shape[1], shape[2]], 1.0).reshape(shape);
    let found = (hidden * Tensor::from_inner(weights)).sum().backward();
    let parts = [&layer.input, &layer.recurrent];
    let matrices = parts.map(|linear| numbers(linear.weight.val().grad(&found).expect("a gradient")));
    let biases = parts.map(|linear| numbers(linear.bias.as_ref().unwrap().val().grad(&found).expect("a gradient")));
    matrices.into_iter().chain(biases).chain([numbers(x.grad(&found).expect("a gradient"))]).collect()
}

#[test]
fn gradients_through_all_steps_are_those_of_tensors() {
    if !kernels::serve(&Device::flex()) {
        return;
    }
    for cell in CELLS {
        for [batch, length, width, units] in [[1, 1, 3, 5], [1, 6, 4, 9], [3, 5, 6, 8], [16, 8, 8, 33], [29, 3, 5, 40]]
        {
            let (layer, x) = (layer(cell, width, units), inputs(batch, length, width));
            let ours = gradients(&layer, &x);
            let plain = kernels::without(|| gradients(&layer, &x));
            for (i, (ours, plain)) in ours.iter().zip(&plain).enumerate() {
                assert_close(ours, plain, &format!("{cell:?} {batch} x {length}, {units} units: tensor {i}"));
            }
        }
    }
}

#[test]
fn padding_and_branches_are_read_by_themselves() {
    for cell in CELLS {
        let layer = layer(cell, 4, 6);
        let x = inputs(2, 5, 4);
        let alone = |x: Tensor<3>| {
            let [batch, length, _] = x.dims();
            numbers(layer.values(x, &Tokens::new([batch, length], 0, None), None).hidden)
        };
        // The first sequence is the last three tokens of its row, the second all five.
        let padding = Padding::left(&[3, 5], 5);
        let tokens = Tokens::new([2, 5], 0, Some(Places::Padded(&padding)));
        let padded = numbers(layer.values(x.clone(), &tokens, None).hidden);
        assert_close(&padded[2 * 6..5 * 6], &alone(x.clone().narrow(0, 0, 1).narrow(1, 2, 3)), "behind padding");
        assert_close(&padded[5 * 6..], &alone(x.clone().narrow(0, 1, 1)), "without padding");

        // a – b – c, and d after a.
        let mut tree = TokenTree::new();
        let a = tree.push(None);
        let b = tree.push(Some(a));
        tree.push(Some(b));
        tree.push(Some(a));
        let row = x.narrow(0, 0, 1);
        let tokens = Tokens::new([1, 4], 0, Some(Places::Tree(&tree)));
        let branches = numbers(layer.values(row.clone().narrow(1, 0, 4), &tokens, None).hidden);
        assert_close(&branches[..3 * 6], &alone(row.clone().narrow(1, 0, 3)), "a, b, c");
        let of = |at| row.clone().narrow(1, at, 1);
        assert_close(&branches[3 * 6..], &alone(Tensor::cat(vec![of(0), of(3)], 1))[6..], "d after a");
    }
}
