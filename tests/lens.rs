//! What each layer would say: the logit lens is what PyTorch makes of transformers' residual stream, and its last row says what
//! the model says.
//!
//! A fitted lens is what small moves of a state do to the end.
//!
//! `tests/golden/make_lens.py` wrote the golden values, in double precision.

mod support;

use fovea::engine::{Command, Event, LensSpec, Outcome, PromptInput, Work};
use fovea::load::{open_text_model, read_lens, write_lens};
use fovea::nn::{CausalLm, Change, Hooks, SiteEdit, SiteValue};
use fovea::types::{DeviceChoice, FitSpec, JacobianLens, JobId, LensPassages, LensReport, ModelId, Site, UserError};
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
    LensSpec { prompt, target: None, fitted: None, edits: Vec::new() }
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
        fitted: None,
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

fn fit(script: &mut Script, model: ModelId, spec: FitSpec) -> Result<Arc<JacobianLens>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::FitLens(spec)));
    match script.end(job)? {
        Outcome::LensFitted(lens) => Ok(lens),
        other => panic!("{other:?}"),
    }
}

/// Σ of the end of the stream over the positions that count, for a text whose state behind a block is moved at all of them.
fn end_of(lm: &CausalLm, ids: &[u32], block: usize, moved: Option<(usize, f32)>) -> Vec<f64> {
    let site = Site::ResidPost(block);
    let mut hooks = Hooks::off().keeping([site].into_iter().collect());
    let stream = lm.stream(lm.ids(ids), &mut hooks);
    let stream = match moved {
        None => stream,
        Some((number, by)) => {
            let state = hooks.take_kept(site).unwrap();
            let (shape, mut values) =
                (state.shape().to_vec(), state.tensor::<3>().into_data().iter::<f32>().collect::<Vec<f32>>());
            let width = shape[1];
            (FitSpec::SKIPPED..ids.len() - 1).for_each(|at| values[at * width + number] += by);
            let value = SiteValue::new(values, &shape, &burn::tensor::Device::flex());
            let edit = SiteEdit::whole(site, Change::Set(Box::new(value)));
            lm.stream(lm.ids(ids), &mut Hooks::off().editing(vec![edit]))
        }
    };
    let [_, t, d] = stream.dims();
    let values: Vec<f64> = stream.into_data().iter::<f32>().map(f64::from).collect();
    (0..d).map(|i| (FitSpec::SKIPPED..t - 1).map(|at| values[at * d + i]).sum()).collect()
}

#[test]
fn a_fitted_lens_is_the_mean_of_what_small_moves_of_a_state_do_to_the_end() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let scratch = tempfile::tempdir().unwrap();
    for name in DECODERS {
        let model = open(&mut script, name);
        let lm =
            open_text_model(&root().join("tests/golden").join(name), &burn::tensor::Device::flex(), &mut |_, _| ())
                .unwrap();
        // The letters of the tiny vocabulary, in two passages of 24 tokens.
        let text: String = (0..48u8).map(|i| char::from(b'a' + (i * 7 + i / 5) % 20)).collect();
        let path = scratch.path().join(format!("{name}.txt"));
        std::fs::write(&path, &text).unwrap();
        let all = lm.tokenizer.continuation_ids(&text).unwrap();
        let spec = FitSpec { passages: LensPassages::File(path), count: 2, tokens: 24, seed: 1, out: None };
        let lens = fit(&mut script, model, spec).unwrap();
        assert_eq!(
            (lens.passages, lens.matrices.len() + 1),
            (2, lm.lm.layers()),
            "{name}: the last block's is the identity"
        );
        let positions = (24 - 1 - FitSpec::SKIPPED) as f64;
        let width = lens.width;
        for (block, matrix) in lens.matrices.iter().enumerate() {
            for number in [0, width / 2, width - 1] {
                let step = 0.01;
                let mut column = vec![0.0; width];
                for ids in all.chunks_exact(24) {
                    let [up, down] = [step, -step].map(|by| end_of(&lm.lm, ids, block, Some((number, by))));
                    for (at, (up, down)) in up.iter().zip(&down).enumerate() {
                        column[at] += (up - down) / f64::from(2.0 * step) / positions / 2.0;
                    }
                }
                let ours: Vec<f64> = (0..width).map(|row| f64::from(matrix[row * width + number])).collect();
                let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
                let off = ours.iter().zip(&column).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / length;
                assert!(off < 0.02, "{name}, block {block}, column {number}: {off} off");
                // A lens that is one block off is another one.
                if let Some(next) = lens.matrices.get(block + 1) {
                    let other = (0..width).map(|row| f64::from(next[row * width + number]));
                    let off = other.zip(&column).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / length;
                    assert!(off > 0.02, "{name}, block {block}: the next one's is the same");
                }
            }
        }
        script.send(Command::Close { model });
    }
}

