//! What a path leads to, where that is a model in GGUF: a file, a folder that holds one, or a name in ollama's list, whose files
//! have hashes for names.

use super::header::MAGIC;
use super::source::GgufSource;
use crate::load::source::CONFIG_FILE;
use crate::types::{is_first_gguf, printable};
use serde::Deserialize;
use std::io::Read;
use std::path::{Path, PathBuf};

const ENDING: &str = "gguf";
/// A manifest lists a handful of files.
const LONGEST_MANIFEST: u64 = 64 << 10;
/// What ollama calls the weights among the files of a model.
const WEIGHTS: &str = "application/vnd.ollama.image.model";

/// The model in GGUF that a path leads to; `None` where it leads to something else.
pub(in crate::load) fn place(path: &Path) -> Option<GgufSource> {
    if path.is_dir() {
        let mut files = first_files(path);
        return match files.len() {
            _ if path.join(CONFIG_FILE).exists() => None,
            0 => None,
            1 => Some(GgufSource::new(path, Ok(path.join(files.remove(0))))),
            _ => {
                let names = files.iter().map(|name| printable(name).into_owned()).collect();
                Some(GgufSource::new(path, Err(names)))
            }
        };
    }
    if path.extension().is_some_and(|end| end.eq_ignore_ascii_case(ENDING)) || begins(path) {
        return Some(GgufSource::new(path, Ok(path.to_owned())));
    }
    Some(GgufSource::new(path, Ok(listed(path)?)))
}

/// Names of files in a folder that hold a model or the first part of one, in alphabetical order.
fn first_files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut files: Vec<String> = names.filter(|name| is_first_gguf(name)).collect();
    files.sort();
    files
}

/// True for a file that begins as one in GGUF does, whatever its name.
fn begins(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    let read = path.is_file() && std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok());
    read && start == *MAGIC
}

/// A file that ollama keeps for a model.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

/// The weights that a manifest of ollama lists: `manifests/<host>/<owner>/<name>/<tag>` beside `blobs/sha256-<hash>`.
fn listed(path: &Path) -> Option<PathBuf> {
    let manifests = path.ancestors().nth(4)?;
    if !manifests.ends_with("manifests") || !path.is_file() {
        return None;
    }
    let mut text = Vec::new();
    std::fs::File::open(path).ok()?.take(LONGEST_MANIFEST).read_to_end(&mut text).ok()?;
    let manifest: Manifest = serde_json::from_slice(&text).ok()?;
    let weights = manifest.layers.iter().find(|layer| layer.media_type == WEIGHTS)?;
    let hash = weights.digest.strip_prefix("sha256:")?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hash.then(|| manifests.with_file_name("blobs").join(format!("sha256-{hash}")))
}
