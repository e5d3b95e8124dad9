//! What softmax takes most time for, sixteen numbers at a time.

use std::arch::x86_64::*;

/// Lanes of a vector.
pub(super) const LANES: usize = 16;

/// All but the first `count` lanes are left out; more count as all.
pub(super) fn first_lanes(count: usize) -> __mmask16 {
    if count >= LANES { u16::MAX } else { (1 << count) - 1 }
}

/// As [`exp8`](super::elementwise::exp8), by the same steps.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn exp16(x: __m512) -> __m512 {
    // Of two operands the second is kept when one is no number, so that NaN stays NaN.
    let x = _mm512_min_ps(_mm512_set1_ps(88.0), _mm512_max_ps(_mm512_set1_ps(-87.0), x));
    let n = _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm512_mul_ps(
        x,
        _mm512_set1_ps(std::f32::consts::LOG2_E),
    ));
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693_359_4), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.121_944_4e-4), r);
    let mut p = _mm512_set1_ps(1.0 / 5040.0);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0 / 720.0));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0 / 120.0));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0 / 24.0));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0 / 6.0));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0));
    let exponent = _mm512_slli_epi32::<23>(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)));
    _mm512_mul_ps(p, _mm512_castsi512_ps(exponent))
}

/// The largest of some numbers, four vectors at a time.
#[target_feature(enable = "avx512f")]
pub(super) fn largest(x: &[f32]) -> f32 {
    let [mut a, mut b, mut c, mut d] = [_mm512_set1_ps(f32::MIN); 4];
    let (at, whole) = (x.as_ptr(), x.len() - x.len() % (4 * LANES));
    let mut i = 0;
    while i < whole {
        // SAFETY: four vectors are left.
        unsafe {
            a = _mm512_max_ps(a, _mm512_loadu_ps(at.add(i)));
            b = _mm512_max_ps(b, _mm512_loadu_ps(at.add(i + LANES)));
            c = _mm512_max_ps(c, _mm512_loadu_ps(at.add(i + 2 * LANES)));
            d = _mm512_max_ps(d, _mm512_loadu_ps(at.add(i + 3 * LANES)));
        }
        i += 4 * LANES;
    }
    while i < x.len() {
        // SAFETY: so many numbers are left; other lanes are not read.
        a = _mm512_max_ps(a, unsafe { _mm512_mask_loadu_ps(a, first_lanes(x.len() - i), at.add(i)) });
        i += LANES;
    }
    _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(a, b), _mm512_max_ps(c, d)))
}

/// Puts e to the power scale · (x − largest) in place of x and adds them up.
#[target_feature(enable = "avx512f")]
pub(super) fn exps(x: &mut [f32], largest: f32, scale: f32) -> f32 {
    let (largest, scale) = (_mm512_set1_ps(largest), _mm512_set1_ps(scale));
    let (at, count) = (x.as_mut_ptr(), x.len());
    let [mut sum, mut other] = [_mm512_setzero_ps(); 2];
    let mut i = 0;
    while i + 2 * LANES <= count {
        // SAFETY: two vectors are left.
        unsafe {
            let (near, far) = (at.add(i), at.add(i + LANES));
            let a = exp16(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(near), largest), scale));
            let b = exp16(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(far), largest), scale));
            _mm512_storeu_ps(near, a);
            _mm512_storeu_ps(far, b);
            sum = _mm512_add_ps(sum, a);
            other = _mm512_add_ps(other, b);
        }
        i += 2 * LANES;
    }
    while i < count {
        let lanes = first_lanes(count - i);
        // SAFETY: so many numbers are left; other lanes are neither read nor written.
        unsafe {
            let v = _mm512_maskz_loadu_ps(lanes, at.add(i));
            let e = exp16(_mm512_mul_ps(_mm512_sub_ps(v, largest), scale));
            _mm512_mask_storeu_ps(at.add(i), lanes, e);
            sum = _mm512_mask_add_ps(sum, lanes, sum, e);
        }
        i += LANES;
    }
    _mm512_reduce_add_ps(_mm512_add_ps(sum, other))
}

/// As [`exps`] with scale 1, leaving x as it is.
#[target_feature(enable = "avx512f")]
pub(super) fn sum_of_exps(x: &[f32], largest: f32) -> f32 {
    let largest = _mm512_set1_ps(largest);
    let at = x.as_ptr();
    let [mut sum, mut other] = [_mm512_setzero_ps(); 2];
    let mut i = 0;
    while i + 2 * LANES <= x.len() {
        // SAFETY: two vectors are left.
        unsafe {
            sum = _mm512_add_ps(sum, exp16(_mm512_sub_ps(_mm512_loadu_ps(at.add(i)), largest)));
            other = _mm512_add_ps(other, exp16(_mm512_sub_ps(_mm512_loadu_ps(at.add(i + LANES)), largest)));
        }
        i += 2 * LANES;
    }
    while i < x.len() {
        let lanes = first_lanes(x.len() - i);
        // SAFETY: so many numbers are left; other lanes are not read.
        let e = exp16(_mm512_sub_ps(unsafe { _mm512_maskz_loadu_ps(lanes, at.add(i)) }, largest));
        sum = _mm512_mask_add_ps(sum, lanes, sum, e);
        i += LANES;
    }
    _mm512_reduce_add_ps(_mm512_add_ps(sum, other))
}

/// Multiplies every number.
#[target_feature(enable = "avx512f")]
pub(super) fn multiply(x: &mut [f32], factor: f32) {
    let factor = _mm512_set1_ps(factor);
    let (at, count) = (x.as_mut_ptr(), x.len());
    let mut i = 0;
    while i < count {
        let lanes = first_lanes(count - i);
        // SAFETY: so many numbers are left; other lanes are neither read nor written.
        unsafe {
            let v = _mm512_maskz_loadu_ps(lanes, at.add(i));
            _mm512_mask_storeu_ps(at.add(i), lanes, _mm512_mul_ps(v, factor));
        }
        i += LANES;
    }
}
