//! A run from inside: one axis of steps, what was noted, what is asked of the weights of each, and the attention panel that goes along.

#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use fovea::engine::{Command, PromptInput, Work};
use fovea::types::{
    Confusion, HeadValues, JobId, ModelId, Moved, RunRecord, RunSample, RunSnapshot, RunState, SnapshotSteps,
    TrainSpec, TrainSummary,
};
use fovea::ui::{AppOptions, PanelId, ThemeChoice};
use std::path::{Path, PathBuf};
use window::{LAPTOP, SMALL, Window, plain, with_text_model};

const STEPS: [usize; 5] = [0, 1, 8, 64, 100];

/// What a run of text noted: induction appears between steps 8 and 64.
fn of_text(step: usize) -> RunSnapshot {
    let at = STEPS.iter().position(|other| *other == step).unwrap() as f32;
    let layers =
        |best: f32| vec![vec![Some(0.02 * at), Some(0.05)], vec![Some(best), Some(0.01), Some(0.04), Some(0.03)]];
    let induction = if step < 64 { 0.02 } else { 0.7 };
    let scores = [("induction_repeats", induction), ("previous_token", 0.1 + 0.15 * at), ("duplicate_token", 0.1)];
    let scores = scores.map(|(id, best)| (id.to_owned(), layers(best))).into();
    let named = |path: &str, by: f64| Moved { path: path.to_owned(), by: Some(by * f64::from(at)), from: Some(1.0) };
    let paths = [0, 1].into_iter().flat_map(|layer| {
        let names = ["norm_attn.gain", "qkv.weight", "attn_out.weight", "mlp_out.weight"];
        names.into_iter().zip(1..).map(move |(name, n)| (format!("blocks.{layer}.{name}"), 0.01 * f64::from(n + layer)))
    });
    let mut moved: Vec<Moved> = paths.map(|(path, by)| named(&path, by)).collect();
    moved.insert(0, named("token_embedding", 0.02));
    let sample = RunSample { step, prompt: "Once".into(), seed: 1, text: format!("Once there was step {step}.") };
    RunSnapshot {
        step,
        examples: (step * 64) as u64,
        loss: (step > 0).then(|| 5.0 - f64::from(at)),
        validation_loss: Some(5.1 - f64::from(at)),
        samples: vec![sample],
        heads: Some(HeadValues { seed: 1, half: 50, scores }),
        moved,
        ..RunSnapshot::default()
    }
}

fn of_digits(step: usize) -> RunSnapshot {
    let right = [9, 14, 30, 61, 88][STEPS.iter().position(|other| *other == step).unwrap()];
    let labels: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let mut confusion = Confusion::new(labels);
    for place in 0..100 {
        let class = place % 10;
        confusion.counts[class][if place < right { class } else { (class + 3) % 10 }] += 1;
    }
    let moved = vec![Moved { path: "layers.0.weight".into(), by: Some(step as f64 / 100.0), from: Some(2.0) }];
    RunSnapshot {
        validation_accuracy: Some(right as f64 / 100.0),
        samples: Vec::new(),
        heads: None,
        moved,
        confusion: Some(confusion),
        not_kept: (step == 8).then(|| "Nothing can be written. No space is left on the device.".to_owned()),
        ..of_text(step)
    }
}

const DIGITS: &str = "kind = \"digits\"\ndata = \"data/mnist\"\nnetwork = \"mlp\"\n";
const TEXT: &str = "kind = \"text\"\ndata = [\"verse.txt\"]\ncontext = 32\n";

