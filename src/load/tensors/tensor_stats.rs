//! The distribution of one tensor's values, read piece by piece from the mapped file.

use crate::load::error::LoadError;
use crate::load::source::source;
use crate::load::tensors::element_type::ElementType;
use crate::nn::blocks::BlockType;
use crate::types::TensorStats;
use half::{bf16, f16};
use safetensors::Dtype;
use std::path::Path;

/// Bars of the histogram.
const BARS: usize = 64;
/// Bytes between two looks at whether the answer is still wanted.
const PIECE: usize = 1 << 20;

/// Minimum, maximum, mean, standard deviation and histogram of a tensor, in two passes: the bars need the range. `None`
/// once `wanted` says no.
///
/// # Errors
/// When the folder or its header cannot be read, has no tensor of this name, or its elements are of a kind that has no
/// single values, such as packed four-bit numbers.
pub fn tensor_stats(dir: &Path, name: &str, wanted: &dyn Fn() -> bool) -> Result<Option<TensorStats>, LoadError> {
    let files = source(dir).weights()?;
    let (containers, _) = files.containers()?;
    for container in &containers {
        let Some(tensor) = container.tensor(name)? else { continue };
        let Some(decode) = decoder(tensor.dtype) else {
            let (path, name) = (container.path.to_owned(), name.to_owned());
            return Err(LoadError::WrongDtype { path, name, found: tensor.dtype.to_string() });
        };
        return Ok(measure(&tensor.bytes, &decode, wanted));
    }
    let path = containers.first().map_or(dir, |container| container.path).to_owned();
    Err(LoadError::MissingTensor { path, name: name.to_owned() })
}

/// How values are read from bytes.
enum Decoder {
    /// Bytes of one element, and its value.
    Single {
        width: usize,
        value: fn(&[u8]) -> f64,
    },
    Blocks(BlockType),
}

impl Decoder {
    /// Bytes that are read together.
    fn width(&self) -> usize {
        match self {
            Self::Single { width, .. } => *width,
            Self::Blocks(kind) => kind.bytes(),
        }
    }

    /// The values of whole elements or blocks.
    fn each(&self, bytes: &[u8], visit: &mut dyn FnMut(f64)) {
        match self {
            Self::Single { width, value } => bytes.chunks_exact(*width).for_each(|element| visit(value(element))),
            Self::Blocks(kind) => {
                let mut values = vec![0.0; bytes.len() / kind.bytes() * kind.elements()];
                kind.dequantise(bytes, &mut values);
                values.into_iter().for_each(|value| visit(value.into()));
            }
        }
    }
}

fn decoder(dtype: ElementType) -> Option<Decoder> {
    let dtype = match dtype {
        ElementType::Single(dtype) => dtype,
        ElementType::Blocks(kind) => return Some(Decoder::Blocks(kind)),
        ElementType::Other(_) => return None,
    };
    macro_rules! number {
        ($kind:ty) => {
            Decoder::Single {
                width: size_of::<$kind>(),
                value: |bytes| {
                    let mut own = [0; size_of::<$kind>()];
                    own.copy_from_slice(bytes);
                    #[allow(clippy::cast_lossless, reason = "one macro for all kinds of numbers")]
                    let value = <$kind>::from_le_bytes(own) as f64;
                    value
                },
            }
        };
    }
    Some(match dtype {
        Dtype::F64 => number!(f64),
        Dtype::F32 => number!(f32),
        Dtype::F16 => Decoder::Single { width: 2, value: |b| f16::from_le_bytes([b[0], b[1]]).to_f64() },
        Dtype::BF16 => Decoder::Single { width: 2, value: |b| bf16::from_le_bytes([b[0], b[1]]).to_f64() },
        Dtype::I64 => number!(i64),
        Dtype::I32 => number!(i32),
        Dtype::I16 => number!(i16),
        Dtype::I8 => number!(i8),
        Dtype::U64 => number!(u64),
        Dtype::U32 => number!(u32),
        Dtype::U16 => number!(u16),
        Dtype::U8 => number!(u8),
        Dtype::BOOL => Decoder::Single { width: 1, value: |b| f64::from(u8::from(b[0] != 0)) },
        _ => return None,
    })
}

