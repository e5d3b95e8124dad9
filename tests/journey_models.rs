//! One sitting with the whole app in process: a model is listed nowhere, fetched from a hub on loopback, opened by the
//! real engine, and prompted.

#[path = "support/hub_server.rs"]
mod hub_server;
mod support;

use egui::accesskit::Role;
use egui::{Event, Key, Modifiers, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use fovea::engine::{EngineHandle, EngineOptions, read_card};
use fovea::hub::{HubSettings, RetryPolicy};
use fovea::types::{DeviceChoice, ModelKind};
use fovea::ui::{App, AppOptions, State};
use hub_server::{Fault, HubServer};
use std::time::{Duration, Instant};
use support::root;

const PATIENCE: Duration = Duration::from_secs(120);

struct Sitting<'a> {
    harness: Harness<'a, Option<App>>,
}

impl Sitting<'_> {
    fn state(&self) -> &State {
        self.harness.state().as_ref().expect("made in the first frame").state()
    }

    /// Frames until the condition holds; an error in the log ends the sitting.
    fn until(&mut self, what: &str, holds: impl Fn(&State) -> bool) {
        let begun = Instant::now();
        while !holds(self.state()) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
            assert_eq!(self.state().log.errors_unread(), 0, "{what}: {:#?}", self.state().log.entries().next_back());
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
        self.harness.run_steps(3);
    }
}

#[test]
fn a_model_is_fetched_opened_and_prompted() {
    let (server, scratch) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.add_folder("ada/tiny", &root().join("tests/golden/llama"));
    server.fault("model.safetensors", Fault::Break { after: 15_000, times: 1 });
    let retry = RetryPolicy { first_wait: Duration::from_millis(20), ..RetryPolicy::default() };
    let cache = scratch.path().join("hub");
    let hub = HubSettings { cache, endpoint: server.endpoint(), token: None, offline: false, retry, read_card };
    let options = AppOptions { hub: Some(hub), state_dir: Some(scratch.path().join("state")), ..AppOptions::default() };
    let frame = move |ui: &mut egui::Ui, app: &mut Option<App>| {
        let app = app.get_or_insert_with(|| {
            let wake = ui.ctx().clone();
            let engine = EngineOptions { device: DeviceChoice::Cpu, threads: None };
            let engine = EngineHandle::start(engine, Box::new(move || wake.request_repaint()));
            let mut app = App::new(ui.ctx(), Box::new(engine), options.clone());
            app.show_panel("models");
            app
        });
        app.drain(ui.ctx());
        let whole = egui::UiBuilder::new().max_rect(ui.ctx().content_rect());
        ui.scope_builder(whole, |ui| app.paint(ui));
    };
    let mut sitting =
        Sitting { harness: Harness::builder().with_size(Vec2::new(1280.0, 800.0)).build_ui_state(frame, None) };
    sitting.until("the empty cache is listed", |s| s.hub.listing.as_ref().is_some_and(|l| l.cached.is_empty()));

    sitting.harness.get_by_role_and_label(Role::TextInput, "Name of a model on the hub").focus();
    sitting.harness.run_steps(2);
    sitting.harness.event(Event::Text(server.endpoint() + "/ada/tiny"));
    sitting.harness.run_steps(2);
    sitting.harness.get_by_label("Fetch from the hub").click();
    sitting.until("the model is in the cache", |s| s.hub.cached().iter().any(|m| m.name == "ada/tiny" && m.complete));
    assert_eq!(
        server.ranges("model.safetensors"),
        ["", "bytes=15000-"],
        "the broken connection went on where it broke"
    );

    sitting.harness.get_by_label("Open ada/tiny").click();
    sitting.until("it opens", |s| s.active(ModelKind::CausalLm).is_some());
    assert_eq!(sitting.state().active(ModelKind::CausalLm).unwrap().info.name, "ada/tiny");

    sitting.harness.key_press_modifiers(Modifiers::COMMAND, Key::Num1);
    sitting.harness.run_steps(2);
    sitting.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").focus();
    sitting.harness.run_steps(2);
    sitting.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    sitting.harness.run_steps(2);
    sitting.harness.event(Event::Text("abc".into()));
    sitting.harness.run_steps(2);
    sitting.harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    sitting.harness.run_steps(2);
    sitting.until("it writes", |s| s.latest_run().is_some_and(|run| run.stats.is_some()));
    let run = sitting.state().latest_run().unwrap();
    assert!(!run.tokens.is_empty() && run.prompt.iter().map(|t| t.text.as_str()).collect::<String>().contains("abc"));
}
