//! Stretches of matrices brought into the order in which tiles read them.

use super::super::panel::{Element, PANEL};
use super::{Level, load8};
use std::arch::x86_64::*;

/// Up to [`PANEL`] rows, which begin `stride` elements apart, transposed so that they lie side by side: their first `depth`
/// elements → `[depth][PANEL]`. Columns without a row stay as they are.
pub(in super::super) fn transpose_rows<E: Element>(
    _: Level,
    rows: &[E],
    stride: usize,
    depth: usize,
    panel: &mut [f32],
) {
    assert!(depth > 0 && depth <= stride && rows.len() >= depth && panel.len() == depth * PANEL);
    let count = (rows.len() - depth) / stride + 1;
    assert!(count <= PANEL);
    let (whole_rows, whole_depth) = (count - count % 8, depth - depth % 8);
    for row in (0..whole_rows).step_by(8) {
        // SAFETY: AVX2 is there wherever a level is; rows row..row + 8 have `depth` elements each, and so many rows of the
        // panel have eight numbers from column `row` on.
        unsafe { turn_eight_rows(rows[row * stride..].as_ptr(), stride, whole_depth, panel[row..].as_mut_ptr()) };
    }
    for row in 0..count {
        let from = if row < whole_rows { whole_depth } else { 0 };
        for i in from..depth {
            panel[i * PANEL + row] = rows[row * stride + i].to_f32();
        }
    }
}

/// Transposes blocks of 8 × 8.
///
/// # Safety
/// Eight rows, `stride` elements apart, of `whole` elements (a multiple of 8) can be read behind `from`, and eight numbers
/// be written behind `to` and behind every further row of a panel, `whole` in all.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn turn_eight_rows<E: Element>(from: *const E, stride: usize, whole: usize, to: *mut f32) {
    let mut i = 0;
    while i < whole {
        // SAFETY: i + 8 ≤ whole.
        unsafe {
            let at = from.add(i);
            let (a, b) = (load8(at), load8(at.add(stride)));
            let (c, d) = (load8(at.add(2 * stride)), load8(at.add(3 * stride)));
            let (e, f) = (load8(at.add(4 * stride)), load8(at.add(5 * stride)));
            let (g, h) = (load8(at.add(6 * stride)), load8(at.add(7 * stride)));
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

/// The last step of transposing 8 × 8: columns `COLUMN` and `COLUMN + 4` of rows 0 to 3 and of rows 4 to 7 are joined.
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

/// The first `width` ≤ [`PANEL`] numbers of rows that begin `stride` numbers apart, as many as a panel has:
/// → `[depth][PANEL]`. Columns past the width stay as they are.
pub(in super::super) fn copy_columns<E: Element>(_: Level, rows: &[E], stride: usize, width: usize, panel: &mut [f32]) {
    let depth = panel.len() / PANEL;
    assert!(panel.len() == depth * PANEL && width <= PANEL && width <= stride);
    assert!(depth == 0 || rows.len() >= (depth - 1) * stride + width);
    if width == PANEL {
        // SAFETY: AVX2 is there wherever a level is; the lengths are checked above.
        return unsafe { copy_whole_columns(rows.as_ptr(), stride, depth, panel.as_mut_ptr()) };
    }
    for i in 0..depth {
        let (to, from) = (&mut panel[i * PANEL..i * PANEL + width], &rows[i * stride..i * stride + width]);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from.to_f32());
    }
}

/// # Safety
/// As many rows as `depth` says, `stride` numbers apart, have [`PANEL`] numbers behind `from` and, one behind the other,
/// behind `to`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn copy_whole_columns<E: Element>(mut from: *const E, stride: usize, depth: usize, mut to: *mut f32) {
    let mut i = 0;
    while i < depth {
        // SAFETY: row i of `depth`. A pointer past the last row is made but not used.
        unsafe {
            let (a, b) = (load8(from), load8(from.add(8)));
            let (c, d) = (load8(from.add(16)), load8(from.add(24)));
            _mm256_storeu_ps(to, a);
            _mm256_storeu_ps(to.add(8), b);
            _mm256_storeu_ps(to.add(16), c);
            _mm256_storeu_ps(to.add(24), d);
            from = from.wrapping_add(stride);
            to = to.wrapping_add(PANEL);
        }
        i += 1;
    }
}
