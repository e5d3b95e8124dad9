//! Tensors in and out of weight files, by name and checked.

use crate::disk;
use crate::load::error::LoadError;
use crate::load::tensors::arrangement::Arrangement;
use crate::load::tensors::container::{Container, RawTensor, WEIGHTS_FILE, WeightFiles};
use crate::load::tensors::element_type::ElementType;
use crate::load::tensors::elements::{Elements, first_not_finite};
use crate::nn::blocks::BlockType;
use crate::nn::{Format, HeldBytes, StoredPiece, StoredRows, Weight, kernels};
use crate::types::{Precision, Quantised};
use burn::tensor::{DType, Device, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensorError};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Elements a thread converts at a time.
const CHUNK: usize = 1 << 16;

/// What the weights are kept as.
pub(in crate::load) struct Kept {
    /// The element type of the matrices; F32 for blocks.
    pub(in crate::load) precision: Precision,
    /// Where most bytes are in blocks.
    pub(in crate::load) quantised: Option<Quantised>,
}

/// Hands out the tensors of weight files by name, and remembers which were asked for.
pub(in crate::load) struct Weights<'a> {
    source: &'a WeightFiles,
    files: Vec<Container<'a>>,
    device: &'a Device,
    /// Matrices may stay as they are in the files.
    keeps_files: bool,
    used: BTreeSet<String>,
    precision: Option<Precision>,
    /// Bytes that stay in blocks.
    blocks: BTreeMap<BlockType, u64>,
    progress: &'a mut dyn FnMut(u64, u64),
    done_bytes: u64,
    total_bytes: u64,
}

impl<'a> Weights<'a> {
    pub(in crate::load) fn new(
        source: &'a WeightFiles,
        device: &'a Device,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Result<Self, LoadError> {
        let (files, total_bytes) = source.containers()?;
        progress(0, total_bytes);
        let keeps_files = kernels::serve(device);
        Ok(Self {
            source,
            files,
            device,
            keeps_files,
            used: BTreeSet::new(),
            precision: None,
            blocks: BTreeMap::new(),
            progress,
            done_bytes: 0,
            total_bytes,
        })
    }

