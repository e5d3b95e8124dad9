//! The innermost loops, for x86-64 processors with AVX2 (Haswell, 2013, and later) and with AVX-512.
//!
//! Intrinsics are written out and loops counted by hand, so that the speed does not hang on what the optimiser makes of
//! iterators and closures: the crate is built for quick rebuilds. This is the one file that reads through pointers; every
//! function states the lengths it needs and checks them.
#![expect(unsafe_code, reason = "vector loads and stores, and calls of functions that need certain processors")]

use super::panel::{Element, Kind, PANEL, Panel, TILE_ROWS};
use std::arch::x86_64::*;

/// Rows of `x` at a time with AVX2: 6 × 2 accumulators of 16 registers.
const ROWS_256: usize = 6;

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

/// The dot product of one row of weights with `x`, `[inputs]` both.
///
/// Rows are taken one by one: they lie behind each other, and one stream is what the processor fetches ahead best (twice
/// as fast as four rows side by side).
pub(super) fn dot<E: Element>(level: Level, weights: &[E], x: &[f32]) -> f32 {
    assert_eq!(weights.len(), x.len());
    let whole = match level {
        Level::Avx512 => x.len() - x.len() % 64,
        Level::Avx2 => x.len() - x.len() % 32,
    };
    // SAFETY: a level exists only where the processor has its instructions; `whole` is at most the length of both.
    let mut sum = unsafe {
        match level {
            Level::Avx512 => dot_512(weights.as_ptr(), x.as_ptr(), whole),
            Level::Avx2 => dot_256(weights.as_ptr(), x.as_ptr(), whole),
        }
    };
    for i in whole..x.len() {
        sum += weights[i].to_f32() * x[i];
    }
    sum
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
        match E::KIND {
            Kind::F32 => _mm256_loadu_ps(at.cast()),
            Kind::F16 => _mm256_cvtph_ps(_mm_loadu_si128(at.cast())),
            Kind::Bf16 => {
                let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves))
            }
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
        match E::KIND {
            Kind::F32 => _mm512_loadu_ps(at.cast()),
            Kind::F16 => _mm512_cvtph_ps(_mm256_loadu_si256(at.cast())),
            Kind::Bf16 => {
                let halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves))
            }
        }
    }
}

/// The dot product over whole vectors, four at a time; the columns behind them are left.
///
/// # Safety
/// `whole` elements, a multiple of 64, can be read behind both pointers.
#[target_feature(enable = "avx512f")]
unsafe fn dot_512<E: Element>(weights: *const E, x: *const f32, whole: usize) -> f32 {
    let [mut a, mut b, mut c, mut d] = [_mm512_setzero_ps(); 4];
    let mut i = 0;
    while i < whole {
        // SAFETY: i + 64 ≤ whole.
        unsafe {
            let (w, v) = (weights.add(i), x.add(i));
            a = _mm512_fmadd_ps(load16(w), _mm512_loadu_ps(v), a);
            b = _mm512_fmadd_ps(load16(w.add(16)), _mm512_loadu_ps(v.add(16)), b);
            c = _mm512_fmadd_ps(load16(w.add(32)), _mm512_loadu_ps(v.add(32)), c);
            d = _mm512_fmadd_ps(load16(w.add(48)), _mm512_loadu_ps(v.add(48)), d);
        }
        i += 64;
    }
    _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d)))
}

