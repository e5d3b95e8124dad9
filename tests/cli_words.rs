//! What commands write to standard error: their own words, true on the command line.

mod support;

use std::fs;
use std::process::Command;
use support::root;

fn fovea() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command
}

#[test]
fn a_command_without_a_desktop_says_nothing_but_its_own_words() {
    // As under cron, in a container or over ssh. The device is chosen, for which graphics drivers are asked.
    for runtime in [None, Some("no/absolute/path")] {
        let mut command = fovea();
        command.env_remove("XDG_RUNTIME_DIR").env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
        command.envs(runtime.map(|path| ("XDG_RUNTIME_DIR", path)));
        let arguments = ["generate", "--model", "sprout", "--max-new-tokens", "1", "--prompt", "two  words\n"];
        let output = command.args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.starts_with("1 tokens after a prompt of") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told_in_words_for_the_command_line() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let text = root().join("tests/golden/older/sums.txt");
    let recipe = root().join("tests/golden/older/text.toml");
    let mut command = fovea();
    command.args(["train", "--device", "cpu"]).arg(recipe).arg("--data").arg(text).arg("--out").arg(file.join("net"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("Nothing can be written to") && said.contains("on a disk with room"), "{said}");
    assert!(!said.contains("stays open"), "{said}");
}
