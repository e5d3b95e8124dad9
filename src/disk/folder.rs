//! Folders that take each other's place.

use super::step;
use std::fs::File;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Puts a complete folder in the place of another one. Ended at any step, one of the two is there, whole: at `place`, at `new`, or
/// at [`set_aside`] of `place`.
///
/// # Errors
/// When a folder cannot be moved.
pub(crate) fn put_folder(new: &Path, place: &Path) -> Result<()> {
    let old = set_aside(place);
    remove_folder(&old)?;
    if place.exists() {
        step()?;
        std::fs::rename(place, &old)?;
    }
    step()?;
    std::fs::rename(new, place)?;
    sync_folder(place.parent().unwrap_or(Path::new("")));
    remove_folder(&old)
}

/// Where a folder is put while another one takes its place.
pub(crate) fn set_aside(place: &Path) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(".old");
    place.with_file_name(name)
}

/// Removes a folder with the files in it: under another name first, so that nobody takes a part of it for the whole.
///
/// # Errors
/// When something of it cannot be removed. That it is not there is none.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".removed");
    let removed = path.with_file_name(name);
    empty(&removed)?;
    if !path.is_dir() {
        return Ok(());
    }
    step()?;
    std::fs::rename(path, &removed)?;
    empty(&removed)
}

/// Removes a folder with all that is in it.
pub(super) fn empty(folder: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            empty(&entry.path())?;
        } else {
            step()?;
            std::fs::remove_file(entry.path())?;
        }
    }
    step()?;
    std::fs::remove_dir(folder)
}

/// Forces the names in a folder to disk, where the platform can: a renamed file may else have its old name after a power cut.
pub(crate) fn sync_folder(folder: &Path) {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}
