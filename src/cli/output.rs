//! Writing results: to standard output and to files.

use super::CliError;
use crate::types::{Edit, UserError, is_unprintable, printable_lines};
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
    print(&json_line(value)?)
}

/// A value as one line of JSON, with its line end.
pub(super) fn json_line(value: &impl Serialize) -> Result<String, UserError> {
    let line = serde_json::to_string(value).map_err(|error| {
        UserError::new(
            "The result cannot be written as JSON.",
            error.to_string(),
            "Leave out --json to see it as text.",
        )
    })?;
    Ok(in_ascii_where_unseen(line) + "\n")
}

/// JSON in which what a terminal would obey is escaped. Such characters stand in strings alone, where an escape means the same;
/// those below a space are escaped already.
fn in_ascii_where_unseen(json: String) -> String {
    if !json.contains(is_unprintable) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unprintable(c) { out += &format!("\\u{:04x}", u32::from(c)) } else { out.push(c) }
    }
    out
}

/// Says something on standard error, in which names and words from files may stand; that nobody listens there is no reason to stop.
pub(super) fn tell(words: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{}", printable_lines(&words.to_string()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_and_moves_no_cursor() {
        let text = "a\u{1b}[2J\u{9b}1m\u{7f}\u{202e}b \u{e4}\n";
        let line = in_ascii_where_unseen(serde_json::to_string(text).unwrap());
        assert!(!line.contains(is_unprintable) && line.contains('\u{e4}'), "{line:?}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
