//! Quantised weights from the blocks of a file to bytes in registers.
//!
//! They become numbers without sign. What was taken away from them in the file (8 of a nibble, 128 of a byte) is taken away from the
//! sum of products, where it is that many times the sum of the activations; a least value is added in the same way.

use std::arch::x86_64::*;

/// Two groups of a row, unpacked.
#[derive(Clone, Copy)]
pub(super) struct Unpacked512 {
    /// Without sign.
    pub(super) numbers: __m512i,
    /// Of each four neighbours.
    pub(super) scales: __m512,
    /// Of each four neighbours what is added to every weight, in the types that have that.
    pub(super) least: __m512,
}

/// One group of a row, unpacked.
#[derive(Clone, Copy)]
pub(super) struct Unpacked256 {
    /// Without sign.
    pub(super) numbers: __m256i,
    /// Of each four neighbours.
    pub(super) scales: __m256,
    /// Of each four neighbours what is added to every weight, in the types that have that.
    pub(super) least: __m256,
}

/// How blocks of a type are unpacked.
pub(super) trait Unpack {
    /// Groups of 32 weights in a block.
    const GROUPS: usize;
    /// Bytes of a block.
    const BYTES: usize;
    /// 2 to this power was added to every weight.
    const SHIFT: u32;
    /// A least value is added to every weight.
    const LEAST: bool;

    /// What all groups of a block need, in the types that have several.
    ///
    /// # Safety
    /// The processor has AVX-512 with VNNI, and the block can be read.
    unsafe fn head(block: *const u8) -> __m512;

    /// Group `group` and the one behind it: of one block, whose head is given, or of this one and the next.
    ///
    /// # Safety
    /// The processor has AVX-512 with VNNI, and both groups can be read.
    unsafe fn two(block: *const u8, group: usize, head: __m512) -> Unpacked512;

    /// Group `group`.
    ///
    /// # Safety
    /// The processor has AVX2, and the block can be read.
    unsafe fn one(block: *const u8, group: usize) -> Unpacked256;
}

/// Where group `group` of a row is: its block, and which of that.
#[inline]
pub(super) fn place<U: Unpack>(row: *const u8, group: usize) -> (*const u8, usize) {
    (row.wrapping_add(group / U::GROUPS * U::BYTES), group % U::GROUPS)
}

/// The numbers of half precision at two places, each for eight lanes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
unsafe fn two_halves(first: *const u8, second: *const u8) -> __m512 {
    // SAFETY: by the caller's promise, two bytes at each.
    let halves = unsafe {
        u32::from(first.cast::<u16>().read_unaligned()) | u32::from(second.cast::<u16>().read_unaligned()) << 16
    };
    let both = _mm512_castps128_ps512(_mm_cvtph_ps(_mm_cvtsi32_si128(halves as i32)));
    _mm512_permutexvar_ps(_mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), both)
}

/// Two neighbouring numbers of half precision at two places: the first ones, each for eight lanes, and the second ones.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
unsafe fn two_pairs(first: *const u8, second: *const u8) -> [__m512; 2] {
    // SAFETY: by the caller's promise, four bytes at each.
    let halves = unsafe {
        u64::from(first.cast::<u32>().read_unaligned()) | u64::from(second.cast::<u32>().read_unaligned()) << 32
    };
    let all = _mm512_castps128_ps512(_mm_cvtph_ps(_mm_cvtsi64_si128(halves as i64)));
    let scales = _mm512_set_epi32(2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0);
    let least = _mm512_set_epi32(3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1);
    [_mm512_permutexvar_ps(scales, all), _mm512_permutexvar_ps(least, all)]
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn half(at: *const u8) -> __m256 {
    // SAFETY: by the caller's promise.
    let bits = unsafe { at.cast::<u16>().read_unaligned() };
    _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(bits))))
}

/// The nibbles of 16 bytes at two places: low ones, then high ones, of each.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
unsafe fn nibbles_512(first: *const u8, second: *const u8) -> __m512i {
    // SAFETY: by the caller's promise, 16 bytes at each.
    let both = unsafe {
        _mm256_inserti128_si256::<1>(
            _mm256_castsi128_si256(_mm_loadu_si128(first.cast())),
            _mm_loadu_si128(second.cast()),
        )
    };
    let twice = _mm512_permutexvar_epi64(_mm512_set_epi64(3, 2, 3, 2, 1, 0, 1, 0), _mm512_castsi256_si512(both));
    let shifted = _mm512_srlv_epi64(twice, _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0));
    _mm512_and_si512(shifted, _mm512_set1_epi8(15))
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn nibbles_256(at: *const u8) -> __m256i {
    // SAFETY: by the caller's promise, 16 bytes.
    let bytes = unsafe { _mm_loadu_si128(at.cast()) };
    let both = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(bytes), _mm_srli_epi16::<4>(bytes));
    _mm256_and_si256(both, _mm256_set1_epi8(15))
}

