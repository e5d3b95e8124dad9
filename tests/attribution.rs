//! What the score of a token is made of is what PyTorch makes of transformers' values, and the parts make the whole; that of a class of
//! a picture, too.
//!
//! `tests/golden/make_attribution.py` wrote the golden values, in double precision.

mod support;

use fovea::engine::{AttributeSpec, Command, GenerateSpec, Outcome, PromptInput, Work, read_picture};
use fovea::types::{AddedPart, AttributionReport, DeviceChoice, JobId, ModelId, UserError};
use serde_json::Value;
use std::sync::Arc;
use support::root;
use support::script::{Script, ids, many};

const DECODERS: [&str; 10] =
    ["gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];
/// Of the largest part: values of the stream agree within 2 · 10⁻⁵ (tests/parity.rs).
const TOLERANCE: f64 = 5e-5;

fn attribute(script: &mut Script, model: ModelId, spec: AttributeSpec) -> Result<Arc<AttributionReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Attribute(spec)));
    match script.end(job)? {
        Outcome::Attributed(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

fn open(script: &mut Script, name: &str) -> ModelId {
    script.open(&root().join("tests/golden").join(name)).id
}

fn at_end(prompt: PromptInput) -> AttributeSpec {
    AttributeSpec { prompt, position: None, target: None, against: None, edits: Vec::new(), removed: None }
}

fn tokens() -> PromptInput {
    ids((0..12).map(|i| 5 + i * 7 % 50).collect::<Vec<u32>>())
}

fn golden() -> Value {
    let text = std::fs::read_to_string(root().join("tests/golden/attribution.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every part and the score are the expected ones.
fn is_as_expected(of: &str, report: &AttributionReport, expected: &Value) {
    let parts = expected["parts"].as_array().unwrap();
    assert_eq!(report.parts.len(), parts.len(), "{of}: {:?}", report.parts);
    let mut worst = 0.0f64;
    for ((part, value), expected) in report.parts.iter().zip(parts) {
        assert_eq!(expected[0].as_str().unwrap(), part.to_string(), "{of}");
        let off = (value - expected[1].as_f64().unwrap()).abs() / report.largest();
        assert!(off < TOLERANCE, "{of}, {part}: {value}, not {}", expected[1]);
        worst = worst.max(off);
    }
    assert!((report.score - expected["score"].as_f64().unwrap()).abs() < TOLERANCE * report.largest(), "{of}");
    println!("{of}: parts differ by at most {worst:.1e} of the largest");
}

#[test]
fn every_part_is_what_pytorch_makes_of_it() {
    let golden = golden();
    let prompt: Vec<u32> = serde_json::from_value(golden["ids"].clone()).unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "llama", "gemma2"] {
        let model = open(&mut script, name);
        for (case, against) in [("token", Some("r".to_owned())), ("mean", None)] {
            // The letters whose tokens are meant.
            let spec = AttributeSpec { target: Some("f".into()), against, ..at_end(ids(prompt.clone())) };
            let report = attribute(&mut script, model, spec).unwrap();
            assert_eq!(u64::from(report.target.0), golden["target"].as_u64().unwrap());
            is_as_expected(&format!("{name}, {case}"), &report, &golden[name][case]);
            assert!((report.scores[0] - golden[name]["logits"][0].as_f64().unwrap()).abs() < 2e-5, "{name}");
        }
    }
}

fn of_picture(name: &str) -> AttributeSpec {
    let file = root().join("tests/golden").join(name).join("picture-0.png");
    at_end(PromptInput::Picture(read_picture(&file).unwrap()))
}

#[test]
fn the_score_of_a_class_is_taken_apart_at_the_special_tokens_as_pytorch_does() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["vit", "deit"] {
        let model = open(&mut script, name);
        // By name and by number.
        for (case, against) in [("class", Some("3".to_owned())), ("mean", None)] {
            let spec = AttributeSpec { target: Some("Square".into()), against, ..of_picture(name) };
            let report = attribute(&mut script, model, spec).unwrap();
            assert_eq!(report.target, (1, "square".to_owned()));
            assert!(report.is_whole(), "{name}: {} is missing", report.remainder());
            is_as_expected(&format!("{name}, {case}"), &report, &golden[name][case]);
        }
        let likeliest = attribute(&mut script, model, of_picture(name)).unwrap();
        let others = ["circle", "square", "triangle", "star", "line"].map(|class| {
            let spec = AttributeSpec { target: Some(class.into()), ..of_picture(name) };
            attribute(&mut script, model, spec).unwrap().scores[0]
        });
        assert!(others.iter().all(|score| *score <= likeliest.scores[0]), "{name}: {others:?}");
        let unknown = AttributeSpec { target: Some("cube".into()), ..of_picture(name) };
        let error = attribute(&mut script, model, unknown).unwrap_err();
        assert!(error.what.contains("knows no class \"cube\"") && error.next.contains("0 to 4"), "{error}");
        let error = attribute(&mut script, model, AttributeSpec { position: Some(0), ..of_picture(name) }).unwrap_err();
        assert!(error.what.contains("not scored at a position"), "{error}");
    }
}

#[test]
fn what_is_lost_without_a_part_is_what_pytorch_loses_and_not_what_the_part_adds() {
    let golden = golden();
    let prompt: Vec<u32> = serde_json::from_value(golden["ids"].clone()).unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "llama", "gemma2", "vit", "deit"] {
        let model = open(&mut script, name);
        let [target, against] =
            if name.ends_with("it") { ["1", "3"] } else { ["f", "r"] }.map(|text| Some(text.into()));
        let plain = if name.ends_with("it") { of_picture(name) } else { at_end(ids(prompt.clone())) };
        let mut differs = 0.0f64;
        for (part, expected) in golden[name]["without"].as_object().unwrap() {
            let removed = Some(part.parse::<AddedPart>().unwrap());
            let (target, against) = (target.clone(), against.clone());
            let spec = AttributeSpec { target, against, removed, ..plain.clone() };
            let report = attribute(&mut script, model, spec).unwrap();
            let without = report.removed.unwrap();
            let off = (without.score - expected.as_f64().unwrap()).abs() / report.largest();
            assert!(off < TOLERANCE, "{name} without {part}: {}, not {expected}", without.score);
            let value = report.value(without.part).unwrap();
            differs = differs.max((report.score - without.score - value).abs() / report.largest());
        }
        assert!(differs > 0.01, "{name}: attribution is not ablation, but here they differ by {differs} alone");
    }
    let gpt2 = open(&mut script, "gpt2");
    let of = |removed| AttributeSpec { removed: Some(removed), ..at_end(tokens()) };
    let error = attribute(&mut script, gpt2, of(AddedPart::Embedding)).unwrap_err();
    assert!(error.what.contains("The embedding of gpt2 cannot be removed"), "{error}");
    let error = attribute(&mut script, gpt2, of(AddedPart::Head { layer: 0, head: 99 })).unwrap_err();
    assert!(error.what.contains("no head 99"), "{error}");
}

#[test]
fn the_parts_make_the_score_in_every_family_at_every_token_and_under_changes() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS {
        let model = open(&mut script, name);
        for position in [Some(0), Some(5), None] {
            for edits in [vec![], vec!["blocks.0.attn.z[1] = zero".parse().unwrap()]] {
                let is_clean = edits.is_empty();
                let spec = AttributeSpec { position, edits, ..at_end(tokens()) };
                let report = attribute(&mut script, model, spec).unwrap();
                assert!(report.is_whole(), "{name}, {position:?}: {} is missing: {report:?}", report.remainder());
                assert_eq!(report.tokens.len(), position.unwrap_or(11) + 1, "{name}");
                let head = AddedPart::Head { layer: 0, head: 1 };
                let of_head = report.parts.iter().find(|(part, _)| *part == head).unwrap().1;
                assert_eq!(of_head == 0.0, !is_clean, "{name}: a head that is off writes nothing, {of_head}");
            }
        }
        script.send(Command::Close { model });
    }
}

#[test]
fn the_likeliest_is_meant_unless_told_and_others_are_compared() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/sprout")).id;
    let prompt = PromptInput::Text("The cat sat on the".into());
    let report = attribute(&mut script, model, at_end(prompt.clone())).unwrap();
    let job = JobId::next();
    let spec = GenerateSpec { prompt: prompt.clone(), sampling: many(1), edits: Vec::new() };
    script.send(Command::start(job, model, Work::Generate(spec)));
    script.end(job).unwrap();
    assert_eq!(script.ids_of(job), [report.target.0], "what the model says next");

    // Above the mean is above one token and that one above the mean.
    let of = |target: &str, against: Option<&str>| AttributeSpec {
        target: Some(target.into()),
        against: against.map(str::to_owned),
        ..at_end(prompt.clone())
    };
    let [a, b] = [" mat", " dog"].map(|text| attribute(&mut script, model, of(text, None)).unwrap());
    let both = attribute(&mut script, model, of(" mat", Some(" dog"))).unwrap();
    for (((part, both), (_, a)), (_, b)) in both.parts.iter().zip(&a.parts).zip(&b.parts) {
        assert!((both - (a - b)).abs() < 1e-5 * report.largest().max(1.0), "{part}: {both} is not {a} less {b}");
    }
    let error = attribute(&mut script, model, of(" mat", Some(" mat"))).unwrap_err();
    assert!(error.what.contains("compared with itself"), "{error}");
}

#[test]
fn what_cannot_be_taken_apart_says_why() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for (name, why) in [("bert", "after each addition"), ("vit", "tokens are the patches")] {
        let model = open(&mut script, name);
        let error = attribute(&mut script, model, at_end(tokens())).unwrap_err();
        assert!(error.why.contains(why), "{name}: {error}");
    }
    let model = open(&mut script, "gpt2");
    let beyond = AttributeSpec { position: Some(99), ..at_end(tokens()) };
    assert!(attribute(&mut script, model, beyond).unwrap_err().what.contains("no position 99"));
}
