//! Two models that answer one prompt side by side, in the prompt panel.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::Queryable;
use fovea::engine::{Command, Event, GenerateSpec, Outcome, Work};
use fovea::types::{AdapterInfo, AdapterSetting, JobId, ModelId, UserError};
use fovea::ui::{AppOptions, ThemeChoice};
use std::path::Path;
use std::sync::Arc;
use window::scripted_engine::{info, token};
use window::{LAPTOP, SMALL, Window, has_adapter, plain};

/// Two open models, the first of which is in use.
fn both<'a>(size: Vec2, scale: f32, theme: ThemeChoice) -> (Window<'a>, [ModelId; 2]) {
    let options = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
    let mut window = Window::open(size, scale, options);
    window.show("prompt");
    let first = window.app().state().models.keys().next().copied().unwrap();
    let other = ModelId::next();
    window.engine.say(Event::Model { info: info(other, Path::new("models/seedling")), weights: Arc::default() });
    window.settle();
    (window, [first, other])
}

fn choose(window: &mut Window<'_>, name: &str) {
    window.harness.get_by_label_contains("Model beside: ").click();
    window.settle();
    window.click(name);
}

/// What was generated, by which model, and whether on its base.
fn asked(window: &Window<'_>) -> Vec<(JobId, ModelId, GenerateSpec, bool)> {
    window.engine.sent(|command| match command {
        Command::Start { job, model: Some(model), work } => match (&**work, work.itself()) {
            (outer, Work::Generate(spec)) => Some((*job, *model, spec.clone(), matches!(outer, Work::OnBase(_)))),
            _ => None,
        },
        _ => None,
    })
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

/// Answers a generation by hand, with tokens from these places of the story.
fn answer(window: &mut Window<'_>, job: JobId, places: &[usize]) {
    for place in places {
        window.engine.say(Event::Token { job, token: token(*place) });
    }
    let stats = fovea::types::GenerationStats {
        stop: fovea::types::StopReason::MaxNewTokens,
        prompt_tokens: 4,
        new_tokens: places.len(),
        ttft_ms: 12.0,
        tokens_per_s: 48.0,
    };
    window.engine.say(Event::Done { job, outcome: Outcome::Generated(stats) });
    window.settle();
}

#[test]
fn another_model_is_asked_the_same_with_the_same_seed_and_differences_are_marked() {
    let (mut window, [first, other]) = both(LAPTOP, 1.0, ThemeChoice::Dark);
    choose(&mut window, "seedling");
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let runs = asked(&window);
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0].2, runs[1].2, "prompt, settings and seed are the same");
    let job = |model: ModelId| runs.iter().find(|run| run.1 == model).unwrap().0;
    answer(&mut window, job(first), &[0, 1, 2, 3, 4]);
    answer(&mut window, job(other), &[0, 1, 2, 5, 4]);
    let text = |name: &str| window.harness.get_by_label(name).value().unwrap();
    assert_eq!(text("sprout tokens"), ", there was a little");
    assert_eq!(text("seedling tokens"), ", there was girl little");
    assert!(says(&window, "They part at token 3: ·girl and ·a. 1 of 5 tokens at the right have no equal."));
    assert_eq!(window.harness.query_all_by_label("12 ms to first token").count(), 2, "each has its own time");
    // The stamp is of the model in use; without the other the next run is one.
    assert!(says(&window, "sprout · seed 1"));
    choose(&mut window, "No other model");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(asked(&window).len(), 3);
}

