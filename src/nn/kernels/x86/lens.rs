//! What a row of scores says beside another one.

use super::elementwise::exp8;
use super::softmax::largest;
use super::{Level, first_lanes, load_up_to_8, store_up_to_8, sum8};
use std::arch::x86_64::*;

/// With m the largest of x: m, Σ eˣ⁻ᵐ, Σ eˣ⁻ᵐ · (x − m) and Σ p · (y − x). All three are equally long.
pub(in super::super) fn sums_beside(_: Level, x: &[f32], y: &[f32], p: &[f32]) -> [f32; 4] {
    assert!(x.len() == y.len() && x.len() == p.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { sums_beside_256(x, y, p) }
}

/// eˣ⁻ˢ of every number; below e⁻⁸⁷ that. Both are equally long.
pub(in super::super) fn exps_below(_: Level, x: &[f32], shift: f32, out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
    unsafe { exps_below_256(x, shift, out) }
}

/// Σ e to the power scale · (x − shift), for numbers that are not above `shift`; below e⁻⁸⁷ that.
pub(in super::super) fn sum_of_exps(_: Level, x: &[f32], shift: f32, scale: f32) -> f32 {
    // SAFETY: AVX2 is there wherever a level is.
    unsafe { sum_of_exps_256(x, shift, scale) }
}

/// The largest number.
pub(in super::super) fn maximum(_: Level, x: &[f32]) -> f32 {
    // SAFETY: AVX2 is there wherever a level is.
    unsafe { largest(x) }
}

/// How many numbers are larger.
pub(in super::super) fn count_above(_: Level, x: &[f32], value: f32) -> usize {
    // SAFETY: AVX2 is there wherever a level is.
    unsafe { count_above_256(x, value) }
}

/// # Safety
/// All three are equally long.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn sums_beside_256(x: &[f32], y: &[f32], p: &[f32]) -> [f32; 4] {
    let most = largest(x);
    let m = _mm256_set1_ps(most);
    let [mut sum, mut weighted, mut beside] = [_mm256_setzero_ps(); 3];
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left in each. Lanes without one add nothing: e⁻⁸⁷ is lost beside a sum of at least 1, and
        // the others are multiplied by 0.
        unsafe {
            let v = load_up_to_8(x.as_ptr().add(i), count, most);
            let away = _mm256_sub_ps(v, m);
            let e = if count >= 8 { exp8(away) } else { exps_of_first(away, count) };
            sum = _mm256_add_ps(sum, e);
            weighted = _mm256_fmadd_ps(e, away, weighted);
            let further = _mm256_sub_ps(load_up_to_8(y.as_ptr().add(i), count, most), v);
            beside = _mm256_fmadd_ps(load_up_to_8(p.as_ptr().add(i), count, 0.0), further, beside);
        }
        i += 8;
    }
    [most, sum8(sum), sum8(weighted), sum8(beside)]
}

/// The exponentials of the first lanes, 0 in the others.
#[target_feature(enable = "avx2,fma,f16c")]
fn exps_of_first(x: __m256, count: usize) -> __m256 {
    let lanes = _mm256_castsi256_ps(first_lanes(count));
    _mm256_and_ps(exp8(x), lanes)
}

/// # Safety
/// Both are equally long.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn exps_below_256(x: &[f32], shift: f32, out: &mut [f32]) {
    let s = _mm256_set1_ps(shift);
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left in both.
        unsafe {
            let e = exp8(_mm256_sub_ps(load_up_to_8(x.as_ptr().add(i), count, shift), s));
            store_up_to_8(out.as_mut_ptr().add(i), count, e);
        }
        i += 8;
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn sum_of_exps_256(x: &[f32], shift: f32, scale: f32) -> f32 {
    let (s, by) = (_mm256_set1_ps(shift), _mm256_set1_ps(scale));
    let mut sum = _mm256_setzero_ps();
    let mut i = 0;
    while i < x.len() {
        let count = x.len() - i;
        // SAFETY: so many elements are left.
        let v = unsafe { load_up_to_8(x.as_ptr().add(i), count, shift) };
        let away = _mm256_mul_ps(_mm256_sub_ps(v, s), by);
        sum = _mm256_add_ps(sum, if count >= 8 { exp8(away) } else { exps_of_first(away, count) });
        i += 8;
    }
    sum8(sum)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn count_above_256(x: &[f32], value: f32) -> usize {
    let limit = _mm256_set1_ps(value);
    let (mut i, mut count) = (0, 0);
    while i < x.len() {
        // SAFETY: so many elements are left.
        let v = unsafe { load_up_to_8(x.as_ptr().add(i), x.len() - i, f32::MIN) };
        count += _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(v, limit)).count_ones() as usize;
        i += 8;
    }
    count
}
