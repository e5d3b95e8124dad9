//! A conversation: what a person edits, and what a chat template is given.

use crate::types::UserError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::Range;

/// Who speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatRole {
    /// Says how the assistant should behave.
    System,
    /// The person.
    #[default]
    User,
    /// The model.
    Assistant,
}

impl ChatRole {
    /// Every role, in the order they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::User, Self::Assistant];

    /// The name chat templates know the role by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One turn as a person edits it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatTurn {
    /// Who speaks.
    pub role: ChatRole,
    /// What is said.
    pub text: String,
}

impl ChatTurn {
    /// A turn.
    pub fn new(role: ChatRole, text: impl Into<String>) -> Self {
        Self { role, text: text.into() }
    }
}

/// One message as a chat template is given it: an object with `role` and `content`, and whatever else the template reads,
/// such as `tool_calls`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatMessage(pub Map<String, Value>);

impl ChatMessage {
    /// The text, where the content is one.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        self.0.get("content").and_then(Value::as_str)
    }
}

impl From<&ChatTurn> for ChatMessage {
    fn from(turn: &ChatTurn) -> Self {
        let field = |name: &str, text: &str| (name.to_owned(), Value::from(text));
        Self([field("role", turn.role.name()), field("content", &turn.text)].into_iter().collect())
    }
}

/// What the rendered text ends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatEnding {
    /// The last message, closed.
    Closed,
    /// The beginning of an assistant's message (`add_generation_prompt`).
    #[default]
    GenerationPrompt,
    /// The last message, left open so that the model goes on with it (`continue_final_message`).
    ContinueFinal,
}

/// Which template writes the conversation as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatFormat {
    /// The model's own; of several the one called `tool_use` where there are tools, else `default`, as transformers chooses.
    #[default]
    Model,
    /// The model's own of this name.
    Named(String),
    /// `User: …` and `Assistant: …` on lines of their own: for models without a template. No model was trained on it.
    Lines,
}

/// What ends an assistant's turn in [`ChatFormat::Lines`].
pub const LINES_END: &str = "\nUser:";

/// Everything a chat template is rendered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatPrompt {
    /// The conversation.
    pub messages: Vec<ChatMessage>,
    /// How the text ends.
    pub ending: ChatEnding,
    /// Which template.
    pub format: ChatFormat,
    /// Other variables of the template: `tools`, `documents`, and whatever it asks for.
    pub variables: Map<String, Value>,
}

impl ChatPrompt {
    /// The conversation as turns.
    #[must_use]
    pub fn new(turns: &[ChatTurn], ending: ChatEnding, format: ChatFormat) -> Self {
        let messages = turns.iter().map(ChatMessage::from).collect();
        Self { messages, ending, format, variables: Map::new() }
    }
}

/// A conversation as the model receives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenderedChat {
    /// The text. It holds every special token that belongs to it, so none is to be added.
    pub text: String,
    /// Where the messages' own words stand in it: message and byte range, in order. Empty where the template changes the
    /// words so that they cannot be told from what it wrote itself.
    pub spans: Vec<(usize, Range<usize>)>,
    /// Names of the model's templates, where it has more than one.
    pub formats: Vec<String>,
}

impl RenderedChat {
    /// The message that the byte at `offset` belongs to; `None` for what the template wrote.
    #[must_use]
    pub fn message_at(&self, offset: usize) -> Option<usize> {
        self.spans.iter().find(|(_, span)| span.contains(&offset)).map(|(message, _)| *message)
    }
}

/// Why a conversation could not be written as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatFailure {
    /// True when the model has no template at all, which is no fault of anybody.
    pub is_missing: bool,
    /// What to tell.
    pub error: UserError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_becomes_a_message_with_role_and_content() {
        let message = ChatMessage::from(&ChatTurn::new(ChatRole::Assistant, "Hi"));
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            serde_json::json!({ "role": "assistant", "content": "Hi" })
        );
        assert_eq!(message.content(), Some("Hi"));
    }

    #[test]
    fn what_the_template_wrote_belongs_to_no_message() {
        let chat = RenderedChat { text: "<u>hi</u>".into(), spans: vec![(0, 3..5)], formats: Vec::new() };
        assert_eq!([chat.message_at(2), chat.message_at(3), chat.message_at(5)], [None, Some(0), None]);
    }
}
