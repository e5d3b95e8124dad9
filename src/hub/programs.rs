//! Models that other programs of this computer keep: LM Studio, ollama, and single files in the Hugging Face cache.
//!
//! LM Studio has folders `owner/name` with GGUF files. ollama names its files by hash; a manifest for each model says which are
//! its own (`manifests/<host>/<owner>/<name>/<tag>`), and is what stands for the model here.

use super::settings::ReadCard;
use crate::types::{ModelCard, UserError, is_first_gguf, model_name};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders in folders that are looked through: LM Studio's has an owner, a name and perhaps one more.
const DEEPEST: usize = 4;

/// Who keeps a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// LM Studio.
    LmStudio,
    /// ollama.
    Ollama,
    /// Whoever fetched a file into the Hugging Face cache.
    HuggingFace,
}

impl Program {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LmStudio => "LM Studio",
            Self::Ollama => "ollama",
            Self::HuggingFace => "Hugging Face cache",
        }
    }
}

/// Where programs keep their models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramFolders {
    /// LM Studio's folders of models.
    pub lm_studio: Vec<PathBuf>,
    /// ollama's, each with `manifests` and `blobs`.
    pub ollama: Vec<PathBuf>,
}

impl ProgramFolders {
    /// Where they are by default below a home folder, and where `OLLAMA_MODELS` says.
    pub(super) fn of(home: Option<&Path>, ollama: Option<PathBuf>) -> Self {
        let below = |folder: &str| home.map(|home| home.join(folder));
        let lm_studio = [".lmstudio/models", ".cache/lm-studio/models"].into_iter().filter_map(below).collect();
        let mut folders: Vec<PathBuf> = ollama.into_iter().collect();
        folders.extend(below(".ollama/models"));
        // As a service of the system it has a home of its own.
        folders.extend(["/usr/share/ollama/.ollama/models", "/var/lib/ollama/models"].map(PathBuf::from));
        Self { lm_studio, ollama: folders }
    }
}

/// A model of another program.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramModel {
    /// Whose it is.
    pub program: Program,
    /// What that program calls it.
    pub name: String,
    /// What to open.
    pub path: PathBuf,
    /// What the model is; an error where Fovea cannot tell.
    pub card: Result<ModelCard, UserError>,
}

/// The models of all programs, by name. Folders that are not there hold none.
#[must_use]
pub fn program_models(folders: &ProgramFolders, cache: &Path, read_card: ReadCard) -> Vec<ProgramModel> {
    let mut found = Vec::new();
    for folder in &folders.lm_studio {
        collect(folder, DEEPEST, &is_gguf, &mut |path| found.push((Program::LmStudio, path)));
    }
    for folder in &folders.ollama {
        let is_any = |_: &Path| true;
        collect(&folder.join("manifests"), DEEPEST, &is_any, &mut |path| found.push((Program::Ollama, path)));
    }
    for snapshot in snapshots(cache) {
        collect(&snapshot, 1, &is_gguf, &mut |path| found.push((Program::HuggingFace, path)));
    }
    let mut models: Vec<ProgramModel> = found
        .into_iter()
        .map(|(program, path)| ProgramModel { program, name: model_name(&path), card: read_card(&path), path })
        .collect();
    models.sort_by_cached_key(|model| (model.name.to_lowercase(), model.path.clone()));
    // A folder may be another by its link.
    models.dedup_by_key(|model| fs::canonicalize(&model.path).unwrap_or_else(|_| model.path.clone()));
    models
}

/// The model of this name that a program keeps.
#[must_use]
pub fn find_program_model(folders: &ProgramFolders, cache: &Path, name: &str) -> Option<PathBuf> {
    const UNREAD: ReadCard = |_| Err(UserError::new("", "", ""));
    // As ollama has it, a name without a tag means the latest.
    let is_it = |model: &ProgramModel| model.name == name || model.name.strip_suffix(":latest") == Some(name);
    program_models(folders, cache, UNREAD).into_iter().find(is_it).map(|model| model.path)
}

fn is_gguf(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(is_first_gguf)
}

/// Files below a folder that are wanted; links are followed, no deeper than `depth` folders.
fn collect(folder: &Path, depth: usize, wanted: &dyn Fn(&Path) -> bool, found: &mut dyn FnMut(PathBuf)) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, wanted, found);
            }
        } else if path.is_file() && wanted(&path) {
            found(path);
        }
    }
}

/// The snapshots of every model in the cache.
fn snapshots(cache: &Path) -> Vec<PathBuf> {
    let models = fs::read_dir(cache).into_iter().flatten().flatten();
    let models = models.filter(|entry| entry.file_name().to_string_lossy().starts_with("models--"));
    let inside = |entry: fs::DirEntry| fs::read_dir(entry.path().join("snapshots")).into_iter().flatten().flatten();
    models.flat_map(inside).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_CARD: ReadCard = |path| Err(UserError::new(path.display().to_string(), "", ""));

    fn put(folder: &Path, path: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "GGUF").unwrap();
    }

    #[test]
    fn models_are_found_where_their_programs_keep_them() {
        let scratch = tempfile::tempdir().unwrap();
        let home = scratch.path();
        put(home, ".lmstudio/models/ada/tiny-GGUF/tiny.Q4_0.gguf");
        put(home, ".lmstudio/models/ada/tiny-GGUF/mmproj-tiny.gguf");
        put(home, ".cache/lm-studio/models/ada/big/big-00001-of-00002.gguf");
        put(home, ".cache/lm-studio/models/ada/big/big-00002-of-00002.gguf");
        put(home, "own/manifests/registry.ollama.ai/library/llama3.2/1b");
        put(home, "own/blobs/sha256-0");
        let cache = home.join("hub");
        put(home, "hub/models--ada--other/snapshots/c1/other.Q8_0.gguf");
        put(home, "hub/models--ada--other/snapshots/c1/README.md");
        let folders = ProgramFolders::of(Some(home), Some(home.join("own")));
        let found = program_models(&folders, &cache, NO_CARD);
        let told: Vec<_> = found.iter().map(|model| (model.program, model.name.as_str())).collect();
        let expected = [
            (Program::LmStudio, "big"),
            (Program::Ollama, "llama3.2:1b"),
            (Program::HuggingFace, "other.Q8_0"),
            (Program::LmStudio, "tiny.Q4_0"),
        ];
        assert_eq!(told, expected);
        let path = home.join("own/manifests/registry.ollama.ai/library/llama3.2/1b");
        assert_eq!(find_program_model(&folders, &cache, "llama3.2:1b"), Some(path));
        assert_eq!(find_program_model(&folders, &cache, "llama3.2"), None);
    }

    #[test]
    fn no_folders_hold_no_models() {
        let folders = ProgramFolders::of(Some(Path::new("/nonexistent")), None);
        let found = program_models(&folders, Path::new("/nonexistent/hub"), NO_CARD);
        assert!(found.iter().all(|model| model.program == Program::Ollama), "but for the system's own: {found:?}");
    }
}
