//! `fovea heads`: the real binary, its table, its JSON and its CSV, and what it says where there is nothing to score.

mod support;

use serde_json::Value;
use std::process::{Command, Output};
use support::root;

fn fovea(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fovea"));
    command.current_dir(root()).env_remove("RUST_LOG").env_remove("FOVEA_MODELS");
    command.arg("heads").args(arguments).args(["--device", "cpu"]).output().unwrap()
}

fn text(arguments: &[&str]) -> String {
    let output = fovea(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn failure(arguments: &[&str]) -> String {
    let output = fovea(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty() && message.contains("\n  why: ") && message.contains("\n  next: "), "{message}");
    message
}

const GPT2: &str = "tests/golden/gpt2";
const BERT: &str = "tests/golden/bert";

#[test]
fn heads_are_listed_by_the_score_that_is_asked_for() {
    let table = text(&["--model", GPT2, "--by", "previous_token", "--top", "3"]);
    assert!(table.starts_with("gpt2 on 2 × 36 random tokens, seed 1, by previous_token\n"), "{table}");
    let mut lines = table.lines().skip(2);
    let heading: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let column = heading.iter().position(|name| *name == "Previous").unwrap();
    let rows: Vec<Vec<&str>> = lines.by_ref().take(3).map(|line| line.split_whitespace().collect()).collect();
    let values: Vec<f32> = rows.iter().map(|row| row[column].parse().unwrap()).collect();
    assert!(values.is_sorted_by(|a, b| a >= b) && rows.iter().all(|row| row.len() == heading.len()), "{table}");
    assert_eq!(lines.next(), Some(""), "three heads and no more: {table}");
    assert!(table.contains("induction_diagonal: Σ A[q, q−(S−1)] / the cells of that diagonal"), "{table}");
}

#[test]
fn json_and_csv_hold_the_same_values_with_their_definitions() {
    let json: Value = serde_json::from_str(&text(&["--model", GPT2, "--seed", "5", "--json"])).unwrap();
    assert_eq!((&json["model"], &json["seed"], &json["tokens"]), (&"gpt2".into(), &5.into(), &72.into()));
    let heads = json["heads"].as_array().unwrap();
    assert_eq!((heads.len(), json.get("prompt")), (8, None));
    let csv = text(&["--model", GPT2, "--seed", "5", "--csv"]);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let names = ["model", "seed", "text", "layer", "head", "score", "value", "definition"];
    assert_eq!(rows.headers().unwrap(), &csv::StringRecord::from(names.to_vec()));
    let mut count = 0;
    for row in rows.records().map(Result::unwrap) {
        let (layer, head): (usize, usize) = (row[3].parse().unwrap(), row[4].parse().unwrap());
        let of = heads.iter().find(|h| h["layer"] == layer && h["head"] == head).unwrap();
        let value = of["scores"][&row[5]].as_f64().unwrap();
        assert!((value - row[6].parse::<f64>().unwrap()).abs() < 1e-6, "{row:?}");
        let definitions = json["scores"].as_array().unwrap();
        let definition = definitions.iter().find(|score| score["id"] == row[5]).unwrap();
        assert_eq!((definition["definition"].as_str(), &row[1], &row[0]), (Some(&row[7]), "5", "gpt2"));
        count += 1;
    }
    assert_eq!(count, 8 * json["scores"].as_array().unwrap().len());
    let denominator = |id: &str| {
        let all = json["scores"].as_array().unwrap();
        all.iter().find(|score| score["id"] == id).map(|score| score["denominator"].as_u64().unwrap())
    };
    assert_eq!((denominator("induction_diagonal"), denominator("induction_repeats")), (Some(37), Some(36)));
    assert_eq!((denominator("previous_token"), denominator("separator")), (Some(71), None));
}

#[test]
fn a_text_of_an_encoder_is_scored_with_its_separators() {
    let json: Value =
        serde_json::from_str(&text(&["--model", BERT, "--prompt", "play the blue play", "--json"])).unwrap();
    assert_eq!((&json["prompt"], json.get("seed")), (&"play the blue play".into(), None));
    for head in json["heads"].as_array().unwrap() {
        let scores = head["scores"].as_object().unwrap();
        assert!(
            ["next_token", "separator", "absolute_distance", "induction"].iter().all(|id| scores.contains_key(*id))
        );
        assert!(!scores.contains_key("induction_diagonal"), "that is of the probe alone");
    }
    let table = text(&["--model", BERT]);
    assert!(table.contains("behind the token that its tokenizer begins with"), "{table}");
}

#[test]
fn a_vision_transformer_is_scored_on_a_picture() {
    let picture = tempfile::tempdir().unwrap();
    let file = picture.path().join("grey.png");
    image::RgbImage::from_pixel(16, 16, image::Rgb([90, 120, 60])).save(&file).unwrap();
    let json = text(&["--model", "tests/golden/vit", "--image", file.to_str().unwrap(), "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let ids: Vec<&str> = json["scores"].as_array().unwrap().iter().map(|score| score["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["first_token", "self", "entropy"]);
    let message = failure(&["--model", "tests/golden/vit"]);
    assert!(message.contains("--image FILE"), "{message}");
}

#[test]
fn what_cannot_be_scored_is_told_with_what_can() {
    let message = failure(&["--model", GPT2, "--prompt", "a", "--by", "induction"]);
    assert!(message.contains("No token comes twice") && message.contains("self, entropy"), "{message}");
    let message = failure(&["--model", GPT2, "--by", "next_token"]);
    assert!(message.contains("models that read another way"), "{message}");
    let message = failure(&["--model", "digits-mlp"]);
    assert!(message.contains("has no heads"), "{message}");
    let unknown = fovea(&["--model", GPT2, "--by", "magic"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("induction_repeats"), "the choices are listed");
}
