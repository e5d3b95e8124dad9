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

/// Names of the dependencies in a section of Cargo.toml, as code writes them.
fn crates(section: &str) -> BTreeSet<String> {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    manifest[section].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect()
}

/// The code of a file without its tests, comments and string literals: what `#[cfg(test)]` stands before is left out as a whole,
/// wherever it stands. The code is formatted, so an item with a body ends at the brace that is as far in as its beginning.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let end = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
            let mut in_attribute = true;
            for line in lines.by_ref() {
                in_attribute &= line.trim_start().starts_with("#[");
                if line == end || !in_attribute && line.ends_with([';', '}']) && !line.starts_with("    ") {
                    break;
                }
            }
        } else if !line.trim_start().starts_with("//") {
            let outside: String = line.split('"').step_by(2).collect();
            kept.push_str(&outside);
            kept.push('\n');
        }
    }
    kept
}

/// Names that stand before `::` at the beginning of a path, and after `crate::`.
fn named(code: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut first, mut own) = (BTreeSet::new(), BTreeSet::new());
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in code.match_indices("::") {
        let before = &code[..at];
        let name = &before[before.trim_end_matches(is_name).len()..];
        let lead = before.strip_suffix(name).unwrap();
        if name == "crate" && !lead.ends_with('$') {
            own.insert(code[at + 2..].chars().take_while(|c| is_name(*c)).collect());
        } else if !lead.ends_with("::") {
            first.insert(name.to_owned());
        }
    }
    // What `use crate::{…}` names stands after the brace.
    own.remove("");
    (first, own)
}

#[test]
fn modules_know_only_what_the_table_allows() {
    let (mut seen, mut broken) = (BTreeSet::new(), Vec::new());
    let dependencies = crates("dependencies");
    let rows = table(&architecture(), "## Who may know whom");
    assert!(rows.len() >= 7, "the table of modules is missing rows");
    for row in &rows {
        let (module, own, outside) = (&row[0], words(&row[1]), words(&row[2]));
        let outside: BTreeSet<String> = outside.into_iter().map(|name| name.replace('-', "_")).collect();
        seen.insert(module.clone());
        let (mut used_own, mut used_outside) = (BTreeSet::new(), BTreeSet::new());
        for (path, code) in files(&format!("src/{module}"), ".rs") {
            if path.ends_with("tests.rs") {
                continue;
            }
            let code = without_tests(&code);
            assert!(!code.contains("use crate::{"), "{path}: one line for each module of our own, please");
            let (first, inside) = named(&code);
            for name in inside.iter().filter(|name| *name != module) {
                if !own.contains(name) {
                    broken.push(format!("{path}: {module} may not know {name}"));
                }
                used_own.insert(name.clone());
            }
            for name in first.intersection(&dependencies) {
                if !outside.contains(name) {
                    broken.push(format!("{path}: {module} may not know {name}"));
                }
                used_outside.insert(name.clone());
            }
        }
        let unused = own.difference(&used_own).chain(outside.difference(&used_outside));
        broken.extend(unused.map(|name| format!("{module} knows nothing of {name}, which stands in its row")));
    }
    for entry in fs::read_dir(root().join("src")).unwrap().map(Result::unwrap).filter(|e| e.path().is_dir()) {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(seen.contains(&name), "src/{name} is missing from the table in ARCHITECTURE.md");
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn tests_are_left_out_wherever_they_stand() {
    let code = "use burn::a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod more;\nuse rayon::b;\n\
                #[cfg(test)]\nmod inside {\n    use egui::c;\n    fn f() {\n    }\n}\nlet x = crate::nn::f(serde::y);\n";
    let (first, own) = named(&without_tests(code));
    assert_eq!(first.into_iter().collect::<Vec<_>>(), ["burn", "rayon", "serde"]);
    assert_eq!(own.into_iter().collect::<Vec<_>>(), ["nn"]);
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
fn what_leaves_the_engine_is_true_without_a_window() {
    // Whoever names a part of the window also says what to write on the command line.
    let of_the_window = ["stays open", "button", "click", " menu", " panel", "status bar", "palette"];
    for (path, code) in files("src", ".rs") {
        if path.starts_with("src/ui") || path.ends_with("tests.rs") {
            continue;
        }
        let code = code.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for text in line.split('"').skip(1).step_by(2).filter(|text| text.contains(' ')) {
                let lower = text.to_lowercase();
                let named = of_the_window.iter().find(|word| lower.contains(*word));
                let also = text.contains("`fovea ") || text.contains("--");
                assert!(
                    named.is_none() || also,
                    "{path} names {:?}, which only the window has: {text}",
                    named.unwrap()
                );
            }
        }
    }
}

#[test]
fn the_licences_that_cargo_toml_names_stand_at_the_root() {
    let manifest: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let licence = manifest["package"]["license"].as_str().unwrap();
    for (id, words) in [("MIT", "The Fovea authors"), ("Apache-2.0", "Version 2.0, January 2004")] {
        assert!(licence.split(" OR ").any(|named| named == id), "{licence} does not offer {id}");
        let file = format!("LICENSE-{}", id.split('-').next().unwrap().to_uppercase());
        let text = fs::read_to_string(root().join(&file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(text.contains(words), "{file} is not the text of {id}");
        assert!(readme.contains(&format!("[{id}]({file})")), "README.md does not lead to {file}");
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
