//! What a model folder is called.

use crate::types::printable;
use std::path::Path;

/// The name of a model folder, for display: `owner/name` for a snapshot in the Hugging Face cache
/// (`models--owner--name/snapshots/<commit>`), else the folder's own.
#[must_use]
pub fn model_name(folder: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let in_cache = || {
        let snapshots = folder.parent().filter(|parent| parent.ends_with("snapshots"))?;
        Some(name(snapshots.parent()?)?.strip_prefix("models--")?.replace("--", "/"))
    };
    let name = in_cache().or_else(|| name(folder)).unwrap_or_else(|| folder.display().to_string());
    printable(&name).into_owned()
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
            ("/", "/"),
            ("models/a\u{1b}[2J\nb", "a\\u{1b}[2J\\nb"),
        ] {
            assert_eq!(model_name(Path::new(path)), expected, "{path}");
        }
    }
}
