//! Rows of quantised weights times a vector of whole numbers: products in integers within a group, scaled and added up in F32.

use super::super::eights::{STRETCH, Stretch};
use super::Level;
use super::block_unpack::{Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Unpack, Unpacked512, place};
use crate::nn::blocks::BlockType;
use std::arch::x86_64::*;

/// Bytes ahead that are asked for: weights are read faster by a half than where the processor alone looks ahead.
const AHEAD: usize = 3 << 10;

/// The products of rows, each of `row` bytes, with the vector.
///
/// # Panics
/// When the vector has another length than the rows.
pub(in super::super) fn block_dots(
    level: Level,
    kind: BlockType,
    rows: &[u8],
    row: usize,
    x: &[Stretch],
    y: &mut [f32],
) {
    let groups = row / kind.bytes() * kind.elements() / (STRETCH / 2);
    assert!(row.is_multiple_of(kind.bytes()) && rows.len() == row * y.len() && x.len() == groups.div_ceil(2));
    // SAFETY: a level exists only where the processor has its instructions; the lengths are checked above.
    unsafe {
        match level {
            Level::Avx512 if has_vnni() => match kind {
                BlockType::Q4_0 => rows_512::<Q4_0>(rows, row, groups, x, y),
                BlockType::Q4_1 => rows_512::<Q4_1>(rows, row, groups, x, y),
                BlockType::Q5_0 => rows_512::<Q5_0>(rows, row, groups, x, y),
                BlockType::Q5_1 => rows_512::<Q5_1>(rows, row, groups, x, y),
                BlockType::Q8_0 => rows_512::<Q8_0>(rows, row, groups, x, y),
                BlockType::Q4K => rows_512::<Q4K>(rows, row, groups, x, y),
                BlockType::Q5K => rows_512::<Q5K>(rows, row, groups, x, y),
                BlockType::Q6K => rows_512::<Q6K>(rows, row, groups, x, y),
            },
            _ => match kind {
                BlockType::Q4_0 => rows_256::<Q4_0>(rows, row, groups, x, y),
                BlockType::Q4_1 => rows_256::<Q4_1>(rows, row, groups, x, y),
                BlockType::Q5_0 => rows_256::<Q5_0>(rows, row, groups, x, y),
                BlockType::Q5_1 => rows_256::<Q5_1>(rows, row, groups, x, y),
                BlockType::Q8_0 => rows_256::<Q8_0>(rows, row, groups, x, y),
                BlockType::Q4K => rows_256::<Q4K>(rows, row, groups, x, y),
                BlockType::Q5K => rows_256::<Q5K>(rows, row, groups, x, y),
                BlockType::Q6K => rows_256::<Q6K>(rows, row, groups, x, y),
            },
        }
    }
}

