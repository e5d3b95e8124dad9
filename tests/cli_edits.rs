//! `--edit` on the command line: what is changed, that it is told, and what is refused.

mod support;

use safetensors::SafeTensors;
use serde_json::Value;
use std::process::{Command, Output};
use support::root;

fn fovea(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.args(arguments).args(["--device", "cpu"]).output().unwrap()
}

/// What a command that succeeds writes to standard output and to the other.
fn both(arguments: &[&str]) -> [String; 2] {
    let output = fovea(arguments);
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", texts[1]);
    texts
}

fn json(arguments: &[&str]) -> Value {
    let [text, _] = both(arguments);
    serde_json::from_str(text.lines().next_back().unwrap()).unwrap()
}

const EDIT: &str = "blocks.1.attn.z[0] = zero";
const SCORE: [&str; 7] = ["score", "--model", "seedling", "--prompt", "big = small\nhot =", "--candidate", " cold"];

#[test]
fn a_head_of_the_shipped_model_is_silenced_while_it_scores() {
    let log_prob = |report: &Value| report["candidates"][0]["log_prob"].as_f64().unwrap();
    let clean = json(&[&SCORE[..], &["--json"]].concat());
    let edited = json(&[&SCORE[..], &["--json", "--edit", EDIT]].concat());
    assert!((log_prob(&clean) - log_prob(&edited)).abs() > 1e-3, "{clean} and {edited}");
    assert_eq!((&clean["edits"], &edited["edits"]), (&Value::Null, &serde_json::json!([EDIT])));
    // Doubled and halved again, the same head says what it said.
    let twice = ["blocks.1.attn.z[0] = scale 2", "blocks.1.attn.z[0] = scale 0.5"];
    let same = json(&[&SCORE[..], &["--json", "--edit", twice[0], "--edit", twice[1]]].concat());
    assert!((log_prob(&clean) - log_prob(&same)).abs() < 1e-5);
    let [_, told] = both(&[&SCORE[..], &["--edit", EDIT]].concat());
    assert!(told.contains(&format!("with {EDIT}\n")), "{told}");
}

#[test]
fn what_is_captured_under_an_edit_is_what_it_made() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("sites.safetensors").display().to_string();
    let edits = ["--edit", "blocks.0.attn.z[1..2]@1 = zero", "--edit", "blocks.1.attn.pattern@>0 = zero"];
    let ask = ["inspect", "--model", "sprout", "--prompt", "Once upon a time", "--out", &out, "--sites", "*"];
    both(&[&ask[..], &edits].concat());
    let bytes = std::fs::read(&out).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let values = |name: &str| {
        let tensor = file.tensor(name).unwrap();
        let values = tensor.data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect::<Vec<_>>();
        (tensor.shape().to_vec(), values)
    };
    let (shape, z) = values("blocks.0.attn.z");
    let [heads, tokens, width] = shape[..] else { panic!("{shape:?}") };
    for (place, vector) in z.chunks_exact(width).enumerate() {
        let is_silent = (1..=2).contains(&(place / tokens)) && place % tokens == 1;
        assert_eq!(
            vector.iter().all(|value| *value == 0.0),
            is_silent,
            "head {}, token {}",
            place / tokens,
            place % tokens
        );
    }
    let (_, pattern) = values("blocks.1.attn.pattern");
    assert_eq!(pattern.len(), heads * tokens * tokens);
    assert!(pattern.iter().step_by(tokens).all(|weight| *weight == 0.0), "nobody looks at the first token");
}

#[test]
fn text_is_generated_and_accuracy_measured_under_edits() {
    let generate =
        ["generate", "--model", "sprout", "--prompt", "Once upon a time", "--max-new-tokens", "12", "--json"];
    let silent = ["--edit", "blocks.*.attn_out = zero"];
    let text = |more: &[&str]| {
        let [lines, _] = both(&[&generate[..], more].concat());
        let tokens = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        tokens.filter_map(|token| token["text"].as_str().map(str::to_owned)).collect::<String>()
    };
    assert_ne!(text(&[]), text(&silent));
    assert_eq!(json(&[&generate[..], &silent].concat())["edits"], serde_json::json!(["blocks.*.attn_out = zero"]));

    let kshot =
        ["kshot", "--model", "seedling", "--task", "antonyms", "--k", "4", "--seeds", "1", "--queries", "12", "--json"];
    let right = |more: &[&str]| {
        let report = json(&[&kshot[..], more].concat());
        (report["points"][0]["correct"].as_u64().unwrap(), report["spec"]["edits"].clone())
    };
    let ((clean, none), (edited, told)) = (right(&[]), right(&["--edit", "blocks.*.attn.z = mean"]));
    assert!(clean > edited, "{clean} right, {edited} of them without attention");
    assert_eq!((none, told), (Value::Null, serde_json::json!(["blocks.*.attn.z = mean"])));
}

#[test]
fn blocks_are_skipped_and_values_come_of_other_prompts() {
    let log_prob = |lines: &[&str]| {
        let edits: Vec<&str> = lines.iter().flat_map(|line| ["--edit", line]).collect();
        let report = json(&[&SCORE[..], &["--json"], &edits].concat());
        (report["candidates"][0]["log_prob"].as_f64().unwrap(), report["edits"].clone())
    };
    let (clean, _) = log_prob(&[]);
    let skip = "blocks.1 = skip";
    let (skipped, told) = log_prob(&[skip]);
    assert!((clean - skipped).abs() > 1e-3, "{clean} and {skipped}");
    assert_eq!(told, serde_json::json!([skip]));
    assert_eq!(skipped, log_prob(&["blocks.1.attn_out = zero", "blocks.1.mlp_out = zero"]).0);
    // The same prompt gives itself what it has.
    let own = "blocks.*.attn.z = from \"big = small\\nhot =\"";
    let same = log_prob(&[own]).0;
    assert!((clean - same).abs() < 1e-4, "{clean} and {same}");
    let other = "blocks.5.resid_post@-1 = from \"A much longer prompt than that of the score, about the sea\"";
    assert!((clean - log_prob(&[other]).0).abs() > 1e-2);
    let mean = "blocks.1.attn.z[0] = mean over \"two\" [\"big = small\", \"the cat sat\"]";
    assert!((clean - log_prob(&[mean]).0).abs() > 1e-4);
}

#[test]
fn what_is_not_there_is_refused_by_name_before_anything_is_computed() {
    for (edit, named) in [
        ("blocks.6.attn.z = zero", "blocks.6.attn.z"),
        ("pos_embed = zero", "pos_embed"),
        ("blocks.1.attn.z[4] = zero", "head 4"),
        ("blocks.1.mlp_out@7 = zero", "position 7"),
        ("blocks.1.mlp_out@-8 = zero", "position -8"),
        ("blocks.1.mlp_out[0] = zero", "blocks.1.mlp_out[0]"),
        ("blocks.1.mlp_out = nothing", "nothing"),
        ("blocks.9 = skip", "blocks.9"),
        ("blocks.1.attn.z = from \"other\"", "from \"other\""),
    ] {
        let output = fovea(&[&SCORE[..], &["--edit", edit]].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{edit}: {message}");
        let first = message.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(first.contains(named) && message.contains("\n  next: "), "{edit}: {message}");
    }
}
