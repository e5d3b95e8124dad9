//! What stands before the weights of a file: its version, its settings, and where which tensor lies.

use super::cursor::Cursor;
use super::metadata::Metadata;
use super::tensor_kind::TensorKind;
use crate::load::error::LoadError;
use crate::load::file;
use memmap2::Mmap;
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file begins.
pub(super) const MAGIC: &[u8; 4] = b"GGUF";
/// Magic numbers of the formats before, as they lie in a file.
const FORMATS_BEFORE: [(&[u8; 4], &str); 4] =
    [(b"lmgg", "GGML"), (b"fmgg", "GGMF"), (b"tjgg", "GGJT"), (b"algg", "GGLA")];
/// Versions that are read.
const VERSIONS: [u32; 2] = [2, 3];
const ALIGNMENT: &str = "general.alignment";
const USUAL_ALIGNMENT: u64 = 32;
/// No file pads its tensors to more.
const WIDEST_ALIGNMENT: u64 = 1 << 20;
/// No model has more; reading their names alone would take seconds.
const MOST_TENSORS: usize = 100_000;
/// The same of settings.
const MOST_SETTINGS: usize = 100_000;
/// Axes of a tensor in ggml.
const MOST_AXES: u32 = 4;

/// Where a tensor lies and what it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    /// The slowest axis first, as everywhere but in the file.
    pub(super) shape: Vec<usize>,
    pub(super) kind: TensorKind,
    /// Its bytes in the file.
    pub(super) bytes: Range<usize>,
}

/// All that stands before the weights.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) metadata: Metadata,
    /// In the order of the file.
    pub(super) tensors: Vec<TensorInfo>,
}

impl Header {
    /// Reads the header of a file's bytes; the bytes of every tensor are within them, and of no two the same.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Self, LoadError> {
        file::refuse_pointer(path, bytes)?;
        let version = version(path, bytes)?;
        let mut cursor = Cursor::new(path, bytes, 8);
        // A tensor takes a name, axes, a type and an offset; a setting a name, a type and a value.
        let tensors = counted(&mut cursor, "the number of tensors", 24, MOST_TENSORS)?;
        let settings = counted(&mut cursor, "the number of settings", 13, MOST_SETTINGS)?;
        let metadata = Metadata::read(path, &mut cursor, settings)?;
        let alignment = metadata.whole(ALIGNMENT)?.unwrap_or(USUAL_ALIGNMENT);
        if !alignment.is_power_of_two() || !(8..=WIDEST_ALIGNMENT).contains(&alignment) {
            let problem = format!("is {alignment}, not a power of two from 8 to {WIDEST_ALIGNMENT}");
            return Err(metadata.wrong(ALIGNMENT, problem));
        }
        let mut listed = Vec::with_capacity(tensors);
        let mut names = HashMap::new();
        for place in 0..tensors {
            let entry = Entry::read(&mut cursor, place, alignment)?;
            if names.insert(entry.name.clone(), ()).is_some() {
                return Err(cursor.wrong_at(entry.at, format!("there are two tensors `{}`", entry.name)));
            }
            listed.push(entry);
        }
        let start = (cursor.at() as u64).next_multiple_of(alignment);
        let tensors =
            listed.into_iter().map(|entry| entry.placed(&cursor, start, bytes.len())).collect::<Result<_, _>>();
        let header = Self { version, metadata, tensors: tensors? };
        header.refuse_overlaps(&cursor)?;
        Ok(header)
    }

    fn refuse_overlaps(&self, cursor: &Cursor<'_>) -> Result<(), LoadError> {
        let mut order: Vec<&TensorInfo> = self.tensors.iter().collect();
        order.sort_by_key(|tensor| tensor.bytes.start);
        for pair in order.windows(2) {
            let [first, second] = [pair[0], pair[1]];
            if second.bytes.start < first.bytes.end {
                let problem = format!("the tensors `{}` and `{}` overlap", first.name, second.name);
                return Err(cursor.wrong_at(second.bytes.start, problem));
            }
        }
        Ok(())
    }
}

/// The version of a file that can be read.
fn version(path: &Path, bytes: &[u8]) -> Result<u32, LoadError> {
    let other = |found: String| LoadError::GgufVersion { path: path.to_owned(), found };
    let Some((magic, rest)) = bytes.split_first_chunk::<4>() else {
        return Err(LoadError::NotGguf { path: path.to_owned() });
    };
    if let Some((_, name)) = FORMATS_BEFORE.into_iter().find(|(before, _)| *before == magic) {
        return Err(other(format!("has the format {name}, which came before GGUF")));
    }
    if magic != MAGIC {
        return Err(LoadError::NotGguf { path: path.to_owned() });
    }
    let version = Cursor::new(path, bytes, 4).u32("the version")?;
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    let swapped = version.swap_bytes();
    // A version that is small the other way round was written by a machine that writes numbers so.
    Err(other(match (1..1 << 16).contains(&swapped) && rest.len() >= 4 {
        true => format!("is a GGUF file of version {swapped} with big-endian numbers"),
        false => format!("is a GGUF file of version {version}"),
    }))
}

