//! Softmax of a row, its gradient, and the cross-entropy that follows from it.

use super::elementwise::exp8;
use super::softmax_512;
use super::{Level, load_up_to_8, store_up_to_8, sum8};
use std::arch::x86_64::*;

/// softmax(scale · x) of the first `seen` numbers in place, for `scale` > 0; zeros behind them.
pub(in super::super) fn softmax(level: Level, x: &mut [f32], seen: usize, scale: f32) {
    let (seen, behind) = x.split_at_mut(seen);
    // SAFETY: AVX2 is there wherever a level is, and what a level is named after.
    unsafe {
        match level {
            Level::Avx512 => {
                let largest = softmax_512::largest(seen);
                let sum = softmax_512::exps(seen, largest, scale);
                softmax_512::multiply(seen, sum.recip());
            }
            Level::Avx2 => {
                let largest = largest(seen);
                let sum = exps(seen, largest, scale);
                multiply(seen, sum.recip());
            }
        }
        zeros(behind);
    }
}

/// The gradient of softmax over the first `seen` numbers in place of that of its value: p · (d − Σ p · d); zeros behind them.
pub(in super::super) fn softmax_gradient(_: Level, pattern: &[f32], gradient: &mut [f32], seen: usize) {
    let (gradient, behind) = gradient.split_at_mut(seen);
    // SAFETY: AVX2 is there wherever a level is; both are equally long.
    unsafe {
        softmax_gradient_256(&pattern[..seen], gradient);
        zeros(behind);
    }
}

/// Puts e to the power x − largest in place of x, and gives the sum. Parts of a softmax that is taken in parts.
pub(in super::super) fn exps_in_place(level: Level, x: &mut [f32], largest: f32) -> f32 {
    // SAFETY: AVX2 is there wherever a level is, and what a level is named after.
    unsafe {
        match level {
            Level::Avx512 => softmax_512::exps(x, largest, 1.0),
            Level::Avx2 => exps(x, largest, 1.0),
        }
    }
}

/// Multiplies every number.
pub(in super::super) fn scale(level: Level, x: &mut [f32], factor: f32) {
    // SAFETY: AVX2 is there wherever a level is, and what a level is named after.
    unsafe {
        match level {
            Level::Avx512 => softmax_512::multiply(x, factor),
            Level::Avx2 => multiply(x, factor),
        }
    }
}

/// log Σ eˣ.
pub(in super::super) fn log_sum_exp(level: Level, x: &[f32]) -> f32 {
    // SAFETY: AVX2 is there wherever a level is, and what a level is named after.
    let (largest, sum) = unsafe {
        match level {
            Level::Avx512 => {
                let largest = softmax_512::largest(x);
                (largest, softmax_512::sum_of_exps(x, largest))
            }
            Level::Avx2 => {
                let largest = largest(x);
                (largest, sum_of_exps(x, largest))
            }
        }
    };
    sum.ln() + largest
}

