//! Search by changing: sweeps and patching are what whole passes under the same changes give, in every family, and what PyTorch gives.
//!
//! `tests/golden/make_search.py` wrote the golden values, in double precision.

mod support;

use fovea::engine::{Command, Event, Outcome, PatchHow, PatchSpec, PromptInput, SweepSpec, Work};
use fovea::load::{open_encoder_model, open_text_model, open_vision_model, read_picture};
use fovea::nn::{Change, Hooks, Read, SiteEdit, SiteValue, Transformer};
use fovea::types::{
    DeviceChoice, Effect, JobId, ModelId, Part, PatchAlong, PatchReport, PatchSite, Picture, Removal, Site, SiteSet,
    SweepReport, UserError,
};
use serde_json::Value;
use std::sync::Arc;
use support::root;
use support::script::{Script, ids};

const DECODERS: [&str; 10] =
    ["gpt2", "gpt-neox", "gpt-neox-sequential", "llama", "llama-tied", "llama3", "mistral", "qwen2", "qwen3", "gemma2"];
const ENCODERS: [&str; 3] = ["bert", "roberta", "distilbert"];
const PICTURES: [&str; 2] = ["vit", "deit"];
/// Scores of tiny models agree within some 10⁻⁵; differences of them, divided by their ends, within a little more.
const TOLERANCE: f64 = 1e-4;

fn open(script: &mut Script, name: &str) -> ModelId {
    script.open(&root().join("tests/golden").join(name)).id
}

