//! What the cache of this machine holds, whoever put it there.

use super::blob::PART;
use super::files::WeightFile;
use super::settings::ReadCard;
use super::{RepoId, files};
use crate::types::{ModelCard, UserError, printable};
use std::fs;
use std::path::{Path, PathBuf};

/// A model in the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedModel {
    /// `owner/name`; the oldest models of the hub have a name only.
    pub name: String,
    /// The folder to open: the newest snapshot. `None` while no file of it is whole.
    pub path: Option<PathBuf>,
    /// True when configuration and weights are all there.
    pub complete: bool,
    /// True for a low-rank adapter, which is put on a model.
    pub is_adapter: bool,
    /// Bytes on the disk, parts included.
    pub bytes: u64,
    /// What the model is; an error where Fovea cannot tell. `None` unless it is complete.
    pub card: Option<Result<ModelCard, UserError>>,
}

impl CachedModel {
    /// Its name as one that can be fetched, which the oldest names are not.
    #[must_use]
    pub fn id(&self) -> Option<RepoId> {
        RepoId::parse(&self.name).ok()
    }
}

/// Models in the cache, by name. A cache that is not there is empty; folders that are no models are left out.
#[must_use]
pub fn list(cache: &Path, read_card: ReadCard) -> Vec<CachedModel> {
    let Ok(entries) = fs::read_dir(cache) else { return Vec::new() };
    let mut models: Vec<CachedModel> = entries.flatten().filter_map(|e| model(&e.path(), read_card)).collect();
    models.sort_by_cached_key(|model| model.name.to_lowercase());
    models
}

/// The folder to open for a model in the cache, by its name there. `None` when it is not there, or not whole.
#[must_use]
pub fn find(cache: &Path, name: &str) -> Option<PathBuf> {
    if name.split('/').count() > 2 || !files::is_inside(name) {
        return None;
    }
    newest_snapshot(&cache.join(format!("models--{}", name.replace('/', "--")))).filter(|path| is_complete(path))
}

fn model(folder: &Path, read_card: ReadCard) -> Option<CachedModel> {
    let name = folder.file_name()?.to_str()?.strip_prefix("models--")?.replace("--", "/");
    let path = newest_snapshot(folder);
    let complete = path.as_deref().is_some_and(is_complete);
    let parts = parts(&folder.join("blobs"));
    // A model that other programs hold for its tokenizer alone is nothing to open, nor to go on with.
    let is_model = complete || parts > 0 || path.as_deref().is_some_and(|p| p.join(files::CONFIG).is_file());
    let bytes = bytes_below(folder);
    let is_adapter = path.as_deref().is_some_and(is_adapter);
    let card = (complete && !is_adapter).then(|| read_card(path.as_deref().unwrap_or(folder)));
    let name = printable(&name).into_owned();
    is_model.then_some(CachedModel { name, path, complete, is_adapter, bytes, card })
}

/// The snapshot that `refs/main` names, else the one written last.
fn newest_snapshot(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.join("snapshots");
    if let Ok(commit) = fs::read_to_string(folder.join("refs").join("main")) {
        let named = snapshots.join(commit.trim());
        if files::is_inside(commit.trim()) && named.is_dir() {
            return Some(named);
        }
    }
    let entries = fs::read_dir(snapshots).ok()?.flatten().filter(|e| e.path().is_dir());
    let newest = entries.max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok());
    newest.map(|entry| entry.path())
}

/// True when the configuration and every file of weights can be read. Links that lead nowhere do not count.
fn is_complete(snapshot: &Path) -> bool {
    let inside = || {
        let entries = fs::read_dir(snapshot).into_iter().flatten().flatten();
        let mut folders = entries.filter(|entry| entry.file_name().to_str().is_some_and(files::may_hold_encoder));
        snapshot.join(files::MODULES).is_file() && folders.any(|entry| is_complete_folder(&entry.path()))
    };
    is_complete_folder(snapshot) || inside()
}

