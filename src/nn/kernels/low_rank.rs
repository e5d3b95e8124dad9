//! Products of low rank, added to some columns of a matrix.

use super::extension::{dims, into_values, tensor, values, weight_rows};
use super::inner::Level;
use super::output::for_each_chunk;
use super::product::{LeftMatrix, RightMatrix, multiply};
use burn::backend::flex::FlexTensor;

/// Where a product is added, and by how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The first column.
    pub(super) first: usize,
    /// What the product is multiplied with.
    pub(super) factor: f32,
}

/// Rows that a thread takes at a time.
const ROWS: usize = 32;

/// y + factor · u Bᵀ: `y` `[rows, out]`, `u` `[rows, R]`, `b` `[columns, R]`.
pub(super) fn add(level: Level, y: FlexTensor, u: &FlexTensor, b: &FlexTensor, place: Place) -> FlexTensor {
    let ([rows, outputs], [of_u, rank], [columns, of_b]) = (dims::<2>(&y), dims::<2>(u), dims::<2>(b));
    let Place { first, factor } = place;
    assert!(of_u == rows && of_b == rank && first + columns <= outputs, "a product for these columns");
    let weight = weight_rows(b);
    let (left, right) = (LeftMatrix::Rows(values(u)), RightMatrix::Columns(&weight));
    let product = multiply(level, left, right, None, [rows, rank, columns]);
    let mut sums = into_values(y);
    for_each_chunk([&mut sums], ROWS * outputs.max(1), |i, [sums]| {
        let product = product[i * ROWS * columns..].chunks_exact(columns.max(1));
        for (y, product) in sums.chunks_exact_mut(outputs).zip(product) {
            y[first..first + columns].iter_mut().zip(product).for_each(|(y, product)| *y += factor * product);
        }
    });
    tensor(sums, [rows, outputs])
}

/// The gradients of `u` and `b`: du = factor · dy B, dB = factor · dyᵀ u, of the columns alone.
pub(super) fn gradients(
    level: Level,
    dy: &FlexTensor,
    u: &FlexTensor,
    b: &FlexTensor,
    place: Place,
    [of_u, of_b]: [bool; 2],
) -> [Option<FlexTensor>; 2] {
    let ([rows, outputs], [_, rank], [columns, _]) = (dims::<2>(dy), dims::<2>(u), dims::<2>(b));
    let Place { first, factor } = place;
    let (all, mut part) = (values(dy), vec![0.0; rows * columns]);
    for_each_chunk([&mut part], ROWS * columns.max(1), |i, [part]| {
        for (to, from) in part.chunks_exact_mut(columns).zip(all[i * ROWS * outputs..].chunks_exact(outputs)) {
            to.iter_mut().zip(&from[first..first + columns]).for_each(|(to, dy)| *to = factor * dy);
        }
    });
    let du = of_u.then(|| {
        let (left, right) = (LeftMatrix::Rows(&part), RightMatrix::Rows(values(b)));
        tensor(multiply(level, left, right, None, [rows, columns, rank]), [rows, rank])
    });
    let db = of_b.then(|| {
        let (left, right) = (LeftMatrix::Columns(&part), RightMatrix::Rows(values(u)));
        tensor(multiply(level, left, right, None, [columns, rows, rank]), [columns, rank])
    });
    [du, db]
}
