//! GGUF on the command line: the real binary converts, describes and prompts files, and finds those of other programs by name.

mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use support::root;

/// The binary, with a home of its own and nothing of the person who runs the tests.
fn fovea(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env("HOME", home).env("FOVEA_STATE_DIR", home.join("state")).args(arguments);
    for name in ["RUST_LOG", "FOVEA_MODELS", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS"] {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&text(output)).unwrap()
}

#[test]
fn a_converted_file_is_described_and_writes_what_its_folder_does() {
    let home = tempfile::tempdir().unwrap();
    let place = |name: &str| home.path().join(name).display().to_string();
    let run = |arguments: &[&str]| fovea(home.path(), arguments);
    let (file, small, back) = (place("sprout.gguf"), place("small.gguf"), place("back"));
    let told = text(&run(&["convert", "sprout", &file]));
    assert!(told.contains("sprout.gguf") && told.contains("F16"), "{told}");
    let written = json(&run(&["convert", "sprout", &small, "--type", "q8_0", "--json"]));
    assert_eq!(written["bytes"], fs::metadata(&small).unwrap().len());
    text(&run(&["convert", &file, &back]));

    let card = json(&run(&["card", "--model", &small, "--json", "--tensors"]));
    assert_eq!((&card["architecture"], &card["types"][0]["name"]), (&"Llama".into(), &"Q8_0".into()));
    let stored: u64 = card["tensors"].as_array().unwrap().iter().map(|t| t["bytes"].as_u64().unwrap()).sum();
    let shared: u64 = card["types"].as_array().unwrap().iter().map(|t| t["bytes"].as_u64().unwrap()).sum();
    assert_eq!(stored, shared);

    let generate = |model: &str| {
        let words = ["--prompt", "The cat sat on the", "--max-new-tokens", "12", "--temperature", "0"];
        text(&run(&[&["generate", "--device", "cpu", "--model", model][..], &words].concat()))
    };
    let expected = generate("models/sprout");
    assert_eq!(generate(&file), expected);
    assert_eq!(generate(&back), expected);
    assert!(!generate(&small).is_empty());

    let refused = run(&["convert", "sprout", &file]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is there already"));
    let refused = run(&["convert", "sprout", &place("x"), "--type", "q8_0"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("f32 and f16"));
}

#[test]
fn models_of_other_programs_are_listed_and_opened_by_their_names() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".lmstudio/models/ada/tiny-GGUF");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(root().join("tests/golden/gguf/llama.gguf"), folder.join("tiny-studio.gguf")).unwrap();
    let ollama = home.path().join(".ollama/models");
    let (manifest, hash) = (ollama.join("manifests/registry.ollama.ai/library/tiny/latest"), "0".repeat(64));
    fs::create_dir_all(manifest.parent().unwrap()).unwrap();
    fs::create_dir_all(ollama.join("blobs")).unwrap();
    fs::copy(root().join("tests/golden/gguf/qwen3.gguf"), ollama.join(format!("blobs/sha256-{hash}"))).unwrap();
    let layers =
        format!(r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{hash}"}}]}}"#);
    fs::write(&manifest, layers).unwrap();

    let listed = text(&fovea(home.path(), &["models"]));
    assert!(listed.contains("tiny-studio (LM Studio)") && listed.contains("tiny:latest (ollama)"), "{listed}");
    let programs = json(&fovea(home.path(), &["models", "--json"]))["programs"].clone();
    assert_eq!(programs[1]["card"]["architecture"], "Qwen3", "{programs}");
    for (name, architecture) in [("tiny-studio", "Llama"), ("tiny", "Qwen3"), ("tiny:latest", "Qwen3")] {
        let card = json(&fovea(home.path(), &["card", "--model", name, "--json"]));
        assert_eq!(card["architecture"], architecture, "{name}");
    }
    let none = fovea(home.path(), &["card", "--model", "tiny:2b"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("LM Studio or ollama"));
}
