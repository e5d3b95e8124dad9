//! The models panel on a hub on loopback and a cache of its own: listing, fetching, cards and tensors.

#[path = "support/hub_server.rs"]
mod hub_server;
#[path = "support/scripted_engine.rs"]
mod scripted_engine;
mod support;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers, Vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, SnapshotOptions};
use fovea::engine::{Command, Event, Work, read_card};
use fovea::hub::{HubSettings, RepoId, RetryPolicy, free_space};
use fovea::ui::{App, AppOptions, DownloadPhase, ThemeChoice};
use hub_server::{COMMIT, Fault, HubServer};
use safetensors::tensor::{Dtype, TensorView};
use scripted_engine::ScriptedEngine;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::root;

const PATIENCE: Duration = Duration::from_secs(20);

/// The app on a scripted engine, a real hub and a cache in a scratch folder.
struct Desk<'a> {
    harness: Harness<'a, Option<App>>,
    engine: ScriptedEngine,
    server: HubServer,
    scratch: tempfile::TempDir,
}

impl Desk<'_> {
    fn open() -> Self {
        Self::looking(ThemeChoice::Dark, 1.0, 2_000_000_000)
    }

    fn looking(theme: ThemeChoice, scale: f32, free_memory: u64) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), theme, scale, free_memory)
    }

    /// With what a sitting before has left in the folder.
    fn in_folder(scratch: tempfile::TempDir, theme: ThemeChoice, scale: f32, free_memory: u64) -> Self {
        let server = HubServer::start();
        server.add_folder("ada/tiny", &root().join("tests/golden/llama"));
        let cache = scratch.path().join("hub");
        copy_into(&cache, "grace/sprout");
        let part = cache.join("models--openai-community--gpt2/blobs/aa.incomplete");
        fs::create_dir_all(part.parent().unwrap()).unwrap();
        fs::write(part, vec![0; 210_000]).unwrap();
        let retry =
            RetryPolicy { tries: 2, first_wait: Duration::from_millis(10), longest_wait: Duration::from_millis(10) };
        let hub = HubSettings {
            programs: Default::default(),
            cache,
            endpoint: server.endpoint(),
            token: None,
            offline: false,
            retry,
            read_card,
            free_space,
        };
        let options = AppOptions {
            theme: Some(theme),
            shipped: Some(root().join("models")),
            state_dir: Some(scratch.path().join("state")),
            hub: Some(hub),
            free_memory: Some(free_memory),
            ..AppOptions::default()
        };
        let engine = ScriptedEngine::new();
        let link = engine.clone();
        let frame = move |ui: &mut egui::Ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| {
                let mut app = App::new(ui.ctx(), Box::new(link.clone()), options.clone());
                app.show_panel(fovea::ui::PanelId::Models);
                app
            });
            app.drain(ui.ctx());
            let whole = egui::UiBuilder::new().max_rect(ui.ctx().content_rect());
            ui.scope_builder(whole, |ui| app.paint(ui));
        };
        let harness = Harness::builder()
            .with_size(Vec2::new(1280.0, 800.0))
            .with_pixels_per_point(scale)
            .with_max_steps(64)
            .build_ui_state(frame, None);
        let mut desk = Self { harness, engine, server, scratch };
        desk.until("the cache is listed", |app| app.state().hub.listing.is_some());
        desk.settle();
        desk
    }

    fn app(&self) -> &App {
        self.harness.state().as_ref().expect("the app is made in the first frame")
    }

    fn settle(&mut self) {
        self.harness.run_steps(4);
    }

    /// Frames until the condition holds.
    fn until(&mut self, what: &str, holds: impl Fn(&App) -> bool) {
        let begun = Instant::now();
        loop {
            self.harness.step();
            if holds(self.app()) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.settle();
    }

    fn until_shown(&mut self, label: &str) {
        let begun = Instant::now();
        while self.harness.query_all_by_label(label).next().is_none() {
            assert!(begun.elapsed() < PATIENCE, "{label:?} was not shown");
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
        self.settle();
    }

    fn click(&mut self, label: &str) {
        self.harness.get_all_by_label(label).next().expect("get_all finds at least one").click();
        self.settle();
    }

    fn type_into(&mut self, field: &str, text: &str) {
        self.harness.get_by_role_and_label(Role::TextInput, field).focus();
        self.settle();
        self.harness.event(Input::Text(text.into()));
        self.settle();
    }

    fn shows(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    fn snapshot_of(&self, id: &str) -> PathBuf {
        let folder = format!("hub/models--{}/snapshots/{COMMIT}", id.replace('/', "--"));
        self.scratch.path().join(folder)
    }

    fn phase(app: &App) -> Option<DownloadPhase> {
        app.state().hub.downloads.get(&RepoId::parse("ada/tiny").unwrap()).map(|download| download.phase.clone())
    }
}

/// A shipped model as another program would have left it in the cache.
fn copy_into(cache: &Path, id: &str) {
    let to = cache.join(format!("models--{}/snapshots/{COMMIT}", id.replace('/', "--")));
    fs::create_dir_all(&to).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(root().join("models/sprout").join(file), to.join(file)).unwrap();
    }
    fs::write(to.join("README.md"), "---\nlicense: cc0-1.0\n---\n# Sprout\n").unwrap();
}

fn has_adapter() -> bool {
    use eframe::wgpu::{Backends, Instance, InstanceDescriptor};
    use std::task::{Context, Poll, Waker};
    let instance = Instance::new(InstanceDescriptor::new_without_display_handle());
    let mut adapters = Box::pin(instance.enumerate_adapters(Backends::all()));
    let answer = adapters.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    matches!(answer, Poll::Ready(found) if !found.is_empty())
}

#[test]
fn a_model_is_fetched_by_its_name_and_opened() {
    let mut desk = Desk::open();
    desk.type_into("Name of a model on the hub", " ada/tiny ");
    desk.click("Fetch from the hub");
    desk.until("the model is fetched", |app| matches!(Desk::phase(app), Some(DownloadPhase::Fetched(_))));
    desk.until("it is listed", |app| app.state().hub.cached().iter().any(|m| m.name == "ada/tiny" && m.complete));
    desk.click("Open ada/tiny");
    let opened = desk.engine.started(|_, work| match work {
        Work::Open(path) => Some(path.clone()),
        _ => None,
    });
    assert_eq!(opened.last(), Some(&desk.snapshot_of("ada/tiny")));
    desk.until_shown("Use ada/tiny");
}

#[test]
fn a_download_is_cancelled_and_resumed_where_it_is_shown() {
    let mut desk = Desk::open();
    desk.server.fault("model.safetensors", Fault::Stall);
    desk.type_into("Name of a model on the hub", "ada/tiny");
    desk.harness.key_press(Key::Enter);
    desk.until_shown("Download of ada/tiny");
    desk.until("bytes have come", |app| {
        app.state().hub.downloads.values().any(|d| d.state.total > 0 && d.state.done > 5_000)
    });
    desk.click("Cancel ada/tiny");
    desk.until("it has stopped", |app| Desk::phase(app) == Some(DownloadPhase::Cancelled));
    desk.server.heal();
    desk.until_shown("Resume ada/tiny");
    desk.click("Resume ada/tiny");
    desk.until("it is fetched", |app| matches!(Desk::phase(app), Some(DownloadPhase::Fetched(_))));
    assert!(desk.server.ranges("model.safetensors").last().unwrap().starts_with("bytes="), "it went on, not anew");
}

#[test]
fn what_goes_wrong_stands_beside_its_model_and_local_models_stay_usable() {
    let mut desk = Desk::open();
    desk.type_into("Name of a model on the hub", "tiny");
    desk.click("Fetch from the hub");
    desk.harness.get_by_label("`tiny` is not the name of a model on the hub.");
    desk.server.fault("api", Fault::Status { code: 503, headers: "" });
    desk.type_into("Search models", "distilgpt2");
    desk.click("Download distilbert/distilgpt2");
    desk.until("it fails", |app| {
        let id = RepoId::parse("distilbert/distilgpt2").unwrap();
        app.state().hub.downloads.get(&id).is_some_and(|d| matches!(d.phase, DownloadPhase::Failed(_)))
    });
    assert_eq!(desk.app().state().log.errors_unread(), 1);
    desk.until_shown("Resume distilbert/distilgpt2");
    assert!(desk.shows("Resume in a few minutes."));
    desk.harness.get_by_role_and_label(Role::TextInput, "Search models").focus();
    desk.settle();
    desk.harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    desk.settle();
    desk.harness.event(Input::Text("grace".into()));
    desk.settle();
    desk.click("Open grace/sprout");
    assert!(desk.shows("Use grace/sprout"));
}

#[test]
fn a_model_that_does_not_fit_is_marked() {
    let marks = |free| {
        let desk = Desk::looking(ThemeChoice::Dark, 1.0, free);
        desk.harness.query_all_by_label("Does not fit in memory").count()
    };
    assert_eq!(marks(100_000_000_000), 0);
    // Every row with figures in sight needs more than a kilobyte.
    assert!(marks(1_000) >= 4);
}

#[test]
fn icons_of_open_and_closed_models_stand_in_a_column() {
    let mut desk = Desk::open();
    desk.click("Open seedling");
    desk.until_shown("Use seedling");
    let cards = |name: &str| -> Vec<f32> {
        desk.harness.get_all_by_label(&format!("Card of {name}")).map(|node| node.rect().left()).collect()
    };
    assert!(desk.shows("Open digits-cnn"));
    // Among the open ones and among those that come along.
    let [open, shipped] = cards("seedling")[..] else { panic!("two cards") };
    assert_eq!([open, shipped], [cards("digits-cnn")[0]; 2]);
}

#[test]
fn a_card_lists_its_tensors_and_measures_the_one_that_is_clicked() {
    let mut desk = Desk::open();
    desk.click("Card of sprout");
    desk.until_shown("38 of 38 tensors. Click one to see its values.");
    for figure in ["1.00 M", "4 × 4 (2 kv)", "2.05 kB"] {
        assert!(desk.shows(figure), "{figure} is not on the card");
    }
    desk.click("Order by bytes");
    let first = desk
        .harness
        .get_all_by_role(Role::Button)
        .find_map(|node| node.accesskit_node().label().filter(|label| label.starts_with("Tensor ")));
    assert_eq!(first.as_deref(), Some("Tensor model.embed_tokens.weight, 2048×128, F16"), "the largest is first");
    desk.type_into("Filter tensors", "layers.2 norm");
    assert!(desk.shows("2 of 38 tensors. Click one to see its values."));
    desk.click("Tensor model.layers.2.input_layernorm.weight, 128, F16");
    desk.until_shown("128 values in 64 intervals");
    let sprout = root().join("models/sprout");
    let stats =
        fovea::engine::tensor_stats(&sprout, "model.layers.2.input_layernorm.weight", &|| true).unwrap().unwrap();
    let (low, high) = (format!("{:.3}", stats.min), format!("{:.2}", stats.max));
    assert!(desk.shows(&low) && desk.shows(&high), "{low} and {high} are not in the inspector");
    desk.click("Back to the list");
    assert!(desk.shows("Card of sprout"));
}

#[test]
fn of_thousands_of_tensors_only_those_in_sight_are_laid_out() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("wide");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}"#).unwrap();
    let zeros = [0u8; 4];
    let names: Vec<String> = (0..5000).map(|i| format!("model.layers.{i}.weight")).collect();
    let view = || TensorView::new(Dtype::F32, vec![1], &zeros).unwrap();
    let bytes = safetensors::serialize(names.iter().map(|name| (name, view())), None).unwrap();
    fs::write(folder.join("model.safetensors"), bytes).unwrap();
    // The card that was open last is open again.
    let session = serde_json::json!({ "panels": { "models": { "folder": folder } } });
    fs::create_dir_all(scratch.path().join("state")).unwrap();
    fs::write(scratch.path().join("state/session.json"), session.to_string()).unwrap();
    let mut desk = Desk::in_folder(scratch, ThemeChoice::Dark, 1.0, 2_000_000_000);
    desk.until_shown("5000 of 5000 tensors. Click one to see its values.");
    let rows = |desk: &Desk<'_>| {
        let labels = desk.harness.get_all_by_role(Role::Button).filter_map(|node| node.accesskit_node().label());
        labels.filter(|label| label.starts_with("Tensor ")).collect::<Vec<_>>()
    };
    let first = rows(&desk);
    assert!((10..60).contains(&first.len()), "{} rows are laid out", first.len());
    desk.click("Order by name");
    assert!(rows(&desk).iter().any(|row| row.contains("layers.4999.")), "the last is first now");
}

