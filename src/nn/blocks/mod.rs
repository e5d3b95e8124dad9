//! Quantised weights in blocks, as GGUF files hold them: what a block of each type is made of, and the values it stands for.

mod block_type;
#[cfg(test)]
mod blocks_tests;
mod eights;
mod k;
mod plain;

pub use block_type::BlockType;
pub use eights::encode_q8_0;

use half::f16;

/// The number of half precision at this byte of a block.
fn half_at(block: &[u8], byte: usize) -> f32 {
    f16::from_le_bytes([block[byte], block[byte + 1]]).to_f32()
}
