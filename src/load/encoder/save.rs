//! A text encoder written as a folder that transformers and sentence-transformers open: its weights anew, all else as its own folder has it.
//! One that was made here has none, and its files are written.

use super::encoder_config;
use super::encoder_model::EncoderModel;
use super::encoder_weights;
use super::sentence_files::{encoder_folder, write_sentence_files};
use crate::disk;
use crate::load::error::LoadError;
use crate::load::source::{CONFIG_FILE, source};
use crate::load::tensors::weights::write_weights;
use crate::load::tokens::tokenizer::TOKENIZER_FILE;
use crate::types::{Architecture, Precision};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Ends of the names of files that stand beside weights: settings, vocabularies, and what tells how vectors of texts are made.
const KEPT: [&str; 3] = ["json", "txt", "model"];

/// The words of a tokenizer of BERT's, one a line.
const WORDS_FILE: &str = "vocab.txt";

/// Writes config.json, the weights in `precision`, and a copy of what else stands in the model's folder and in the folders of its modules;
/// of a model that was made here, its tokenizer.
///
/// # Errors
/// When the model is from no folder, a file cannot be read or written, or a weight is too large for `precision`.
pub fn save_encoder_model(model: &EncoderModel, dir: &Path, precision: Precision) -> Result<(), LoadError> {
    if model.info.path.as_os_str().is_empty() {
        return save_made(model, dir, precision);
    }
    let (from, of_model) = (&model.info.path, encoder_folder(&model.info.path));
    if !of_model.join(CONFIG_FILE).is_file() {
        return Err(LoadError::MissingFile { dir: of_model, file: CONFIG_FILE });
    }
    let inside = dir.join(of_model.strip_prefix(from).unwrap_or(Path::new("")));
    make(&inside)?;
    write_weights(&encoder_weights::write_whole(&model.encoder), precision, &inside)?;
    let is_same = from == dir || from.canonicalize().ok().zip(dir.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if !is_same {
        copy(from, dir, 1)?;
    }
    let fields = source(from).config()?;
    let mut config: Map<String, Value> = fields.entries().map(|(name, value)| (name.clone(), value.clone())).collect();
    let (bare, masked) = match model.info.architecture {
        Architecture::Roberta => ("RobertaModel", "RobertaForMaskedLM"),
        Architecture::DistilBert => ("DistilBertModel", "DistilBertForMaskedLM"),
        _ => ("BertModel", "BertForMaskedLM"),
    };
    let head = model.encoder.head();
    config.insert("architectures".to_owned(), json!([if head.is_some() { masked } else { bare }]));
    // An adapter may have changed the embeddings, and not the head that they were.
    if let Some(head) = head {
        config.insert("tie_word_embeddings".to_owned(), json!(head.decoder.is_none()));
    }
    config.remove("dtype");
    config.insert("torch_dtype".to_owned(), json!(precision.torch_name()));
    crate::load::write_json(&inside.join(CONFIG_FILE), &Value::Object(config))
}

/// Writes all files of a model that no folder holds.
fn save_made(model: &EncoderModel, dir: &Path, precision: Precision) -> Result<(), LoadError> {
    make(dir)?;
    write_weights(&encoder_weights::write_whole(&model.encoder), precision, dir)?;
    let mut config = encoder_config::json(&model.config, precision);
    config["architectures"] = json!(["BertForMaskedLM"]);
    config["pad_token_id"] = json!(model.padding_id);
    crate::load::write_json(&dir.join(CONFIG_FILE), &config)?;
    model.tokenizer.to_file(&dir.join(TOKENIZER_FILE))?;
    let words = model.tokenizer.words().join("\n") + "\n";
    let path = dir.join(WORDS_FILE);
    disk::write(&path, words.as_bytes()).map_err(|source| LoadError::Write { path, source })?;
    let settings = json!({
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": true,
        "strip_accents": null,
        "tokenize_chinese_chars": true,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
        "model_max_length": model.config.context(),
    });
    crate::load::write_json(&dir.join("tokenizer_config.json"), &settings)?;
    if model.reads.is_sentence_model {
        write_sentence_files(dir, model.encoder.width(), model.reads.longest)?;
    }
    Ok(())
}

/// Copies the small files of a folder and of the folders in it.
fn copy(from: &Path, to: &Path, depth: usize) -> Result<(), LoadError> {
    let unread = |source| LoadError::Read { path: from.to_owned(), source };
    for entry in std::fs::read_dir(from).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let (path, name) = (entry.path(), entry.file_name());
        let target = to.join(&name);
        if path.is_dir() && depth > 0 {
            // A module without settings has none to copy.
            let has_settings = path.join(CONFIG_FILE).is_file();
            if has_settings {
                make(&target)?;
                copy(&path, &target, depth - 1)?;
            }
            continue;
        }
        let name = name.to_string_lossy();
        let is_kept = path.extension().is_some_and(|end| KEPT.iter().any(|kept| end == *kept));
        // The index of shards names files that are not there any more.
        if path.is_file() && is_kept && !name.ends_with(".index.json") {
            let bytes = std::fs::read(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
            disk::write(&target, &bytes).map_err(|source| LoadError::Write { path: target, source })?;
        }
    }
    Ok(())
}

fn make(dir: &Path) -> Result<(), LoadError> {
    std::fs::create_dir_all(dir).map_err(|source| LoadError::Write { path: dir.to_owned(), source })
}
