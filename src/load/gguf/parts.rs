//! The files of one model: a single one, or parts that are numbered in their names, as `gguf-split` writes them.

use super::header::GgufFile;
use crate::load::error::LoadError;
use crate::types::GgufPart;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const NUMBER: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";
/// The files of the model that a file is of, the first part first, without opening them.
///
/// # Errors
/// When one is not there.
pub(super) fn paths(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !path.is_file() {
        return Err(LoadError::MissingGguf { path: path.to_owned() });
    }
    let Some(part) = GgufPart::of(&name) else { return Ok(vec![path.to_owned()]) };
    let all: Vec<String> = (1..=part.count).map(|number| part.name(number)).collect();
    let missing: Vec<String> = all.iter().filter(|name| !path.with_file_name(name).is_file()).cloned().collect();
    if !missing.is_empty() {
        return Err(LoadError::MissingParts { path: path.to_owned(), count: part.count, missing });
    }
    Ok(all.iter().map(|name| path.with_file_name(name)).collect())
}

/// Opens the files of a model; any of them may be named.
///
/// # Errors
/// When one is not there, cannot be read, or is a part of another model.
pub(super) fn open(path: &Path) -> Result<Vec<GgufFile>, LoadError> {
    let paths = paths(path)?;
    let files = paths.iter().map(|path| GgufFile::open(path)).collect::<Result<Vec<_>, _>>()?;
    let parts = files.len();
    for (place, file) in files.iter().enumerate() {
        let metadata = &file.header.metadata;
        let (number, count) = (metadata.whole(NUMBER)?, metadata.whole(COUNT)?);
        let (own, expected) = (number.unwrap_or(0), count.unwrap_or(1).max(1));
        if expected != parts as u64 {
            let problem = format!("is {expected}, and there {} by its name", are(parts));
            return Err(metadata.wrong(COUNT, problem));
        }
        if own != place as u64 {
            return Err(metadata.wrong(NUMBER, format!("is {own}, and its name makes it part {place}, counted from 0")));
        }
    }
    let first = &files[0].header.metadata;
    let listed: usize = files.iter().map(|file| file.header.tensors.len()).sum();
    match first.whole(TENSORS)? {
        Some(expected) if parts > 1 && expected != listed as u64 => {
            Err(first.wrong(TENSORS, format!("is {expected}, and the parts hold {listed} tensors")))
        }
        _ => refuse_twice(files),
    }
}

fn are(parts: usize) -> String {
    if parts == 1 { "is 1 file".to_owned() } else { format!("are {parts} files") }
}

fn refuse_twice(files: Vec<GgufFile>) -> Result<Vec<GgufFile>, LoadError> {
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for file in &files {
        for tensor in &file.header.tensors {
            if let Some(first) = seen.insert(&tensor.name, &file.path) {
                let [first, second] = [first, &file.path].map(Path::to_path_buf);
                return Err(LoadError::DuplicateTensor { name: tensor.name.clone(), first, second });
            }
        }
    }
    Ok(files)
}
