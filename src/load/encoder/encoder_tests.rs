//! Folders of encoders and vision transformers that are damaged, or ask for what is not computed.

use crate::load::*;
use crate::types::{Pooling, UserError};
use burn::tensor::Device;
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// A copy of a golden model that can be damaged.
fn copy(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden(name)).unwrap().map(Result::unwrap) {
        if entry.file_name() != "reference.safetensors" {
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
    }
    dir
}

fn edit(dir: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = dir.join(file);
    let mut value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    write_json(&path, &value).unwrap();
}

fn open(dir: &Path) -> Result<(), LoadError> {
    use crate::types::ModelKind;
    let device = Device::flex();
    match peek_architecture(dir)?.kind() {
        ModelKind::ImageClassifier => open_vision_model(dir, &device, &mut |_, _| {}).map(|_| ()),
        _ => open_encoder_model(dir, &device, &mut |_, _| {}).map(|_| ()),
    }
}

/// The error a damaged folder gives, as a person reads it; every one of `words` must be in it.
fn check_complaint(dir: &Path, words: &[&str]) {
    let text = UserError::from(open(dir).expect_err("the folder is damaged")).to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not named in:\n{text}");
    }
}

#[test]
fn options_that_are_not_computed_are_refused_by_name() {
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit, &[&str]); 18] = [
        (
            "bert",
            |c| c["position_embedding_type"] = json!("relative_key"),
            &["position_embedding_type", "relative_key"],
        ),
        ("bert", |c| c["is_decoder"] = json!(true), &["is_decoder", "true"]),
        ("bert", |c| c["add_cross_attention"] = json!(true), &["add_cross_attention"]),
        ("bert", |c| c["hidden_act"] = json!("relu"), &["hidden_act", "relu", "gelu"]),
        ("bert", |c| c["num_attention_heads"] = json!(5), &["num_attention_heads", "5", "24"]),
        ("bert", |c| c["pad_token_id"] = json!(4000), &["pad_token_id", "4000"]),
        ("bert", |c| c["model_type"] = json!("modernbert"), &["modernbert"]),
        ("bert", |c| c["vocab_size"] = json!(20), &["vocab.txt", "20"]),
        ("bert", |c| c["intermediate_size"] = json!(40), &["encoder.layer.0.intermediate.dense.weight", "[32, 24]"]),
        ("bert-bare", |c| c["architectures"] = json!(["BertForMaskedLM"]), &["cls.predictions", "missing"]),
        ("roberta", |c| c["max_position_embeddings"] = json!(2), &["max_position_embeddings", "2"]),
        ("distilbert", |c| c["activation"] = json!("gelu_new"), &["activation", "gelu_new"]),
        ("distilbert", |c| c["dim"] = Value::Null, &["dim", "missing"]),
        ("vit", |c| c["hidden_act"] = json!("gelu_fast"), &["hidden_act", "gelu_fast"]),
        ("vit", |c| c["num_channels"] = json!(4), &["num_channels", "4", "1 (grays)"]),
        ("vit", |c| c["patch_size"] = json!(5), &["patch_size", "5"]),
        ("vit", |c| c["id2label"] = json!({ "0": "a", "2": "b" }), &["id2label.1", "missing"]),
        ("vit", |c| c["architectures"] = json!(["ViTForMaskedImageModeling"]), &["classifier", "no place"]),
    ];
    for (model, change, words) in cases {
        let dir = copy(model);
        edit(dir.path(), "config.json", change);
        check_complaint(dir.path(), words);
    }
}

#[test]
fn settings_of_pictures_that_cannot_be_followed_are_named() {
    type Edit = fn(&mut Value);
    let cases: [(Edit, &[&str]); 7] = [
        (|c| c["resample"] = json!(1), &["preprocessor_config.json", "resample", "1"]),
        (|c| c["size"] = json!({ "shortest_edge": 16 }), &["size.shortest_edge"]),
        (|c| c["size"] = json!(32), &["size", "32", "image_size"]),
        (|c| c["image_mean"] = json!([0.5, 0.5]), &["image_mean", "three"]),
        (|c| c["image_std"] = json!([0.5, 0.0, 0.5]), &["image_std"]),
        (|c| c["image_processor_type"] = json!("CLIPImageProcessor"), &["CLIPImageProcessor"]),
        (|c| c["do_resize"] = json!(false), &["do_resize"]),
    ];
    for (change, words) in cases {
        let dir = copy("vit");
        edit(dir.path(), "preprocessor_config.json", change);
        check_complaint(dir.path(), words);
    }
    let of_grays: [(Edit, &[&str]); 2] = [
        (|c| c["image_mean"] = json!([0.5, 0.4, 0.5]), &["image_mean", "one number", "num_channels"]),
        (|c| c["do_convert_rgb"] = json!(true), &["do_convert_rgb", "num_channels"]),
    ];
    for (change, words) in of_grays {
        let dir = copy("vit-gray");
        edit(dir.path(), "preprocessor_config.json", change);
        check_complaint(dir.path(), words);
    }
    let dir = copy("vit");
    std::fs::remove_file(dir.path().join("preprocessor_config.json")).unwrap();
    check_complaint(dir.path(), &["preprocessor_config.json"]);
}

