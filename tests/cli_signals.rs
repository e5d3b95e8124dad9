//! What ends a program from outside ends `fovea train` with a checkpoint, and the same command comes to the same weights.

#![cfg(unix)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use support::root;

/// Long enough that a signal after the first line of progress comes far before the end.
const STEPS: usize = 800;

/// A folder with the recipe of a tiny model and the text it learns from.
fn recipe() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(root().join("tests/golden/older/text.toml")).unwrap();
    // Slow enough that the best weights, which are those that are saved, are the last.
    let longer = text.replace("learning_rate = 0.01", "learning_rate = 0.0003");
    let longer = longer.replace("steps = 48", &format!("steps = {STEPS}")).replace("eval_every = 8", "eval_every = 20");
    fs::write(dir.path().join("text.toml"), longer).unwrap();
    fs::copy(root().join("tests/golden/older/sums.txt"), dir.path().join("sums.txt")).unwrap();
    dir
}

fn train(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(dir).args(["train", "text.toml", "--out", "out", "--device", "cpu"]).env_remove("RUST_LOG");
    command
}

/// Every line of the learning curve without the time that had passed.
fn curve(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join("out/training-log.csv")).unwrap();
    text.lines().map(|line| line.split(',').enumerate().filter(|(at, _)| *at != 1).map(|(_, f)| f).collect()).collect()
}

fn weights(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("out/model.safetensors")).unwrap()
}

#[test]
fn a_run_ended_by_any_signal_resumes_to_the_same_bytes() {
    let whole = recipe();
    let output = train(whole.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (expected, expected_curve) = (weights(whole.path()), curve(whole.path()));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains(&format!("at step {STEPS}")),
        "the best weights are the last"
    );
    assert_eq!(expected_curve.len(), 1 + STEPS);

    for signal in ["INT", "TERM", "HUP"] {
        let dir = recipe();
        let mut child = train(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("validation loss"), "{signal}: {first}");
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        // As shells have it after Ctrl-C, whichever signal it was.
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}: {rest:?}");
        let stopped = rest.last().unwrap();
        assert!(stopped.contains(&format!("of {STEPS}; the same command goes on from there")), "{signal}: {stopped}");
        let step: usize = stopped.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
        assert!((20..STEPS).contains(&step), "{signal}: {stopped}");
        assert!(dir.path().join("out/checkpoint").is_dir(), "{signal}: no checkpoint");
        assert!(weights(dir.path()) != expected, "{signal}: nothing is left to learn after step {step}");

        let resumed = train(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&resumed.stderr);
        assert!(resumed.status.success(), "{signal}: {said}");
        assert!(said.contains(&format!("step {step} is done")), "{signal}: {said}");
        assert!(weights(dir.path()) == expected, "after {signal} at step {step} the weights are others");
        assert_eq!(curve(dir.path()), expected_curve, "after {signal} at step {step}");
    }
}
