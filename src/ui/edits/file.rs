//! A list of edits as a file of its own.

use super::list::ListedEdit;
use crate::types::UserError;
use serde::{Deserialize, Serialize};
use std::path::Path;

const FORMAT: &str = "fovea-edits";
const VERSION: u32 = 1;
/// What such a file is called at its end.
pub(super) const EXTENSION: &str = "fovea-edits.json";
/// Bytes that a file may have: other prompts stand in it.
const MOST_BYTES: u64 = 8 << 20;

/// The file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct EditFile {
    format: String,
    version: u32,
    /// The name of the model it was made with; it may be taken to any other.
    #[serde(default)]
    pub model: String,
    pub edits: Vec<ListedEdit>,
}

impl EditFile {
    pub fn new(model: String, edits: Vec<ListedEdit>) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, model, edits }
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), UserError> {
        let failed = |why: String| {
            let next = "Choose a folder you may write to, with enough room.";
            UserError::new(format!("{} could not be written.", path.display()), why, next)
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.to_string()))?;
        crate::disk::write(path, text.as_bytes()).map_err(|error| failed(error.to_string()))
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is no such file, or of a later version, or a line in it is no edit.
    pub fn read(path: &Path) -> Result<Self, UserError> {
        let refuse = |why: String| {
            let next = "Choose a file that was written by ‘Save the edits’.";
            UserError::new(format!("{} is no list of edits that can be opened.", path.display()), why, next)
        };
        let bytes = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
        if bytes > MOST_BYTES {
            return Err(refuse(format!("It has {bytes} bytes, and a list of edits has {MOST_BYTES} at most.")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        match value["format"].as_str() {
            Some(FORMAT) => {}
            Some(other) => return Err(refuse(format!("Its format is called ‘{other}’."))),
            None => return Err(refuse("It does not say what format it has.".to_owned())),
        }
        match value["version"].as_u64() {
            Some(version) if version > u64::from(VERSION) => {
                Err(refuse(format!("It is of version {version}, and this Fovea knows {VERSION}.")))
            }
            _ => serde_json::from_value(value).map_err(|error| refuse(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_none_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("mine.fovea-edits.json");
        let edit = |line: &str, on| ListedEdit { edit: line.parse().unwrap(), on };
        let edits = vec![
            edit("blocks.4.attn.z[2] = scale 0.1", true),
            edit("blocks.1.mlp_out = from \"a \\\"quoted\\\" prompt\\n\"", false),
        ];
        let file = EditFile::new("seedling".into(), edits);
        file.write(&path).unwrap();
        assert_eq!(EditFile::read(&path).unwrap(), file);
        for (text, named) in [
            ("{", "EOF"),
            ("{}", "what format"),
            (r#"{"format":"fovea-view"}"#, "fovea-view"),
            (r#"{"format":"fovea-edits","version":2,"edits":[]}"#, "version 2"),
            (r#"{"format":"fovea-edits","version":1,"edits":[{"edit":"nonsense","on":true}]}"#, "nonsense"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = EditFile::read(&path).unwrap_err();
            assert!(error.why.contains(named), "{text}: {error}");
        }
    }
}
