//! Chat templates in a model's folder: in tokenizer_config.json, as one text or as a list of named ones, or in files of their
//! own, which count more, as in transformers 5.

use super::engine::{LARGEST_TEMPLATE, Source};
use super::{ChatError, ChatTemplate};
use crate::load::LoadError;
use crate::load::fields::Fields;
use serde_json::{Map, Value};
use std::path::Path;

const CONFIG: &str = "tokenizer_config.json";
const TEMPLATE: &str = "chat_template.jinja";
/// Where transformers keeps every template but the one called default.
const MORE: &str = "additional_chat_templates";
/// What Fovea called that folder until it was told otherwise; still read.
const MORE_ONCE: &str = "chat_templates";
const ENDING: &str = ".jinja";
const LEGACY_TOKENS: &str = "special_tokens_map.json";

impl ChatTemplate {
    /// The templates of a folder.
    ///
    /// # Errors
    /// When there is none, or a file cannot be understood. None of it keeps the model from being opened.
    pub fn read(dir: &Path) -> Result<Self, ChatError> {
        if !dir.is_dir() {
            return Err(ChatError::File { path: dir.to_owned(), problem: "there is no such folder".to_owned() });
        }
        let path = dir.join(CONFIG);
        let config = if path.is_file() { Some(Fields::read(&path)?) } else { None };
        let mut sources = read_files(dir)?;
        if sources.is_empty()
            && let Some(config) = &config
        {
            sources = read_field(config)?;
        }
        if sources.is_empty() {
            return Err(ChatError::NoTemplate { dir: dir.to_owned() });
        }
        Ok(Self { sources, tokens: read_tokens(dir, config.as_ref())? })
    }

    /// Templates that were read from elsewhere: the name of each, where it stands, and its text.
    ///
    /// # Errors
    /// When there is none, or one is too long.
    pub(in crate::load) fn of_texts(
        path: &Path,
        texts: Vec<(String, String, String)>,
        tokens: Map<String, Value>,
    ) -> Result<Self, ChatError> {
        if texts.is_empty() {
            return Err(ChatError::NoTemplate { dir: path.to_owned() });
        }
        if let Some((_, file, text)) = texts.iter().find(|(.., text)| text.len() > LARGEST_TEMPLATE) {
            return Err(ChatError::TooLong { file: file.clone(), bytes: text.len() });
        }
        let sources = texts.into_iter().map(|(name, file, text)| Source { name, file, text }).collect();
        Ok(Self { sources, tokens })
    }

    /// The templates by name.
    pub(in crate::load) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.sources.iter().map(|source| (source.name.as_str(), source.text.as_str()))
    }

    /// True when there seems to be a template in a folder.
    pub(in crate::load) fn is_in(dir: &Path) -> bool {
        let in_config = || Fields::read(&dir.join(CONFIG)).is_ok_and(|f| f.value("chat_template").is_some());
        let has_more = || !named_in(dir, MORE).is_empty() || !named_in(dir, MORE_ONCE).is_empty();
        dir.join(TEMPLATE).is_file() || in_config() || has_more()
    }

    /// Writes the templates beside a model's other files. Special tokens go into tokenizer_config.json, see
    /// [`Self::special_tokens`].
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), LoadError> {
        for source in &self.sources {
            let path = if source.name == "default" {
                dir.join(TEMPLATE)
            } else {
                let folder = dir.join(MORE);
                std::fs::create_dir_all(&folder).map_err(|source| LoadError::Write { path: folder.clone(), source })?;
                folder.join(format!("{}{ENDING}", source.name))
            };
            std::fs::write(&path, &source.text).map_err(|source| LoadError::Write { path, source })?;
        }
        Ok(())
    }

    /// The special tokens that templates name, as tokenizer_config.json holds them.
    #[must_use]
    pub fn special_tokens(&self) -> &Map<String, Value> {
        &self.tokens
    }
}

