//! Functions of single values: activations and their gradients, rotations, the exponential.

use super::super::activation::Gate;
use super::{Level, load_up_to_8, store_up_to_8};
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

/// x · σ(f(x)) · y for every element, where f(x) = slope · x + cubic · x³ as the gate says; without `y`, x · σ(f(x)).
pub(in super::super) fn gate(_: Level, gate: Gate, x: &[f32], y: Option<&[f32]>, out: &mut [MaybeUninit<f32>]) {
    assert!(y.is_none_or(|y| y.len() == x.len()) && out.len() == x.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { gate_256(gate, x, y.map(<[f32]>::as_ptr), out.as_mut_ptr().cast()) };
}

/// # Safety
/// As many elements as `x` has can be read behind `y` and written behind `out`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn gate_256(gate: Gate, x: &[f32], y: Option<*const f32>, out: *mut f32) {
    let (slope, cubic) = (_mm256_set1_ps(gate.slope), _mm256_set1_ps(gate.cubic));
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let v = load_up_to_8(x.as_ptr().add(i), count, 0.0);
            let f = _mm256_mul_ps(_mm256_fmadd_ps(cubic, _mm256_mul_ps(v, v), slope), v);
            let mut gated = _mm256_mul_ps(v, sigmoid8(f));
            if let Some(y) = y {
                gated = _mm256_mul_ps(gated, load_up_to_8(y.add(i), count, 0.0));
            }
            store_up_to_8(out.add(i), count, gated);
        }
        i += 8;
    }
}

/// The gradients of [`gate`] with respect to x and y, from that of its value: σ(f) + x · σ(f) · (1 − σ(f)) · f′(x), times y,
/// and x · σ(f). Both outputs are there or not as `y` is.
pub(in super::super) fn gate_gradients(
    _: Level,
    gate: Gate,
    x: &[f32],
    y: Option<&[f32]>,
    gradient: &[f32],
    of_x: &mut [MaybeUninit<f32>],
    of_y: Option<&mut [MaybeUninit<f32>]>,
) {
    let count = x.len();
    assert!(gradient.len() == count && of_x.len() == count && y.is_some() == of_y.is_some());
    assert!(y.is_none_or(|y| y.len() == count) && of_y.as_deref().is_none_or(|of_y| of_y.len() == count));
    let y = y.zip(of_y).map(|(y, of_y)| (y.as_ptr(), of_y.as_mut_ptr().cast::<f32>()));
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { gate_gradients_256(gate, x, y, gradient.as_ptr(), of_x.as_mut_ptr().cast()) };
}

/// # Safety
/// As many elements as `x` has can be read behind `gradient` and the first of `y`, and written behind `of_x` and the second
/// of `y`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn gate_gradients_256(
    gate: Gate,
    x: &[f32],
    y: Option<(*const f32, *mut f32)>,
    gradient: *const f32,
    of_x: *mut f32,
) {
    let (slope, cubic, one) = (_mm256_set1_ps(gate.slope), _mm256_set1_ps(gate.cubic), _mm256_set1_ps(1.0));
    let cubic_3 = _mm256_mul_ps(cubic, _mm256_set1_ps(3.0));
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let v = load_up_to_8(x.as_ptr().add(i), count, 0.0);
            let mut d = load_up_to_8(gradient.add(i), count, 0.0);
            let square = _mm256_mul_ps(v, v);
            let share = sigmoid8(_mm256_mul_ps(_mm256_fmadd_ps(cubic, square, slope), v));
            if let Some((y, of_y)) = y {
                store_up_to_8(of_y.add(i), count, _mm256_mul_ps(d, _mm256_mul_ps(v, share)));
                d = _mm256_mul_ps(d, load_up_to_8(y.add(i), count, 0.0));
            }
            let steep = _mm256_mul_ps(v, _mm256_fmadd_ps(cubic_3, square, slope)); // x · f′(x)
            let rest = _mm256_fmadd_ps(steep, _mm256_sub_ps(one, share), one);
            store_up_to_8(of_x.add(i), count, _mm256_mul_ps(d, _mm256_mul_ps(share, rest)));
        }
        i += 8;
    }
}

/// Rotates the pairs (i, i + R/2) of the first R values of `x` by the angles whose R/2 cosines and sines are given, and
/// multiplies all values by `scale`. With `sign` −1 it rotates back.
pub(in super::super) fn rotate(_: Level, x: &mut [f32], cosines: &[f32], sines: &[f32], sign: f32, scale: f32) {
    assert!(sines.len() == cosines.len() && 2 * cosines.len() <= x.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { rotate_256(x, cosines, sines.as_ptr(), sign, scale) };
}

/// # Safety
/// There are as many sines as cosines, and `x` has at least twice as many elements.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn rotate_256(x: &mut [f32], cosines: &[f32], sines: *const f32, sign: f32, scale: f32) {
    let half = cosines.len();
    let (scale8, signed) = (_mm256_set1_ps(scale), _mm256_set1_ps(scale * sign));
    let at = x.as_mut_ptr();
    let mut i = 0;
    while i < half {
        let count = half - i;
        // SAFETY: so many pairs are left.
        unsafe {
            let cosine = _mm256_mul_ps(load_up_to_8(cosines.as_ptr().add(i), count, 0.0), scale8);
            let sine = _mm256_mul_ps(load_up_to_8(sines.add(i), count, 0.0), signed);
            let (a, b) = (load_up_to_8(at.add(i), count, 0.0), load_up_to_8(at.add(half + i), count, 0.0));
            store_up_to_8(at.add(i), count, _mm256_fmsub_ps(a, cosine, _mm256_mul_ps(b, sine)));
            store_up_to_8(at.add(half + i), count, _mm256_fmadd_ps(b, cosine, _mm256_mul_ps(a, sine)));
        }
        i += 8;
    }
    let mut i = 2 * half;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe { store_up_to_8(at.add(i), count, _mm256_mul_ps(load_up_to_8(at.add(i), count, 0.0), scale8)) };
        i += 8;
    }
}

/// x + y, in place of x.
pub(in super::super) fn add(_: Level, x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { add_256(x, y.as_ptr()) };
}

/// # Safety
/// As many elements as `x` has can be read behind `y`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn add_256(x: &mut [f32], y: *const f32) {
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let at = x.as_mut_ptr().add(i);
            let sum = _mm256_add_ps(load_up_to_8(at, count, 0.0), load_up_to_8(y.add(i), count, 0.0));
            store_up_to_8(at, count, sum);
        }
        i += 8;
    }
}

/// σ(x) = 1 / (1 + e⁻ˣ).
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(super) fn sigmoid8(x: __m256) -> __m256 {
    let one = _mm256_set1_ps(1.0);
    _mm256_div_ps(one, _mm256_add_ps(one, exp8(_mm256_sub_ps(_mm256_setzero_ps(), x))))
}

/// eˣ within two units in the last place for −87 ≤ x ≤ 88; outside, the value at the border; NaN for NaN. 2ⁿ · eʳ with |r| ≤ ln 2 / 2,
/// where eʳ is its Taylor series up to r⁷ / 7! (the rest is below 10⁻⁸).
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
pub(super) fn exp8(x: __m256) -> __m256 {
    // Of two operands the second is kept when one is no number, so that NaN stays NaN.
    let x = _mm256_min_ps(_mm256_set1_ps(88.0), _mm256_max_ps(_mm256_set1_ps(-87.0), x));
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
