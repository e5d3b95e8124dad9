//! What every result says of itself, how runs are kept beside each other, and how one gets around the window.

#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, InspectSpec, PromptInput, Work};
use fovea::types::{Ability, ModelId, ModelInfo};
use fovea::ui::AppOptions;
use window::{SMALL, Window, scripted_engine, with_text_model};

/// The texts of the tokens of the output on show.
fn output(window: &Window<'_>) -> String {
    let strip = window.harness.query_by_label("Output tokens");
    strip.and_then(|strip| strip.value()).unwrap_or_default()
}

#[test]
fn a_fork_keeps_the_former_output_and_undo_goes_back_to_it() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    let first = output(&window);
    window.click("Token 2: \" was\"");
    let other = window.harness.get_all_by_role(Role::Button);
    let other = other.into_iter().find(|n| n.accesskit_node().label().is_some_and(|l| l.starts_with("·dog ")));
    other.expect("the alternatives are shown").click();
    window.settle();
    let fork = output(&window);
    assert!(fork.starts_with(", there dog") && fork != first, "{fork}");
    assert!(window.has("2 / 2"));
    window.click("Previous output");
    assert_eq!(output(&window), first);
    window.click("Next output");
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(output(&window), first);
    window.press(Modifiers::COMMAND, Key::Y);
    assert_eq!(output(&window), fork);
}

#[test]
fn a_result_says_what_made_it_and_when_its_prompt_was_changed() {
    let old = "made before the last change";
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    let model = window.app().state().active(Ability::Continue).unwrap().info.clone();
    let stamp = format!("{} · seed 1 · temperature 0.8 · top-k 40", model.name);
    assert!(window.has(&stamp), "{stamp}");
    assert!(!window.has(old));
    window.type_into(Role::MultilineTextInput, "Query", " in");
    assert!(window.has(old));
    window.click("Bring back the prompt this was made from");
    assert!(!window.has(old));
    // Training changes the weights: the result is not what the model would give now, and the next says so.
    let trained = ModelInfo { modified: true, trained_steps: 1, ..model.clone() };
    window.engine.say(Event::Model { info: trained.clone(), weights: Default::default() });
    window.settle();
    assert!(window.has(old) && window.has(&stamp));
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(!window.has(old));
    assert!(window.has(&format!("{} (changed, 1 step) · seed 1 · temperature 0.8 · top-k 40", model.name)));
    // The folder, opened once more, is another model.
    window
        .engine
        .say(Event::Model { info: ModelInfo { id: ModelId::next(), ..model.clone() }, weights: Default::default() });
    window.settle();
    let names: Vec<String> = window.app().state().models.values().map(|open| open.info.name.clone()).collect();
    assert_eq!(names, [model.name.clone(), format!("{} 2", model.name)]);
}

#[test]
fn runs_of_before_are_listed_and_looked_at() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    for _ in 0..2 {
        window.press(Modifiers::COMMAND, Key::Enter);
        window.type_into(Role::MultilineTextInput, "Query", " so");
    }
    let rows = |window: &Window<'_>| {
        let nodes = window.harness.get_all_by_role(Role::Button);
        nodes.into_iter().filter(|n| n.accesskit_node().label().is_some_and(|l| l.starts_with("Run: "))).count()
    };
    assert_eq!(rows(&window), 2);
    let shown = window.app().state().latest_run().unwrap().job;
    let nodes = window.harness.get_all_by_role(Role::Button);
    let oldest = nodes.into_iter().rfind(|n| n.accesskit_node().label().is_some_and(|l| l.starts_with("Run: ")));
    oldest.unwrap().click();
    window.settle();
    window.click("Bring back the prompt this was made from");
    let query = window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").value();
    assert_eq!(query.as_deref(), Some("Once upon a time"));
    assert_eq!(window.app().state().latest_run().unwrap().job, shown, "looking runs nothing");
}