/// chat_template.jinja, and what is in the folder beside it; a template in the folder of before counts where no other has its
/// name.
fn read_files(dir: &Path) -> Result<Vec<Source>, ChatError> {
    let mut sources = Vec::new();
    if dir.join(TEMPLATE).is_file() {
        sources.push(read_file(dir, TEMPLATE, "default")?);
    }
    for folder in [MORE, MORE_ONCE] {
        for name in named_in(dir, folder) {
            if sources.iter().all(|known| known.name != name) {
                sources.push(read_file(dir, &format!("{folder}/{name}{ENDING}"), &name)?);
            }
        }
    }
    Ok(sources)
}

/// Names of the templates in a folder inside the model's, in alphabetical order.
fn named_in(dir: &Path, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join(folder)).into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(ENDING).map(str::to_owned);
    let mut names: Vec<String> = entries.filter_map(name).collect();
    names.sort();
    names
}

fn read_file(dir: &Path, file: &str, name: &str) -> Result<Source, ChatError> {
    let path = dir.join(file);
    let broken = |problem: String| ChatError::File { path: path.clone(), problem };
    let size = std::fs::metadata(&path).map_err(|error| broken(error.to_string()))?.len();
    if size > LARGEST_TEMPLATE as u64 {
        let bytes = usize::try_from(size).unwrap_or(usize::MAX);
        return Err(ChatError::TooLong { file: file.to_owned(), bytes });
    }
    let text = String::from_utf8(crate::load::file::read(&path)?).map_err(|error| broken(error.to_string()))?;
    Ok(Source { name: name.to_owned(), file: file.to_owned(), text })
}

/// `chat_template` in tokenizer_config.json: one text, or a list of objects with name and template.
fn read_field(config: &Fields) -> Result<Vec<Source>, ChatError> {
    const FIELD: &str = "chat_template";
    let source = |name: &str, text: &str| Source {
        name: name.to_owned(),
        file: if name == "default" { format!("{FIELD} in {CONFIG}") } else { format!("{FIELD} {name:?} in {CONFIG}") },
        text: text.to_owned(),
    };
    match config.value(FIELD) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![source("default", text)]),
        Some(Value::Array(list)) => {
            let named = list.iter().map(|entry| {
                let text = |field: &str| entry.get(field).and_then(Value::as_str);
                text("name").zip(text("template")).map(|(name, template)| source(name, template))
            });
            let wrong = || config.wrong(FIELD, "holds an entry without a name and a template");
            named.collect::<Option<Vec<_>>>().ok_or_else(|| wrong().into())
        }
        Some(other) => Err(config.wrong(FIELD, format!("is {other}, neither a text nor a list")).into()),
    }
}

/// Every `…_token`, as a text. Folders of older versions keep them in special_tokens_map.json as well, which then counts
/// more.
fn read_tokens(dir: &Path, config: Option<&Fields>) -> Result<Map<String, Value>, ChatError> {
    let mut tokens = Map::new();
    let mut add = |fields: &Fields| {
        for (name, value) in fields.entries().filter(|(name, _)| name.ends_with("_token")) {
            let text = value.as_str().or_else(|| value.get("content").and_then(Value::as_str));
            if let Some(text) = text {
                tokens.insert(name.clone(), Value::from(text));
            }
        }
    };
    if let Some(config) = config {
        add(config);
    }
    let legacy = dir.join(LEGACY_TOKENS);
    if legacy.is_file() && config.is_none_or(|config| config.value("added_tokens_decoder").is_none()) {
        add(&Fields::read(&legacy)?);
    }
    if let Some(Value::Object(extra)) = config.and_then(|config| config.value("extra_special_tokens")) {
        let texts = extra.iter().filter(|(_, value)| value.is_string());
        tokens.extend(texts.map(|(name, value)| (name.clone(), value.clone())));
    }
    Ok(tokens)
}
