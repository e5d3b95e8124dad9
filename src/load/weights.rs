//! Tensors in and out of safetensors files: F32, F16 or BF16 in the file, F32 in memory.

use super::error::LoadError;
use super::fields::Fields;
use crate::types::Precision;
use burn::tensor::{DType, Device, Tensor, TensorData};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use memmap2::Mmap;
use rayon::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The file with the weights.
pub(super) const WEIGHTS_FILE: &str = "model.safetensors";
/// The list of files with the weights, where there are several.
const INDEX_FILE: &str = "model.safetensors.index.json";

/// The weight files of a folder, mapped into memory.
pub(super) struct WeightFiles(Vec<(PathBuf, Mmap)>);

impl WeightFiles {
    pub(super) fn open(dir: &Path) -> Result<Self, LoadError> {
        let single = dir.join(WEIGHTS_FILE);
        let index = dir.join(INDEX_FILE);
        let paths = if single.is_file() {
            vec![single]
        } else if index.is_file() {
            files_in_index(&index)?.into_iter().map(|file| dir.join(file)).collect()
        } else {
            return Err(LoadError::MissingFile { dir: dir.to_owned(), file: WEIGHTS_FILE });
        };
        paths.into_iter().map(map_file).collect::<Result<_, _>>().map(Self)
    }
}

/// Distinct file names in the `weight_map` of an index. Names that lead out of the folder are refused.
fn files_in_index(index: &Path) -> Result<BTreeSet<String>, LoadError> {
    let fields = Fields::read(index)?;
    let map = fields.value("weight_map").and_then(serde_json::Value::as_object);
    let map = map.ok_or_else(|| fields.wrong("weight_map", "is not an object"))?;
    let name = |(tensor, file): (&String, &serde_json::Value)| match file.as_str() {
        Some(file) if !file.contains(['/', '\\']) => Ok(file.to_owned()),
        _ => Err(fields.wrong(&format!("weight_map.{tensor}"), format!("is {file}, not a file name"))),
    };
    map.iter().map(name).collect()
}

fn map_file(path: PathBuf) -> Result<(PathBuf, Mmap), LoadError> {
    let file = File::open(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
    // SAFETY: the map is only read, and only while a model is being opened. Another process that shortens the file
    // meanwhile would crash this one; a copy of every model into memory first is the price of excluding that.
    #[expect(unsafe_code, reason = "memory-mapping a file")]
    let map = unsafe { Mmap::map(&file) };
    match map {
        Ok(map) => Ok((path, map)),
        Err(source) => Err(LoadError::Read { path, source }),
    }
}

/// Hands out the tensors of weight files by name, and remembers which were asked for.
pub(super) struct Weights<'a> {
    files: Vec<(&'a Path, SafeTensors<'a>)>,
    device: &'a Device,
    used: BTreeSet<String>,
    precision: Option<Precision>,
    progress: &'a mut dyn FnMut(u64, u64),
    done_bytes: u64,
    total_bytes: u64,
}

impl<'a> Weights<'a> {
    pub(super) fn new(
        files: &'a WeightFiles,
        device: &'a Device,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        let parse = |(path, map): &'a (PathBuf, Mmap)| match SafeTensors::deserialize(map) {
            Ok(tensors) => Ok((path.as_path(), tensors)),
            Err(source) => Err(LoadError::Safetensors { path: path.clone(), source }),
        };
        let total_bytes = files.0.iter().map(|(_, map)| map.len() as u64).sum();
        let files = files.0.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        progress(0, total_bytes);
        Ok(Self { files, device, used: BTreeSet::new(), precision: None, progress, done_bytes: 0, total_bytes })
    }

