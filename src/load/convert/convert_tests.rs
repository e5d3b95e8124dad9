//! Models there and back again: what they compute stays what it was, and what has no place is refused.

use super::convert;
use crate::load::error::LoadError;
use crate::load::{TextModel, list_tensors, open_encoder_model, open_text_model, read_card};
use crate::nn::{EncoderBatch, Hooks, in_full_precision};
use crate::types::{ConvertSpec, ConvertTarget, ConvertType, Converted, UserError};
use burn::tensor::Device;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const IDS: [u32; 10] = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A golden model whose config.json and tokenizer.json are changed a little: GGUF has no place for some of what they have.
fn folder(name: &str, changes: &[(&str, Value)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root("tests/golden").join(name)).unwrap().flatten() {
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let edit = |file: &str, change: &dyn Fn(&mut Value)| {
        let path = dir.path().join(file);
        let Ok(text) = std::fs::read(&path) else { return };
        let mut json: Value = serde_json::from_slice(&text).unwrap();
        change(&mut json);
        std::fs::write(path, json.to_string()).unwrap();
    };
    edit("config.json", &|config| changes.iter().for_each(|(field, value)| config[field] = value.clone()));
    edit("tokenizer.json", &|tokenizer| tokenizer["pre_tokenizer"]["use_regex"] = json!(true));
    dir
}

fn run(from: &Path, to: &Path, kind: ConvertType) -> Result<Converted, LoadError> {
    let target = if to.extension().is_some() { ConvertTarget::Gguf } else { ConvertTarget::Safetensors };
    convert(&ConvertSpec { from: from.to_owned(), to: to.to_owned(), target, kind })
}

fn open(path: &Path) -> TextModel {
    open_text_model(path, &Device::flex(), &mut |_, _| {}).unwrap_or_else(|e| panic!("{}", UserError::from(e)))
}

fn scores(model: &TextModel) -> Vec<f32> {
    model.lm.forward(model.lm.ids(&IDS), &mut Hooks::off()).into_data().iter().collect()
}

/// The largest difference, as a share of the largest value.
fn off(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    a.iter().zip(b).fold(0.0f32, |off, (a, b)| off.max((a - b).abs())) / largest
}

#[test]
fn there_and_back_again_a_model_computes_what_it_did() {
    let gemma2 = [("query_pre_attn_scalar", json!(8))];
    let qwen2 = [("use_sliding_window", json!(false)), ("layer_types", Value::Null), ("sliding_window", Value::Null)];
    let models: [(&str, &[(&str, Value)]); 9] = [
        ("gpt2", &[]),
        ("gpt-neox", &[]),
        ("llama", &[]),
        ("llama-tied", &[]),
        ("llama3", &[]),
        ("mistral", &[]),
        ("qwen2", &qwen2),
        ("qwen3", &[]),
        ("gemma2", &gemma2),
    ];
    for (name, changes) in models {
        let (original, scratch) = (folder(name, changes), tempfile::tempdir().unwrap());
        let (file, back) = (scratch.path().join("m.gguf"), scratch.path().join("back"));
        let written = run(original.path(), &file, ConvertType::F32).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(written.bytes, std::fs::metadata(&file).unwrap().len());
        run(&file, &back, ConvertType::F32).unwrap_or_else(|e| panic!("{name}: {e}"));
        let [first, second, third] = [original.path(), &file, &back].map(open);
        let expected = scores(&first);
        // Gains of Gemma are rounded once, and frequencies of Llama 3 come out of a table in F32.
        for found in [&second, &third] {
            assert!(off(&scores(found), &expected) < 2e-6, "{name}: {}", off(&scores(found), &expected));
        }
        assert_eq!(third.config.layers(), first.config.layers());
        assert_eq!((third.bos, &third.eos), (first.bos, &first.eos), "{name}");
        let text = "the abc";
        assert_eq!(second.tokenizer.ids(text).unwrap(), first.tokenizer.ids(text).unwrap(), "{name}");
        assert_eq!(third.tokenizer.ids(text).unwrap(), first.tokenizer.ids(text).unwrap(), "{name}");
        let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left.len(), 2, "nothing is left beside them: {left:?}");
    }
}

#[test]
fn one_table_under_the_name_of_the_head_is_the_embedding() {
    let (original, scratch) = (folder("llama-tied", &[]), tempfile::tempdir().unwrap());
    let expected = scores(&open(original.path()));
    let weights = original.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let renamed = tensors.tensors().into_iter().map(|(name, tensor)| {
        let is_table = name == "model.embed_tokens.weight";
        (if is_table { "lm_head.weight".to_owned() } else { name }, tensor)
    });
    let renamed: Vec<_> = renamed.collect();
    std::fs::write(&weights, safetensors::serialize(renamed, None).unwrap()).unwrap();
    let (file, other) = (scratch.path().join("m.gguf"), scratch.path().join("other"));
    run(original.path(), &file, ConvertType::F32).unwrap();
    run(original.path(), &other, ConvertType::F32).unwrap();
    for path in [&file, &other] {
        assert!(off(&scores(&open(path)), &expected) < 2e-6, "{}", path.display());
    }
}

