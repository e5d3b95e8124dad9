//! What a model's folder or file is called.

use crate::types::{gguf_stem, printable};
use std::path::Path;

/// The name of a model by its path, for display: `owner/name` for a snapshot in the Hugging Face cache
/// (`models--owner--name/snapshots/<commit>`), `run, step N` for a snapshot of a run (`run/snapshots/step-N`), `name:tag` for one that ollama lists (`manifests/<host>/<owner>/<name>/<tag>`),
/// else that of the folder or the GGUF file.
#[must_use]
pub fn model_name(folder: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let in_cache = || {
        let snapshots = folder.parent().filter(|parent| parent.ends_with("snapshots"))?;
        Some(name(snapshots.parent()?)?.strip_prefix("models--")?.replace("--", "/"))
    };
    let own = || name(folder).map(|name| gguf_stem(&name).map_or(name.clone(), str::to_owned));
    let of_run = || {
        let step = folder.file_name()?.to_str()?.strip_prefix("step-")?.parse::<usize>().ok()?;
        let snapshots = folder.parent().filter(|parent| parent.ends_with("snapshots"))?;
        Some(format!("{}, step {step}", name(snapshots.parent()?)?))
    };
    let name = in_cache()
        .or_else(of_run)
        .or_else(|| listed_name(folder))
        .or_else(own)
        .unwrap_or_else(|| folder.display().to_string());
    printable(&name).into_owned()
}

/// True for the folder of what a run was at some step.
#[must_use]
pub fn is_snapshot(folder: &Path) -> bool {
    let step = folder.file_name().and_then(|name| name.to_str()?.strip_prefix("step-")?.parse::<usize>().ok());
    step.is_some() && folder.parent().is_some_and(|parent| parent.ends_with("snapshots"))
}

/// ollama's name of the model that a manifest lists; its own models have no owner, and its own host is not written.
fn listed_name(manifest: &Path) -> Option<String> {
    let parts: Vec<_> = manifest.iter().map(|part| part.to_string_lossy()).collect();
    let [.., folder, host, owner, name, tag] = parts.as_slice() else { return None };
    let owner = if owner == "library" { String::new() } else { format!("{owner}/") };
    let host = if host == "registry.ollama.ai" { String::new() } else { format!("{host}/") };
    (folder == "manifests").then(|| format!("{host}{owner}{name}:{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_the_name_of_its_repository() {
        for (path, expected) in [
            ("/c/hub/models--ada--tiny/snapshots/0123", "ada/tiny"),
            ("/c/hub/models--gpt2/snapshots/0123", "gpt2"),
            ("/home/ada/snapshots/mine", "mine"),
            ("models/sprout", "sprout"),
            ("runs/2026-11-28-mlp/snapshots/step-000050", "2026-11-28-mlp, step 50"),
            ("/home/ada/snapshots/step-last", "step-last"),
            ("/m/SmolLM2.Q4_1.gguf", "SmolLM2.Q4_1"),
            ("/m/big-00001-of-00002.gguf", "big"),
            ("/o/models/manifests/registry.ollama.ai/library/llama3.2/1b", "llama3.2:1b"),
            ("/o/models/manifests/registry.ollama.ai/ada/tiny/latest", "ada/tiny:latest"),
            ("/o/models/manifests/hf.co/ada/tiny/Q4_0", "hf.co/ada/tiny:Q4_0"),
            ("/", "/"),
            ("models/a\u{1b}[2J\nb", "a\\u{1b}[2J\\nb"),
        ] {
            assert_eq!(model_name(Path::new(path)), expected, "{path}");
        }
    }
}
