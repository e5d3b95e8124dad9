//! The fine-tune panel: what a run costs, runs on the disk, which curves share a plot, what can be done when one is held.

#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Outcome, Work};
use fovea::types::{
    JobId, RunRecord, RunSample, RunState, TrainPoint, TrainSpec, TrainSummary, TrainingCost, UserError,
};
use fovea::ui::{AppOptions, PanelId, ThemeChoice};
use std::path::Path;
use std::sync::Arc;
use window::{Dropped, Window, plain};

/// A window that keeps runs in a folder.
fn keeping(state: &Path) -> Window<'static> {
    Window::on("fine_tune", AppOptions { state_dir: Some(state.to_owned()), ..plain(ThemeChoice::Dark) })
}

fn specs(window: &Window<'_>) -> Vec<TrainSpec> {
    window.engine.started(|_, work| match work {
        Work::Train(spec) => Some(spec.clone()),
        _ => None,
    })
}

/// Writes a run as a program that ended has left it.
fn leave_run(state: &Path, name: &str, task: &str, run_state: RunState) {
    let folder = state.join("runs").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let text =
        format!("learning_rate = 0.002\nbatch_size = 64\nsteps = 40\nseed = 9\nout = {folder:?}\n[task]\n{task}");
    let summary = TrainSummary {
        steps: 20,
        elapsed_s: 9.0,
        best: Some((20, 0.25)),
        stopped_early: true,
        settled: None,
        examples: 1280,
        saved_to: Some(folder.clone()),
    };
    let record = RunRecord {
        spec: toml::from_str(&text).unwrap(),
        begun_s: 1_790_000_000,
        version: "0.1.0".into(),
        start: None,
        parameters: 13_002,
        tokenizer: None,
        state: run_state,
        summary: Some(summary),
    };
    std::fs::write(folder.join("run.json"), serde_json::to_vec(&record).unwrap()).unwrap();
    let lines: String =
        (1..=20).map(|step| format!("{step},{step}.0,{},0.002,,\n", 3.0 - f64::from(step) / 10.0)).collect();
    let head = "step,elapsed_s,loss,learning_rate,validation_loss,validation_accuracy";
    std::fs::write(folder.join("training-log.csv"), format!("{head}\n{lines}")).unwrap();
}

const DIGITS: &str = "kind = \"digits\"\ndata = \"data/mnist\"\nnetwork = \"mlp\"\n";
const TEXT: &str = "kind = \"text\"\ndata = [\"verse.txt\"]\ncontext = 32\n";

fn listed(state: &Path, name: &str) -> Window<'static> {
    let mut window = keeping(state);
    let name = name.to_owned();
    window.wait("the list of runs", move |window| window.has(&name));
    window.settle();
    window
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

#[test]
fn a_run_is_given_a_folder_of_its_own_unless_it_is_not_to_be_kept() {
    let state = tempfile::tempdir().unwrap();
    let mut window = keeping(state.path());
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Start training");
    window.settle();
    let out = specs(&window)[0].out.clone().expect("a folder");
    assert!(out.starts_with(state.path().join("runs")) && out.to_string_lossy().ends_with("-mlp"), "{}", out.display());
    window.click("Keep the run on the disk");
    window.click("Start training");
    window.settle();
    assert_eq!(specs(&window)[1].out, None);
}

#[test]
fn two_steps_tell_what_a_run_costs_and_a_long_one_asks_before_it_begins() {
    let mut window = Window::on("fine_tune", plain(ThemeChoice::Dark));
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Try two steps");
    // 2,000 steps of 0.05 s and 20 validations of 0.02 s.
    assert!(says(&window, "About 1 min 40 s, until about") && says(&window, "about 250 MB of memory"));
    assert!(says(&window, "Estimated from two steps"));
    assert!(specs(&window).is_empty(), "a trial begins nothing");
    window.click("Start training");
    assert_eq!(specs(&window).len(), 1, "what was tried begins at once");

    // Other settings cost something else: they are tried first, and hours are not begun unasked.
    window.click("Convolutional");
    window.engine.0.borrow_mut().answers = false;
    window.click("Start training");
    let trial: JobId =
        window.engine.started(|job, work| matches!(work, Work::TryTraining(_)).then_some(job)).pop().unwrap();
    let cost = TrainingCost { step_s: 3.0, validation_s: 0.0, memory_bytes: None, parameters: 1 };
    window.engine.say(Event::Done { job: trial, outcome: Outcome::Tried(cost) });
    window.settle();
    assert!(says(&window, "About 1 h 40 min"));
    assert_eq!(specs(&window).len(), 1);
    window.click("Not now");
    assert!(window.has("Start training"));
    window.click("Start training");
    window.click("Start now");
    assert_eq!(specs(&window).len(), 2);
}

