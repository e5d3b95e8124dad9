//! One sitting in the few-shot lab with the real engine and the shipped text model: a task is built, compared, measured,
//! stopped, exported and repeated.

mod support;

use egui::accesskit::Role;
use egui::{DroppedFile, Event as Input, Key, Modifiers, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use fovea::engine::{EngineHandle, EngineOptions};
use fovea::types::{DeviceChoice, ModelKind};
use fovea::ui::{App, AppOptions, State};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::root;

const PATIENCE: Duration = Duration::from_secs(180);

/// A file let go over the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

struct Sitting<'a> {
    harness: Harness<'a, Option<App>>,
}

impl Sitting<'_> {
    fn begin(options: AppOptions) -> Self {
        let frame = move |ui: &mut egui::Ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| {
                let wake = ui.ctx().clone();
                let engine = EngineOptions { device: DeviceChoice::Cpu, threads: None };
                let engine = EngineHandle::start(engine, Box::new(move || wake.request_repaint()));
                let mut app = App::new(ui.ctx(), Box::new(engine), options.clone());
                app.show_panel("lab");
                app
            });
            app.drain(ui.ctx());
            let whole = egui::UiBuilder::new().max_rect(ui.ctx().content_rect());
            ui.scope_builder(whole, |ui| app.paint(ui));
        };
        // High enough for all of the left column, since only what is in sight can be clicked.
        Self { harness: Harness::builder().with_size(Vec2::new(1440.0, 1500.0)).build_ui_state(frame, None) }
    }

    fn state(&self) -> &State {
        self.harness.state().as_ref().expect("made in the first frame").state()
    }

    /// Frames until the condition holds; an error in the log ends the sitting.
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
            assert_eq!(self.state().log.errors_unread(), 0, "{what}: {:#?}", self.state().log.entries().next_back());
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
        self.harness.run_steps(3);
    }

    fn has(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    fn says(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }

    fn click(&mut self, label: &str) {
        self.harness.get_all_by_label(label).next().expect("get_all finds at least one").click();
        self.harness.run_steps(4);
    }

    fn tab(&mut self, name: &str) {
        self.harness.get_by_role_and_label(Role::RadioButton, name).click();
        self.harness.run_steps(4);
    }

    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run_steps(4);
    }

    fn drop_file(&mut self, path: &Path) {
        self.harness.input_mut().dropped_files.push(Arc::new(Dropped(path.to_owned())));
        self.harness.run_steps(2);
    }

    /// Writes to the path that is asked for.
    fn save_to(&mut self, path: &Path) {
        let field = |s: &Self| s.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some();
        self.until("a field for the path", field);
        self.press(Modifiers::COMMAND, Key::A);
        self.harness.event(Input::Text(path.display().to_string()));
        self.harness.run_steps(2);
        self.press(Modifiers::NONE, Key::Enter);
        self.until("the file", |_| std::fs::metadata(path).is_ok_and(|file| file.len() > 200));
    }
}

#[test]
fn a_task_is_built_measured_exported_and_repeated() {
    let scratch = tempfile::tempdir().unwrap();
    let mut sitting = Sitting::begin(AppOptions {
        shipped: Some(root().join("models")),
        state_dir: Some(scratch.path().join("state")),
        ..AppOptions::default()
    });
    sitting.until("the shipped text model opens", |s| s.state().active(ModelKind::CausalLm).is_some());

    // A task from a file, its remarks included.
    let pairs = scratch.path().join("feelings.csv");
    let rows =
        ["cake,happy", "rain,sad", "party,happy", "storm,sad", "gift,happy", "mud,sad", "smile,happy", "tear,sad"];
    std::fs::write(&pairs, format!("input,output\n{}\nkite,happy\nkite,happy\n", rows.join("\n"))).unwrap();
    sitting.drop_file(&pairs);
    sitting.until("the table is read", |s| s.has("Task: feelings"));
    assert!(sitting.says("\"kite\" stands there 2 times with the same answer."), "the remark on the table");
    sitting.click("Ask another");

    // Zero, one and few examples of the same query; the shares of the answers add up to one.
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("three prompts are scored", |s| s.state().scores.len() == 3);
    for report in sitting.state().scores.values() {
        assert_eq!(report.candidates.len(), 2);
        assert!((report.candidates.iter().map(|c| c.share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(report.candidates.iter().all(|c| c.tokens.len() >= 2 && c.log_prob < 0.0));
    }
    sitting.click("Give example 1 a wrong answer");
    sitting
        .until("the change is scored", |s| s.state().scores.len() == 5 && s.says("The answer of example 1 is wrong"));

    // A curve is begun and stopped; what was measured stays.
    sitting.tab("Curve");
    sitting.click("Shuffled labels");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("the curve begins", |s| s.state().kshots.values().any(|run| run.points.len() >= 2));
    sitting.press(Modifiers::NONE, Key::Escape);
    sitting.until("it stops", |s| s.state().active_jobs().next().is_none());
    assert!(sitting.says("True labels: accuracy "), "the curve in words");
    let curves = scratch.path().join("curve.svg");
    sitting.click("Export curves");
    sitting.click("Export SVG");
    sitting.save_to(&curves);
    assert!(std::fs::read_to_string(&curves).unwrap().contains("True labels"));

    // Where the answer looked: every part of the prompt has its share.
    sitting.tab("Looked at");
    sitting.until("the patterns are there", |s| {
        s.says("Examples together: inputs ") && s.says("Output ") && s.has("All heads")
    });

    // The whole table at once.
    sitting.tab("Batch");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("the rows are answered", |s| s.state().batches.values().any(|b| !b.answers.is_empty()));
    let answered = sitting.state().batches.values().next().unwrap().answers.len();
    sitting.until("they are listed", |s| s.has(&format!("{answered} answers")));

    // The run is exported and repeated: on this device the same comes out, to the last bit.
    sitting.tab("Compare");
    let run = scratch.path().join("run.json");
    sitting.click("Presets and export");
    sitting.click("Export run as JSON…");
    sitting.save_to(&run);
    let text = std::fs::read_to_string(&run).unwrap();
    assert!(text.contains("\"fovea_run\": 1") && text.contains("\"sha256\""), "{text}");
    assert!(!text.contains("/sprout\""), "no folder of this computer is named");
    sitting.press(Modifiers::COMMAND, Key::K);
    sitting.harness.event(Input::Text("New task".into()));
    sitting.harness.run_steps(2);
    sitting.press(Modifiers::NONE, Key::Enter);
    sitting.until("another task", |s| s.has("Task: A task of your own"));
    sitting.drop_file(&run);
    sitting.until("the run is compared", |s| s.has("The same on this device, bit for bit: 6 log-probabilities."));
    assert!(sitting.has("Task: feelings"));
}
