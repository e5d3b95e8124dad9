//! The innermost loops, for x86-64 processors with AVX2 (Haswell, 2013, and later) and with AVX-512.
//!
//! Intrinsics are written out and loops counted by hand, so that the speed does not hang on what the optimiser makes of
//! iterators and closures: the crate is built for quick rebuilds. These are the files that read through pointers; every
//! function states the lengths it needs and checks them.
#![expect(unsafe_code, reason = "vector loads and stores, and calls of functions that need certain processors")]

mod adamw;
mod block_dots;
mod block_tiles;
mod block_unpack;
mod elementwise;
mod gelu;
mod gelu_512;
mod lens;
mod norm;
mod pack;
mod query;
mod recurrence;
mod rounding;
mod softmax;
mod softmax_512;
mod tile;

pub(super) use adamw::{adamw, sum_of_squares};
pub(super) use block_dots::block_dots;
pub(super) use block_tiles::{PANEL_GROUP, ROWS as BLOCK_ROWS, block_tile, lay_out_blocks, tiles_blocks};
pub(super) use elementwise::{add, gate, gate_gradients, rotate};
pub(super) use gelu::{gelu, gelu_gradient};
pub(super) use lens::{count_above, exps_below, maximum, sum_of_exps, sums_beside};
pub(super) use norm::{normalise, normalise_gradients, normalised_sum};
pub(super) use pack::{copy_columns, transpose_rows};
pub(super) use query::{scores_of_query, weighted_sum};
pub(super) use recurrence::{lstm_gradient, lstm_step, tanh_gradient, tanh_sum};
pub(super) use rounding::round_group;
pub(super) use softmax::{cross_entropy, exps_in_place, log_sum_exp, scale, softmax, softmax_gradient};
pub(super) use tile::tile;

use super::panel::Element;
use super::rows::Format;
use std::arch::x86_64::*;
use std::sync::LazyLock;

/// Which instructions may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Avx2,
    Avx512,
}

impl Level {
    /// The best level of this processor; `None` where neither is there.
    pub(super) fn detect() -> Option<Self> {
        let avx2 =
            is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        match avx2 {
            true if is_x86_feature_detected!("avx512f") => Some(Self::Avx512),
            true => Some(Self::Avx2),
            false => None,
        }
    }
}

/// The dot products of rows of weights with `x`: `[outputs, inputs]` and `[inputs]` → `[outputs]`.
///
/// Rows are taken one by one: they lie behind each other, and one stream is what the processor fetches ahead best (twice
/// as fast as four rows side by side).
pub(super) fn dots<E: Element>(level: Level, weights: &[E], x: &[f32], y: &mut [f32]) {
    let inputs = x.len();
    assert_eq!(weights.len(), inputs * y.len());
    let whole = match level {
        Level::Avx512 => inputs - inputs % 64,
        Level::Avx2 => inputs - inputs % 32,
    };
    // SAFETY: a level exists only where the processor has its instructions; `whole` is at most `inputs`, and there are as many rows
    // as outputs.
    unsafe {
        match level {
            Level::Avx512 if *ASKS_AHEAD => dots_512::<E, true>(weights.as_ptr(), x, whole, y),
            Level::Avx512 => dots_512::<E, false>(weights.as_ptr(), x, whole, y),
            Level::Avx2 if *ASKS_AHEAD => dots_256::<E, true>(weights.as_ptr(), x, whole, y),
            Level::Avx2 => dots_256::<E, false>(weights.as_ptr(), x, whole, y),
        }
    }
    if whole < inputs {
        for (y, row) in y.iter_mut().zip(weights.chunks_exact(inputs)) {
            for (weight, x) in row[whole..].iter().zip(&x[whole..]) {
                *y += weight.to_f32() * x;
            }
        }
    }
}

/// Eight elements as F32.
///
/// # Safety
/// Eight elements can be read behind `at`.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn load8<E: Element>(at: *const E) -> __m256 {
    // SAFETY: by the caller's promise; loads need no alignment.
    unsafe {
        match E::FORMAT {
            Format::F32 => _mm256_loadu_ps(at.cast()),
            Format::F16 => _mm256_cvtph_ps(_mm_loadu_si128(at.cast())),
            Format::Bf16 => {
                let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves))
            }
            Format::Blocks(_) => unreachable!("no type of elements"),
        }
    }
}

/// Sixteen elements as F32.
///
/// # Safety
/// Sixteen elements can be read behind `at`.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn load16<E: Element>(at: *const E) -> __m512 {
    // SAFETY: by the caller's promise; loads need no alignment.
    unsafe {
        match E::FORMAT {
            Format::F32 => _mm512_loadu_ps(at.cast()),
            Format::F16 => _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())),
            Format::Bf16 => {
                let halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves))
            }
            Format::Blocks(_) => unreachable!("no type of elements"),
        }
    }
}

