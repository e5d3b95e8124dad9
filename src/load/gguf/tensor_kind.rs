//! Element types of ggml, by the numbers files name them with.

use crate::load::tensors::element_type::ElementType;
use crate::nn::blocks::BlockType;
use safetensors::Dtype;

/// Types that are known by their sizes alone: their number, name, elements and bytes of a block.
const OTHERS: [(u32, &str, usize, usize); 18] = [
    (9, "Q8_1", 32, 40),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (29, "IQ1_M", 256, 56),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
];

/// Types of single numbers: their number, how they are called elsewhere, and their bytes.
const SINGLE: [(u32, Dtype, usize); 8] = [
    (0, Dtype::F32, 4),
    (1, Dtype::F16, 2),
    (24, Dtype::I8, 1),
    (25, Dtype::I16, 2),
    (26, Dtype::I32, 4),
    (27, Dtype::I64, 8),
    (28, Dtype::F64, 8),
    (30, Dtype::BF16, 2),
];

/// What the elements of a tensor are, and what a block of them takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TensorKind {
    pub(super) elements: ElementType,
    /// Elements of a block, of which a row has whole ones.
    pub(super) block: usize,
    /// Bytes of a block.
    pub(super) bytes: usize,
}

impl TensorKind {
    /// The type with this number; `None` for numbers no version of ggml that is known has given.
    pub(super) fn of(number: u32) -> Option<Self> {
        if let Some(kind) = BlockType::of_ggml_type(number) {
            let elements = ElementType::Blocks(kind);
            return Some(Self { elements, block: kind.elements(), bytes: kind.bytes() });
        }
        if let Some((_, dtype, bytes)) = SINGLE.into_iter().find(|(known, ..)| *known == number) {
            return Some(Self { elements: ElementType::Single(dtype), block: 1, bytes });
        }
        let (_, name, block, bytes) = OTHERS.into_iter().find(|(known, ..)| *known == number)?;
        Some(Self { elements: ElementType::Other(name), block, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_means_one_type() {
        let known: Vec<TensorKind> = (0..100).filter_map(TensorKind::of).collect();
        assert_eq!(known.len(), OTHERS.len() + SINGLE.len() + BlockType::ALL.len());
        assert_eq!(TensorKind::of(12).unwrap().elements.to_string(), "Q4_K");
        assert_eq!(TensorKind::of(30).unwrap().elements, ElementType::Single(Dtype::BF16));
        assert_eq!(TensorKind::of(20).unwrap().elements.to_string(), "IQ4_NL");
        assert_eq!(TensorKind::of(99), None);
    }
}
