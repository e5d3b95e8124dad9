//! What tokenizer_config.json changes about a tokenizer.json beside it, as in transformers 5: tokens it adds, and the flags of
//! the class it names. `add_bos_token` and `add_eos_token` change nothing there; what stands before and behind a text is said
//! in tokenizer.json.

use crate::load::error::LoadError;
use crate::load::tokens::special_tokens::TokenizerSettings;
use crate::load::tokens::tokenizer_class::TokenizerClass;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{AddedToken, Tokenizer};

/// The mark that stands for a space in SentencePiece's pieces.
const SPACE: &str = "▁";

/// Applies the settings to what a tokenizer.json says.
pub(in crate::load) fn apply(
    tokenizer: &mut Tokenizer,
    settings: &TokenizerSettings,
    class: TokenizerClass,
    path: &Path,
) -> Result<(), LoadError> {
    match class {
        TokenizerClass::Bert => words_of_bert(tokenizer, settings, path)?,
        TokenizerClass::Gpt2 | TokenizerClass::GptNeox | TokenizerClass::Qwen2 | TokenizerClass::Roberta => {
            space_before_bytes(tokenizer, settings.flag("add_prefix_space", false)?, path)?;
        }
        TokenizerClass::Llama => {
            // Without the flag tokenizer.json counts, which has the spaces of SentencePiece itself.
            if let Some(space) = settings.flag_if_any("add_prefix_space")? {
                space_before_pieces(tokenizer, space, settings.flag("legacy", false)?, path)?;
            }
        }
        TokenizerClass::Plain => {}
    }
    add_tokens(tokenizer, settings, class, path)
}

fn broken(path: &Path, problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> LoadError {
    LoadError::Tokenizer { path: path.to_owned(), problem: problem.into().to_string() }
}

/// The rules by which BERT's tokenizer changes a text: its class has them from the flags alone, absent ones at their usual
/// values, whatever tokenizer.json says.
pub(in crate::load) fn bert_normalizer(settings: &TokenizerSettings) -> Result<BertNormalizer, LoadError> {
    let lower = settings.flag("do_lower_case", true)?;
    let chinese = settings.flag("tokenize_chinese_chars", true)?;
    Ok(BertNormalizer::new(true, chinese, settings.flag_if_any("strip_accents")?, lower))
}

fn words_of_bert(tokenizer: &mut Tokenizer, settings: &TokenizerSettings, path: &Path) -> Result<(), LoadError> {
    let is_bert = matches!(tokenizer.get_normalizer(), None | Some(NormalizerWrapper::BertNormalizer(_)));
    if !is_bert || !matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_)) {
        return Ok(());
    }
    tokenizer.with_normalizer(Some(bert_normalizer(settings)?)).map_err(|error| broken(path, error))?;
    Ok(())
}

/// Sets whether byte-level pieces begin with a space at the beginning of a text.
fn space_before_bytes(tokenizer: &mut Tokenizer, space: bool, path: &Path) -> Result<(), LoadError> {
    let Some(splitter) = tokenizer.get_pre_tokenizer() else { return Ok(()) };
    let before = serde_json::to_value(splitter).map_err(|error| broken(path, error))?;
    let mut after = before.clone();
    each_part(&mut after, "pretokenizers", &mut |part| {
        if part["type"] == "ByteLevel" {
            part["add_prefix_space"] = space.into();
        }
    });
    if after != before {
        let splitter: PreTokenizerWrapper = serde_json::from_value(after).map_err(|error| broken(path, error))?;
        tokenizer.with_pre_tokenizer(Some(splitter));
    }
    Ok(())
}

