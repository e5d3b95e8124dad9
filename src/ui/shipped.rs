//! The models that come with Fovea, found in a folder of model folders.

use super::ShippedModel;
use crate::types::{Ability, Architecture, HeldOut};
use std::path::Path;

/// Model folders under `dir`: models that continue text, then encoders, then digit networks, each the smallest first: one can look into
/// all of it.
/// Folders that are none are left out.
#[must_use]
pub fn in_folder(dir: &Path) -> Vec<ShippedModel> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut models: Vec<ShippedModel> = entries.flatten().filter_map(|e| model(&e.path())).collect();
    models.sort_by_key(|m| {
        let place = match m.kind {
            kind if kind.can(Ability::Continue) => 0,
            kind if kind.can(Ability::ReadDigits) => 2,
            _ => 1,
        };
        let size = std::fs::metadata(m.path.join("model.safetensors")).map_or(0, |m| m.len());
        (place, size, m.name.clone())
    });
    models
}

fn model(path: &Path) -> Option<ShippedModel> {
    #[derive(serde::Deserialize)]
    struct Config {
        architectures: Vec<String>,
    }
    let text = std::fs::read_to_string(path.join("config.json")).ok()?;
    let config: Config = serde_json::from_str(&text).ok()?;
    let architecture = config.architectures.iter().find_map(|name| Architecture::from_config_name(name))?;
    let name = path.file_name()?.to_string_lossy().into_owned();
    let few_shot = path.join(HeldOut::FILE).is_file();
    Some(ShippedModel { name, path: path.to_owned(), kind: architecture.kind(), few_shot })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_model_folders_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for (name, architecture) in [("b", "FoveaDigitMlp"), ("a", "LlamaForCausalLM"), ("c", "MambaForCausalLM")] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            let config = format!(r#"{{"architectures": ["{architecture}"]}}"#);
            std::fs::write(dir.path().join(name).join("config.json"), config).unwrap();
        }
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        let names = || in_folder(dir.path()).into_iter().map(|m| (m.name, m.few_shot)).collect::<Vec<_>>();
        assert_eq!(names(), [("a".to_owned(), false), ("b".to_owned(), false)]);
        std::fs::write(dir.path().join("a").join(HeldOut::FILE), "{}").unwrap();
        assert!(names()[0].1, "what stands beside a model tells that it was trained on tasks");
    }
}
