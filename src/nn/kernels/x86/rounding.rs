//! Groups of activations as whole numbers of eight bits.

use super::super::eights::{GROUP, Group};
use super::Level;
use super::block_dots::has_vnni;
use std::arch::x86_64::*;

/// A group of activations, if the processor has what that needs.
pub(in super::super) fn round_group(level: Level, x: &[f32; GROUP]) -> Option<Group> {
    // SAFETY: the instructions are there.
    (level == Level::Avx512 && has_vnni()).then(|| unsafe { round_512(x) })
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
unsafe fn round_512(x: &[f32; GROUP]) -> Group {
    // SAFETY: a group is two vectors.
    let (low, high) = unsafe { (_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(x.as_ptr().add(16))) };
    let largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
    let inverse = _mm512_set1_ps(if largest == 0.0 { 0.0 } else { 127.0 / largest });
    let bytes = |x: __m512| _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)));
    let numbers = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(bytes(low)), bytes(high));
    let fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), numbers);
    let mut group = Group { numbers: [0; GROUP], fours: [0; GROUP / 4], scale: largest / 127.0 };
    // SAFETY: both are a vector.
    unsafe {
        _mm256_storeu_si256(group.numbers.as_mut_ptr().cast(), numbers);
        _mm256_storeu_si256(group.fours.as_mut_ptr().cast(), fours);
    }
    group
}
