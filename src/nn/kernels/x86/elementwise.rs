//! Functions of single values and of rows: activations, softmax, the exponential they need.

use super::{Level, sum8};
use std::arch::x86_64::*;

/// x · σ(f(x)) · y for every element, in place of x, where f(x) = slope · x + cubic · x³; without `y`, x · σ(f(x)).
pub(in super::super) fn gate(_: Level, x: &mut [f32], y: Option<&[f32]>, slope: f32, cubic: f32) {
    assert!(y.is_none_or(|y| y.len() == x.len()));
    let whole = x.len() - x.len() % 8;
    // SAFETY: AVX2 is there wherever a level is; `whole` is at most the length of both.
    unsafe { gate_256(x.as_mut_ptr(), y.map(<[f32]>::as_ptr), whole, slope, cubic) };
    for i in whole..x.len() {
        let f = (slope + cubic * x[i] * x[i]) * x[i];
        x[i] *= y.map_or(1.0, |y| y[i]) / (1.0 + (-f).exp());
    }
}

/// # Safety
/// `whole` elements, a multiple of 8, can be read and written behind `x` and read behind `y`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn gate_256(x: *mut f32, y: Option<*const f32>, whole: usize, slope: f32, cubic: f32) {
    let (slope, cubic, one) = (_mm256_set1_ps(slope), _mm256_set1_ps(cubic), _mm256_set1_ps(1.0));
    let mut i = 0;
    while i < whole {
        // SAFETY: i + 8 ≤ whole.
        unsafe {
            let v = _mm256_loadu_ps(x.add(i));
            let f = _mm256_mul_ps(_mm256_fmadd_ps(cubic, _mm256_mul_ps(v, v), slope), v);
            let e = exp8(_mm256_sub_ps(_mm256_setzero_ps(), f));
            let mut out = _mm256_div_ps(v, _mm256_add_ps(one, e));
            if let Some(y) = y {
                out = _mm256_mul_ps(out, _mm256_loadu_ps(y.add(i)));
            }
            _mm256_storeu_ps(x.add(i), out);
        }
        i += 8;
    }
}

/// x + y, in place of x.
pub(in super::super) fn add(_: Level, x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len());
    let whole = x.len() - x.len() % 8;
    // SAFETY: AVX2 is there wherever a level is; `whole` is at most the length of both.
    unsafe { add_256(x.as_mut_ptr(), y.as_ptr(), whole) };
    for i in whole..x.len() {
        x[i] += y[i];
    }
}

/// # Safety
/// `whole` elements, a multiple of 8, can be read and written behind `x` and read behind `y`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_256(x: *mut f32, y: *const f32, whole: usize) {
    let mut i = 0;
    while i < whole {
        // SAFETY: i + 8 ≤ whole.
        unsafe { _mm256_storeu_ps(x.add(i), _mm256_add_ps(_mm256_loadu_ps(x.add(i)), _mm256_loadu_ps(y.add(i)))) };
        i += 8;
    }
}

/// softmax(scale · x) in place, for `scale` > 0.
pub(in super::super) fn softmax(_: Level, x: &mut [f32], scale: f32) {
    if x.is_empty() {
        return;
    }
    // SAFETY: AVX2 is there wherever a level is.
    unsafe { softmax_256(x, scale) };
}

/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn softmax_256(x: &mut [f32], scale: f32) {
    let whole = x.len() - x.len() % 8;
    let at = x.as_mut_ptr();
    let mut largest8 = _mm256_set1_ps(f32::MIN);
    let mut i = 0;
    while i < whole {
        // SAFETY: i + 8 ≤ whole.
        largest8 = _mm256_max_ps(largest8, unsafe { _mm256_loadu_ps(at.add(i)) });
        i += 8;
    }
    let four = _mm_max_ps(_mm256_castps256_ps128(largest8), _mm256_extractf128_ps::<1>(largest8));
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    let mut largest = _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)));
    while i < x.len() {
        largest = largest.max(x[i]);
        i += 1;
    }
    let (scale8, largest8) = (_mm256_set1_ps(scale), _mm256_set1_ps(largest));
    let mut sum8s = _mm256_setzero_ps();
    i = 0;
    while i < whole {
        // SAFETY: i + 8 ≤ whole.
        unsafe {
            let e = exp8(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(at.add(i)), largest8), scale8));
            sum8s = _mm256_add_ps(sum8s, e);
            _mm256_storeu_ps(at.add(i), e);
        }
        i += 8;
    }
    let mut sum = sum8(sum8s);
    while i < x.len() {
        x[i] = ((x[i] - largest) * scale).exp();
        sum += x[i];
        i += 1;
    }
    let share = _mm256_set1_ps(sum.recip());
    i = 0;
    while i < whole {
        // SAFETY: i + 8 ≤ whole.
        unsafe { _mm256_storeu_ps(at.add(i), _mm256_mul_ps(_mm256_loadu_ps(at.add(i)), share)) };
        i += 8;
    }
    while i < x.len() {
        x[i] *= sum.recip();
        i += 1;
    }
}

/// eˣ within two units in the last place for −87 ≤ x ≤ 88; outside, the value at the border. 2ⁿ · eʳ with |r| ≤ ln 2 / 2,
/// where eʳ is its Taylor series up to r⁷ / 7! (the rest is below 10⁻⁸).
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn exp8(x: __m256) -> __m256 {
    let x = _mm256_min_ps(_mm256_max_ps(x, _mm256_set1_ps(-87.0)), _mm256_set1_ps(88.0));
    let n = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm256_mul_ps(
        x,
        _mm256_set1_ps(std::f32::consts::LOG2_E),
    ));
    // ln 2 in two parts: the first has so few bits that n times it is exact.
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693_359_4), x);
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.121_944_4e-4), r);
    let mut p = _mm256_set1_ps(1.0 / 5040.0);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0 / 720.0));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0 / 120.0));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0 / 24.0));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0 / 6.0));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0));
    let exponent = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)));
    _mm256_mul_ps(p, _mm256_castsi256_ps(exponent))
}
