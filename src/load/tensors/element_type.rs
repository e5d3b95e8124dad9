//! What the elements of a stored tensor are: single numbers, or blocks of quantised ones.

use crate::nn::blocks::BlockType;
use safetensors::Dtype;

/// The type of a tensor's elements as they lie in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::load) enum ElementType {
    /// One number after the other.
    Single(Dtype),
    /// Whole blocks in each row.
    Blocks(BlockType),
    /// A type known by its name alone.
    Other(&'static str),
}

impl std::fmt::Display for ElementType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Single(dtype) => write!(f, "{dtype:?}"),
            Self::Blocks(kind) => f.write_str(kind.name()),
            Self::Other(name) => f.write_str(name),
        }
    }
}
