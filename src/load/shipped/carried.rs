//! The shipped models inside the program itself: `cargo install` copies the program and nothing else.

use sha2::{Digest, Sha256};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

macro_rules! models {
    ($($model:literal: [$($file:literal),* $(,)?],)*) => {
        &[$((
            $model,
            &[$(($file, include_bytes!(concat!("../../../models/", $model, "/", $file)))),*],
        )),*]
    };
}

/// A model's name, and its files by name.
type Carried = (&'static str, &'static [(&'static str, &'static [u8])]);

/// What a folder of each model needs; how it was trained stays behind.
const MODELS: &[Carried] = models![
    "clover": [
        "1_Pooling/config.json", "MODEL_CARD.md", "config.json", "config_sentence_transformers.json", "model.safetensors", "modules.json",
        "sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
    ],
    "digits-cnn": ["MODEL_CARD.md", "config.json", "model.safetensors"],
    "digits-mlp": ["MODEL_CARD.md", "config.json", "model.safetensors"],
    "seedling": [
        "MODEL_CARD.md", "config.json", "fewshot.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ],
    "sprout": [
        "MODEL_CARD.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ],
];

/// Where the models lie below a folder for data, once they are unpacked. The name is that of what is in them, so another
/// version of the program has a folder of its own, and a name that stands in a session keeps its meaning.
pub(super) fn place(data: &Path) -> PathBuf {
    let mut hash = Sha256::new();
    for (model, files) in MODELS {
        for (file, bytes) in *files {
            hash.update(format!("{model}/{file} {}\n", bytes.len()));
            hash.update(bytes);
        }
    }
    let name: String = hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    data.join("shipped").join(name)
}

/// Makes the models be there, each whole or not at all.
///
/// # Errors
/// When a folder cannot be written.
pub(super) fn unpack(place: &Path) -> Result<()> {
    for (model, files) in MODELS {
        let folder = place.join(model);
        if folder.is_dir() {
            continue;
        }
        let aside = place.join(format!(".{model}.{}", std::process::id()));
        std::fs::create_dir_all(&aside)?;
        let mut written = files.iter().try_for_each(|(file, bytes)| {
            let file = aside.join(file);
            file.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            crate::disk::write(&file, bytes)
        });
        written = written.and_then(|()| std::fs::rename(&aside, &folder));
        if written.is_ok() {
            crate::disk::sync_folder(place);
        } else {
            crate::disk::remove_folder(&aside)?;
        }
        // Another program may have been quicker.
        written.or_else(|error: Error| if folder.is_dir() { Ok(()) } else { Err(error) })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models");

    fn below(folder: &Path) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                files.extend(below(&entry));
            } else {
                files.insert(entry);
            }
        }
        files
    }

    #[test]
    fn what_is_unpacked_is_what_is_shipped() {
        let data = tempfile::tempdir().unwrap();
        let place = place(data.path());
        // What a program that was killed left does no harm, nor does what is there already.
        std::fs::create_dir_all(place.join(".sprout.1")).unwrap();
        unpack(&place).unwrap();
        unpack(&place).unwrap();
        let names = |root: &Path| -> BTreeSet<PathBuf> {
            below(root).iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
        };
        let how_trained =
            |path: &PathBuf| path.ends_with("TRAINING.md") || path.extension().is_some_and(|e| e == "csv");
        let shipped: BTreeSet<PathBuf> = names(Path::new(ROOT)).into_iter().filter(|path| !how_trained(path)).collect();
        assert_eq!(names(&place), shipped, "every file of models/ is carried");
        for file in shipped {
            let both = [Path::new(ROOT), &place].map(|root| std::fs::read(root.join(&file)).unwrap());
            assert!(both[0] == both[1], "{}", file.display());
        }
    }
}