/// 16 where a bit of the word is set, for each of 32 bytes.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn fifth_256(at: *const u8) -> __m256i {
    // SAFETY: by the caller's promise, four bytes.
    let word = _mm256_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() });
    let byte = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let of_byte = _mm256_and_si256(_mm256_shuffle_epi8(word, byte), bit);
    _mm256_and_si256(_mm256_cmpeq_epi8(of_byte, bit), _mm256_set1_epi8(16))
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
unsafe fn fifth_512(numbers: __m512i, first: *const u8, second: *const u8) -> __m512i {
    // SAFETY: by the caller's promise, four bytes at each.
    let bits = unsafe {
        u64::from(first.cast::<u32>().read_unaligned()) | u64::from(second.cast::<u32>().read_unaligned()) << 32
    };
    _mm512_mask_add_epi8(numbers, bits, numbers, _mm512_set1_epi8(16))
}

/// The types whose blocks are a group: how two and one are unpacked.
macro_rules! of_one_group {
    ($name:ident, $bytes:literal, $shift:literal, $least:literal, |$a:ident, $b:ident| $two:expr, |$block:ident| $one:expr) => {
        pub(super) struct $name;

        impl Unpack for $name {
            const GROUPS: usize = 1;
            const BYTES: usize = $bytes;
            const SHIFT: u32 = $shift;
            const LEAST: bool = $least;

            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
            #[inline]
            unsafe fn head(_: *const u8) -> __m512 {
                _mm512_setzero_ps()
            }

            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
            #[inline]
            unsafe fn two($a: *const u8, _: usize, _: __m512) -> Unpacked512 {
                let $b = $a.wrapping_add($bytes);
                // SAFETY: both blocks can be read, by the caller's promise.
                unsafe { $two }
            }

            #[target_feature(enable = "avx2,fma,f16c")]
            #[inline]
            unsafe fn one($block: *const u8, _: usize) -> Unpacked256 {
                // SAFETY: the block can be read, by the caller's promise.
                unsafe { $one }
            }
        }
    };
}

of_one_group!(
    Q4_0,
    18,
    3,
    false,
    |a, b| Unpacked512 {
        numbers: nibbles_512(a.add(2), b.add(2)),
        scales: two_halves(a, b),
        least: _mm512_setzero_ps()
    },
    |block| Unpacked256 { numbers: nibbles_256(block.add(2)), scales: half(block), least: _mm256_setzero_ps() }
);
of_one_group!(
    Q4_1,
    20,
    0,
    true,
    |a, b| {
        let [scales, least] = two_pairs(a, b);
        Unpacked512 { numbers: nibbles_512(a.add(4), b.add(4)), scales, least }
    },
    |block| Unpacked256 { numbers: nibbles_256(block.add(4)), scales: half(block), least: half(block.add(2)) }
);
of_one_group!(
    Q5_0,
    22,
    4,
    false,
    |a, b| Unpacked512 {
        numbers: fifth_512(nibbles_512(a.add(6), b.add(6)), a.add(2), b.add(2)),
        scales: two_halves(a, b),
        least: _mm512_setzero_ps(),
    },
    |block| Unpacked256 {
        numbers: _mm256_or_si256(nibbles_256(block.add(6)), fifth_256(block.add(2))),
        scales: half(block),
        least: _mm256_setzero_ps(),
    }
);
of_one_group!(
    Q5_1,
    24,
    0,
    true,
    |a, b| {
        let [scales, least] = two_pairs(a, b);
        Unpacked512 { numbers: fifth_512(nibbles_512(a.add(8), b.add(8)), a.add(4), b.add(4)), scales, least }
    },
    |block| Unpacked256 {
        numbers: _mm256_or_si256(nibbles_256(block.add(8)), fifth_256(block.add(4))),
        scales: half(block),
        least: half(block.add(2)),
    }
);
of_one_group!(
    Q8_0,
    34,
    7,
    false,
    |a, b| {
        let low = _mm512_castsi256_si512(_mm256_loadu_si256(a.add(2).cast()));
        let numbers = _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(b.add(2).cast()));
        Unpacked512 {
            numbers: _mm512_xor_si512(numbers, _mm512_set1_epi8(-128)),
            scales: two_halves(a, b),
            least: _mm512_setzero_ps(),
        }
    },
    |block| Unpacked256 {
        numbers: _mm256_xor_si256(_mm256_loadu_si256(block.add(2).cast()), _mm256_set1_epi8(-128)),
        scales: half(block),
        least: _mm256_setzero_ps(),
    }
);

