//! What each layer would say: the logit lens is what PyTorch makes of transformers' residual stream, and its last row says what
//! the model says.
//!
//! `tests/golden/make_lens.py` wrote the golden values, in double precision.

mod support;

use fovea::engine::{Command, Event, LensSpec, Outcome, PromptInput, Work};
use fovea::types::{DeviceChoice, JobId, LensReport, ModelId, UserError};
use serde_json::Value;
use std::sync::Arc;
use support::root;
use support::script::{Script, ids};

const DECODERS: [&str; 10] =
    ["gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];
const ENCODERS: [&str; 3] = ["bert", "roberta", "distilbert"];
/// Values of the stream agree within 2 · 10⁻⁵ (tests/parity.rs); a score is a sum of products of them.
const TOLERANCE: f64 = 1e-4;

fn read(script: &mut Script, model: ModelId, spec: LensSpec) -> Result<Arc<LensReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Lens(spec)));
    match script.end(job)? {
        Outcome::LensRead(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

fn open(script: &mut Script, name: &str) -> ModelId {
    script.open(&root().join("tests/golden").join(name)).id
}

fn plain(prompt: PromptInput) -> LensSpec {
    LensSpec { prompt, target: None, edits: Vec::new() }
}

fn tokens(count: u32) -> PromptInput {
    ids((0..count).map(|i| 5 + i * 7 % 50).collect::<Vec<u32>>())
}

#[test]
fn every_cell_is_what_pytorch_makes_of_the_stream() {
    let text = std::fs::read_to_string(root().join("tests/golden/lens.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let target = golden["target"].as_u64().unwrap();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "llama", "gemma2", "bert"] {
        let model = open(&mut script, name);
        let prompt: Vec<u32> = serde_json::from_value(golden[name]["ids"].clone()).unwrap();
        // The letter whose token is the target; BERT's vocabulary is another one.
        let followed = (name != "bert").then(|| "f".to_owned());
        let spec = LensSpec { target: followed.clone(), ..plain(ids(prompt.clone())) };
        let report = read(&mut script, model, spec).unwrap();
        let expected = golden[name]["states"].as_array().unwrap();
        assert_eq!((report.states.len(), report.tokens.len()), (expected.len(), prompt.len()), "{name}");
        let mut worst = 0.0f64;
        for (state, (cells, expected)) in report.states.iter().zip(expected).enumerate() {
            for (place, (cell, expected)) in cells.iter().zip(expected.as_array().unwrap()).enumerate() {
                let of = format!("{name}, state {state}, token {place}");
                let mut near = |what: &str, ours: f32, theirs: &Value| {
                    let theirs = theirs.as_f64().unwrap();
                    let off = (f64::from(ours) - theirs).abs() / theirs.abs().max(1.0);
                    assert!(off < TOLERANCE, "{of}: {what} is {ours}, not {theirs}");
                    worst = worst.max(off);
                };
                near("entropy", cell.entropy, &expected["entropy"]);
                near("divergence", cell.divergence, &expected["kl"]);
                let top = expected["top"].as_array().unwrap();
                assert_eq!(cell.top.len(), top.len(), "{of}");
                for ((id, log_prob), expected) in cell.top.iter().zip(top) {
                    near("a likely token", *log_prob, &expected[1]);
                    // Two that are equally likely may stand in either order.
                    let is_named = top.iter().any(|of| of[0].as_u64() == Some(u64::from(*id)));
                    assert!(is_named, "{of}: {id} is not among the likeliest");
                }
                if followed.is_some() {
                    assert_eq!(u64::from(cell.followed), target, "{of}");
                    near("the target", cell.log_prob, &expected["log_prob"]);
                    assert_eq!(u64::from(cell.rank), expected["rank"].as_u64().unwrap(), "{of}");
                }
            }
        }
        println!("{name}: cells differ by at most {worst:.1e}");
    }
}

#[test]
fn the_last_row_says_what_the_model_says_in_every_family_and_under_changes() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in DECODERS.into_iter().chain(ENCODERS) {
        let model = open(&mut script, name);
        let clean = read(&mut script, model, plain(tokens(30))).unwrap();
        assert!(clean.is_checked(), "{name} is off by {}", clean.off);
        let (last, states) = clean.states.split_last().unwrap();
        for cell in last {
            assert!(cell.divergence < 1e-5 && cell.rank == 1 && cell.top[0].0 == cell.followed, "{name}: {cell:?}");
            assert!((0.0..=1.0).contains(&cell.rest()), "{name}: {cell:?}");
        }
        let diverges = states.iter().flatten().filter(|cell| cell.divergence > 1e-4).count();
        assert!(diverges > 0, "{name}: layers say what the last one does");
        // 30 tokens are unembedded in five tiles, three in two.
        let begin = read(&mut script, model, plain(tokens(3))).unwrap();
        if DECODERS.contains(&name) {
            for (long, short) in clean.states.iter().zip(&begin.states) {
                for (long, short) in long.iter().zip(short) {
                    assert!((long.entropy - short.entropy).abs() < 1e-4, "{name}: {long:?} {short:?}");
                }
            }
        }
        let edits = vec!["blocks.0.attn.z[0] = zero".parse().unwrap()];
        let edited = read(&mut script, model, LensSpec { edits, ..plain(tokens(30)) }).unwrap();
        assert!(edited.is_checked(), "{name}, edited, is off by {}", edited.off);
        assert_eq!(edited.states[0][3].entropy, clean.states[0][3].entropy, "{name}: the embedding is as it was");
        assert_ne!(edited.states[1][3].entropy, clean.states[1][3].entropy, "{name}: the layer is not");
        script.send(Command::Close { model });
    }
}

#[test]
fn a_target_is_followed_by_its_first_token() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/sprout")).id;
    let follow = |target: &str| LensSpec {
        prompt: PromptInput::Text("The cat sat on the".into()),
        target: Some(target.to_owned()),
        edits: Vec::new(),
    };
    let report = read(&mut script, model, follow(" mat and then more")).unwrap();
    let target = report.target.clone().unwrap();
    assert!(target.of > 1, "{target:?}");
    let cells = || report.states.iter().flatten();
    assert!(cells().all(|cell| cell.followed == target.id), "in every cell");
    assert!(" mat and then more".starts_with(&target.text), "{target:?}");
    assert!(cells().any(|cell| cell.rank > 1), "it is not the likeliest everywhere");
    for cell in cells() {
        let place = cell.top.iter().position(|(id, _)| *id == target.id);
        assert_eq!(place.map(|place| place as u32 + 1), (cell.rank <= 10).then_some(cell.rank), "{cell:?}");
    }
    let error = read(&mut script, model, follow("")).unwrap_err();
    assert!(error.what.contains("no token to follow"), "{error}");
}

/// What is told on the way.
fn so_far(script: &mut Script, job: JobId) -> Arc<LensReport> {
    script.until("a part of the lens", |event| match event {
        Event::SoFar { job: of, outcome: Outcome::LensRead(report) } if *of == job => Some(Arc::clone(report)),
        _ => None,
    })
}

#[test]
fn the_first_tokens_are_told_before_the_others_are_read_and_say_the_same_in_the_end() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["models/seedling", "tests/golden/gpt2", "tests/golden/bert"] {
        let model = script.open(&root().join(name)).id;
        let job = JobId::next();
        script.send(Command::start(job, model, Work::Lens(plain(tokens(30)))));
        let part = so_far(&mut script, job);
        let Ok(Outcome::LensRead(whole)) = script.end(job) else { panic!("{name}") };
        assert_eq!((part.tokens.len(), part.total, part.is_whole()), (4, 30, false), "{name}");
        assert!(!part.is_checked() && whole.is_checked() && whole.is_whole(), "{name}");
        assert_eq!(part.tokens, whole.tokens[..4], "{name}");
        for (part, whole) in part.states.iter().zip(&whole.states) {
            assert_eq!(part, &whole[..4], "{name}");
        }
    }
}

