//! One sitting with the whole app in process: a model is listed nowhere, fetched from a hub on loopback, opened by the
//! real engine, and prompted.

#[path = "support/hub_server.rs"]
mod hub_server;
#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::Queryable;
use fovea::engine::read_card;
use fovea::hub::{HubSettings, RetryPolicy, free_space};
use fovea::types::Ability;
use fovea::ui::AppOptions;
use hub_server::{Fault, HubServer};
use sitting::Sitting;
use std::time::Duration;
use support::root;

#[test]
fn a_model_is_fetched_opened_and_prompted() {
    let (server, scratch) = (HubServer::start(), tempfile::tempdir().unwrap());
    server.add_folder("ada/tiny", &root().join("tests/golden/llama"));
    server.fault("model.safetensors", Fault::Break { after: 15_000, times: 1 });
    let retry = RetryPolicy { first_wait: Duration::from_millis(20), ..RetryPolicy::default() };
    let cache = scratch.path().join("hub");
    let hub = HubSettings {
        cache,
        programs: Default::default(),
        endpoint: server.endpoint(),
        token: None,
        offline: false,
        retry,
        read_card,
        free_space,
    };
    let options = AppOptions { hub: Some(hub), state_dir: Some(scratch.path().join("state")), ..AppOptions::default() };
    let mut sitting = Sitting::begin(options, "models", Vec2::new(1280.0, 800.0));
    sitting.until("the empty cache is listed", |s| s.state().hub.listing.as_ref().is_some_and(|l| l.cached.is_empty()));

    sitting.harness.get_by_role_and_label(Role::TextInput, "Name of a model on the hub").focus();
    sitting.settle();
    sitting.type_text(server.endpoint() + "/ada/tiny");
    sitting.click("Fetch from the hub");
    sitting.until("the model is in the cache", |s| {
        s.state().hub.cached().iter().any(|m| m.name == "ada/tiny" && m.complete)
    });
    assert_eq!(
        server.ranges("model.safetensors"),
        ["", "bytes=15000-"],
        "the broken connection went on where it broke"
    );

    sitting.click("Open ada/tiny");
    sitting.until("it opens", |s| s.state().active(Ability::Continue).is_some());
    assert_eq!(sitting.state().active(Ability::Continue).unwrap().info.name, "ada/tiny");

    sitting.press(Modifiers::COMMAND, Key::Num1);
    sitting.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text("abc");
    sitting.run_prompt("it writes");
    let run = sitting.state().latest_run().unwrap();
    assert!(!run.tokens.is_empty() && run.prompt.iter().map(|t| t.text.as_str()).collect::<String>().contains("abc"));
}