/// As [`dot_512`], with `whole` a multiple of 32.
///
/// # Safety
/// `whole` elements can be read behind both pointers.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dot_256<E: Element>(weights: *const E, x: *const f32, whole: usize) -> f32 {
    let [mut a, mut b, mut c, mut d] = [_mm256_setzero_ps(); 4];
    let mut i = 0;
    while i < whole {
        // SAFETY: i + 32 ≤ whole.
        unsafe {
            let (w, v) = (weights.add(i), x.add(i));
            a = _mm256_fmadd_ps(load8(w), _mm256_loadu_ps(v), a);
            b = _mm256_fmadd_ps(load8(w.add(8)), _mm256_loadu_ps(v.add(8)), b);
            c = _mm256_fmadd_ps(load8(w.add(16)), _mm256_loadu_ps(v.add(16)), c);
            d = _mm256_fmadd_ps(load8(w.add(24)), _mm256_loadu_ps(v.add(24)), d);
        }
        i += 32;
    }
    sum8(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)))
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn sum8(lanes: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

/// Fills a panel from rows of weights: `[rows][inputs]` → `[inputs][PANEL]`. Columns without a row stay as they are.
pub(super) fn pack<E: Element>(_: Level, weights: &[E], inputs: usize, panel: &mut Panel) {
    let rows = weights.len() / inputs;
    assert!(rows <= PANEL && panel.0.len() == inputs * PANEL && weights.len() == rows * inputs);
    let whole_rows = rows - rows % 8;
    let whole_inputs = inputs - inputs % 8;
    for row in (0..whole_rows).step_by(8) {
        // SAFETY: AVX2 is there wherever a level is; rows row..row + 8 and inputs 0..whole_inputs exist on both sides.
        unsafe {
            pack_eight_rows(&weights[row * inputs..(row + 8) * inputs], inputs, whole_inputs, &mut panel.0[row..]);
        };
    }
    let copy = |panel: &mut Panel, row: usize, from: usize| {
        for (i, w) in weights[row * inputs..(row + 1) * inputs].iter().enumerate().skip(from) {
            panel.0[i * PANEL + row] = w.to_f32();
        }
    };
    for row in 0..whole_rows {
        copy(panel, row, whole_inputs);
    }
    for row in whole_rows..rows {
        copy(panel, row, 0);
    }
}

/// Turns blocks of 8 × 8 round.
///
/// # Safety
/// `weights` is `[8][inputs]`, `whole` ≤ `inputs` a multiple of 8, and `panel` reaches 8 numbers into row `whole − 1`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn pack_eight_rows<E: Element>(weights: &[E], inputs: usize, whole: usize, panel: &mut [f32]) {
    assert!(weights.len() == 8 * inputs && (whole == 0 || panel.len() >= (whole - 1) * PANEL + 8));
    let (from, to) = (weights.as_ptr(), panel.as_mut_ptr());
    let mut i = 0;
    while i < whole {
        // SAFETY: i + 8 ≤ whole ≤ inputs; the lengths are checked above.
        unsafe {
            let at = from.add(i);
            let (a, b) = (load8(at), load8(at.add(inputs)));
            let (c, d) = (load8(at.add(2 * inputs)), load8(at.add(3 * inputs)));
            let (e, f) = (load8(at.add(4 * inputs)), load8(at.add(5 * inputs)));
            let (g, h) = (load8(at.add(6 * inputs)), load8(at.add(7 * inputs)));
            let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            let (ef_low, ef_high) = (_mm256_unpacklo_ps(e, f), _mm256_unpackhi_ps(e, f));
            let (gh_low, gh_high) = (_mm256_unpacklo_ps(g, h), _mm256_unpackhi_ps(g, h));
            let to = to.add(i * PANEL);
            store_pair::<0>(to, _mm256_shuffle_ps::<0x44>(ab_low, cd_low), _mm256_shuffle_ps::<0x44>(ef_low, gh_low));
            store_pair::<1>(to, _mm256_shuffle_ps::<0xEE>(ab_low, cd_low), _mm256_shuffle_ps::<0xEE>(ef_low, gh_low));
            store_pair::<2>(
                to,
                _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
                _mm256_shuffle_ps::<0x44>(ef_high, gh_high),
            );
            store_pair::<3>(
                to,
                _mm256_shuffle_ps::<0xEE>(ab_high, cd_high),
                _mm256_shuffle_ps::<0xEE>(ef_high, gh_high),
            );
        }
        i += 8;
    }
}

/// The last step of turning 8 × 8 round: columns `COLUMN` and `COLUMN + 4` of rows 0 to 3 and of rows 4 to 7 are joined.
///
/// # Safety
/// Eight numbers can be written at rows `COLUMN` and `COLUMN + 4` of a panel behind `to`.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn store_pair<const COLUMN: usize>(to: *mut f32, upper: __m256, lower: __m256) {
    // SAFETY: by the caller's promise.
    unsafe {
        _mm256_storeu_ps(to.add(COLUMN * PANEL), _mm256_permute2f128_ps::<0x20>(upper, lower));
        _mm256_storeu_ps(to.add((COLUMN + 4) * PANEL), _mm256_permute2f128_ps::<0x31>(upper, lower));
    }
}

/// Products of up to [`TILE_ROWS`] rows of `x`, `[rows][inputs]`, with one panel, plus a bias for each of its columns.
///
/// # Safety
/// [`PANEL`] numbers can be written behind `out` and behind every further row, `stride` numbers on, and nobody else touches
/// them meanwhile.
pub(super) unsafe fn tile(
    level: Level,
    panel: &Panel,
    x: &[f32],
    inputs: usize,
    bias: &[f32; PANEL],
    out: *mut f32,
    stride: usize,
) {
    let rows = x.len() / inputs;
    assert!(panel.0.len() == inputs * PANEL && x.len() == rows * inputs && rows <= TILE_ROWS);
    // SAFETY: a level exists only where the processor has its instructions; the lengths are checked here and follow from
    // cutting `x` into rows below; the caller promises the rest.
    unsafe {
        match level {
            Level::Avx512 => by_rows_512(rows, panel, x, inputs, bias, out, stride),
            Level::Avx2 => {
                for (block, x) in x.chunks(ROWS_256 * inputs).enumerate() {
                    let out = out.add(block * ROWS_256 * stride);
                    by_rows_256(x.len() / inputs, panel, x, inputs, bias, out, stride);
                }
            }
        }
    }
}

