//! Where the shipped models are.

mod carried;

use std::path::{Path, PathBuf};

/// The folder for what Fovea keeps: `FOVEA_STATE_DIR`, else the platform's place for a program's data.
#[must_use]
pub fn data_dir() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("FOVEA_STATE_DIR") {
        return Some(dir.into());
    }
    directories::ProjectDirs::from("", "", "fovea").map(|dirs| dirs.data_dir().to_owned())
}

/// The folder that holds the shipped models: what `FOVEA_MODELS` names, else the first of [`shipped_places`] that holds some. Where
/// none does, those that the program carries are unpacked into its folder for data.
#[must_use]
pub fn shipped_models_dir() -> Option<PathBuf> {
    if let Some(named) = named() {
        return Some(named).filter(|dir| dir.is_dir());
    }
    first_with_models(beside()).or_else(|| {
        let place = carried::place(&data_dir()?);
        match carried::unpack(&place) {
            Ok(()) => Some(place),
            Err(error) => {
                log::warn!("the shipped models could not be unpacked into {}: {error}", place.display());
                None
            }
        }
    })
}

/// The folders that are looked at for shipped models, in this order.
#[must_use]
pub fn shipped_places() -> Vec<PathBuf> {
    let carried = data_dir().map(|data| carried::place(&data));
    named().map_or_else(|| beside().into_iter().chain(carried).collect(), |named| vec![named])
}

fn named() -> Option<PathBuf> {
    std::env::var_os("FOVEA_MODELS").map(PathBuf::from)
}

/// Beside the program, where a package puts what belongs to it, in the current folder, and where Fovea was built.
fn beside() -> Vec<PathBuf> {
    let executable = std::env::current_exe().ok();
    let folder = executable.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let share = folder.as_deref().and_then(Path::parent).map(|above| above.join("share").join("fovea"));
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = folder.into_iter().chain(share).chain(std::env::current_dir().ok()).chain([built]);
    folders.map(|folder| folder.join("models")).collect()
}

fn first_with_models(places: Vec<PathBuf>) -> Option<PathBuf> {
    places.into_iter().find(|models| holds_a_model(models))
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
        std::fs::create_dir_all(&empty).unwrap();
        std::fs::create_dir_all(full.join("tiny")).unwrap();
        std::fs::write(full.join("tiny/config.json"), "{}").unwrap();
        assert_eq!(first_with_models(vec![empty.clone(), full.clone()]), Some(full));
        assert_eq!(first_with_models(vec![empty]), None);
    }
}
