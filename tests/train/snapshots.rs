//! What a run was at chosen steps: the same whoever opens it, and whenever the run was interrupted.

use super::{Engine, bars, digits_spec, sums, text_spec};
use fovea::analysis::{AtlasScore, HeadAtlas, Order, Probe, Sequence, Surroundings};
use fovea::engine::{
    AdapterSpec, Command, Event, InspectSpec, NeighboursSpec, Outcome, PromptInput, SnapshotSpec, Work, read_snapshots,
};
use fovea::types::{
    AdapterSetting, HeadValues, InspectReport, JobId, ModelId, ModelInfo, NeighboursReport, RunSnapshot, SiteFilter,
    TrainSpec, share_moved,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Engine {
    /// Does something with a model; what it ended with, and the model as it was told last.
    fn does(&self, model: ModelId, work: Work) -> (Outcome, Option<ModelInfo>) {
        let (job, mut told) = (JobId::next(), None);
        self.send(Command::start(job, model, work));
        let outcome = self.end(job, |event| {
            if let Event::Model { info, .. } = event {
                told = Some(info.clone());
            }
        });
        (outcome.unwrap(), told)
    }

    fn inspect(&self, model: ModelId, prompt: PromptInput) -> Arc<InspectReport> {
        let spec = InspectSpec { prompt, sites: SiteFilter::patterns(), edits: Vec::new() };
        match self.does(model, Work::Inspect(spec)).0 {
            Outcome::Inspected(report) => report,
            other => panic!("{other:?}"),
        }
    }

    fn shown(&self, model: ModelId, run: &Path, step: usize) -> ModelInfo {
        let (outcome, told) = self.does(model, Work::ShowSnapshot(SnapshotSpec { run: run.to_owned(), step }));
        assert!(matches!(outcome, Outcome::SnapshotShown { model: shown } if shown == model));
        told.unwrap()
    }

    fn neighbours(&self, model: ModelId, word: &str) -> Arc<NeighboursReport> {
        match self.does(model, Work::Neighbours(NeighboursSpec { word: word.to_owned(), count: 5 })).0 {
            Outcome::NeighboursFound(report) => report,
            other => panic!("{other:?}"),
        }
    }
}

fn text() -> PromptInput {
    PromptInput::Text("3 and 2 are 5. 3 and 2 are".to_owned())
}

/// The files of all steps, and the lines.
fn files(run: &Path, file: &str) -> (String, Vec<(PathBuf, Vec<u8>)>) {
    let lines = std::fs::read_to_string(run.join("snapshots.jsonl")).unwrap();
    let folders = std::fs::read_dir(run.join("snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let read = |folder: PathBuf| {
        let bytes = std::fs::read(folder.join(file)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        (folder.strip_prefix(run).unwrap().to_owned(), bytes)
    };
    let mut weights: Vec<_> = folders.map(read).collect();
    weights.sort();
    (lines, weights)
}

fn steps(snapshots: &[RunSnapshot]) -> Vec<usize> {
    snapshots.iter().map(|snapshot| snapshot.step).collect()
}

/// Compares what was recorded with the scores that the atlas gives of an open model.
fn scores_are_those_of(bench: &Engine, model: ModelId, info: &ModelInfo, recorded: &HeadValues) {
    let (vocabulary, context) = (info.shape.vocabulary().unwrap(), info.shape.context().unwrap());
    let Outcome::Tokenized(tokens) = bench.does(model, Work::Tokenize(PromptInput::Text("a".into()))).0 else {
        panic!()
    };
    let around = Surroundings::of(&tokens.tokens);
    let probe = Probe::new(vocabulary, context, &around, recorded.seed).unwrap();
    assert_eq!(probe.half, recorded.half);
    let report = bench.inspect(model, PromptInput::Ids(probe.ids.clone()));
    let atlas = HeadAtlas::of(&report, &Sequence::of_probe(&probe, Order::LeftToRight), &|| true).unwrap();
    for score in [AtlasScore::InductionRepeats, AtlasScore::Previous, AtlasScore::Duplicate] {
        for (layer, heads) in recorded.scores[score.id()].iter().enumerate() {
            for (head, value) in heads.iter().enumerate() {
                let wanted = atlas.head(layer, head).unwrap().value(score);
                assert!((value.unwrap() - wanted.unwrap()).abs() < 1e-6, "{} of {layer}.{head}", score.id());
            }
        }
    }
}

#[test]
fn a_run_keeps_what_it_was_and_every_value_is_that_of_its_weights() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("sums.txt"), dir.path().join("out"));
    std::fs::write(&data, sums()).unwrap();
    let bench = Engine::start();
    let spec = text_spec(&data, Some(&out), "snapshots = \"doubling\"\nsample_prompts = [\"2 and 1\", \"4\"]");
    let (job, model) = (JobId::next(), ModelId::next());
    let (mut told, mut points) = (Vec::new(), Vec::new());
    bench.send(Command::start(job, model, Work::Train(spec)));
    bench
        .end(job, |event| match event {
            Event::Snapshot { snapshot, .. } => told.push((**snapshot).clone()),
            Event::Trained { points: new, .. } => points.extend(new.clone()),
            _ => {}
        })
        .unwrap();
    assert_eq!(steps(&told), [0, 1, 2, 4, 8, 16, 32, 60]);
    let read = read_snapshots(&out);
    assert_eq!(steps(&read), steps(&told));
    assert!(read.iter().zip(&told).all(|(read, told)| read.weights == told.weights && read.samples == told.samples));
    for snapshot in &read {
        let of_step = points.iter().find(|point| point.step == snapshot.step);
        assert!(of_step.is_none_or(|point| (point.loss - snapshot.loss.unwrap()).abs() < 1e-12));
        assert!(snapshot.validation_loss.is_some() && snapshot.samples.len() == 2, "{snapshot:?}");
        assert_eq!(snapshot.examples, (snapshot.step * 4 * 32) as u64);
    }
    assert_eq!((read[0].loss, share_moved(&read[0].moved)), (None, Some(0.0)));
    let shares: Vec<f64> = read.iter().map(|snapshot| share_moved(&snapshot.moved).unwrap()).collect();
    assert!(shares.is_sorted() && shares[7] > 0.1, "{shares:?}");
    // What the last step measured is what the curve has of it.
    let last = points.iter().rev().find(|point| point.step == 60).unwrap();
    assert_eq!(read[7].validation_loss.map(|loss| loss as f32), last.validation_loss.map(|loss| loss as f32));

    // Under one name, step by step: what each folder says by itself.
    let viewer = ModelId::next();
    let mut seen = Vec::new();
    for step in [0, 8, 60] {
        let info = bench.shown(viewer, &out, step);
        assert_eq!(info.name, format!("out, step {step}"));
        let by_path = bench.open(&out.join(format!("snapshots/step-{step:06}")));
        let (shown, wanted) = (bench.inspect(viewer, text()), bench.inspect(by_path, text()));
        assert_eq!(shown.captures, wanted.captures, "step {step}");
        assert_eq!(bench.neighbours(viewer, "3"), bench.neighbours(by_path, "3"));
        let recorded = read.iter().find(|snapshot| snapshot.step == step).unwrap().heads.as_ref().unwrap();
        scores_are_those_of(&bench, viewer, &info, recorded);
        seen.push((shown.captures.clone(), bench.neighbours(viewer, "3")));
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2], "other weights see something else");
    let near = &seen[2].1;
    assert!(near.near.len() == 5 && near.near.is_sorted_by(|a, b| a.2 >= b.2), "{near:?}");
    assert!(near.near.iter().all(|(id, _, cosine)| *id != near.id && *cosine <= 1.0));

    // Taken away by hand, they are not there, and what was noted stays.
    std::fs::remove_dir_all(out.join("snapshots/step-000008")).unwrap();
    let job = JobId::next();
    bench.send(Command::start(job, viewer, Work::ShowSnapshot(SnapshotSpec { run: out.clone(), step: 8 })));
    let error = bench.end(job, |_| {}).unwrap_err();
    assert!(error.what.contains("step 8") && error.next.contains("noted"), "{error}");
    let again = read_snapshots(&out);
    assert_eq!((again.len(), again.iter().filter(|snapshot| snapshot.weights.is_none()).count()), (8, 1));
}

