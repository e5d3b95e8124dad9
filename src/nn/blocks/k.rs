//! Blocks of 256 weights in groups of 16 or 32, whose scales are whole numbers themselves and share a scale of half precision.

use super::half_at;

pub(super) const ELEMENTS: usize = 256;
/// Weights of a group in the types with a least value.
const GROUP: usize = 32;

/// d, least values' d, 12 bytes of scales, 128 bytes: a group's nibbles lie beside those of the next group.
pub(super) fn q4_k(block: &[u8], values: &mut [f32]) {
    let nibbles = &block[16..];
    for (group, values) in values.chunks_exact_mut(GROUP).enumerate() {
        let (scale, least) = scale_and_least(block, group);
        let bytes = &nibbles[group / 2 * GROUP..][..GROUP];
        for (byte, value) in bytes.iter().zip(values) {
            *value = scale * f32::from(nibble(*byte, group % 2 == 1)) - least;
        }
    }
}

/// As [`q4_k`], with 32 bytes before the nibbles in which bit `group` of a byte is the fifth bit of a weight.
pub(super) fn q5_k(block: &[u8], values: &mut [f32]) {
    let (fifth, nibbles) = block[16..].split_at(GROUP);
    for (group, values) in values.chunks_exact_mut(GROUP).enumerate() {
        let (scale, least) = scale_and_least(block, group);
        let bytes = &nibbles[group / 2 * GROUP..][..GROUP];
        for ((byte, fifth), value) in bytes.iter().zip(fifth).zip(values) {
            let q = nibble(*byte, group % 2 == 1) | (fifth >> group & 1) << 4;
            *value = scale * f32::from(q) - least;
        }
    }
}

/// 128 bytes of low nibbles, 64 bytes of upper bits, two a weight, 16 scales, d. A half of the block is four stretches of 32:
/// the low nibbles of 64 bytes are the first two, the high ones the others.
pub(super) fn q6_k(block: &[u8], values: &mut [f32]) {
    let (low, rest) = block.split_at(128);
    let (upper, rest) = rest.split_at(64);
    let d = half_at(rest, 16);
    for (stretch, values) in values.chunks_exact_mut(GROUP).enumerate() {
        let (half, part) = (stretch / 4, stretch % 4);
        let low = &low[64 * half + GROUP * (part % 2)..][..GROUP];
        let upper = &upper[GROUP * half..][..GROUP];
        for (place, value) in values.iter_mut().enumerate() {
            let q = nibble(low[place], part >= 2) | (upper[place] >> (2 * part) & 3) << 4;
            let scale = d * f32::from(rest[2 * stretch + place / 16] as i8);
            *value = scale * f32::from(q as i8 - 32);
        }
    }
}

fn nibble(byte: u8, high: bool) -> u8 {
    if high { byte >> 4 } else { byte & 15 }
}

/// Scale and least value of a group: six bits each. Those of the first four groups lie in bytes of their own, of whose two upper
/// bits the last four groups' are made, with a nibble each.
fn scale_and_least(block: &[u8], group: usize) -> (f32, f32) {
    let packed = &block[4..16];
    let (scale, least) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let (nibbles, above) = (packed[group + 4], [packed[group - 4] >> 6, packed[group] >> 6]);
        (nibbles & 15 | above[0] << 4, nibbles >> 4 | above[1] << 4)
    };
    (half_at(block, 0) * f32::from(scale), half_at(block, 2) * f32::from(least))
}
