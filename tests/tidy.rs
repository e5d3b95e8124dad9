//! The house rules that a compiler does not check.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::root;

/// Every file below `folder` whose name ends with `suffix`, as (path relative to the package, text).
fn files(folder: &str, suffix: &str) -> Vec<(String, String)> {
    fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, out);
            } else {
                out.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&root().join(folder), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .filter(|p| p.to_string_lossy().ends_with(suffix))
        .map(|p| (p.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), fs::read_to_string(&p).unwrap()))
        .collect()
}

/// The rows of the Markdown table that follows the heading, cells trimmed and without backticks.
fn table(markdown: &str, heading: &str) -> Vec<Vec<String>> {
    let start = markdown.find(heading).unwrap_or_else(|| panic!("ARCHITECTURE.md has no heading {heading:?}"));
    markdown[start..]
        .lines()
        .skip(1)
        .skip_while(|l| !l.starts_with('|'))
        .take_while(|l| l.starts_with('|'))
        .skip(2)
        .map(|l| l.trim_matches('|').split('|').map(|c| c.replace('`', "").trim().to_owned()).collect())
        .collect()
}

fn words(cell: &str) -> BTreeSet<String> {
    cell.split([',', ' ']).map(str::trim).filter(|w| !w.is_empty() && *w != "–").map(str::to_owned).collect()
}

fn architecture() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

#[test]
fn modules_know_only_what_the_table_allows() {
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    let text = architecture();
    let rows = table(&text, "## Who may know whom");
    assert!(rows.len() >= 7, "the table of modules is missing rows");
    for row in &rows {
        let (module, own, outside) = (&row[0], words(&row[1]), words(&row[2]));
        seen.insert(module.clone());
        for (path, code) in files(&format!("src/{module}"), ".rs") {
            let code = code.split("#[cfg(test)]").next().unwrap();
            for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
                for (at, _) in line.match_indices("crate::") {
                    if at > 0 && line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                        continue;
                    }
                    let target: String =
                        line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if target != *module && !target.is_empty() && !own.contains(&target) {
                        broken.push(format!("{path}: {module} may not know {target}: {}", line.trim()));
                    }
                }
                let outsider =
                    ["burn", "egui", "eframe", "egui_plot", "rfd", "clap", "plotters", "tokenizers", "safetensors"]
                        .into_iter()
                        .find(|c| line.contains(&format!("{c}::")) && !line.contains(&format!("_{c}::")));
                if let Some(outsider) = outsider.filter(|c| !outside.contains(*c)) {
                    broken.push(format!("{path}: {module} may not know {outsider}: {}", line.trim()));
                }
            }
        }
    }
    for entry in fs::read_dir(root().join("src")).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(seen.contains(&name), "src/{name} is missing from the table in ARCHITECTURE.md");
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_dependency_table_lists_exactly_the_dependencies() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let names = |section: &str| manifest[section].as_table().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let declared: BTreeSet<_> = names("dependencies").union(&names("dev-dependencies")).cloned().collect();
    let text = architecture();
    let listed: BTreeSet<_> = table(&text, "## Dependencies").into_iter().flat_map(|row| words(&row[0])).collect();
    assert_eq!(declared, listed);
}

#[test]
fn one_version_of_what_must_be_shared() {
    // The lock file also names what optional backends of Burn would need and nobody builds, so `safetensors` is not asked.
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    for name in ["wgpu", "egui", "burn", "image", "half", "tokenizers"] {
        let versions: Vec<_> = lock["package"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["name"].as_str() == Some(name))
            .map(|p| p["version"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn files_are_short_and_say_what_they_are() {
    for folder in ["src", "tests"] {
        for (path, code) in files(folder, ".rs") {
            assert!(code.starts_with("//!"), "{path} does not begin with what it is");
            let lines = code.lines().count();
            assert!(lines <= 600, "{path} has {lines} lines: more than one idea?");
        }
    }
}

#[test]
fn colours_come_from_the_theme() {
    for (path, code) in files("src/ui", ".rs").into_iter().filter(|(p, _)| !p.contains("theme")) {
        let raw = [
            "Color32::from_rgb(",
            "Color32::from_rgba_premultiplied(",
            "Color32::RED",
            "Color32::GREEN",
            "Color32::BLUE",
            "Rgba::from_rgb(",
        ];
        for name in raw {
            assert!(!code.contains(name), "{path} names a colour of its own: {name}");
        }
    }
}

#[test]
fn shipped_models_have_a_card_and_no_path_of_a_machine() {
    for entry in fs::read_dir(root().join("models")).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir()) {
        for file in ["config.json", "model.safetensors", "MODEL_CARD.md"] {
            assert!(entry.path().join(file).is_file(), "{} has no {file}", entry.path().display());
        }
        let card = fs::read_to_string(entry.path().join("MODEL_CARD.md")).unwrap();
        for word in ["## Data", "## Recipe", "## Figures", "## Limits"] {
            assert!(card.contains(word), "{}: the card has no section {word:?}", entry.path().display());
        }
    }
}