/// Trains once without a stop and once with one, and compares all snapshots to the last bit.
fn resumed_has_the_same(file: &str, spec_with: impl Fn(&Path) -> TrainSpec) {
    let dir = tempfile::tempdir().unwrap();
    let (whole, parted) = (dir.path().join("whole"), dir.path().join("parted"));
    let bench = Engine::start();
    bench.train(ModelId::next(), &spec_with(&whole), None).1.unwrap();
    bench.train(ModelId::next(), &spec_with(&parted), Some(25)).1.unwrap();
    drop(bench);
    let bench = Engine::start();
    let job = JobId::next();
    let mut told = Vec::new();
    bench.send(Command::start(job, ModelId::next(), Work::Train(spec_with(&parted))));
    bench
        .end(job, |event| {
            if let Event::Snapshot { snapshot, .. } = event {
                told.push((**snapshot).clone());
            }
        })
        .unwrap();
    assert_eq!(steps(&told), steps(&read_snapshots(&whole)), "those of before come first");
    let (wanted, got) = (files(&whole, file), files(&parted, file));
    assert_eq!(wanted.0, got.0, "what was noted");
    assert!(wanted.1.len() > 3 && wanted.1 == got.1, "the weights");
}

#[test]
fn a_resumed_run_has_the_snapshots_of_an_uninterrupted_one() {
    let data = bars(120);
    resumed_has_the_same("model.safetensors", |out| digits_spec(data.path(), Some(out), "snapshots = \"every 7\""));
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("sums.txt");
    std::fs::write(&data, sums()).unwrap();
    resumed_has_the_same("model.safetensors", |out| {
        text_spec(&data, Some(out), "snapshots = [3, 20, 24, 25, 26, 40, 59]")
    });
}