/// −log softmax(x)ₜ for target t, and in place of x its gradient times `share`: (softmax(x) − one-hot) · share.
pub(in super::super) fn cross_entropy(_: Level, x: &mut [f32], target: usize, share: f32) -> f32 {
    // SAFETY: AVX2 is there wherever a level is.
    unsafe {
        let largest = largest(x);
        let of_target = x[target] - largest;
        let sum = exps(x, largest, 1.0);
        multiply(x, share / sum);
        x[target] -= share;
        sum.ln() - of_target
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn largest(x: &[f32]) -> f32 {
    let mut largest = _mm256_set1_ps(f32::MIN);
    let mut i = 0;
    while i < x.len() {
        // SAFETY: so many elements are left.
        largest = _mm256_max_ps(largest, unsafe { load_up_to_8(x.as_ptr().add(i), x.len() - i, f32::MIN) });
        i += 8;
    }
    let four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps::<1>(largest));
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

/// Puts e to the power scale · (x − largest) in place of x and adds them up.
#[target_feature(enable = "avx2,fma,f16c")]
fn exps(x: &mut [f32], largest: f32, scale: f32) -> f32 {
    let (largest, scale) = (_mm256_set1_ps(largest), _mm256_set1_ps(scale));
    let mut sum = _mm256_setzero_ps();
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left. Lanes without one add nothing to a sum of at least 1.
        unsafe {
            let at = x.as_mut_ptr().add(i);
            let e = exp8(_mm256_mul_ps(_mm256_sub_ps(load_up_to_8(at, count, f32::NEG_INFINITY), largest), scale));
            sum = _mm256_add_ps(sum, e);
            store_up_to_8(at, count, e);
        }
        i += 8;
    }
    sum8(sum)
}

/// As [`exps`] with scale 1, leaving x as it is.
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_of_exps(x: &[f32], largest: f32) -> f32 {
    let largest = _mm256_set1_ps(largest);
    let mut sum = _mm256_setzero_ps();
    let mut i = 0;
    while i < x.len() {
        // SAFETY: so many elements are left.
        let v = unsafe { load_up_to_8(x.as_ptr().add(i), x.len() - i, f32::NEG_INFINITY) };
        sum = _mm256_add_ps(sum, exp8(_mm256_sub_ps(v, largest)));
        i += 8;
    }
    sum8(sum)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn multiply(x: &mut [f32], factor: f32) {
    let factor = _mm256_set1_ps(factor);
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let at = x.as_mut_ptr().add(i);
            store_up_to_8(at, count, _mm256_mul_ps(load_up_to_8(at, count, 0.0), factor));
        }
        i += 8;
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn zeros(x: &mut [f32]) {
    let mut i = 0;
    while i < x.len() {
        // SAFETY: so many elements are left.
        unsafe { store_up_to_8(x.as_mut_ptr().add(i), x.len() - i, _mm256_setzero_ps()) };
        i += 8;
    }
}

/// # Safety
/// Both are equally long.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn softmax_gradient_256(pattern: &[f32], gradient: &mut [f32]) {
    let (p, d) = (pattern.as_ptr(), gradient.as_mut_ptr());
    let mut sum = _mm256_setzero_ps();
    let mut i = 0;
    while i < pattern.len() {
        let count = pattern.len() - i;
        // SAFETY: so many elements are left on both sides.
        unsafe { sum = _mm256_fmadd_ps(load_up_to_8(p.add(i), count, 0.0), load_up_to_8(d.add(i), count, 0.0), sum) };
        i += 8;
    }
    let sum = _mm256_set1_ps(sum8(sum));
    let mut i = 0;
    while i < pattern.len() {
        let count = pattern.len() - i;
        // SAFETY: so many elements are left on both sides.
        unsafe {
            let centred = _mm256_sub_ps(load_up_to_8(d.add(i), count, 0.0), sum);
            store_up_to_8(d.add(i), count, _mm256_mul_ps(load_up_to_8(p.add(i), count, 0.0), centred));
        }
        i += 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of which some are far below the others, as many as fill whole vectors and as do not.
    fn rows() -> impl Iterator<Item = Vec<f32>> {
        let value = |i: usize| ((i * 37 % 101) as f32 - 70.0) * 0.3 - if i % 29 == 3 { 1e30 } else { 0.0 };
        [1, 3, 8, 15, 16, 17, 32, 33, 63, 64, 65, 130, 700]
            .into_iter()
            .map(move |count| (0..count).map(value).collect())
    }

    #[test]
    fn every_level_gives_the_same() {
        let Some(best) = Level::detect() else { return };
        for x in rows() {
            let largest = x.iter().copied().fold(f32::MIN, f32::max);
            let exact: Vec<f64> = x.iter().map(|x| (f64::from(x - largest) * 0.7).exp()).collect();
            let sum: f64 = exact.iter().sum();
            let plain: f64 = x.iter().map(|x| f64::from(x - largest).exp()).sum();
            for level in [Level::Avx2, best] {
                let mut ours = x.clone();
                ours.push(5.0);
                softmax(level, &mut ours, x.len(), 0.7);
                let worst = ours.iter().zip(&exact).map(|(ours, e)| (f64::from(*ours) - e / sum).abs());
                assert!(worst.fold(0.0, f64::max) < 1e-6, "{level:?}, {} numbers", x.len());
                assert_eq!(ours[x.len()], 0.0, "what is not seen has no share");
                let off = f64::from(log_sum_exp(level, &x)) - (plain.ln() + f64::from(largest));
                assert!(off.abs() < 1e-5, "{level:?}, {} numbers: off by {off}", x.len());
            }
        }
        for level in [Level::Avx2, best] {
            let mut x = vec![0.5; 40];
            x[20] = f32::NAN;
            assert!(log_sum_exp(level, &x).is_nan(), "{level:?}");
            softmax(level, &mut x, 40, 1.0);
            assert!(x.iter().all(|x| x.is_nan()), "{level:?}");
        }
    }
}
