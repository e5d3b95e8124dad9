//! The whole app in process: the real window contents on the real engine, driven frame by frame.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use egui::accesskit::Role;
use egui::{DroppedFile, Event as Input, Key, Modifiers, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use fovea::engine::{EngineHandle, EngineOptions};
use fovea::types::DeviceChoice;
use fovea::ui::{App, AppOptions, State};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// The app with an engine behind it.
pub struct Sitting<'a> {
    pub harness: Harness<'a, Option<App>>,
}

impl Sitting<'_> {
    /// On one panel, in a window of this size.
    pub fn begin(options: AppOptions, panel: &'static str, size: Vec2) -> Self {
        let frame = move |ui: &mut egui::Ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| {
                let wake = ui.ctx().clone();
                let engine = EngineOptions { device: DeviceChoice::Cpu, threads: None };
                let engine = EngineHandle::start(engine, Box::new(move || wake.request_repaint()));
                let mut app = App::new(ui.ctx(), Box::new(engine), options.clone());
                app.show_panel(fovea::ui::PanelId::from_key(panel).expect("a panel of this name"));
                app
            });
            app.drain(ui.ctx());
            // The harness leaves a margin around its ui; a real window has none.
            let whole = egui::UiBuilder::new().max_rect(ui.ctx().content_rect());
            ui.scope_builder(whole, |ui| app.paint(ui));
        };
        Self { harness: Harness::builder().with_size(size).build_ui_state(frame, None) }
    }

    pub fn state(&self) -> &State {
        self.harness.state().as_ref().expect("made in the first frame").state()
    }

    /// What was done to a widget has its effect a frame later, and is seen in the next; a panel that changes with it takes
    /// two more.
    pub fn settle(&mut self) {
        self.harness.run_steps(4);
    }

    /// Frames until the condition holds; an error in the log ends the sitting.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
            assert_eq!(self.state().log.errors_unread(), 0, "{what}: {:#?}", self.state().log.entries().next_back());
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
        self.settle();
    }

    pub fn has(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    pub fn says(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_all_by_label(label).next().expect("get_all finds at least one").click();
        self.settle();
    }

    pub fn tab(&mut self, name: &str) {
        self.harness.get_by_role_and_label(Role::RadioButton, name).click();
        self.settle();
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Types into what has the focus.
    pub fn type_text(&mut self, text: impl Into<String>) {
        self.harness.event(Input::Text(text.into()));
        self.settle();
    }

    pub fn drop_file(&mut self, path: &Path) {
        self.harness.input_mut().dropped_files.push(Arc::new(Dropped(path.to_owned())));
        self.settle();
    }

    /// Writes to the path that is asked for.
    pub fn save_to(&mut self, path: &Path) {
        let field = |s: &Self| s.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some();
        self.until("a field for the path", field);
        self.press(Modifiers::COMMAND, Key::A);
        self.type_text(path.display().to_string());
        self.press(Modifiers::NONE, Key::Enter);
        self.until("the file", |_| std::fs::metadata(path).is_ok_and(|file| file.len() > 200));
    }

    /// Runs what stands in the prompt panel, to its end.
    pub fn run_prompt(&mut self, what: &str) {
        let before = self.state().runs().count();
        self.press(Modifiers::COMMAND, Key::Num1);
        self.press(Modifiers::COMMAND, Key::Enter);
        self.until(what, |s| {
            s.state().runs().count() > before && s.state().latest_run().is_some_and(|r| r.stats.is_some())
        });
    }
}