#[test]
fn model_type_stands_in_for_architectures() {
    for name in ["bert", "roberta", "distilbert", "vit"] {
        let dir = copy(name);
        edit(dir.path(), "config.json", |c| c["architectures"] = Value::Null);
        if name == "vit" {
            // Without its name nothing says that there is a head, and its tensors have no place.
            check_complaint(dir.path(), &["classifier"]);
        } else {
            open(dir.path()).unwrap();
        }
    }
}

#[test]
fn tokenizer_files_that_are_broken_or_of_another_kind() {
    let dir = copy("bert");
    edit(dir.path(), "tokenizer_config.json", |c| c["tokenizer_class"] = json!("BertJapaneseTokenizer"));
    check_complaint(dir.path(), &["tokenizer_class", "BertJapaneseTokenizer"]);
    let dir = copy("bert");
    edit(dir.path(), "tokenizer_config.json", |c| c["mask_token"] = json!("<blank>"));
    check_complaint(dir.path(), &["mask token", "<blank>"]);
    let dir = copy("roberta");
    std::fs::write(dir.path().join("merges.txt"), "#version: 0.2\nt h e\n").unwrap();
    check_complaint(dir.path(), &["merges.txt", "Line 2"]);
    let dir = copy("roberta");
    edit(dir.path(), "vocab.json", |v| v["h"] = json!("x"));
    check_complaint(dir.path(), &["vocab.json", "h"]);
    let dir = copy("bert");
    std::fs::write(dir.path().join("vocab.txt"), [0xFF, 0xFE]).unwrap();
    check_complaint(dir.path(), &["vocab.txt"]);
}

fn sentence_folder(modules: &Value, pooling: &Value) -> TempDir {
    let dir = copy("bert-bare");
    write_json(&dir.path().join("modules.json"), modules).unwrap();
    std::fs::create_dir(dir.path().join("1_Pooling")).unwrap();
    write_json(&dir.path().join("1_Pooling/config.json"), pooling).unwrap();
    dir
}

fn modules(kinds: &[(&str, &str)]) -> Value {
    kinds
        .iter()
        .map(|(kind, path)| json!({ "type": format!("sentence_transformers.models.{kind}"), "path": path }))
        .collect()
}

#[test]
fn modules_of_sentence_transformers_are_followed_or_refused() {
    let usual = modules(&[("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]);
    let cls = json!({ "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false });
    let dir = sentence_folder(&usual, &cls);
    write_json(&dir.path().join("sentence_bert_config.json"), &json!({ "max_seq_length": 12 })).unwrap();
    let model = open_encoder_model(dir.path(), &Device::flex(), &mut |_, _| {}).unwrap();
    let facts = &model.reads;
    assert_eq!((facts.pooling, facts.normalised, facts.longest), (Pooling::Cls, true, 12));
    assert!(facts.is_sentence_model && facts.mask.is_none());

    let refused = |modules: &Value, pooling: &Value, words: &[&str]| {
        check_complaint(sentence_folder(modules, pooling).path(), words);
    };
    let with_dense = modules(&[("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")]);
    refused(&with_dense, &cls, &["modules.json", "Dense"]);
    refused(&modules(&[("Transformer", ""), ("Pooling", "../elsewhere")]), &cls, &["path", "elsewhere"]);
    refused(&modules(&[("Transformer", "")]), &cls, &["Pooling"]);
    refused(&usual, &json!({ "pooling_mode_weightedmean_tokens": true }), &["pooling_mode_weightedmean_tokens"]);
    refused(&usual, &json!({ "pooling_mode": "lasttoken" }), &["pooling_mode", "lasttoken"]);
    let both = json!({ "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true });
    refused(&usual, &both, &["pooling_mode_"]);
    let dir = sentence_folder(&usual, &cls);
    let prompts = json!({ "default_prompt_name": "query", "prompts": { "query": "query: " } });
    write_json(&dir.path().join("config_sentence_transformers.json"), &prompts).unwrap();
    check_complaint(dir.path(), &["default_prompt_name", "query"]);
}

#[test]
fn the_oldest_names_of_norms_are_read() {
    let dir = copy("bert");
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let old =
        |name: &str| name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
    let renamed = safetensors::serialize(tensors.iter().map(|(name, view)| (old(name), view)), None).unwrap();
    std::fs::write(&path, renamed).unwrap();
    open(dir.path()).unwrap();
}
