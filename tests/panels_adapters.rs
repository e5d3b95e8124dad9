//! An adapter in the window: dropped, shown with its switch and its factor, named by results, learned in place of all weights.

#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use fovea::engine::{AdapterSpec, Command, Event, Work};
use fovea::types::{Ability, AdapterInfo, AdapterSetting, ModelInfo, TrainTask};
use fovea::ui::{AppOptions, ThemeChoice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use window::{Dropped, LAPTOP, SMALL, Window, with_text_model};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/adapters").join(name)
}

fn model(window: &Window<'_>) -> ModelInfo {
    window.app().state().active(Ability::Continue).unwrap().info.clone()
}

/// What the engine tells once an adapter is used in this way.
fn put(window: &mut Window<'_>, setting: AdapterSetting) {
    let adapter = AdapterInfo {
        name: "poems".into(),
        path: golden("llama-varied"),
        base: Some("HuggingFaceTB/SmolLM2-135M".into()),
        rank: 8,
        alpha: 16.0,
        rank_stabilised: false,
        is_varied: false,
        tensors: 120,
        matrices: 60,
        parameters: 460_800,
        is_identity: false,
        holds_head: false,
        numbers_classes: false,
        setting,
    };
    let info = ModelInfo { adapter: Some(Box::new(adapter)), ..model(window) };
    window.engine.say(Event::Model { info, weights: Arc::default() });
    window.settle();
}

fn settings(window: &Window<'_>) -> Vec<Option<AdapterSetting>> {
    window.engine.sent(|command| match command {
        Command::Start { work, .. } => match &**work {
            Work::SetAdapter(setting) => Some(*setting),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn a_dropped_adapter_is_put_on_the_model_in_use() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    let used = model(&window).id;
    for path in [golden("llama-varied"), golden("llama-varied").join("adapter_model.safetensors")] {
        window.harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
        window.settle();
        let asked = window.engine.sent(|command| match command {
            Command::Start { model, work, .. } => match &**work {
                Work::OpenAdapter(spec) => Some((*model, spec.clone())),
                _ => None,
            },
            _ => None,
        });
        let spec = AdapterSpec { path: golden("llama-varied"), setting: AdapterSetting::default() };
        assert_eq!(asked.last(), Some(&(Some(used), spec)));
    }
}

#[test]
fn an_adapter_has_a_switch_a_factor_and_its_facts_and_results_name_it() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        let options = AppOptions { theme: Some(theme), ..with_text_model() };
        let mut window = Window::open(if theme == ThemeChoice::Dark { SMALL } else { LAPTOP }, 1.0, options);
        put(&mut window, AdapterSetting::default());
        assert!(window.has("applied 120 of 120 tensors · rank 8, alpha 16"));
        assert!(window.has("It says it was made for HuggingFaceTB/SmolLM2-135M, and every tensor fits this model."));
        window.press(Modifiers::COMMAND, Key::Enter);
        let name = model(&window).name;
        assert!(window.has(&format!("{name} + poems · seed 1 · temperature 0.8 · top-k 40")));
        window.click("Use the adapter poems");
        assert_eq!(settings(&window), [Some(AdapterSetting { on: false, factor: 1.0 })]);
        put(&mut window, AdapterSetting { on: false, factor: 1.0 });
        // The output on show was made with it.
        assert!(window.has("made before the last change"));
        window.click("Use the adapter poems");
        put(&mut window, AdapterSetting { on: true, factor: 0.5 });
        window.press(Modifiers::COMMAND, Key::Enter);
        assert!(window.has(&format!("{name} + poems × 0.5 · seed 1 · temperature 0.8 · top-k 40")));
        window.show("models");
        assert!(window.has(&format!("Adapter on {name}")));
        window.click("Take poems off");
        assert_eq!(settings(&window).last(), Some(&None));
    }
}

/// A session with a model in use and an adapter on it.
fn session(dir: &Path, adapter: &Path) -> (PathBuf, AppOptions) {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/llama");
    let adapters = serde_json::json!([{ "model": 0, "path": adapter, "setting": { "on": false, "factor": 0.5 } }]);
    let saved = serde_json::json!({ "models": [model], "adapters": adapters });
    std::fs::write(dir.join("session.json"), saved.to_string()).unwrap();
    (model, AppOptions { state_dir: Some(dir.to_owned()), ..AppOptions::default() })
}

#[test]
fn an_adapter_is_put_back_as_it_was_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (model, options) = session(dir.path(), &golden("llama-varied"));
    let mut window = Window::open(SMALL, 1.0, options);
    let opened = window.engine.sent(|command| match command {
        Command::Start { model: Some(id), work, .. } => match &**work {
            Work::Open(path) if *path == model => Some((*id, None)),
            Work::OpenAdapter(spec) => Some((*id, Some(spec.clone()))),
            _ => None,
        },
        _ => None,
    });
    let setting = AdapterSetting { on: false, factor: 0.5 };
    let spec = AdapterSpec { path: golden("llama-varied"), setting };
    let [(first, None), (second, told)] = &opened[..] else { panic!("{opened:?}") };
    assert_eq!((first, told), (second, &Some(spec)));
    // What is on a model in use is saved again.
    put(&mut window, AdapterSetting { on: true, factor: 0.25 });
    let file = dir.path().join("session.json");
    window.show("models");
    window.wait("the adapter in the session", |_| {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("0.25") && text.contains("llama-varied"))
    });
}

