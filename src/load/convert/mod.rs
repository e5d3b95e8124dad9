//! A model from one format to another: a folder in Hugging Face layout, or one file in GGUF.
//!
//! What the other format has no place for is refused by name, or told where it changes nothing that the model computes.

mod described;
mod spelled;
mod tensors;
mod to_folder;
mod to_gguf;

#[cfg(test)]
mod convert_tests;

use crate::load::classifier::class_settings;
use crate::load::error::LoadError;
use crate::load::source::source;
use crate::types::{ConvertSpec, ConvertTarget, Converted, ModelKind};
use std::path::{Path, PathBuf};

/// Converts a model. The result is there whole or not at all.
///
/// # Errors
/// When the model cannot be read, the format has no place for something of it, or the result cannot be written.
pub fn convert(spec: &ConvertSpec) -> Result<Converted, LoadError> {
    if spec.to.exists() {
        return Err(LoadError::AlreadyThere { path: spec.to.clone() });
    }
    let fields = source(&spec.from).config()?;
    if class_settings::kind(&fields)? == ModelKind::TextClassifier {
        let supported = "models that continue texts, and encoders without a head for classes";
        return Err(fields.unsupported("architectures", &"a classifier of texts", supported));
    }
    match spec.target {
        ConvertTarget::Gguf => to_gguf::convert(spec),
        ConvertTarget::Safetensors => to_folder::convert(spec),
    }
}

/// What a written path takes.
fn bytes_of(path: &Path) -> u64 {
    let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |data| data.len());
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| size(entry.path())).sum(),
        Err(_) => size(path.to_owned()),
    }
}
