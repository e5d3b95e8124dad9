//! One query against the keys and values that are remembered.

use super::{Level, sum8};
use std::arch::x86_64::*;

/// q · k of every key, `keys` `[n][K]` → `[n]`.
pub(in super::super) fn scores_of_query(level: Level, query: &[f32], keys: &[f32], out: &mut [f32]) {
    let width = query.len();
    assert_eq!(keys.len(), out.len() * width);
    let whole = match level {
        Level::Avx512 => width - width % 16,
        Level::Avx2 => width - width % 8,
    };
    // SAFETY: a level exists only where the processor has its instructions; the lengths are checked above.
    unsafe {
        match level {
            Level::Avx512 => scores_512(query.as_ptr(), keys.as_ptr(), width, whole, out),
            Level::Avx2 => scores_256(query.as_ptr(), keys.as_ptr(), width, whole, out),
        }
    }
    if whole < width {
        for (key, out) in keys.chunks_exact(width).zip(out) {
            *out += query[whole..].iter().zip(&key[whole..]).map(|(q, k)| q * k).sum::<f32>();
        }
    }
}

/// Σ pₛ · vₛ, `values` `[n][K]` → `[K]`.
pub(in super::super) fn weighted_sum(level: Level, weights: &[f32], values: &[f32], out: &mut [f32]) {
    let width = out.len();
    assert_eq!(values.len(), weights.len() * width);
    // SAFETY: a level exists only where the processor has its instructions; the lengths are checked above.
    unsafe {
        match level {
            Level::Avx512 => weighted_512(weights, values.as_ptr(), width, out),
            Level::Avx2 => weighted_256(weights, values.as_ptr(), width, out),
        }
    }
}

/// # Safety
/// `query` has `width` numbers and `keys` as many for each of `out`; `whole` is a multiple of 16 and at most `width`.
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
unsafe fn scores_512(query: *const f32, keys: *const f32, width: usize, whole: usize, out: &mut [f32]) {
    let (four, rest) = out.as_chunks_mut::<4>();
    let mut at = keys;
    for out in four {
        let mut sums = [_mm512_setzero_ps(); 4];
        let mut i = 0;
        while i < whole {
            // SAFETY: i + 16 ≤ whole, of each of four keys.
            unsafe {
                let q = _mm512_loadu_ps(query.add(i));
                sums[0] = _mm512_fmadd_ps(q, _mm512_loadu_ps(at.add(i)), sums[0]);
                sums[1] = _mm512_fmadd_ps(q, _mm512_loadu_ps(at.add(width + i)), sums[1]);
                sums[2] = _mm512_fmadd_ps(q, _mm512_loadu_ps(at.add(2 * width + i)), sums[2]);
                sums[3] = _mm512_fmadd_ps(q, _mm512_loadu_ps(at.add(3 * width + i)), sums[3]);
            }
            i += 16;
        }
        let halves = [halved(sums[0]), halved(sums[1]), halved(sums[2]), halved(sums[3])];
        *out = sum_four(halves);
        // SAFETY: four keys on, which is at most their end.
        at = unsafe { at.add(4 * width) };
    }
    for out in rest {
        let mut sum = _mm512_setzero_ps();
        let mut i = 0;
        while i < whole {
            // SAFETY: i + 16 ≤ whole.
            sum = unsafe { _mm512_fmadd_ps(_mm512_loadu_ps(query.add(i)), _mm512_loadu_ps(at.add(i)), sum) };
            i += 16;
        }
        *out = _mm512_reduce_add_ps(sum);
        // SAFETY: one key on.
        at = unsafe { at.add(width) };
    }
}