#[test]
fn what_one_cannot_answer_stands_in_its_column_alone() {
    let (mut window, [first, other]) = both(LAPTOP, 1.0, ThemeChoice::Dark);
    choose(&mut window, "seedling");
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let runs = asked(&window);
    let job = |model: ModelId| runs.iter().find(|run| run.1 == model).unwrap().0;
    let error = UserError::new("The prompt is too long.", "It has 600 tokens.", "Shorten it.");
    window.engine.say(Event::Failed { job: Some(job(other)), error });
    answer(&mut window, job(first), &[0, 1, 2]);
    assert!(says(&window, "The prompt is too long."));
    let text = window.harness.get_by_label("sprout tokens").value().unwrap();
    assert_eq!(text, ", there was");

    // A model that is closed is said to be, and asked all the same.
    window.engine.0.borrow_mut().answers = true;
    window.show("models");
    window.click("Close seedling");
    window.show("prompt");
    assert!(says(&window, "seedling is not open."));
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(asked(&window).len(), 4);
}

#[test]
fn the_model_without_its_adapter_stands_beside_it() {
    let (mut window, [first, _]) = both(LAPTOP, 1.0, ThemeChoice::Dark);
    let mut tuned = info(first, Path::new("models/sprout"));
    tuned.adapter = Some(Box::new(AdapterInfo {
        name: "poems".into(),
        path: "poems".into(),
        base: None,
        rank: 8,
        alpha: 16.0,
        rank_stabilised: false,
        is_varied: false,
        tensors: 4,
        matrices: 2,
        parameters: 100,
        is_identity: false,
        holds_head: false,
        numbers_classes: false,
        setting: AdapterSetting::default(),
    }));
    window.engine.say(Event::Model { info: tuned, weights: Arc::default() });
    window.settle();
    choose(&mut window, "sprout without poems");
    window.press(Modifiers::COMMAND, Key::Enter);
    let runs = asked(&window);
    assert_eq!(runs.iter().map(|run| (run.1, run.3)).collect::<Vec<_>>(), [(first, true), (first, false)]);
    assert!(window.has("sprout tokens") && window.has("sprout + poems tokens"), "each column says whose it is");

    // Samples likewise.
    window.harness.get_all_by_label("Samples").next().unwrap().focus();
    choose(&mut window, "seedling");
    assert!(!says(&window, "nothing stands beside"));
}

#[test]
fn the_choice_is_there_after_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let options = AppOptions {
        model: Some("models/sprout".into()),
        state_dir: Some(state.path().to_owned()),
        ..plain(ThemeChoice::Dark)
    };
    {
        let mut window = Window::open(LAPTOP, 1.0, options.clone());
        window.show("prompt");
        let other = ModelId::next();
        window.engine.say(Event::Model { info: info(other, Path::new("models/seedling")), weights: Arc::default() });
        window.settle();
        choose(&mut window, "seedling");
        let file = state.path().join("session.json");
        window.wait("the session to be saved", |_| {
            std::fs::read_to_string(&file).is_ok_and(|text| text.contains("seedling"))
        });
    }
    let mut window = Window::open(LAPTOP, 1.0, options);
    window.show("prompt");
    assert!(says(&window, "Model beside: seedling") && says(&window, "seedling is not open."));
    window.click("Open it");
    assert!(!says(&window, "seedling is not open."));
    let in_use = window.harness.query_all_by_label_contains("Model: sprout").next();
    assert!(in_use.is_some(), "what was opened to stand beside does not take the place of the one in use");
}

#[test]
fn pictures_of_two_models_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_two_models_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let (mut window, [first, other]) = both(size, 0.5, theme);
            choose(&mut window, "seedling");
            window.engine.0.borrow_mut().answers = false;
            window.press(Modifiers::COMMAND, Key::Enter);
            let runs = asked(&window);
            let job = |model: ModelId| runs.iter().find(|run| run.1 == model).unwrap().0;
            answer(&mut window, job(first), &(0..20).collect::<Vec<_>>());
            answer(&mut window, job(other), &[0, 1, 2, 5, 4, 5, 6, 7, 8, 9, 11, 12, 15, 16]);
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let whole = egui::pos2(size.x, size.y);
            window.harness.mask(egui::Rect::from_min_max(whole - egui::vec2(224.0, 28.0), whole));
            window.harness.snapshot_options(format!("beside-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
