//! Adapters on the command line: put on a model, told of, refused, and merged.

use std::process::{Command, Output};

fn fovea(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const MODEL: &str = "tests/golden/llama";
const ADAPTER: &str = "tests/golden/adapters/llama-varied";

fn surprise(model: &str, adapter: Option<&str>) -> String {
    let mut arguments = vec!["surprise", "--model", model, "--text", "Box", "--json", "--device", "cpu"];
    arguments.extend(adapter.map(|adapter| ["--adapter", adapter]).into_iter().flatten());
    let output = fovea(&arguments);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_adapter_is_told_and_its_factor_counts() {
    let output = fovea(&[
        "generate",
        "--model",
        MODEL,
        "--adapter",
        ADAPTER,
        "--prompt",
        "a",
        "--max-new-tokens",
        "1",
        "--device",
        "cpu",
    ]);
    let words = said(&output);
    assert!(output.status.success(), "{words}");
    assert!(words.contains("adapter llama-varied: applied 28 of 28 tensors; rank 2, alpha 4"), "{words}");
    let (base, half, whole) =
        (surprise(MODEL, None), surprise(MODEL, Some(&format!("{ADAPTER}=0.5"))), surprise(MODEL, Some(ADAPTER)));
    assert!(base != whole && half != whole && half != base);
    assert_eq!(surprise(MODEL, Some(&format!("{ADAPTER}=1"))), whole);
    assert_eq!(surprise(MODEL, Some(&format!("{ADAPTER}=0"))), base);
    let identity = fovea(&[
        "surprise",
        "--model",
        MODEL,
        "--adapter",
        "tests/golden/adapters/llama-identity",
        "--text",
        "a",
        "--device",
        "cpu",
    ]);
    assert!(said(&identity).contains("its change is zero throughout"), "{}", said(&identity));
}

#[test]
fn what_does_not_fit_is_refused() {
    for (adapter, words) in [
        ("tests/golden/adapters/gpt2-stabilised", "c_attn.lora_A.weight` belongs to no part of the model"),
        ("tests/golden/llama", "There is no adapter tests/golden/llama"),
        ("tests/golden/adapters/llama-varied=much", "cannot be read: \"much\""),
        ("tests/golden/adapters/llama-varied=3", "cannot be used 3 times"),
    ] {
        let output = fovea(&["surprise", "--model", MODEL, "--adapter", adapter, "--text", "a", "--device", "cpu"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
}

#[test]
fn a_merged_model_says_what_the_base_says_with_the_adapter() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("merged");
    let out = out.to_str().unwrap();
    let merge = |out: &str| fovea(&["merge", "--model", MODEL, "--adapter", ADAPTER, "--out", out]);
    let output = merge(out);
    assert!(output.status.success(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("in F32"));
    let (merged, with) = (surprise(out, None), surprise(MODEL, Some(ADAPTER)));
    // The same numbers, but for the name of the model.
    let numbers = |text: &str| text.replace("merged", "llama");
    assert_eq!(numbers(&merged), numbers(&with));
    // What is there is not written over, the base least of all.
    let copy = scratch.path().join("base");
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(MODEL).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let copy = copy.to_str().unwrap();
    for taken in [copy, ADAPTER] {
        let output = fovea(&["merge", "--model", copy, "--adapter", ADAPTER, "--out", taken]);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains("holds a model or an adapter"), "{}", said(&output));
    }
    assert_eq!(surprise(copy, None), surprise(MODEL, None));
}
