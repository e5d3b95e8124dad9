//! Models of each architecture: the scores that transformers gives for what they were made of (`tests/golden/make_gguf.py`).

use crate::load::error::LoadError;
use crate::load::{
    TextModel, list_tensors, open_encoder_model, open_text_model, peek_architecture, read_card, tensor_stats,
};
use crate::nn::{EncoderBatch, Hooks, in_full_precision};
use crate::types::{Architecture, UserError};
use burn::tensor::Device;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

const IDS: [u32; 13] = [7, 3, 9, 9, 3, 12, 7, 3, 20, 9, 31, 45, 2];
/// As in tests/parity.rs: sums in another order.
const TOLERANCE: f32 = 1e-5;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gguf").join(name)
}

fn expected(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(golden("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor(name).unwrap();
    tensor.data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn open(path: &Path) -> Result<TextModel, LoadError> {
    open_text_model(path, &Device::flex(), &mut |_, _| {})
}

fn scores(model: &TextModel) -> Vec<f32> {
    let scores = model.lm.forward(model.lm.ids(&IDS), &mut Hooks::off());
    scores.into_data().iter().collect()
}

fn assert_close(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let off = found.iter().zip(expected).fold(0.0f32, |off, (a, b)| off.max((a - b).abs()));
    assert!(off <= TOLERANCE * largest, "{name}: off by {off} where the largest is {largest}");
}

#[test]
fn decoders_compute_what_transformers_does_with_the_model_they_were_made_of() {
    let models = [
        ("gpt2", Architecture::Gpt2),
        ("gpt-neox", Architecture::GptNeox),
        ("llama", Architecture::Llama),
        ("llama-tied", Architecture::Llama),
        ("llama3", Architecture::Llama),
        ("mistral", Architecture::Mistral),
        ("qwen2", Architecture::Qwen2),
        ("qwen3", Architecture::Qwen3),
        ("gemma2", Architecture::Gemma2),
        ("mixed", Architecture::Llama),
    ];
    for (name, architecture) in models {
        let path = golden(&format!("{name}.gguf"));
        assert_eq!(peek_architecture(&path).unwrap(), architecture, "{name}");
        let model = open(&path).unwrap_or_else(|error| panic!("{name}: {}", UserError::from(error)));
        assert_eq!(model.info.name, name);
        // The values that blocks stand for; what is multiplied in blocks rounds activations, too.
        let whole = TextModel { lm: in_full_precision(model.lm.clone()), ..model };
        assert_close(name, &scores(&whole), &expected(name));
    }
}

#[test]
fn blocks_are_multiplied_where_they_lie_as_nearly_as_eight_bits_of_activations_allow() {
    let (model, expected) = (open(&golden("mixed.gguf")).unwrap(), expected("mixed"));
    let quantised = model.info.quantised.as_ref().unwrap();
    assert_eq!(model.info.element_type(), quantised.name);
    let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let off = scores(&model).iter().zip(&expected).fold(0.0f32, |off, (a, b)| off.max((a - b).abs()));
    assert!(off > 0.0 && off < 0.03 * largest, "off by {off} where the largest is {largest}");
}

#[test]
fn an_encoder_computes_what_transformers_does_with_the_model_it_was_made_of() {
    let model = open_encoder_model(&golden("bert.gguf"), &Device::flex(), &mut |_, _| {}).unwrap();
    let batch = EncoderBatch::one(&IDS);
    let output = model.encoder.forward(&batch, &mut Hooks::off());
    let found: Vec<f32> = output.hidden.into_data().iter().collect();
    assert_close("bert", &found, &expected("bert"));
    assert!(model.reads.is_sentence_model, "the file says how tokens become one vector");
}

#[test]
fn a_folder_with_one_file_is_that_file_and_several_are_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(golden("llama.gguf"), dir.path().join("tiny.gguf")).unwrap();
    std::fs::write(dir.path().join("mmproj-tiny.gguf"), b"GGUF").unwrap();
    assert_eq!(scores(&open(dir.path()).unwrap()), scores(&open(&golden("llama.gguf")).unwrap()));
    std::fs::copy(golden("llama.gguf"), dir.path().join("other.gguf")).unwrap();
    let error = UserError::from(open(dir.path()).unwrap_err()).to_string();
    assert!(error.contains("tiny.gguf") && error.contains("other.gguf"), "{error}");
    let missing = UserError::from(open(&dir.path().join("none.gguf")).unwrap_err()).to_string();
    assert!(missing.contains("none.gguf is not there"), "{missing}");
}

#[test]
fn any_part_of_a_model_leads_to_all_of_it_and_missing_ones_are_named() {
    let expected = scores(&open(&golden("llama3.gguf")).unwrap());
    for part in ["parts-00001-of-00002.gguf", "parts-00002-of-00002.gguf"] {
        let model = open(&golden(part)).unwrap();
        assert_eq!((model.info.name.as_str(), scores(&model)), ("parts", expected.clone()), "{part}");
    }
    let dir = tempfile::tempdir().unwrap();
    let second = dir.path().join("parts-00002-of-00002.gguf");
    std::fs::copy(golden("parts-00002-of-00002.gguf"), &second).unwrap();
    let told = |path: &Path| UserError::from(open(path).unwrap_err()).to_string();
    assert!(told(&second).contains("parts-00001-of-00002.gguf is not beside it"), "{}", told(&second));
    // A part of another model in the place of the first.
    std::fs::copy(golden("llama.gguf"), dir.path().join("parts-00001-of-00002.gguf")).unwrap();
    assert!(told(&second).contains("split.count"), "{}", told(&second));
    // By another name a part is no model.
    std::fs::copy(&second, dir.path().join("other.gguf")).unwrap();
    assert!(told(&dir.path().join("other.gguf")).contains("split.count"));
}

#[test]
fn a_file_of_ollama_is_found_by_its_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let hash = "a".repeat(64);
    let manifest = dir.path().join("manifests/registry.ollama.ai/library/tiny/1b");
    std::fs::create_dir_all(manifest.parent().unwrap()).unwrap();
    std::fs::create_dir_all(dir.path().join("blobs")).unwrap();
    std::fs::copy(golden("llama.gguf"), dir.path().join(format!("blobs/sha256-{hash}"))).unwrap();
    let layers = format!(
        r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:0"}},
        {{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{hash}","size":1}}]}}"#
    );
    std::fs::write(&manifest, layers).unwrap();
    let model = open(&manifest).unwrap();
    assert_eq!(model.info.name, "tiny:1b");
    // The file itself has no ending, and is one all the same.
    assert!(open(&dir.path().join(format!("blobs/sha256-{hash}"))).is_ok());
    // A hash that leads elsewhere is none.
    std::fs::write(&manifest, std::fs::read_to_string(&manifest).unwrap().replace(&hash, "../../x")).unwrap();
    assert!(open(&manifest).is_err());
}

#[test]
fn cards_and_tables_tell_the_type_and_the_bytes_of_each_tensor() {
    let path = golden("mixed.gguf");
    let tensors = list_tensors(&path).unwrap();
    let of = |name: &str| tensors.iter().find(|tensor| tensor.name == name).unwrap();
    let (embedding, query) = (of("model.embed_tokens.weight"), of("model.layers.0.self_attn.q_proj.weight"));
    assert_eq!((embedding.dtype.as_str(), embedding.bytes), ("Q8_0", 64 * 256 / 32 * 34));
    assert_eq!((query.dtype.as_str(), query.bytes, query.shape.as_slice()), ("Q4_K", 64 * 144, &[64, 256][..]));
    let stats = tensor_stats(&path, &query.name, &|| true).unwrap().unwrap();
    assert!(stats.count == 64 * 256 && stats.std > 0.0 && stats.nan == 0);
    let card = read_card(&path).unwrap();
    assert_eq!((card.architecture, card.layers, card.vocabulary), (Some(Architecture::Llama), Some(2), Some(64)));
    let elements: usize = tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    assert_eq!(card.parameters, Some(elements as u64));
    assert!(card.text.unwrap().contains("llama.block_count"));
}

/// A copy of a file in which one stretch of bytes is another.
fn changed(name: &str, from: &[u8], to: &[u8]) -> (tempfile::TempDir, PathBuf) {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(golden(name)).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

#[test]
fn another_architecture_is_described_and_refused_by_name() {
    let mut name = b"general.architecture".to_vec();
    let value = |text: &str| [&8u32.to_le_bytes()[..], &(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let (from, to) = ([name.clone(), value("llama")].concat(), [name.clone(), value("mamba")].concat());
    name.clear();
    let (_dir, path) = changed("llama.gguf", &from, &to);
    let error = UserError::from(open(&path).unwrap_err()).to_string();
    assert!(error.contains("`mamba` is not supported") && error.contains("Llama"), "{error}");
    let card = read_card(&path).unwrap();
    assert_eq!((card.architecture, card.architecture_name.as_str()), (None, "mamba"));
}

#[test]
fn one_tensor_of_a_type_that_is_not_read_is_named() {
    // The last tensor listed of its kind: 32-bit rows of 32 as IQ4_NL (20), which are 18 bytes for 32 elements.
    let mut from = b"blk.1.ffn_norm.weight".to_vec();
    from.extend([1u32.to_le_bytes().as_slice(), &32u64.to_le_bytes()].concat());
    let mut to = from.clone();
    from.extend(0u32.to_le_bytes());
    to.extend(20u32.to_le_bytes());
    let (_dir, path) = changed("llama.gguf", &from, &to);
    let error = UserError::from(open(&path).unwrap_err()).to_string();
    assert!(error.contains("model.layers.1.post_attention_layernorm.weight") && error.contains("IQ4_NL"), "{error}");
    assert!(error.contains("Q4_K"), "what is read is named: {error}");
}

#[test]
fn settings_are_called_what_the_file_calls_them() {
    let mut from = b"llama.embedding_length".to_vec();
    from.extend(4u32.to_le_bytes());
    let mut to = from.clone();
    from.extend(32u32.to_le_bytes());
    to.extend(0u32.to_le_bytes());
    let (_dir, path) = changed("llama.gguf", &from, &to);
    let error = UserError::from(open(&path).unwrap_err()).to_string();
    assert!(error.contains("`llama.embedding_length` is 0"), "{error}");
}

#[test]
fn a_file_that_is_cut_short_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    let bytes = std::fs::read(golden("llama.gguf")).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let error = UserError::from(open(&path).unwrap_err()).to_string();
    assert!(error.contains("m.gguf is damaged at byte") && error.contains("cut short"), "{error}");
}