    /// True when a tensor of this name is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|(_, tensors)| tensors.tensor(name).is_ok())
    }

    /// `prefix` when some tensor's name starts with it, else nothing: files of bare models leave it out.
    pub(super) fn prefix(&self, prefix: &'static str) -> &'static str {
        let starts = |(_, tensors): &(_, SafeTensors<'_>)| tensors.names().iter().any(|n| n.starts_with(prefix));
        if self.files.iter().any(starts) { prefix } else { "" }
    }

    /// The tensor of this name, with the shape it must have.
    pub(super) fn tensor<const D: usize>(&mut self, name: &str, shape: [usize; D]) -> Result<Tensor<D>, LoadError> {
        let values = self.values(name, &shape)?;
        Ok(self.upload(values, shape))
    }

    /// A matrix that the file holds as `[in, out]`, turned to `[out, in]`.
    pub(super) fn transposed(&mut self, name: &str, [outputs, inputs]: [usize; 2]) -> Result<Tensor<2>, LoadError> {
        let turned = self.tensor(name, [inputs, outputs])?.transpose();
        // Flattened, so that the rows really lie one after another and not only seem to.
        Ok(turned.reshape([outputs * inputs]).reshape([outputs, inputs]))
    }

    /// Several matrices with `columns` columns under each other: `(name, rows)` each.
    pub(super) fn stacked(&mut self, parts: &[(String, usize)], columns: usize) -> Result<Tensor<2>, LoadError> {
        let mut values = Vec::new();
        for (name, rows) in parts {
            values.append(&mut self.values(name, &[*rows, columns])?);
        }
        let rows = parts.iter().map(|p| p.1).sum();
        Ok(self.upload(values, [rows, columns]))
    }

    /// Several vectors one after the other: `(name, length)` each.
    pub(super) fn joined(&mut self, parts: &[(String, usize)]) -> Result<Tensor<1>, LoadError> {
        let mut values = Vec::new();
        for (name, length) in parts {
            values.append(&mut self.values(name, &[*length])?);
        }
        let length = values.len();
        Ok(self.upload(values, [length]))
    }

    /// The element type of the matrices, once everything was read. Tensors nobody asked for are an error unless
    /// `is_harmless` knows them.
    pub(super) fn finish(self, is_harmless: impl Fn(&str) -> bool) -> Result<Precision, LoadError> {
        for (path, tensors) in &self.files {
            let left = tensors.names().into_iter().filter(|n| !self.used.contains(*n) && !is_harmless(n));
            let mut names: Vec<String> = left.map(str::to_owned).collect();
            if !names.is_empty() {
                names.sort_unstable();
                return Err(LoadError::UnexpectedTensors { path: path.to_path_buf(), names });
            }
        }
        (self.progress)(self.total_bytes, self.total_bytes);
        Ok(self.precision.unwrap_or(Precision::F32))
    }

    fn upload<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), (self.device, DType::F32))
    }

    /// The checked values of one tensor, row-major.
    pub(super) fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let found = self.files.iter().find_map(|(path, tensors)| tensors.tensor(name).ok().map(|t| (*path, t)));
        let Some((path, tensor)) = found else {
            let path = self.files[0].0.to_owned();
            return Err(LoadError::MissingTensor { path, name: name.to_owned() });
        };
        if tensor.shape() != shape {
            return Err(LoadError::WrongShape {
                path: path.to_owned(),
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape().to_vec(),
            });
        }
        let (precision, values) = decode(&tensor).ok_or_else(|| LoadError::WrongDtype {
            path: path.to_owned(),
            name: name.to_owned(),
            found: tensor.dtype(),
        })?;
        if let Some(index) = first_not_finite(&values) {
            let (path, value) = (path.to_owned(), values[index]);
            return Err(LoadError::NotFinite { path, name: name.to_owned(), index, value });
        }
        if shape.len() > 1 {
            // Norm gains often stay in F32 in files of half precision; matrices tell what the file is.
            self.precision = Some(precision);
        }
        self.used.insert(name.to_owned());
        self.done_bytes += tensor.data().len() as u64;
        (self.progress)(self.done_bytes, self.total_bytes);
        Ok(values)
    }
}

/// Elements a thread converts at a time.
const CHUNK: usize = 1 << 16;