#[test]
fn a_run_of_before_is_listed_with_its_settings_shown_again_and_taken_up() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "2026-09-21-151320-mlp", DIGITS, RunState::Running);
    let mut window = listed(state.path(), "MLP 1");
    for cell in ["interrupted", "20 / 40", "0.25 @ 20", "9", "64", "mnist", "random weights", "all weights"] {
        assert!(window.has(cell), "no cell says {cell}");
    }
    window.click("MLP 1");
    window.wait("its curve", |window| says(window, "MLP 1: training loss fell from 2.9 to 1"));
    window.settle();
    window.click("Go on training");
    let sent = specs(&window);
    assert_eq!((sent.len(), sent[0].seed), (1, 9));
    assert_eq!(sent[0].out.as_deref(), Some(&*state.path().join("runs/2026-09-21-151320-mlp")));
    assert!(!window.has("MLP 2"), "a run that goes on is one run");
}

#[test]
fn a_run_is_deleted_after_a_question_and_not_without() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "a-run", DIGITS, RunState::Done);
    let mut window = listed(state.path(), "MLP 1");
    window.click("MLP 1");
    assert!(!window.has("Go on training"), "it is done");
    window.click("Delete the run");
    assert!(window.has("Delete MLP 1?"));
    window.click("Keep it");
    assert!(state.path().join("runs/a-run/run.json").exists());
    window.click("Delete the run");
    window.click("Delete");
    assert!(!window.has("MLP 1"), "it is out of the list at once");
    window.wait("the deletion", |_| !state.path().join("runs/a-run").exists());
}

#[test]
fn a_deletion_that_fails_is_heard_of_whatever_is_deleted_after_it() {
    let state = tempfile::tempdir().unwrap();
    for name in ["a-run", "b-run"] {
        leave_run(state.path(), name, DIGITS, RunState::Done);
    }
    let mut window = listed(state.path(), "MLP 1");
    window.wait("the curve of the newest", |window| says(window, "MLP 2: training loss fell"));
    // Another program trains both of them.
    let held = ["a-run", "b-run"].map(|name| {
        let file = std::fs::File::create(state.path().join("runs").join(name).join(".training.lock")).unwrap();
        file.lock().unwrap();
        file
    });
    // Not by the pointer: a row that is back moves the others away from under it.
    for label in ["MLP 2", "Delete the run", "Delete", "MLP 1", "Delete the run", "Delete"] {
        window.harness.get_all_by_label(label).next().expect(label).click_accesskit();
        window.settle();
    }
    window.wait("both answers", |window| window.app().state().log.errors_unread() == held.len());
    window.wait("both runs again", |window| window.has("MLP 1") && window.has("MLP 2"));
    assert!(says(&window, "MLP 2: training loss fell"), "with the curve that was drawn");
}

#[test]
fn a_deleted_run_of_this_session_is_gone_as_well() {
    let state = tempfile::tempdir().unwrap();
    let mut window = keeping(state.path());
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Try two steps");
    window.click("Start training");
    window.settle();
    let out = specs(&window)[0].out.clone().expect("a folder");
    leave_run(state.path(), &out.file_name().unwrap().to_string_lossy(), DIGITS, RunState::Done);
    // The list is read again when a run ends.
    window.click("Convolutional");
    window.click("Keep the run on the disk");
    window.click("Start training");
    window.wait("both runs", |window| window.has("MLP 1") && window.has("CNN 2"));
    window.click("MLP 1");
    window.wait("its folder", |window| window.has("Delete the run"));
    window.click("Delete the run");
    window.click("Delete");
    window.wait("the deletion", |_| !out.exists());
    window.settle();
    assert!(window.has("CNN 1") && !window.has("MLP 1") && !window.has("MLP 2"));
}

