//! Normalisation of a row, and its gradients.

use super::super::norm::Norm;
use super::{Level, load_up_to_8, store_up_to_8, sum8};
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

/// (x − mean) / √(variance + epsilon) · (gain + shift) + bias; of the root mean square kind, the mean counts as 0.
pub(in super::super) fn normalise(
    _: Level,
    norm: Norm,
    x: &[f32],
    gain: &[f32],
    bias: Option<&[f32]>,
    out: &mut [MaybeUninit<f32>],
) {
    assert!(gain.len() == x.len() && bias.is_none_or(|bias| bias.len() == x.len()) && out.len() == x.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { normalise_256(norm, x, gain.as_ptr(), bias.map(<[f32]>::as_ptr), out.as_mut_ptr().cast()) };
}

/// As [`normalise`], of x + y.
pub(in super::super) fn normalised_sum(
    _: Level,
    norm: Norm,
    [x, y]: [&[f32]; 2],
    gain: &[f32],
    bias: &[f32],
    out: &mut [MaybeUninit<f32>],
) {
    assert!(y.len() == x.len() && gain.len() == x.len() && bias.len() == x.len() && out.len() == x.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { normalised_sum_256(norm, x, y.as_ptr(), gain.as_ptr(), bias.as_ptr(), out.as_mut_ptr().cast()) };
}

/// The gradient of [`normalise`] with respect to x, from that of its value; those of gain and bias are added to what stands
/// there.
pub(in super::super) fn normalise_gradients(
    _: Level,
    norm: Norm,
    [x, gain, gradient]: [&[f32]; 3],
    of_x: &mut [MaybeUninit<f32>],
    of_gain: &mut [f32],
    of_bias: &mut [f32],
) {
    let count = x.len();
    assert!(gain.len() == count && gradient.len() == count);
    assert!(of_x.len() == count && of_gain.len() == count && of_bias.len() == count);
    let (gain, gradient, of_gain) = (gain.as_ptr(), gradient.as_ptr(), of_gain.as_mut_ptr());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { gradients_256(norm, x, gain, gradient, of_x.as_mut_ptr().cast(), of_gain, of_bias.as_mut_ptr()) };
}

/// Mean (0 of the root mean square kind) and 1 / √(variance + epsilon).
#[target_feature(enable = "avx2,fma,f16c")]
fn statistics(norm: Norm, x: &[f32]) -> (f32, f32) {
    let mean = if norm.is_centred { total(x) / x.len() as f32 } else { 0.0 };
    let mean8 = _mm256_set1_ps(mean);
    let mut squares = _mm256_setzero_ps();
    let mut i = 0;
    while i < x.len() {
        // SAFETY: so many elements are left. Lanes without one are at the mean.
        let v = _mm256_sub_ps(unsafe { load_up_to_8(x.as_ptr().add(i), x.len() - i, mean) }, mean8);
        squares = _mm256_fmadd_ps(v, v, squares);
        i += 8;
    }
    (mean, (sum8(squares) / x.len() as f32 + norm.epsilon).sqrt().recip())
}

#[target_feature(enable = "avx2,fma,f16c")]
fn total(x: &[f32]) -> f32 {
    let mut sum = _mm256_setzero_ps();
    let mut i = 0;
    while i < x.len() {
        // SAFETY: so many elements are left.
        sum = _mm256_add_ps(sum, unsafe { load_up_to_8(x.as_ptr().add(i), x.len() - i, 0.0) });
        i += 8;
    }
    sum8(sum)
}

/// # Safety
/// As many elements as `x` has can be read behind `gain` and `bias` and written behind `out`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn normalise_256(norm: Norm, x: &[f32], gain: *const f32, bias: Option<*const f32>, out: *mut f32) {
    let (mean, scale) = statistics(norm, x);
    let (mean, scale, shift) = (_mm256_set1_ps(mean), _mm256_set1_ps(scale), _mm256_set1_ps(norm.shift));
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let v = _mm256_mul_ps(_mm256_sub_ps(load_up_to_8(x.as_ptr().add(i), count, 0.0), mean), scale);
            let gain = _mm256_add_ps(load_up_to_8(gain.add(i), count, 0.0), shift);
            let bias = bias.map_or(_mm256_setzero_ps(), |bias| load_up_to_8(bias.add(i), count, 0.0));
            store_up_to_8(out.add(i), count, _mm256_fmadd_ps(v, gain, bias));
        }
        i += 8;
    }
}

