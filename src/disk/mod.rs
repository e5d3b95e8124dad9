//! Files that are whole whenever somebody looks, whatever ends the program: written aside, forced to disk, then moved in place.
//!
//! Must not know: anything else here. Every step that changes what is on disk goes through [`step`], so that a test can end a
//! program at each of them.

mod folder;
#[cfg(test)]
pub(crate) mod stop;

pub(crate) use folder::{put_folder, remove_folder, set_aside, sync_folder};

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error, Result, Write};
use std::path::{Path, PathBuf};

/// One change on disk is about to be made.
fn step() -> Result<()> {
    #[cfg(test)]
    stop::step()?;
    Ok(())
}

/// Writes a file over an old one in one step.
///
/// # Errors
/// When it cannot be written; the old file is then as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |aside| File::create(aside).and_then(|mut file| file.write_all(bytes)))
}

/// The same for whoever writes to a path: `fill` is given a place in a folder of its own beside the file. Libraries write aside, too,
/// and what a killed one left would have a name that nobody knows; the next write of the file empties the folder.
///
/// # Errors
/// When it cannot be written; the old file is then as it was.
pub(crate) fn write_with<E: From<Error>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    replace(path, |aside| {
        let mut room = aside.as_os_str().to_owned();
        room.push(".d");
        let room = PathBuf::from(room);
        folder::empty(&room)?;
        step()?;
        std::fs::create_dir(&room)?;
        let written = fill(&room.join("file")).and_then(|()| {
            step()?;
            Ok(std::fs::rename(room.join("file"), aside)?)
        });
        if written.is_ok() || step().is_ok() {
            folder::empty(&room)?;
        }
        written
    })
}

/// Fills a file beside another one and gives it its name.
fn replace<E: From<Error>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let path = &place_of(path);
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        // A pipe or a terminal cannot be replaced; what is said is said.
        return fill(path);
    }
    let (aside, _held) = aside(path)?;
    let written = step().map_err(E::from).and_then(|()| fill(&aside)).and_then(|()| Ok(move_in_place(&aside, path)?));
    if written.is_err() && step().is_ok() {
        let _ = std::fs::remove_file(&aside);
    }
    written
}

/// Where a path leads: a link stays, and what it points to is replaced.
fn place_of(path: &Path) -> PathBuf {
    if path.is_symlink() { std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() }
}

/// Forces a file to disk, and gives it its name.
fn move_in_place(aside: &Path, path: &Path) -> Result<()> {
    step()?;
    File::open(aside)?.sync_all()?;
    step()?;
    std::fs::rename(aside, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("")));
    Ok(())
}

/// Where a file is written first, held against other programs. What a killed program left there is written over by the next.
fn aside(path: &Path) -> Result<(PathBuf, Option<File>)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place = path.with_file_name(format!(".{name}.part"));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&place)?;
    match file.try_lock() {
        Ok(()) => Ok((place, Some(file))),
        Err(TryLockError::WouldBlock) => {
            Ok((path.with_file_name(format!(".{name}.{}.part", std::process::id())), None))
        }
        // Where the file system has no locks.
        Err(TryLockError::Error(_)) => Ok((place, None)),
    }
}

/// Adds to a file, and forces what is there to disk when asked to.
pub(crate) struct Appending {
    file: File,
}

impl Appending {
    /// Opens a file at its end, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        step()?;
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)? })
    }

    /// Adds to its end. The system has it then, and keeps it when the program is killed; [`Self::sync`] makes sure that the disk has
    /// it.
    ///
    /// # Errors
    /// When it cannot be written. Some of it may be there: what is written next goes in its place.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        step()?;
        let length = self.file.metadata()?.len();
        let written = self.file.write_all(bytes);
        if written.is_err() {
            self.file.set_len(length)?;
        }
        written
    }

    /// Makes sure that everything is on disk.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(crate) fn sync(&mut self) -> Result<()> {
        step()?;
        self.file.sync_data()
    }
}

/// A file that only one program holds; given back when it is dropped, or its program ends.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock; `None` while another program has it.
    ///
    /// # Errors
    /// When the file cannot be made. A file system without locks locks nothing.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(Self { path: path.to_owned(), file })),
        }
    }
}

impl Lock {
    /// Ends with the program, and leaves its file behind.
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is still held, so that nobody takes a file that is about to go.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn ended_at_any_step_a_write_leaves_the_old_file_or_the_new_one() {
        for steps in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            std::fs::write(&path, "old").unwrap();
            let (_, ended) = stop::after(steps, || write(&path, b"new"));
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, if ended { "old" } else { "new" }, "after {steps} steps");
            // The next write takes away what was left.
            write(&path, b"newer").unwrap();
            assert_eq!(
                (names(dir.path()), std::fs::read(&path).unwrap()),
                (vec!["file".to_owned()], b"newer".to_vec())
            );
            if !ended {
                assert!(steps > 2, "each step was ended once");
                return;
            }
        }
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_beside_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, b"old").unwrap();
        let failed: Result<()> = write_with(&path, |aside| {
            std::fs::write(aside, "half")?;
            Err(Error::other("no room"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no room");
        assert_eq!((names(dir.path()), std::fs::read(&path).unwrap()), (vec!["file".to_owned()], b"old".to_vec()));
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        assert!(Lock::take(&path).unwrap().is_some());
    }
}
