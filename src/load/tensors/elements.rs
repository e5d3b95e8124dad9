//! The numbers of a tensor: from the bytes of a file to the element type they are kept in.

use crate::load::tensors::arrangement::Arrangement;
use crate::load::tensors::element_type::ElementType;
use crate::nn::Format;
use crate::nn::blocks::BlockType;
use crate::types::Precision;
use burn::tensor::{DType, Device, Tensor, TensorData};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

/// The elements of one tensor, row-major, in the type the file has them.
pub(in crate::load) enum Elements {
    F32(Vec<f32>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
}

/// Elements a thread works on at a time.
const CHUNK: usize = 1 << 16;

impl Elements {
    /// From little-endian bytes; `None` for element types that are no weights. Blocks become F32.
    pub(in crate::load) fn decode(dtype: ElementType, bytes: &[u8]) -> Option<Self> {
        Some(match dtype {
            ElementType::Single(Dtype::F32) => Self::F32(convert(bytes, 0.0, f32::from_le_bytes)),
            ElementType::Single(Dtype::F16) => Self::F16(convert(bytes, f16::ZERO, f16::from_le_bytes)),
            ElementType::Single(Dtype::BF16) => Self::Bf16(convert(bytes, bf16::ZERO, bf16::from_le_bytes)),
            ElementType::Blocks(kind) => Self::F32(dequantised(kind, bytes)),
            ElementType::Single(_) | ElementType::Other(_) => return None,
        })
    }

    /// What the name of a tensor stands for, of what a file holds for it. `rows` are those of its first axis.
    pub(in crate::load) fn arranged(self, arrangement: Arrangement, rows: usize) -> Self {
        match arrangement {
            Arrangement::AsNamed => self,
            Arrangement::PairedRows { .. } | Arrangement::RowsByKind { .. } => {
                let stored = |row| arrangement.stored_row(row, rows);
                match self {
                    Self::F32(values) => Self::F32(gathered(&values, rows, stored)),
                    Self::F16(values) => Self::F16(gathered(&values, rows, stored)),
                    Self::Bf16(values) => Self::Bf16(gathered(&values, rows, stored)),
                }
            }
            Arrangement::Turned => {
                let columns = self.len() / rows.max(1);
                self.turned(columns, rows)
            }
            Arrangement::AroundOne => Self::F32(self.into_f32().into_iter().map(|gain| gain - 1.0).collect()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::Bf16(values) => values.len(),
        }
    }

    pub(in crate::load) fn precision(&self) -> Precision {
        match self {
            Self::F32(_) => Precision::F32,
            Self::F16(_) => Precision::F16,
            Self::Bf16(_) => Precision::Bf16,
        }
    }

    /// Where the first NaN or infinity is, and which it is.
    pub(in crate::load) fn first_not_finite(&self) -> Option<(usize, f32)> {
        // All bits of the exponent set: NaN or infinite.
        match self {
            Self::F32(values) => first(values, |x| x.to_bits() & 0x7F80_0000 == 0x7F80_0000).map(|i| (i, values[i])),
            Self::F16(values) => first(values, |x| x.to_bits() & 0x7C00 == 0x7C00).map(|i| (i, values[i].to_f32())),
            Self::Bf16(values) => first(values, |x| x.to_bits() & 0x7F80 == 0x7F80).map(|i| (i, values[i].to_f32())),
        }
    }

    /// The same in F32; exact.
    pub(in crate::load) fn into_f32(self) -> Vec<f32> {
        match self {
            Self::F32(values) => values,
            Self::F16(values) => widen(&values, HalfFloatSliceExt::convert_to_f32_slice),
            Self::Bf16(values) => widen(&values, HalfFloatSliceExt::convert_to_f32_slice),
        }
    }

    /// The rows of a matrix `[rows, columns]` as the columns of another.
    pub(in crate::load) fn turned(self, rows: usize, columns: usize) -> Self {
        match self {
            Self::F32(values) => Self::F32(turned(&values, rows, columns)),
            Self::F16(values) => Self::F16(turned(&values, rows, columns)),
            Self::Bf16(values) => Self::Bf16(turned(&values, rows, columns)),
        }
    }

    /// On a device, in the type the elements have.
    pub(in crate::load) fn upload<const D: usize>(self, shape: [usize; D], device: &Device) -> Tensor<D> {
        let (data, dtype) = match self {
            Self::F32(values) => (TensorData::new(values, shape), DType::F32),
            Self::F16(values) => (TensorData::new(values, shape), DType::F16),
            Self::Bf16(values) => (TensorData::new(values, shape), DType::BF16),
        };
        Tensor::from_data(data, (device, dtype))
    }
}

/// Where the first NaN or infinity is among little-endian elements, and which it is; among blocks, the first element of one whose
/// scale is none.
pub(in crate::load) fn first_not_finite(format: Format, bytes: &[u8]) -> Option<(usize, f32)> {
    fn halves(bytes: &[u8], exponent: u16, value: impl Fn([u8; 2]) -> f32) -> Option<(usize, f32)> {
        let (elements, _) = bytes.as_chunks();
        let found = first(elements, |element| u16::from_le_bytes(*element) & exponent == exponent);
        found.map(|i| (i, value(elements[i])))
    }
    // All bits of the exponent set: NaN or infinite.
    match format {
        Format::F32 => {
            let (elements, _) = bytes.as_chunks();
            let found = first(elements, |element| u32::from_le_bytes(*element) & 0x7F80_0000 == 0x7F80_0000);
            found.map(|i| (i, f32::from_le_bytes(elements[i])))
        }
        Format::F16 => halves(bytes, 0x7C00, |element| f16::from_le_bytes(element).to_f32()),
        Format::Bf16 => halves(bytes, 0x7F80, |element| bf16::from_le_bytes(element).to_f32()),
        Format::Blocks(kind) => {
            let scales = |block: &[u8]| {
                kind.scales().iter().map(|at| f16::from_le_bytes([block[*at], block[at + 1]])).collect::<Vec<_>>()
            };
            let blocks = bytes.par_chunks_exact(kind.bytes());
            let is_spoiled = |block: &[u8]| kind.scales().iter().any(|at| block[at + 1] & 0x7C == 0x7C);
            let found = blocks.clone().position_first(is_spoiled)?;
            let of = scales(&bytes[found * kind.bytes()..][..kind.bytes()]);
            let value = of.into_iter().find(|scale| !scale.is_finite())?;
            Some((found * kind.elements(), value.to_f32()))
        }
    }
}

/// Elements of N bytes to numbers, a chunk a thread.
fn convert<const N: usize, T: Copy + Send + Sync>(bytes: &[u8], zero: T, one: impl Fn([u8; N]) -> T + Sync) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<N>();
    let mut values = vec![zero; elements.len()];
    values.par_chunks_mut(CHUNK).zip(elements.par_chunks(CHUNK)).for_each(|(to, from)| {
        for (to, from) in to.iter_mut().zip(from) {
            *to = one(*from);
        }
    });
    values
}

/// Blocks as values, some blocks a thread.
fn dequantised(kind: BlockType, bytes: &[u8]) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / kind.bytes() * kind.elements()];
    let blocks = CHUNK / kind.elements();
    let pieces = values.par_chunks_mut(blocks * kind.elements()).zip(bytes.par_chunks(blocks * kind.bytes()));
    pieces.for_each(|(values, blocks)| kind.dequantise(blocks, values));
    values
}

