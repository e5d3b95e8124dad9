//! The special and the added tokens a tokenizer's settings name: tokenizer_config.json, and in older folders
//! special_tokens_map.json and added_tokens.json beside it.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::json;
use crate::load::tokens::tokenizer_class::TokenizerClass;
use serde_json::Value;
use std::path::Path;
use tokenizers::AddedToken;

pub(in crate::load) const SETTINGS_FILE: &str = "tokenizer_config.json";
const MAP_FILE: &str = "special_tokens_map.json";
const ADDED_FILE: &str = "added_tokens.json";
/// The field of tokenizer_config.json with every added token. Where it is, the two other files are old.
const ADDED: &str = "added_tokens_decoder";
/// Roles that a special token may have in any tokenizer, in transformers' order.
const ROLES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Lists of special tokens without a role, by their old and their new name.
const MORE: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// What the files say; each may be absent.
pub(in crate::load) struct TokenizerSettings {
    dir: std::path::PathBuf,
    /// The file that counts first, first.
    files: Vec<Fields>,
    added: Option<Fields>,
    /// What config.json names as `tokenizer_class`, which counts where tokenizer_config.json names none.
    class_of_config: Option<String>,
}

impl TokenizerSettings {
    pub(in crate::load) fn read(dir: &Path) -> Result<Self, LoadError> {
        let read = |file: &str| {
            let path = dir.join(file);
            path.is_file().then(|| Fields::read(&path)).transpose()
        };
        let (main, map, added) = (read(SETTINGS_FILE)?, read(MAP_FILE)?, read(ADDED_FILE)?);
        let is_old = main.as_ref().is_none_or(|main| main.value(ADDED).is_none());
        // transformers reads the map of old folders over tokenizer_config.json.
        let files = if is_old { [map, main] } else { [main, map] };
        let config = read(crate::load::source::CONFIG_FILE)?;
        let class_of_config = config.as_ref().and_then(|config| config.value("tokenizer_class")?.as_str());
        Ok(Self {
            dir: dir.to_owned(),
            files: files.into_iter().flatten().collect(),
            added: added.filter(|_| is_old),
            class_of_config: class_of_config.map(str::to_owned),
        })
    }

    /// tokenizer_config.json, if it is there.
    pub(in crate::load) fn main(&self) -> Option<&Fields> {
        self.files.iter().find(|fields| fields.path().ends_with(SETTINGS_FILE))
    }

    /// The name of the tokenizer's class, if one is given.
    pub(in crate::load) fn class(&self) -> Result<Option<&str>, LoadError> {
        let named = self.main().map_or(Ok(None), |fields| fields.text_if_any("tokenizer_class"))?;
        Ok(named.or(self.class_of_config.as_deref()))
    }

    /// Refuses a setting of tokenizer_config.json.
    pub(in crate::load) fn unsupported(&self, name: &str, value: &dyn ToString, supported: &str) -> LoadError {
        match self.main() {
            Some(fields) => fields.unsupported(name, value, supported),
            None => LoadError::UnsupportedOption {
                path: self.dir.join(SETTINGS_FILE),
                field: name.to_owned(),
                value: value.to_string(),
                supported: supported.to_owned(),
            },
        }
    }

    /// The special token of this role, such as `mask_token`; the first file that names it counts.
    pub(in crate::load) fn special(&self, role: &str) -> Result<Option<AddedToken>, LoadError> {
        for fields in &self.files {
            if let Some(value) = fields.value(role) {
                let wrong = || fields.wrong(role, format!("is {value}, neither a text nor a token"));
                return special_token(value).map(Some).ok_or_else(wrong);
            }
        }
        Ok(None)
    }

    /// The special token of this role, or the one its class usually has, unless the settings say that there is none.
    pub(in crate::load) fn special_of(
        &self,
        role: &str,
        class: TokenizerClass,
    ) -> Result<Option<AddedToken>, LoadError> {
        if let Some(token) = self.special(role)? {
            return Ok(Some(token));
        }
        let usual = class.usual_special().iter().find(|(usual, _)| *usual == role);
        let refused = self.main().is_some_and(|fields| fields.is_null(role));
        Ok(usual.filter(|_| !refused).map(|(_, text)| AddedToken::from(*text, true)))
    }

