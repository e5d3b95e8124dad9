//! GELU without approximating the error function by tanh, sixteen numbers at a time.

use super::softmax_512::{LANES, exp16, first_lanes};
use std::arch::x86_64::*;

/// As [`gelu_256`](super::gelu), by the same steps.
///
/// # Safety
/// As many elements as `x` has can be written behind `out`.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn gelu_512(x: &[f32], out: *mut f32) {
    let mut i = 0;
    while i < x.len() {
        let lanes = first_lanes(x.len() - i);
        // SAFETY: so many elements are left; other lanes are neither read nor written.
        unsafe {
            let v = _mm512_maskz_loadu_ps(lanes, x.as_ptr().add(i));
            let (far, tail) = tail16(v);
            // Of two operands the second is kept when one is no number, so that NaN stays NaN.
            let positive = _mm512_max_ps(_mm512_setzero_ps(), v);
            _mm512_mask_storeu_ps(out.add(i), lanes, _mm512_fnmadd_ps(far, tail, positive));
        }
        i += LANES;
    }
}

/// a = min(|x|, 13) and Φ(−a), by the polynomial that `tail8` has.
#[target_feature(enable = "avx512f")]
#[inline]
fn tail16(x: __m512) -> (__m512, __m512) {
    let (half, one) = (_mm512_set1_ps(0.5), _mm512_set1_ps(1.0));
    let a = _mm512_min_ps(_mm512_set1_ps(13.0), _mm512_abs_ps(x));
    let t = _mm512_div_ps(one, _mm512_fmadd_ps(a, _mm512_set1_ps(0.231_641_9), one));
    let mut p = _mm512_set1_ps(1.061_405_4);
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453_152));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421_413_7));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284_496_74));
    p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254_829_6));
    let bell = exp16(_mm512_mul_ps(_mm512_mul_ps(a, a), _mm512_set1_ps(-0.5)));
    (a, _mm512_mul_ps(_mm512_mul_ps(half, _mm512_mul_ps(p, t)), bell))
}

#[cfg(test)]
mod tests {
    use super::super::{Level, gelu};
    use std::mem::MaybeUninit;

    #[test]
    fn sixteen_at_a_time_give_what_eight_give() {
        if Level::detect() != Some(Level::Avx512) {
            return;
        }
        for count in [1, 15, 16, 17, 40, 3_001] {
            let mut x: Vec<f32> = (0..count).map(|i| (i as f32 - 1_500.0) * 0.011).collect();
            x[count / 2] = f32::INFINITY;
            let of = |level| {
                let mut out = vec![MaybeUninit::new(7.0f32); count];
                gelu(level, &x, &mut out);
                out.into_iter().map(|x| unsafe { x.assume_init() }).collect::<Vec<_>>()
            };
            for ((a, b), x) in of(Level::Avx512).into_iter().zip(of(Level::Avx2)).zip(&x) {
                assert!(a == b || (a - b).abs() <= 1e-7 * b.abs().max(1e-3), "{a} is not {b} at {x}");
            }
        }
    }
}
