//! What `fovea sweep` and `fovea patch` have in common.

use super::CliError;
use super::lens::place;
use super::session::{Session, unexpected};
use crate::engine::{Command, Event, Outcome, PromptInput, Work, read_picture};
use crate::types::{Ability, JobId, ModelInfo, PromptToken, UserError};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;

/// A text or a picture.
///
/// # Errors
/// When the picture cannot be read.
pub(super) fn prompt_of(text: Option<&str>, picture: Option<&Path>) -> Result<PromptInput, UserError> {
    match picture {
        Some(path) => Ok(PromptInput::Picture(read_picture(path)?)),
        None => Ok(PromptInput::Text(text.unwrap_or_default().to_owned())),
    }
}

/// The token that a number means; nothing where none is given, or for a picture.
///
/// # Errors
/// When the prompt has no such token.
pub(super) fn position(
    session: &Session,
    info: &ModelInfo,
    prompt: &PromptInput,
    position: Option<i64>,
) -> Result<Option<usize>, CliError> {
    let Some(position) = position.filter(|_| !info.can(Ability::SeePictures)) else { return Ok(None) };
    let job = JobId::next();
    let tokenize = Command::start(job, info.id, Work::Tokenize(prompt.clone()));
    let Outcome::Tokenized(tokens) = session.run(job, tokenize, |_| Ok(()))? else { return Err(unexpected()) };
    // An empty text is refused with words of its own.
    Ok(if tokens.tokens.is_empty() { None } else { Some(place(position, tokens.tokens.len())?) })
}

/// Does a piece of work with a bar that tells how far it is.
///
/// # Errors
/// When it fails.
pub(super) fn run(session: &Session, info: &ModelInfo, work: Work) -> Result<Outcome, CliError> {
    let job = JobId::next();
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let outcome = session.run(job, Command::start(job, info.id, work), |event| {
        if let Event::Progress { label, done, total, .. } = event {
            bar.set_message(label);
            bar.set_length(total);
            bar.set_position(done);
        }
        Ok(())
    });
    bar.finish_and_clear();
    outcome
}

/// What arrays are of, in pairs.
pub(super) fn about(model: &str, tokens: &[PromptToken], what: &str) -> Vec<(String, String)> {
    let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
    [("model", model), ("prompt", &text), ("what", what)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
}