/// Writes a run as a program that has done it has left it, with these snapshots.
fn leave_run(state: &Path, name: &str, task: &str, snapshots: &[RunSnapshot]) -> PathBuf {
    let folder = state.join("runs").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let wants = if snapshots.is_empty() { "" } else { "snapshots = \"doubling\"" };
    let text = format!(
        "learning_rate = 0.002\nbatch_size = 2\nsteps = 100\nseed = 9\nout = {folder:?}\n{wants}\n[task]\n{task}"
    );
    let spec: TrainSpec = toml::from_str(&text).unwrap();
    let summary = TrainSummary {
        steps: 100,
        elapsed_s: 9.0,
        best: Some((100, 1.1)),
        stopped_early: false,
        settled: None,
        examples: 6400,
        saved_to: Some(folder.clone()),
    };
    let record = RunRecord {
        spec,
        begun_s: 1_790_000_000,
        version: "0.1.0".into(),
        start: None,
        parameters: 13_002,
        tokenizer: None,
        state: RunState::Done,
        summary: Some(summary),
    };
    std::fs::write(folder.join("run.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    let lines: String =
        (1..=100).map(|step| format!("{step},{step}.0,{},0.002,,\n", 1.0 + 4.0 / f64::from(step).sqrt())).collect();
    let head = "step,elapsed_s,loss,learning_rate,validation_loss,validation_accuracy";
    std::fs::write(folder.join("training-log.csv"), format!("{head}\n{lines}")).unwrap();
    let lines: String = snapshots.iter().map(|snapshot| serde_json::to_string(snapshot).unwrap() + "\n").collect();
    std::fs::write(folder.join("snapshots.jsonl"), lines).unwrap();
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.not_kept.is_none()) {
        let weights = folder.join(format!("snapshots/step-{:06}", snapshot.step));
        std::fs::create_dir_all(&weights).unwrap();
        std::fs::write(weights.join("config.json"), "{}").unwrap();
        std::fs::write(weights.join("model.safetensors"), "").unwrap();
    }
    folder
}

/// The panel on the only run, from inside.
fn inside(state: &Path, options: AppOptions, size: egui::Vec2) -> Window<'static> {
    let mut window = Window::open(size, 1.0, AppOptions { state_dir: Some(state.to_owned()), ..options });
    window.show("fine_tune");
    window.wait("the run", |window| says(window, "training loss fell"));
    window.settle();
    window.click("Inside");
    window
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

/// Steps whose weights were asked for, and as which model.
fn shown(window: &Window<'_>) -> Vec<(ModelId, usize)> {
    window.engine.sent(|command| match command {
        Command::Start { model, work, .. } => match &**work {
            Work::ShowSnapshot(spec) => Some((model.unwrap(), spec.step)),
            _ => None,
        },
        _ => None,
    })
}

/// Inspections of a text, with the model they are of.
fn inspected(window: &Window<'_>) -> Vec<(JobId, ModelId)> {
    window.engine.sent(|command| match command {
        Command::Start { job, model, work } => match &**work {
            Work::Inspect(spec) if matches!(spec.prompt, PromptInput::Text(_)) => Some((*job, model.unwrap())),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn the_axis_moves_what_was_noted_and_what_the_weights_tell() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "words", TEXT, &STEPS.map(of_text));
    let mut window = inside(state.path(), plain(ThemeChoice::Dark), LAPTOP);
    assert!(window.has("Step 100") && says(&window, "Once there was step 100."));
    assert!(says(&window, "rises most here: 0.05 → 0.7"), "the moment of induction");
    window.wait("the weights", |window| !inspected(window).is_empty());
    let viewer = shown(&window)[0].0;
    assert_eq!(shown(&window), [(viewer, 100)]);
    window.press(Modifiers::NONE, Key::ArrowLeft);
    assert!(window.has("Step 64") && says(&window, "Once there was step 64."));
    window.wait("the weights of step 64", |window| inspected(window).len() == 2);
    assert_eq!(shown(&window), [(viewer, 100), (viewer, 64)], "under one name");
    assert!(inspected(&window).iter().all(|(_, model)| *model == viewer));
    window.wait("the neighbours", |window| window.has("·dog"));
    window.press(Modifiers::NONE, Key::Home);
    assert!(window.has("Step 0") && says(&window, "before training"));
    assert!(says(&window, "All weights together went 0 % of their length."));

    // Played, the steps go by to the last.
    window.click("Play the steps");
    window.wait("the end", |window| window.has("Step 100") && window.has("Play the steps"));
    let steps: Vec<usize> = shown(&window).into_iter().map(|(_, step)| step).collect();
    assert_eq!(steps[steps.len() - 4..], [1, 8, 64, 100]);
}

#[test]
fn the_attention_panel_goes_along_with_the_steps() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "words", TEXT, &STEPS.map(of_text));
    let mut window = inside(state.path(), with_text_model(), LAPTOP);
    window.wait("its patterns", |window| says(window, "Attention of layer 1, head 0 over"));
    let viewer = shown(&window)[0].0;
    let used = |window: &Window<'_>| window.app().state().active(fovea::types::Ability::Attend).unwrap().info.clone();
    assert_ne!(used(&window).id, viewer, "looking at steps puts no other model in use");
    window.harness.get_by_label("Open in Attention").scroll_to_me();
    window.settle();
    window.click("Open in Attention");
    assert_eq!((window.app().panel(), used(&window).id), (PanelId::Attention, viewer));
    assert_eq!(used(&window).name, "words, step 100");
    let first = inspected(&window).len();
    window.show("fine_tune");
    window.press(Modifiers::NONE, Key::ArrowLeft);
    window.wait("the patterns of step 64", |window| inspected(window).len() > first);
    window.settle();
    window.show("attention");
    assert_eq!(used(&window).name, "words, step 64");
    assert!(says(&window, "words, step 64"), "what is on show is of this step");
    assert!(!says(&window, "made before the last change"));

    // What is learned on these weights is in no file: steps are looked at as another model from then on.
    window.show("fine_tune");
    window.click("Text model");
    window.type_into(Role::TextInput, "Text file", "verse.txt");
    window.click("Start training");
    let trained = window.engine.sent(|command| match command {
        Command::Start { model, work, .. } => matches!(**work, Work::Train(_)).then_some(model.unwrap()),
        _ => None,
    });
    assert_eq!(trained, [viewer]);
    window.click("run 1");
    window.wait("a step as another model", move |window| shown(window).last().unwrap().0 != viewer);
}

#[test]
fn a_run_without_snapshots_says_how_to_have_some_and_steps_that_are_none_are_refused() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "plain-mlp", DIGITS, &[]);
    let mut window = inside(state.path(), plain(ThemeChoice::Light), LAPTOP);
    assert!(says(&window, "This run was begun without snapshots."));
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.type_into(Role::TextInput, "Snapshots", "now and then");
    assert!(says(&window, "“now and then” names no steps"));
    assert!(window.harness.get_by_label("Start training").accesskit_node().is_disabled());
    window.harness.get_by_role_and_label(Role::TextInput, "Snapshots").focus();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(egui::Event::Text("1, 10, 100".into()));
    window.settle();
    window.click("Start training");
    let specs = window.engine.started(|_, work| match work {
        Work::Train(spec) => Some(spec.snapshots.clone()),
        _ => None,
    });
    assert_eq!(specs, [Some(SnapshotSteps::At(vec![1, 10, 100]))]);
}

