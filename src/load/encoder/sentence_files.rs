//! The files that make an encoder's folder one of sentence-transformers: which modules follow the encoder, how its
//! vectors become one, and how long a text may be.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::write_json;
use crate::types::Pooling;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const MODULES_FILE: &str = "modules.json";
/// The settings of the encoder's module, by the names that they have had; the first that is there counts.
const LENGTH_FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];
const SETTINGS_FILE: &str = "config_sentence_transformers.json";

/// How a text becomes one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::load) struct SentenceSettings {
    pub(in crate::load) pooling: Pooling,
    /// True when the vector is scaled to length 1.
    pub(in crate::load) normalised: bool,
    /// Tokens behind which a text is cut off; `None` leaves that to the tokenizer and the model.
    pub(in crate::load) longest: Option<usize>,
    /// True when a text is put in lower case before it is tokenized.
    pub(in crate::load) lower_case: bool,
}

/// The folder with the encoder itself: in older layouts one inside, which modules.json names.
pub(in crate::load) fn encoder_folder(dir: &Path) -> PathBuf {
    let inside = || {
        // What is wrong with the file is told when it is read for its settings.
        let modules = Fields::read_list(&dir.join(MODULES_FILE)).ok()?;
        let (kind, folder) = kind_and_folder(modules.first()?).ok()?;
        (kind == "Transformer" && !folder.is_empty()).then(|| dir.join(folder))
    };
    inside().unwrap_or_else(|| dir.to_owned())
}

/// The class of a module, without where it is defined, and its folder, which may be the whole.
fn kind_and_folder(module: &Fields) -> Result<(&str, &str), LoadError> {
    let kind = module.text_if_any("type")?.ok_or_else(|| module.wrong("type", "is missing"))?;
    let folder = module.text_if_any("path")?.unwrap_or_default();
    if Path::new(folder).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Err(module.wrong("path", format!("is {folder}, which leads out of the folder")));
    }
    Ok((kind.rsplit('.').next().unwrap_or(kind), folder))
}

/// `None` for a folder that is an encoder and no more.
pub(in crate::load) fn read(dir: &Path) -> Result<Option<SentenceSettings>, LoadError> {
    let path = dir.join(MODULES_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    check_prompts(dir)?;
    let (mut encoder, mut pooling, mut normalised) = (dir.to_owned(), None, false);
    for (place, module) in Fields::read_list(&path)?.iter().enumerate() {
        let (kind, folder) = kind_and_folder(module)?;
        match (place, kind) {
            (0, "Transformer") => encoder = dir.join(folder),
            (1, "Pooling") => pooling = Some(read_pooling(&dir.join(folder).join("config.json"))?),
            (2.., "Normalize") => normalised = true,
            // It only acts in training.
            (2.., "Dropout") => {}
            _ => {
                let known = "Transformer, then Pooling, then perhaps Normalize and Dropout";
                return Err(module.unsupported("type", &kind, known));
            }
        }
    }
    let Some(pooling) = pooling else {
        let problem = "lists no Pooling module".to_owned();
        return Err(LoadError::Field { path, field: "type".to_owned(), problem });
    };
    let length = LENGTH_FILES.iter().map(|file| encoder.join(file)).find(|path| path.is_file());
    let (longest, lower_case) = match length {
        Some(length) => {
            let fields = Fields::read(&length)?;
            (fields.count_if_any("max_seq_length")?, fields.flag("do_lower_case", false)?)
        }
        None => (None, false),
    };
    Ok(Some(SentenceSettings { pooling, normalised, longest, lower_case }))
}

/// Makes the folder of an encoder one of sentence-transformers: the mean of the tokens' vectors, of width `width`, of texts of at most
/// `longest` tokens. What says so already is left as it is.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write_sentence_files(dir: &Path, width: usize, longest: usize) -> Result<(), LoadError> {
    const POOLING: &str = "1_Pooling";
    if dir.join(MODULES_FILE).is_file() {
        return Ok(());
    }
    let pooling = dir.join(POOLING);
    std::fs::create_dir_all(&pooling).map_err(|source| LoadError::Write { path: pooling.clone(), source })?;
    let flags = json!({
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": false,
        "pooling_mode_mean_tokens": true,
        "pooling_mode_max_tokens": false,
        "pooling_mode_mean_sqrt_len_tokens": false,
    });
    write_json(&pooling.join("config.json"), &flags)?;
    write_json(&dir.join(LENGTH_FILES[0]), &json!({ "max_seq_length": longest, "do_lower_case": false }))?;
    write_json(&dir.join(SETTINGS_FILE), &json!({ "similarity_fn_name": "cosine" }))?;
    // What names the others comes last, so that a folder is never one of sentence-transformers without them.
    let module = |place: usize, path: &str, kind: &str| json!({ "idx": place, "name": place.to_string(), "path": path, "type": format!("sentence_transformers.models.{kind}") });
    write_json(&dir.join(MODULES_FILE), &json!([module(0, "", "Transformer"), module(1, POOLING, "Pooling")]))
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
