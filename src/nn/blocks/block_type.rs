//! The types of blocks, their sizes, and the way from bytes to values.

use super::{eights, k, plain};

/// How ggml keeps a group of neighbouring weights of a row together: small whole numbers, and what they are scaled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The names are ggml's.
pub enum BlockType {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

impl BlockType {
    /// Every type, in the order of ggml's numbers.
    pub const ALL: [Self; 8] =
        [Self::Q4_0, Self::Q4_1, Self::Q5_0, Self::Q5_1, Self::Q8_0, Self::Q4K, Self::Q5K, Self::Q6K];

    /// Weights a block stands for.
    #[must_use]
    pub const fn elements(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => plain::ELEMENTS,
            Self::Q4K | Self::Q5K | Self::Q6K => k::ELEMENTS,
        }
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Bytes of a block at which numbers of half precision stand.
    #[must_use]
    pub const fn scales(self) -> &'static [usize] {
        match self {
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 => &[0],
            Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K => &[0, 2],
            Self::Q6K => &[208],
        }
    }

    /// ggml's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q8_0 => "Q8_0",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// The number by which files name it.
    #[must_use]
    pub const fn ggml_type(self) -> u32 {
        match self {
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
        }
    }

    /// The type that files name by this number, if it is one of blocks.
    #[must_use]
    pub fn of_ggml_type(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.ggml_type() == number)
    }

    /// Bytes of a row of so many weights; `None` where they do not fill their blocks, or there are too many to count.
    #[must_use]
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        if columns.is_multiple_of(self.elements()) {
            (columns / self.elements()).checked_mul(self.bytes())
        } else {
            None
        }
    }

    /// The values of whole blocks, each computed in F32 in the order of gguf-py, to the last bit.
    ///
    /// # Panics
    /// When `blocks` are not whole, or `values` has not [`elements`](Self::elements) for each of them.
    pub fn dequantise(self, blocks: &[u8], values: &mut [f32]) {
        let (bytes, elements) = (self.bytes(), self.elements());
        assert!(blocks.len().is_multiple_of(bytes), "{} bytes are no whole blocks of {}", blocks.len(), self.name());
        assert_eq!(values.len(), blocks.len() / bytes * elements, "as many values as the blocks stand for");
        let one = match self {
            Self::Q4_0 => plain::q4_0,
            Self::Q4_1 => plain::q4_1,
            Self::Q5_0 => plain::q5_0,
            Self::Q5_1 => plain::q5_1,
            Self::Q8_0 => eights::q8_0,
            Self::Q4K => k::q4_k,
            Self::Q5K => k::q5_k,
            Self::Q6K => k::q6_k,
        };
        for (block, values) in blocks.chunks_exact(bytes).zip(values.chunks_exact_mut(elements)) {
            one(block, values);
        }
    }
}

impl std::fmt::Display for BlockType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