    /// True when a tensor of this name is there.
    pub(in crate::load) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.has(name))
    }

    /// True when both tensors are there and hold the same, byte for byte.
    pub(in crate::load) fn same(&self, a: &str, b: &str) -> Result<bool, LoadError> {
        let found = |name: &str| -> Result<Option<RawTensor<'a>>, LoadError> {
            for file in &self.files {
                if let Some(tensor) = file.tensor(name)? {
                    return Ok(Some(tensor));
                }
            }
            Ok(None)
        };
        let (Some(a), Some(b)) = (found(a)?, found(b)?) else { return Ok(false) };
        Ok(a.is_same(&b))
    }

    /// `prefix` when some tensor's name starts with it, else nothing: files of bare models leave it out.
    pub(in crate::load) fn prefix(&self, prefix: &'static str) -> &'static str {
        let starts = |file: &Container<'_>| file.names().iter().any(|n| n.starts_with(prefix));
        if self.files.iter().any(starts) { prefix } else { "" }
    }

    /// The tensor of this name in F32, with the shape it must have.
    pub(in crate::load) fn tensor<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Tensor<D>, LoadError> {
        let values = self.values(name, &shape)?;
        Ok(Elements::F32(values).upload(shape, self.device))
    }

    /// A matrix `[out, in]`: where it lies in the file if the device multiplies it so, else a tensor in F32.
    pub(in crate::load) fn matrix(&mut self, name: &str, [rows, columns]: [usize; 2]) -> Result<Weight, LoadError> {
        self.stacked(&[(name.to_owned(), rows)], columns)
    }

    /// A matrix that the file holds as `[in, out]`, turned to `[out, in]`.
    pub(in crate::load) fn transposed(
        &mut self,
        name: &str,
        [outputs, inputs]: [usize; 2],
    ) -> Result<Weight, LoadError> {
        let (file, tensor) = self.find(name, &[inputs, outputs])?;
        if self.keeps_files && tensor.arrangement == Arrangement::Turned {
            // The file holds it the other way round already.
            return Ok(StoredRows::new(vec![self.held(name, file, tensor, [outputs, inputs])?], inputs).into());
        }
        let turned = self.elements(name, &[inputs, outputs])?.turned(inputs, outputs);
        Ok(self.upload_matrix(turned, [outputs, inputs]).into())
    }

    /// Several matrices with `columns` columns under each other: `(name, rows)` each.
    pub(in crate::load) fn stacked(&mut self, parts: &[(String, usize)], columns: usize) -> Result<Weight, LoadError> {
        if self.keeps_files {
            let pieces = parts.iter().map(|(name, rows)| self.piece(name, [*rows, columns]));
            return Ok(StoredRows::new(pieces.collect::<Result<_, _>>()?, columns).into());
        }
        let mut values = Vec::new();
        for (name, rows) in parts {
            values.append(&mut self.values(name, &[*rows, columns])?);
        }
        let rows = parts.iter().map(|part| part.1).sum();
        Ok(Elements::F32(values).upload([rows, columns], self.device).into())
    }

    /// Several vectors one after the other: `(name, length)` each.
    pub(in crate::load) fn joined(&mut self, parts: &[(String, usize)]) -> Result<Tensor<1>, LoadError> {
        let mut values = Vec::new();
        for (name, length) in parts {
            values.append(&mut self.values(name, &[*length])?);
        }
        let length = values.len();
        Ok(Elements::F32(values).upload([length], self.device))
    }

    /// The element type of the matrices, once everything was read. Tensors nobody asked for are an error unless
    /// `is_harmless` knows them.
    pub(in crate::load) fn finish(self, is_harmless: impl Fn(&str) -> bool) -> Result<Kept, LoadError> {
        for file in &self.files {
            let names = file.names().into_iter().filter(|n| !self.used.contains(*n) && !is_harmless(n));
            let mut names: Vec<String> = names.map(str::to_owned).collect();
            if !names.is_empty() {
                names.sort_unstable();
                return Err(LoadError::UnexpectedTensors { path: file.path.to_owned(), names });
            }
        }
        (self.progress)(self.total_bytes, self.total_bytes);
        let most = self.blocks.iter().max_by_key(|(_, bytes)| **bytes);
        let all = self.blocks.values().sum::<u64>();
        let quantised = most
            .filter(|_| 2 * all > self.done_bytes)
            .map(|(kind, _)| Quantised { name: kind.name().to_owned(), bytes: self.done_bytes });
        Ok(Kept { precision: self.precision.unwrap_or(Precision::F32), quantised })
    }

    fn upload_matrix(&self, elements: Elements, shape: [usize; 2]) -> Tensor<2> {
        let elements = if self.keeps_files { elements } else { Elements::F32(elements.into_f32()) };
        elements.upload(shape, self.device)
    }

    /// The checked values of one tensor in F32, row-major.
    pub(in crate::load) fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.elements(name, shape).map(Elements::into_f32)
    }

    /// The checked elements of one tensor, row-major.
    fn elements(&mut self, name: &str, shape: &[usize]) -> Result<Elements, LoadError> {
        let (file, tensor) = self.find(name, shape)?;
        let (path, name) = (self.files[file].path.to_owned(), self.stored_name(name));
        let Some(elements) = Elements::decode(tensor.dtype, &tensor.bytes) else {
            return Err(LoadError::WrongDtype { path, name, found: tensor.dtype.to_string() });
        };
        if let Some((index, value)) = elements.first_not_finite() {
            return Err(LoadError::NotFinite { path, name, index, value });
        }
        self.files[file].is_done_with(&tensor.bytes);
        self.count(name, shape, elements.precision(), tensor.bytes.len());
        Ok(elements.arranged(tensor.arrangement, shape.first().copied().unwrap_or(1)))
    }

    /// The checked rows of one matrix where they lie.
    fn piece(&mut self, name: &str, [rows, columns]: [usize; 2]) -> Result<StoredPiece, LoadError> {
        let (file, tensor) = self.find(name, &[rows, columns])?;
        self.held(name, file, tensor, [rows, columns])
    }

    /// The checked rows of a tensor of one of the files: where they lie, if they lie in the order they are wanted in.
    fn held(
        &mut self,
        name: &str,
        file: usize,
        tensor: RawTensor<'a>,
        [rows, columns]: [usize; 2],
    ) -> Result<StoredPiece, LoadError> {
        let (path, name) = (self.files[file].path.to_owned(), self.stored_name(name));
        let (format, precision) = match tensor.dtype {
            ElementType::Single(Dtype::F32) => (Format::F32, Precision::F32),
            ElementType::Single(Dtype::F16) => (Format::F16, Precision::F16),
            ElementType::Single(Dtype::BF16) => (Format::Bf16, Precision::Bf16),
            ElementType::Blocks(kind) => (Format::Blocks(kind), Precision::F32),
            found => return Err(LoadError::WrongDtype { path, name, found: found.to_string() }),
        };
        if let Some((index, value)) = first_not_finite(format, &tensor.bytes) {
            return Err(LoadError::NotFinite { path, name, index, value });
        }
        self.count(name, &[rows, columns], precision, tensor.bytes.len());
        if let Format::Blocks(kind) = format {
            *self.blocks.entry(kind).or_default() += tensor.bytes.len() as u64;
        }
        let bytes = match tensor.arrangement {
            Arrangement::AsNamed | Arrangement::Turned => self.files[file].hold(tensor.bytes),
            arrangement => {
                let width = tensor.bytes.len() / rows.max(1);
                let row = |row| &tensor.bytes[arrangement.stored_row(row, rows) * width..][..width];
                let ordered: Vec<u8> = (0..rows).flat_map(row).copied().collect();
                self.files[file].is_done_with(&tensor.bytes);
                HeldBytes::new(Arc::new(ordered), 0, width * rows).unwrap_or_else(|| unreachable!("as many rows"))
            }
        };
        Ok(StoredPiece { format, rows, bytes })
    }

    /// The tensor of this name, with the shape it must have, and the file it is in.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(usize, RawTensor<'a>), LoadError> {
        let stored = self.stored_name(name);
        for (i, file) in self.files.iter().enumerate() {
            let Some(tensor) = file.tensor(&stored)? else { continue };
            if tensor.shape != shape {
                let path = file.path.to_owned();
                return Err(LoadError::WrongShape {
                    path,
                    name: stored,
                    expected: shape.to_vec(),
                    found: tensor.shape,
                });
            }
            return Ok((i, tensor));
        }
        Err(LoadError::MissingTensor { path: self.source.home_of(name), name: name.to_owned() })
    }

    /// Remembers that a tensor was read.
    fn count(&mut self, stored_name: String, shape: &[usize], precision: Precision, bytes: usize) {
        if shape.len() > 1 {
            // Norm gains often stay in F32 in files of half precision; matrices tell what the file is.
            self.precision = Some(precision);
        }
        self.used.insert(stored_name);
        self.done_bytes += bytes as u64;
        (self.progress)(self.done_bytes, self.total_bytes);
    }

    /// The name a tensor has in the files. The first BERT files call the gain of a LayerNorm gamma and its bias beta.
    fn stored_name(&self, name: &str) -> String {
        let old = match name.rsplit_once('.') {
            Some((layer, "weight")) => format!("{layer}.gamma"),
            Some((layer, "bias")) => format!("{layer}.beta"),
            _ => return name.to_owned(),
        };
        if !self.has(name) && self.has(&old) { old } else { name.to_owned() }
    }
}

