//! AdamW (Loshchilov and Hutter 2019) in one pass over weights, gradient and both moments.

use super::inner::{self, Level};
use super::output::{CHUNK, for_each_chunk, map_chunks};

/// What an update is made with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Multiplies the gradient before anything else: clipping.
    pub gradient_scale: f32,
    /// Share of the first moment that stays.
    pub beta_1: f32,
    /// Share of the second moment that stays.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Share of a weight that decay leaves.
    pub kept: f32,
    /// Learning rate over 1 − β₁ᵗ, the share of the first moment that t updates have filled.
    pub step: f32,
    /// 1 − β₂ᵗ.
    pub whole_2: f32,
}

impl Rates {
    /// Of update t, counted from 1, with decoupled weight decay.
    #[must_use]
    pub fn of_update(
        t: usize,
        learning_rate: f64,
        weight_decay: f64,
        [beta_1, beta_2]: [f32; 2],
        epsilon: f32,
        gradient_scale: f32,
    ) -> Self {
        let filled = |beta: f32| 1.0 - f64::from(beta).powi(t as i32);
        Self {
            gradient_scale,
            beta_1,
            beta_2,
            epsilon,
            kept: (1.0 - learning_rate * weight_decay) as f32,
            step: (learning_rate / filled(beta_1)) as f32,
            whole_2: filled(beta_2) as f32,
        }
    }
}

/// Updates both moments in place and puts the new weights in place of the gradient.
pub(super) fn adamw(
    level: Level,
    rates: &Rates,
    weights: &[f32],
    gradient: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let count = weights.len();
    assert!(gradient.len() == count && first.len() == count && second.len() == count);
    if count <= CHUNK {
        return inner::adamw(level, rates, weights, gradient, first, second);
    }
    for_each_chunk([gradient, first, second], CHUNK, |i, [gradient, first, second]| {
        let weights = &weights[i * CHUNK..i * CHUNK + gradient.len()];
        inner::adamw(level, rates, weights, gradient, first, second);
    });
}

/// Σ x², always added in the same order.
pub(super) fn sum_of_squares(level: Level, x: &[f32]) -> f32 {
    let parts = map_chunks(x, CHUNK, |x| inner::sum_of_squares(level, x));
    parts.into_iter().map(f64::from).sum::<f64>() as f32
}