fn counted(cursor: &mut Cursor<'_>, what: &str, least: usize, most: usize) -> Result<usize, LoadError> {
    let at = cursor.at();
    let count = cursor.count(what, least)?;
    match count <= most {
        true => Ok(count),
        false => Err(cursor.wrong_at(at, format!("{what} is {count}; no model has more than {most}"))),
    }
}

/// A tensor as it is listed, before it is known where the weights begin.
struct Entry {
    /// Where it is listed.
    at: usize,
    name: String,
    shape: Vec<usize>,
    kind: TensorKind,
    size: u64,
    offset: u64,
}

impl Entry {
    fn read(cursor: &mut Cursor<'_>, place: usize, alignment: u64) -> Result<Self, LoadError> {
        let at = cursor.at();
        let name = cursor.text(&format!("the name of tensor {place}"))?;
        let Ok(name) = std::str::from_utf8(name) else {
            return Err(cursor.wrong_at(at, format!("the name of tensor {place} is no text")));
        };
        let axes_at = cursor.at();
        let axes = cursor.u32(&format!("the number of axes of `{name}`"))?;
        if axes > MOST_AXES {
            return Err(cursor.wrong_at(axes_at, format!("`{name}` has {axes} axes; a tensor has {MOST_AXES} at most")));
        }
        let mut shape = Vec::new();
        let mut elements = 1u64;
        for _ in 0..axes {
            let axis_at = cursor.at();
            let length = cursor.u64(&format!("the shape of `{name}`"))?;
            let product = elements.checked_mul(length).filter(|product| *product <= i64::MAX as u64 && length > 0);
            let Some(product) = product else {
                return Err(cursor.wrong_at(axis_at, format!("`{name}` has an axis of {length}, which no tensor has")));
            };
            elements = product;
            shape.push(length as usize);
        }
        shape.reverse();
        let kind_at = cursor.at();
        let number = cursor.u32(&format!("the type of `{name}`"))?;
        let Some(kind) = TensorKind::of(number) else {
            let problem = format!("`{name}` has the element type {number}, which is not known");
            return Err(cursor.wrong_at(kind_at, problem));
        };
        let row = shape.last().copied().unwrap_or(1);
        if !row.is_multiple_of(kind.block) {
            let problem = format!("`{name}` has rows of {row}, no whole blocks of {} ({})", kind.block, kind.elements);
            return Err(cursor.wrong_at(kind_at, problem));
        }
        let Some(size) = (elements / kind.block as u64).checked_mul(kind.bytes as u64) else {
            return Err(cursor.wrong_at(kind_at, format!("`{name}` has more bytes than any file")));
        };
        let offset_at = cursor.at();
        let offset = cursor.u64(&format!("the offset of `{name}`"))?;
        if !offset.is_multiple_of(alignment) {
            let problem = format!("`{name}` lies at the offset {offset}, no multiple of {alignment}");
            return Err(cursor.wrong_at(offset_at, problem));
        }
        Ok(Self { at, name: name.to_owned(), shape, kind, size, offset })
    }

    fn placed(self, cursor: &Cursor<'_>, start: u64, length: usize) -> Result<TensorInfo, LoadError> {
        let begin = start.checked_add(self.offset);
        let end = begin.and_then(|begin| begin.checked_add(self.size)).filter(|end| *end <= length as u64);
        let (Some(begin), Some(end)) = (begin, end) else {
            let (name, size, offset) = (&self.name, self.size, self.offset);
            let problem = format!(
                "`{name}` has {size} bytes from {offset} behind byte {start} on, and the file ends at {length}: it is cut short"
            );
            return Err(cursor.wrong_at(self.at, problem));
        };
        let bytes = begin as usize..end as usize;
        Ok(TensorInfo { name: self.name, shape: self.shape, kind: self.kind, bytes })
    }
}

/// One file, mapped.
pub(in crate::load) struct GgufFile {
    pub(super) path: PathBuf,
    pub(super) map: Arc<Mmap>,
    pub(super) header: Header,
}

impl GgufFile {
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Read { path: path.to_owned(), source };
        let opened = File::open(path).map_err(unreadable)?;
        // SAFETY: the map is only read. Another process that shortens the file while its model is open would crash this one; the
        // price of excluding that is a copy of every model.
        #[expect(unsafe_code, reason = "memory-mapping a file")]
        let map = unsafe { Mmap::map(&opened) };
        let map = map.map_err(unreadable)?;
        let header = Header::read(path, &map)?;
        Ok(Self { path: path.to_owned(), map: Arc::new(map), header })
    }
}