/// Scales and least values of the eight groups of a block with six bits for each, as bytes: scales, then least values.
#[inline]
unsafe fn six_bits(block: *const u8) -> [u64; 2] {
    // SAFETY: twelve bytes from the fourth on, by the caller's promise.
    let (a, b, c) = unsafe {
        let words = block.add(4).cast::<u32>();
        (words.read_unaligned(), words.add(1).read_unaligned(), words.add(2).read_unaligned())
    };
    const SIX: u32 = 0x3F3F_3F3F;
    const FOUR: u32 = 0x0F0F_0F0F;
    const TWO: u32 = 0x0303_0303;
    let (scales, more_scales) = (a & SIX, (c & FOUR) | (a >> 6 & TWO) << 4);
    let (least, more_least) = (b & SIX, (c >> 4 & FOUR) | (b >> 6 & TWO) << 4);
    [u64::from(scales) | u64::from(more_scales) << 32, u64::from(least) | u64::from(more_least) << 32]
}

/// Scales of the eight groups of a block, and what is added to their weights: eight lanes each.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
unsafe fn scales_and_least(block: *const u8) -> __m512 {
    // SAFETY: by the caller's promise.
    let ([scales, least], halves) = unsafe { (six_bits(block), block.cast::<i32>().read_unaligned()) };
    let numbers = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_set_epi64x(least as i64, scales as i64)));
    let both = _mm512_castps128_ps512(_mm_cvtph_ps(_mm_cvtsi32_si128(halves)));
    let factors = _mm512_permutexvar_ps(_mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), both);
    // The least value is taken away.
    let factors = _mm512_mask_sub_ps(factors, 0xFF00, _mm512_setzero_ps(), factors);
    _mm512_mul_ps(numbers, factors)
}

/// Lane `lane` for eight lanes, and the next for eight.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
fn two_lanes(x: __m512, lane: usize) -> __m512 {
    let lanes = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm512_permutexvar_ps(_mm512_add_epi32(lanes, _mm512_set1_epi32(lane as i32)), x)
}

#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn scaled_256(bytes: u64, group: usize, at: *const u8) -> __m256 {
    // SAFETY: by the caller's promise.
    let d = unsafe { half(at) };
    _mm256_mul_ps(_mm256_set1_ps(f32::from((bytes >> (8 * group)) as u8)), d)
}

/// The nibbles of 32 bytes: low ones, then high ones.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,fma,f16c")]
#[inline]
unsafe fn wide_nibbles(at: *const u8) -> __m512i {
    // SAFETY: by the caller's promise.
    let twice = _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(at.cast()) });
    let shifted = _mm512_srlv_epi64(twice, _mm512_set_epi64(4, 4, 4, 4, 0, 0, 0, 0));
    _mm512_and_si512(shifted, _mm512_set1_epi8(15))
}

/// The low or the high nibbles of 32 bytes.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn side_of_nibbles(at: *const u8, high: bool) -> __m256i {
    // SAFETY: by the caller's promise.
    let bytes = unsafe { _mm256_loadu_si256(at.cast()) };
    let shifted = _mm256_srl_epi16(bytes, _mm_cvtsi32_si128(if high { 4 } else { 0 }));
    _mm256_and_si256(shifted, _mm256_set1_epi8(15))
}

pub(super) struct Q4K;

