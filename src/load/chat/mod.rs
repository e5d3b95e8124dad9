//! Chat templates: conversations as the text a model was trained on, rendered as transformers renders it.
//!
//! Must not know: models, tokenizers, windows.

mod arguments;
mod conversation;
mod engine;
mod error;
#[cfg(test)]
mod expression_tests;
mod expressions;
mod files;
mod filters;
mod json;
mod letters;
#[cfg(test)]
mod limit_tests;
mod limits;
mod methods;
mod operators;
mod order;
mod percent;
mod python;
mod questions;
mod rendering;
mod source;
mod spec;
mod str_format;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod text_methods;
mod tokens;
mod views;

pub use error::{ChatError, Place};
pub use rendering::Rendering;

use crate::types::{ChatFormat, ChatPrompt, RenderedChat};
use conversation::Conversation;
use engine::Source;
use jiff::civil::DateTime;
use limits::LONGEST;
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// [`ChatFormat::Lines`].
const LINES: &str = "{% for message in messages %}
{{ message.role | capitalize }}: {{ message.content }}{{ '\\n' if not loop.last or message.role != 'assistant' }}
{%- endfor %}
{% if add_generation_prompt %}Assistant:{% endif %}";

/// A model's chat templates, and the special tokens they name.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatTemplate {
    sources: Vec<Source>,
    /// `bos_token`, `eos_token` and the others, as texts.
    tokens: Map<String, Json>,
}

impl ChatTemplate {
    /// Names of the templates, in the order of the files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.name.clone()).collect()
    }

    /// Writes the conversation as text. Waits for it: not for a thread that has something else to do.
    ///
    /// # Errors
    /// When the template refuses the conversation, is wrong, or does not come to an end; each with its line.
    pub fn render(&self, prompt: &ChatPrompt) -> Result<RenderedChat, ChatError> {
        self.start(prompt)?.finish()
    }

    /// Begins to write the conversation as text.
    ///
    /// # Errors
    /// When there is no such template.
    pub fn start(&self, prompt: &ChatPrompt) -> Result<Rendering, ChatError> {
        self.start_at(prompt, now(), LONGEST)
    }

    /// The same at a given time, which templates may write, and within a time of one's own.
    fn start_at(&self, prompt: &ChatPrompt, now: DateTime, longest: Duration) -> Result<Rendering, ChatError> {
        let formats = if self.sources.len() > 1 { self.names() } else { Vec::new() };
        let (source, tokens) = (self.choose(prompt)?.clone(), self.tokens.clone());
        Rendering::start(Conversation { source, prompt: prompt.clone(), tokens, now, formats }, longest)
    }

    /// As `get_chat_template` of transformers chooses.
    fn choose(&self, prompt: &ChatPrompt) -> Result<&Source, ChatError> {
        let named = |name: &str| self.sources.iter().find(|source| source.name == name);
        let has_tools = prompt.variables.get("tools").is_some_and(|tools| !tools.is_null());
        let (chosen, name) = match &prompt.format {
            ChatFormat::Named(name) => (named(name), name.as_str()),
            _ => (has_tools.then(|| named("tool_use")).flatten().or_else(|| named("default")), "default"),
        };
        chosen.ok_or_else(|| ChatError::UnknownTemplate { name: name.to_owned(), known: self.names() })
    }
}

/// Begins to write a conversation with a model's template, or as lines where that is asked for.
///
/// # Errors
/// Why the model has no template that can be used.
pub fn start_chat(template: &Result<ChatTemplate, ChatError>, prompt: &ChatPrompt) -> Result<Rendering, ChatError> {
    if prompt.format == ChatFormat::Lines {
        let file = "the plain lines of Fovea".to_owned();
        let source = Source { name: String::new(), file, text: LINES.to_owned() };
        let (prompt, tokens) = (prompt.clone(), Map::new());
        return Rendering::start(Conversation { source, prompt, tokens, now: now(), formats: Vec::new() }, LONGEST);
    }
    template.as_ref().map_err(Clone::clone)?.start(prompt)
}

/// The same, and waits for it.
///
/// # Errors
/// As [`start_chat`] and [`ChatTemplate::render`].
pub fn render_chat(template: &Result<ChatTemplate, ChatError>, prompt: &ChatPrompt) -> Result<RenderedChat, ChatError> {
    start_chat(template, prompt)?.finish()
}

fn now() -> DateTime {
    jiff::Zoned::now().datetime()
}