/// One tensor on its way into a file.
pub(in crate::load) struct StoredTensor {
    pub(in crate::load) shape: Vec<usize>,
    pub(in crate::load) values: Vec<f32>,
}

impl StoredTensor {
    /// A tensor read back from its device, in F32.
    pub(in crate::load) fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        let shape = tensor.dims().to_vec();
        let values = tensor.cast(DType::F32).into_data().try_into_vec::<f32>();
        Self { shape, values: values.expect("cast to F32") }
    }

    /// Rows from `start` on, `count` of them.
    pub(in crate::load) fn rows(&self, start: usize, count: usize) -> Self {
        let row: usize = self.shape[1..].iter().product();
        let mut shape = self.shape.clone();
        shape[0] = count;
        Self { shape, values: self.values[start * row..(start + count) * row].to_vec() }
    }
}

/// A tensor as it stands in a file, in an element type of its own.
struct Written<'a> {
    tensor: &'a StoredTensor,
    precision: Precision,
}

impl Written<'_> {
    /// Little-endian, each value rounded to the nearest the type has.
    fn bytes<const SIZE: usize>(&self, convert: impl Fn(f32) -> [u8; SIZE] + Sync) -> Vec<u8> {
        let mut bytes = vec![0; self.tensor.values.len() * SIZE];
        let words = bytes.as_chunks_mut().0.par_chunks_mut(CHUNK).zip(self.tensor.values.par_chunks(CHUNK));
        words.for_each(|(words, values)| {
            for (word, x) in words.iter_mut().zip(values) {
                *word = convert(*x);
            }
        });
        bytes
    }
}

