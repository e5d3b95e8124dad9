//! Text a model learns from or is measured on: files to documents.

use crate::load::data::data_error::DataError;
use crate::load::data::decoded::read_decoded;
use crate::types::UserError;
use std::path::{Path, PathBuf};

/// The text files that a list of files and folders stands for: files as they are, folders searched for `.txt` files at any
/// depth, in alphabetical order.
///
/// # Errors
///
/// When a path does not exist or cannot be read, or a folder holds no text file.
pub fn text_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    files_of(paths, &["txt"], "text")
}

/// The same for tables of pairs: folders are searched for `.tsv` and `.json` files.
///
/// # Errors
///
/// As [`text_files`].
pub fn table_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    files_of(paths, &["tsv", "json"], "table")
}

fn files_of(paths: &[PathBuf], endings: &[&str], what: &str) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            collect(path, endings, &mut files)?;
            if files.len() == before {
                return Err(DataError::empty(path, format!("The folder has no .{} file.", endings.join(" or ."))));
            }
        } else {
            std::fs::metadata(path).map_err(|source| DataError::read(path, source))?;
            files.push(path.clone());
        }
    }
    match paths.first() {
        Some(first) if files.is_empty() => Err(DataError::empty(first, format!("No {what} file was named."))),
        None => Err(DataError::empty(Path::new("the data list"), format!("No {what} file was named."))),
        Some(_) => Ok(files),
    }
}

fn collect(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let failed = |source| DataError::read(folder, source);
    let mut entries: Vec<PathBuf> = (std::fs::read_dir(folder).map_err(failed)?)
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    entries.sort();
    for path in entries {
        // Links are not followed, so a folder that leads to itself ends.
        let kind = std::fs::symlink_metadata(&path).map_err(|source| DataError::read(&path, source))?;
        let ending = path.extension().map_or(String::new(), |ending| ending.to_string_lossy().to_lowercase());
        if kind.is_dir() {
            collect(&path, endings, files)?;
        } else if endings.contains(&ending.as_str()) {
            files.push(path);
        }
    }
    Ok(())
}

/// A file's text, without byte order mark and with line feeds as the only line ends.
///
/// # Errors
///
/// When the file cannot be read, is neither UTF-8 nor UTF-16, or holds nothing but white space.
pub fn read_text(path: &Path) -> Result<String, DataError> {
    let text = read_decoded(path)?;
    if text.trim().is_empty() {
        return Err(DataError::empty(path, "The file holds no text."));
    }
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Writes a text as a whole, with the folders that it lies in.
///
/// # Errors
///
/// When they cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<(), UserError> {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder.and_then(|()| crate::disk::write(path, text.as_bytes())).map_err(|error| {
        UserError::new(
            format!("{} was not written.", path.display()),
            error.to_string(),
            "Choose a folder you may write to, on a disk with room.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_and_carriage_returns_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        std::fs::write(&path, "\u{feff}one\r\ntwo\rthree\n").unwrap();
        assert_eq!(read_text(&path).unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn unusable_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.txt");
        std::fs::write(&path, b"abc\xff").unwrap();
        assert!(matches!(read_text(&path), Err(DataError::NotUtf8 { at: 3, .. })));
        std::fs::write(&path, " \r\n\t").unwrap();
        assert!(matches!(read_text(&path), Err(DataError::Empty { .. })));
        let gone = dir.path().join("gone.txt");
        assert!(matches!(text_files(std::slice::from_ref(&gone)), Err(DataError::Read { path, .. }) if path == gone));
        assert!(matches!(text_files(&[]), Err(DataError::Empty { .. })));
    }

    #[test]
    fn folders_are_searched_and_empty_ones_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(text_files(&[dir.path().to_owned()]), Err(DataError::Empty { .. })));
        std::fs::create_dir(dir.path().join("deep")).unwrap();
        for name in ["b.txt", "a.TXT", "c.csv", "deep/d.txt"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        let files = text_files(&[dir.path().to_owned()]).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.strip_prefix(dir.path()).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.TXT", "b.txt", "deep/d.txt"]);
    }
}
