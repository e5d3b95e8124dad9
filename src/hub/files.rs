//! Which files of a repository Fovea needs.

use super::{HubError, RepoId};
use std::collections::BTreeSet;

pub(super) const CONFIG: &str = "config.json";
pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
pub(super) const TORCH: &str = "pytorch_model.bin";
pub(super) const TORCH_INDEX: &str = "pytorch_model.bin.index.json";

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
    "modules.json",
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
    pub(super) weights: WeightFile,
}

/// The file that holds the weights, or tells which files do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WeightFile {
    Single,
    Index,
    Torch,
    TorchIndex,
}

impl WeightFile {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Single => SINGLE,
            Self::Index => INDEX,
            Self::Torch => TORCH,
            Self::TorchIndex => TORCH_INDEX,
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
    if !names.contains(CONFIG) {
        return Err(nothing(CONFIG));
    }
    let weights = [WeightFile::Single, WeightFile::Index, WeightFile::Torch, WeightFile::TorchIndex];
    let weights = weights.into_iter().find(|file| names.contains(file.name()));
    let weights = weights.ok_or_else(|| nothing("model.safetensors, nor pytorch_model.bin"))?;
    let beside = BESIDE_WEIGHTS.into_iter().filter(|name| names.contains(name));
    let templates = names.iter().copied().filter(|name| is_named_template(name));
    let small = beside.chain(templates).map(str::to_owned).collect();
    Ok(Wanted { small, weights })
}

/// True for a chat template that has a name, each of which is a file of its own.
fn is_named_template(file: &str) -> bool {
    let name = file.strip_prefix("additional_chat_templates/").and_then(|name| name.strip_suffix(".jinja"));
    name.is_some_and(|name| is_inside(name) && !name.contains('/'))
}

/// The distinct weight files that an index names.
///
/// # Errors
/// [`HubError::BadAnswer`] when it is no index, or a name leads out of the folder.
pub(super) fn shards(index: &[u8], url: &str) -> Result<Vec<String>, HubError> {
    let wrong = |problem: String| HubError::BadAnswer { url: url.to_owned(), problem };
    let value: serde_json::Value =
        serde_json::from_slice(index).map_err(|e| wrong(format!("the index of the weights is not JSON: {e}")))?;
    let map = value.get("weight_map").and_then(serde_json::Value::as_object);
    let map = map.ok_or_else(|| wrong("the index of the weights has no weight_map".into()))?;
    let name = |value: &serde_json::Value| match value.as_str() {
        Some(name) if is_inside(name) && !name.contains('/') => Ok(name.to_owned()),
        _ => Err(wrong(format!("the index of the weights names {value}, which is no file beside it"))),
    };
    let names: BTreeSet<String> = map.values().map(name).collect::<Result<_, _>>()?;
    if names.is_empty() {
        Err(wrong("the weight_map in the index of the weights is empty".into()))
    } else {
        Ok(names.into_iter().collect())
    }
}

/// True for a relative name that stays in its folder on every platform.
pub(super) fn is_inside(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0']);
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
            shards(index, "").unwrap(),
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        );
        for bad in ["../../x", "/etc/passwd", "a\\b", "..", "C:x", "sub/x"] {
            let index = serde_json::json!({ "weight_map": { "a": bad } }).to_string();
            assert!(shards(index.as_bytes(), "").is_err(), "{bad}");
        }
        assert!(shards(b"<html>", "").is_err());
    }
}