/// # Safety
/// As [`scores_512`], with `whole` a multiple of 8.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn scores_256(query: *const f32, keys: *const f32, width: usize, whole: usize, out: &mut [f32]) {
    let (four, rest) = out.as_chunks_mut::<4>();
    let mut at = keys;
    for out in four {
        let mut sums = [_mm256_setzero_ps(); 4];
        let mut i = 0;
        while i < whole {
            // SAFETY: i + 8 ≤ whole, of each of four keys.
            unsafe {
                let q = _mm256_loadu_ps(query.add(i));
                sums[0] = _mm256_fmadd_ps(q, _mm256_loadu_ps(at.add(i)), sums[0]);
                sums[1] = _mm256_fmadd_ps(q, _mm256_loadu_ps(at.add(width + i)), sums[1]);
                sums[2] = _mm256_fmadd_ps(q, _mm256_loadu_ps(at.add(2 * width + i)), sums[2]);
                sums[3] = _mm256_fmadd_ps(q, _mm256_loadu_ps(at.add(3 * width + i)), sums[3]);
            }
            i += 8;
        }
        *out = sum_four(sums);
        // SAFETY: four keys on, which is at most their end.
        at = unsafe { at.add(4 * width) };
    }
    for out in rest {
        let mut sum = _mm256_setzero_ps();
        let mut i = 0;
        while i < whole {
            // SAFETY: i + 8 ≤ whole.
            sum = unsafe { _mm256_fmadd_ps(_mm256_loadu_ps(query.add(i)), _mm256_loadu_ps(at.add(i)), sum) };
            i += 8;
        }
        *out = sum8(sum);
        // SAFETY: one key on.
        at = unsafe { at.add(width) };
    }
}

#[target_feature(enable = "avx512f,avx2,fma,f16c")]
#[inline]
fn halved(x: __m512) -> __m256 {
    let upper = _mm512_castps_pd(x);
    _mm256_add_ps(_mm512_castps512_ps256(x), _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(upper)))
}

/// The sum of each of four vectors.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn sum_four([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
    let sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    let sums = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps::<1>(sums));
    let mut out = [0.0; 4];
    // SAFETY: four numbers fit.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// # Safety
/// `values` has `width` numbers for each weight, and `out` so many.
#[target_feature(enable = "avx512f,avx2,fma,f16c")]
unsafe fn weighted_512(weights: &[f32], values: *const f32, width: usize, out: &mut [f32]) {
    let mut column = 0;
    while column < width {
        let lanes = |vector: usize| {
            let left = (width - column).saturating_sub(16 * vector).min(16);
            ((1u32 << left) - 1) as u16
        };
        let masks = [lanes(0), lanes(1), lanes(2), lanes(3)];
        let mut sums = [_mm512_setzero_ps(); 4];
        // SAFETY: at most the beginning of a row.
        let mut at = unsafe { values.add(column) };
        for weight in weights {
            let p = _mm512_set1_ps(*weight);
            let mut vector = 0;
            while vector < 4 {
                // SAFETY: lanes behind the end of the row are not read; no pointer goes further than that.
                unsafe {
                    let v = _mm512_maskz_loadu_ps(masks[vector], at.wrapping_add(16 * vector));
                    sums[vector] = _mm512_fmadd_ps(p, v, sums[vector]);
                }
                vector += 1;
            }
            at = at.wrapping_add(width);
        }
        let to = out.as_mut_ptr();
        for (vector, mask) in masks.into_iter().enumerate() {
            // SAFETY: lanes behind the end are not written.
            unsafe { _mm512_mask_storeu_ps(to.wrapping_add(column + 16 * vector), mask, sums[vector]) };
        }
        column += 64;
    }
}

/// # Safety
/// As [`weighted_512`].
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn weighted_256(weights: &[f32], values: *const f32, width: usize, out: &mut [f32]) {
    let whole = width - width % 8;
    let mut column = 0;
    while column < whole {
        let mut sum = _mm256_setzero_ps();
        let mut at = values.wrapping_add(column);
        for weight in weights {
            // SAFETY: column + 8 ≤ width.
            sum = unsafe { _mm256_fmadd_ps(_mm256_set1_ps(*weight), _mm256_loadu_ps(at), sum) };
            at = at.wrapping_add(width);
        }
        // SAFETY: column + 8 ≤ width, which is the length of `out`.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr().add(column), sum) };
        column += 8;
    }
    for (column, out) in out.iter_mut().enumerate().skip(whole) {
        // SAFETY: column < width.
        let value = |i: usize| unsafe { *values.add(i * width + column) };
        *out = weights.iter().enumerate().map(|(i, weight)| weight * value(i)).sum();
    }
}