/// Puts SentencePiece's pieces together as the class does, where the flag says otherwise than tokenizer.json: with a space
/// before a text, before each stretch of it between special tokens as the first versions had it, or without. A tokenizer.json
/// that does more than that, or is none of pieces, stays as it is.
fn space_before_pieces(tokenizer: &mut Tokenizer, space: bool, legacy: bool, path: &Path) -> Result<(), LoadError> {
    let normalizer = serde_json::to_value(tokenizer.get_normalizer()).map_err(|error| broken(path, error))?;
    let splitter = serde_json::to_value(tokenizer.get_pre_tokenizer()).map_err(|error| broken(path, error))?;
    let of_pieces = matches!(tokenizer.get_model(), ModelWrapper::BPE(model) if model.byte_fallback);
    let (mut is_plain, mut has_space) = (of_pieces, false);
    for (mut part, list) in [(normalizer, "normalizers"), (splitter, "pretokenizers")] {
        each_part(&mut part, list, &mut |part| {
            has_space |=
                part["type"] == "Prepend" || (part["type"] == "Metaspace" && part["prepend_scheme"] != "never");
            let to_mark = part["pattern"]["String"] == " " && part["content"] == SPACE;
            is_plain &= match part["type"].as_str() {
                None => part.is_null(),
                Some("Prepend") => part["prepend"] == SPACE,
                Some("Replace") => to_mark,
                Some("Metaspace") => part["replacement"] == SPACE,
                Some(_) => false,
            };
        });
    }
    if !is_plain || has_space == space {
        return Ok(());
    }
    let scheme = match (space, legacy) {
        (false, _) => "never",
        (true, false) => "first",
        (true, true) => "always",
    };
    let splitter = json!({ "type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": false });
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": SPACE }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if space {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    let splitter: PreTokenizerWrapper = serde_json::from_value(splitter).map_err(|error| broken(path, error))?;
    let decoder = json!({ "type": "Sequence", "decoders": decoders });
    let decoder: tokenizers::DecoderWrapper = serde_json::from_value(decoder).map_err(|error| broken(path, error))?;
    tokenizer.with_normalizer(None::<NormalizerWrapper>).map_err(|error| broken(path, error))?;
    tokenizer.with_pre_tokenizer(Some(splitter));
    tokenizer.with_decoder(Some(decoder));
    Ok(())
}

/// Visits a part, or each part of a sequence of them.
fn each_part(part: &mut Value, list: &str, visit: &mut dyn FnMut(&mut Value)) {
    match part.get_mut(list).and_then(Value::as_array_mut) {
        Some(parts) => parts.iter_mut().for_each(|part| each_part(part, list, visit)),
        None => visit(part),
    }
}

/// Makes special tokens whole in every text, and those that were added to the vocabulary later. A special token that is named
/// and in no vocabulary gets the next id, as in transformers; a text that holds it is refused where the model has no such id.
pub(in crate::load) fn add_tokens(
    tokenizer: &mut Tokenizer,
    settings: &TokenizerSettings,
    class: TokenizerClass,
    path: &Path,
) -> Result<(), LoadError> {
    let mut special = Vec::new();
    for (role, _) in class.usual_special() {
        // A class's own special tokens count only where the vocabulary has them.
        let usual = settings.special_of(role, class)?;
        special.extend(usual.filter(|token| tokenizer.token_to_id(&token.content).is_some()));
    }
    special.extend(settings.named()?);
    let wanted = settings.added()?;
    let there = tokenizer.get_added_tokens_decoder().into_values();
    let mut known: BTreeMap<String, AddedToken> = there.map(|token| (token.content.clone(), token)).collect();
    // All at once: the library sorts its tables anew for each call, and some models have thousands.
    let mut new = Vec::new();
    let mut add = |token: AddedToken, known: &mut BTreeMap<String, AddedToken>| {
        if known.get(&token.content) != Some(&token) {
            known.insert(token.content.clone(), token.clone());
            new.push(token);
        }
    };
    for (_, token) in &wanted {
        let is_special = token.special || special.iter().any(|special| special.content == token.content);
        add(AddedToken { special: is_special, ..token.clone() }, &mut known);
    }
    for token in special {
        let token = known.get(&token.content).cloned().unwrap_or(token);
        add(AddedToken { special: true, ..token }, &mut known);
    }
    if !new.is_empty() {
        tokenizer.add_tokens(new).map_err(|error| broken(path, error))?;
    }
    let misplaced = |(id, token): &&(u32, AddedToken)| {
        !token.content.is_empty() && tokenizer.token_to_id(&token.content) != Some(*id)
    };
    match wanted.iter().find(misplaced) {
        Some((id, token)) => {
            Err(broken(path, format!("`{}` should have the id {id}, which it does not", token.content)))
        }
        None => Ok(()),
    }
}
