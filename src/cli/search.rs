//! What `fovea sweep` and `fovea patch` have in common.

use super::CliError;
use super::lens::place;
use super::session::{Session, unexpected};
use super::train::catch_ctrl_c;
use crate::engine::{Command, Event, Outcome, PromptInput, Work, read_picture};
use crate::types::{Ability, JobId, ModelInfo, PromptToken, UserError};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::sync::atomic::Ordering;

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

/// What work ended with.
pub(super) struct Ran {
    pub outcome: Outcome,
    /// True where it was ended before it was whole.
    is_part: bool,
}

impl Ran {
    /// The end of a command.
    ///
    /// # Errors
    /// When it was interrupted, which its caller should know.
    pub(super) fn end(&self) -> Result<(), CliError> {
        if self.is_part { Err(CliError::Interrupted) } else { Ok(()) }
    }
}

/// Does a piece of work with a bar that tells how far it is. When Ctrl-C is pressed it ends with what there is.
///
/// # Errors
/// When it fails, or was ended before there was anything.
pub(super) fn run(session: &Session, info: &ModelInfo, work: Work) -> Result<Ran, CliError> {
    let interrupted = catch_ctrl_c("Nothing was started.")?;
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left");
    let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let job = JobId::next();
    session.send(Command::start(job, info.id, work))?;
    let mut cancelled = false;
    let outcome = loop {
        let next = session.next(job, &mut |event| {
            if let Event::Progress { label, done, total, .. } = event {
                bar.set_message(label);
                bar.set_length(total);
                bar.set_position(done);
            }
            Ok(())
        })?;
        match next {
            Some(Outcome::Cancelled) => return Err(CliError::Interrupted),
            Some(outcome) => break outcome,
            None if interrupted.load(Ordering::Relaxed) && !cancelled => {
                cancelled = true;
                session.send(Command::Cancel { job })?;
            }
            None => {}
        }
    };
    bar.finish_and_clear();
    Ok(Ran { outcome, is_part: cancelled })
}

/// What arrays are of, in pairs.
pub(super) fn about(model: &str, tokens: &[PromptToken], what: &str) -> Vec<(String, String)> {
    let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
    [("model", model), ("prompt", &text), ("what", what)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
}
