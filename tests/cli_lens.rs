//! `fovea lens` and `fovea attribute`: the real binary, its tables, its JSON and its CSV, and what it says where there is nothing to
//! tell.

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::root;

fn fovea(verb: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.arg(verb).args(arguments).args(["--device", "cpu"]).output().unwrap()
}

fn text(verb: &str, arguments: &[&str]) -> String {
    let output = fovea(verb, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn failure(verb: &str, arguments: &[&str]) -> String {
    let output = fovea(verb, arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty() && message.contains("\n  why: ") && message.contains("\n  next: "), "{message}");
    message
}

const SPROUT: [&str; 4] = ["--model", "models/sprout", "--prompt", "The cat sat on the"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SPROUT.iter().chain(more).copied().collect()
}

#[test]
fn the_lens_tells_every_layer_and_that_the_last_is_what_the_model_says() {
    let table = text("lens", &with(&["--top", "2"]));
    let rows: Vec<&str> = table.lines().skip(2).take(5).collect();
    assert!(rows[0].trim_start().starts_with("embedding") && rows[4].trim_start().starts_with("layer 3"), "{table}");
    assert!(table.contains("The last layer says what the model says (exactly)."), "{table}");
    let json: Value = serde_json::from_str(&text("lens", &with(&["--json"]))).unwrap();
    let states = json["states"].as_array().unwrap();
    assert_eq!((states.len(), json["is_checked"].as_bool()), (5, Some(true)));
    let tokens = json["tokens"].as_array().unwrap().len();
    for state in states {
        let cells = state["cells"].as_array().unwrap();
        assert_eq!(cells.len(), tokens, "{}", state["state"]);
        for cell in cells {
            let likely: f64 = cell["top"].as_array().unwrap().iter().map(|t| t["probability"].as_f64().unwrap()).sum();
            assert!((likely + cell["rest"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{cell}");
        }
    }
    // What it tells of the last token is what stands in the table.
    let last = &states[4]["cells"][tokens - 1];
    let said = format!("{:?}", last["top"][0]["text"].as_str().unwrap());
    assert!(rows[4].contains(&said), "{said}: {table}");
    let dir = tempfile::tempdir().unwrap();
    let written = |name: &str| {
        let path = dir.path().join(name);
        text("lens", &with(&["--out", path.to_str().unwrap()]));
        std::fs::read(path).unwrap()
    };
    let csv = String::from_utf8(written("lens.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 5 * tokens, "a row a cell");
    let svg = String::from_utf8(written("lens.svg")).unwrap();
    assert!(svg.contains("sprout, what each layer would say"), "{svg}");
    assert!(written("lens.png").starts_with(b"\x89PNG") && written("lens.npz").starts_with(b"PK"));
    let arrays = written("lens.safetensors");
    let arrays = safetensors::SafeTensors::deserialize(&arrays).unwrap();
    assert_eq!(arrays.tensor("entropy").unwrap().shape(), [5, tokens]);
    let message = failure("lens", &with(&["--out", "lens.doc"]));
    assert!(message.contains("no ending that says what to write"), "{message}");
}

#[test]
fn a_change_reaches_the_lens_and_another_token_is_told_on_request() {
    let clean = text("lens", &with(&[]));
    let edit = "blocks.1.attn.z[0] = zero";
    let edited = fovea("lens", &with(&["--edit", edit]));
    let [table, told] = [edited.stdout, edited.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(told.contains(edit), "{told}");
    let entropy = |table: &str, name: &str| {
        let line = table.lines().find(|line| line.contains(name)).unwrap();
        line.split_whitespace().nth(4).unwrap().to_owned()
    };
    assert_eq!(entropy(&clean, "layer 0"), entropy(&table, "layer 0"), "nothing was changed before it");
    assert_ne!(entropy(&clean, "layer 1"), entropy(&table, "layer 1"));
    assert_ne!(text("lens", &with(&["--position", "1"])), clean);
    let message = failure("lens", &with(&["--position", "99"]));
    assert!(message.contains("no position 99"), "{message}");
}

#[test]
fn the_parts_of_a_score_add_up_to_it() {
    let json: Value = serde_json::from_str(&text("attribute", &with(&["--json"]))).unwrap();
    let parts = json["parts"].as_array().unwrap();
    let value = |part: &Value| part["value"].as_f64().unwrap();
    let sum: f64 = parts.iter().map(value).sum();
    let (score, missing) = (json["score"].as_f64().unwrap(), json["remainder"].as_f64().unwrap());
    assert!((sum + missing - score).abs() < 1e-9, "{sum} and {missing} are not {score}");
    let largest = parts.iter().map(|part| value(part).abs()).fold(0.0, f64::max);
    assert!(missing.abs() < 1e-4 * largest && json["is_whole"] == true, "{missing} of {largest}");
    let table = text("attribute", &with(&["--top", "3"]));
    assert!(table.contains(&format!("{} smaller parts together", parts.len() - 3)), "{table}");
    let told = fovea("attribute", &with(&["--target", " mat and more"]));
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("the first, is meant"), "{told}");
}

#[test]
fn the_score_without_a_part_stands_beside_what_the_part_adds() {
    let json: Value = serde_json::from_str(&text("attribute", &with(&["--json", "--without", "head 1.0"]))).unwrap();
    let (without, score) = (&json["without"], json["score"].as_f64().unwrap());
    assert_eq!(without["part"], "head 1.0");
    let lost = without["lost"].as_f64().unwrap();
    assert!((score - without["score"].as_f64().unwrap() - lost).abs() < 1e-9 && lost != 0.0, "{without}");
    // The same as a change of the model, told without the part.
    let edit = ["--edit", "blocks.1.attn.z[0] = zero", "--json", "--target", json["target"]["text"].as_str().unwrap()];
    let edited: Value = serde_json::from_str(&text("attribute", &with(&edit))).unwrap();
    assert!((edited["score"].as_f64().unwrap() - without["score"].as_f64().unwrap()).abs() < 1e-6, "{edited}");
    assert!(text("attribute", &with(&["--without", "MLP 0"])).contains("without it the score is"));
    assert!(failure("attribute", &with(&["--without", "head"])).contains("no part that can be removed"));
}

#[test]
fn the_parts_are_written_as_a_figure_a_table_and_arrays() {
    let dir = tempfile::tempdir().unwrap();
    let written = |name: &str, more: &[&str]| {
        let path = dir.path().join(name);
        let path_text = path.to_str().unwrap().to_owned();
        let arguments = [more, &["--out", &path_text]].concat();
        let output = fovea("attribute", &arguments);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(path).unwrap()
    };
    let svg = String::from_utf8(written("parts.svg", &with(&[]))).unwrap();
    assert!(svg.contains("sprout, what the score of") && svg.contains("the parts make the score"), "{svg}");
    assert_eq!(written("parts.png", &with(&[]))[1..4], *b"PNG");
    let csv = String::from_utf8(written("parts.csv", &with(&[]))).unwrap();
    let json: Value = serde_json::from_str(&text("attribute", &with(&["--json"]))).unwrap();
    assert_eq!(csv.lines().count(), 1 + json["parts"].as_array().unwrap().len() + 2);
    let arrays = written("parts.safetensors", &with(&[]));
    let arrays = safetensors::SafeTensors::deserialize(&arrays).unwrap();
    assert!(arrays.tensor("heads").unwrap().shape().len() == 2 && arrays.tensor("score").is_ok());
    assert_eq!(written("parts.npz", &with(&[]))[..2], *b"PK");
    let picture = ["--model", "tests/golden/vit", "--image", "tests/golden/vit/picture-0.png"];
    let csv = String::from_utf8(written("class.csv", &picture)).unwrap();
    assert!(csv.contains("\nhead_bias,,,") && csv.contains("\nembedding,,,"), "{csv}");
    let told = text("attribute", &[picture.as_slice(), &["--target", "star"]].concat());
    assert!(told.contains("\"star\", above the mean of all classes"), "{told}");
}

#[test]
fn what_cannot_be_told_says_why() {
    let message = failure("attribute", &["--model", "tests/golden/bert", "--prompt", "a"]);
    assert!(message.contains("after each addition"), "{message}");
    let message = failure("attribute", &with(&["--target", " mat", "--against", " mat"]));
    assert!(message.contains("compared with itself"), "{message}");
    let message = failure("lens", &with(&["--edit", "ln_final = zero"]));
    assert!(message.contains("ln_final"), "{message}");
}
