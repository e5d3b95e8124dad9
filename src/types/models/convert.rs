//! What a model is converted to, and what came of it.

use serde::Serialize;
use std::path::PathBuf;

/// A format to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvertTarget {
    /// A folder in Hugging Face layout.
    Safetensors,
    /// One file.
    Gguf,
}

/// An element type to write matrices in; vectors stay F32 in GGUF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvertType {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Blocks of 32 numbers of eight bits and their scale, in GGUF alone.
    Q8_0,
}

impl ConvertType {
    /// As files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Q8_0 => "Q8_0",
        }
    }
}

/// What to convert.
#[derive(Clone, Debug)]
pub struct ConvertSpec {
    /// The model: a folder or a file.
    pub from: PathBuf,
    /// The folder or file to write, which is not there yet.
    pub to: PathBuf,
    /// Its format.
    pub target: ConvertTarget,
    /// The type of its matrices.
    pub kind: ConvertType,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Converted {
    /// Where.
    pub path: PathBuf,
    /// How many tensors.
    pub tensors: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// What has no place in the format and was left out.
    pub notes: Vec<String>,
}
