//! Weights in several files: whole, incomplete, and saying things twice.

use crate::load::folder_tests::{CAUSAL, check_complaint, copy, golden, logits, open};
use crate::load::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A golden model whose first block lies in one file and the rest in another, as an index says. `also` adds a tensor of the
/// first file to the second.
fn sharded(name: &str, also: Option<&str>) -> TempDir {
    let dir = copy(name);
    let whole = std::fs::read(dir.path().join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&whole).unwrap();
    let mut map = Map::new();
    for (file, is_first) in [(FIRST, true), (SECOND, false)] {
        let first_block = |name: &str| name.contains("layers.0.") || name.contains("h.0.");
        let part: Vec<_> = tensors.iter().filter(|(name, _)| first_block(name) == is_first).collect();
        map.extend(part.iter().map(|(name, _)| ((*name).to_owned(), file.into())));
        let twice = also.filter(|_| !is_first).map(|name| (name, tensors.tensor(name).unwrap()));
        std::fs::write(dir.path().join(file), safetensors::serialize(part.into_iter().chain(twice), None).unwrap())
            .unwrap();
    }
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    write_index(dir.path(), &map);
    dir
}

fn write_index(dir: &Path, map: &Map<String, Value>) {
    write_json(&dir.join(INDEX), &json!({ "metadata": { "total_size": 1 }, "weight_map": map })).unwrap();
}

#[test]
fn weights_in_several_files_are_read() {
    for name in CAUSAL {
        let dir = sharded(name, None);
        assert_eq!(logits(&open(dir.path()).unwrap()), logits(&open(&golden(name)).unwrap()), "{name}");
    }
}

#[test]
fn a_missing_file_is_named_with_a_tensor_of_it() {
    let dir = sharded("mistral", None);
    std::fs::remove_file(dir.path().join(FIRST)).unwrap();
    check_complaint(dir.path(), &[INDEX, FIRST, "model.layers.0.input_layernorm.weight", "8 others"]);
}

#[test]
fn an_index_that_names_no_file_of_weights_is_refused() {
    let dir = sharded("llama", None);
    for file in ["config.json", "tokenizer.json", "pytorch_model.bin", INDEX] {
        write_index(dir.path(), json!({ "lm_head.weight": file }).as_object().unwrap());
        check_complaint(dir.path(), &[INDEX, "weight_map.lm_head.weight", file, "no file of weights"]);
    }
}

#[test]
fn a_tensor_in_two_files_is_named_with_both() {
    let twice = "model.layers.0.self_attn.q_norm.weight";
    let dir = sharded("qwen3", Some(twice));
    check_complaint(dir.path(), &[FIRST, SECOND, twice]);
}

#[test]
fn a_tensor_that_its_file_lacks_is_named_with_that_file() {
    let dir = sharded("gemma2", None);
    let mut map: Map<String, Value> = {
        let index: Value = serde_json::from_slice(&std::fs::read(dir.path().join(INDEX)).unwrap()).unwrap();
        index["weight_map"].as_object().unwrap().clone()
    };
    let lost = "model.layers.0.post_feedforward_layernorm.weight";
    let bytes = std::fs::read(dir.path().join(FIRST)).unwrap();
    let rest: Vec<_> = SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != lost)
        .map(|(n, t)| (n.to_owned(), t.dtype(), t.shape().to_vec(), t.data().to_vec()))
        .collect();
    let views = rest.iter().map(|(n, d, s, data)| (n, TensorView::new(*d, s.clone(), data).unwrap()));
    std::fs::write(dir.path().join(FIRST), safetensors::serialize(views, None).unwrap()).unwrap();
    check_complaint(dir.path(), &[FIRST, lost, "missing"]);
    map.remove(lost);
    write_index(dir.path(), &map);
    check_complaint(dir.path(), &[INDEX, lost, "missing"]);
}

#[test]
fn an_element_type_that_is_no_weight_is_named_with_its_file() {
    let dir = sharded("qwen2", None);
    let bytes = std::fs::read(dir.path().join(FIRST)).unwrap();
    let name = "model.layers.0.self_attn.k_proj.bias";
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let quantised = vec![0; tensors.tensor(name).unwrap().shape()[0]];
    let views = tensors.iter().map(|(n, t)| match n == name {
        true => (n, TensorView::new(Dtype::I8, t.shape().to_vec(), &quantised).unwrap()),
        false => (n, t),
    });
    let rewritten = safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap();
    std::fs::write(dir.path().join(FIRST), rewritten).unwrap();
    check_complaint(dir.path(), &[FIRST, name, "I8"]);
}

#[test]
fn an_index_that_is_empty_or_leads_elsewhere() {
    let dir = sharded("llama", None);
    write_index(dir.path(), &Map::new());
    check_complaint(dir.path(), &[INDEX, "weight_map", "empty"]);
    for file in ["../elsewhere.safetensors", "a\\b.safetensors"] {
        write_index(dir.path(), &Map::from_iter([("lm_head.weight".to_owned(), file.into())]));
        check_complaint(dir.path(), &["weight_map.lm_head.weight", "not a file name"]);
    }
    write_json(&dir.path().join(INDEX), &json!({ "weight_map": { "lm_head.weight": 3 } })).unwrap();
    check_complaint(dir.path(), &["weight_map.lm_head.weight", "3"]);
}