/// # Safety
/// As many elements as `x` has can be read behind `y`, `gain` and `bias` and written behind `out`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn normalised_sum_256(norm: Norm, x: &[f32], y: *const f32, gain: *const f32, bias: *const f32, out: *mut f32) {
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let sum = _mm256_add_ps(load_up_to_8(x.as_ptr().add(i), count, 0.0), load_up_to_8(y.add(i), count, 0.0));
            store_up_to_8(out.add(i), count, sum);
        }
        i += 8;
    }
    // SAFETY: all of it is written above.
    let (mean, scale) = statistics(norm, unsafe { std::slice::from_raw_parts(out, x.len()) });
    let (mean, scale, shift) = (_mm256_set1_ps(mean), _mm256_set1_ps(scale), _mm256_set1_ps(norm.shift));
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let v = _mm256_mul_ps(_mm256_sub_ps(load_up_to_8(out.add(i), count, 0.0), mean), scale);
            let gain = _mm256_add_ps(load_up_to_8(gain.add(i), count, 0.0), shift);
            store_up_to_8(out.add(i), count, _mm256_fmadd_ps(v, gain, load_up_to_8(bias.add(i), count, 0.0)));
        }
        i += 8;
    }
}

/// With n the normalised x and a = gradient · (gain + shift): (a − mean(a) − n · mean(a · n)) / √(variance + epsilon) is the
/// gradient of x, without the mean of a of the root mean square kind; gradient · n that of the gain, the gradient that of
/// the bias.
///
/// # Safety
/// As many elements as `x` has can be read behind `gain` and `gradient`, written behind `of_x`, and both behind `of_gain`
/// and `of_bias`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn gradients_256(
    norm: Norm,
    x: &[f32],
    gain: *const f32,
    gradient: *const f32,
    of_x: *mut f32,
    of_gain: *mut f32,
    of_bias: *mut f32,
) {
    let (mean, scale) = statistics(norm, x);
    let (mean, scale, shift) = (_mm256_set1_ps(mean), _mm256_set1_ps(scale), _mm256_set1_ps(norm.shift));
    let (mut sum_a, mut sum_an) = (_mm256_setzero_ps(), _mm256_setzero_ps());
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left. Lanes without one have gradient 0.
        unsafe {
            let n = _mm256_mul_ps(_mm256_sub_ps(load_up_to_8(x.as_ptr().add(i), count, 0.0), mean), scale);
            let d = load_up_to_8(gradient.add(i), count, 0.0);
            let a = _mm256_mul_ps(d, _mm256_add_ps(load_up_to_8(gain.add(i), count, 0.0), shift));
            sum_a = _mm256_add_ps(sum_a, a);
            sum_an = _mm256_fmadd_ps(a, n, sum_an);
            let at = of_gain.add(i);
            store_up_to_8(at, count, _mm256_fmadd_ps(d, n, load_up_to_8(at, count, 0.0)));
            let at = of_bias.add(i);
            store_up_to_8(at, count, _mm256_add_ps(d, load_up_to_8(at, count, 0.0)));
        }
        i += 8;
    }
    let length = x.len() as f32;
    let mean_a = _mm256_set1_ps(if norm.is_centred { sum8(sum_a) / length } else { 0.0 });
    let mean_an = _mm256_set1_ps(sum8(sum_an) / length);
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let n = _mm256_mul_ps(_mm256_sub_ps(load_up_to_8(x.as_ptr().add(i), count, 0.0), mean), scale);
            let gain = _mm256_add_ps(load_up_to_8(gain.add(i), count, 0.0), shift);
            let a = _mm256_fmsub_ps(load_up_to_8(gradient.add(i), count, 0.0), gain, mean_a);
            store_up_to_8(of_x.add(i), count, _mm256_mul_ps(_mm256_fnmadd_ps(n, mean_an, a), scale));
        }
        i += 8;
    }
}