fn sweep(script: &mut Script, model: ModelId, spec: SweepSpec) -> Result<Arc<SweepReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Sweep(spec)));
    match script.end(job)? {
        Outcome::Swept(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

fn patch(script: &mut Script, model: ModelId, spec: PatchSpec) -> Result<Arc<PatchReport>, UserError> {
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Patch(spec)));
    match script.end(job)? {
        Outcome::Patched(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

fn sweeping(prompt: PromptInput) -> SweepSpec {
    SweepSpec { prompt, position: None, target: None, removal: Removal::Zero, edits: Vec::new() }
}

fn patching(source: PromptInput, destination: PromptInput, site: PatchSite, along: PatchAlong) -> PatchSpec {
    let (position, answers, edits) = (None, [None, None], Vec::new());
    PatchSpec { source, destination, position, answers, site, along, how: PatchHow::Measure, edits }
}

fn golden() -> Value {
    let text = std::fs::read_to_string(root().join("tests/golden/search.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn list(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The letters whose tokens are the golden answers.
fn answers(name: &str) -> [Option<String>; 2] {
    let letters = match name {
        _ if ENCODERS.contains(&name) => ["a", "m"],
        _ if PICTURES.contains(&name) => ["0", "1"],
        _ => ["f", "r"],
    };
    letters.map(|letter| Some(letter.to_owned()))
}

#[test]
fn sweeps_are_what_pytorch_gives() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "llama", "gemma2", "bert"] {
        let model = open(&mut script, name);
        let [target, _] = answers(name);
        let position = golden[name]["position"].as_u64().map(|position| position as usize);
        let mut worst = 0.0f64;
        for removal in [Removal::Zero, Removal::Mean] {
            let (prompt, target) = (ids(list(&golden["destination"])), target.clone());
            let report =
                sweep(&mut script, model, SweepSpec { position, target, removal, ..sweeping(prompt) }).unwrap();
            assert_eq!(u64::from(report.target.id), golden["answers"][0].as_u64().unwrap(), "{name}");
            let expected = &golden[name]["sweeps"][removal.name()];
            let mut near = |what: &str, ours: f64, theirs: f64| {
                assert!(
                    (ours - theirs).abs() < TOLERANCE,
                    "{name}, {}: {what} is {ours}, not {theirs}",
                    removal.name()
                );
                worst = worst.max((ours - theirs).abs());
            };
            near("the answer", report.log_prob, expected[0].as_f64().unwrap());
            for (layer, row) in expected[1].as_array().unwrap().iter().enumerate() {
                let ours = report.heads[layer].iter().chain([&report.mlps[layer]]);
                assert_eq!(report.heads[layer].len() + 1, row.as_array().unwrap().len());
                for (column, (effect, theirs)) in ours.zip(row.as_array().unwrap()).enumerate() {
                    let effect = effect.unwrap();
                    near(&format!("part {layer}.{column}"), effect.log_prob, theirs[0].as_f64().unwrap());
                    near(
                        &format!("the divergence of {layer}.{column}"),
                        effect.divergence,
                        theirs[1].as_f64().unwrap(),
                    );
                }
            }
        }
        println!("{name}: effects differ by at most {worst:.1e}");
    }
}

#[test]
fn patching_and_its_estimate_are_what_pytorch_gives() {
    let golden = golden();
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "llama", "gemma2", "bert"] {
        let model = open(&mut script, name);
        let position = golden[name]["position"].as_u64().map(|position| position as usize);
        let mut worst = 0.0f64;
        for map in golden[name]["maps"].as_array().unwrap() {
            let site: PatchSite = map["site"].as_str().unwrap().parse().unwrap();
            let along = if map["along"] == "heads" { PatchAlong::Heads } else { PatchAlong::Positions };
            let [source, destination] = ["source", "destination"].map(|side| ids(list(&golden[side])));
            let spec = PatchSpec {
                position,
                answers: answers(name),
                how: PatchHow::Check(usize::MAX),
                ..patching(source, destination, site, along)
            };
            let report = patch(&mut script, model, spec).unwrap();
            let mut near = |what: &str, ours: f64, theirs: &Value| {
                let theirs = theirs.as_f64().unwrap();
                assert!((ours - theirs).abs() < TOLERANCE, "{name}, {site}, {along:?}: {what} is {ours}, not {theirs}");
                worst = worst.max((ours - theirs).abs());
            };
            near("the destination", report.ends[0], &map["ends"][0]);
            near("the source", report.ends[1], &map["ends"][1]);
            for (layer, cells) in report.cells.iter().enumerate() {
                assert_eq!(cells.len(), map["measured"][layer].as_array().unwrap().len(), "{name}, {site}");
                for (column, cell) in cells.iter().enumerate() {
                    near(&format!("cell {layer}.{column}"), cell.measured.unwrap(), &map["measured"][layer][column]);
                    let estimate = format!("the estimate of {layer}.{column}");
                    near(&estimate, cell.estimated.unwrap(), &map["estimated"][layer][column]);
                }
            }
        }
        println!("{name}: cells differ by at most {worst:.1e}");
    }
}

/// One model of any kind, as its parts.
struct Opened {
    name: &'static str,
    net: Net,
    /// Two prompts of one length.
    reads: [Read; 2],
    inputs: [PromptInput; 2],
}

enum Net {
    Decoder(Box<fovea::nn::CausalLm>),
    Encoder(Box<fovea::nn::TextEncoder>),
    Vision(Box<fovea::nn::Vit>),
}

impl Opened {
    fn new(name: &'static str) -> Self {
        let (dir, device) = (root().join("tests/golden").join(name), burn::tensor::Device::flex());
        let prompt =
            |second: bool| (0..12).map(|i| 5 + (i * 7 + u32::from(second && i >= 4)) % 20).collect::<Vec<u32>>();
        let texts = [prompt(false), prompt(true)];
        if PICTURES.contains(&name) {
            let model = open_vision_model(&dir, &device, &mut |_, _| ()).unwrap();
            let pictures: [Picture; 2] = [0, 1].map(|i| read_picture(&dir.join(format!("picture-{i}.png"))).unwrap());
            let pixels = |picture: &Picture| model.input(model.preprocessor.pixels(&model.preprocessor.seen(picture)));
            let reads = pictures.each_ref().map(|picture| Read::Picture(Box::new(pixels(picture))));
            return Self {
                name,
                net: Net::Vision(Box::new(model.vit)),
                reads,
                inputs: pictures.map(PromptInput::Picture),
            };
        }
        let net = if ENCODERS.contains(&name) {
            Net::Encoder(Box::new(open_encoder_model(&dir, &device, &mut |_, _| ()).unwrap().encoder))
        } else {
            Net::Decoder(Box::new(open_text_model(&dir, &device, &mut |_, _| ()).unwrap().lm))
        };
        Self { name, net, reads: texts.clone().map(Read::Tokens), inputs: texts.map(ids) }
    }

    fn net(&self) -> Transformer<'_> {
        match &self.net {
            Net::Decoder(lm) => Transformer::Decoder(lm),
            Net::Encoder(encoder) => Transformer::Encoder(encoder),
            Net::Vision(vit) => Transformer::Vision(vit),
        }
    }

    /// Scores of a whole pass under changes, nothing of it shared with another.
    fn scores(&self, read: &Read, position: usize, changes: Vec<SiteEdit>) -> Vec<f64> {
        let mut hooks = Hooks::off().editing(changes);
        let stream = self.net().stream(read, &mut hooks);
        let scores = self.net().scores_at(stream, position, &mut hooks).unwrap();
        scores.into_data().iter::<f32>().map(f64::from).collect()
    }

    fn kept(&self, read: &Read, sites: &[Site]) -> Vec<SiteValue> {
        let mut hooks = Hooks::off().keeping(sites.iter().copied().collect::<SiteSet>());
        let _ = self.net().stream(read, &mut hooks);
        sites.iter().map(|site| hooks.take_kept(*site).unwrap()).collect()
    }
}

fn log_probs(scores: &[f64]) -> Vec<f64> {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = scores.iter().map(|score| (score - most).exp()).sum::<f64>().ln() + most;
    scores.iter().map(|score| score - sum).collect()
}

fn every_family() -> impl Iterator<Item = &'static str> {
    DECODERS.into_iter().chain(ENCODERS).chain(PICTURES)
}

#[test]
fn a_part_that_is_removed_in_a_batch_is_removed_as_in_a_pass_of_its_own() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in every_family() {
        let (model, opened) = (open(&mut script, name), Opened::new(name));
        // A change that holds all the while, and comes before, in and behind the blocks that parts are removed from.
        let standing = "blocks.*.attn_out@1 = scale 0.5";
        for (removal, edits) in [(Removal::Zero, vec![]), (Removal::Mean, vec![]), (Removal::Zero, vec![standing])] {
            let spec = SweepSpec {
                removal,
                edits: edits.iter().map(|edit| edit.parse().unwrap()).collect(),
                ..sweeping(opened.inputs[0].clone())
            };
            let report = sweep(&mut script, model, spec).unwrap();
            let (done, all) = report.progress();
            assert!(done == all && all == report.mlps.len() * (report.heads[0].len() + 1), "{name}: {done} of {all}");
            let standing: Vec<SiteEdit> = (0..report.mlps.len() * edits.len())
                .map(|layer| SiteEdit {
                    positions: Some(vec![1]),
                    ..SiteEdit::whole(Site::AttnOut(layer), Change::Scale(0.5))
                })
                .collect();
            let of = |changes: Vec<SiteEdit>| {
                let changes = standing.iter().cloned().chain(changes).collect();
                log_probs(&opened.scores(&opened.reads[0], report.position, changes))
            };
            let (own, target) = (of(Vec::new()), report.target.id as usize);
            assert!((own[target] - report.log_prob).abs() < 1e-5, "{name}");
            let change = if removal == Removal::Zero { Change::Zero } else { Change::Mean };
            for (part, effect) in report.effects() {
                let removed = match part {
                    Part::Head { layer, head } => {
                        SiteEdit { heads: Some(vec![head]), ..SiteEdit::whole(Site::Z(layer), change.clone()) }
                    }
                    Part::Mlp(layer) => SiteEdit::whole(Site::MlpOut(layer), change.clone()),
                };
                let edited = of(vec![removed]);
                let difference = edited[target] - own[target];
                assert!((effect.log_prob - difference).abs() < 2e-5, "{name}, {part}: {effect:?}, not {difference}");
                let kl: f64 = own.iter().zip(&edited).map(|(own, edited)| own.exp() * (own - edited)).sum();
                assert!((effect.divergence - kl).abs() < 2e-5 && kl > -1e-6, "{name}, {part}: {effect:?}, not {kl}");
            }
        }
        script.send(Command::Close { model });
    }
}

