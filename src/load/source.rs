//! Where the parts of a model come from: its settings, tokenizer, weights, chat templates, and what is told about it.
//!
//! Everything that opens or describes a model asks a [`ModelSource`] and knows no file by name. A folder in Hugging Face
//! layout is one; a GGUF file, which keeps all parts together, is another.

use crate::load::chat::{ChatError, ChatTemplate};
use crate::load::data::few_shot_file;
use crate::load::encoder::sentence_files::{self, SentenceSettings};
use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::gguf;
use crate::load::tensors::container::{WeightFiles, weight_paths};
use crate::load::tokens::special_tokens::TokenizerSettings;
use crate::load::tokens::tokenizer::Tokenizer;
use crate::load::tokens::tokenizer_class::UsualClass;
use crate::load::tokens::tokenizer_files;
use crate::load::vision::preprocessor;
use crate::types::{CardFile, HeldOut, printable};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The file that makes a folder a model folder.
pub(in crate::load) const CONFIG_FILE: &str = "config.json";
const GENERATION_FILE: &str = "generation_config.json";

/// The parts of one model. Each is read when it is asked for.
pub(in crate::load) trait ModelSource: Sync {
    /// Where it is.
    fn path(&self) -> &Path;

    /// Its name, for display.
    fn name(&self) -> String {
        crate::types::model_name(&self.path().canonicalize().unwrap_or_else(|_| self.path().to_owned()))
    }

    /// The settings of the network, by the names that Hugging Face's config.json has for them.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    fn config(&self) -> Result<Fields, LoadError>;

    /// Settings of generation, where they stand apart.
    ///
    /// # Errors
    /// When they are there and cannot be read.
    fn generation(&self) -> Result<Option<Fields>, LoadError>;

    /// The tokenizer, which gives no ids from `vocabulary` on. Where there is none it reads and writes no text.
    ///
    /// # Errors
    /// When it is broken, or none of its tokens is one of the model.
    fn tokenizer(&self, usual: UsualClass, vocabulary: usize) -> Result<Tokenizer, LoadError>;

    /// The text of the special token with this role, such as `mask_token`, where the tokenizer's settings name one.
    ///
    /// # Errors
    /// When the settings are there and cannot be read.
    fn special_token(&self, role: &str) -> Result<Option<String>, LoadError>;

    /// The weights, under the names of Hugging Face's files.
    ///
    /// # Errors
    /// When there are none, or a file of them cannot be opened.
    fn weights(&self) -> Result<WeightFiles, LoadError>;

    /// The files that hold the weights, without opening them.
    ///
    /// # Errors
    /// When there are none, or a file that an index names is not there.
    fn weight_paths(&self) -> Result<Vec<PathBuf>, LoadError>;

    /// The chat templates.
    ///
    /// # Errors
    /// When there is none, or it cannot be understood. None of it keeps the model from being opened.
    fn chat_template(&self) -> Result<ChatTemplate, ChatError>;

    /// True when there seems to be a chat template; whether it can be used is not looked at.
    fn has_chat_template(&self) -> bool;

    /// Tokens behind which the tokenizer's settings cut a text off, where they say it.
    ///
    /// # Errors
    /// When the settings are there and cannot be read.
    fn longest_text(&self) -> Result<Option<usize>, LoadError>;

    /// How an encoder makes one vector of a text, where that is said.
    ///
    /// # Errors
    /// When it is said and cannot be understood, or asks for what is not computed.
    fn sentence_settings(&self) -> Result<Option<SentenceSettings>, LoadError>;

    /// How pictures are prepared.
    ///
    /// # Errors
    /// When that is not said, or cannot be read.
    fn preprocessor(&self) -> Result<Fields, LoadError>;

    /// What few-shot training left out, where that is told.
    fn held_out(&self) -> Option<HeldOut>;

    /// What its makers say of it, in Markdown.
    fn text(&self) -> Option<String>;

    /// The licence, where it is told.
    fn licence(&self) -> Option<String>;

    /// The files it consists of, largest first.
    fn files(&self) -> Vec<CardFile>;
}

/// The source at a path. Whether there is a model is seen when a part of it is asked for.
pub(in crate::load) fn source(path: &Path) -> Box<dyn ModelSource> {
    if let Some(gguf) = gguf::place(path) {
        return Box::new(gguf);
    }
    Box::new(Folder { parts: sentence_files::encoder_folder(path), whole: path.to_owned() })
}

/// True when a model is in a folder, or a part of one that would be taken for it.
pub(crate) fn holds_model(dir: &Path) -> bool {
    dir.join(CONFIG_FILE).exists() || weight_paths(dir).is_ok() || gguf::place(dir).is_some()
}