#[test]
fn pictures_of_list_and_card_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_list_and_card_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let mut desk = Desk::looking(theme, 0.5, 500_000_000);
        let memory = egui::Rect::from_min_max(egui::pos2(1056.0, 772.0), egui::pos2(1280.0, 800.0));
        desk.harness.remove_cursor();
        desk.settle();
        desk.harness.mask(memory);
        desk.harness.snapshot_options(format!("models-list-{name}"), &options);
        desk.click("Card of grace/sprout");
        desk.until_shown("Order by bytes");
        desk.click("Order by bytes");
        desk.click("Tensor model.embed_tokens.weight, 2048×128, F16");
        desk.until_shown("262 k values in 64 intervals");
        desk.harness.remove_cursor();
        desk.settle();
        desk.harness.mask(memory);
        let unnamed = desk.harness.unnamed_widgets();
        assert!(unnamed.is_empty(), "{theme:?}: {unnamed:#?}");
        desk.harness.snapshot_options(format!("models-card-{name}"), &options);
        results.extend_harness(&mut desk.harness);
    }
}

fn closed(desk: &Desk<'_>) -> usize {
    desk.engine.sent(|command| matches!(command, Command::Close { .. }).then_some(())).len()
}

#[test]
fn an_open_model_is_marked_and_closed_and_changed_weights_are_asked_about() {
    let mut desk = Desk::open();
    assert!(desk.shows("No model is open."));
    desk.click("Open sprout");
    assert!(desk.shows("in use"));
    desk.click("Close sprout");
    assert_eq!(closed(&desk), 1);
    assert!(desk.app().state().models.is_empty() && desk.shows("No model is open."));
    desk.click("Open sprout");
    let mut info = desk.app().state().models.values().next().unwrap().info.clone();
    (info.modified, info.trained_steps) = (true, 3);
    desk.engine.say(Event::Model { info, weights: Default::default() });
    desk.settle();
    desk.click("Close sprout (changed, 3 steps)");
    assert_eq!(closed(&desk), 1, "asked first");
    desk.click("Close, not saved sprout (changed, 3 steps)");
    assert_eq!(closed(&desk), 2);
}

