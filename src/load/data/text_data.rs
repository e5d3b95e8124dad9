//! Text a model learns from or is measured on: files to documents.

use crate::load::data::data_error::DataError;
use crate::load::data::decoded::read_decoded;
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

/// The beginning of a text, at most so many bytes, up to the end of a line.
#[must_use]
pub fn beginning(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let end = text.floor_char_boundary(bytes);
    &text[..text[..end].rfind('\n').map_or(end, |at| at + 1)]
}

/// The documents of a text: what stands between separators, without the white space around them. A text without a separator
/// is one document.
#[must_use]
pub fn documents<'a>(text: &'a str, separators: &[&str]) -> Vec<&'a str> {
    let mut pieces = vec![text];
    for separator in separators.iter().filter(|separator| !separator.is_empty()) {
        pieces = pieces.into_iter().flat_map(|piece| piece.split(separator)).collect();
    }
    pieces.into_iter().map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

/// Cuts a long document into pieces of about `bytes` bytes at line ends (at spaces in a line without end), so that none
/// takes long to tokenize. Joined, the pieces are the document.
#[must_use]
pub fn pieces(document: &str, bytes: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = document;
    while rest.len() > bytes {
        let mut end = bytes;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let head = &rest[..end];
        // A space belongs to the word after it, a line feed to the line before it.
        let cut = head.rfind('\n').map(|at| at + 1).or_else(|| head.rfind(' ')).filter(|&at| at > 0).unwrap_or(end);
        if cut == 0 {
            break;
        }
        pieces.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
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

    #[test]
    fn documents_stand_between_separators() {
        let text = "One.\n<|endoftext|>\nTwo.\n<|endoftext|>\n\n<|endoftext|>Three.";
        assert_eq!(documents(text, &["<|endoftext|>"]), ["One.", "Two.", "Three."]);
        assert_eq!(documents("no separator", &["<|endoftext|>", ""]), ["no separator"]);
    }

    #[test]
    fn pieces_join_to_the_document() {
        for document in ["", "short", "a b c d e f g h i j", "äöü\näöüäöüäöüäöü", "line\nline\nline\nline\n"]
        {
            let pieces = pieces(document, 8);
            assert_eq!(pieces.concat(), document);
            assert!(pieces.iter().all(|piece| piece.len() <= 8 && !piece.is_empty()));
        }
    }
}
