//! The special tokens a tokenizer's settings name: tokenizer_config.json, and special_tokens_map.json beside it.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use serde_json::Value;
use std::path::Path;
use tokenizers::AddedToken;

pub(in crate::load) const SETTINGS_FILE: &str = "tokenizer_config.json";
const MAP_FILE: &str = "special_tokens_map.json";

/// What the two files say; either may be absent.
pub(in crate::load) struct TokenizerSettings {
    files: Vec<Fields>,
}

impl TokenizerSettings {
    pub(in crate::load) fn read(dir: &Path) -> Result<Self, LoadError> {
        let there = [SETTINGS_FILE, MAP_FILE].map(|file| dir.join(file)).into_iter().filter(|path| path.is_file());
        Ok(Self { files: there.map(|path| Fields::read(&path)).collect::<Result<_, _>>()? })
    }

    /// tokenizer_config.json, if it is there.
    pub(in crate::load) fn main(&self) -> Option<&Fields> {
        self.files.iter().find(|fields| fields.path().ends_with(SETTINGS_FILE))
    }

    /// The special token of this role, such as `mask_token`; the first file that names it counts.
    pub(in crate::load) fn special(&self, role: &str) -> Result<Option<AddedToken>, LoadError> {
        for fields in &self.files {
            if let Some(value) = fields.value(role) {
                let wrong = || fields.wrong(role, format!("is {value}, neither a text nor a token"));
                return added_token(value).map(Some).ok_or_else(wrong);
            }
        }
        Ok(None)
    }

    /// Tokens with their ids from `added_tokens_decoder`, by id.
    pub(in crate::load) fn added(&self) -> Result<Vec<(u32, AddedToken)>, LoadError> {
        const NAME: &str = "added_tokens_decoder";
        let Some(fields) = self.main() else { return Ok(Vec::new()) };
        let Some(value) = fields.value(NAME) else { return Ok(Vec::new()) };
        let wrong = |problem: String| fields.wrong(NAME, problem);
        let map = value.as_object().ok_or_else(|| wrong("is not an object".to_owned()))?;
        let mut tokens = Vec::new();
        for (id, token) in map {
            let parsed = id.parse::<u32>().ok().zip(added_token(token));
            tokens.push(parsed.ok_or_else(|| wrong(format!("holds {id}: {token}, not an id and a token")))?);
        }
        tokens.sort_by_key(|(id, _)| *id);
        Ok(tokens)
    }

    /// A flag of tokenizer_config.json.
    pub(in crate::load) fn flag(&self, name: &str, default: bool) -> Result<bool, LoadError> {
        self.main().map_or(Ok(default), |fields| fields.flag(name, default))
    }
}

/// A text, or an object with `content` and flags. Special tokens are never normalised unless that is asked for.
fn added_token(value: &Value) -> Option<AddedToken> {
    let flag = |name: &str| value[name].as_bool();
    match value {
        Value::String(text) => Some(AddedToken::from(text.clone(), true)),
        Value::Object(_) => {
            let token = AddedToken::from(value["content"].as_str()?, flag("special").unwrap_or(true));
            Some(
                token
                    .single_word(flag("single_word").unwrap_or(false))
                    .lstrip(flag("lstrip").unwrap_or(false))
                    .rstrip(flag("rstrip").unwrap_or(false))
                    .normalized(flag("normalized").unwrap_or(false)),
            )
        }
        _ => None,
    }
}
