//! Sums over a row of scores, beside the row it ends in. On values that are on the host, whatever device they come from.

use super::LEVEL;
use super::inner;

/// With m the largest of x: m, Σ eˣ⁻ᵐ, Σ eˣ⁻ᵐ · (x − m) and Σ p · (y − x).
///
/// # Panics
/// When they differ in length.
pub(in crate::nn) fn sums_beside(x: &[f32], y: &[f32], p: &[f32]) -> [f32; 4] {
    assert!(x.len() == y.len() && x.len() == p.len(), "rows of one vocabulary");
    if let Some(level) = *LEVEL {
        return inner::sums_beside(level, x, y, p);
    }
    let most = maximum(x);
    let [mut sum, mut weighted, mut beside] = [0.0; 3];
    for ((x, y), p) in x.iter().zip(y).zip(p) {
        let e = (x - most).exp();
        sum += e;
        weighted += e * (x - most);
        beside += p * (y - x);
    }
    [most, sum, weighted, beside]
}

/// The largest of a row.
pub(in crate::nn) fn maximum(x: &[f32]) -> f32 {
    match *LEVEL {
        Some(level) => inner::maximum(level, x),
        None => x.iter().copied().fold(f32::MIN, f32::max),
    }
}

/// Σ e to the power scale · (x − shift), for numbers that are not above `shift`.
pub(in crate::nn) fn sum_of_exps(x: &[f32], shift: f32, scale: f32) -> f32 {
    match *LEVEL {
        Some(level) => inner::sum_of_exps(level, x, shift, scale),
        None => x.iter().map(|x| ((x - shift) * scale).exp()).sum(),
    }
}

/// How many of a row are larger.
pub(in crate::nn) fn count_above(x: &[f32], value: f32) -> usize {
    match *LEVEL {
        Some(level) => inner::count_above(level, x, value),
        None => x.iter().filter(|x| **x > value).count(),
    }
}

/// ln Σ eˣ.
pub(in crate::nn) fn log_sum_exp(x: &[f32]) -> f32 {
    if let Some(level) = *LEVEL {
        return inner::log_sum_exp(level, x);
    }
    let most = maximum(x);
    x.iter().map(|x| (x - most).exp()).sum::<f32>().ln() + most
}

/// eˣ⁻ˢ of every number.
///
/// # Panics
/// When there is not as much room as there are numbers.
pub(in crate::nn) fn exps_below(x: &[f32], shift: f32, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "room for every number");
    match *LEVEL {
        Some(level) => inner::exps_below(level, x, shift, out),
        None => x.iter().zip(out).for_each(|(x, out)| *out = (x - shift).exp()),
    }
}
