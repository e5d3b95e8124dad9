//! The worker that owns device, models and caches, and the conversation with it.
//!
//! Everyone else sees [`EngineHandle`], [`Command`] and [`Event`], plain values all; no tensor leaves this module. It must
//! not know: windows, the command line, or how a figure is drawn.

mod device;
mod events;
mod guard;
mod handle;
mod protocol;
mod scheduler;
mod tasks;
mod tokenizer;
mod worker;

pub use events::Wake;
pub use handle::{EngineHandle, EngineOptions};
pub use protocol::{Command, Event, Outcome, PromptInput};

use crate::types::{ChatPrompt, DigitImage, RenderedChat, UserError};
use std::path::{Path, PathBuf};

/// The folder that holds the shipped models, if it can be found.
#[must_use]
pub fn shipped_models_dir() -> Option<PathBuf> {
    crate::load::shipped_models_dir()
}

/// Writes a conversation with the chat template of a model folder. Needs no weights and no tokenizer. Reads files: not for
/// the UI thread.
///
/// # Errors
/// When the folder has no template, or the template gives no text.
pub fn render_chat(dir: &Path, prompt: &ChatPrompt) -> Result<RenderedChat, UserError> {
    crate::load::render_chat(&crate::load::ChatTemplate::read(dir), prompt).map_err(UserError::from)
}

/// Reads a PNG or JPEG of a digit, dark on light or light on dark, and centres it as MNIST does. Reads a file: not for the
/// UI thread.
///
/// # Errors
/// When the file cannot be read, is no image, or shows nothing.
pub fn read_digit_image(path: &Path) -> Result<DigitImage, UserError> {
    crate::load::digit_image::from_file(path).map_err(UserError::from)
}
