//! The list of licences that is handed on is that of the crates that are built.

mod support;

use fovea::types::components;
use std::collections::BTreeSet;
use std::fs;
use support::root;

/// What to do when the list is behind Cargo.lock.
const COMMAND: &str = "run `cargo about generate --frozen --fail -c assets/licences/about.toml --format json | python3 \
                       assets/licences/make.py > assets/licences/crates.json`";

fn table(file: &str) -> toml::Table {
    fs::read_to_string(root().join(file)).unwrap().parse().unwrap()
}

/// Names and versions of all packages in Cargo.lock that come from elsewhere.
fn locked() -> BTreeSet<(String, String)> {
    let lock = table("Cargo.lock");
    let text = |package: &toml::Value, key: &str| package[key].as_str().unwrap().to_owned();
    let packages = lock["package"].as_array().unwrap().iter().filter(|package| package.get("source").is_some());
    packages.map(|package| (text(package, "name"), text(package, "version"))).collect()
}

fn listed() -> BTreeSet<(String, String)> {
    let crates = components().iter().filter(|part| part.is_crate);
    crates.map(|part| (part.name.clone(), part.version.clone())).collect()
}

#[test]
fn the_list_is_of_the_crates_that_are_locked() {
    let list: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(root().join("assets/licences/crates.json")).unwrap()).unwrap();
    let others = list["others"].as_array().unwrap().iter().map(|other| {
        let (name, version) = other.as_str().unwrap().split_once(' ').unwrap();
        (name.to_owned(), version.to_owned())
    });
    let known: BTreeSet<_> = listed().into_iter().chain(others).collect();
    let differ: Vec<_> = known.symmetric_difference(&locked()).cloned().collect();
    assert!(differ.is_empty(), "in Cargo.lock or in the list, but not in both: {differ:?}; {COMMAND}");
}

#[test]
fn every_dependency_is_listed_in_its_locked_version() {
    let (listed, locked) = (listed(), locked());
    let manifest = table("Cargo.toml");
    let missing: Vec<_> = manifest["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .filter(|name| !locked.iter().any(|found| found.0 == **name && listed.contains(found)))
        .collect();
    assert!(missing.is_empty(), "without a licence in the list: {missing:?}; {COMMAND}");
}
