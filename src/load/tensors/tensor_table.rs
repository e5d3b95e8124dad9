//! Which tensors the weight files of a folder hold, by their headers alone.

use crate::load::error::LoadError;
use crate::load::source::{ModelSource, source};
use crate::types::TensorEntry;
use std::cmp::Ordering;
use std::path::Path;

/// Every tensor of a folder, by name; numbers in names count as numbers.
///
/// # Errors
/// When the folder has no weights, or a header is damaged.
pub fn list_tensors(dir: &Path) -> Result<Vec<TensorEntry>, LoadError> {
    tensors_of(&*source(dir))
}

/// The same, of any source.
pub(in crate::load) fn tensors_of(source: &dyn ModelSource) -> Result<Vec<TensorEntry>, LoadError> {
    let files = source.weights()?;
    let (containers, _) = files.containers()?;
    let mut entries = Vec::new();
    for container in &containers {
        let file = container.path.file_name().unwrap_or_default().to_string_lossy();
        for name in container.names() {
            let Some(header) = container.header(name) else { continue };
            entries.push(TensorEntry {
                shape: header.shape,
                dtype: header.dtype.to_string(),
                bytes: header.bytes,
                file: file.clone().into_owned(),
                name: name.to_owned(),
            });
        }
    }
    entries.sort_by(|a, b| by_number(&a.name, &b.name));
    Ok(entries)
}

/// Compares names piece by piece, pieces that are numbers by their value: `h.9` before `h.10`.
fn by_number(a: &str, b: &str) -> Ordering {
    let (mut a_parts, mut b_parts) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a_parts.next(), b_parts.next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(x), Ok(y)) => x.cmp(&y),
                _ => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_listed_as_it_is_stored() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/sprout");
        let entries = list_tensors(&dir).unwrap();
        let embedding = entries.iter().find(|e| e.name == "model.embed_tokens.weight").unwrap();
        assert_eq!((embedding.shape.as_slice(), embedding.dtype.as_str()), (&[2048, 128][..], "F16"));
        assert_eq!(embedding.bytes, 2 * 2048 * 128);
        let stored: u64 = entries.iter().map(|e| e.bytes).sum();
        let size = std::fs::metadata(dir.join("model.safetensors")).unwrap().len();
        assert!(stored < size && size - stored < 16_384, "all but the header: {stored} of {size}");
    }

    #[test]
    fn a_file_of_pytorch_is_listed_as_well() {
        let scratch = tempfile::tempdir().unwrap();
        let torch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/torch/whole.bin");
        std::fs::copy(torch, scratch.path().join("pytorch_model.bin")).unwrap();
        let entries = list_tensors(scratch.path()).unwrap();
        let count = |t: &TensorEntry| t.shape.iter().product::<usize>() as u64;
        assert!(!entries.is_empty());
        for entry in &entries {
            let width = if entry.dtype == "F32" { 4 } else { 2 };
            assert_eq!(entry.bytes, count(entry) * width, "{entry:?}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        let mut names = ["h.10.w", "ln_f.w", "h.9.w", "h.9", "h.2.b"];
        names.sort_by(|a, b| by_number(a, b));
        assert_eq!(names, ["h.2.b", "h.9", "h.9.w", "h.10.w", "ln_f.w"]);
    }

    #[test]
    fn a_damaged_header_is_told_with_its_file() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("model.safetensors"), b"<!DOCTYPE html>").unwrap();
        let error = list_tensors(scratch.path()).unwrap_err();
        assert!(matches!(&error, LoadError::Safetensors { path, .. } if path.ends_with("model.safetensors")));
    }
}