fn measure(bytes: &[u8], decode: &Decoder, wanted: &dyn Fn() -> bool) -> Option<TensorStats> {
    let each = |visit: &mut dyn FnMut(f64)| -> Option<()> {
        for piece in bytes.chunks(PIECE / decode.width() * decode.width()) {
            if !wanted() {
                return None;
            }
            decode.each(piece, visit);
        }
        Some(())
    };
    let (mut count, mut nan, mut infinite) = (0u64, 0, 0);
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    let (mut mean, mut squares) = (0.0, 0.0);
    each(&mut |x| {
        if x.is_finite() {
            count += 1;
            min = min.min(x);
            max = max.max(x);
            // Welford (1962): stays exact where the mean is large beside the spread.
            let from_mean = x - mean;
            mean += from_mean / count as f64;
            squares += from_mean * (x - mean);
        } else if x.is_nan() {
            nan += 1;
        } else {
            infinite += 1;
        }
    })?;
    if count == 0 {
        let histogram = vec![0; BARS];
        return Some(TensorStats { count, nan, infinite, min: 0.0, max: 0.0, mean: 0.0, std: 0.0, histogram });
    }
    let mut histogram = vec![0; BARS];
    let scale = if max > min { BARS as f64 / (max - min) } else { 0.0 };
    each(&mut |x| {
        if x.is_finite() {
            histogram[(((x - min) * scale) as usize).min(BARS - 1)] += 1;
        }
    })?;
    let std = (squares / count as f64).sqrt();
    Some(TensorStats { count, nan, infinite, min, max, mean, std, histogram })
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn folder(tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> tempfile::TempDir {
        let scratch = tempfile::tempdir().unwrap();
        let views = tensors.iter().map(|(n, d, s, b)| (*n, TensorView::new(*d, s.clone(), b).unwrap()));
        let bytes = safetensors::serialize(views, None).unwrap();
        std::fs::write(scratch.path().join("model.safetensors"), bytes).unwrap();
        scratch
    }

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn figures_are_those_of_the_definition() {
        let values: Vec<f32> = (0..100_000).map(|i| 1000.0 + (i % 100) as f32 * 0.5).collect();
        let dir = folder(&[("w", Dtype::F32, vec![1000, 100], f32s(&values))]);
        let stats = tensor_stats(dir.path(), "w", &|| true).unwrap().unwrap();
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / 1e5;
        let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / 1e5;
        assert_eq!((stats.count, stats.min, stats.max), (100_000, 1000.0, 1049.5));
        assert!((stats.mean - mean).abs() < 1e-9 && (stats.std - variance.sqrt()).abs() < 1e-9);
        assert_eq!(stats.histogram.iter().sum::<u64>(), 100_000);
        // A hundred values over 64 bars: each bar has one or two of them.
        assert!(stats.histogram.iter().all(|n| *n == 1000 || *n == 2000), "{:?}", stats.histogram);
    }

    #[test]
    fn what_is_no_number_is_counted_and_left_out() {
        let values = f32s(&[1.0, f32::NAN, f32::INFINITY, 3.0, f32::NEG_INFINITY]);
        let none = f32s(&[f32::NAN]);
        let dir = folder(&[("w", Dtype::F32, vec![5], values), ("none", Dtype::F32, vec![1], none)]);
        let stats = tensor_stats(dir.path(), "w", &|| true).unwrap().unwrap();
        assert_eq!((stats.count, stats.nan, stats.infinite), (2, 1, 2));
        assert_eq!((stats.min, stats.max, stats.mean, stats.std), (1.0, 3.0, 2.0, 1.0));
        let none = tensor_stats(dir.path(), "none", &|| true).unwrap().unwrap();
        assert_eq!((none.count, none.nan, none.min), (0, 1, 0.0));
    }

    #[test]
    fn every_kind_of_number_is_read() {
        let halves: Vec<u8> = [1.5, -2.0].iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        let brains: Vec<u8> = [1.5, -2.0].iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        let whole: Vec<u8> = [7i64, -3].iter().flat_map(|v| v.to_le_bytes()).collect();
        let dir = folder(&[
            ("f16", Dtype::F16, vec![2], halves),
            ("bf16", Dtype::BF16, vec![2], brains),
            ("i64", Dtype::I64, vec![2], whole),
            ("bool", Dtype::BOOL, vec![2], vec![0, 1]),
        ]);
        for (name, min, max) in [("f16", -2.0, 1.5), ("bf16", -2.0, 1.5), ("i64", -3.0, 7.0), ("bool", 0.0, 1.0)] {
            let stats = tensor_stats(dir.path(), name, &|| true).unwrap().unwrap();
            assert_eq!((stats.min, stats.max), (min, max), "{name}");
        }
    }

    #[test]
    fn an_answer_nobody_wants_is_not_computed() {
        let dir = folder(&[("w", Dtype::F32, vec![1], f32s(&[1.0]))]);
        assert_eq!(tensor_stats(dir.path(), "w", &|| false).unwrap(), None);
        assert!(matches!(tensor_stats(dir.path(), "v", &|| true), Err(LoadError::MissingTensor { .. })));
    }
}