impl Unpack for Q4K {
    const GROUPS: usize = 8;
    const BYTES: usize = 144;
    const SHIFT: u32 = 0;
    const LEAST: bool = true;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
    #[inline]
    unsafe fn head(block: *const u8) -> __m512 {
        // SAFETY: the block can be read, by the caller's promise.
        unsafe { scales_and_least(block) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
    #[inline]
    unsafe fn two(block: *const u8, group: usize, head: __m512) -> Unpacked512 {
        // SAFETY: the block can be read, by the caller's promise.
        unsafe {
            let numbers = wide_nibbles(block.add(16 + 16 * group));
            Unpacked512 { numbers, scales: two_lanes(head, group), least: two_lanes(head, 8 + group) }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn one(block: *const u8, group: usize) -> Unpacked256 {
        // SAFETY: as above.
        unsafe {
            let [scales, least] = six_bits(block);
            let numbers = side_of_nibbles(block.add(16 + group / 2 * 32), group % 2 == 1);
            let least = _mm256_sub_ps(_mm256_setzero_ps(), scaled_256(least, group, block.add(2)));
            Unpacked256 { numbers, scales: scaled_256(scales, group, block), least }
        }
    }
}

pub(super) struct Q5K;

impl Unpack for Q5K {
    const GROUPS: usize = 8;
    const BYTES: usize = 176;
    const SHIFT: u32 = 0;
    const LEAST: bool = true;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
    #[inline]
    unsafe fn head(block: *const u8) -> __m512 {
        // SAFETY: the block can be read, by the caller's promise.
        unsafe { scales_and_least(block) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
    #[inline]
    unsafe fn two(block: *const u8, group: usize, head: __m512) -> Unpacked512 {
        // SAFETY: the block can be read, by the caller's promise.
        unsafe {
            let numbers = wide_nibbles(block.add(48 + 16 * group));
            let fifth = _mm512_broadcast_i64x4(_mm256_loadu_si256(block.add(16).cast()));
            let low = _mm512_castsi256_si512(_mm256_set1_epi8((1u8 << group) as i8));
            let bits = _mm512_inserti64x4::<1>(low, _mm256_set1_epi8((2u8 << group) as i8));
            let set = _mm512_test_epi8_mask(fifth, bits);
            Unpacked512 {
                numbers: _mm512_mask_add_epi8(numbers, set, numbers, _mm512_set1_epi8(16)),
                scales: two_lanes(head, group),
                least: two_lanes(head, 8 + group),
            }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn one(block: *const u8, group: usize) -> Unpacked256 {
        // SAFETY: as above.
        unsafe {
            let [scales, least] = six_bits(block);
            let numbers = side_of_nibbles(block.add(48 + group / 2 * 32), group % 2 == 1);
            let bit = _mm256_set1_epi8((1u8 << group) as i8);
            let set = _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_loadu_si256(block.add(16).cast()), bit), bit);
            let fifth = _mm256_and_si256(set, _mm256_set1_epi8(16));
            let least = _mm256_sub_ps(_mm256_setzero_ps(), scaled_256(least, group, block.add(2)));
            Unpacked256 { numbers: _mm256_or_si256(numbers, fifth), scales: scaled_256(scales, group, block), least }
        }
    }
}

pub(super) struct Q6K;

impl Unpack for Q6K {
    const GROUPS: usize = 8;
    const BYTES: usize = 210;
    const SHIFT: u32 = 5;
    const LEAST: bool = false;

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
    #[inline]
    unsafe fn head(block: *const u8) -> __m512 {
        // SAFETY: the block can be read, by the caller's promise.
        unsafe {
            let all = _mm512_cvtepi8_epi32(_mm_loadu_si128(block.add(192).cast()));
            let d = _mm512_broadcastss_ps(_mm256_castps256_ps128(half(block.add(208))));
            _mm512_mul_ps(_mm512_cvtepi32_ps(all), d)
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
    #[inline]
    unsafe fn two(block: *const u8, group: usize, head: __m512) -> Unpacked512 {
        let (half_block, part) = (group / 4, group % 4); // part is 0 or 2
        // SAFETY: the block can be read, by the caller's promise.
        unsafe {
            let low = _mm512_loadu_si512(block.add(64 * half_block).cast());
            let low = _mm512_srl_epi16(low, _mm_cvtsi32_si128(if part == 2 { 4 } else { 0 }));
            let low = _mm512_and_si512(low, _mm512_set1_epi8(15));
            let upper = _mm512_broadcast_i64x4(_mm256_loadu_si256(block.add(128 + 32 * half_block).cast()));
            let shifts = _mm512_set_epi64(2, 2, 2, 2, 0, 0, 0, 0);
            let shifts = _mm512_add_epi64(shifts, _mm512_set1_epi64(2 * part as i64));
            let upper = _mm512_and_si512(_mm512_srlv_epi64(upper, shifts), _mm512_set1_epi8(3));
            let numbers = _mm512_or_si512(low, _mm512_slli_epi16::<4>(upper));
            let lanes = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
            let lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(2 * group as i32));
            Unpacked512 { numbers, scales: _mm512_permutexvar_ps(lanes, head), least: _mm512_setzero_ps() }
        }
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn one(block: *const u8, group: usize) -> Unpacked256 {
        let (half_block, part) = (group / 4, group % 4);
        // SAFETY: as above.
        unsafe {
            let low = side_of_nibbles(block.add(64 * half_block + 32 * (part % 2)), part >= 2);
            let upper = _mm256_loadu_si256(block.add(128 + 32 * half_block).cast());
            let upper = _mm256_srl_epi16(upper, _mm_cvtsi32_si128(2 * part as i32));
            let upper = _mm256_and_si256(upper, _mm256_set1_epi8(3));
            let numbers = _mm256_or_si256(low, _mm256_slli_epi16::<4>(upper));
            let scales = [0, 1].map(|i| f32::from(block.add(192 + 2 * group + i).cast::<i8>().read()));
            let scales = _mm256_set_m128(_mm_set1_ps(scales[1]), _mm_set1_ps(scales[0]));
            Unpacked256 { numbers, scales: _mm256_mul_ps(scales, half(block.add(208))), least: _mm256_setzero_ps() }
        }
    }
}
