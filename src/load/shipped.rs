//! Where the shipped models are.

use std::path::{Path, PathBuf};

/// The folder that holds the shipped models: what `FOVEA_MODELS` names, else `models` beside the executable, in the current
/// folder, or where Fovea was built.
#[must_use]
pub fn shipped_models_dir() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FOVEA_MODELS") {
        return Some(PathBuf::from(named)).filter(|dir| dir.is_dir());
    }
    let executable = std::env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    first_with_models(beside.into_iter().chain(std::env::current_dir().ok()).chain([built]))
}

fn first_with_models(folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.map(|folder| folder.join("models")).find(|models| holds_a_model(models))
}

/// True when some folder in it has a `config.json`: a `models` folder of somebody else's is passed over.
fn holds_a_model(models: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(models) else { return false };
    entries.flatten().any(|entry| entry.path().join("config.json").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_models_is_passed_over() {
        let scratch = tempfile::tempdir().unwrap();
        let (empty, full) = (scratch.path().join("empty"), scratch.path().join("full"));
        std::fs::create_dir_all(empty.join("models")).unwrap();
        std::fs::create_dir_all(full.join("models/tiny")).unwrap();
        std::fs::write(full.join("models/tiny/config.json"), "{}").unwrap();
        assert_eq!(first_with_models([empty.clone(), full.clone()].into_iter()), Some(full.join("models")));
        assert_eq!(first_with_models([empty].into_iter()), None);
    }
}
