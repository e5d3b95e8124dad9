//! Which files of a repository Fovea needs.

use super::{HubError, RepoId};
use crate::types::is_unprintable;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

pub(super) const CONFIG: &str = "config.json";
/// The two files of a low-rank adapter.
pub(super) const ADAPTER_CONFIG: &str = "adapter_config.json";
pub(super) const ADAPTER: &str = "adapter_model.safetensors";
pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
pub(super) const TORCH: &str = "pytorch_model.bin";
pub(super) const TORCH_INDEX: &str = "pytorch_model.bin.index.json";

/// Most bytes of a file that lists a vocabulary, and of an index of weights: the largest tokenizer.json in use take 35 MB, the
/// largest index 15 MB. Such files are read into memory whole.
const LARGEST_LIST: u64 = 64_000_000;
/// Most bytes of any other file beside the weights. Settings take kilobytes, a README with pictures in it a few megabytes.
const LARGEST_SETTINGS: u64 = 16_000_000;
/// How the names of the folder begin in which older layouts of sentence-transformers keep the encoder: the number of the
/// module stands before its class, as in `0_Transformer`.
const ENCODER_FOLDER: &str = "0_";
pub(super) const MODULES: &str = "modules.json";

/// Everything but the weights, the file that says what the model is first.
const BESIDE_WEIGHTS: [&str; 24] = [
    CONFIG,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "preprocessor_config.json",
    MODULES,
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
    "README.md",
    "LICENSE",
    "LICENSE.txt",
];

/// What a repository's list of files comes down to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Files beside the weights, small all of them.
    pub(super) small: Vec<String>,
    /// What stands before the names of weights: nothing, or a folder and a slash.
    pub(super) folder: String,
    pub(super) weights: WeightFile,
}

/// The file that holds the weights, or tells which files do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WeightFile {
    Single,
    Index,
    Torch,
    TorchIndex,
    /// The tensors of an adapter, which has no network of its own.
    Adapter,
}

impl WeightFile {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Single => SINGLE,
            Self::Index => INDEX,
            Self::Torch => TORCH,
            Self::TorchIndex => TORCH_INDEX,
            Self::Adapter => ADAPTER,
        }
    }

    const ALL: [Self; 4] = [Self::Single, Self::Index, Self::Torch, Self::TorchIndex];

    /// How the names of its kind of weight files end.
    pub(super) fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Single | Self::Index | Self::Adapter => &[".safetensors"],
            Self::Torch | Self::TorchIndex => &[".bin", ".pt", ".pth"],
        }
    }

    /// True for a file that only tells which files hold the weights.
    pub(super) fn is_index(self) -> bool {
        matches!(self, Self::Index | Self::TorchIndex)
    }
}

/// Chooses from a repository's files.
///
/// # Errors
/// [`HubError::NothingToOpen`] without a configuration or weights.
pub(super) fn wanted<'a>(repo: &RepoId, names: impl Iterator<Item = &'a str>) -> Result<Wanted, HubError> {
    let names: BTreeSet<&str> = names.collect();
    let nothing = |missing| HubError::NothingToOpen { repo: repo.clone(), missing };
    let has = |folder: &str, name: &str| names.contains(format!("{folder}{name}").as_str());
    let weights_in = |folder: &str| WeightFile::ALL.into_iter().find(|file| has(folder, file.name()));
    let (folder, weights) = match weights_in("") {
        Some(weights) => ("", Some(weights)),
        None => {
            let folder =
                names.iter().copied().find_map(|name| encoder_folder(name).filter(|_| names.contains(MODULES)));
            folder.map_or(("", None), |folder| (folder, weights_in(folder)))
        }
    };
    if weights.is_none() && has("", ADAPTER_CONFIG) && has("", ADAPTER) {
        let small = [ADAPTER_CONFIG, "README.md", "LICENSE", "LICENSE.txt"].into_iter().filter(|name| has("", name));
        let small = small.map(str::to_owned).collect();
        return Ok(Wanted { small, folder: String::new(), weights: WeightFile::Adapter });
    }
    if !has(folder, CONFIG) {
        return Err(nothing(CONFIG));
    }
    let weights = weights.ok_or_else(|| nothing("model.safetensors, nor pytorch_model.bin"))?;
    let beside = |folder: &'a str| {
        let there = BESIDE_WEIGHTS.into_iter().filter(move |name| has(folder, name));
        there.map(move |name| format!("{folder}{name}")).collect::<Vec<_>>()
    };
    let mut small = beside("");
    if !folder.is_empty() {
        small.extend(beside(folder));
    }
    small.extend(names.iter().copied().filter(|name| is_named_template(name)).map(str::to_owned));
    Ok(Wanted { small, folder: folder.to_owned(), weights })
}