#[test]
fn removing_a_head_behind_the_projection_would_be_something_else() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "llama", "gemma2", "bert"] {
        let (model, opened) = (open(&mut script, name), Opened::new(name));
        let report = sweep(&mut script, model, sweeping(opened.inputs[0].clone())).unwrap();
        let heads = report.heads[0].len();
        let [_, after] = [Site::Z(0), Site::AttnOut(0)];
        let value = &opened.kept(&opened.reads[0], &[after])[0];
        let (shape, width) = (value.shape().to_vec(), value.shape()[1] / heads);
        let target = report.target.id as usize;
        let own = log_probs(&opened.scores(&opened.reads[0], report.position, Vec::new()))[target];
        let mut most = 0.0f64;
        for (head, effect) in report.heads[0].iter().enumerate() {
            let mut values: Vec<f32> = value.tensor::<3>().into_data().iter().collect();
            for (i, value) in values.iter_mut().enumerate() {
                *value = if i % shape[1] / width == head { 0.0 } else { *value };
            }
            let sliced = SiteValue::new(values, &shape, &burn::tensor::Device::flex());
            let sliced = SiteEdit::whole(after, Change::Set(Box::new(sliced)));
            let wrong = log_probs(&opened.scores(&opened.reads[0], report.position, vec![sliced]))[target] - own;
            most = most.max((wrong - effect.unwrap().log_prob).abs());
        }
        assert!(most > 0.01, "{name}: the heads are mixed there, and both differ by {most} at most");
    }
}

