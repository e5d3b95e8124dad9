//! Runs that an earlier program began are taken up where it left them.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use support::root;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Step, loss and validation loss of every line of a learning curve.
fn curve(path: &Path) -> Vec<(usize, f64, Option<f64>)> {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0].parse().unwrap(), fields[2].parse().unwrap(), fields[4].parse().ok())
    };
    text.lines().skip(1).map(line).collect()
}

fn taken_up(run: &str) {
    let before = root().join("tests/golden/older");
    let dir = tempfile::tempdir().unwrap();
    copy(&before, dir.path());
    let (recipe, out) = (format!("{run}.toml"), format!("out-{run}"));
    let trained = Command::new(env!("CARGO_BIN_EXE_fovea"))
        .current_dir(dir.path())
        .args(["train", &recipe, "--out", &out, "--device", "cpu"])
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    let out = dir.path().join(out);
    assert!(!out.join("checkpoint").exists(), "the run is at its end");

    let (ours, expected) = (curve(&out.join("training-log.csv")), curve(&before.join(format!("expected-{run}.csv"))));
    let kept = curve(&before.join(format!("out-{run}/training-log.csv")));
    assert_eq!((kept.len(), ours.len()), (24, expected.len()), "the curve of before the checkpoint goes on");
    assert_eq!(ours[..24], kept);
    let (first, last) = (expected[24].1, expected[47].1);
    assert!((first - last).abs() > 0.05, "the second half learns too little to tell: {first} to {last}");
    for (ours, expected) in ours.iter().zip(&expected) {
        assert_eq!((ours.0, ours.2.is_some()), (expected.0, expected.2.is_some()));
        // Other processors add up in another order.
        let far = |ours: f64, expected: f64| (ours - expected).abs() > 1e-4;
        assert!(!far(ours.1, expected.1), "step {}: {} instead of {}", ours.0, ours.1, expected.1);
        assert!(!far(ours.2.unwrap_or(0.0), expected.2.unwrap_or(0.0)), "step {}: validation", ours.0);
    }
}

#[test]
fn a_text_run_with_numbered_weights_goes_on() {
    taken_up("text");
}

#[test]
fn a_few_shot_run_with_settings_of_embeddings_goes_on() {
    taken_up("few-shot");
}

#[test]
fn a_run_of_other_settings_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    copy(&root().join("tests/golden/older"), dir.path());
    let recipe = dir.path().join("few-shot.toml");
    let text = fs::read_to_string(&recipe).unwrap();
    fs::write(&recipe, text.replace("fixed_codes = 2", "fixed_codes = 3")).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_fovea"))
        .current_dir(dir.path())
        .args(["train", "few-shot.toml", "--out", "out-few-shot", "--device", "cpu"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another run"), "{refused:?}");
    assert!(dir.path().join("out-few-shot/checkpoint/run.json").is_file(), "the checkpoint stays");
}