/// Rows in another order: each is the one at `stored(row)`.
fn gathered<T: Copy>(values: &[T], rows: usize, stored: impl Fn(usize) -> usize) -> Vec<T> {
    let columns = values.len() / rows.max(1);
    let mut out = Vec::with_capacity(values.len());
    for row in 0..rows {
        out.extend_from_slice(&values[stored(row) * columns..][..columns]);
    }
    out
}

fn widen<T: Sync>(values: &[T], one_chunk: impl Fn(&[T], &mut [f32]) + Sync) -> Vec<f32> {
    let mut wide = vec![0.0; values.len()];
    let chunks = wide.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    chunks.for_each(|(to, from)| one_chunk(from, to));
    wide
}

fn turned<T: Copy + Send + Sync>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    let Some(&any) = values.first() else { return Vec::new() };
    let mut out = vec![any; values.len()];
    // Sixteen new rows at a time read whole cache lines of the old ones.
    out.par_chunks_mut(16 * rows).enumerate().for_each(|(block, out)| {
        for old_row in 0..rows {
            let from = &values[old_row * columns + 16 * block..];
            for (new_row, value) in out.chunks_exact_mut(rows).zip(from) {
                new_row[old_row] = *value;
            }
        }
    });
    out
}

fn first<T: Sync>(values: &[T], is_spoiled: impl Fn(&T) -> bool + Sync) -> Option<usize> {
    let chunks = values.par_chunks(CHUNK).enumerate();
    // Without a branch for each element; the place is looked for once there is one.
    let chunk = chunks.find_map_first(|(i, chunk)| {
        let spoiled = chunk.iter().fold(false, |spoiled, x| spoiled | is_spoiled(x));
        spoiled.then_some(i)
    })?;
    let start = chunk * CHUNK;
    values[start..].iter().position(is_spoiled).map(|i| start + i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_turned_whatever_their_size() {
        for (rows, columns) in [(1, 1), (3, 50), (50, 3), (16, 32), (17, 33)] {
            let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
            let turned = Elements::F32(values.clone()).turned(rows, columns).into_f32();
            for row in 0..rows {
                for column in 0..columns {
                    assert_eq!(turned[column * rows + row], values[row * columns + column]);
                }
            }
        }
    }

    #[test]
    fn the_first_infinity_is_found_in_every_type() {
        let mut values = vec![1.0f32; CHUNK + 10];
        values[CHUNK + 3] = f32::INFINITY;
        let halves = values.iter().map(|x| f16::from_f32(*x)).collect();
        let brains = values.iter().map(|x| bf16::from_f32(*x)).collect();
        for elements in [Elements::F32(values), Elements::F16(halves), Elements::Bf16(brains)] {
            assert_eq!(elements.first_not_finite(), Some((CHUNK + 3, f32::INFINITY)));
        }
    }
}
