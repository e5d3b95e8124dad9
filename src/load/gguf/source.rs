//! A file as the source of a model's parts.

use super::config;
use super::family::Family;
use super::header::GgufFile;
use super::names::Names;
use super::parts;
use super::tokens::{self, Vocabulary};
use super::weights::GgufTensors;
use crate::load::chat::{ChatError, ChatTemplate};
use crate::load::encoder::sentence_files::SentenceSettings;
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::source::ModelSource;
use crate::load::tensors::container::WeightFiles;
use crate::load::tokens::tokenizer::Tokenizer;
use crate::load::tokens::tokenizer_class::UsualClass;
use crate::types::{CardFile, HeldOut, Pooling, model_name, printable};
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const TEMPLATE: &str = "tokenizer.chat_template";
/// Longest list of settings that a card shows.
const LONGEST_TEXT: usize = 400;

/// A model in GGUF: one file, or parts of which any may be named.
pub(in crate::load) struct GgufSource {
    /// What was named: the file, its folder, or a manifest of ollama.
    path: PathBuf,
    /// The file, or those of a folder of which nobody said which is meant.
    file: Result<PathBuf, Vec<String>>,
    /// Mapped once for all that is asked of it.
    files: Mutex<Option<Vec<Arc<GgufFile>>>>,
}

impl GgufSource {
    pub(super) fn new(path: &Path, file: Result<PathBuf, Vec<String>>) -> Self {
        Self { path: path.to_owned(), file, files: Mutex::new(None) }
    }

    fn file(&self) -> Result<&Path, LoadError> {
        match &self.file {
            Ok(file) => Ok(file),
            Err(files) => Err(LoadError::SeveralModels { dir: self.path.clone(), files: files.clone() }),
        }
    }

    /// The files, mapped, the one with the settings first.
    fn files(&self) -> Result<Vec<Arc<GgufFile>>, LoadError> {
        let mut mapped = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = &*mapped {
            return Ok(files.clone());
        }
        let files: Vec<Arc<GgufFile>> = parts::open(self.file()?)?.into_iter().map(Arc::new).collect();
        *mapped = Some(files.clone());
        Ok(files)
    }

    fn first(&self) -> Result<Arc<GgufFile>, LoadError> {
        Ok(Arc::clone(&self.files()?[0]))
    }

    /// A text of the settings, where there is one.
    fn said(&self, key: &str) -> Option<String> {
        self.first().ok()?.header.metadata.text(key).ok()?.map(str::to_owned)
    }

    /// Chat templates: the name of each, where it stands, and its text.
    fn templates(&self) -> Result<Vec<(String, String, String)>, LoadError> {
        let file = self.first()?;
        let mut texts = Vec::new();
        for (key, _) in file.header.metadata.entries() {
            let Some(rest) = key.strip_prefix(TEMPLATE) else { continue };
            let name = if rest.is_empty() { Some("default") } else { rest.strip_prefix('.') };
            let (Some(name), Some(text)) = (name, file.header.metadata.text(key)?) else { continue };
            texts.push((name.to_owned(), key.to_owned(), text.to_owned()));
        }
        Ok(texts)
    }
}