#[test]
fn what_the_makers_of_a_model_say_can_be_read_and_shipped_ones_have_a_licence() {
    let mut desk = Desk::open();
    assert!(desk.shows("MIT OR Apache-2.0"));
    desk.click("Card of sprout");
    desk.until_shown("What its makers say");
    desk.click("What its makers say");
    assert!(desk.shows("Data"), "a heading of its card");
}

#[test]
fn a_folder_that_is_gone_is_taken_from_the_list() {
    let scratch = tempfile::tempdir().unwrap();
    let state = scratch.path().join("state");
    fs::create_dir_all(&state).unwrap();
    let gone = scratch.path().join("gone");
    fs::write(state.join("session.json"), serde_json::json!({ "recent": [gone] }).to_string()).unwrap();
    let mut desk = Desk::in_folder(scratch, ThemeChoice::Dark, 1.0, 2_000_000_000);
    // The list is longer than the window.
    desk.type_into("Search models", "gone");
    desk.until_shown("Take gone from the list");
    desk.click("Take gone from the list");
    assert!(desk.app().state().recent.is_empty() && !desk.shows("Take gone from the list"));
}

#[test]
fn an_opening_that_failed_says_so_in_its_row_until_it_is_closed() {
    let mut desk = Desk::open();
    desk.engine.0.borrow_mut().answers = false;
    desk.click("Open sprout");
    let job = desk.app().state().opening().unwrap().id;
    let error = fovea::types::UserError::new("The weights are cut off.", "Why.", "Next.");
    desk.engine.say(Event::Failed { job: Some(job), error });
    desk.settle();
    assert!(desk.shows("The weights are cut off."));
    desk.click("Close the error");
    assert!(!desk.shows("The weights are cut off."));
    assert_eq!(desk.app().state().log.errors_unread(), 1, "the log keeps it");
}
