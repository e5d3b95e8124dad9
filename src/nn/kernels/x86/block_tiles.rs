//! Quantised weights side by side, times several rows of activations of eight bits: with AVX-512 and VNNI alone.
//!
//! Four neighbouring weights of 16 columns are a vector, and an instruction adds to 16 sums four products each. Sums are whole
//! numbers as far as a scale goes.

use super::super::eights::{GROUP, Rows};
use super::super::panel::PANEL;
use super::Level;
use super::block_dots::has_vnni;
use super::block_unpack::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Unpack, place};
use crate::nn::blocks::BlockType;
use std::arch::x86_64::*;

/// Rows that one tile takes: 6 × 2 sums of whole numbers, and as many of F32.
pub(in super::super) const ROWS: usize = 6;
/// Sums of a group, each of four columns' neighbours.
const STEPS: usize = GROUP / 4;

/// Up to [`PANEL`] columns of a weight, unpacked: per group, numbers `[8][32]` of four bytes, scales `[2][32]` of either half of
/// the group, least values `[32]`.
pub(in super::super) const PANEL_GROUP: usize = (STEPS + 2 + 1) * PANEL;

/// True where this is served.
pub(in super::super) fn tiles_blocks(level: Level) -> bool {
    level == Level::Avx512 && has_vnni()
}

/// Unpacks rows of blocks, at most [`PANEL`] of them, into a panel of [`PANEL_GROUP`] numbers a group.
pub(in super::super) fn lay_out_blocks(_: Level, kind: BlockType, rows: &[u8], row: usize, panel: &mut [f32]) {
    let groups = row / kind.bytes() * kind.elements() / GROUP;
    assert!(has_vnni() && row.is_multiple_of(kind.bytes()) && rows.len().is_multiple_of(row));
    assert!(rows.len() / row <= PANEL && panel.len() == groups * PANEL_GROUP);
    // SAFETY: the instructions are there, and the lengths are checked above.
    unsafe {
        match kind {
            BlockType::Q4_0 => unpack::<Q4_0>(rows, row, groups, panel),
            BlockType::Q4_1 => unpack::<Q4_1>(rows, row, groups, panel),
            BlockType::Q5_0 => unpack::<Q5_0>(rows, row, groups, panel),
            BlockType::Q5_1 => unpack::<Q5_1>(rows, row, groups, panel),
            BlockType::Q8_0 => unpack::<Q8_0>(rows, row, groups, panel),
            BlockType::Q4K => unpack::<Q4K>(rows, row, groups, panel),
            BlockType::Q5K => unpack::<Q5K>(rows, row, groups, panel),
            BlockType::Q6K => unpack::<Q6K>(rows, row, groups, panel),
        }
    }
}

/// Two groups of up to 32 rows at a time, turned so that rows are columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn unpack<U: Unpack>(rows: &[u8], row: usize, groups: usize, panel: &mut [f32]) {
    let mut wide = [0.0f32; PANEL * 2 * STEPS];
    let mut alone = [0u8; 2 * 34];
    let count = rows.len() / row;
    for group in (0..groups).step_by(2) {
        let mut scales = [[0.0f32; 4]; PANEL];
        let mut least = [[0.0f32; 4]; PANEL];
        for (i, row) in rows.chunks_exact(row).enumerate() {
            let (mut block, of_block) = place::<U>(row.as_ptr(), group);
            // SAFETY: the group is in the row, and the one behind it, or it is copied to where a block of zeros follows.
            unsafe {
                if group + 1 == groups {
                    std::ptr::copy_nonoverlapping(block, alone.as_mut_ptr(), U::BYTES);
                    block = alone.as_ptr();
                }
                let head = if U::GROUPS == 1 { _mm512_setzero_ps() } else { U::head(block) };
                let two = U::two(block, of_block, head);
                _mm512_storeu_si512(wide[i * 2 * STEPS..].as_mut_ptr().cast(), two.numbers);
                scales[i] = first_of_fours(two.scales);
                if U::LEAST {
                    least[i] = first_of_fours(two.least);
                }
            }
        }
        for (i, panel) in panel[group * PANEL_GROUP..].chunks_exact_mut(PANEL_GROUP).take(2).enumerate() {
            let (numbers, rest) = panel.split_at_mut(STEPS * PANEL);
            // Bytes are moved as if four of them were a number.
            let rows = &wide[i * STEPS..(count - 1) * 2 * STEPS + (i + 1) * STEPS];
            super::transpose_rows(Level::Avx512, rows, 2 * STEPS, STEPS, numbers);
            let (near, rest) = rest.split_at_mut(PANEL);
            let (far, of_least) = rest.split_at_mut(PANEL);
            let columns = near.iter_mut().zip(far).zip(of_least).zip(scales.iter().zip(&least));
            for (((near, far), of_least), (scales, least)) in columns {
                (*near, *far, *of_least) = (scales[2 * i], scales[2 * i + 1], least[2 * i]);
            }
        }
    }
}

/// The first number of each four.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
fn first_of_fours(x: __m512) -> [f32; 4] {
    let places = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 8, 4, 0);
    let mut four = [0.0; 4];
    // SAFETY: four numbers fit.
    unsafe { _mm_storeu_ps(four.as_mut_ptr(), _mm512_castps512_ps128(_mm512_permutexvar_ps(places, x))) };
    four
}

