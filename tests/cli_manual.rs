//! Completions and manual pages, as the real binary writes them.

mod support;

use std::io::Write;
use std::process::{Command, Output, Stdio};
use support::root;

fn fovea(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fovea")).current_dir(root()).args(arguments).output().unwrap()
}

#[test]
#[cfg(unix)]
fn bash_accepts_its_completions() {
    let output = fovea(&["completions", "bash"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(&output.stdout).unwrap();
    let checked = bash.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(checked.stderr.is_empty(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn a_shell_that_is_none_is_refused_with_those_there_are() {
    let output = fovea(&["completions", "cmd"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("powershell") && message.contains("fish"), "{message}");
}

#[test]
fn the_folder_of_pages_is_made_and_holds_what_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("share/man1");
    let output = fovea(&["man", "--dir", dir.to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty());
    let printed = fovea(&["man"]);
    assert_eq!(std::fs::read(dir.join("fovea.1")).unwrap(), printed.stdout);
    let train = std::fs::read_to_string(dir.join("fovea-train.1")).unwrap();
    assert!(train.contains("A recipe that comes with Fovea") && train.contains("\\-\\-preset"), "{train}");
}
