//! A conversation as transformers hands it to a template, and what is read from the text: where the messages stand in it, and
//! where one ends that is to be continued.

use super::engine::{self, Source};
use super::expressions::OWN;
use super::rendering::Part;
use super::{ChatError, python};
use crate::types::{ChatEnding, ChatMessage, ChatPrompt, RenderedChat};
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
/// Names of what a model thought before it answered. The first is the one templates read, some the second.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A template and everything it is rendered with.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) source: Source,
    pub(super) prompt: ChatPrompt,
    /// `bos_token` and the others.
    pub(super) tokens: Map<String, Json>,
    /// What `strftime_now` tells.
    pub(super) now: DateTime,
    /// Names of the model's templates.
    pub(super) formats: Vec<String>,
}

impl Conversation {
    /// `apply_chat_template` without the tokenizer: first the text, then where the messages stand in it.
    pub(super) fn write(&self, tell: &dyn Fn(Part)) {
        let mut result = self.write_with(false, tell);
        // transformers leaves fields out that are null, since version 5; templates of before may count on them.
        let is_told = |error: &ChatError| matches!(error, ChatError::Template { .. } | ChatError::Refused { .. });
        let has_null = || self.prompt.messages.iter().any(|message| message.0.values().any(Json::is_null));
        if result.as_ref().is_err_and(is_told) && has_null() && self.write_with(true, tell).is_ok() {
            result = Ok(());
        }
        if let Err(error) = result {
            tell(Part::Text(Err(error)));
        }
    }

    fn write_with(&self, keeps_null: bool, tell: &dyn Fn(Part)) -> Result<(), ChatError> {
        let mut messages: Vec<ChatMessage> =
            self.prompt.messages.iter().map(|message| normalised(message, keeps_null)).collect();
        let last = messages.len().checked_sub(1).ok_or(ChatError::Empty)?;
        let goes_on = self.prompt.ending == ChatEnding::ContinueFinal;
        let mut tail = String::new();
        if goes_on {
            tail = open_end(&mut messages[last], last)?;
            if !self.source.text.contains("content") {
                return Err(ChatError::NothingToContinue);
            }
        }
        engine::run(&self.source, self.now, |render| {
            let whole = render(self.context(&messages))?;
            let mut text = whole.clone();
            if goes_on {
                cut(&mut text, &tail)?;
            }
            let end = text.len();
            tell(Part::Text(Ok(RenderedChat { text, spans: Vec::new(), formats: self.formats.clone() })));
            // The places are read from a rendering of their own, which may fail or differ where the first did not.
            let marked: Vec<ChatMessage> =
                messages.iter().enumerate().map(|(place, message)| with_marks(place, message, goes_on)).collect();
            let marked = render(self.context(&marked)).ok();
            let mut spans = marked.and_then(|marked| spans(&marked, &whole)).unwrap_or_default();
            spans.retain(|(_, span)| span.end <= end);
            tell(Part::Places(spans));
            Ok(())
        })
    }

    fn context(&self, messages: &[ChatMessage]) -> Value {
        let mut all = Map::from_iter([("tools".to_owned(), Json::Null), ("documents".to_owned(), Json::Null)]);
        all.extend(self.tokens.clone());
        all.extend(self.prompt.variables.clone());
        // No variable takes the place of a function of ours.
        all.retain(|name, _| !name.starts_with(OWN));
        let answers = self.prompt.ending == ChatEnding::GenerationPrompt;
        all.insert("add_generation_prompt".to_owned(), Json::Bool(answers));
        all.insert("messages".to_owned(), messages.iter().map(|message| Json::Object(message.0.clone())).collect());
        value(&Json::Object(all))
    }
}

/// As transformers gives a message to a template: without the fields that are null, and with what was thought under every name
/// that templates read it by.
fn normalised(message: &ChatMessage, keeps_null: bool) -> ChatMessage {
    let there = message.0.iter().filter(|(_, value)| keeps_null || !value.is_null());
    let mut fields: Map<String, Json> = there.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(thought) =
        REASONING.iter().find_map(|name| fields.get(*name).filter(|thought| !thought.is_null())).cloned()
    {
        let own = std::mem::replace(&mut fields, Map::from_iter([(REASONING[1].to_owned(), thought.clone())]));
        fields.extend(own);
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
        None | Some(Json::Null) => return Err(missing("has no content to continue")),
        Some(_) => return Err(missing("has a content that is no text, so it cannot be continued")),
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
