//! `fewshot.json` beside a model: what its few-shot training left out.

use crate::types::{HeldOut, UserError};
use std::path::Path;

/// What training left out, where the folder tells. A file that cannot be understood tells nothing: it only explains figures,
/// and the model works without it.
pub(in crate::load) fn read(dir: &Path) -> Option<HeldOut> {
    let text = std::fs::read_to_string(dir.join(HeldOut::FILE)).ok()?;
    match serde_json::from_str(&text) {
        Ok(left_out) => Some(left_out),
        Err(error) => {
            log::warn!("{}: {error}", dir.join(HeldOut::FILE).display());
            None
        }
    }
}

/// Writes it beside a model.
///
/// # Errors
/// When the file cannot be written.
pub fn write_held_out(dir: &Path, left_out: &HeldOut) -> Result<(), UserError> {
    let path = dir.join(HeldOut::FILE);
    let written = serde_json::to_string_pretty(left_out).map_err(std::io::Error::from);
    written.and_then(|text| crate::disk::write(&path, (text + "\n").as_bytes())).map_err(|error| {
        UserError::new(
            format!("{} could not be written.", path.display()),
            error.to_string(),
            "Check that the folder exists and can be written to. The model itself is complete.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), None);
        let left_out = HeldOut {
            held_out_tasks: vec!["copy".to_owned()],
            unseen_rules: vec!["rhyme".to_owned()],
            held_out_pairs: 0.1,
            held_out_templates: vec!["{input} >> {output}".to_owned()],
        };
        write_held_out(dir.path(), &left_out).unwrap();
        assert_eq!(read(dir.path()), Some(left_out));
        assert!(write_held_out(&dir.path().join("none"), &HeldOut::default()).is_err());
    }

    #[test]
    fn only_the_tasks_are_needed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(HeldOut::FILE), r#"{"held_out_tasks": ["copy", "rhyme"], "seed": 1}"#).unwrap();
        assert_eq!(read(dir.path()).unwrap().held_out_tasks, ["copy", "rhyme"]);
        std::fs::write(dir.path().join(HeldOut::FILE), r#"{"held_out_tasks": "copy"}"#).unwrap();
        assert_eq!(read(dir.path()), None);
    }
}
