//! Pictures with labels: a folder with a folder for each class.

use crate::load::data::data_error::DataError;
use crate::types::{LabelledKind, LabelledRows};
use std::path::Path;

/// The endings of pictures that are read; any other file is passed over.
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// The pictures of each folder in a folder, by name, whose label is the folder's name. Only names are read here: what a picture holds,
/// and how it was held, is read with it.
///
/// # Errors
/// When a folder cannot be read, or holds no folder with a picture.
pub(super) fn read_folders(path: &Path) -> Result<LabelledRows, DataError> {
    let columns = ["picture", "folder"].map(str::to_owned);
    let kind = LabelledKind::Pictures;
    let mut rows = LabelledRows { kind, columns: columns.to_vec(), chosen: columns, ..LabelledRows::default() };
    for folder in entries(path)?.iter().filter(|entry| entry.is_dir()) {
        let label = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if label.starts_with('.') {
            continue;
        }
        for file in entries(folder)?.iter().filter(|file| is_picture(file)) {
            rows.add(file.display().to_string(), &label);
        }
    }
    if rows.rows.is_empty() {
        let why = "It has no folder with PNG, JPEG or WebP pictures, of which one for each class is looked for, and no files in MNIST's format.";
        return Err(DataError::empty(path, why));
    }
    Ok(rows)
}

fn is_picture(file: &Path) -> bool {
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    file.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, DataError> {
    let read = std::fs::read_dir(folder).map_err(|source| DataError::read(folder, source))?;
    let mut entries: Vec<_> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_class() {
        let dir = tempfile::tempdir().unwrap();
        for (folder, file) in
            [("cats", "b.PNG"), ("cats", "a.jpeg"), ("dogs", "c.webp"), ("dogs", "notes.txt"), (".git", "d.png")]
        {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
            std::fs::write(dir.path().join(folder).join(file), "x").unwrap();
        }
        let rows = read_folders(dir.path()).unwrap().rows;
        let found: Vec<(String, String)> = rows
            .into_iter()
            .map(|[path, label]| (Path::new(&path).file_name().unwrap().to_string_lossy().into_owned(), label))
            .collect();
        let expected = [("a.jpeg", "cats"), ("b.PNG", "cats"), ("c.webp", "dogs")];
        assert_eq!(found, expected.map(|(file, label)| (file.to_owned(), label.to_owned())));
        assert!(read_folders(&dir.path().join("cats")).unwrap_err().to_string().contains("one for each class"));
    }
}