#[test]
fn a_lens_that_is_stopped_ends_with_what_it_has() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/seedling")).id;
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Lens(plain(tokens(250)))));
    let part = so_far(&mut script, job);
    script.send(Command::Cancel { job });
    let Ok(Outcome::LensRead(report)) = script.end(job) else { panic!("it has a part") };
    assert!(!report.is_whole() && report.tokens.len() >= part.tokens.len(), "{} tokens", report.tokens.len());
    assert!(report.states.iter().all(|cells| cells.len() == report.tokens.len()));

    // Before there is anything, nothing is told.
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Lens(plain(tokens(250)))));
    script.send(Command::Cancel { job });
    let ended = script.end(job);
    assert!(matches!(ended, Ok(Outcome::Cancelled)), "{ended:?}");
}

#[test]
fn what_has_no_lens_says_why() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let of = |script: &mut Script, name: &str, spec: LensSpec| {
        let model = open(script, name);
        read(script, model, spec).unwrap_err()
    };
    let error = of(&mut script, "bert-bare", plain(tokens(4)));
    assert!(error.why.contains("no head that guesses masked tokens"), "{error}");
    let error = of(&mut script, "vit", plain(tokens(4)));
    assert!(error.why.contains("reads pictures"), "{error}");
    for (edit, what) in [("ln_final = zero", "ln_final"), ("blocks.9.mlp_out = zero", "blocks.9.mlp_out")] {
        let spec = LensSpec { edits: vec![edit.parse().unwrap()], ..plain(tokens(4)) };
        let error = of(&mut script, "gpt2", spec);
        assert!(error.what.contains(what), "{error}");
    }
    let error = of(&mut script, "gpt2", plain(ids(Vec::new())));
    assert!(error.what.contains("empty"), "{error}");
}
