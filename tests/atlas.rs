//! Every score of every head is the one that PyTorch's attention weights give.
//!
//! `tests/golden/make_atlas.py` wrote them, by definitions of its own. A failure names the score and the head.

mod support;

use fovea::analysis::{AtlasScore, HeadAtlas, Order, Probe, Sequence, Surroundings};
use fovea::engine::{Command, InspectSpec, Outcome, PromptInput, Work};
use fovea::types::{DeviceChoice, InspectReport, JobId, ModelInfo, SiteFilter};
use serde_json::Value;
use std::sync::Arc;
use support::root;
use support::script::Script;

/// Weights agree within 10⁻⁶ (tests/parity.rs); distances, of which a sum has up to 20, and their squares magnify that. A
/// cell too many or too few changes 10⁻³ and more.
const TOLERANCE: f64 = 1e-5;

fn read(script: &mut Script, model: &ModelInfo, prompt: PromptInput) -> Arc<InspectReport> {
    let job = JobId::next();
    let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() };
    script.send(Command::start(job, model.id, Work::Inspect(spec)));
    let Outcome::Inspected(report) = script.end(job).unwrap() else { panic!("not inspected") };
    report
}

#[test]
fn every_score_of_every_head_is_that_of_pytorch() {
    let text = std::fs::read_to_string(root().join("tests/golden/atlas.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, of_model) in golden.as_object().unwrap() {
        let model = script.open(&root().join("tests/golden").join(name));
        let order = Order::of(&model).unwrap();
        assert_eq!(order == Order::LeftToRight, of_model["order"] == "left_to_right");
        let mut worst = 0.0f64;
        for case in of_model["cases"].as_array().unwrap() {
            let list = |key: &str| -> Vec<u32> { serde_json::from_value(case[key].clone()).unwrap() };
            let twice: Option<(usize, usize)> = serde_json::from_value(case["twice"].clone()).unwrap();
            let sequence = Sequence { ids: list("ids"), order, separators: list("separators"), twice };
            let report = read(&mut script, &model, PromptInput::Ids(sequence.ids.clone()));
            let atlas = HeadAtlas::of(&report, &sequence, &|| true).unwrap();
            let heads = case["heads"].as_array().unwrap();
            assert_eq!(atlas.heads.len(), heads.len(), "{name}: heads");
            for (ours, theirs) in atlas.heads.iter().zip(heads) {
                assert_eq!(
                    (theirs["layer"].as_u64(), theirs["head"].as_u64()),
                    (Some(ours.layer as u64), Some(ours.head as u64))
                );
                for score in AtlasScore::ALL {
                    let (ours_here, theirs) = (ours.value(score), theirs.get(score.id()).and_then(Value::as_f64));
                    let of = format!("{name}, {} of head {}.{}", score.id(), ours.layer, ours.head);
                    assert_eq!(ours_here.is_some(), theirs.is_some(), "{of}: {ours_here:?} instead of {theirs:?}");
                    let (Some(ours), Some(theirs)) = (ours_here, theirs) else { continue };
                    let difference = (f64::from(ours) - theirs).abs() / theirs.abs().max(1.0);
                    assert!(difference < TOLERANCE, "{of} is {ours} instead of {theirs}");
                    worst = worst.max(difference);
                }
            }
        }
        println!("{name}: scores differ by at most {worst:.1e}");
    }
}

/// A tokenizer's own tokens stand around the probe, and what reads it finds the repeated half where it is.
#[test]
fn the_probe_of_an_encoder_stands_between_its_special_tokens() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("tests/golden/bert"));
    let job = JobId::next();
    script.send(Command::start(job, model.id, Work::Tokenize(PromptInput::Text("a".into()))));
    let Outcome::Tokenized(tokens) = script.end(job).unwrap() else { panic!("not tokenized") };
    let around = Surroundings::of(&tokens.tokens);
    assert_eq!(around, Surroundings { front: vec![2], behind: vec![3] });
    let (vocabulary, context) = (model.shape.vocabulary().unwrap(), model.shape.context().unwrap());
    let probe = Probe::new(vocabulary, context, &around, 7).unwrap();
    let report = read(&mut script, &model, PromptInput::Ids(probe.ids.clone()));
    let atlas = HeadAtlas::of(&report, &Sequence::of_probe(&probe, Order::BothWays), &|| true).unwrap();
    assert_eq!(atlas.scores().len(), AtlasScore::ALL.len(), "an encoder's probe has all of them");
    assert_eq!(atlas.denominator(AtlasScore::InductionRepeats), probe.half);
    assert_eq!(atlas.denominator(AtlasScore::InductionDiagonal), probe.half + 2);
    // Tokens are distinct, so both definitions of induction that leave the extra cells out are one.
    for head in &atlas.heads {
        let [all, repeats] =
            [AtlasScore::Induction, AtlasScore::InductionRepeats].map(|score| head.value(score).unwrap());
        assert!((all - repeats).abs() < 1e-6);
    }
}
