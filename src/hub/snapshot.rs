//! A repository's folder in the cache: where its blobs, links and refs are, and how they are written.

use super::blob::BlobPaths;
use super::{HubError, RepoId, files};
use hf_hub::{Cache, CacheRepo, Repo};
use std::path::{Path, PathBuf};

/// One repository's folder.
pub(super) struct RepoFolder {
    cache: PathBuf,
    folder: String,
    repo: CacheRepo,
}

impl RepoFolder {
    pub(super) fn new(cache: &Path, id: &RepoId) -> Self {
        let repo = Repo::model(id.to_string());
        let folder = repo.folder_name();
        Self { cache: cache.to_owned(), folder, repo: Cache::new(cache.to_owned()).repo(repo) }
    }

    pub(super) fn blob(&self, etag: &str) -> BlobPaths {
        let locks = self.cache.join(".locks").join(&self.folder);
        let beside = |ending: &str| locks.join(format!("{etag}.{ending}"));
        BlobPaths { blob: self.repo.blob_path(etag), lock: beside("lock"), verified: beside("verified") }
    }

    /// The folder that stands for a commit: what a model is opened from.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.repo.pointer_path(commit)
    }

    /// Makes `snapshots/<commit>/<name>` stand for the blob: a relative link, or a copy where there are no links.
    pub(super) fn point(&self, commit: &str, name: &str, blob: &Path) -> Result<PathBuf, HubError> {
        if !files::is_inside(name) {
            let problem = format!("{name} leads out of the model's folder");
            return Err(HubError::BadAnswer { url: name.to_owned(), problem });
        }
        let pointer = name.split('/').fold(self.snapshot(commit), |path, part| path.join(part));
        let folder = pointer.parent().unwrap_or(&self.cache);
        std::fs::create_dir_all(folder).map_err(|e| HubError::disk(folder, e, 0))?;
        let size = blob.metadata().map_or(0, |found| found.len());
        let target = relative(blob, name);
        match std::fs::read_link(&pointer) {
            Ok(there) if there == target => return Ok(pointer),
            _ => {}
        }
        // A link to an older blob, a broken one, or a copy: the new one takes its place.
        match std::fs::remove_file(&pointer) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(HubError::disk(&pointer, e, 0)),
            _ => {}
        }
        if link(&target, &pointer).is_err() {
            std::fs::copy(blob, &pointer).map_err(|e| HubError::disk(&pointer, e, size))?;
        }
        Ok(pointer)
    }

    /// Makes the commit the newest version known here. Written last, so that it names a whole snapshot.
    pub(super) fn set_main(&self, commit: &str) -> Result<(), HubError> {
        let path = self.cache.join(&self.folder).join("refs").join("main");
        self.repo.create_ref(commit).map_err(|e| HubError::disk(&path, e, 0))?;
        self.tag_cache();
        Ok(())
    }

    /// Marks the cache for backup programs (bford.info/cachedir), as the Python library does.
    fn tag_cache(&self) {
        let path = self.cache.join("CACHEDIR.TAG");
        let text = "Signature: 8a477f597d28d172789f06886806bc55\n# Files that can be fetched again from the Hugging Face hub.\n";
        if !path.exists()
            && let Err(error) = std::fs::write(&path, text)
        {
            log::info!("{} was not written: {error}", path.display());
        }
    }
}

/// From a file in `snapshots/<commit>` up to the blob. `name` may lie in folders of its own.
fn relative(blob: &Path, name: &str) -> PathBuf {
    let up = 2 + name.split('/').count() - 1;
    let mut path: PathBuf = std::iter::repeat_n("..", up).collect();
    path.push("blobs");
    path.push(blob.file_name().unwrap_or_default());
    path
}

#[cfg(unix)]
fn link(target: &Path, pointer: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, pointer)
}

#[cfg(windows)]
fn link(target: &Path, pointer: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let folder = RepoFolder::new(scratch.path(), &RepoId::parse("ada/tiny").unwrap());
        let blob = folder.blob("abc").blob;
        std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
        std::fs::write(&blob, "content").unwrap();
        let pointer = folder.point("c0ffee", name, &blob).unwrap();
        (scratch, pointer, blob)
    }

    #[test]
    fn a_file_in_a_folder_of_its_own_points_to_its_blob() {
        for name in ["config.json", "1_Pooling/config.json"] {
            let (scratch, pointer, _) = written(name);
            assert_eq!(std::fs::read_to_string(&pointer).unwrap(), "content");
            let expected = scratch.path().join("models--ada--tiny/snapshots/c0ffee").join(name);
            assert_eq!(pointer, expected);
        }
    }

    #[test]
    fn a_name_that_leads_out_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = RepoFolder::new(scratch.path(), &RepoId::parse("ada/tiny").unwrap());
        for name in ["../../x", "/etc/passwd", "a/../../x", "..\\x", ""] {
            assert!(folder.point("c", name, Path::new("b")).is_err(), "{name}");
        }
    }
}
