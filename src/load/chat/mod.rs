//! Chat templates: conversations as the text a model was trained on, rendered as transformers renders it.
//!
//! Must not know: models, tokenizers, windows.

mod engine;
mod error;
mod files;
mod methods;
mod python;
mod source;
#[cfg(test)]
mod tests;

pub use error::{ChatError, Place};

use crate::types::{ChatEnding, ChatFormat, ChatMessage, ChatPrompt, RenderedChat};
use engine::Source;
use jiff::civil::DateTime;
use minijinja::Value;
use serde_json::{Map, Value as Json};
use std::ops::Range;

/// Marks the end of the message that is to be continued; the text is cut before it. The same as in transformers, since a
/// template could look at it.
const CONTINUE: &str = "CONTINUE_FINAL_MESSAGE_TAG ";
/// Stands behind a message's own words in the second rendering, from which their places are read; before them stands a
/// character that tells which message it is. They are for private use: no template writes them.
const END: char = '\u{F0000}';
/// Before the words of the first message.
const FIRST_START: u32 = 0xF0001;
/// Names of what a model thought before it answered. The first is the one templates read.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

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

    /// Writes the conversation as text.
    ///
    /// # Errors
    /// When the template refuses the conversation, is wrong, or does not come to an end; each with its line.
    pub fn render(&self, prompt: &ChatPrompt) -> Result<RenderedChat, ChatError> {
        self.render_at(prompt, jiff::Zoned::now().datetime())
    }

    /// The same at a given time, which templates may write.
    pub(super) fn render_at(&self, prompt: &ChatPrompt, now: DateTime) -> Result<RenderedChat, ChatError> {
        let mut rendered = render(self.choose(prompt)?, prompt, &self.tokens, now)?;
        rendered.formats = if self.sources.len() > 1 { self.names() } else { Vec::new() };
        Ok(rendered)
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

/// Writes a conversation with a model's template, or as lines where that is asked for.
///
/// # Errors
/// Why the model has no template that can be used, or as [`ChatTemplate::render`].
pub fn render_chat(template: &Result<ChatTemplate, ChatError>, prompt: &ChatPrompt) -> Result<RenderedChat, ChatError> {
    if prompt.format == ChatFormat::Lines {
        let file = "the plain lines of Fovea".to_owned();
        let lines = Source { name: String::new(), file, text: LINES.to_owned() };
        return render(&lines, prompt, &Map::new(), jiff::Zoned::now().datetime());
    }
    template.as_ref().map_err(Clone::clone)?.render(prompt)
}

/// `apply_chat_template` without the tokenizer.
fn render(
    source: &Source,
    prompt: &ChatPrompt,
    tokens: &Map<String, Json>,
    now: DateTime,
) -> Result<RenderedChat, ChatError> {
    let mut messages: Vec<ChatMessage> = prompt.messages.iter().map(normalised).collect();
    let last = messages.len().checked_sub(1).ok_or(ChatError::Empty)?;
    let goes_on = prompt.ending == ChatEnding::ContinueFinal;
    let mut tail = String::new();
    if goes_on {
        tail = open_end(&mut messages[last], last)?;
        if !source.text.contains("content") {
            return Err(ChatError::NothingToContinue);
        }
    }
    let context = |messages: &[ChatMessage]| {
        let mut all = Map::from_iter([("tools".to_owned(), Json::Null), ("documents".to_owned(), Json::Null)]);
        all.extend(tokens.clone());
        all.extend(prompt.variables.clone());
        all.insert("add_generation_prompt".to_owned(), Json::Bool(prompt.ending == ChatEnding::GenerationPrompt));
        all.insert("messages".to_owned(), messages.iter().map(|m| Json::Object(m.0.clone())).collect());
        value(&Json::Object(all))
    };
    let marked: Vec<ChatMessage> = messages.iter().enumerate().map(|(i, m)| with_marks(i, m, goes_on)).collect();
    let mut texts = engine::render(source, vec![context(&messages)], now)?;
    let mut text = texts.pop().unwrap_or_default();
    // The places are read from a rendering of their own, which may fail or differ where the first did not.
    let marked = engine::render(source, vec![context(&marked)], now).ok().and_then(|mut texts| texts.pop());
    let mut spans = marked.and_then(|marked| spans(&marked, &text)).unwrap_or_default();
    if goes_on {
        cut(&mut text, &tail)?;
        spans.retain(|(_, span)| span.end <= text.len());
    }
    Ok(RenderedChat { text, spans, formats: Vec::new() })
}

/// Without fields that are null, and with what was thought under every name that templates read it by.
fn normalised(message: &ChatMessage) -> ChatMessage {
    let mut fields: Map<String, Json> =
        message.0.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    if let Some(thought) = REASONING.iter().find_map(|name| fields.get(*name)).cloned() {
        fields.entry("thinking").or_insert_with(|| thought.clone());
        fields.insert(REASONING[0].to_owned(), thought);
    }
    ChatMessage(fields)
}

/// Puts the mark behind the last message's text; gives that text.
fn open_end(message: &mut ChatMessage, place: usize) -> Result<String, ChatError> {
    let missing = |problem: &str| ChatError::Message { message: place, problem: problem.to_owned() };
    let text = match message.0.get_mut("content") {
        Some(Json::String(text)) => Some(text),
        Some(Json::Array(parts)) => parts.iter_mut().rev().find_map(|part| match part.get_mut("text") {
            Some(Json::String(text)) => Some(text),
            _ => None,
        }),
        Some(_) => return Err(missing("has a content that is no text, so it cannot be continued")),
        None => return Err(missing("has no content to continue")),
    };
    let text = text.ok_or_else(|| missing("has no text to continue"))?;
    let before = text.clone();
    text.push_str(CONTINUE);
    Ok(before)
}

/// Cuts the text where the continued message ends.
fn cut(text: &mut String, message: &str) -> Result<(), ChatError> {
    let trimmed = CONTINUE.trim_end();
    let at =
        text.rfind(trimmed).filter(|_| text.contains(python::strip(message))).ok_or(ChatError::NothingToContinue)?;
    let is_whole = text[at..].starts_with(CONTINUE);
    text.truncate(at);
    if !is_whole {
        // The template trimmed the message, so the space before the mark is not the template's.
        text.truncate(python::rstrip(text).len());
    }
    Ok(())
}

/// Marks around a message's words. White space at the ends stays outside, so that a template trims it as before.
fn with_marks(place: usize, message: &ChatMessage, goes_on: bool) -> ChatMessage {
    let mut marked = message.clone();
    let start = u32::try_from(place).ok().and_then(|place| char::from_u32(FIRST_START + place)).filter(is_start);
    if let (Some(Json::String(text)), Some(start)) = (marked.0.get_mut("content"), start) {
        let tag = if goes_on && text.ends_with(CONTINUE) { CONTINUE } else { "" };
        let own = &text[..text.len() - tag.len()];
        let core = python::strip(own);
        if !core.is_empty() {
            let at = own.find(core).unwrap_or(0);
            let (before, after) = (&own[..at], &own[at + core.len()..]);
            *text = format!("{before}{start}{core}{END}{after}{tag}");
        }
    }
    marked
}

/// All of the first private-use plane that [`END`] leaves.
fn is_start(c: &char) -> bool {
    (FIRST_START..0xFFFFE).contains(&u32::from(*c))
}

/// Where the marked words stand in the text without marks; nothing when that is not the text, for then the marks changed
/// what the template did.
fn spans(marked: &str, text: &str) -> Option<Vec<(usize, Range<usize>)>> {
    let mut found = Vec::new();
    let mut plain = String::with_capacity(text.len());
    let mut open = None;
    for c in marked.chars() {
        if is_start(&c) {
            open = Some(((u32::from(c) - FIRST_START) as usize, plain.len()));
        } else if c == END {
            let (message, start) = open.take()?;
            found.push((message, start..plain.len()));
        } else {
            plain.push(c);
        }
    }
    (plain == text).then_some(found)
}

/// JSON as a value of the template engine, fields in their order.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(whole)) => Value::from(whole),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => Value::from(items.iter().map(value).collect::<Vec<_>>()),
        Json::Object(fields) => Value::from_pairs(fields.iter().map(|(key, item)| (key.as_str(), value(item)))),
    }
}