fn is_complete_folder(folder: &Path) -> bool {
    let there = |name: &str| folder.join(name).is_file();
    if is_adapter(folder) {
        return true;
    }
    if !there(files::CONFIG) {
        return false;
    }
    if there(files::SINGLE) {
        return true;
    }
    let all_there = |kind: WeightFile| {
        let index = files::read_index(&folder.join(kind.name())).unwrap_or_default();
        files::shards(kind, &index, "").is_ok_and(|shards| shards.iter().all(|shard| there(shard)))
    };
    match there(files::INDEX) {
        true => all_there(WeightFile::Index),
        false => there(files::TORCH) || all_there(WeightFile::TorchIndex),
    }
}

/// True for an adapter with both of its files, and no network.
fn is_adapter(folder: &Path) -> bool {
    let there = |name: &str| folder.join(name).is_file();
    there(files::ADAPTER_CONFIG) && there(files::ADAPTER) && !there(files::SINGLE)
}

/// Bytes of unfinished files.
fn parts(blobs: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(blobs) else { return 0 };
    let unfinished = entries.flatten().filter(|e| e.path().extension().is_some_and(|end| end == PART));
    unfinished.filter_map(|e| e.metadata().ok()).map(|found| found.len()).sum()
}

/// Bytes of all files below a folder. Links are not followed: what they point to is counted where it lies.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    };
    entries.flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_CARD: ReadCard = |path| Err(UserError::new(path.display().to_string(), "", ""));

    fn put(cache: &Path, path: &str, text: &str) {
        let path = cache.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn copies_without_links_are_models_as_well() {
        let scratch = tempfile::tempdir().unwrap();
        let cache = scratch.path();
        for file in ["config.json", "model.safetensors"] {
            put(cache, &format!("models--ada--tiny/snapshots/c1/{file}"), "12345");
        }
        put(cache, "models--ada--tiny/refs/main", "c1\n");
        put(cache, "datasets--ada--words/snapshots/c1/config.json", "{}");
        put(cache, "version.txt", "1");
        let found = list(cache, NO_CARD);
        let [model] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((model.name.as_str(), model.complete, model.bytes), ("ada/tiny", true, 13));
        assert_eq!(model.path, Some(cache.join("models--ada--tiny/snapshots/c1")));
        assert_eq!(model.id(), RepoId::parse("ada/tiny").ok());
        assert!(model.card.as_ref().unwrap().is_err());
        assert_eq!(find(cache, "ada/tiny"), model.path);
        assert_eq!((find(cache, "ada/other"), find(cache, "../x")), (None, None));
    }

    #[test]
    fn unfinished_models_are_told_apart() {
        let scratch = tempfile::tempdir().unwrap();
        let cache = scratch.path();
        // Weights under way, nothing whole yet; one of two shards; a tokenizer only; an old name.
        put(cache, "models--a--part/blobs/abc.incomplete", "123");
        put(cache, "models--b--shards/snapshots/c/config.json", "{}");
        put(cache, "models--b--shards/snapshots/c/one.safetensors", "1");
        let index = r#"{"weight_map": {"x": "one.safetensors", "y": "two.safetensors"}}"#;
        put(cache, "models--b--shards/snapshots/c/model.safetensors.index.json", index);
        put(cache, "models--c--tokenizer/snapshots/c/tokenizer.json", "{}");
        put(cache, "models--gpt2/snapshots/c/config.json", "{}");
        put(cache, "models--gpt2/snapshots/c/pytorch_model.bin", "1");
        let found = list(cache, NO_CARD);
        let told: Vec<_> = found.iter().map(|m| (m.name.as_str(), m.complete, m.path.is_some())).collect();
        assert_eq!(told, [("a/part", false, false), ("b/shards", false, true), ("gpt2", true, true)]);
        put(cache, "models--b--shards/snapshots/c/two.safetensors", "1");
        assert!(list(cache, NO_CARD)[1].complete);
        assert_eq!(found[2].id(), None);
    }

    #[test]
    fn a_ref_that_leads_out_is_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        put(scratch.path(), "elsewhere/config.json", "{}");
        put(scratch.path(), "models--a--b/refs/main", "../../elsewhere");
        put(scratch.path(), "models--a--b/snapshots/c/config.json", "{}");
        let found = list(scratch.path(), NO_CARD);
        assert_eq!(found[0].path, Some(scratch.path().join("models--a--b/snapshots/c")));
    }

    #[test]
    fn no_cache_is_an_empty_one() {
        assert!(list(Path::new("/nonexistent"), NO_CARD).is_empty());
    }
}
