//! The innermost loop of every product: up to 12 rows times 32 columns, all sums in registers.

use super::super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::Level;
use std::arch::x86_64::*;

/// Rows at a time with AVX2: 6 × 2 accumulators of 16 registers.
const ROWS_256: usize = 6;

/// Products of up to [`TILE_ROWS`] rows with one panel, `[depth][PANEL]`, added to what `onto` says.
///
/// # Safety
/// [`PANEL`] numbers can be written (and read, where they are added to) behind `out` and behind every further row, `stride`
/// numbers on, and nobody else touches them meanwhile.
pub(in super::super) unsafe fn tile(
    level: Level,
    left: Left<'_>,
    panel: &[f32],
    onto: Onto<'_>,
    out: *mut f32,
    stride: usize,
) {
    let depth = panel.len() / PANEL;
    assert_eq!(panel.len(), depth * PANEL);
    let (values, rows, left_stride, is_columns) = match left {
        Left::Rows { values, rows, stride } => {
            assert!(rows == 0 || values.len() >= (rows - 1) * stride + depth);
            (values, rows, stride, false)
        }
        Left::Columns { values, rows, stride } => {
            assert!(depth == 0 || values.len() >= (depth - 1) * stride + rows);
            (values, rows, stride, true)
        }
    };
    assert!(rows <= TILE_ROWS);
    let bias = match onto {
        Onto::Bias(bias) => Some(bias.as_ptr()),
        Onto::Output => None,
    };
    let (x, w) = (values.as_ptr(), panel.as_ptr());
    // SAFETY: a level exists only where the processor has its instructions; the lengths are checked above; the caller
    // promises the rest.
    unsafe {
        match (level, is_columns) {
            (Level::Avx512, false) => by_rows_512::<false>(rows, x, left_stride, w, depth, bias, out, stride),
            (Level::Avx512, true) => by_rows_512::<true>(rows, x, left_stride, w, depth, bias, out, stride),
            (Level::Avx2, _) => {
                for first in (0..rows).step_by(ROWS_256) {
                    let (rows, out) = (ROWS_256.min(rows - first), out.add(first * stride));
                    match is_columns {
                        false => {
                            let x = x.add(first * left_stride);
                            by_rows_256::<false>(rows, x, left_stride, w, depth, bias, out, stride);
                        }
                        true => by_rows_256::<true>(rows, x.add(first), left_stride, w, depth, bias, out, stride),
                    }
                }
            }
        }
    }
}

/// One function for every number of rows, so that the accumulators stay in registers.
macro_rules! by_rows {
    ($name:ident, $tile:ident, $feature:literal, $($rows:literal)*) => {
        #[target_feature(enable = $feature)]
        #[expect(clippy::too_many_arguments, reason = "what a tile is made of, taken apart once")]
        unsafe fn $name<const COLUMNS: bool>(
            rows: usize,
            x: *const f32,
            x_stride: usize,
            panel: *const f32,
            depth: usize,
            bias: Option<*const f32>,
            out: *mut f32,
            stride: usize,
        ) {
            match rows {
                // SAFETY: as promised to this function.
                $($rows => unsafe { $tile::<$rows, COLUMNS>(x, x_stride, panel, depth, bias, out, stride) },)*
                rows => unreachable!("{rows} rows in a tile"),
            }
        }
    };
}
by_rows!(by_rows_512, tile_512, "avx512f", 0 1 2 3 4 5 6 7 8 9 10 11 12);
by_rows!(by_rows_256, tile_256, "avx2,fma,f16c", 0 1 2 3 4 5 6);

/// # Safety
/// `x` is `[ROWS][x_stride]` with `depth` ≤ `x_stride`, or `[depth][x_stride]` with ROWS ≤ `x_stride`; `panel` is
/// `[depth][PANEL]`, `bias` `[PANEL]`; `out` is as [`tile`] asks.
#[target_feature(enable = "avx512f")]
unsafe fn tile_512<const ROWS: usize, const COLUMNS: bool>(
    x: *const f32,
    x_stride: usize,
    panel: *const f32,
    depth: usize,
    bias: Option<*const f32>,
    out: *mut f32,
    stride: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    let mut i = 0;
    while i < depth {
        // SAFETY: i < depth, so row i of the panel and column i of every row of `x` exist.
        unsafe {
            let (near, far) = (_mm512_loadu_ps(panel.add(i * PANEL)), _mm512_loadu_ps(panel.add(i * PANEL + 16)));
            let mut row = 0;
            while row < ROWS {
                let at = if COLUMNS { i * x_stride + row } else { row * x_stride + i };
                let x = _mm512_set1_ps(*x.add(at));
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
            let to = out.add(row * stride);
            let from = bias.unwrap_or(to);
            let (near, far) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(16)));
            _mm512_storeu_ps(to, _mm512_add_ps(sums[row][0], near));
            _mm512_storeu_ps(to.add(16), _mm512_add_ps(sums[row][1], far));
        }
        row += 1;
    }
}

/// # Safety
/// As [`tile_512`] asks.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tile_256<const ROWS: usize, const COLUMNS: bool>(
    x: *const f32,
    x_stride: usize,
    panel: *const f32,
    depth: usize,
    bias: Option<*const f32>,
    out: *mut f32,
    stride: usize,
) {
    let mut half = 0;
    while half < PANEL {
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        let mut i = 0;
        while i < depth {
            // SAFETY: i < depth, so row i of the panel and column i of every row of `x` exist.
            unsafe {
                let at = panel.add(i * PANEL + half);
                let (near, far) = (_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8)));
                let mut row = 0;
                while row < ROWS {
                    let at = if COLUMNS { i * x_stride + row } else { row * x_stride + i };
                    let x = _mm256_set1_ps(*x.add(at));
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
                let to = out.add(row * stride + half);
                let from = bias.map_or(to.cast_const(), |bias| bias.add(half));
                let (near, far) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8)));
                _mm256_storeu_ps(to, _mm256_add_ps(sums[row][0], near));
                _mm256_storeu_ps(to.add(8), _mm256_add_ps(sums[row][1], far));
            }
            row += 1;
        }
        half += 16;
    }
}