#[test]
fn watching_changes_nothing_of_what_is_learned() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("sums.txt");
    std::fs::write(&data, sums()).unwrap();
    let bench = Engine::start();
    let weights = |name: &str, more: &str| {
        let out = dir.path().join(name);
        let (run, summary) = bench.train(ModelId::next(), &text_spec(&data, Some(&out), more), None);
        let losses: Vec<_> = run.points.iter().map(|point| (point.step, point.loss, point.validation_loss)).collect();
        (summary.unwrap().best, losses, std::fs::read(out.join("model.safetensors")).unwrap(), run.samples)
    };
    assert!(weights("alone", "") == weights("watched", "snapshots = \"every 3\""));
}

#[test]
fn snapshots_of_an_adapter_are_adapters_on_the_base() {
    let dir = tempfile::tempdir().unwrap();
    let (data, base, out) = (dir.path().join("sums.txt"), dir.path().join("base"), dir.path().join("adapter"));
    std::fs::write(&data, sums()).unwrap();
    let bench = Engine::start();
    bench.train(ModelId::next(), &text_spec(&data, Some(&base), ""), None).1.unwrap();
    let lora = |more: &str| {
        format!(
            "{more}\n[lora]\nrank = 4\nalpha = 8\ntargets = [\"q_proj\", \"v_proj\", \"down_proj\"]\n[start]\nfrom = \"folder\"\npath = {base:?}\n"
        )
    };
    let spec = text_spec(&data, Some(&out), &lora("snapshots = [4, 30]"));
    bench.train(ModelId::next(), &spec, None).1.unwrap();
    let read = read_snapshots(&out);
    assert_eq!(steps(&read), [0, 4, 30]);
    let moved: Vec<&str> = read[2].moved.iter().filter(|m| m.by > Some(0.0)).map(|m| m.place().1).collect();
    assert!(moved.contains(&"qkv.weight") && moved.contains(&"mlp_out.weight"), "{moved:?}");
    assert!(share_moved(&read[1].moved) < share_moved(&read[2].moved));
    let viewer = ModelId::next();
    for (step, snapshot) in [0, 4, 30].into_iter().zip(&read) {
        let info = bench.shown(viewer, &out, step);
        assert_eq!(info.adapter.as_ref().unwrap().name, format!("adapter, step {step}"));
        let by_path = bench.open(&base);
        let folder = snapshot.weights.clone().unwrap();
        bench.does(by_path, Work::OpenAdapter(AdapterSpec { path: folder, setting: AdapterSetting::default() }));
        assert_eq!(bench.inspect(viewer, text()).captures, bench.inspect(by_path, text()).captures, "step {step}");
        scores_are_those_of(&bench, viewer, &info, snapshot.heads.as_ref().unwrap());
    }
    resumed_has_the_same("adapter_model.safetensors", |out| {
        text_spec(&data, Some(out), &lora("snapshots = \"every 9\""))
    });
}

#[test]
fn snapshots_are_told_on_the_command_line_and_open_like_models() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("sums.txt"), dir.path().join("out"));
    std::fs::write(&data, sums()).unwrap();
    Engine::start().train(ModelId::next(), &text_spec(&data, Some(&out), "snapshots = [10]"), None).1.unwrap();
    let fovea = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_fovea")).args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let run = out.to_str().unwrap();
    let (code, listed, _) = fovea(&["snapshots", run]);
    assert!(code == Some(0) && listed.contains("induction_repeats") && listed.contains("step-000010"), "{listed}");
    let csv = dir.path().join("s.csv");
    let (_, json, _) = fovea(&["snapshots", run, "--json", "--out", csv.to_str().unwrap()]);
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(std::fs::read_to_string(csv).unwrap().contains("\n10,induction_repeats,1,3,"));
    // The scores of `fovea heads` on the folder are those that were noted.
    let snapshot = &told["snapshots"][1];
    let folder = snapshot["weights"].as_str().unwrap();
    let (_, heads, _) = fovea(&["heads", "--model", folder, "--json"]);
    let heads: serde_json::Value = serde_json::from_str(&heads).unwrap();
    for head in heads["heads"].as_array().unwrap() {
        let (layer, number) = (head["layer"].as_u64().unwrap() as usize, head["head"].as_u64().unwrap() as usize);
        let noted = snapshot["heads"]["scores"]["induction_repeats"][layer][number].as_f64().unwrap();
        let wanted = head["scores"]["induction_repeats"].as_f64().unwrap();
        assert!((noted - wanted).abs() < 1e-6, "{noted} {wanted}");
    }
    let (code, _, error) = fovea(&["snapshots", dir.path().to_str().unwrap()]);
    assert!(code != Some(0) && error.contains("no run.json"), "{error}");
}
