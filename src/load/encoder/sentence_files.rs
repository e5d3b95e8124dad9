//! The files that make an encoder's folder one of sentence-transformers: which modules follow the encoder, how its
//! vectors become one, and how long a text may be.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::types::Pooling;
use serde_json::Value;
use std::path::Path;

const MODULES_FILE: &str = "modules.json";
const LENGTH_FILE: &str = "sentence_bert_config.json";
const SETTINGS_FILE: &str = "config_sentence_transformers.json";

/// How a text becomes one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::load) struct SentenceSettings {
    pub(in crate::load) pooling: Pooling,
    /// True when the vector is scaled to length 1.
    pub(in crate::load) normalised: bool,
    /// Tokens behind which a text is cut off; `None` leaves that to the model.
    pub(in crate::load) longest: Option<usize>,
    /// True when a text is put in lower case before it is tokenized.
    pub(in crate::load) lower_case: bool,
}

/// `None` for a folder that is an encoder and no more.
pub(in crate::load) fn read(dir: &Path) -> Result<Option<SentenceSettings>, LoadError> {
    let path = dir.join(MODULES_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    check_prompts(dir)?;
    let (mut pooling, mut normalised) = (None, false);
    for (place, module) in Fields::read_list(&path)?.iter().enumerate() {
        let kind = module.text_if_any("type")?.ok_or_else(|| module.wrong("type", "is missing"))?;
        let folder = module.text_if_any("path")?.unwrap_or_default();
        if Path::new(folder).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(module.wrong("path", format!("is {folder}, which leads out of the folder")));
        }
        match (place, kind.rsplit('.').next().unwrap_or(kind)) {
            (0, "Transformer") if folder.is_empty() => {}
            (0, "Transformer") => return Err(module.unsupported("path", &folder, "the folder itself")),
            (1, "Pooling") => pooling = Some(read_pooling(&dir.join(folder).join("config.json"))?),
            (2, "Normalize") => normalised = true,
            _ => return Err(module.unsupported("type", &kind, "Transformer, then Pooling, then perhaps Normalize")),
        }
    }
    let Some(pooling) = pooling else {
        let problem = "lists no Pooling module".to_owned();
        return Err(LoadError::Field { path, field: "type".to_owned(), problem });
    };
    let length = dir.join(LENGTH_FILE);
    let (longest, lower_case) = if length.is_file() {
        let fields = Fields::read(&length)?;
        (fields.count_if_any("max_seq_length")?, fields.flag("do_lower_case", false)?)
    } else {
        (None, false)
    };
    Ok(Some(SentenceSettings { pooling, normalised, longest, lower_case }))
}

/// A prompt that is put before every text changes every vector.
fn check_prompts(dir: &Path) -> Result<(), LoadError> {
    let path = dir.join(SETTINGS_FILE);
    if !path.is_file() {
        return Ok(());
    }
    let fields = Fields::read(&path)?;
    match fields.text_if_any("default_prompt_name")? {
        Some(name) => Err(fields.unsupported("default_prompt_name", &name, "null")),
        None => Ok(()),
    }
}

/// Flags for each way, or the way's name: both spellings are about.
fn read_pooling(path: &Path) -> Result<Pooling, LoadError> {
    const FLAGS: [(&str, Pooling); 3] = [
        ("pooling_mode_mean_tokens", Pooling::Mean),
        ("pooling_mode_cls_token", Pooling::Cls),
        ("pooling_mode_max_tokens", Pooling::Max),
    ];
    const SUPPORTED: &str = "one of mean, cls and max";
    let fields = Fields::read(path)?;
    if let Some(name) = fields.text_if_any("pooling_mode")? {
        return match name {
            "mean" => Ok(Pooling::Mean),
            "cls" => Ok(Pooling::Cls),
            "max" => Ok(Pooling::Max),
            other => Err(fields.unsupported("pooling_mode", &other, SUPPORTED)),
        };
    }
    let mut chosen = Vec::new();
    for name in fields.names().filter(|name| name.starts_with("pooling_mode_")) {
        if fields.value(name).and_then(Value::as_bool) == Some(true) {
            chosen.push(name);
        }
    }
    match chosen.as_slice() {
        [one] => match FLAGS.iter().find(|(name, _)| name == one) {
            Some((_, pooling)) => Ok(*pooling),
            None => Err(fields.unsupported(one, &true, SUPPORTED)),
        },
        [] => Err(fields.wrong("pooling_mode_mean_tokens", "is not set, and no other way either")),
        several => Err(fields.unsupported(several[1], &true, SUPPORTED)),
    }
}
