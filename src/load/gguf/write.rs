//! Writes a file: settings, a table of tensors, and the tensors one after the other, of which one is in memory at a time.

use super::header::MAGIC;
use crate::load::error::LoadError;
use crate::nn::blocks::{BlockType, encode_q8_0};
use half::f16;
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The version that is written.
const VERSION: u32 = 3;
/// What tensors are padded to.
const ALIGNMENT: usize = 32;
/// Values a thread encodes at a time: whole blocks.
const CHUNK: usize = 1 << 16;

/// A value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::load) enum Setting {
    Whole(u32),
    Fraction(f32),
    Flag(bool),
    Text(String),
    Texts(Vec<String>),
    Wholes(Vec<i32>),
    Fractions(Vec<f32>),
}

/// In which type a tensor is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum WrittenType {
    F32,
    F16,
    Q8_0,
}

impl WrittenType {
    fn ggml_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => BlockType::Q8_0.ggml_type(),
        }
    }

    fn bytes(self, elements: usize) -> usize {
        match self {
            Self::F32 => 4 * elements,
            Self::F16 => 2 * elements,
            Self::Q8_0 => elements / BlockType::Q8_0.elements() * BlockType::Q8_0.bytes(),
        }
    }

    /// Values as this type has them, each rounded to the nearest.
    fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Self::F16 => values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect(),
            Self::Q8_0 => {
                let pieces: Vec<Vec<u8>> = values
                    .par_chunks(CHUNK)
                    .map(|values| {
                        let mut blocks = Vec::new();
                        encode_q8_0(values, &mut blocks);
                        blocks
                    })
                    .collect();
                pieces.concat()
            }
        }
    }
}

/// A tensor that is to be written.
#[derive(Clone, Debug)]
pub(in crate::load) struct NewTensor {
    pub(in crate::load) name: String,
    /// The slowest axis first.
    pub(in crate::load) shape: Vec<usize>,
    pub(in crate::load) kind: WrittenType,
}

/// Writes a file in one step: it is there whole or not at all. `values` is asked for those of one tensor after the other.
///
/// # Errors
/// When it cannot be written, or `values` fails.
pub(in crate::load) fn write(
    path: &Path,
    settings: &[(String, Setting)],
    tensors: &[NewTensor],
    values: &mut dyn FnMut(usize) -> Result<Vec<f32>, LoadError>,
) -> Result<(), LoadError> {
    let failed = |source| LoadError::Write { path: path.to_owned(), source };
    crate::disk::write_with(path, |aside| {
        let mut file = BufWriter::new(File::create(aside).map_err(Unwritten::Disk)?);
        file.write_all(&header(settings, tensors)).map_err(Unwritten::Disk)?;
        for (place, tensor) in tensors.iter().enumerate() {
            let values = values(place).map_err(Unwritten::Values)?;
            let mut bytes = tensor.kind.encode(&values);
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            file.write_all(&bytes).map_err(Unwritten::Disk)?;
        }
        file.flush().map_err(Unwritten::Disk)
    })
    .map_err(|error| match error {
        Unwritten::Disk(source) => failed(source),
        Unwritten::Values(error) => error,
    })
}

/// Why a file was not written.
enum Unwritten {
    Disk(std::io::Error),
    Values(LoadError),
}

impl From<std::io::Error> for Unwritten {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

fn header(settings: &[(String, Setting)], tensors: &[NewTensor]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((settings.len() as u64).to_le_bytes());
    for (key, value) in settings {
        put_text(&mut out, key);
        put_value(&mut out, value);
    }
    let mut offset = 0;
    for tensor in tensors {
        put_text(&mut out, &tensor.name);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        tensor.shape.iter().rev().for_each(|axis| out.extend((*axis as u64).to_le_bytes()));
        out.extend(tensor.kind.ggml_type().to_le_bytes());
        out.extend((offset as u64).to_le_bytes());
        offset += tensor.kind.bytes(tensor.shape.iter().product()).next_multiple_of(ALIGNMENT);
    }
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The kind of a value, and the value. The numbers of the kinds are the format's.
fn put_value(out: &mut Vec<u8>, value: &Setting) {
    const LIST: u32 = 9;
    let list = |out: &mut Vec<u8>, kind: u32, length: usize| {
        out.extend(LIST.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((length as u64).to_le_bytes());
    };
    match value {
        Setting::Whole(number) => out.extend([4u32.to_le_bytes(), number.to_le_bytes()].concat()),
        Setting::Fraction(number) => out.extend([6u32.to_le_bytes(), number.to_le_bytes()].concat()),
        Setting::Flag(flag) => {
            out.extend(7u32.to_le_bytes());
            out.push((*flag).into());
        }
        Setting::Text(text) => {
            out.extend(8u32.to_le_bytes());
            put_text(out, text);
        }
        Setting::Texts(texts) => {
            list(out, 8, texts.len());
            texts.iter().for_each(|text| put_text(out, text));
        }
        Setting::Wholes(numbers) => {
            list(out, 5, numbers.len());
            numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
        Setting::Fractions(numbers) => {
            list(out, 6, numbers.len());
            numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
    }
}
