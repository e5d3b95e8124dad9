//! `fovea models`, `fetch` and `card`: the real binary, a hub on loopback and a cache of its own.

#[path = "support/hub_server.rs"]
mod hub_server;
mod support;

use fovea::types::is_unprintable;
use hub_server::{Fault, HubServer};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::root;

const PATIENCE: Duration = Duration::from_secs(60);

/// The binary with this cache and this hub, and nothing of the person who runs the tests.
fn fovea(home: &Path, endpoint: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command
        .current_dir(root())
        .env("HF_HOME", home)
        .env("HF_ENDPOINT", endpoint)
        .env("FOVEA_STATE_DIR", home.join("state"));
    for name in [
        "RUST_LOG",
        "FOVEA_MODELS",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
    ] {
        command.env_remove(name);
    }
    command
}

fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failure(output: &Output) -> String {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("error: ") && message.contains("\n  why: ") && message.contains("\n  next: "),
        "{message}"
    );
    message
}

fn served() -> HubServer {
    let server = HubServer::start();
    server.add_folder("ada/tiny", &root().join("tests/golden/llama"));
    server
}

#[test]
fn a_fetched_model_is_listed_described_and_prompted_by_its_name() {
    let (server, home) = (served(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str]| fovea(home.path(), &server.endpoint()).args(arguments).output().unwrap();
    let path = PathBuf::from(text(&run(&["fetch", "ada/tiny"])).trim_end());
    assert!(path.starts_with(home.path().join("hub/models--ada--tiny/snapshots")));

    let models: Value = serde_json::from_str(&text(&run(&["models", "--json"]))).unwrap();
    let cached = models["cached"].as_array().unwrap();
    assert_eq!(cached.len(), 1);
    assert_eq!((cached[0]["name"].as_str(), cached[0]["complete"].as_bool()), (Some("ada/tiny"), Some(true)));
    assert_eq!(cached[0]["card"]["architecture"], "Llama");
    let shipped: Vec<_> = models["shipped"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(shipped, ["clover", "digits-cnn", "digits-mlp", "seedling", "sprout"]);
    let plain = text(&run(&["models"]));
    assert!(plain.contains("ada/tiny") && plain.contains("LlamaForCausalLM"), "{plain}");

    let card: Value =
        serde_json::from_str(&text(&run(&["card", "--model", "ada/tiny", "--json", "--tensors"]))).unwrap();
    assert_eq!(card["name"], "ada/tiny");
    let stored: u64 = card["tensors"].as_array().unwrap().iter().map(|t| t["bytes"].as_u64().unwrap()).sum();
    assert_eq!(card["weight_bytes_f16"], stored, "all of it is in half precision");
    assert_eq!(card["parameters"].as_u64().unwrap() * 2, stored);

    // By its name it is the same model as by its folder.
    let generate = |model: &str| {
        text(&run(&["generate", "--device", "cpu", "--model", model, "--prompt", "abc", "--max-new-tokens", "5"]))
    };
    assert_eq!(generate("ada/tiny"), generate("tests/golden/llama"));
}

#[test]
fn ctrl_c_stops_and_the_same_command_goes_on() {
    let (server, home) = (served(), tempfile::tempdir().unwrap());
    server.fault("model.safetensors", Fault::Stall);
    let command = || {
        let mut command = fovea(home.path(), &server.endpoint());
        command.args(["fetch", "ada/tiny"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let child = command().spawn().unwrap();
    let blobs = home.path().join("hub/models--ada--tiny/blobs");
    let part = || {
        let entries = fs::read_dir(&blobs).ok()?.flatten();
        let parts = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "incomplete"));
        parts.filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).find(|length| *length > 0)
    };
    let begun = Instant::now();
    // Small files come whole; the one that stalls is the one whose beginning stays.
    let mut seen = None;
    while seen.is_none() || part() != seen {
        assert!(begun.elapsed() < PATIENCE, "nothing came");
        seen = part();
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("`fovea fetch ada/tiny` goes on"), "{message}");
    let kept = part().unwrap();
    let listed = text(&fovea(home.path(), &server.endpoint()).arg("models").output().unwrap());
    assert!(listed.contains("not whole"), "{listed}");

    server.heal();
    text(&command().output().unwrap());
    assert_eq!(server.ranges("model.safetensors").last().unwrap(), &format!("bytes={kept}-"));
}

#[test]
fn mistakes_are_told_in_plain_words() {
    let (server, home) = (served(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str]| failure(&fovea(home.path(), &server.endpoint()).args(arguments).output().unwrap());
    assert!(run(&["fetch", "tiny"]).contains("owner/name"));
    assert!(run(&["fetch", "ada/tinny"]).contains("misspelt"));
    assert!(run(&["card", "--model", "ada/none"]).contains("`fovea fetch OWNER/NAME`"));
    let message = failure(&fovea(home.path(), "http://127.0.0.1:1").args(["fetch", "ada/tiny"]).output().unwrap());
    assert!(message.contains("offline"), "{message}");
}

/// A tokenizer, a licence and tensors with names that a terminal would obey.
fn hostile(dir: &Path) {
    let evil = "x\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}y\nz";
    let golden = root().join("tests/golden/llama");
    let mut config: Value = serde_json::from_slice(&fs::read(golden.join("config.json")).unwrap()).unwrap();
    config["architectures"] = serde_json::json!([evil]);
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    fs::write(dir.join("README.md"), format!("---\nlicense: {}\n---\n", evil.replace('\n', ""))).unwrap();
    let header = serde_json::json!({ evil: { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } }).to_string();
    let length = (header.len() as u64).to_le_bytes();
    fs::write(dir.join("model.safetensors"), [&length[..], header.as_bytes(), &[0; 4]].concat()).unwrap();
    #[cfg(unix)]
    fs::write(dir.join("a\u{1b}[2J\nb"), "x").unwrap();
}

#[test]
fn names_from_files_do_nothing_to_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let snapshot = home.path().join("hub/models--ada--\u{1b}[2J/snapshots/c");
    fs::create_dir_all(&snapshot).unwrap();
    hostile(&snapshot);
    let folder = snapshot.to_str().unwrap();
    let commands: [&[&str]; 6] = [
        &["models"],
        &["models", "--json"],
        &["card", "--model", folder, "--tensors"],
        &["card", "--model", folder, "--tensors", "--json"],
        &["generate", "--device", "cpu", "--model", folder, "--prompt", "a"],
        &["fetch", "a\u{1b}[2J/b"],
    ];
    for arguments in commands {
        let output = fovea(home.path(), "http://127.0.0.1:1").args(arguments).output().unwrap();
        for (stream, bytes) in [("out", &output.stdout), ("err", &output.stderr)] {
            let said = std::str::from_utf8(bytes).unwrap();
            assert!(!said.contains(|c| is_unprintable(c) && c != '\n'), "{arguments:?} {stream}: {said:?}");
        }
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty());
    }
}

#[test]
fn the_token_stands_in_no_log() {
    // Whatever sixteen bytes of it a dump shows, in letters or in hexadecimal, this is among them.
    let (token, letters, numbers) = (format!("hf_{}", "QZ".repeat(30)), "QZQZ", ["515a 515a", "5a51 5a51", "515a515a"]);
    for wanted in ["trace", "trace,ureq_proto::util=trace,ureq::run=trace"] {
        let (server, home) = (served(), tempfile::tempdir().unwrap());
        let mut command = fovea(home.path(), &server.endpoint());
        let output =
            command.args(["fetch", "ada/tiny"]).env("HF_TOKEN", &token).env("RUST_LOG", wanted).output().unwrap();
        text(&output);
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains("HEADERS ARE REDACTED"), "requests are logged: {log}");
        assert!(!log.contains(letters) && !numbers.iter().any(|part| log.contains(part)), "{wanted}");
        assert!(server.requests().iter().any(|r| r.headers.get("authorization").is_some_and(|a| a.contains(&token))));
    }
}

#[test]
fn the_card_of_the_shipped_model_is_a_table() {
    let home = tempfile::tempdir().unwrap();
    let card = text(
        &fovea(home.path(), "http://127.0.0.1:1").args(["card", "--model", "sprout", "--tensors"]).output().unwrap(),
    );
    for line in
        ["LlamaForCausalLM", "1000576 (1.00 M)", "4, 2 key-value", "4.00 MB", "model.embed_tokens.weight", "2048×128"]
    {
        assert!(card.contains(line), "{line:?} is missing from\n{card}");
    }
}
