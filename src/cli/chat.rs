//! Conversations on the command line, and `fovea chat-template`.

use super::CliError;
use super::args::{ChatArgs, ChatTemplateArgs};
use super::output::print;
use super::session::model_dir;
use crate::engine::{read_text, render_chat};
use crate::types::{ChatEnding, ChatFormat, ChatMessage, ChatPrompt, ChatRole, ChatTurn, LINES_END, UserError};
use serde_json::{Map, Value};
use std::path::Path;

/// Prints a conversation as the template writes it, and nothing else.
pub(super) fn run(args: &ChatTemplateArgs) -> Result<(), CliError> {
    let mut prompt = prompt(&args.chat)?;
    if let Some(ending) = args.ending {
        prompt.ending = ending.into();
    }
    print(&render_chat(&model_dir(&args.model)?, &prompt)?.text)
}

/// The conversation that was written on the command line or in a file.
pub(super) fn prompt(args: &ChatArgs) -> Result<ChatPrompt, UserError> {
    let (messages, variables) = match &args.messages {
        Some(path) => read(path)?,
        None => (turns(args)?.iter().map(ChatMessage::from).collect(), Map::new()),
    };
    let is_answered = messages.last().is_some_and(|last| last.0.get("role").is_some_and(|role| role == "assistant"));
    let ending = if is_answered { ChatEnding::ContinueFinal } else { ChatEnding::GenerationPrompt };
    let format = match (&args.template, args.lines) {
        (Some(name), _) => ChatFormat::Named(name.clone()),
        (None, true) => ChatFormat::Lines,
        (None, false) => ChatFormat::Model,
    };
    Ok(ChatPrompt { messages, ending, format, variables })
}

/// The stop strings asked for, and in plain lines the next speaker's name, since nothing else tells that a turn is over.
pub(super) fn stops(args: &ChatArgs, asked: &[String]) -> Vec<String> {
    let next = args.lines.then(|| LINES_END.to_owned());
    asked.iter().cloned().chain(next).collect()
}

/// User and assistant in turns, the user first.
fn turns(args: &ChatArgs) -> Result<Vec<ChatTurn>, UserError> {
    let (users, assistants) = (args.user.len(), args.assistant.len());
    if assistants > users || users > assistants + 1 {
        return Err(UserError::new(
            format!("{users} turns of the user and {assistants} of the assistant make no conversation."),
            "They take turns, and the user begins: there are as many of both, or one more of the user.",
            "Give --user and --assistant in turns, or write the conversation into a file for --messages.",
        ));
    }
    let mut turns: Vec<ChatTurn> = args.system.iter().map(|text| ChatTurn::new(ChatRole::System, text)).collect();
    for (place, text) in args.user.iter().enumerate() {
        turns.push(ChatTurn::new(ChatRole::User, text));
        turns.extend(args.assistant.get(place).map(|text| ChatTurn::new(ChatRole::Assistant, text)));
    }
    Ok(turns)
}

/// A list of messages, or an object whose `messages` they are and whose other fields are variables of the template.
fn read(path: &Path) -> Result<(Vec<ChatMessage>, Map<String, Value>), UserError> {
    let wrong = |why: String| {
        UserError::new(
            format!("{} holds no conversation.", path.display()),
            why,
            "Write a list of objects with role and content, or an object with such a list as messages.",
        )
    };
    let text = read_text(path).map_err(|error| wrong(error.why))?;
    let json: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("It is not valid JSON: {error}.")))?;
    let (messages, variables) = match json {
        Value::Object(mut fields) => (fields.shift_remove("messages").unwrap_or_default(), fields),
        other => (other, Map::new()),
    };
    let Value::Array(messages) = messages else {
        return Err(wrong("The messages are not a list.".to_owned()));
    };
    let message = |(place, message): (usize, Value)| match message {
        Value::Object(fields) if fields.get("role").is_some_and(Value::is_string) => Ok(ChatMessage(fields)),
        _ => Err(wrong(format!("Message {} is no object with a role.", place + 1))),
    };
    Ok((messages.into_iter().enumerate().map(message).collect::<Result<_, _>>()?, variables))
}