/// The folder of an encoder, with its slash, by the name of its configuration.
fn encoder_folder(config: &str) -> Option<&str> {
    let folder = config.strip_suffix(CONFIG)?;
    let name = folder.strip_suffix('/')?;
    (name.starts_with(ENCODER_FOLDER) && !name.contains('/') && is_inside(name)).then_some(folder)
}

/// True for a folder's name that may be the encoder's, where modules.json stands beside it.
pub(super) fn may_hold_encoder(name: &str) -> bool {
    name.starts_with(ENCODER_FOLDER)
}

/// Most bytes that a file beside the weights, or an index of them, may have.
pub(super) fn largest(name: &str) -> u64 {
    match name.rsplit('/').next().unwrap_or(name) {
        "tokenizer.json" | "vocab.json" | "vocab.txt" | "merges.txt" | INDEX | TORCH_INDEX => LARGEST_LIST,
        _ => LARGEST_SETTINGS,
    }
}

/// The bytes of an index that is there. One larger than it may be is cut off, and no index any more.
pub(super) fn read_index(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST_LIST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// True for a chat template that has a name, each of which is a file of its own.
fn is_named_template(file: &str) -> bool {
    let name = file.strip_prefix("additional_chat_templates/").and_then(|name| name.strip_suffix(".jinja"));
    name.is_some_and(|name| is_inside(name) && !name.contains('/'))
}

/// The distinct weight files that an index of this kind names.
///
/// # Errors
/// [`HubError::BadAnswer`] when it is no index, or a name leads out of the folder or is not one of weights.
pub(super) fn shards(kind: WeightFile, index: &[u8], url: &str) -> Result<Vec<String>, HubError> {
    let wrong = |problem: String| HubError::BadAnswer { url: url.to_owned(), problem };
    let value: serde_json::Value =
        serde_json::from_slice(index).map_err(|e| wrong(format!("the index of the weights is not JSON: {e}")))?;
    let map = value.get("weight_map").and_then(serde_json::Value::as_object);
    let map = map.ok_or_else(|| wrong("the index of the weights has no weight_map".into()))?;
    let name = |value: &serde_json::Value| match value.as_str() {
        Some(name) if is_inside(name) && !name.contains('/') => {
            let (is_one, endings) = (kind.endings().iter().any(|end| name.ends_with(end)), kind.endings().join(" or "));
            let problem = || format!("the index of the weights names {name}, which is no file of weights ({endings})");
            if is_one { Ok(name.to_owned()) } else { Err(wrong(problem())) }
        }
        _ => Err(wrong(format!("the index of the weights names {value}, which is no file beside it"))),
    };
    let names: BTreeSet<String> = map.values().map(name).collect::<Result<_, _>>()?;
    if names.is_empty() {
        Err(wrong("the weight_map in the index of the weights is empty".into()))
    } else {
        Ok(names.into_iter().collect())
    }
}

/// True for a relative name that stays in its folder on every platform, and can be printed as it is.
pub(super) fn is_inside(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':']) && !part.contains(is_unprintable)
    };
    name.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(names: &[&str]) -> Result<Wanted, HubError> {
        wanted(&RepoId::parse("a/b").unwrap(), names.iter().copied())
    }

    #[test]
    fn safetensors_are_preferred_and_the_rest_is_left_out() {
        let files =
            ["README.md", "pytorch_model.bin", "model.safetensors", "tf_model.h5", "config.json", "onnx/model.onnx"];
        let found = choose(&files).unwrap();
        assert_eq!((found.small, found.weights), (vec![CONFIG.into(), "README.md".into()], WeightFile::Single));
        assert_eq!(choose(&["config.json", "pytorch_model.bin"]).unwrap().weights, WeightFile::Torch);
        assert_eq!(choose(&["config.json", INDEX, TORCH]).unwrap().weights, WeightFile::Index);
        let adapter =
            choose(&["config.json", ADAPTER, ADAPTER_CONFIG, "README.md", "checkpoint-5/config.json"]).unwrap();
        assert_eq!(
            (adapter.small, adapter.weights),
            (vec![ADAPTER_CONFIG.into(), "README.md".into()], WeightFile::Adapter)
        );
        assert_eq!(choose(&["config.json", TORCH_INDEX]).unwrap().weights, WeightFile::TorchIndex);
    }

    #[test]
    fn chat_templates_with_names_are_fetched_too() {
        let files = ["config.json", "model.safetensors", "additional_chat_templates/rag.jinja", "other/x.jinja"];
        assert_eq!(choose(&files).unwrap().small, [CONFIG, "additional_chat_templates/rag.jinja"]);
    }

    #[test]
    fn a_repository_of_other_files_is_refused() {
        for (files, missing) in
            [(&["model.gguf"][..], "config.json"), (&["config.json", "model.gguf"], "model.safetensors")]
        {
            let error = crate::types::UserError::from(choose(files).unwrap_err());
            assert!(error.why.contains(missing), "{error}");
        }
    }

    #[test]
    fn shards_are_names_in_the_folder() {
        let index =
            br#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
            "c": "model-00001-of-00002.safetensors"}}"#;
        assert_eq!(
            shards(WeightFile::Index, index, "").unwrap(),
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        );
        for bad in ["../../x", "/etc/passwd", "a\\b", "..", "C:x", "sub/x"] {
            let index = serde_json::json!({ "weight_map": { "a": bad } }).to_string();
            assert!(shards(WeightFile::Index, index.as_bytes(), "").is_err(), "{bad}");
        }
        assert!(shards(WeightFile::Index, b"<html>", "").is_err());
    }

    #[test]
    fn shards_are_files_of_weights() {
        let named = |kind, name: &str| {
            let index = serde_json::json!({ "weight_map": { "a": name } }).to_string();
            shards(kind, index.as_bytes(), "").map_err(|error| crate::types::UserError::from(error).why)
        };
        for (kind, good) in [(WeightFile::Index, "a.safetensors"), (WeightFile::TorchIndex, "a.bin")] {
            assert_eq!(named(kind, good).unwrap(), [good]);
            for bad in ["config.json", "tokenizer.json", "model.safetensors.index.json", "safetensors", "a"] {
                let why = named(kind, bad).unwrap_err();
                assert!(why.contains(bad) && why.contains("no file of weights"), "{why}");
            }
        }
        assert!(named(WeightFile::Index, "a.bin").is_err() && named(WeightFile::TorchIndex, "a.safetensors").is_err());
    }

    #[test]
    fn older_layouts_of_sentence_transformers_keep_the_encoder_in_a_folder() {
        let files = [
            "modules.json",
            "config.json",
            "0_Transformer/config.json",
            "0_Transformer/tokenizer.json",
            "0_Transformer/pytorch_model.bin",
            "1_Pooling/config.json",
        ];
        let found = choose(&files).unwrap();
        assert_eq!((found.folder.as_str(), found.weights), ("0_Transformer/", WeightFile::Torch));
        let expected =
            [CONFIG, MODULES, "1_Pooling/config.json", "0_Transformer/config.json", "0_Transformer/tokenizer.json"];
        assert_eq!(found.small, expected);
        assert!(choose(&files[1..]).is_err(), "nothing says that the folder is an encoder's");
        assert_eq!(choose(&[&files[..], &[SINGLE]].concat()).unwrap().folder, "");
    }

    #[test]
    fn names_with_control_characters_are_not_fetched() {
        for name in ["a\u{1b}[2J", "a\nb", "a\u{202e}b", "a\u{9b}b", "\u{2066}"] {
            assert!(!is_inside(name), "{name:?}");
            let template = format!("additional_chat_templates/{name}.jinja");
            let found = choose(&[CONFIG, SINGLE, &template]).unwrap();
            assert_eq!(found.small, [CONFIG], "{name:?}");
            let index = serde_json::json!({ "weight_map": { "a": format!("{name}.safetensors") } }).to_string();
            let why = crate::types::UserError::from(shards(WeightFile::Index, index.as_bytes(), "").unwrap_err()).why;
            assert!(!why.contains(is_unprintable), "{why:?}");
        }
    }

    #[test]
    fn vocabularies_may_be_larger_than_settings() {
        assert!(largest("0_Transformer/tokenizer.json") > largest("0_Transformer/config.json"));
        assert_eq!((largest(INDEX), largest("vocab.txt"), largest("README.md")), (64_000_000, 64_000_000, 16_000_000));
    }
}
