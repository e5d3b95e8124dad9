//! Whether what is still missing of a model fits on the disk: asked once, before much of it is fetched.

use super::remote::RemoteFile;
use super::snapshot::RepoFolder;
use super::{HubError, RepoId};
use std::collections::BTreeMap;
use std::path::Path;

/// Tells how many bytes there is room for in a folder, which need not be there yet; `None` where nobody can tell. Called on
/// the hub's thread.
pub type FreeSpace = fn(&Path) -> Option<u64>;

/// What the operating system says of the folder, or of the nearest one above it that is there.
#[must_use]
pub fn free_space(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|folder| folder.exists())?;
    let stats = fs4::statvfs(there).inspect_err(|error| log::info!("room in {}: {error}", there.display())).ok()?;
    // Some network file systems answer with zeros, which say that they do not know.
    (stats.total_space() > 0).then(|| stats.available_space())
}

/// Fails when the bytes that are missing of these files are more than there is room for.
pub(super) fn check(
    free_space: FreeSpace,
    cache: &Path,
    repo: &RepoId,
    folder: &RepoFolder,
    files: &[RemoteFile],
) -> Result<(), HubError> {
    // Two files of the same content are one blob.
    let blobs: BTreeMap<&str, u64> = files.iter().map(|file| (file.etag.as_str(), file.size)).collect();
    let needed = blobs.into_iter().map(|(etag, size)| folder.blob(etag).missing(size)).fold(0, u64::saturating_add);
    match free_space(cache) {
        Some(free) if needed > free => {
            Err(HubError::NoRoom { repo: repo.clone(), folder: cache.to_owned(), needed, free })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_yet_has_the_room_of_the_one_above() {
        let scratch = tempfile::tempdir().unwrap();
        assert!(free_space(&scratch.path().join("not/there/yet")).is_some());
    }
}
