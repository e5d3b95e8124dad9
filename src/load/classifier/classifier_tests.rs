//! Folders of classifiers that are damaged or unusual.

use super::classifier_model::{ClassifierModel, open_classifier};
use crate::load::error::LoadError;
use crate::load::text::config::peek_kind;
use crate::load::write_json;
use crate::types::{ModelKind, Problem, UserError};
use burn::tensor::Device;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

/// A copy of a golden classifier, with another config.json.
fn copy(name: &str, change: impl FnOnce(&mut Value)) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/classifiers").join(name);
    for entry in std::fs::read_dir(golden).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    let path = dir.path().join("config.json");
    let mut config = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    write_json(&path, &config).unwrap();
    dir
}

fn open(dir: &Path) -> Result<ClassifierModel, LoadError> {
    open_classifier(dir, &Device::flex(), &mut |_, _| {})
}

#[test]
fn a_head_for_classes_makes_a_classifier() {
    let dir = copy("bert", |_| {});
    assert_eq!(peek_kind(dir.path()).unwrap(), ModelKind::TextClassifier);
    let dir = copy("bert", |config| config["architectures"] = json!(["BertModel"]));
    assert_eq!(peek_kind(dir.path()).unwrap(), ModelKind::TextEncoder);
}

#[test]
fn what_scores_mean_follows_from_the_settings() {
    let problem = |change: fn(&mut Value)| open(copy("gpt2", change).path()).unwrap().tells.problem;
    assert_eq!(problem(|_| {}), Problem::OneClass);
    assert_eq!(problem(|config| config["problem_type"] = Value::Null), Problem::OneClass);
    assert_eq!(problem(|config| config["problem_type"] = json!("multi_label_classification")), Problem::SeveralClasses);
    assert_eq!(problem(|config| config["problem_type"] = json!("regression")), Problem::Numbers);
}

#[test]
fn what_is_wrong_with_a_head_is_named() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change, &[&str]); 6] = [
        ("bert", |c| c["id2label"] = json!({ "0": "a", "2": "b" }), &["id2label.1", "missing"]),
        ("bert", |c| c["id2label"] = json!({}), &["id2label", "no class"]),
        ("bert", |c| c["id2label"] = json!({ "0": "a", "1": "b" }), &["classifier.weight", "[3, 16]", "[2, 16]"]),
        ("llama", |c| c["problem_type"] = json!("ranking"), &["problem_type", "ranking", "regression"]),
        ("gpt2", |c| c["architectures"] = json!(["GPT2LMHeadModel"]), &["score.weight"]),
        ("roberta", |c| c["model_type"] = json!("bert"), &["embeddings.word_embeddings.weight", "missing"]),
    ];
    for (model, change, words) in cases {
        let dir = copy(model, change);
        let opened = if peek_kind(dir.path()).unwrap() == ModelKind::TextClassifier {
            open(dir.path()).map(|_| ())
        } else {
            crate::load::open_text_model(dir.path(), &Device::flex(), &mut |_, _| {}).map(|_| ())
        };
        let error = UserError::from(opened.expect_err(model)).to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{model}: {error}");
    }
}

#[test]
fn texts_are_cut_off_where_they_do_not_fit() {
    for name in ["bert", "gpt2"] {
        let model = open(copy(name, |_| {}).path()).unwrap();
        let (ids, left_out) = model.ids(&"a".repeat(60)).unwrap();
        let special = if name == "bert" { 2 } else { 0 };
        assert_eq!((ids.len(), left_out), (48, 60 + special - 48), "{name}");
    }
}