#[test]
fn every_cell_is_what_a_pass_of_its_own_gives_and_idle_ones_are_the_destination() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let (mut idle, mut seen) = (0, 0);
    for name in every_family() {
        let (model, opened) = (open(&mut script, name), Opened::new(name));
        let [source, destination] = [1, 0].map(|side| opened.inputs[side].clone());
        let sites = opened.net().sites();
        for site in PatchSite::ALL.into_iter().filter(|site| sites.contains(&site.of(0))) {
            for along in [PatchAlong::Positions, PatchAlong::Heads] {
                if along == PatchAlong::Heads && !site.has_heads() {
                    continue;
                }
                let spec =
                    PatchSpec { answers: answers(name), ..patching(source.clone(), destination.clone(), site, along) };
                let report = patch(&mut script, model, spec).unwrap();
                let above =
                    |scores: &[f64]| scores[report.answers[0].id as usize] - scores[report.answers[1].id as usize];
                let of = |read: &Read, changes| above(&opened.scores(read, report.position, changes));
                let ends = [of(&opened.reads[0], vec![]), of(&opened.reads[1], vec![])];
                for (ours, own) in report.ends.iter().zip(ends) {
                    assert!((ours - own).abs() < 1e-5, "{name}: {:?}, not {ends:?}", report.ends);
                }
                let places: Vec<Site> = (0..report.cells.len()).map(|layer| site.of(layer)).collect();
                let values = opened.kept(&opened.reads[1], &places);
                for (layer, cells) in report.cells.iter().enumerate() {
                    for (column, cell) in cells.iter().enumerate() {
                        let whole = SiteEdit::whole(places[layer], Change::Set(Box::new(values[layer].clone())));
                        let change = match along {
                            PatchAlong::Positions => SiteEdit { positions: Some(vec![column]), ..whole },
                            PatchAlong::Heads => SiteEdit { heads: Some(vec![column]), ..whole },
                        };
                        let own = PatchReport::normalised(report.ends, of(&opened.reads[0], vec![change]));
                        let scale = (report.ends[1] - report.ends[0]).abs();
                        let measured = cell.measured.unwrap();
                        let near = (measured - own).abs() * scale < 2e-5;
                        assert!(near, "{name}, {site}, {along:?}, {layer}.{column}: {cell:?}, not {own}");
                        assert!(!cell.is_idle || measured == 0.0);
                        (idle, seen) = (idle + usize::from(cell.is_idle), seen + 1);
                    }
                }
            }
        }
        script.send(Command::Close { model });
    }
    assert!(idle > seen / 10 && idle < seen, "{idle} of {seen} cells are idle");
}

