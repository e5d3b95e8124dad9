//! A window on a scripted engine, for tests of panels: painted without a screen, driven by the names of its widgets.

#![allow(dead_code, reason = "each test binary uses a part of it")]

#[path = "scripted_engine.rs"]
pub mod scripted_engine;

use egui::accesskit::Role;
use egui::{DroppedFile, Event as Input, Key, Modifiers, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use fovea::ui::{App, AppOptions, ThemeChoice};
use scripted_engine::ScriptedEngine;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The smallest window.
pub const SMALL: Vec2 = Vec2::new(1024.0, 640.0);
/// A window on a laptop.
pub const LAPTOP: Vec2 = Vec2::new(1280.0, 800.0);

/// A file let go over the window.
#[derive(Debug)]
pub struct Dropped(pub PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

/// The app is made in the first frame, when there is a context.
pub struct Window<'a> {
    pub harness: Harness<'a, Option<App>>,
    pub engine: ScriptedEngine,
}

impl Window<'_> {
    pub fn open(size: Vec2, scale: f32, options: AppOptions) -> Self {
        let engine = ScriptedEngine::new();
        let link = engine.clone();
        let frame = move |ui: &mut egui::Ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| App::new(ui.ctx(), Box::new(link.clone()), options.clone()));
            app.drain(ui.ctx());
            // The harness leaves a margin around its ui; a real window has none.
            let whole = egui::UiBuilder::new().max_rect(ui.ctx().content_rect());
            ui.scope_builder(whole, |ui| app.paint(ui));
        };
        let harness = Harness::builder()
            .with_size(size)
            .with_pixels_per_point(scale)
            .with_max_steps(64)
            .build_ui_state(frame, None);
        let mut window = Self { harness, engine };
        window.settle();
        window
    }

    /// On one panel.
    pub fn on(panel: &str, options: AppOptions) -> Self {
        let mut window = Self::open(LAPTOP, 1.0, options);
        window.show(panel);
        window
    }

    pub fn show(&mut self, panel: &str) {
        self.harness
            .state_mut()
            .as_mut()
            .expect("the app is made in the first frame")
            .show_panel(fovea::ui::PanelId::from_key(panel).expect("a panel of this name"));
        self.settle();
    }

    pub fn settle(&mut self) {
        self.harness.run();
    }

    pub fn app(&self) -> &App {
        self.harness.state().as_ref().expect("the app is made in the first frame")
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.settle();
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_all_by_label(label).next().expect("get_all finds at least one").click();
        self.settle();
    }

    pub fn has(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    /// Frames until a thread has done its part.
    pub fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done(self) {
            assert!(Instant::now() < deadline, "{what} after ten seconds");
            std::thread::sleep(Duration::from_millis(10));
            self.harness.step();
        }
    }

    /// Asks for an export by the command palette, to a typed path.
    pub fn begin_export(&mut self, format: &str, path: &Path) {
        self.press(Modifiers::COMMAND, Key::K);
        self.harness.event(Input::Text(format!("export {format}")));
        self.settle();
        self.press(Modifiers::NONE, Key::Enter);
        let field =
            |window: &Self| window.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some();
        self.wait("no field for the path", field);
        self.press(Modifiers::COMMAND, Key::A);
        self.harness.event(Input::Text(path.display().to_string()));
        self.settle();
        self.press(Modifiers::NONE, Key::Enter);
    }

    /// Exports by the command palette to a typed path; what was written.
    pub fn export(&mut self, format: &str, path: &Path) -> Vec<u8> {
        self.begin_export(format, path);
        self.wait("no file", |_| std::fs::metadata(path).is_ok_and(|file| file.len() > 0));
        // It is there a moment before all of its bytes are.
        let mut read = std::fs::read(path).expect("it is there");
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let again = std::fs::read(path).expect("it is there");
            if again.len() == read.len() {
                return again;
            }
            read = again;
        }
    }

    /// Types at the end of a text field.
    pub fn type_into(&mut self, role: Role, field: &str, text: &str) {
        self.harness.get_by_role_and_label(role, field).focus();
        self.settle();
        self.harness.event(Input::Text(text.into()));
        self.settle();
    }
}

/// A theme of its own, and no dialogs of the desktop.
pub fn plain(theme: ThemeChoice) -> AppOptions {
    AppOptions { theme: Some(theme), native_dialogs: false, free_memory: Some(2_000_000_000), ..AppOptions::default() }
}

/// With a text model open, unless the test says otherwise.
pub fn with_text_model() -> AppOptions {
    AppOptions { model: Some("models/sprout".into()), ..plain(ThemeChoice::Dark) }
}

/// True when wgpu finds an adapter, a software one included.
pub fn has_adapter() -> bool {
    use eframe::wgpu::{Backends, Instance, InstanceDescriptor};
    use std::task::{Context, Poll, Waker};
    let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
    let mut adapters = Box::pin(instance.enumerate_adapters(Backends::all()));
    // Outside a browser the answer is there at once.
    let answer = adapters.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    matches!(answer, Poll::Ready(found) if !found.is_empty())
}
