//! Reads a file of a model folder whole, and tells where there is only a pointer to it.

use crate::load::error::LoadError;
use std::path::Path;

/// How Git LFS begins the small file that stands for a large one until `git lfs pull` fetches it.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// A pointer is never longer.
const LONGEST_POINTER: usize = 1024;

/// The bytes of a file.
///
/// # Errors
/// When it cannot be read, or is a pointer of Git LFS.
pub(in crate::load) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    refuse_pointer(path, &bytes)?;
    Ok(bytes)
}

/// Fails when the bytes of a file are a pointer of Git LFS and not what was to be there.
pub(in crate::load) fn refuse_pointer(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.len() > LONGEST_POINTER || !bytes.starts_with(POINTER) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(bytes);
    let size = text.lines().find_map(|line| line.strip_prefix("size ")?.trim().parse().ok());
    Err(LoadError::Pointer { path: path.to_owned(), size })
}
