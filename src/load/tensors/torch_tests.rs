//! PyTorch's own files give what safetensors files give, and nothing in them is run.

use crate::load::*;
use crate::nn::Hooks;
use crate::types::UserError;
use burn::tensor::Device;
use std::path::PathBuf;
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The golden model without its weights, and with these files in their place: name in the collection, name in the folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(golden("llama-tied").join(file), dir.path().join(file)).unwrap();
    }
    for (from, to) in files {
        std::fs::copy(golden("torch").join(from), dir.path().join(to)).unwrap();
    }
    dir
}

fn open(dir: &Path) -> Result<TextModel, LoadError> {
    open_text_model(dir, &Device::flex(), &mut |_, _| {})
}

fn logits(model: &TextModel) -> Vec<f32> {
    let ids = model.lm.ids(&[3, 14, 15, 9, 2, 6]);
    model.lm.forward_cached(ids, &mut model.lm.new_state(), &mut Hooks::off()).into_data().iter().collect()
}

#[test]
fn whole_and_in_shards_the_weights_are_the_same() {
    let expected = open(&golden("llama-tied")).unwrap();
    let index = "pytorch_model.bin.index.json";
    for files in [
        [("whole.bin", "pytorch_model.bin")].as_slice(),
        &[("index.json", index), ("shard-1.bin", "shard-1.bin"), ("shard-2.bin", "shard-2.bin")],
    ] {
        let mut last = (0, 0);
        let dir = folder(files);
        let model = open_text_model(dir.path(), &Device::flex(), &mut |done, total| last = (done, total)).unwrap();
        assert_eq!(logits(&model), logits(&expected), "{files:?}");
        assert_eq!(model.info.precision, expected.info.precision);
        assert!(last.0 == last.1 && last.1 > 10_000, "{last:?}");
    }
}

#[test]
fn safetensors_come_first() {
    let dir = folder(&[("runs-code.bin", "pytorch_model.bin")]);
    std::fs::copy(golden("llama-tied").join("model.safetensors"), dir.path().join("model.safetensors")).unwrap();
    assert!(open(dir.path()).is_ok());
}

#[test]
fn nothing_in_a_file_is_run() {
    let dir = folder(&[("runs-code.bin", "pytorch_model.bin")]);
    let error = UserError::from(open(dir.path()).map(|model| model.info).unwrap_err()).to_string();
    assert!(error.contains("pytorch_model.bin"), "{error}");
    assert!(!Path::new("executed").exists() && !dir.path().join("executed").exists());
}

#[test]
fn damaged_files_are_named() {
    let whole = std::fs::read(golden("torch").join("whole.bin")).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"<!DOCTYPE html><html></html>", b""] {
        let dir = folder(&[]);
        std::fs::write(dir.path().join("pytorch_model.bin"), damaged).unwrap();
        let error = UserError::from(open(dir.path()).map(|model| model.info).unwrap_err()).to_string();
        assert!(error.contains("pytorch_model.bin"), "{error}");
    }
    let dir = folder(&[("index.json", "pytorch_model.bin.index.json"), ("shard-1.bin", "shard-1.bin")]);
    let error = UserError::from(open(dir.path()).map(|model| model.info).unwrap_err()).to_string();
    assert!(error.contains("shard-2.bin"), "{error}");
}
