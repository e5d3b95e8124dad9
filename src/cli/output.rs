//! Writing results: to standard output and to files.

use super::CliError;
use crate::types::{Edit, UserError};
use serde::Serialize;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes text to standard output at once.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => CliError::PipeClosed,
        _ => CliError::User(UserError::new(
            "The result could not be written to standard output.",
            error.to_string(),
            "Look at where the output goes: its disk may be full.",
        )),
    })
}

/// Writes a value as one line of JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let mut line = serde_json::to_string(value).map_err(|error| {
        UserError::new(
            "The result cannot be written as JSON.",
            error.to_string(),
            "Leave out --json to see it as text.",
        )
    })?;
    line.push('\n');
    print(&line)
}

/// Says something on standard error; that nobody listens there is no reason to stop.
pub(super) fn tell(words: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Says on standard error what was changed inside the model.
pub(super) fn tell_edits(edits: &[Edit]) {
    for edit in edits {
        tell(format_args!("with {edit}"));
    }
}

/// Writes a file.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    crate::disk::write(path, bytes).map_err(|error| {
        CliError::User(UserError::new(
            format!("{} could not be written.", path.display()),
            error.to_string(),
            "Choose a folder that exists, has room, and that you may write to.",
        ))
    })
}
