//! `fewshot.json` beside a model: which few-shot tasks its training left out.

use serde::Deserialize;
use std::path::Path;

const FILE: &str = "fewshot.json";

#[derive(Deserialize)]
struct File {
    held_out_tasks: Vec<String>,
}

/// Names of the tasks that training left out, where the folder tells. A file that cannot be understood tells nothing: it
/// only explains figures, and the model works without it.
pub(super) fn held_out_tasks(dir: &Path) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(dir.join(FILE)).ok()?;
    match serde_json::from_str::<File>(&text) {
        Ok(file) => Some(file.held_out_tasks),
        Err(error) => {
            log::warn!("{}: {error}", dir.join(FILE).display());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_a_broken_file_tells_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(held_out_tasks(dir.path()), None);
        std::fs::write(dir.path().join(FILE), r#"{"held_out_tasks": ["copy", "rhyme"], "seed": 1}"#).unwrap();
        assert_eq!(held_out_tasks(dir.path()), Some(vec!["copy".to_owned(), "rhyme".to_owned()]));
        std::fs::write(dir.path().join(FILE), r#"{"held_out_tasks": "copy"}"#).unwrap();
        assert_eq!(held_out_tasks(dir.path()), None);
    }
}
