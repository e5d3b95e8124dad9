//! What can keep a conversation from becoming text.

use super::engine;
use crate::load::LoadError;
use crate::types::{ChatFailure, UserError};
use std::path::PathBuf;
use thiserror::Error;

/// Why a chat template gives no text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // Every variant says in its message what it and its fields are.
pub enum ChatError {
    #[error("{} holds none", .dir.display())]
    NoTemplate { dir: PathBuf },
    #[error("{}: {problem}", .path.display())]
    File { path: PathBuf, problem: String },
    #[error("there is no chat template called {name:?}")]
    UnknownTemplate { name: String, known: Vec<String> },
    #[error("the conversation is empty")]
    Empty,
    #[error("message {} {problem}", .message + 1)]
    Message { message: usize, problem: String },
    #[error("the template leaves out the message that is to be continued")]
    NothingToContinue,
    /// `raise_exception`: the template itself refuses.
    #[error("{message}")]
    Refused { message: String, place: Place },
    /// The template is wrong, or does what it must not.
    #[error("{message}")]
    Template { message: String, place: Place },
    #[error("the template does not come to an end")]
    Endless { place: Place },
    #[error("the template writes more than {} MB", engine::LARGEST_OUTPUT >> 20)]
    TooMuch { place: Place },
    #[error("the template is {} kB long, more than {} kB", .bytes >> 10, engine::LARGEST_TEMPLATE >> 10)]
    TooLong { file: String, bytes: usize },
    #[error("the template could not be run: {problem}")]
    Crashed { file: String, problem: String },
}

/// Where in a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file, and the field or name in it.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// That line with the ones around it, numbered.
    pub excerpt: String,
}

impl Place {
    /// A place with an excerpt of the source.
    pub(super) fn new(file: &str, source: &str, line: Option<usize>) -> Self {
        const AROUND: usize = 2;
        const WIDEST: usize = 160;
        let mut excerpt = String::new();
        if let Some(line) = line {
            let shown = source.lines().enumerate().map(|(i, text)| (i + 1, text));
            for (number, text) in shown.skip_while(|(n, _)| n + AROUND < line).take_while(|(n, _)| *n <= line + AROUND)
            {
                let mark = if number == line { '>' } else { ' ' };
                let cut: String = text.chars().take(WIDEST).collect();
                let more = if cut.len() < text.len() { " …" } else { "" };
                excerpt += &format!("{mark} {number:>4} │ {cut}{more}\n");
            }
        }
        Self { file: file.to_owned(), line, excerpt: excerpt.trim_end().to_owned() }
    }

    fn words(&self) -> String {
        match self.line {
            Some(line) => format!("line {line} of {}", self.file),
            None => self.file.clone(),
        }
    }
}

impl From<LoadError> for ChatError {
    fn from(error: LoadError) -> Self {
        let (path, problem) = match error {
            LoadError::Read { path, source } => (path, source.to_string()),
            LoadError::Json { path, source } => (path, format!("not valid JSON: {source}")),
            LoadError::Pointer { path, .. } => {
                let problem = "it is a pointer of Git LFS in the template's place; run `git lfs pull` in the folder";
                (path, problem.to_owned())
            }
            LoadError::Field { path, field, problem } => (path, format!("the field `{field}` {problem}")),
            other => (PathBuf::new(), other.to_string()),
        };
        Self::File { path, problem }
    }
}

impl From<ChatError> for ChatFailure {
    fn from(error: ChatError) -> Self {
        Self { is_missing: matches!(error, ChatError::NoTemplate { .. }), error: error.into() }
    }
}

impl From<ChatError> for UserError {
    fn from(error: ChatError) -> Self {
        let what = error.to_string();
        let place = match &error {
            ChatError::Refused { place, .. }
            | ChatError::Template { place, .. }
            | ChatError::Endless { place }
            | ChatError::TooMuch { place } => Some(place),
            _ => None,
        };
        let at = place.map(Place::words).unwrap_or_default();
        let error = match &error {
            ChatError::NoTemplate { .. } => Self::new(
                "The model has no chat template.",
                format!("{what}. It continues text, and nothing says how it would tell turns apart."),
                "Use the plain prompt, or write the turns as plain lines; a model that was trained on chats keeps its \
                 template in tokenizer_config.json or chat_template.jinja.",
            ),
            ChatError::File { .. } => Self::new(
                "The chat template cannot be read.",
                what,
                "Fetch the file again, or save the tokenizer again with transformers. The plain prompt works without it.",
            ),
            ChatError::UnknownTemplate { known, .. } => Self::new(
                format!("{}.", sentence(&what)),
                format!("The model has: {}.", known.join(", ")),
                "Choose one of these.",
            ),
            ChatError::Empty => {
                Self::new("The conversation is empty.", "A chat template needs at least one message.", "Add a turn.")
            }
            ChatError::Message { .. } => Self::new(
                format!("{}.", sentence(&what)),
                "A message is an object with the fields role and content.",
                "Correct the messages.",
            ),
            ChatError::NothingToContinue => Self::new(
                format!("{}.", sentence(&what)),
                "The text of the last message does not appear in what the template wrote, so its end cannot be found.",
                "Generate a new turn instead, or use the plain prompt.",
            ),
            ChatError::Refused { .. } => Self::new(
                format!("The chat template refuses this conversation: {what}"),
                format!("It says so in {at}."),
                "Change the turns as it asks: their order, their roles, or the system message.",
            ),
            ChatError::Template { .. } => Self::new(
                format!("The chat template failed: {what}"),
                format!("It happened in {at}."),
                "The template comes with the model: correct it there, or use the plain prompt.",
            ),
            ChatError::Endless { .. } | ChatError::TooMuch { .. } => Self::new(
                "The chat template was stopped.",
                format!("{} ({at}).", sentence(&what)),
                "The template comes with the model: correct it there, or use the plain prompt.",
            ),
            ChatError::TooLong { file, .. } | ChatError::Crashed { file, .. } => Self::new(
                "The chat template was not run.",
                format!("{} ({file}).", sentence(&what)),
                "The template comes with the model: correct it there, or use the plain prompt.",
            ),
        };
        error.with_detail(place.map(|place| place.excerpt.clone()).unwrap_or_default())
    }
}

/// With a capital at the beginning.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
