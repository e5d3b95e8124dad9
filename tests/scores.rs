//! Log-probabilities of candidate answers are those transformers gives.
//!
//! `tests/golden/make_scores.py` wrote them. A failure names the first candidate that differs.

mod support;

use fovea::engine::{Command, Outcome, Work};
use fovea::types::{DeviceChoice, JobId, ScoreReport, ScoreRequest};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use support::script::Script;
use support::{root, shared};

/// Logits of these models reach 20 and agree within 10⁻⁶ of that; a wrong position or a token off changes 10⁻² and more.
const TOLERANCE: f64 = 1e-4;

fn cases(model: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("tests/golden/scores.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all[model].as_array().unwrap_or_else(|| panic!("no scores of {model}")).clone()
}

fn texts(case: &Value) -> Vec<String> {
    case["candidates"].as_array().unwrap().iter().map(|c| c["text"].as_str().unwrap().to_owned()).collect()
}

fn score(script: &mut Script, folder: &Path, case: &Value) -> Arc<ScoreReport> {
    let model = script.open(folder).id;
    let text = |key: &str| case[key].as_str().unwrap().to_owned();
    let request = ScoreRequest {
        prompt: text("prompt"),
        candidates: texts(case),
        ending: text("ending"),
        content_free: Vec::new(),
        edits: Vec::new(),
    };
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Score(request)));
    let Outcome::Scored(report) = script.end(job).unwrap() else { panic!("not scored") };
    script.send(Command::Close { model });
    report
}

fn check(name: &str, folder: &Path) {
    let mut script = Script::start(DeviceChoice::Cpu);
    let mut worst = 0.0_f64;
    for case in cases(name) {
        let report = score(&mut script, folder, &case);
        assert_eq!(report.candidates.len(), case["candidates"].as_array().unwrap().len());
        for (ours, theirs) in report.candidates.iter().zip(case["candidates"].as_array().unwrap()) {
            let of = format!("{name}, {:?} after {}", ours.text, case["prompt"]);
            let ids: Vec<u32> = serde_json::from_value(theirs["ids"].clone()).unwrap();
            assert_eq!(ours.tokens.iter().map(|token| token.id).collect::<Vec<_>>(), ids, "{of}: tokens");
            let log_probs: Vec<f64> = serde_json::from_value(theirs["log_probs"].clone()).unwrap();
            for (token, expected) in ours.tokens.iter().zip(&log_probs) {
                let difference = (token.log_prob - expected).abs();
                worst = worst.max(difference);
                assert!(difference < TOLERANCE, "{of}: {:?} has {} instead of {expected}", token.text, token.log_prob);
            }
            let sum: f64 = log_probs.iter().sum();
            assert!(
                (ours.log_prob - sum).abs() < TOLERANCE
                    && (ours.mean_log_prob - sum / ids.len() as f64).abs() < TOLERANCE
            );
        }
        let shares: f64 = report.candidates.iter().map(|candidate| candidate.share).sum();
        assert!((shares - 1.0).abs() < 1e-9);
    }
    println!("{name}: log-probabilities differ by at most {worst:.1e}");
}

#[test]
fn golden_models_score_candidates_as_transformers_does() {
    for name in ["gpt2", "llama", "gemma2"] {
        check(name, &root().join("tests/golden").join(name));
    }
}

#[test]
fn the_shipped_few_shot_model_scores_candidates_as_transformers_does() {
    check("seedling", &root().join("models/seedling"));
}

#[test]
fn a_published_model_scores_candidates_as_transformers_does() {
    let test = "a_published_model_scores_candidates_as_transformers_does";
    if let Some(folder) = shared(test, "models/tinystories-656k") {
        check("tinystories-656k", &folder);
    }
}
