//! `fovea sweep`, `fovea patch` and `fovea fit-lens`: the real binary, its tables, its JSON and its files, and what it says where there is
//! nothing to find.

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::root;

fn fovea(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.args(arguments).args(["--device", "cpu"]).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = fovea(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn failure(arguments: &[&str]) -> String {
    let output = fovea(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty() && message.contains("\n  why: ") && message.contains("\n  next: "), "{message}");
    message
}

const SWEEP: [&str; 5] = ["sweep", "--model", "models/sprout", "--prompt", "Once upon a time there was a"];
const PATCH: [&str; 7] =
    ["patch", "--model", "models/sprout", "--source", "The dog sat on the", "--destination", "The cat sat on the"];

fn with<'a>(begin: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    begin.iter().chain(more).copied().collect()
}

#[test]
fn a_sweep_lists_parts_and_its_edits_give_what_it_says() {
    let table = text(&with(&SWEEP, &["--top", "3"]));
    assert!(table.contains("Each head, and each MLP, writes nothing") && table.contains("and 17 others"), "{table}");
    let json: Value = serde_json::from_str(&text(&with(&SWEEP, &["--json"]))).unwrap();
    let parts = json["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 4 * (4 + 1));
    let most = |of: &&Value| (of["log_prob_change"].as_f64().unwrap().abs() * 1e9) as u64;
    let largest = parts.iter().max_by_key(most).unwrap();
    assert!(table.contains(largest["part"].as_str().unwrap()), "{table}");
    // The same edit, asked for by hand.
    let target = json["target"].as_str().unwrap();
    let score = ["score", "--model", "models/sprout", "--prompt", SWEEP[4], "--json", "--candidate", target];
    let log_prob = |more: &[&str]| -> f64 {
        let json: Value = serde_json::from_str(&text(&with(&score, more))).unwrap();
        json["candidates"][0]["log_prob"].as_f64().unwrap()
    };
    let (own, without) = (log_prob(&[]), log_prob(&["--edit", largest["edit"].as_str().unwrap()]));
    assert!((own - json["log_prob"].as_f64().unwrap()).abs() < 1e-4, "{own}");
    let change = largest["log_prob_change"].as_f64().unwrap();
    assert!((without - own - change).abs() < 1e-4, "{without} - {own} is not {change}");
}

#[test]
fn maps_are_written_as_pictures_tables_and_arrays() {
    let dir = tempfile::tempdir().unwrap();
    let written = |begin: &[&str], name: &str| {
        let path = dir.path().join(name);
        let output = fovea(&with(begin, &["--out", path.to_str().unwrap()]));
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(path).unwrap()
    };
    let svg = String::from_utf8(written(&SWEEP, "sweep.svg")).unwrap();
    assert!(svg.contains("sprout, each part removed by itself") && svg.contains("\nlayer 3\n"), "{svg}");
    assert_eq!(String::from_utf8(written(&SWEEP, "sweep.csv")).unwrap().lines().count(), 1 + 20);
    assert!(written(&SWEEP, "sweep.npz").starts_with(b"PK"));
    let patch = with(&PATCH, &["--answer", " bed", "--against", " mat"]);
    assert!(written(&patch, "patch.png").starts_with(b"\x89PNG"));
    let arrays = written(&with(&patch, &["--site", "v", "--by", "head"]), "patch.safetensors");
    let arrays = safetensors::SafeTensors::deserialize(&arrays).unwrap();
    assert_eq!(arrays.tensor("measured").unwrap().shape(), [4, 2], "by key-value head");
    assert!(failure(&with(&SWEEP, &["--out", "sweep.pdf"])).contains("no ending that says what to write"));
}

#[test]
fn patching_prints_both_ends_and_checks_its_estimate() {
    let patch = with(&PATCH, &["--answer", " bed", "--against", " mat"]);
    let table = text(&with(&patch, &["--check", "5"]));
    assert!(table.contains("in the destination (0) and ") && table.contains("in the source (1)"), "{table}");
    assert!(table.contains("Over 5 cells that were measured, the estimate correlates with "), "{table}");
    let json: Value = serde_json::from_str(&text(&with(&patch, &["--json"]))).unwrap();
    let cells = json["cells"].as_array().unwrap();
    assert_eq!((cells.len(), json["site"].as_str()), (4, Some("resid_pre")));
    // Up to the word that differs both prompts are the same.
    let first = cells[0].as_array().unwrap();
    assert!(first[0]["idle"] == true && first[0]["measured"] == 0.0, "{first:?}");
    // The stream at the word that differs, before the first block, is all there is to tell them apart.
    let differs = first.iter().filter(|cell| cell["idle"] != true).collect::<Vec<_>>();
    assert_eq!(differs.len(), 1);
    assert!((differs[0]["measured"].as_f64().unwrap() - 1.0).abs() < 1e-4, "{differs:?}");
}

#[test]
fn what_cannot_be_found_says_why() {
    assert!(failure(&with(&SWEEP, &["--edit", "blocks.9.attn.z = zero"])).contains("blocks.9.attn.z"));
    assert!(failure(&with(&SWEEP, &["--position", "99"])).contains("no position 99"));
    assert!(failure(&with(&PATCH, &["--by", "head"])).contains("resid_pre has no heads"));
    let longer = ["patch", "--model", "models/sprout", "--source", "The dog", "--destination", "The cat sat on"];
    assert!(failure(&longer).contains("tokens."));
    let same = ["patch", "--model", "models/sprout", "--source", "The cat", "--destination", "The cat"];
    assert!(failure(&same).contains("Both prompts have the answer"));
    let output = fovea(&with(&PATCH, &["--site", "nowhere"]));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is none of resid_pre"));
}

#[test]
fn a_lens_is_fitted_into_a_file_and_read_through() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sprout.safetensors");
    let file = path.to_str().unwrap();
    let fit = ["fit-lens", "--model", "models/sprout", "--passages", "2", "--tokens", "24"];
    let output = fovea(&with(&fit, &["--out", file]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("fitted on 2 passages of 24 tokens"), "{said}");
    let lens = ["lens", "--model", "models/sprout", "--prompt", "The cat sat on the"];
    let plain = text(&lens);
    let through = text(&with(&lens, &["--lens", file]));
    let rows = |table: &str| table.lines().skip(2).take(5).map(str::to_owned).collect::<Vec<_>>();
    let (plain, through) = (rows(&plain), rows(&through));
    assert_eq!((&plain[0], &plain[4]), (&through[0], &through[4]), "what has no lens");
    assert_ne!(plain[1], through[1]);
    assert!(failure(&with(&fit, &["--out", "lens.npz"])).contains("no name for a lens"));
    let other = ["lens", "--model", "models/seedling", "--prompt", "The cat", "--lens", file];
    assert!(failure(&other).contains("does not fit seedling"));
}