/// One function for every number of rows, so that the accumulators stay in registers.
macro_rules! by_rows {
    ($name:ident, $tile:ident, $feature:literal, $($rows:literal)*) => {
        #[target_feature(enable = $feature)]
        unsafe fn $name(
            rows: usize,
            panel: &Panel,
            x: &[f32],
            inputs: usize,
            bias: &[f32; PANEL],
            out: *mut f32,
            stride: usize,
        ) {
            match rows {
                // SAFETY: as promised to this function.
                $($rows => unsafe { $tile::<$rows>(panel, x, inputs, bias, out, stride) },)*
                rows => unreachable!("{rows} rows in a tile"),
            }
        }
    };
}
by_rows!(by_rows_512, tile_512, "avx512f", 0 1 2 3 4 5 6 7 8 9 10 11 12);
by_rows!(by_rows_256, tile_256, "avx2,fma,f16c", 0 1 2 3 4 5 6);

/// x · σ(f(x)) · y for every element, in place of x, where f(x) = slope · x + cubic · x³; without `y`, x · σ(f(x)).
pub(super) fn gate(_: Level, x: &mut [f32], y: Option<&[f32]>, slope: f32, cubic: f32) {
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

/// softmax(scale · x) in place, for `scale` > 0.
pub(super) fn softmax(_: Level, x: &mut [f32], scale: f32) {
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

/// # Safety
/// `panel` is `[inputs][PANEL]`, `x` is `[ROWS][inputs]`, and `out` is as [`tile`] asks.
#[target_feature(enable = "avx512f")]
unsafe fn tile_512<const ROWS: usize>(
    panel: &Panel,
    x: &[f32],
    inputs: usize,
    bias: &[f32; PANEL],
    out: *mut f32,
    stride: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    let (w, x) = (panel.0.as_ptr(), x.as_ptr());
    let mut i = 0;
    while i < inputs {
        // SAFETY: i < inputs, so row i of the panel and column i of every row of `x` exist.
        unsafe {
            let (near, far) = (_mm512_loadu_ps(w.add(i * PANEL)), _mm512_loadu_ps(w.add(i * PANEL + 16)));
            let mut row = 0;
            while row < ROWS {
                let x = _mm512_set1_ps(*x.add(row * inputs + i));
                sums[row][0] = _mm512_fmadd_ps(near, x, sums[row][0]);
                sums[row][1] = _mm512_fmadd_ps(far, x, sums[row][1]);
                row += 1;
            }
        }
        i += 1;
    }
    let mut row = 0;
    while row < ROWS {
        // SAFETY: a row of the tile has 32 numbers.
        unsafe {
            let (to, bias) = (out.add(row * stride), bias.as_ptr());
            _mm512_storeu_ps(to, _mm512_add_ps(sums[row][0], _mm512_loadu_ps(bias)));
            _mm512_storeu_ps(to.add(16), _mm512_add_ps(sums[row][1], _mm512_loadu_ps(bias.add(16))));
        }
        row += 1;
    }
}

/// # Safety
/// `panel` is `[inputs][PANEL]`, `x` is `[ROWS][inputs]`, and `out` is as [`tile`] asks.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tile_256<const ROWS: usize>(
    panel: &Panel,
    x: &[f32],
    inputs: usize,
    bias: &[f32; PANEL],
    out: *mut f32,
    stride: usize,
) {
    let mut half = 0;
    while half < PANEL {
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        let (w, x) = (panel.0.as_ptr(), x.as_ptr());
        let mut i = 0;
        while i < inputs {
            // SAFETY: i < inputs, so row i of the panel and column i of every row of `x` exist.
            unsafe {
                let at = w.add(i * PANEL + half);
                let (near, far) = (_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8)));
                let mut row = 0;
                while row < ROWS {
                    let x = _mm256_set1_ps(*x.add(row * inputs + i));
                    sums[row][0] = _mm256_fmadd_ps(near, x, sums[row][0]);
                    sums[row][1] = _mm256_fmadd_ps(far, x, sums[row][1]);
                    row += 1;
                }
            }
            i += 1;
        }
        let mut row = 0;
        while row < ROWS {
            // SAFETY: a row of the tile has 32 numbers, of which these are 16 from `half` on.
            unsafe {
                let (to, bias) = (out.add(row * stride + half), bias.as_ptr().add(half));
                _mm256_storeu_ps(to, _mm256_add_ps(sums[row][0], _mm256_loadu_ps(bias)));
                _mm256_storeu_ps(to.add(8), _mm256_add_ps(sums[row][1], _mm256_loadu_ps(bias.add(8))));
            }
            row += 1;
        }
        half += 16;
    }
}
