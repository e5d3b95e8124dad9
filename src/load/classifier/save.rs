//! A classifier of texts written so that transformers opens it.

use super::class_settings;
use super::classifier_model::{ClassifierBody, ClassifierModel};
use super::head_weights;
use crate::load::encoder::{encoder_config, encoder_weights};
use crate::load::error::LoadError;
use crate::load::source::CONFIG_FILE;
use crate::load::tensors::weights::{StoredTensor, write_weights};
use crate::load::text::config::{self, TextSettings};
use crate::load::text::family;
use crate::load::tokens::tokenizer::TOKENIZER_FILE;
use crate::types::{Architecture, Precision};
use serde_json::json;
use std::path::Path;

/// Every tensor under its name in the file.
pub(in crate::load) fn stored_tensors(model: &ClassifierModel) -> Vec<(String, StoredTensor)> {
    let mut tensors = match &model.body {
        ClassifierBody::Decoder(text) => family::stored_tensors(&text.lm),
        ClassifierBody::Encoder(model) => encoder_weights::write(&model.encoder),
    };
    tensors.extend(head_weights::write(model.info().architecture, &model.head));
    tensors
}

/// Writes config.json with the classes, tokenizer.json, tokenizer_config.json, and model.safetensors with every weight in
/// `precision`. The folder is made if it is not there. The weights come first and appear whole or not at all.
///
/// # Errors
/// When the folder cannot be made, a file cannot be written, or a weight is too large for `precision`.
pub fn save_classifier(model: &ClassifierModel, dir: &Path, precision: Precision) -> Result<(), LoadError> {
    std::fs::create_dir_all(dir).map_err(|source| LoadError::Write { path: dir.to_owned(), source })?;
    let architecture = model.info().architecture;
    write_weights(&stored_tensors(model), precision, dir)?;
    let mut config = match &model.body {
        ClassifierBody::Decoder(text) => {
            let (bos, eos) = (text.bos, text.eos.clone());
            config::json(&TextSettings { config: text.config.clone(), bos, eos, own: None }, precision)
        }
        ClassifierBody::Encoder(model) => encoder_config::json(&model.config, precision),
    };
    class_settings::write(&mut config, architecture, &model.tells.labels, model.tells.problem);
    config["pad_token_id"] = json!(model.padding_id);
    crate::load::write_json(&dir.join(CONFIG_FILE), &config)?;

    let tokenizer = model.tokenizer();
    if tokenizer.is_none() {
        return Ok(());
    }
    tokenizer.to_file(&dir.join(TOKENIZER_FILE))?;
    let mut settings = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.tells.longest,
        "clean_up_tokenization_spaces": false,
    });
    // DistilBERT takes no types of tokens, and RoBERTa has a single one.
    if architecture != Architecture::Bert {
        settings["model_input_names"] = json!(["input_ids", "attention_mask"]);
    }
    if tokenizer.begins_with_space() {
        settings["add_prefix_space"] = json!(true);
    }
    if let ClassifierBody::Encoder(encoder) = &model.body
        && encoder.lower_case
    {
        settings["do_lower_case"] = json!(true);
    }
    if let Some(fields) = settings.as_object_mut() {
        fields.extend(model.special_tokens.clone());
        if let Some(padding) = model.padding_id {
            fields.insert("pad_token".to_owned(), json!(tokenizer.token_text(padding)));
        }
    }
    crate::load::write_json(&dir.join("tokenizer_config.json"), &settings)
}
