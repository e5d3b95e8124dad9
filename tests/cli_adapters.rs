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

const CLASSIFIER: &str = "tests/golden/classifiers/distilbert";
const OF_CLASSES: &str = "tests/golden/adapters/classes-distilbert";

fn scores(model: &str, adapter: Option<&str>) -> Vec<f64> {
    let mut arguments = vec!["classify", "--model", model, "--text", "A charming film", "--json", "--device", "cpu"];
    arguments.extend(adapter.map(|adapter| ["--adapter", adapter]).into_iter().flatten());
    let output = fovea(&arguments);
    assert!(output.status.success(), "{}", said(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["texts"][0]["scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect()
}

#[test]
fn classifiers_and_encoders_have_adapters_and_are_merged() {
    let with = scores(CLASSIFIER, Some(OF_CLASSES));
    assert_ne!(with, scores(CLASSIFIER, None));
    let scratch = tempfile::tempdir().unwrap();
    let folder = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let merge = |model: &str, adapter: &str, out: &str| {
        let output = fovea(&["merge", "--model", model, "--adapter", adapter, "--out", out]);
        assert!(output.status.success(), "{}", said(&output));
    };
    merge(CLASSIFIER, OF_CLASSES, &folder("classes"));
    let merged = scores(&folder("classes"), None);
    assert!(merged.iter().zip(&with).all(|(a, b)| (a - b).abs() < 1e-6), "{merged:?} {with:?}");
    merge("tests/golden/bert", "tests/golden/adapters/bert", &folder("bert"));
    let output = fovea(&["fill", "--model", &folder("bert"), "--prompt", "a [MASK]", "--device", "cpu"]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_head_for_classes_is_learned_with_an_adapter_and_measured_on_the_test_part() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("letters.csv");
    let row = |i: usize| {
        let (word, label) = [("abab", "low"), ("xyxy", "high")][i % 2];
        let letter = char::from(b'a' + (i / 8) as u8);
        format!("{}{letter},{label}\n", word.repeat(1 + i % 4))
    };
    std::fs::write(&data, format!("text,label\n{}", (0..80).map(row).collect::<String>())).unwrap();
    let (out, recipe) = (scratch.path().join("out"), scratch.path().join("recipe.toml"));
    let words = format!(
        "learning_rate = 0.02\nbatch_size = 8\nsteps = 40\neval_every = 10\nvalidation_share = 0.2\nout = {out:?}\n\
         [start]\nfrom = \"folder\"\npath = \"tests/golden/llama\"\n[task]\nkind = \"classify\"\ndata = {data:?}\n\
         [lora]\nrank = 2\ntargets = [\"all-linear\"]\n"
    );
    std::fs::write(&recipe, words).unwrap();
    let output = fovea(&["train", recipe.to_str().unwrap(), "--device", "cpu"]);
    assert!(output.status.success(), "{}", said(&output));
    let (out, data) = (out.to_str().unwrap(), data.to_str().unwrap());
    let given = ["--model", "tests/golden/llama", "--adapter", out, "--data", data, "--device", "cpu", "--json"];
    let evaluated = fovea(&[&["evaluate"][..], &given, &["--split", "test"]].concat());
    assert!(evaluated.status.success(), "{}", said(&evaluated));
    let report: serde_json::Value = serde_json::from_slice(&evaluated.stdout).unwrap();
    assert!(report["accuracy"].as_f64().unwrap() > 0.9 && report["examples"] == 8, "{report}");
    let words = said(&evaluated);
    assert!(words.contains("its head is its own, for the classes high, low"), "{words}");
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