impl safetensors::View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self.precision {
            Precision::F32 => Dtype::F32,
            Precision::F16 => Dtype::F16,
            Precision::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = match self.precision {
            Precision::F32 => self.bytes(f32::to_le_bytes),
            Precision::F16 => self.bytes(|x| f16::from_f32(x).to_le_bytes()),
            Precision::Bf16 => self.bytes(|x| bf16::from_f32(x).to_le_bytes()),
        };
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.tensor.values.len() * if self.precision == Precision::F32 { 4 } else { 2 }
    }
}

/// Writes the weights beside their final name and moves them there whole, so a full disk never costs the old file.
///
/// # Errors
/// When the file cannot be written, or a weight is too large for the element type.
pub(in crate::load) fn write_weights(
    tensors: &[(String, StoredTensor)],
    precision: Precision,
    dir: &Path,
) -> Result<(), LoadError> {
    write_tensors(tensors, precision, &dir.join(WEIGHTS_FILE))
}

/// The same under any name.
///
/// # Errors
/// As [`write_weights`].
pub(in crate::load) fn write_tensors(
    tensors: &[(String, StoredTensor)],
    precision: Precision,
    path: &Path,
) -> Result<(), LoadError> {
    let path = path.to_owned();
    let fits = |x: &f32| !x.is_finite() || precision != Precision::F16 || f16::from_f32(*x).is_finite();
    for (name, tensor) in tensors {
        if let Some(index) = tensor.values.par_iter().position_first(|x| !fits(x)) {
            let value = tensor.values[index];
            return Err(LoadError::OutOfRange { path, name: name.clone(), value, precision });
        }
    }
    // transformers refuses files that do not say which framework's layout they use.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = tensors.iter().map(|(name, tensor)| (name, Written { tensor, precision }));
    let written = disk::write_with(&path, |aside| {
        safetensors::serialize_to_file(views, Some(metadata), aside)?;
        Ok(as_other_files(aside)?)
    });
    written.map_err(|error| match error {
        SafeTensorError::IoError(source) => LoadError::Write { path, source },
        source => LoadError::Safetensors { path, source },
    })
}

/// Gives a file that was made for its owner alone the permissions that any new file gets here.
fn as_other_files(path: &Path) -> std::io::Result<()> {
    let probe = path.with_extension(format!("{}.part", std::process::id()));
    let usual = std::fs::File::create(&probe).and_then(|file| file.metadata()).map(|data| data.permissions());
    let removed = std::fs::remove_file(&probe);
    std::fs::set_permissions(path, usual?)?;
    removed
}
