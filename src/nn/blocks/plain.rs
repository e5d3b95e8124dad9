//! Blocks of 32 weights of four or five bits: a scale d, and in the types that end in 1 the least value m.
//!
//! The low nibbles of the 16 bytes are weights 0 to 15, the high ones 16 to 31. A fifth bit of each stands in a word before them.

use super::half_at;

pub(super) const ELEMENTS: usize = 32;
const HALF: usize = ELEMENTS / 2;

/// d, 16 bytes: d · (q − 8).
pub(super) fn q4_0(block: &[u8], values: &mut [f32]) {
    let d = half_at(block, 0);
    four_bits(&block[2..], values, |q| d * f32::from(q as i8 - 8));
}

/// d, m, 16 bytes: d · q + m.
pub(super) fn q4_1(block: &[u8], values: &mut [f32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    four_bits(&block[4..], values, |q| d * f32::from(q) + m);
}

/// d, fifth bits, 16 bytes: d · (q − 16).
pub(super) fn q5_0(block: &[u8], values: &mut [f32]) {
    let d = half_at(block, 0);
    five_bits(&block[2..], values, |q| d * f32::from(q as i8 - 16));
}

/// d, m, fifth bits, 16 bytes: d · q + m.
pub(super) fn q5_1(block: &[u8], values: &mut [f32]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    five_bits(&block[4..], values, |q| d * f32::from(q) + m);
}

fn four_bits(nibbles: &[u8], values: &mut [f32], value: impl Fn(u8) -> f32) {
    let (low, high) = values.split_at_mut(HALF);
    for ((byte, low), high) in nibbles.iter().zip(low).zip(high) {
        *low = value(byte & 15);
        *high = value(byte >> 4);
    }
}

fn five_bits(words: &[u8], values: &mut [f32], value: impl Fn(u8) -> f32) {
    let (fifth, nibbles) = words.split_at(4);
    let fifth = u32::from_le_bytes([fifth[0], fifth[1], fifth[2], fifth[3]]);
    // Bit `place` of the word, as the fifth bit of a number.
    let bit = |place: usize| ((fifth >> place) as u8 & 1) << 4;
    let (low, high) = values.split_at_mut(HALF);
    for (place, ((byte, low), high)) in nibbles.iter().zip(low).zip(high).enumerate() {
        *low = value(byte & 15 | bit(place));
        *high = value(byte >> 4 | bit(place + HALF));
    }
}