#[test]
fn the_cone_of_a_causal_model_is_idle_and_its_windows_cut_it() {
    let mut script = Script::start(DeviceChoice::Cpu);
    for name in ["gpt2", "mistral"] {
        let (model, opened) = (open(&mut script, name), Opened::new(name));
        let [source, destination] = [1, 0].map(|side| opened.inputs[side].clone());
        let map = |script: &mut Script, site| {
            let spec = PatchSpec {
                position: Some(8),
                ..patching(source.clone(), destination.clone(), site, PatchAlong::Positions)
            };
            patch(script, model, spec).unwrap()
        };
        let last = opened.net().blocks() - 1;
        let idle = |report: &PatchReport, layer: usize| -> Vec<usize> {
            (0..12).filter(|at| report.cells[layer][*at].is_idle).collect()
        };
        let of_mlp = map(&mut script, PatchSite::MlpOut);
        assert_eq!(idle(&of_mlp, last), [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11], "{name}: nothing looks at them any more");
        // The prompts are the same up to the fourth token.
        let of_stream = map(&mut script, PatchSite::ResidPre);
        let window = opened.net().window(last);
        let seen_from = window.map_or(0, |window| 9usize.saturating_sub(window));
        let expected: Vec<usize> = (0..12).filter(|at| *at < seen_from.max(4) || *at > 8).collect();
        assert_eq!(idle(&of_stream, last), expected, "{name}, a window of {window:?}");
    }
}

#[test]
fn all_positions_of_a_stream_together_are_the_source() {
    // What a map shows cell by cell adds up to nothing in general; all of a layer at once is the source.
    for name in every_family() {
        let opened = Opened::new(name);
        let last = opened.net().blocks() - 1;
        for layer in [0, last] {
            let value = opened.kept(&opened.reads[1], &[Site::ResidPre(layer)]).remove(0);
            let whole = SiteEdit::whole(Site::ResidPre(layer), Change::Set(Box::new(value)));
            let (patched, source) =
                (opened.scores(&opened.reads[0], 5, vec![whole]), opened.scores(&opened.reads[1], 5, vec![]));
            let worst = patched.iter().zip(&source).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-5, "{}, block {layer}: {worst}", opened.name);
        }
    }
}

#[test]
fn the_largest_estimates_are_checked_and_the_correlation_is_of_what_was_checked() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let (model, opened) = (open(&mut script, "gpt2"), Opened::new("gpt2"));
    let [source, destination] = [1, 0].map(|side| opened.inputs[side].clone());
    let spec = |how| PatchSpec {
        how,
        ..patching(source.clone(), destination.clone(), PatchSite::ResidPre, PatchAlong::Positions)
    };
    let estimated = patch(&mut script, model, spec(PatchHow::Estimate)).unwrap();
    assert!(estimated.cells.iter().flatten().all(|cell| cell.estimated.is_some()));
    assert_eq!((estimated.progress().0, estimated.correlation()), (0, None));
    let checked = patch(&mut script, model, spec(PatchHow::Check(5))).unwrap();
    assert_eq!(checked.progress().0, 5);
    let (correlation, count) = checked.correlation().unwrap();
    assert!((-1.0..=1.0).contains(&correlation) && count == 5);
    let live = || checked.cells.iter().flatten().filter(|cell| !cell.is_idle);
    let size = |measured: bool| {
        live().filter(move |cell| cell.measured.is_some() == measured).map(|cell| cell.estimated.unwrap().abs())
    };
    assert!(size(true).fold(f64::MAX, f64::min) >= size(false).fold(0.0, f64::max), "the largest are checked");
    let whole = patch(&mut script, model, spec(PatchHow::Measure)).unwrap();
    for (checked, whole) in checked.cells.iter().flatten().zip(whole.cells.iter().flatten()) {
        assert!(checked.measured.is_none_or(|value| (value - whole.measured.unwrap()).abs() < 1e-5));
    }
}