/// The files that tell of a model, the first that is there.
const TEXT_FILES: [&str; 2] = ["README.md", "MODEL_CARD.md"];
/// Bytes of them that are read.
const LONGEST_TEXT: u64 = 256 << 10;

/// A folder in Hugging Face layout.
struct Folder {
    whole: PathBuf,
    /// Where the network and its tokenizer are: the whole, or in older folders of sentence-transformers one inside.
    parts: PathBuf,
}

impl Folder {
    fn file(&self, name: &'static str) -> Result<Fields, LoadError> {
        let path = self.parts.join(name);
        if !path.is_file() {
            let dir = self.parts.clone();
            return Err(match (dir.is_file(), dir.exists()) {
                (true, _) => LoadError::OtherFile { path: dir },
                (false, true) => LoadError::MissingFile { dir, file: name },
                (false, false) => LoadError::MissingFolder { dir },
            });
        }
        Fields::read(&path)
    }
}

impl ModelSource for Folder {
    fn path(&self) -> &Path {
        &self.whole
    }

    fn config(&self) -> Result<Fields, LoadError> {
        self.file(CONFIG_FILE)
    }

    fn generation(&self) -> Result<Option<Fields>, LoadError> {
        let path = self.parts.join(GENERATION_FILE);
        path.is_file().then(|| Fields::read(&path)).transpose()
    }

    fn tokenizer(&self, usual: UsualClass, vocabulary: usize) -> Result<Tokenizer, LoadError> {
        tokenizer_files::read_tokenizer(&self.parts, usual, vocabulary)
    }

    fn special_token(&self, role: &str) -> Result<Option<String>, LoadError> {
        Ok(TokenizerSettings::read(&self.parts)?.special(role)?.map(|token| token.content))
    }

    fn weights(&self) -> Result<WeightFiles, LoadError> {
        WeightFiles::open(&self.parts)
    }

    fn weight_paths(&self) -> Result<Vec<PathBuf>, LoadError> {
        weight_paths(&self.parts)
    }

    fn chat_template(&self) -> Result<ChatTemplate, ChatError> {
        ChatTemplate::read(&self.whole)
    }

    fn has_chat_template(&self) -> bool {
        ChatTemplate::is_in(&self.whole)
    }

    fn longest_text(&self) -> Result<Option<usize>, LoadError> {
        TokenizerSettings::read(&self.parts)?.longest_text()
    }

    fn sentence_settings(&self) -> Result<Option<SentenceSettings>, LoadError> {
        sentence_files::read(&self.whole)
    }

    fn preprocessor(&self) -> Result<Fields, LoadError> {
        self.file(preprocessor::FILE)
    }

    fn held_out(&self) -> Option<HeldOut> {
        few_shot_file::read(&self.whole)
    }

    fn text(&self) -> Option<String> {
        TEXT_FILES.iter().find_map(|name| {
            let file = std::fs::File::open(self.whole.join(name)).ok()?;
            let mut bytes = Vec::new();
            file.take(LONGEST_TEXT).read_to_end(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        })
    }

    fn licence(&self) -> Option<String> {
        licence_of(&self.text()?)
    }

    fn files(&self) -> Vec<CardFile> {
        let mut files = Vec::new();
        collect(&self.whole, "", 1, &mut files);
        files.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        files
    }
}

/// Writes what [`ModelSource::generation`] reads.
pub(in crate::load) fn write_generation(dir: &Path, value: &serde_json::Value) -> Result<(), LoadError> {
    crate::load::write_json(&dir.join(GENERATION_FILE), value)
}

/// The `license` of the front matter of a README: the lines between two lines of three hyphens at its beginning.
fn licence_of(text: &str) -> Option<String> {
    let mut lines = text.lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let matter: Vec<&str> = lines.take_while(|line| line.trim_end() != "---").collect();
    let value = |key: &str| {
        let line = matter.iter().find_map(|line| line.strip_prefix(key))?.strip_prefix(':')?;
        let value = line.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    // A licence of its own goes by `other`, with its name beside it.
    value("license").map(|licence| if licence == "other" { value("license_name").unwrap_or(licence) } else { licence })
}

/// Files of a folder and of the folders in it.
fn collect(dir: &Path, prefix: &str, depth: usize, files: &mut Vec<CardFile>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match std::fs::metadata(entry.path()) {
            Ok(found) if found.is_file() => {
                files.push(CardFile { name: printable(&name).into_owned(), bytes: found.len() });
            }
            Ok(found) if found.is_dir() && depth > 0 => collect(&entry.path(), &format!("{name}/"), depth - 1, files),
            _ => {}
        }
    }
}