#[test]
fn a_lens_is_written_opened_and_read_through() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/sprout")).id;
    let scratch = tempfile::tempdir().unwrap();
    let kept = scratch.path().join("kept.safetensors");
    let spec = FitSpec { count: 2, tokens: 24, ..FitSpec::default() };
    let lens = fit(&mut script, model, FitSpec { out: Some(kept.clone()), ..spec.clone() }).unwrap();
    assert_eq!(read_lens(&kept).unwrap(), *lens, "it is kept where it was to be");
    let nowhere = FitSpec { out: Some(scratch.path().join("none/lens.safetensors")), ..spec.clone() };
    assert!(fit(&mut script, model, nowhere).unwrap_err().what.contains("cannot be kept"));
    assert_eq!(fit(&mut script, model, spec.clone()).unwrap().matrices, lens.matrices, "the same seed writes the same");
    assert_ne!(fit(&mut script, model, FitSpec { seed: 2, ..spec }).unwrap().matrices, lens.matrices);
    assert!(lens.halves.iter().all(|share| (0.0..2.0).contains(share) && *share > 0.0), "{:?}", lens.halves);

    let path = scratch.path().join("lens.safetensors");
    write_lens(&path, &lens).unwrap();
    let reopen = |script: &mut Script, model, path: &std::path::Path| {
        let job = JobId::next();
        script.send(Command::start(job, model, Work::OpenLens(path.to_owned())));
        script.end(job)
    };
    let Ok(Outcome::LensFitted(opened)) = reopen(&mut script, model, &path) else { panic!("it opens") };
    assert_eq!(*opened, *lens);

    let prompt = PromptInput::Text("Once upon a time there was a".into());
    let of_plain = read(&mut script, model, plain(prompt.clone())).unwrap();
    let through = LensSpec { fitted: Some(Arc::clone(&opened)), ..plain(prompt.clone()) };
    let of_lens = read(&mut script, model, through).unwrap();
    assert!(of_lens.is_checked() && of_lens.lens.as_ref().unwrap().contains("sprout"), "{:?}", of_lens.lens);
    let (last, first) = (of_plain.states.len() - 1, 0);
    for same in [first, last] {
        assert_eq!(
            of_lens.states[same], of_plain.states[same],
            "what enters the first block, and what leaves the last"
        );
    }
    assert_ne!(of_lens.states[1], of_plain.states[1]);
    // Nothing but the identity is the plain lens.
    let identity = |width: usize| (0..width * width).map(|i| if i % (width + 1) == 0 { 1.0 } else { 0.0 }).collect();
    let unit = JacobianLens { matrices: vec![identity(lens.width); lens.matrices.len()], ..(*lens).clone() };
    let of_unit = read(&mut script, model, LensSpec { fitted: Some(Arc::new(unit)), ..plain(prompt) }).unwrap();
    assert_eq!(of_unit.states, of_plain.states);

    // What belongs to other weights, or is no lens, says so.
    let other = JacobianLens { sha256: "0".repeat(64), ..(*lens).clone() };
    write_lens(&path, &other).unwrap();
    assert!(reopen(&mut script, model, &path).unwrap_err().what.contains("other weights"));
    let seedling = script.open(&root().join("models/seedling")).id;
    assert!(reopen(&mut script, seedling, &path).unwrap_err().what.contains("does not fit seedling"));
    for (written, named) in [
        (b"no lens at all".to_vec(), "damaged"),
        (std::fs::read(root().join("models/sprout/model.safetensors")).unwrap(), "d_model"),
    ] {
        std::fs::write(&path, written).unwrap();
        let error = reopen(&mut script, model, &path).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
    for (wrong, named) in [
        (FitSpec { tokens: 12, ..FitSpec::default() }, "12 tokens"),
        (FitSpec { tokens: 100_000, ..FitSpec::default() }, "100000 tokens"),
        (FitSpec { count: 1, ..FitSpec::default() }, "1 passage"),
    ] {
        let error = fit(&mut script, model, wrong).unwrap_err();
        assert!(error.what.contains(named), "{error}");
    }
}