#[test]
fn weights_that_were_not_kept_are_told_and_the_rest_is_there() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "some-mlp", DIGITS, &STEPS.map(of_digits));
    let mut window = inside(state.path(), plain(ThemeChoice::Dark), LAPTOP);
    window.wait("the filters", |window| says(window, "Weights of fc1 0"));
    assert!(says(&window, "88 of 100 right"));
    window.press(Modifiers::NONE, Key::ArrowLeft);
    window.press(Modifiers::NONE, Key::ArrowLeft);
    assert!(window.has("Step 8") && says(&window, "30 of 100 right"));
    assert!(says(&window, "Its weights were not kept: Nothing can be written."));
    assert!(!says(&window, "Weights of fc1 0"), "no weights of another step stand here");
}

#[test]
fn inside_in_pictures() {
    if !window::has_adapter() {
        eprintln!("inside_in_pictures skipped: no graphics adapter");
        return;
    }
    let mut results = SnapshotResults::new();
    // Text is shaded a little differently by other drivers.
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    for (theme, size, name, task, run) in [
        (ThemeChoice::Dark, LAPTOP, "dark", TEXT, STEPS.map(of_text)),
        (ThemeChoice::Light, SMALL, "light", DIGITS, STEPS.map(of_digits)),
    ] {
        let state = tempfile::tempdir().unwrap();
        leave_run(state.path(), if task == TEXT { "words" } else { "some-mlp" }, task, &run);
        let mut window = inside(state.path(), plain(theme), size);
        window.click("Hide inspector");
        assert!(!window.has("Hide inspector") && window.has("Show inspector"));
        window.press(Modifiers::NONE, Key::ArrowLeft);
        let what = if task == TEXT { "Attention of layer 1, head 0" } else { "Weights of fc1 0" };
        window.wait("the weights", |window| says(window, what) && !says(window, "Opening the weights"));
        window.settle();
        window.harness.event(egui::Event::PointerGone);
        window.harness.remove_cursor();
        window.settle();
        // Memory is never the same twice.
        window.harness.mask(egui::Rect::from_min_max(egui::pos2(size.x - 280.0, size.y - 28.0), size.to_pos2()));
        window.harness.snapshot_options(format!("inside-{name}"), &options);
        results.extend_harness(&mut window.harness);
    }
}