/// The values of a tensor in F32; `None` for element types that are no weights. Files are little-endian.
fn decode(tensor: &TensorView<'_>) -> Option<(Precision, Vec<f32>)> {
    let bytes = tensor.data();
    Some(match tensor.dtype() {
        Dtype::F32 => (
            Precision::F32,
            convert(bytes, |from: &[[u8; 4]], to| {
                for (x, b) in to.iter_mut().zip(from) {
                    *x = f32::from_le_bytes(*b);
                }
            }),
        ),
        Dtype::F16 => (
            Precision::F16,
            convert(bytes, |from: &[[u8; 2]], to| {
                let halves: Vec<f16> = from.iter().map(|b| f16::from_le_bytes(*b)).collect();
                halves.convert_to_f32_slice(to);
            }),
        ),
        Dtype::BF16 => (
            Precision::Bf16,
            convert(bytes, |from: &[[u8; 2]], to| {
                let halves: Vec<bf16> = from.iter().map(|b| bf16::from_le_bytes(*b)).collect();
                halves.convert_to_f32_slice(to);
            }),
        ),
        _ => return None,
    })
}

/// Elements of N bytes to numbers, a chunk a thread.
fn convert<const N: usize>(bytes: &[u8], one_chunk: impl Fn(&[[u8; N]], &mut [f32]) + Sync) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<N>();
    let mut values = vec![0.0; elements.len()];
    let chunks = values.par_chunks_mut(CHUNK).zip(elements.par_chunks(CHUNK));
    chunks.for_each(|(to, from)| one_chunk(from, to));
    values
}

/// Where the first NaN or infinity is.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    const EXPONENT: u32 = 0x7F80_0000;
    let chunks = values.par_chunks(CHUNK).enumerate();
    let chunk = chunks.find_map_first(|(i, chunk)| {
        let mut spoiled = false;
        for x in chunk {
            // All bits of the exponent set: NaN or infinite.
            spoiled |= x.to_bits() & EXPONENT == EXPONENT;
        }
        spoiled.then_some(i)
    })?;
    let start = chunk * CHUNK;
    values[start..].iter().position(|x| !x.is_finite()).map(|i| start + i)
}

/// One tensor on its way into a file.
pub(super) struct StoredTensor {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl StoredTensor {
    /// A tensor read back from its device.
    ///
    /// # Panics
    /// When it is not F32, the only element type weights have in memory.
    pub(super) fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().try_into_vec::<f32>();
        Self { shape, values: values.expect("weights are F32 in memory") }
    }

    /// Rows from `start` on, `count` of them.
    pub(super) fn rows(&self, start: usize, count: usize) -> Self {
        let row: usize = self.shape[1..].iter().product();
        let mut shape = self.shape.clone();
        shape[0] = count;
        Self { shape, values: self.values[start * row..(start + count) * row].to_vec() }
    }
}

impl safetensors::View for &StoredTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        let words = bytes.as_chunks_mut().0.par_chunks_mut(CHUNK).zip(self.values.par_chunks(CHUNK));
        words.for_each(|(words, values)| {
            for (word, x) in words.iter_mut().zip(values) {
                *word = x.to_le_bytes();
            }
        });
        bytes.into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values.as_slice())
    }
}

/// Writes the weights beside their final name and moves them there whole, so a full disk never costs the old file.
pub(super) fn write_weights(tensors: &[(String, StoredTensor)], dir: &Path) -> Result<(), LoadError> {
    let path = dir.join(WEIGHTS_FILE);
    // transformers refuses files that do not say which framework's layout they use.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = tensors.iter().map(|(name, tensor)| (name, tensor));
    match safetensors::serialize_to_file(views, Some(metadata), &path) {
        Ok(()) => Ok(()),
        Err(SafeTensorError::IoError(source)) => Err(LoadError::Write { path, source }),
        Err(source) => Err(LoadError::Safetensors { path, source }),
    }
}
