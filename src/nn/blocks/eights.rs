//! Blocks of 32 whole numbers of eight bits and their scale: the one type that is written here, too.

use super::half_at;
use super::plain::ELEMENTS;
use half::f16;

/// d, 32 numbers: q · d.
pub(super) fn q8_0(block: &[u8], values: &mut [f32]) {
    let d = half_at(block, 0);
    for (q, value) in block[2..].iter().zip(values) {
        *value = f32::from(*q as i8) * d;
    }
}

/// Appends values as blocks of `Q8_0`, each number rounded to the nearest, halves away from zero. The scale is the largest
/// magnitude / 127; numbers are rounded with it in F32, then it is kept in F16, as in ggml.
///
/// # Panics
/// When the values do not fill their blocks.
pub fn encode_q8_0(values: &[f32], blocks: &mut Vec<u8>) {
    assert!(values.len().is_multiple_of(ELEMENTS), "{} values do not fill blocks of {ELEMENTS}", values.len());
    blocks.reserve(values.len() / ELEMENTS * super::BlockType::Q8_0.bytes());
    for values in values.chunks_exact(ELEMENTS) {
        let largest = values.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let d = largest / 127.0;
        let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
        blocks.extend(f16::from_f32(d).to_le_bytes());
        blocks.extend(values.iter().map(|x| (x * inverse).round() as i8 as u8));
    }
}