    /// Every special token that is named, in transformers' order: those with a role, then the others.
    pub(in crate::load) fn named(&self) -> Result<Vec<AddedToken>, LoadError> {
        let mut tokens = Vec::new();
        for role in ROLES {
            tokens.extend(self.special(role)?);
        }
        for name in MORE {
            let Some((fields, value)) = self.files.iter().find_map(|fields| Some((fields, fields.value(name)?))) else {
                continue;
            };
            let values: Vec<&Value> = match value {
                Value::Array(list) => list.iter().collect(),
                Value::Object(map) => map.values().collect(),
                one => vec![one],
            };
            for value in values {
                let wrong = || fields.wrong(name, format!("holds {value}, neither a text nor a token"));
                tokens.push(special_token(value).ok_or_else(wrong)?);
            }
        }
        Ok(tokens)
    }

    /// Tokens with their ids that the settings add to the vocabulary, by id.
    pub(in crate::load) fn added(&self) -> Result<Vec<(u32, AddedToken)>, LoadError> {
        let mut tokens = match &self.added {
            Some(fields) => self.added_file(fields)?,
            None => Vec::new(),
        };
        if let Some(fields) = self.main()
            && let Some(value) = fields.value(ADDED)
        {
            let wrong = |problem: String| fields.wrong(ADDED, problem);
            let map = value.as_object().ok_or_else(|| wrong("is not an object".to_owned()))?;
            for (id, token) in map {
                let parsed = id.parse::<u32>().ok().zip(token.as_object().and_then(|_| added_token(token, false)));
                tokens.push(parsed.ok_or_else(|| wrong(format!("holds {id}: {token}, not an id and a token")))?);
            }
        }
        tokens.sort_by_key(|(id, _)| *id);
        Ok(tokens)
    }

    /// added_tokens.json: ids by text. What is named as special elsewhere is special.
    fn added_file(&self, fields: &Fields) -> Result<Vec<(u32, AddedToken)>, LoadError> {
        let named = self.named()?;
        let one = |(text, id): (&String, &Value)| {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| fields.wrong(text, "is no token id"))?;
            let is_special = named.iter().any(|token| token.content == *text);
            Ok((id, AddedToken::from(text.clone(), is_special)))
        };
        fields.entries().map(one).collect()
    }

    /// The longest text in tokens, where tokenizer_config.json says one; a number beyond any says none.
    pub(in crate::load) fn longest_text(&self) -> Result<Option<usize>, LoadError> {
        const NAME: &str = "model_max_length";
        let Some((fields, value)) = self.main().and_then(|fields| Some((fields, fields.value(NAME)?))) else {
            return Ok(None);
        };
        match value.as_f64() {
            Some(length) if length >= 1.0 => Ok((length < u32::MAX.into()).then_some(length as usize)),
            None if json::is_endless(value) => Ok(None),
            _ => Err(fields.wrong(NAME, format!("is {value}, not a number of tokens"))),
        }
    }

    /// A flag of tokenizer_config.json.
    pub(in crate::load) fn flag(&self, name: &str, default: bool) -> Result<bool, LoadError> {
        Ok(self.flag_if_any(name)?.unwrap_or(default))
    }

    /// A flag of tokenizer_config.json, where it is given.
    pub(in crate::load) fn flag_if_any(&self, name: &str) -> Result<Option<bool>, LoadError> {
        match self.main() {
            Some(fields) if fields.value(name).is_some() => fields.flag(name, false).map(Some),
            _ => Ok(None),
        }
    }
}

/// A text, or an object with `content` and flags.
fn special_token(value: &Value) -> Option<AddedToken> {
    added_token(value, true)
}

/// The same, special or not where that is not said. Special tokens are never normalised unless that is asked for.
fn added_token(value: &Value, special: bool) -> Option<AddedToken> {
    let flag = |name: &str| value[name].as_bool();
    match value {
        Value::String(text) => Some(AddedToken::from(text.clone(), special)),
        Value::Object(_) => {
            let special = flag("special").unwrap_or(special);
            let token = AddedToken::from(value["content"].as_str()?, special);
            Some(
                token
                    .single_word(flag("single_word").unwrap_or(false))
                    .lstrip(flag("lstrip").unwrap_or(false))
                    .rstrip(flag("rstrip").unwrap_or(false))
                    .normalized(flag("normalized").unwrap_or(!special)),
            )
        }
        _ => None,
    }
}