/// True where four products of bytes are added up by one instruction.
pub(super) fn has_vnni() -> bool {
    is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn rows_512<U: Unpack>(rows: &[u8], row: usize, groups: usize, x: &[Stretch], y: &mut [f32]) {
    // A last group without a neighbour is unpacked beside a block of zeros.
    let mut alone = [0u8; 2 * 34];
    let mut at = 0;
    while at < y.len() {
        let mut sums = [_mm512_setzero_ps(); 2];
        let mut group = 0;
        let mut block = rows.as_ptr().wrapping_add(at * row);
        while group + 2 <= groups {
            // SAFETY: the groups are in the row.
            unsafe {
                let ahead = block.wrapping_add(AHEAD).cast::<i8>();
                _mm_prefetch::<_MM_HINT_T0>(ahead);
                if U::GROUPS == 1 {
                    let head = _mm512_setzero_ps();
                    let sum = &mut sums[group / 2 % 2];
                    *sum = step_512::<U>(*sum, U::two(block, 0, head), &x[group / 2]);
                    group += 2;
                    block = block.wrapping_add(2 * U::BYTES);
                } else {
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(64));
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(128));
                    let head = U::head(block);
                    let of_block = &x[group / 2..group / 2 + U::GROUPS / 2];
                    let mut pair = 0;
                    while pair < U::GROUPS / 2 {
                        let sum = &mut sums[pair % 2];
                        *sum = step_512::<U>(*sum, U::two(block, 2 * pair, head), &of_block[pair]);
                        pair += 1;
                    }
                    group += U::GROUPS;
                    block = block.wrapping_add(U::BYTES);
                }
            }
        }
        if group < groups {
            // Only types of one group a block have odd rows.
            // SAFETY: the last block of the row, and room for two of them.
            unsafe {
                std::ptr::copy_nonoverlapping(block, alone.as_mut_ptr(), U::BYTES);
                sums[0] = step_512::<U>(sums[0], U::two(alone.as_ptr(), 0, _mm512_setzero_ps()), &x[group / 2]);
            }
        }
        y[at] = _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
        at += 1;
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
#[inline]
fn step_512<U: Unpack>(sum: __m512, w: Unpacked512, x: &Stretch) -> __m512 {
    // SAFETY: the arrays of a stretch are vectors in size and alignment.
    unsafe {
        let numbers = _mm512_load_si512(x.numbers.as_ptr().cast());
        let mut products = _mm512_dpbusd_epi32(_mm512_setzero_si512(), w.numbers, numbers);
        if U::SHIFT > 0 {
            let sums = _mm512_load_si512(x.sums.as_ptr().cast());
            products = _mm512_sub_epi32(products, _mm512_sll_epi32(sums, _mm_cvtsi32_si128(U::SHIFT as i32)));
        }
        let scales = _mm512_mul_ps(w.scales, _mm512_load_ps(x.scales.as_ptr()));
        let sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, sum);
        if U::LEAST { _mm512_fmadd_ps(w.least, _mm512_load_ps(x.scaled_sums.as_ptr()), sum) } else { sum }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn rows_256<U: Unpack>(rows: &[u8], row: usize, groups: usize, x: &[Stretch], y: &mut [f32]) {
    for (row, y) in rows.chunks_exact(row).zip(y) {
        let mut sum = _mm256_setzero_ps();
        for group in 0..groups {
            let (block, of_block) = place::<U>(row.as_ptr(), group);
            let (x, half) = (&x[group / 2], group % 2);
            // SAFETY: the group is in the row; half a stretch has a vector of each.
            unsafe {
                let w = U::one(block, of_block);
                let numbers = _mm256_loadu_si256(x.numbers.as_ptr().add(32 * half).cast());
                let mut products = quadruples(w.numbers, numbers);
                if U::SHIFT > 0 {
                    let sums = _mm256_loadu_si256(x.sums.as_ptr().add(8 * half).cast());
                    products = _mm256_sub_epi32(products, _mm256_sll_epi32(sums, _mm_cvtsi32_si128(U::SHIFT as i32)));
                }
                let scales = _mm256_mul_ps(w.scales, _mm256_loadu_ps(x.scales.as_ptr().add(8 * half)));
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scales, sum);
                if U::LEAST {
                    let sums = _mm256_loadu_ps(x.scaled_sums.as_ptr().add(8 * half));
                    sum = _mm256_fmadd_ps(w.least, sums, sum);
                }
            }
        }
        *y = super::sum8(sum);
    }
}

/// Of each four neighbours, the sum of the products of bytes without sign and with one. Products of two neighbours fit into 16
/// bits only below 2⁷, so the upper bit of the first is taken apart.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
fn quadruples(a: __m256i, b: __m256i) -> __m256i {
    let ones = _mm256_set1_epi16(1);
    let low = _mm256_and_si256(a, _mm256_set1_epi8(0x7F));
    let pairs = _mm256_madd_epi16(_mm256_maddubs_epi16(low, b), ones);
    // 128 · b where the bit is set, as 64 · b twice.
    let high = _mm256_srli_epi16::<1>(_mm256_andnot_si256(low, a));
    let high = _mm256_and_si256(high, _mm256_set1_epi8(0x40));
    let of_high = _mm256_madd_epi16(_mm256_maddubs_epi16(high, b), ones);
    _mm256_add_epi32(pairs, _mm256_add_epi32(of_high, of_high))
}
