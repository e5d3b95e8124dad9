//! The tensors of a file under the names that Hugging Face's files have for them.

use super::header::{GgufFile, TensorInfo};
use super::names::Names;
use crate::load::tensors::arrangement::Arrangement;
use crate::load::tensors::container::{RawTensor, TensorHeader};
use memmap2::Mmap;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The tensors of one file.
pub(in crate::load) struct GgufTensors {
    file: Arc<GgufFile>,
    /// By name: which of the file, and how it is made of its bytes.
    tensors: BTreeMap<String, (usize, Arrangement)>,
}

impl GgufTensors {
    /// A tensor whose name is not known keeps it.
    pub(super) fn new(file: Arc<GgufFile>, names: &Names) -> Self {
        let mut tensors = BTreeMap::new();
        for (place, tensor) in file.header.tensors.iter().enumerate() {
            let Some((name, arrangement)) = names.of(&tensor.name) else { continue };
            let rows = tensor.shape.first().copied().unwrap_or(1);
            // Where heads do not divide the rows, the shape is wrong, which is told when it is asked for.
            let arrangement = if arrangement.fits(rows) { arrangement } else { Arrangement::AsNamed };
            tensors.insert(name, (place, arrangement));
        }
        Self { file, tensors }
    }

    pub(in crate::load) fn path(&self) -> &Path {
        &self.file.path
    }

    pub(in crate::load) fn map(&self) -> &Arc<Mmap> {
        &self.file.map
    }

    /// Bytes of all tensors.
    pub(in crate::load) fn bytes(&self) -> u64 {
        self.tensors.values().map(|(place, _)| self.file.header.tensors[*place].bytes.len() as u64).sum()
    }

    pub(in crate::load) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    fn find(&self, name: &str) -> Option<(&TensorInfo, Arrangement)> {
        let (place, arrangement) = self.tensors.get(name)?;
        Some((&self.file.header.tensors[*place], *arrangement))
    }

    pub(in crate::load) fn header(&self, name: &str) -> Option<TensorHeader> {
        let (tensor, arrangement) = self.find(name)?;
        Some(TensorHeader {
            dtype: tensor.kind.elements,
            shape: named_shape(tensor, arrangement),
            bytes: tensor.bytes.len() as u64,
        })
    }

    pub(in crate::load) fn tensor(&self, name: &str) -> Option<RawTensor<'_>> {
        let (tensor, arrangement) = self.find(name)?;
        Some(RawTensor {
            dtype: tensor.kind.elements,
            shape: named_shape(tensor, arrangement),
            bytes: Cow::Borrowed(&self.file.map[tensor.bytes.clone()]),
            arrangement,
        })
    }
}

fn named_shape(tensor: &TensorInfo, arrangement: Arrangement) -> Vec<usize> {
    let mut shape = tensor.shape.clone();
    if arrangement == Arrangement::Turned {
        shape.reverse();
    }
    shape
}
