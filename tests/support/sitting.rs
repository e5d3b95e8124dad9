//! The whole app in process: the real window contents on the real engine, driven frame by frame.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use egui::{Key, Modifiers, Vec2};
use egui_kittest::Harness;
use fovea::engine::{EngineHandle, EngineOptions};
use fovea::types::DeviceChoice;
use fovea::ui::{App, AppOptions, State};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(180);

/// The app with an engine behind it.
pub struct Sitting<'a> {
    pub harness: Harness<'a, Option<App>>,
}

impl Sitting<'_> {
    pub fn begin(options: AppOptions) -> Self {
        let frame = move |ui: &mut egui::Ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| {
                let wake = ui.ctx().clone();
                let engine = EngineOptions { device: DeviceChoice::Cpu, threads: None };
                let engine = EngineHandle::start(engine, Box::new(move || wake.request_repaint()));
                App::new(ui.ctx(), Box::new(engine), options.clone())
            });
            app.drain(ui.ctx());
            // The harness leaves a margin around its ui; a real window has none.
            let whole = egui::UiBuilder::new().max_rect(ui.ctx().content_rect());
            ui.scope_builder(whole, |ui| app.paint(ui));
        };
        Self { harness: Harness::builder().with_size(Vec2::new(1280.0, 800.0)).build_ui_state(frame, None) }
    }

    pub fn show(&mut self, panel: &str) {
        self.harness.state_mut().as_mut().expect("made in the first frame").show_panel(panel);
        self.settle();
    }

    pub fn state(&self) -> &State {
        self.harness.state().as_ref().expect("made in the first frame").state()
    }

    /// What was done to a widget has its effect one frame later, and is seen in the next.
    pub fn settle(&mut self) {
        self.harness.run_steps(2);
    }

    /// Frames until the condition holds; an error in the log ends the sitting.
    pub fn until(&mut self, what: &str, holds: impl Fn(&State) -> bool) {
        let begun = Instant::now();
        while !holds(self.state()) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
            assert_eq!(self.state().log.errors_unread(), 0, "{what}: {:#?}", self.state().log.entries().next_back());
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
        self.settle();
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    /// Runs what stands in the prompt panel, to its end.
    pub fn run_prompt(&mut self, what: &str) {
        let before = self.state().runs.len();
        self.press(Modifiers::COMMAND, Key::Num1);
        self.press(Modifiers::COMMAND, Key::Enter);
        self.until(what, |s| s.runs.len() > before && s.latest_run().is_some_and(|r| r.stats.is_some()));
    }
}