#[test]
fn an_encoder_keeps_its_vectors_and_its_words() {
    let (original, scratch) = (root("tests/golden/bert"), tempfile::tempdir().unwrap());
    let file = scratch.path().join("m.gguf");
    let written = run(&original, &file, ConvertType::F32).unwrap();
    assert!(written.notes[0].contains("head"), "{:?}", written.notes);
    let open = |path: &Path| open_encoder_model(path, &Device::flex(), &mut |_, _| {}).unwrap();
    let [first, second] = [original.as_path(), &file].map(open);
    let vectors = |model: &crate::load::EncoderModel| -> Vec<f32> {
        model.encoder.forward(&EncoderBatch::one(&IDS), &mut Hooks::off()).hidden.into_data().iter().collect()
    };
    assert!(off(&vectors(&second), &vectors(&first)) < 1e-6);
    for text in ["hello world", "unaffable playing [MASK]", "caf\u{e9} a1!"] {
        assert_eq!(second.tokenizer.ids(text).unwrap(), first.tokenizer.ids(text).unwrap(), "{text}");
    }
    let back = scratch.path().join("back");
    run(&file, &back, ConvertType::F16).unwrap();
    assert!(off(&vectors(&open(&back)), &vectors(&first)) < 1e-2);
}

#[test]
fn matrices_have_the_type_that_was_asked_for_and_vectors_stay_whole() {
    let (original, scratch) = (folder("llama", &[]), tempfile::tempdir().unwrap());
    let expected = scores(&open(original.path()));
    for (kind, name, tolerance) in [(ConvertType::F16, "F16", 1e-6), (ConvertType::Q8_0, "Q8_0", 0.05)] {
        let file = scratch.path().join(format!("{name}.gguf"));
        run(original.path(), &file, kind).unwrap();
        let tensors = list_tensors(&file).unwrap();
        let of = |end: &str| &tensors.iter().find(|tensor| tensor.name.ends_with(end)).unwrap().dtype;
        assert_eq!((of("q_proj.weight").as_str(), of("norm.weight").as_str()), (name, "F32"));
        assert!(off(&scores(&open(&file)), &expected) < tolerance, "{name}");
    }
    // Rows of 48 do not fill blocks of 32.
    let tensors = list_tensors(&scratch.path().join("Q8_0.gguf")).unwrap();
    assert_eq!(tensors.iter().find(|tensor| tensor.name.ends_with("down_proj.weight")).unwrap().dtype, "F16");
    // One file in GGUF to another.
    run(&scratch.path().join("Q8_0.gguf"), &scratch.path().join("again.gguf"), ConvertType::F16).unwrap();
    assert!(off(&scores(&open(&scratch.path().join("again.gguf"))), &expected) < 0.05);
}

#[test]
fn the_shipped_model_keeps_its_tokens_and_its_words() {
    let scratch = tempfile::tempdir().unwrap();
    let (file, back) = (scratch.path().join("sprout.gguf"), scratch.path().join("sprout"));
    let original = root("models/sprout");
    run(&original, &file, ConvertType::F16).unwrap();
    run(&file, &back, ConvertType::F16).unwrap();
    let [first, second, third] = [&original, &file, &back].map(|path| open(path));
    for text in ["The cat sat on the mat.", "  12 caf\u{e9} \u{1F642}\n\nend ", "<|endoftext|>x"] {
        let ids = first.tokenizer.ids(text).unwrap();
        assert_eq!(second.tokenizer.ids(text).unwrap(), ids, "{text}");
        assert_eq!(third.tokenizer.ids(text).unwrap(), ids, "{text}");
    }
    assert_eq!(scores(&third), scores(&first), "half precision stays what it was");
    let [card, own] = [&file, &original].map(|path| read_card(path).unwrap());
    assert_eq!((card.parameters, card.context), (own.parameters, own.context));
}

#[test]
fn blocks_become_numbers() {
    let scratch = tempfile::tempdir().unwrap();
    let (file, back) = (root("tests/golden/gguf/mixed.gguf"), scratch.path().join("back"));
    run(&file, &back, ConvertType::F32).unwrap();
    // In blocks, activations are rounded, too.
    let file = open(&file);
    let whole = TextModel { lm: in_full_precision(file.lm.clone()), ..file };
    assert_eq!(scores(&open(&back)), scores(&whole));
}

#[test]
fn what_has_no_place_is_refused_by_name_and_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let told = |from: &Path, to: &str, kind| {
        let error = run(from, &scratch.path().join(to), kind).unwrap_err();
        UserError::from(error).to_string()
    };
    let gemma = folder("gemma2", &[]);
    assert!(told(gemma.path(), "a.gguf", ConvertType::F16).contains("`query_pre_attn_scalar` = 12"));
    let qwen = folder("qwen2", &[]);
    assert!(told(qwen.path(), "b.gguf", ConvertType::F16).contains("`use_sliding_window` = true"));
    let words = told(&root("tests/golden/llama"), "c.gguf", ConvertType::F16);
    assert!(words.contains("pre_tokenizer") && words.contains("SmolLM"), "{words}");
    assert!(told(&root("tests/golden/roberta"), "d.gguf", ConvertType::F16).contains("RoBERTa"));
    assert!(told(&root("tests/golden/llama"), "e", ConvertType::Q8_0).contains("q8_0"));
    assert!(told(&root("tests/golden/none"), "f", ConvertType::F16).contains("none is not there"));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left of what was begun");
    std::fs::write(scratch.path().join("there.gguf"), "mine").unwrap();
    assert!(told(&root("models/sprout"), "there.gguf", ConvertType::F16).contains("is there already"));
    assert_eq!(std::fs::read_to_string(scratch.path().join("there.gguf")).unwrap(), "mine");
}