#[test]
fn a_plot_without_a_curve_says_why() {
    let state = tempfile::tempdir().unwrap();
    for name in ["a-run", "b-run"] {
        leave_run(state.path(), name, DIGITS, RunState::Stopped);
    }
    // The newest was killed before its first step.
    std::fs::remove_file(state.path().join("runs/b-run/training-log.csv")).unwrap();
    let mut window = listed(state.path(), "MLP 1");
    window.wait("why nothing is drawn", |window| says(window, "Nothing was measured in what is shown."));
    window.click("Hide MLP 2");
    assert!(window.has("Every run is hidden. Show one in the table below."));
    window.click("Show MLP 1");
    window.wait("a curve", |window| says(window, "MLP 1: training loss fell"));
}

#[test]
fn digits_and_texts_do_not_share_a_plot() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "a", DIGITS, RunState::Done);
    leave_run(state.path(), "b", TEXT, RunState::Done);
    let mut window = listed(state.path(), "MLP 1");
    let curves = |window: &Window<'_>, name: &str| {
        let mut pictures = window.harness.query_all_by_role(Role::Image);
        pictures.any(|node| node.accesskit_node().label().is_some_and(|label| label.contains(name)))
    };
    // The newest is shown unasked: its curve, when it comes, moves the table away from under a click.
    window.wait("the curve of the newest", move |window| curves(window, "run 2: training loss"));
    window.settle();
    window.click("MLP 1");
    window.wait("the curve of one", move |window| curves(window, "MLP 1: training loss"));
    window.click("run 2");
    window.wait("the curve of the other", move |window| curves(window, "run 2: training loss"));
    assert!(!curves(&window, "MLP 1: training loss"), "its loss is another one");
    assert!(window.has("Show MLP 1"), "and its eye is closed");
}

#[test]
fn the_table_is_sorted_by_a_click_on_a_title() {
    let mut window = Window::on("fine_tune", plain(ThemeChoice::Dark));
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Start training");
    window.click("Convolutional");
    window.click("Start training");
    let order = |window: &Window<'_>| {
        let height = |name: &str| window.harness.get_by_role_and_label(Role::RadioButton, name).rect().top();
        height("CNN 2") < height("MLP 1")
    };
    assert!(order(&window), "the newest first");
    // By the keyboard, whose focus stays with the run wherever its row is moved.
    window.harness.get_by_role_and_label(Role::RadioButton, "MLP 1").focus();
    window.settle();
    window.harness.get_by_label("Sort by Run").click_accesskit();
    window.settle();
    window.harness.get_by_label("Sort by Run").click_accesskit();
    window.settle();
    assert!(!order(&window), "MLP is the first of the list that is turned round");
    assert!(window.harness.get_by_role_and_label(Role::RadioButton, "MLP 1").is_focused(), "its row was moved");
    window.click("Sort by Run");
    window.click("Sort by Begun");
    window.click("Sort by Run");
    assert!(order(&window), "CNN before MLP");
    window.click("Sort by Run");
    assert!(!order(&window), "and the other way round");
}

/// A window in which a run on digits was started, of which nothing is heard yet.
fn begun() -> (Window<'static>, JobId) {
    let mut window = Window::on("fine_tune", plain(ThemeChoice::Dark));
    window.type_into(Role::TextInput, "MNIST folder", "data/mnist");
    window.click("Try two steps");
    window.engine.0.borrow_mut().answers = false;
    window.click("Start training");
    let job = window.engine.started(|job, work| matches!(work, Work::Train(_)).then_some(job)).pop().unwrap();
    (window, job)
}

