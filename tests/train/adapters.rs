//! Runs that learn an adapter and leave their base as it is.

use super::{Engine, STAGES, few_shot_data, few_shot_spec, resumed_equals_uninterrupted_in, sums, text_spec};
use fovea::engine::{AdapterSpec, Command, Work};
use fovea::types::{AdapterSetting, EvaluationReport, JobId, LoraSpec, ModelId, StartFrom, TrainSpec};
use std::path::{Path, PathBuf};

/// A base that knows sums, and a text of differences to learn beside it.
fn sums_and_differences(dir: &Path) -> (PathBuf, PathBuf) {
    let (sums_at, differences_at, base) = (dir.join("sums.txt"), dir.join("differences.txt"), dir.join("base"));
    std::fs::write(&sums_at, sums()).unwrap();
    let differences: String =
        (0..400).map(|i| format!("{} from {} is {}.\n", i % 5, i % 7 + 5, i % 7 + 5 - i % 5)).collect();
    std::fs::write(&differences_at, differences).unwrap();
    let (_, summary) = Engine::start().train(ModelId::next(), &text_spec(&sums_at, Some(&base), ""), None);
    summary.unwrap();
    (base, differences_at)
}

/// Settings of an adapter on that base.
fn on_base(base: &Path) -> String {
    format!(
        "[lora]\nrank = 4\nalpha = 8\ntargets = [\"q_proj\", \"v_proj\", \"down_proj\"]\n[start]\nfrom = \"folder\"\npath = {:?}\n",
        base.to_str().unwrap()
    )
}

#[test]
fn a_run_learns_an_adapter_and_leaves_its_base_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (base, data) = sums_and_differences(dir.path());
    let out = dir.path().join("adapter");
    let spec = text_spec(&data, Some(&out), &on_base(&base));
    let (bench, model) = (Engine::start(), ModelId::next());
    let (run, summary) = bench.train(model, &spec, None);
    let best = summary.unwrap().best.unwrap().1;
    assert!(best < 0.75 * run.points[0].loss, "validation loss {best} from {}", run.points[0].loss);
    assert!(!out.join("model.safetensors").exists() && !out.join("checkpoint").exists());
    let file = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let settings: serde_json::Value = serde_json::from_str(&file("adapter_config.json")).unwrap();
    assert_eq!((&settings["r"], &settings["lora_alpha"]), (&4.into(), &8.0.into()));
    assert_eq!(settings["base_model_name_or_path"], base.to_str().unwrap());
    assert!(file("training.json").contains("\"lora\""));
    // Opened on its base it says what the model in memory says; switched off, what the base says.
    let loss = |model| match bench.evaluate(model, &data) {
        EvaluationReport::Text { loss, .. } => loss,
        other => panic!("{other:?}"),
    };
    let in_memory = loss(model);
    let opened = bench.open(&base);
    let of_base = loss(opened);
    let work = |work: Work| {
        let job = JobId::next();
        bench.send(Command::start(job, opened, work));
        bench.end(job, |_| {}).unwrap();
    };
    let spec = AdapterSpec { path: out.clone(), setting: AdapterSetting::default() };
    work(Work::OpenAdapter(spec));
    assert!((loss(opened) - in_memory).abs() < 1e-6 && in_memory < 0.75 * of_base, "{in_memory} of {of_base}");
    work(Work::SetAdapter(Some(AdapterSetting { on: false, factor: 1.0 })));
    assert_eq!(loss(opened), of_base);
    // Weights that no file holds are no base.
    work(Work::SetAdapter(Some(AdapterSetting::default())));
    let other = TrainSpec { start: StartFrom::OpenModel, out: None, ..text_spec(&data, None, &on_base(&base)) };
    let error = bench.train(opened, &other, None).1.unwrap_err();
    assert!(error.why.contains("another adapter is in use"), "{error}");
    // A target that is not there is named with those that are.
    let lora = LoraSpec { targets: vec!["c_attn".into()], ..other.lora.clone().unwrap() };
    let other = TrainSpec { lora: Some(lora), ..text_spec(&data, None, &on_base(&base)) };
    let error = bench.train(ModelId::next(), &other, None).1.unwrap_err();
    assert!(error.what.contains("c_attn") && error.why.contains("gate_proj"), "{error}");
}

#[test]
fn a_resumed_run_of_an_adapter_equals_an_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let (base, data) = sums_and_differences(dir.path());
    let spec = |out: &Path| text_spec(&data, Some(out), &on_base(&base));
    resumed_equals_uninterrupted_in("adapter_model.safetensors", spec);
    // Its checkpoint, left by the last of these runs, holds the changes and nothing of the base.
    let bytes = std::fs::read(dir.path().join("base/model.safetensors")).unwrap().len() as u64;
    let bench = Engine::start();
    let stopped = dir.path().join("stopped");
    bench.train(ModelId::next(), &spec(&stopped), Some(25)).1.unwrap();
    let state = stopped.join("checkpoint/state.safetensors");
    assert!(std::fs::metadata(&state).unwrap().len() < bytes / 2, "no weights of the base");
    let names = std::fs::read(&state).unwrap();
    let header = String::from_utf8_lossy(&names[8..400]).into_owned();
    assert!(header.contains("blocks.0.qkv.weight.q_proj.lora_A") || header.contains("lora_B"), "{header}");
}

#[test]
fn a_resumed_few_shot_run_of_an_adapter_equals_an_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    few_shot_data(dir.path());
    let base = dir.path().join("base");
    Engine::start().train(ModelId::next(), &few_shot_spec(dir.path(), Some(&base), STAGES), None).1.unwrap();
    let stages = "[[task.stages]]\nuntil = 1.0\ntext = 1.0\nfacts = 1.0\n";
    resumed_equals_uninterrupted_in("adapter_model.safetensors", |out| {
        let spec = few_shot_spec(dir.path(), Some(out), stages);
        let lora = LoraSpec { rank: 2, alpha: 4.0, rank_stabilised: true, targets: vec!["all-linear".into()] };
        TrainSpec { start: StartFrom::Folder { path: base.clone() }, lora: Some(lora), ..spec }
    });
}
