//! The update of weights.

use super::super::adamw::Rates;
use super::{Level, load_up_to_8, store_up_to_8, sum8};
use std::arch::x86_64::*;

/// One update of some weights: the moments in place, the new weights in place of the gradient.
pub(in super::super) fn adamw(
    _: Level,
    rates: &Rates,
    weights: &[f32],
    gradient: &mut [f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let count = weights.len();
    assert!(gradient.len() == count && first.len() == count && second.len() == count);
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { adamw_256(rates, weights, gradient.as_mut_ptr(), first.as_mut_ptr(), second.as_mut_ptr()) };
}

/// # Safety
/// As many elements as there are weights can be read and written behind the three pointers.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn adamw_256(rates: &Rates, weights: &[f32], gradient: *mut f32, first: *mut f32, second: *mut f32) {
    let all = |x: f32| _mm256_set1_ps(x);
    let (scale, kept) = (all(rates.gradient_scale), all(rates.kept));
    let (beta_1, rest_1) = (all(rates.beta_1), all(1.0 - rates.beta_1));
    let (beta_2, rest_2) = (all(rates.beta_2), all(1.0 - rates.beta_2));
    let (step, whole_2, epsilon) = (all(rates.step), all(rates.whole_2), all(rates.epsilon));
    let mut i = 0;
    while i < weights.len() {
        let count = weights.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let g = _mm256_mul_ps(load_up_to_8(gradient.add(i), count, 0.0), scale);
            let m = _mm256_fmadd_ps(load_up_to_8(first.add(i), count, 0.0), beta_1, _mm256_mul_ps(g, rest_1));
            let g_2 = _mm256_mul_ps(_mm256_mul_ps(g, g), rest_2);
            let v = _mm256_fmadd_ps(load_up_to_8(second.add(i), count, 0.0), beta_2, g_2);
            store_up_to_8(first.add(i), count, m);
            store_up_to_8(second.add(i), count, v);
            let deviation = _mm256_add_ps(_mm256_sqrt_ps(_mm256_div_ps(v, whole_2)), epsilon);
            let change = _mm256_div_ps(_mm256_mul_ps(m, step), deviation);
            let w = load_up_to_8(weights.as_ptr().add(i), count, 0.0);
            store_up_to_8(gradient.add(i), count, _mm256_fmsub_ps(w, kept, change));
        }
        i += 8;
    }
}

/// Σ x², at most some thousand of them: the sum is F32.
pub(in super::super) fn sum_of_squares(_: Level, x: &[f32]) -> f32 {
    // SAFETY: AVX2 is there wherever a level is.
    unsafe { sum_of_squares_256(x) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn sum_of_squares_256(x: &[f32]) -> f32 {
    let [mut a, mut b] = [_mm256_setzero_ps(); 2];
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        unsafe {
            let v = load_up_to_8(x.as_ptr().add(i), count, 0.0);
            a = _mm256_fmadd_ps(v, v, a);
            if count > 8 {
                let v = load_up_to_8(x.as_ptr().add(i + 8), count - 8, 0.0);
                b = _mm256_fmadd_ps(v, v, b);
            }
        }
        i += 16;
    }
    sum8(_mm256_add_ps(a, b))
}
