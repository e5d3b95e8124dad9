//! Normalisation of rows and its gradients, in one pass each and shared among threads.
#![expect(unsafe_code, reason = "results are written once, not after zeros")]

use super::inner::{self, Level};
use super::output::{CHUNK, map_chunks, written_in_chunks};

/// How rows are normalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Norm {
    /// Added to the variance.
    pub(super) epsilon: f32,
    /// Added to the gain.
    pub(super) shift: f32,
    /// True when the mean is taken away: layer normalisation; false for the root mean square alone.
    pub(super) is_centred: bool,
}

/// The gradients of [`normalise`].
pub(super) struct NormGradients {
    /// In the shape of the rows.
    pub(super) of_x: Vec<f32>,
    /// As long as a row.
    pub(super) of_gain: Vec<f32>,
    /// As long as a row.
    pub(super) of_bias: Vec<f32>,
}

/// Every row of `x`, as long as the gain, normalised.
pub(super) fn normalise(level: Level, norm: Norm, x: &[f32], gain: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let width = gain.len().max(1);
    // SAFETY: each row of a stretch is written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len(), rows_at_a_time(width) * width, |at, out| {
            let x = x[at..at + out.len()].chunks_exact(width);
            for (x, out) in x.zip(out.chunks_exact_mut(width)) {
                inner::normalise(level, norm, x, gain, bias, out);
            }
        })
    };
    values
}

/// Every row of x + y, as long as the gain, normalised.
pub(super) fn normalised_sum(level: Level, norm: Norm, [x, y]: [&[f32]; 2], gain: &[f32], bias: &[f32]) -> Vec<f32> {
    let width = gain.len().max(1);
    // SAFETY: each row of a stretch is written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len(), rows_at_a_time(width) * width, |at, out| {
            let rows = x[at..at + out.len()].chunks_exact(width).zip(y[at..].chunks_exact(width));
            for ((x, y), out) in rows.zip(out.chunks_exact_mut(width)) {
                inner::normalised_sum(level, norm, [x, y], gain, bias, out);
            }
        })
    };
    values
}

/// The gradients of [`normalise`] from that of its value. Sums over rows are always made in the same order, so that a run
/// repeats exactly.
pub(super) fn normalise_gradients(
    level: Level,
    norm: Norm,
    x: &[f32],
    gain: &[f32],
    gradient: &[f32],
) -> NormGradients {
    let width = gain.len().max(1);
    let zeros = || vec![0.0; gain.len()];
    // SAFETY: each row of a stretch is written whole.
    let (of_x, parts) = unsafe {
        written_in_chunks(x.len(), rows_at_a_time(width) * width, |at, out| {
            let (mut of_gain, mut of_bias) = (zeros(), zeros());
            let rows = x[at..at + out.len()].chunks_exact(width).zip(gradient[at..].chunks_exact(width));
            for ((x, gradient), out) in rows.zip(out.chunks_exact_mut(width)) {
                inner::normalise_gradients(level, norm, [x, gain, gradient], out, &mut of_gain, &mut of_bias);
            }
            (of_gain, of_bias)
        })
    };
    let (mut of_gain, mut of_bias) = (zeros(), zeros());
    for (more_of_gain, more_of_bias) in &parts {
        inner::add(level, &mut of_gain, more_of_gain);
        inner::add(level, &mut of_bias, more_of_bias);
    }
    NormGradients { of_x, of_gain, of_bias }
}

/// The sum of every column of a matrix `[rows][columns]`, always in the same order.
pub(super) fn column_sums(level: Level, matrix: &[f32], columns: usize) -> Vec<f32> {
    let columns = columns.max(1);
    let parts = map_chunks(matrix, rows_at_a_time(columns) * columns, |rows| {
        let mut sums = vec![0.0; columns];
        rows.chunks_exact(columns).for_each(|row| inner::add(level, &mut sums, row));
        sums
    });
    let mut sums = vec![0.0; columns];
    parts.iter().for_each(|part| inner::add(level, &mut sums, part));
    sums
}

fn rows_at_a_time(width: usize) -> usize {
    (CHUNK / width).max(1)
}
