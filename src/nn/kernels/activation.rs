//! The activations of gated and plain MLPs and their gradients, in one pass and shared among threads.
#![expect(unsafe_code, reason = "results are written once, not after zeros")]

use super::inner::{self, Level};
use super::output::{CHUNK, written_in_chunks};

/// x · σ(f(x)) with f(x) = slope · x + cubic · x³.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gate {
    pub(super) slope: f32,
    pub(super) cubic: f32,
}

impl Gate {
    /// SiLU: x · σ(x).
    pub(super) const SILU: Self = Self { slope: 1.0, cubic: 0.0 };
    /// GELU by its tanh approximation: f(x) = √(8/π) · (x + 0.044715 x³), since (1 + tanh u) / 2 = σ(2u).
    pub(super) const GELU_TANH: Self = Self { slope: 1.595_769, cubic: 0.044_715 * 1.595_769 };
}

/// The gate of every element.
pub(super) fn gate(level: Level, gate: Gate, x: &[f32]) -> Vec<f32> {
    // SAFETY: each stretch is written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len(), CHUNK, |at, out| {
            inner::gate(level, gate, &x[at..at + out.len()], None, out);
        })
    };
    values
}

/// The gradient of [`gate`] from that of its value.
pub(super) fn gate_gradient(level: Level, gate: Gate, x: &[f32], gradient: &[f32]) -> Vec<f32> {
    // SAFETY: each stretch is written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len(), CHUNK, |at, out| {
            let range = at..at + out.len();
            inner::gate_gradients(level, gate, &x[range.clone()], None, &gradient[range], out, None);
        })
    };
    values
}

/// The gate of the first half of every row times its second half: `[rows][2 · width]` → `[rows][width]`.
pub(super) fn gate_halves(level: Level, gate: Gate, x: &[f32], width: usize) -> Vec<f32> {
    if width == 0 {
        return Vec::new();
    }
    let rows = (CHUNK / width).max(1);
    // SAFETY: each row of a stretch is written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len() / 2, rows * width, |at, out| {
            let x = x[2 * at..2 * (at + out.len())].chunks_exact(2 * width);
            for (x, out) in x.zip(out.chunks_exact_mut(width)) {
                inner::gate(level, gate, &x[..width], Some(&x[width..]), out);
            }
        })
    };
    values
}

/// The gradient of [`gate_halves`] from that of its value.
pub(super) fn gate_halves_gradient(level: Level, gate: Gate, x: &[f32], gradient: &[f32], width: usize) -> Vec<f32> {
    if width == 0 {
        return Vec::new();
    }
    let rows = (CHUNK / width).max(1);
    // SAFETY: both halves of each row of a stretch are written whole.
    let (values, _) = unsafe {
        written_in_chunks(x.len(), rows * 2 * width, |at, out| {
            let gradient = gradient[at / 2..(at + out.len()) / 2].chunks_exact(width);
            let x = x[at..at + out.len()].chunks_exact(2 * width);
            for ((x, gradient), out) in x.zip(gradient).zip(out.chunks_exact_mut(2 * width)) {
                let ((gated, other), (of_gated, of_other)) = (x.split_at(width), out.split_at_mut(width));
                inner::gate_gradients(level, gate, gated, Some(other), gradient, of_gated, Some(of_other));
            }
        })
    };
    values
}
