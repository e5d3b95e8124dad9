//! What the folders of kept runs are called.

use std::path::{Path, PathBuf};

/// A folder for a run that begins now: when, and what is trained; with a number where another run began in the same second.
pub fn run_folder(runs: &Path, name: &str) -> PathBuf {
    let time = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S");
    let plain: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    // A run of a run's result is named once by its time.
    let is_time = |c: char| c.is_ascii_digit() || c == '-';
    let short = if plain.starts_with("20") { plain.trim_start_matches(is_time) } else { &plain };
    let named = if short.is_empty() { &plain } else { short };
    let first = runs.join(format!("{time}-{}", named.to_lowercase()));
    let numbered = (2..).map(|number| runs.join(format!("{time}-{}-{number}", named.to_lowercase())));
    std::iter::once(first.clone()).chain(numbered).find(|folder| !folder.exists()).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::run_folder;
    use std::path::Path;

    #[test]
    fn a_folder_is_named_by_time_and_model_and_once_by_time_alone() {
        for (name, end) in [("SmolLM2 135M", "-smollm2-135m"), ("2026-11-28-161502-sprout", "-sprout"), ("20", "-20")] {
            let folder = run_folder(Path::new("runs"), name);
            let written = folder.file_name().unwrap().to_str().unwrap();
            assert!(written.ends_with(end) && written.len() == 17 + end.len(), "{written}");
        }
    }

    #[test]
    fn runs_of_one_second_have_folders_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let folder = run_folder(dir.path(), "sprout");
            std::fs::create_dir(&folder).unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 20);
    }
}
