//! GELU without approximating the error function by tanh, and its gradient.

use super::elementwise::exp8;
use super::gelu_512::gelu_512;
use super::{Level, load_up_to_8, store_up_to_8};
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

/// x · Φ(x) for every element, where Φ is the distribution function of the normal distribution.
pub(in super::super) fn gelu(level: Level, x: &[f32], out: &mut [MaybeUninit<f32>]) {
    assert_eq!(out.len(), x.len());
    // SAFETY: AVX2 is there wherever a level is, and what a level is named after; the lengths are checked above.
    unsafe {
        match level {
            Level::Avx512 => gelu_512(x, out.as_mut_ptr().cast()),
            Level::Avx2 => gelu_256(x, out.as_mut_ptr().cast()),
        }
    }
}

/// # Safety
/// As many elements as `x` has can be written behind `out`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn gelu_256(x: &[f32], out: *mut f32) {
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let v = load_up_to_8(x.as_ptr().add(i), count, 0.0);
            let (far, tail, _) = tail8(v);
            // x · Φ(x) = max(x, 0) − |x| · Φ(−|x|), for either sign of x. Of two operands the second is kept when one is
            // no number, so that NaN stays NaN.
            let positive = _mm256_max_ps(_mm256_setzero_ps(), v);
            store_up_to_8(out.add(i), count, _mm256_fnmadd_ps(far, tail, positive));
        }
        i += 8;
    }
}

/// The gradient of [`gelu`] from that of its value: Φ(x) + x · φ(x), where φ = Φ′.
pub(in super::super) fn gelu_gradient(_: Level, x: &[f32], gradient: &[f32], out: &mut [MaybeUninit<f32>]) {
    assert!(gradient.len() == x.len() && out.len() == x.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { gelu_gradient_256(x, gradient.as_ptr(), out.as_mut_ptr().cast()) };
}

/// # Safety
/// As many elements as `x` has can be read behind `gradient` and written behind `out`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn gelu_gradient_256(x: &[f32], gradient: *const f32, out: *mut f32) {
    /// 1 / √(2π).
    const HEIGHT: f32 = 0.398_942_3;
    let (one, height) = (_mm256_set1_ps(1.0), _mm256_set1_ps(HEIGHT));
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let v = load_up_to_8(x.as_ptr().add(i), count, 0.0);
            let d = load_up_to_8(gradient.add(i), count, 0.0);
            let (far, tail, bell) = tail8(v);
            // Φ(x) is the tail for negative x, and what it leaves of 1 for positive x.
            let share = _mm256_blendv_ps(_mm256_sub_ps(one, tail), tail, v);
            // As far as `far` reaches, it differs from |x| only where the bell is nothing.
            let near = _mm256_or_ps(far, _mm256_and_ps(v, _mm256_set1_ps(-0.0)));
            let slope = _mm256_fmadd_ps(_mm256_mul_ps(near, height), bell, share);
            store_up_to_8(out.add(i), count, _mm256_mul_ps(d, slope));
        }
        i += 8;
    }
}

/// a = min(|x|, 13), Φ(−a) and e^(−a²/2). Beyond 13 the last two are below 10⁻³⁶.
///
/// Φ(−a) = ½ · erfc(a / √2) by the polynomial of Hastings (1955), which Abramowitz and Stegun print as 7.1.26: erfc is
/// within 1.5 · 10⁻⁷, and so x · Φ(x) within 3 · 10⁻⁷ with rounding.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn tail8(x: __m256) -> (__m256, __m256, __m256) {
    let (half, one) = (_mm256_set1_ps(0.5), _mm256_set1_ps(1.0));
    let size = _mm256_andnot_ps(_mm256_set1_ps(-0.0), x);
    let a = _mm256_min_ps(_mm256_set1_ps(13.0), size);
    // 0.327 591 1 / √2, as a is not divided by √2.
    let t = _mm256_div_ps(one, _mm256_fmadd_ps(a, _mm256_set1_ps(0.231_641_9), one));
    let mut p = _mm256_set1_ps(1.061_405_4);
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-1.453_152));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(1.421_413_7));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-0.284_496_74));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.254_829_6));
    let bell = exp8(_mm256_mul_ps(_mm256_mul_ps(a, a), _mm256_set1_ps(-0.5)));
    (a, _mm256_mul_ps(_mm256_mul_ps(half, _mm256_mul_ps(p, t)), bell), bell)
}