/// Whether weights are asked for before they are needed. Intel's processors fetch ahead by themselves, but begin anew with each page:
/// with it, weights are read faster by a third. AMD's do not, and what they are asked for is in their way: Zen 4 reads 25 GB/s with
/// it and 29 without.
static ASKS_AHEAD: LazyLock<bool> = LazyLock::new(|| {
    let vendor = __cpuid(0);
    [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).concat() != b"AuthenticAMD"
});

/// Asks for the cache lines of 64 elements some way behind these.
#[inline(always)]
fn fetch_ahead<E: Element>(at: *const E) {
    const AHEAD: usize = 1 << 11;
    const LINE: usize = 64;
    let at = at.cast::<i8>().wrapping_add(AHEAD);
    // SAFETY: an address that cannot be read is not.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(at);
        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(LINE));
        if size_of::<E>() == 4 {
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(2 * LINE));
            _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(3 * LINE));
        }
    }
}

/// Dot products over whole vectors, four at a time; the columns behind them are left.
///
/// # Safety
/// `weights` has a row of as many elements as `x` for each of `y`; `whole` is a multiple of 64 and at most so many.
#[target_feature(enable = "avx512f")]
unsafe fn dots_512<E: Element, const AHEAD: bool>(weights: *const E, x: &[f32], whole: usize, y: &mut [f32]) {
    let (width, x, mut row) = (x.len(), x.as_ptr(), weights);
    let mut at = 0;
    while at < y.len() {
        let [mut a, mut b, mut c, mut d] = [_mm512_setzero_ps(); 4];
        let mut i = 0;
        while i < whole {
            // SAFETY: i + 64 ≤ whole.
            unsafe {
                let (w, v) = (row.add(i), x.add(i));
                if AHEAD {
                    fetch_ahead::<E>(w);
                }
                a = _mm512_fmadd_ps(load16(w), _mm512_loadu_ps(v), a);
                b = _mm512_fmadd_ps(load16(w.add(16)), _mm512_loadu_ps(v.add(16)), b);
                c = _mm512_fmadd_ps(load16(w.add(32)), _mm512_loadu_ps(v.add(32)), c);
                d = _mm512_fmadd_ps(load16(w.add(48)), _mm512_loadu_ps(v.add(48)), d);
            }
            i += 64;
        }
        y[at] = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)));
        row = row.wrapping_add(width);
        at += 1;
    }
}

/// As [`dots_512`], with `whole` a multiple of 32.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dots_256<E: Element, const AHEAD: bool>(weights: *const E, x: &[f32], whole: usize, y: &mut [f32]) {
    let (width, x, mut row) = (x.len(), x.as_ptr(), weights);
    let mut at = 0;
    while at < y.len() {
        let [mut a, mut b, mut c, mut d] = [_mm256_setzero_ps(); 4];
        let mut i = 0;
        while i < whole {
            // SAFETY: i + 32 ≤ whole.
            unsafe {
                let (w, v) = (row.add(i), x.add(i));
                if AHEAD && i % 64 == 0 {
                    fetch_ahead::<E>(w);
                }
                a = _mm256_fmadd_ps(load8(w), _mm256_loadu_ps(v), a);
                b = _mm256_fmadd_ps(load8(w.add(8)), _mm256_loadu_ps(v.add(8)), b);
                c = _mm256_fmadd_ps(load8(w.add(16)), _mm256_loadu_ps(v.add(16)), c);
                d = _mm256_fmadd_ps(load8(w.add(24)), _mm256_loadu_ps(v.add(24)), d);
            }
            i += 32;
        }
        y[at] = sum8(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
        row = row.wrapping_add(width);
        at += 1;
    }
}

/// Up to eight numbers, `count` of them (more count as eight); `rest` in the other lanes.
///
/// # Safety
/// That many numbers can be read behind `at`.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn load_up_to_8(at: *const f32, count: usize, rest: f32) -> __m256 {
    if count >= 8 {
        // SAFETY: by the caller's promise.
        return unsafe { _mm256_loadu_ps(at) };
    }
    let lanes = first_lanes(count);
    // SAFETY: by the caller's promise; other lanes are not read.
    let values = unsafe { _mm256_maskload_ps(at, lanes) };
    _mm256_blendv_ps(_mm256_set1_ps(rest), values, _mm256_castsi256_ps(lanes))
}

/// Writes the first `count` lanes, at most eight.
///
/// # Safety
/// That many numbers can be written behind `at`.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn store_up_to_8(at: *mut f32, count: usize, values: __m256) {
    // SAFETY: by the caller's promise; other lanes are not written.
    unsafe {
        match count {
            0..8 => _mm256_maskstore_ps(at, first_lanes(count), values),
            _ => _mm256_storeu_ps(at, values),
        }
    }
}

/// All bits set in the first `count` < 8 lanes.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn first_lanes(count: usize) -> __m256i {
    _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn sum8(lanes: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}