#[test]
fn f6_goes_through_the_regions_of_the_window_and_back() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    let focused = |window: &Window<'_>| {
        let node = window.harness.root().children_recursive().find(|n| n.accesskit_node().is_focused());
        node.and_then(|n| n.accesskit_node().label()).unwrap_or_default()
    };
    let mut seen = Vec::new();
    for _ in 0..5 {
        window.press(Modifiers::NONE, Key::F6);
        seen.push(focused(&window));
    }
    assert!(seen[0].starts_with("Model: "), "{seen:?}");
    assert_eq!(seen[1], "Prompt");
    assert_eq!(seen[2], "Plain prompt");
    let stage = seen[3].clone();
    window.press(Modifiers::SHIFT, Key::F6);
    window.press(Modifiers::SHIFT, Key::F6);
    assert!(seen.contains(&focused(&window)), "{seen:?}");
    assert_ne!(stage, seen[2]);
}

#[test]
fn the_palette_reaches_what_other_panels_can_do() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text("models: refresh again cache".into()));
    window.settle();
    assert!(window.has("No command has these words."));
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text("models: look through cache".into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(window.app().panel().key(), "models");
}

#[test]
fn what_was_typed_counts_for_the_enter_key_of_the_same_frame() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text("show log".into()));
    window.harness.key_press_modifiers(Modifiers::NONE, Key::Enter);
    window.settle();
    assert_eq!(window.app().panel().key(), "log");
}

#[test]
fn a_prompt_is_taken_to_the_attention_panel_without_a_run() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.click("Look at the attention of this text");
    assert_eq!(window.app().panel().key(), "attention");
    let inspected = window.engine.started(|_, work| match work {
        Work::Inspect(InspectSpec { prompt: PromptInput::Text(text), .. }) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(inspected, ["Once upon a time"]);
    assert!(window.engine.generations().is_empty());
}

#[test]
fn an_empty_inspector_gives_its_room_to_the_stage_of_a_small_window() {
    let mut small = Window::open(SMALL, 1.0, with_text_model());
    assert!(!small.has("Hide inspector"));
    small.press(Modifiers::COMMAND, Key::Enter);
    small.click("Token 2: \" was\"");
    assert!(small.has("Hide inspector"), "a token is chosen");
    let large = Window::open(egui::vec2(1280.0, 800.0), 1.0, with_text_model());
    assert!(large.has("Hide inspector"));
}

#[test]
fn the_answer_to_a_query_behind_examples_is_shown_as_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let prompt = |on: bool| {
        let shot = format!(r#"{{ "input": "up", "output": "down", "on": {on} }}"#);
        format!(r#"{{ "shots": [{shot}], "query": "tall", "template": "{{input}} = {{output}}" }}"#)
    };
    for (on, name) in [(true, "with"), (false, "without")] {
        let state = folder.path().join(name);
        std::fs::create_dir(&state).unwrap();
        let session = format!(r#"{{ "panels": {{ "prompt": {{ "prompt": {} }} }} }}"#, prompt(on));
        std::fs::write(state.join("session.json"), session).unwrap();
        let mut window = Window::open(SMALL, 1.0, AppOptions { state_dir: Some(state), ..with_text_model() });
        window.engine.0.borrow_mut().answers = false;
        window.press(Modifiers::COMMAND, Key::Enter);
        let (job, asked) = window.engine.generations()[0].clone();
        let expected = if on { "up = down\ntall =" } else { "tall =" };
        assert_eq!(asked, PromptInput::Text(expected.into()));
        let mut token = scripted_engine::token(0);
        (token.text, token.own) = (" short".into(), " short".into());
        window.engine.say(Event::Token { job, token });
        window.settle();
        assert_eq!((window.has("Answer"), window.has("short")), (on, on), "{name} an example");
        // What is longer than an answer is a text, and stands below only.
        (0..40).for_each(|place| window.engine.say(Event::Token { job, token: scripted_engine::token(place) }));
        window.settle();
        assert!(!window.has("Answer"));
    }
}