/// Products of up to [`ROWS`] rows of activations with a panel.
pub(in super::super) fn block_tile(
    _: Level,
    kind: BlockType,
    rows: &Rows<'_>,
    panel: &[f32],
    out: &mut [[f32; PANEL]; ROWS],
) {
    assert!(has_vnni() && panel.len() == rows.groups() * PANEL_GROUP && rows.count() <= ROWS);
    // SAFETY: the instructions are there, and the lengths are checked above.
    unsafe {
        match kind {
            BlockType::Q4_0 => by_rows::<3, false, false>(rows, panel, out),
            BlockType::Q5_0 => by_rows::<4, false, false>(rows, panel, out),
            BlockType::Q8_0 => by_rows::<7, false, false>(rows, panel, out),
            BlockType::Q6K => by_rows::<5, false, true>(rows, panel, out),
            BlockType::Q4_1 | BlockType::Q5_1 | BlockType::Q4K | BlockType::Q5K => {
                by_rows::<0, true, false>(rows, panel, out);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn by_rows<const SHIFT: u32, const LEAST: bool, const HALVES: bool>(
    rows: &Rows<'_>,
    panel: &[f32],
    out: &mut [[f32; PANEL]; ROWS],
) {
    // SAFETY: as promised to this function.
    unsafe {
        match rows.count() {
            1 => tile::<1, SHIFT, LEAST, HALVES>(rows, panel, out),
            2 => tile::<2, SHIFT, LEAST, HALVES>(rows, panel, out),
            3 => tile::<3, SHIFT, LEAST, HALVES>(rows, panel, out),
            4 => tile::<4, SHIFT, LEAST, HALVES>(rows, panel, out),
            5 => tile::<5, SHIFT, LEAST, HALVES>(rows, panel, out),
            6 => tile::<6, SHIFT, LEAST, HALVES>(rows, panel, out),
            _ => {}
        }
    }
}

/// # Safety
/// There are `COUNT` rows, and a panel of as many groups as they have.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn tile<const COUNT: usize, const SHIFT: u32, const LEAST: bool, const HALVES: bool>(
    rows: &Rows<'_>,
    panel: &[f32],
    out: &mut [[f32; PANEL]; ROWS],
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; COUNT];
    let parts: [_; COUNT] = std::array::from_fn(|row| rows.parts(row));
    let mut group = 0;
    while group < rows.groups() {
        let at = panel.as_ptr().wrapping_add(group * PANEL_GROUP);
        // SAFETY: the panel has eleven rows of 32 for each group, and each row of activations eight words of bytes, two sums, a
        // scale and a scaled sum.
        unsafe {
            let of_group = at.add(STEPS * PANEL);
            let halves = if HALVES { 2 } else { 1 };
            let mut half = 0;
            while half < halves {
                let mut products = [[_mm512_setzero_si512(); 2]; COUNT];
                if SHIFT > 0 {
                    let mut row = 0;
                    while row < COUNT {
                        let sums = parts[row].sums.add(2 * group);
                        let sum = if HALVES { *sums.add(half) } else { *sums + *sums.add(1) };
                        products[row] = [_mm512_set1_epi32(-(sum << SHIFT)); 2];
                        row += 1;
                    }
                }
                let mut step = half * STEPS / halves;
                let end = (half + 1) * STEPS / halves;
                while step < end {
                    let near = _mm512_loadu_si512(at.add(step * PANEL).cast());
                    let far = _mm512_loadu_si512(at.add(step * PANEL + 16).cast());
                    let mut row = 0;
                    while row < COUNT {
                        let x = _mm512_set1_epi32(*parts[row].numbers.add(group * STEPS + step));
                        products[row][0] = _mm512_dpbusd_epi32(products[row][0], near, x);
                        products[row][1] = _mm512_dpbusd_epi32(products[row][1], far, x);
                        row += 1;
                    }
                    step += 1;
                }
                let scales = of_group.add(half * PANEL);
                let (near, far) = (_mm512_loadu_ps(scales), _mm512_loadu_ps(scales.add(16)));
                let mut row = 0;
                while row < COUNT {
                    let scale = _mm512_set1_ps(*parts[row].scales.add(group));
                    let [a, b] = products[row];
                    sums[row][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(a), _mm512_mul_ps(near, scale), sums[row][0]);
                    sums[row][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(b), _mm512_mul_ps(far, scale), sums[row][1]);
                    row += 1;
                }
                half += 1;
            }
            if LEAST {
                let least = of_group.add(2 * PANEL);
                let (near, far) = (_mm512_loadu_ps(least), _mm512_loadu_ps(least.add(16)));
                let mut row = 0;
                while row < COUNT {
                    let sum = _mm512_set1_ps(*parts[row].scaled_sums.add(group));
                    sums[row][0] = _mm512_fmadd_ps(near, sum, sums[row][0]);
                    sums[row][1] = _mm512_fmadd_ps(far, sum, sums[row][1]);
                    row += 1;
                }
            }
        }
        group += 1;
    }
    for (out, [near, far]) in out.iter_mut().zip(sums) {
        // SAFETY: a row has 32 numbers.
        unsafe {
            _mm512_storeu_ps(out.as_mut_ptr(), near);
            _mm512_storeu_ps(out.as_mut_ptr().add(16), far);
        }
    }
}