impl ModelSource for GgufSource {
    fn path(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> String {
        model_name(if self.path.is_dir() { self.file.as_deref().unwrap_or(&self.path) } else { &self.path })
    }

    fn config(&self) -> Result<Fields, LoadError> {
        config::fields(&self.files()?)
    }

    fn generation(&self) -> Result<Option<Fields>, LoadError> {
        const NAMES: [(&str, &str); 5] = [
            ("temp", "temperature"),
            ("top_k", "top_k"),
            ("top_p", "top_p"),
            ("min_p", "min_p"),
            ("penalty_repeat", "repetition_penalty"),
        ];
        let file = self.first()?;
        let metadata = &file.header.metadata;
        let mut map = Map::new();
        for (theirs, ours) in NAMES {
            let key = format!("general.sampling.{theirs}");
            let value = match ours {
                "top_k" => metadata.whole(&key)?.map(Json::from),
                _ => metadata.number(&key)?.map(Json::from),
            };
            map.extend(value.map(|value| (ours.to_owned(), value)));
        }
        if map.is_empty() {
            return Ok(None);
        }
        map.insert("do_sample".to_owned(), json!(true));
        Ok(Some(Fields::made(&file.path, map, std::collections::BTreeMap::new())))
    }

    fn tokenizer(&self, _: UsualClass, vocabulary: usize) -> Result<Tokenizer, LoadError> {
        tokens::read(&*self.first()?, &self.name(), vocabulary)
    }

    fn special_token(&self, role: &str) -> Result<Option<String>, LoadError> {
        let file = self.first()?;
        let Some(tokens) = Vocabulary::read(&file)? else { return Ok(None) };
        Ok(tokens.roles()?.into_iter().find(|(name, _)| *name == role).map(|(_, text)| text.to_owned()))
    }

    fn weights(&self) -> Result<WeightFiles, LoadError> {
        let files = self.files()?;
        let metadata = &files[0].header.metadata;
        let architecture = config::architecture(metadata)?;
        let heads = |name: &str| {
            let key = format!("{architecture}.attention.{name}");
            Ok::<_, LoadError>(metadata.whole(&key).unwrap_or_default().and_then(|count| usize::try_from(count).ok()))
        };
        let all = heads("head_count")?.unwrap_or_default();
        let names =
            Names { family: Family::named(architecture), heads: all, kv_heads: heads("head_count_kv")?.unwrap_or(all) };
        Ok(WeightFiles::of_gguf(files.iter().map(|file| GgufTensors::new(Arc::clone(file), &names)).collect()))
    }

    fn weight_paths(&self) -> Result<Vec<PathBuf>, LoadError> {
        parts::paths(self.file()?)
    }

    fn chat_template(&self) -> Result<ChatTemplate, ChatError> {
        let file = self.first()?;
        let mut tokens = Map::new();
        if let Some(vocabulary) = Vocabulary::read(&file)? {
            tokens.extend(vocabulary.roles()?.into_iter().map(|(name, text)| (name.to_owned(), text.into())));
        }
        ChatTemplate::of_texts(&self.path, self.templates()?, tokens)
    }

    fn has_chat_template(&self) -> bool {
        self.templates().is_ok_and(|texts| !texts.is_empty())
    }

    fn longest_text(&self) -> Result<Option<usize>, LoadError> {
        Ok(None)
    }

    fn sentence_settings(&self) -> Result<Option<SentenceSettings>, LoadError> {
        let file = self.first()?;
        let metadata = &file.header.metadata;
        let key = format!("{}.pooling_type", config::architecture(metadata)?);
        let pooling = match metadata.whole(&key)? {
            None | Some(0) => return Ok(None),
            Some(1) => Pooling::Mean,
            Some(2) => Pooling::Cls,
            Some(other) => return Err(metadata.unsupported(&key, &other, "1 (mean), 2 (the first token)")),
        };
        // Files do not say whether vectors are scaled to length 1; llama.cpp's programs do it.
        Ok(Some(SentenceSettings { pooling, normalised: true, longest: None, lower_case: false }))
    }

    fn preprocessor(&self) -> Result<Fields, LoadError> {
        Err(LoadError::MissingFile { dir: self.path.clone(), file: crate::load::vision::preprocessor::FILE })
    }

    fn held_out(&self) -> Option<HeldOut> {
        None
    }

    fn text(&self) -> Option<String> {
        let file = self.first().ok()?;
        let mut text = format!("# {}\n\n", self.said("general.name").unwrap_or_else(|| self.name()));
        if let Some(told) = self.said("general.description") {
            text += &format!("{told}\n\n");
        }
        text += &format!("GGUF version {}. What the file says of itself:\n\n", file.header.version);
        for (key, value) in file.header.metadata.entries().filter(|(key, _)| !key.starts_with(TEMPLATE)) {
            let told = match value.told() {
                Json::String(text) => text,
                other => other.to_string(),
            };
            let short: String = told.chars().take(LONGEST_TEXT).map(|c| if c == '\n' { ' ' } else { c }).collect();
            let dots = if short.len() < told.len() { "…" } else { "" };
            text += &format!("- `{key}`: {short}{dots}\n");
        }
        Some(text)
    }

    fn licence(&self) -> Option<String> {
        self.said("general.license")
    }

    fn files(&self) -> Vec<CardFile> {
        let paths = self.weight_paths().unwrap_or_default();
        let file = |path: &PathBuf| {
            let name = path.file_name()?.to_string_lossy();
            Some(CardFile { name: printable(&name).into_owned(), bytes: std::fs::metadata(path).ok()?.len() })
        };
        paths.iter().filter_map(file).collect()
    }
}