#[test]
fn a_sweep_shows_layers_as_they_are_tried_and_ends_with_them_when_it_is_stopped() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = open(&mut script, "gpt2");
    let job = JobId::next();
    script.send(Command::start(job, model, Work::Sweep(sweeping(ids((5..25).collect::<Vec<u32>>())))));
    let so_far = script.until("a layer", |event| match event {
        Event::SoFar { job: of, outcome: Outcome::Swept(report) } if *of == job => Some(Arc::clone(report)),
        _ => None,
    });
    let known = |report: &SweepReport| -> Vec<usize> {
        let layers = report.heads.iter().map(|heads| heads.iter().flatten().count());
        layers.collect()
    };
    assert!(known(&so_far)[0] == 0 && known(&so_far).last().unwrap() > &0, "the last layer is tried first: {so_far:?}");
    let Ok(Outcome::Swept(report)) = script.end(job) else { panic!("it ends") };
    for (part, effect) in so_far.effects() {
        let same = report.effects().find(|(of, _)| *of == part).map(|(_, effect)| effect);
        assert_eq!(same, Some(effect), "{part}");
    }
}

#[test]
fn what_cannot_be_asked_says_why() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = open(&mut script, "gpt2");
    let of = |text: &[u32]| ids(text.to_vec());
    let both = |source: &[u32], destination: &[u32]| {
        patching(of(source), of(destination), PatchSite::ResidPre, PatchAlong::Positions)
    };
    let said = |script: &mut Script, spec| patch(script, model, spec).unwrap_err();
    let error = said(&mut script, both(&[5, 6, 7], &[5, 6]));
    assert!(error.what.contains("3 and 2 tokens"), "{error}");
    let error = said(&mut script, both(&[5, 6, 7], &[5, 6, 7]));
    assert!(error.what.contains("Both prompts have the answer"), "{error}");
    let named = [Some("f".to_owned()), Some("r".to_owned())];
    let error = said(&mut script, PatchSpec { answers: named, ..both(&[5, 6, 7], &[5, 6, 7]) });
    assert!(error.what.contains("do not differ"), "{error}");
    let error = said(&mut script, PatchSpec { along: PatchAlong::Heads, ..both(&[5, 6, 7], &[5, 6, 8]) });
    assert!(error.what.contains("resid_pre has no heads"), "{error}");
    let error = said(&mut script, PatchSpec { position: Some(7), ..both(&[5, 6, 7], &[5, 6, 8]) });
    assert!(error.what.contains("no position 7"), "{error}");

    let sweep_of = |script: &mut Script, model, spec| sweep(script, model, spec).unwrap_err();
    let edits = vec!["blocks.9.attn.z = zero".parse().unwrap()];
    let error = sweep_of(&mut script, model, SweepSpec { edits, ..sweeping(of(&[5, 6])) });
    assert!(error.what.contains("blocks.9.attn.z"), "{error}");
    let bare = open(&mut script, "bert-bare");
    let error = sweep_of(&mut script, bare, sweeping(of(&[5, 6])));
    assert!(error.why.contains("without a head"), "{error}");
    let vit = open(&mut script, "vit");
    let error = sweep_of(&mut script, vit, sweeping(of(&[5, 6])));
    assert!(error.what.contains("reads pictures"), "{error}");
    let picture = Opened::new("vit").inputs[0].clone();
    let error = sweep_of(&mut script, vit, SweepSpec { target: Some("no such class".into()), ..sweeping(picture) });
    assert!(error.what.contains("no such class"), "{error}");
    let neox = open(&mut script, "gpt-neox");
    let error =
        patch(&mut script, neox, PatchSpec { site: PatchSite::ResidMid, ..both(&[5, 6, 7], &[5, 6, 8]) }).unwrap_err();
    assert!(error.what.contains("resid_mid"), "{error}");
}

#[test]
fn a_target_of_several_tokens_is_meant_by_its_first_and_that_is_told() {
    let mut script = Script::start(DeviceChoice::Cpu);
    let model = script.open(&root().join("models/sprout")).id;
    let target = Some(" mat and then more".to_owned());
    let report = sweep(&mut script, model, SweepSpec { target, ..sweeping("The cat sat on the".into()) }).unwrap();
    assert!(report.target.of > 1 && " mat".starts_with(&report.target.text), "{:?}", report.target);
    let largest = report.ranked().first().map(|(_, Effect { log_prob, .. })| log_prob.abs());
    assert_eq!(largest, Some(report.largest()));
}
