//! What a generated token reads from memory, which bounds how fast it can be made.

use serde::{Deserialize, Serialize};

/// What one token reads, and how fast the device reads.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryTraffic {
    /// Bytes of weights that every token reads.
    pub weight_bytes: u64,
    /// Bytes of keys and values that a token reads for every position before it, and for its own.
    pub cache_bytes_per_position: u64,
    /// Bytes a second the device reads from its memory, measured; `None` where it does not tell.
    pub bytes_per_s: Option<f64>,
}

impl MemoryTraffic {
    /// Bytes a token reads that sees so many positions, itself included.
    #[must_use]
    pub fn bytes_per_token(&self, positions: f64) -> f64 {
        self.weight_bytes as f64 + self.cache_bytes_per_position as f64 * positions
    }

    /// The share of the device's bandwidth that a rate of such tokens uses.
    #[must_use]
    pub fn share(&self, tokens_per_s: f64, positions: f64) -> Option<f64> {
        self.bytes_per_s.map(|limit| tokens_per_s * self.bytes_per_token(positions) / limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_counts_weights_and_cache() {
        let traffic = MemoryTraffic { weight_bytes: 900, cache_bytes_per_position: 10, bytes_per_s: Some(1e5) };
        assert_eq!(traffic.bytes_per_token(10.0), 1000.0);
        assert_eq!(traffic.share(50.0, 10.0), Some(0.5));
        assert_eq!(MemoryTraffic { bytes_per_s: None, ..traffic }.share(50.0, 10.0), None);
    }
}
