//! The SHA-256 of a model's weights, by which a result names the model it was made with.
//!
//! Weights as they were opened are named by their files: the bytes of all weight files one after the other in order of file
//! name, so that `sha256sum model.safetensors` (or `cat model-*.safetensors | sha256sum`) gives the same on any computer.
//! Weights changed since are named by what is in memory: of each tensor, in order of name, its name, a zero byte, and its
//! values as little-endian F32.

use crate::load::classifier::classifier_model::ClassifierModel;
use crate::load::classifier::save;
use crate::load::digit::digit_model::{self, DigitModel};
use crate::load::error::LoadError;
use crate::load::source::source;
use crate::load::tensors::weights::StoredTensor;
use crate::load::text::family;
use crate::load::text::text_model::TextModel;
use crate::load::tokens::tokenizer::Tokenizer;
use crate::load::vision::vision_model::VisionModel;
use crate::load::vision::vision_weights;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes hashed in one step.
const CHUNK: usize = 8 << 20;

/// Hashes weight files a stretch at a time.
pub struct FileFingerprint {
    hasher: Sha256,
    /// Those not begun, the next one last.
    waiting: Vec<PathBuf>,
    open: Option<(PathBuf, File)>,
    buffer: Vec<u8>,
    done: u64,
    total: u64,
}

impl FileFingerprint {
    /// To hash the weight files of a folder.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    pub fn new(dir: &Path) -> Result<Self, LoadError> {
        let mut waiting = source(dir).weight_paths()?;
        waiting.sort();
        let size = |path: &PathBuf| std::fs::metadata(path).map(|data| data.len()).map_err(|e| unreadable(path, e));
        let total = waiting.iter().map(size).sum::<Result<u64, _>>()?;
        waiting.reverse();
        Ok(Self { hasher: Sha256::new(), waiting, open: None, buffer: vec![0; CHUNK], done: 0, total })
    }

    /// Hashes the next stretch; the digest in hexadecimal digits once everything is read.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn step(&mut self) -> Result<Option<String>, LoadError> {
        if self.open.is_none() {
            let Some(path) = self.waiting.pop() else { return Ok(Some(hexadecimal(self.hasher.clone()))) };
            let file = File::open(&path).map_err(|error| unreadable(&path, error))?;
            self.open = Some((path, file));
        }
        if let Some((path, file)) = &mut self.open {
            let read = file.read(&mut self.buffer).map_err(|error| unreadable(path, error))?;
            self.hasher.update(&self.buffer[..read]);
            self.done += read as u64;
            if read == 0 {
                self.open = None;
            }
        }
        Ok(None)
    }

    /// Bytes hashed, and all.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.done, self.total)
    }
}

/// The digest of a causal model's weights in memory, in hexadecimal digits.
#[must_use]
pub fn text_fingerprint(model: &TextModel) -> String {
    of_tensors(family::stored_tensors(&model.lm))
}

/// The digest of the weights of a classifier of texts in memory, in hexadecimal digits.
#[must_use]
pub fn classifier_fingerprint(model: &ClassifierModel) -> String {
    of_tensors(save::stored_tensors(model))
}

/// The digest of a digit network's weights in memory, in hexadecimal digits.
#[must_use]
pub fn digit_fingerprint(model: &DigitModel) -> String {
    of_tensors(digit_model::stored_tensors(&model.config, &model.net))
}

/// The digest of a vision transformer's weights in memory, in hexadecimal digits.
#[must_use]
pub fn vision_fingerprint(model: &VisionModel) -> String {
    of_tensors(vision_weights::write(&model.vit, &model.config))
}

/// The digest of a tokenizer, in hexadecimal digits.
///
/// # Errors
/// When it cannot be written as tokenizer.json.
pub fn tokenizer_fingerprint(tokenizer: &Tokenizer) -> Result<String, LoadError> {
    Ok(hexadecimal(Sha256::new_with_prefix(tokenizer.to_json()?)))
}

fn of_tensors(mut tensors: Vec<(String, StoredTensor)>) -> String {
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hasher = Sha256::new();
    for (name, tensor) in tensors {
        hasher.update(name.as_bytes());
        hasher.update([0]);
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        hasher.update(&bytes);
    }
    hexadecimal(hasher)
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(path: &Path, source: std::io::Error) -> LoadError {
    LoadError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::open_text_model;
    use crate::load::tensors::container::WEIGHTS_FILE;
    use burn::tensor::Device;

    fn of_files(dir: &Path) -> String {
        let mut files = FileFingerprint::new(dir).unwrap();
        loop {
            if let Some(digest) = files.step().unwrap() {
                assert_eq!(files.progress().0, files.progress().1);
                return digest;
            }
        }
    }

    #[test]
    fn a_single_file_has_the_digest_any_other_tool_gives_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(WEIGHTS_FILE), b"abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(of_files(dir.path()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn shards_are_one_file_after_the_other_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let index = serde_json::json!({ "weight_map": { "x": "m-2.safetensors", "y": "m-1.safetensors" } });
        std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
        std::fs::write(dir.path().join("m-1.safetensors"), b"a").unwrap();
        std::fs::write(dir.path().join("m-2.safetensors"), b"bc").unwrap();
        assert_eq!(of_files(dir.path()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        std::fs::remove_file(dir.path().join("m-2.safetensors")).unwrap();
        assert!(matches!(FileFingerprint::new(dir.path()), Err(LoadError::MissingShard { .. })));
    }

    #[test]
    fn weights_in_memory_are_named_by_their_values() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/llama");
        let open = || open_text_model(&dir, &Device::flex(), &mut |_, _| {}).unwrap();
        let (first, mut second) = (open(), open());
        assert_eq!(text_fingerprint(&first), text_fingerprint(&second));
        if let crate::nn::CausalLm::Llama(llama) = &mut second.lm {
            llama.norm_final.gain = burn::module::Param::from_tensor(llama.norm_final.gain.val() + 1e-3);
        }
        assert_ne!(text_fingerprint(&first), text_fingerprint(&second));
        assert_eq!(text_fingerprint(&first).len(), 64);
    }
}