#[test]
fn a_run_that_cannot_be_written_is_held_and_goes_on_only_as_the_person_wants() {
    let (mut window, job) = begun();
    window.engine.say(Event::Trained { job, points: vec![TrainPoint { step: 1, loss: 2.0, ..TrainPoint::default() }] });
    let error = || UserError::new("Nothing can be written.", "No space is left on the device.", "Make room.");
    window.engine.say(Event::Held { job, error: error() });
    window.settle();
    assert!(window.has("No space is left on the device.") && window.has("Stop") && window.has("held"));
    window.click("Try again");
    window.engine.say(Event::Paused { job, paused: false });
    window.settle();
    assert!(!window.has("Try again"), "the error goes when it is tried again");
    window.engine.say(Event::Held { job, error: error() });
    window.settle();
    window.click("Go on without keeping it");
    let said = window.engine.sent(|command| match command {
        Command::Resume { .. } => Some("resume"),
        Command::LetGo { .. } => Some("let go"),
        _ => None,
    });
    assert_eq!(said, ["resume", "let go"]);
}

#[test]
fn nothing_says_training_while_a_run_is_prepared() {
    let (mut window, job) = begun();
    let label = "Splitting the text into tokens".to_owned();
    window.engine.say(Event::Progress { job, label, done: 9, total: 9, unit: "bytes" });
    window.settle();
    assert!(says(&window, "preparing 100 %") && !says(&window, "training 100 %"));
}

#[test]
fn a_sample_is_taken_to_the_prompt_as_it_is() {
    let mut window = Window::on("fine_tune", window::with_text_model());
    window.harness.get_by_role_and_label(Role::RadioButton, "Text model").click();
    window.settle();
    window.type_into(Role::TextInput, "Text file", "verse.txt");
    window.click("Start training");
    let job: JobId = window.engine.started(|job, work| matches!(work, Work::Train(_)).then_some(job)).pop().unwrap();
    let (prompt, text) = ("Once".into(), "Once there was a pear".into());
    window.engine.say(Event::Sample { job, sample: RunSample { step: 25, prompt, seed: 1, text } });
    window.settle();
    window.click("Take the text of step 25 to the prompt");
    assert_eq!(window.app().panel(), PanelId::Prompt);
    window.press(Modifiers::COMMAND, Key::Enter);
    let asked = window.engine.started(|_, work| match work {
        Work::Generate(spec) => Some(spec.prompt.clone()),
        _ => None,
    });
    assert_eq!(asked.last(), Some(&"Once there was a pear".into()));
}

/// A run of another program in a folder of that name.
fn leave_foreign(home: &Path) -> std::path::PathBuf {
    let folder = home.join("foreign");
    std::fs::create_dir(&folder).unwrap();
    let mut rows: Vec<String> = Vec::new();
    for step in (10..=100).step_by(10) {
        let loss = if step == 70 { "NaN".to_owned() } else { format!("{}", 3.0 - f64::from(step) / 50.0) };
        rows.push(format!("{{\"loss\": {loss}, \"learning_rate\": 5e-05, \"grad_norm\": 1.5, \"step\": {step}}}"));
        if step % 50 == 0 {
            rows.push(format!(
                "{{\"eval_loss\": {}, \"eval_f1\": 0.5, \"step\": {step}}}",
                2.5 - f64::from(step) / 100.0
            ));
        }
    }
    let text =
        format!("{{\"log_history\": [{}], \"max_steps\": 200, \"num_input_tokens_seen\": 5000}}", rows.join(", "));
    std::fs::write(folder.join("trainer_state.json"), text).unwrap();
    folder.join("trainer_state.json")
}

#[test]
fn a_curve_of_another_program_lies_over_ours_with_its_marks() {
    let state = tempfile::tempdir().unwrap();
    leave_run(state.path(), "a", TEXT, RunState::Stopped);
    let file = leave_foreign(state.path());
    let mut window = listed(state.path(), "run 1");
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(file.clone())));
    window.wait("the curve", |window| says(window, "foreign 2: training loss fell"));
    window.settle();
    assert!(
        says(&window, "At step 70 the loss was no number.") && says(&window, "Lowest validation loss 1.5 at step 100")
    );
    assert!(says(&window, "trainer_state.json · what its loss is of, it does not say"));
    assert!(says(&window, "on no axis here: eval_f1"));
    assert!(says(&window, "Not drawn: 1 value that is no number."));
    window.click("Rate and gradient");
    window.settle();
    assert!(says(&window, "learning rate: at the end") && says(&window, "gradient norm (log): at the end"));
    window.click("Tokens");
    window.settle();
    window.click("Take it out");
    window.settle();
    assert!(!window.has("foreign 2") && file.exists());
}