#[test]
fn an_adapter_whose_folder_is_gone_is_told_of_and_its_model_opens_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let (model, options) = session(dir.path(), &dir.path().join("gone"));
    let window = Window::open(SMALL, 1.0, options);
    let opened = window.engine.sent(|command| match command {
        Command::Start { work, .. } => match &**work {
            Work::Open(path) => Some(path.clone()),
            Work::OpenAdapter(spec) => Some(spec.path.clone()),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(opened, [model]);
    assert!(window.harness.query_all_by_label_contains("was not put back.").next().is_some());
}

#[test]
fn a_run_learns_an_adapter_where_that_is_chosen() {
    let mut window = Window::open(LAPTOP, 1.0, with_text_model());
    window.show("fine_tune");
    window.click("Text model");
    window.click("LoRA");
    window.type_into(Role::TextInput, "Targets", "q_proj, down_proj");
    let data = golden("llama-varied").join("adapter_config.json");
    window.type_into(Role::TextInput, "Text file", data.to_str().unwrap());
    window.click("Start training");
    let specs = window.engine.sent(|command| match command {
        Command::Start { work, .. } => match &**work {
            Work::Train(spec) => Some(spec.clone()),
            _ => None,
        },
        _ => None,
    });
    let spec = specs.into_iter().next_back().expect("a run was begun");
    assert!(matches!(spec.task, TrainTask::Text(_)));
    let lora = spec.lora.expect("it learns an adapter");
    assert_eq!((lora.rank, lora.alpha, lora.targets), (8, 16.0, vec!["q_proj".to_owned(), "down_proj".to_owned()]));
    assert!(window.harness.query_by_label("Rank").is_some_and(|node| node.accesskit_node().label().is_some()));
}

#[test]
fn a_decoder_may_say_labels_as_words() {
    let mut window = Window::open(LAPTOP, 1.0, with_text_model());
    window.show("fine_tune");
    window.click("Classes");
    window.type_into(Role::TextInput, "Labelled texts", "data/films.csv");
    window.click("As words");
    // No head could learn alone.
    assert!(!window.has("Head"));
    window.type_into(Role::TextInput, "Template", "Q: {input} A: {output}");
    window.click("Start training");
    let specs = window.engine.sent(|command| match command {
        Command::Start { work, .. } => match &**work {
            Work::Train(spec) => Some(spec.clone()),
            _ => None,
        },
        _ => None,
    });
    let spec = specs.into_iter().next_back().expect("a run was begun");
    assert!(spec.lora.is_some(), "an adapter is what learns unless something else is chosen");
    let TrainTask::Classify(task) = spec.task else { panic!("labels are learned") };
    assert_eq!(task.words.map(|words| words.template).as_deref(), Some("Q: {input} A: {output}"));
}

#[test]
fn adapters_in_pictures() {
    if !window::has_adapter() {
        eprintln!("adapters_in_pictures skipped: no graphics adapter");
        return;
    }
    let mut results = SnapshotResults::new();
    // Text is shaded a little differently by other drivers.
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let app = AppOptions { theme: Some(theme), ..with_text_model() };
        let mut window = Window::open(SMALL, 1.0, app);
        put(&mut window, AdapterSetting { on: true, factor: 0.5 });
        // Memory is never the same twice.
        let status = egui::Rect::from_min_max(egui::pos2(744.0, 612.0), egui::pos2(1024.0, 640.0));
        window.harness.mask(status);
        window.harness.snapshot_options(format!("adapter-prompt-{name}"), &options);
        window.show("fine_tune");
        window.click("Text model");
        window.click("LoRA");
        window.harness.event(egui::Event::PointerGone);
        window.harness.remove_cursor();
        window.settle();
        window.harness.mask(status);
        window.harness.snapshot_options(format!("adapter-fine-tune-{name}"), &options);
        window.click("Classes");
        window.click("As words");
        window.harness.event(egui::Event::PointerGone);
        window.harness.remove_cursor();
        window.settle();
        window.harness.mask(status);
        window.harness.snapshot_options(format!("label-words-{name}"), &options);
        results.extend_harness(&mut window.harness);
    }
}
