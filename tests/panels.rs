//! Every panel of the registry, empty and filled, in both themes: it paints, every widget has a name, and its picture is
//! the one that was approved. Then what the prompt and attention panels do when they are used.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, InspectSpec, Outcome, PromptInput, Work};
use fovea::types::{DeviceChoice, JobId, UserError};
use fovea::ui::{AppOptions, ThemeChoice, panels};
use std::path::Path;
use window::{SMALL, Window, has_adapter, plain, scripted_engine, with_text_model};

/// Fills the panel as a person would, as far as that is possible without a pointer.
fn fill(window: &mut Window<'_>, panel: &str) {
    match panel {
        "prompt" | "lab" => window.press(Modifiers::COMMAND, Key::Enter),
        "attention" => {
            window.press(Modifiers::COMMAND, Key::Num1);
            window.press(Modifiers::COMMAND, Key::Enter);
            window.press(Modifiers::COMMAND, Key::Num3);
        }
        "log" => {
            let error =
                UserError::new("The folder holds no model.", "config.json is missing.", "Choose another folder.");
            window.engine.say(Event::Failed { job: None, error: error.with_detail("models/none/config.json") });
        }
        _ => {}
    }
    window.settle();
}

#[test]
fn every_panel_paints_and_names_its_widgets() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        for (place, panel) in panels::all().iter().enumerate() {
            for with_models in [false, true] {
                let mut window = Window::open(SMALL, 1.0, plain(theme));
                if with_models {
                    for name in ["sprout", "digits-mlp"] {
                        open_model(&mut window, name);
                    }
                }
                window.show(panel.id().key());
                if with_models {
                    fill(&mut window, panel.id().key());
                }
                assert_eq!(window.app().panel(), panels::all()[place].id());
                let unnamed = window.harness.unnamed_widgets();
                assert!(unnamed.is_empty(), "{:?}, {theme:?}: {unnamed:#?}", panel.id());
                assert!(
                    window.harness.query_by_role_and_label(Role::Button, panel.title()).is_some(),
                    "{} is not in the rail",
                    panel.title()
                );
            }
        }
    }
}

fn open_model(window: &mut Window<'_>, name: &str) {
    let (job, model) = (JobId::next(), fovea::types::ModelId::next());
    let command = Command::start(job, model, Work::Open(format!("models/{name}").into()));
    let mut link = window.engine.clone();
    fovea::ui::EngineLink::try_send(&mut link, command).unwrap();
    window.settle();
}

#[test]
fn pictures_of_the_panels_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_the_panels_are_the_approved_ones", "no adapter");
        return;
    }
    // Rasterizers differ by a shade at the edge of a letter; a moved line fails many more pixels than this.
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for panel in panels::all() {
            // Half size: a moved or missing part is seen as well, at a quarter of the bytes.
            let mut window = Window::open(SMALL, 0.5, plain(theme));
            for model in ["sprout", "digits-mlp"] {
                open_model(&mut window, model);
            }
            window.show(panel.id().key());
            fill(&mut window, panel.id().key());
            window.harness.remove_cursor();
            window.settle();
            // Memory and the times in the log are never the same twice.
            window.harness.mask(egui::Rect::from_min_max(egui::pos2(800.0, 612.0), egui::pos2(1024.0, 640.0)));
            window.harness.snapshot_options(format!("{}-{name}", panel.id().key()), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}

#[test]
fn typing_and_running_sends_what_was_typed() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").focus();
    window.settle();
    window.harness.event(Input::Text(" in a land".into()));
    window.settle();
    window.click("Run");
    let sent = window.engine.generations();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].1, PromptInput::Text("Once upon a time in a land".into()));
    // The tokens that came are on the strip.
    window.harness.get_by_label("Token 5: \" girl\"");
}

#[test]
fn what_was_typed_counts_before_a_shortcut_of_the_same_frame() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").focus();
    window.settle();
    let shortcut = |key| Input::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: Modifiers::CTRL | Modifiers::COMMAND,
    };
    // What a slow frame gathers.
    let events =
        [Input::Text(" in a land".into()), shortcut(Key::Enter), shortcut(Key::K), Input::Text("about".into())];
    window.harness.input_mut().events.extend(events);
    window.settle();
    let sent = window.engine.generations();
    assert_eq!(sent[0].1, PromptInput::Text("Once upon a time in a land".into()));
    let typed = |window: &Window<'_>, role, name: &str| {
        window.harness.get_by_role_and_label(role, name).value().unwrap_or_default().to_owned()
    };
    assert_eq!(typed(&window, Role::MultilineTextInput, "Query"), "Once upon a time in a land");
    assert!(window.has("About Fovea"), "the palette has the letters behind its shortcut");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.has("Licences"), "and what they found is done");
}

#[test]
fn a_long_text_is_shown_and_typed_in_parts() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    let focus = |window: &mut Window<'_>| {
        window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").focus();
        window.settle();
    };
    let lines: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    focus(&mut window);
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Paste(lines.clone()));
    window.settle();
    let shown = |window: &Window<'_>| {
        let field = window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query");
        field.value().unwrap_or_default().lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(shown(&window), "line 0");
    window.harness.get_by_label("Last part of the text").scroll_to_me();
    window.settle();
    window.click("Last part of the text");
    assert!(shown(&window).starts_with("line 1"), "{}", shown(&window));
    focus(&mut window);
    window.press(Modifiers::CTRL, Key::End);
    window.harness.event(Input::Text("and on".into()));
    window.settle();
    window.harness.get_by_label("First part of the text").scroll_to_me();
    window.settle();
    window.click("First part of the text");
    focus(&mut window);
    window.press(Modifiers::CTRL, Key::Home);
    window.harness.event(Input::Text("It begins.\n".into()));
    window.settle();
    assert_eq!(shown(&window), "It begins.");
    window.click("Run");
    let sent = window.engine.generations();
    let PromptInput::Text(text) = &sent[0].1 else { panic!("{:?}", sent[0].1) };
    assert!(*text == format!("It begins.\n{lines}and on"), "{} … {}", &text[..30], &text[text.len() - 30..]);
}

#[test]
fn an_alternative_goes_on_from_its_token() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.click("Token 2: \" was\"");
    let alternative = window
        .harness
        .get_all_by_role(Role::Button)
        .find(|n| n.accesskit_node().label().is_some_and(|l| l.starts_with("·dog ")));
    alternative.expect("the alternatives of the clicked token are shown").click();
    window.settle();
    let sent = window.engine.generations();
    let prompt: Vec<u32> = scripted_engine::tokens_of("Once upon a time").iter().map(|t| t.id).collect();
    let ids = prompt.into_iter().chain([200, 201, 504]).collect();
    assert_eq!(sent.last().unwrap().1, PromptInput::Ids(ids));
    // What was before the branch stays, then come new tokens.
    window.harness.get_by_label("Token 2: \" dog\"");
    window.harness.get_by_label("Token 3: \",\"");
}

#[test]
fn rows_pasted_into_a_cell_become_examples() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.click("Add an example");
    window.harness.get_by_label("Example 1 input").focus();
    window.settle();
    window.harness.event(Input::Paste("rot\tred\nblau\tblue\n".into()));
    window.settle();
    window.click("Use example 1");
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = window.engine.generations();
    assert_eq!(sent.last().unwrap().1, PromptInput::Text("blau -> blue\nOnce upon a time ->".into()));
    window.press(Modifiers::COMMAND, Key::Z);
    window.press(Modifiers::COMMAND, Key::Z);
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(window.engine.generations().last().unwrap().1, PromptInput::Text("Once upon a time".into()));
}

#[test]
fn rows_move_by_keyboard() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.click("Add an example");
    window.harness.get_by_label("Example 1 input").focus();
    window.settle();
    window.harness.event(Input::Paste("a\t1\nb\t2\nc\t3".into()));
    window.settle();
    window.harness.get_by_label("Move example 1").focus();
    window.settle();
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = window.engine.generations();
    assert_eq!(sent.last().unwrap().1, PromptInput::Text("b -> 2\nc -> 3\na -> 1\nOnce upon a time ->".into()));
}

#[test]
fn escape_cancels_the_running_generation() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = window.engine.generations()[0].clone();
    window.engine.say(Event::Token { job, token: scripted_engine::token(0) });
    window.settle();
    let cancelled = |window: &Window<'_>| {
        window.engine.sent(|c| match c {
            Command::Cancel { job } => Some(*job),
            _ => None,
        })
    };
    window.type_into(Role::MultilineTextInput, "Query", " and on");
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(cancelled(&window), [], "it leaves the field first");
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(cancelled(&window), [job]);
}

#[test]
fn a_full_queue_delays_a_command_and_loses_none() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.engine.0.borrow_mut().is_full = true;
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.harness.run_steps(3);
    assert!(window.engine.generations().is_empty());
    window.engine.0.borrow_mut().is_full = false;
    window.settle();
    assert_eq!(window.engine.generations().len(), 1);
}

#[test]
fn an_error_stands_beside_its_job_and_in_the_log() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = window.engine.generations()[0].clone();
    let error = UserError::new("The prompt is too long.", "It has 600 tokens, the context 512.", "Shorten it.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    window.harness.get_by_label("The prompt is too long.");
    window.harness.get_by_label("Shorten it.");
    window.click("Log");
    window.harness.get_by_label("The prompt is too long.");
}

#[test]
fn the_end_of_the_engine_is_told_once() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.engine.0.borrow_mut().is_gone = true;
    window.harness.run_steps(3);
    assert_eq!(window.app().state().log.errors_unread(), 1);
    window.harness.get_by_label("The engine has stopped.");
}

#[test]
fn the_status_bar_switches_the_device() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    for (name, wanted) in [("GPU", DeviceChoice::Gpu), ("CPU", DeviceChoice::Cpu), ("Automatic", DeviceChoice::Auto)] {
        window.click("Device: CPU (Flex) · No GPU adapter was found.");
        window.harness.get_by_role_and_label(Role::RadioButton, name).click();
        window.settle();
        let chosen = window.engine.sent(|c| match c {
            Command::SetDevice { choice } => Some(*choice),
            _ => None,
        });
        assert_eq!(chosen.last(), Some(&wanted));
    }
}

#[test]
fn attention_inspects_the_last_run_once_and_arrows_choose_the_head() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    let inspections = |window: &Window<'_>| {
        window.engine.started(|_, work| match work {
            Work::Inspect(InspectSpec { prompt: PromptInput::Ids(ids), .. }) => Some(ids.len()),
            _ => None,
        })
    };
    assert!(inspections(&window).is_empty(), "nothing is inspected before anybody looks");
    window.press(Modifiers::COMMAND, Key::Num3);
    assert_eq!(inspections(&window), [4 + 24]);
    window.click("Layer 0 head 0");
    window.press(Modifiers::NONE, Key::ArrowRight);
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.harness.get_by_label("Layer 1 · head 1");
    window.press(Modifiers::NONE, Key::ArrowUp);
    window.harness.get_by_label("Layer 0 · head 1");
    assert_eq!(inspections(&window).len(), 1, "changing the head sends nothing");
    window.click("Layer 1 head 3");
    window.harness.get_by_label("Layer 1 · head 3");
}

#[test]
fn attention_of_a_clicked_token_is_told_as_numbers() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    window.click("Layer 0 head 0");
    window.harness.get_all_by_label("Token 1: \" there\"").next().unwrap().click();
    window.settle();
    // Row 1 of layer 0, head 0: exp(-1) + 0.5 and 1, scaled to add up to 1.
    let raw = ((-1.0f32).exp() + 0.5, 1.0f32);
    let words = format!("·there {:.3}", raw.1 / (raw.0 + raw.1));
    assert!(window.harness.query_all_by_label(&words).next().is_some(), "no bar says {words:?}");
}

#[test]
fn the_palette_finds_and_does() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text("show att".into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(window.app().panel().key(), "attention");
}

#[test]
fn what_was_typed_survives_the_end_of_the_app() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(dir.path().to_owned()), ..plain(ThemeChoice::Dark) };
    let mut window = Window::open(SMALL, 1.0, options());
    window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").focus();
    window.settle();
    window.harness.event(Input::Text(", far away".into()));
    window.settle();
    // Long enough for the next look at what changed; then the app is dropped without a goodbye, as in a crash.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !std::fs::read_to_string(dir.path().join("session.json")).is_ok_and(|t| t.contains("far away")) {
        assert!(std::time::Instant::now() < deadline, "the session was not written");
        std::thread::sleep(std::time::Duration::from_millis(50));
        window.harness.step();
    }
    drop(window);
    let window = Window::open(SMALL, 1.0, options());
    assert_eq!(
        window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").value().as_deref(),
        Some("Once upon a time, far away")
    );
}

#[test]
fn the_legend_of_a_prompt_wraps_where_the_window_is_narrow() {
    let dir = tempfile::tempdir().unwrap();
    let shot = r#"{ "input": "hot", "output": "cold", "on": true }"#;
    let prompt = format!(
        r#"{{ "instruction": "Answer.", "shots": [{shot}], "query": "tall", "template": "{{input}} = {{output}}" }}"#
    );
    let session = format!(r#"{{ "panels": {{ "prompt": {{ "prompt": {prompt} }} }} }}"#);
    std::fs::write(dir.path().join("session.json"), session).unwrap();
    let options = AppOptions { state_dir: Some(dir.path().to_owned()), ..with_text_model() };
    let mut window = Window::open(SMALL, 1.0, options);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.click("Token 2: \" was\"");
    let inspector = window.harness.get_by_label("Hide inspector").rect();
    for words in ["Instruction", "Template", "Example input", "Example output", "Query"] {
        let shown = window.harness.get_all_by_role_and_label(Role::Label, words);
        let inside = shown.filter(|node| node.rect().left() > 350.0).map(|node| node.rect().right());
        let right = inside.fold(0.0, f32::max);
        assert!(
            right > 0.0 && right < inspector.left(),
            "{words} ends at {right}, the inspector begins at {inspector:?}"
        );
    }
}

/// Takes out what an earlier program did not know of, at any depth: that has its defaults.
fn forget_what_is_new(now: &mut serde_json::Value, then: &serde_json::Value) {
    match (now, then) {
        (serde_json::Value::Object(now), serde_json::Value::Object(then)) => {
            now.retain(|name, _| then.contains_key(name));
            now.iter_mut().for_each(|(name, value)| forget_what_is_new(value, &then[name]));
        }
        (serde_json::Value::Array(now), serde_json::Value::Array(then)) => {
            now.iter_mut().zip(then).for_each(|(now, then)| forget_what_is_new(now, then));
        }
        _ => {}
    }
}

#[test]
fn a_session_that_an_earlier_program_saved_comes_back_whole() {
    let saved = support::root().join("tests/golden/older/session.json");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session.json");
    std::fs::copy(&saved, &file).unwrap();
    let options = AppOptions { state_dir: Some(dir.path().to_owned()), ..AppOptions::default() };
    let mut window = Window::open(SMALL, 1.0, options);
    let read = |path: &Path| {
        std::fs::read_to_string(path).ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
    };
    let before = read(&saved).unwrap();
    assert_eq!(window.app().panel().key(), "lab", "the panel that was shown");
    window.show("models");
    // What was restored is saved again, and is the same.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let after = loop {
        window.harness.step();
        if let Some(session) = read(&file).filter(|session| session["panel"] == "models") {
            break session;
        }
        assert!(std::time::Instant::now() < deadline, "the session was not written");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    for (panel, kept) in before["panels"].as_object().unwrap() {
        for (field, value) in kept.as_object().unwrap() {
            let mut saved = after["panels"][panel][field].clone();
            forget_what_is_new(&mut saved, value);
            assert_eq!(&saved, value, "{panel}, {field}");
        }
    }
    for field in ["theme", "device", "inspector"] {
        assert_eq!(after[field], before[field], "{field}");
    }
}

#[test]
fn a_model_that_is_opened_is_offered_in_the_chip() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.harness.get_by_label("Model: sprout, 5.80 M · F16");
    window.engine.0.borrow_mut().answers = false;
    let (job, model) = (JobId::next(), fovea::types::ModelId::next());
    window.engine.say(Event::Done { job, outcome: Outcome::Opened { model } });
    window.settle();
    window.harness.get_by_label("Model: sprout, 5.80 M · F16");
}

#[test]
fn a_head_is_exported_to_a_typed_path() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    for (format, begins) in [("SVG", &b"<svg"[..]), ("PNG", b"\x89PNG"), ("CSV", b"query_index")] {
        let bytes = window.export(format, &dir.path().join(format!("head.{}", format.to_lowercase())));
        assert!(bytes.starts_with(begins) && bytes.len() > 500, "{format}: {} bytes", bytes.len());
    }
}

#[test]
fn a_failed_export_stays_until_it_was_read() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    let nowhere = Path::new("/nonexistent/folder/head.svg");
    window.begin_export("SVG", nowhere);
    window.wait("no message", |window| window.has("Close the message"));
    // Other work does not take it away; the message says what failed, and why.
    window.press(Modifiers::COMMAND, Key::Num1);
    window.press(Modifiers::COMMAND, Key::Enter);
    let told = |words: &str| {
        let mut labels = window.harness.get_all_by_role(Role::Label);
        labels.any(|label| label.value().is_some_and(|text| text.contains(words)))
    };
    assert!(told("/nonexistent/folder/head.svg") && told("No such file or directory"));
    window.click("Close the message");
    assert!(!window.has("Close the message"));
    window.press(Modifiers::COMMAND, Key::Num3);
    window.begin_export("SVG", nowhere);
    window.wait("no message", |window| window.has("Close the message"));
    let dir = tempfile::tempdir().unwrap();
    window.export("SVG", &dir.path().join("head.svg"));
    window.wait("the message stays", |window| !window.has("Close the message"));
}

#[test]
fn a_long_example_wraps_in_its_cell() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.click("Add an example");
    let height = |window: &Window<'_>| window.harness.get_by_label("Example 1 input").rect().height();
    let one_line = height(&window);
    window.harness.get_by_label("Example 1 input").focus();
    window.settle();
    window.harness.event(Input::Text("an example that is a good deal longer than its cell is wide".into()));
    window.settle();
    let typed = window.harness.get_by_label("Example 1 input").value();
    assert_eq!(typed.as_deref(), Some("an example that is a good deal longer than its cell is wide"));
    assert!(height(&window) > 2.5 * one_line, "{} after {one_line}", height(&window));
    window.press(Modifiers::NONE, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = window.engine.generations();
    let PromptInput::Text(text) = &sent.last().unwrap().1 else { panic!("{:?}", sent.last()) };
    assert!(text.starts_with("an example that is a good deal longer than its cell is wide -> "), "{text:?}");
}

/// Presses the window's close button; true when the window stays.
fn close(window: &mut Window<'_>) -> bool {
    let viewport = window.harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default();
    viewport.events.push(egui::ViewportEvent::Close);
    window.harness.step();
    let commands = &window.harness.output().viewport_output[&egui::ViewportId::ROOT].commands;
    let stays = commands.contains(&egui::ViewportCommand::CancelClose);
    window.harness.input_mut().viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
    window.settle();
    stays
}

#[test]
fn closing_the_window_asks_once_when_something_would_be_lost() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    assert!(!close(&mut window), "nothing would be lost");
    let mut info = window.app().state().models.values().next().unwrap().info.clone();
    info.modified = true;
    let name = info.name.clone();
    window.engine.say(Event::Model { info, weights: Default::default() });
    window.settle();
    assert!(close(&mut window));
    assert!(window.has("Close Fovea?") && window.has(&format!("{name} was changed and is not saved.")));
    window.click("Stay");
    assert!(!window.has("Close Fovea?"));
    // Esc stays, too, and leaves the job that is under way alone.
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(close(&mut window), "asked again, since the person stayed");
    window.press(Modifiers::NONE, Key::Escape);
    let cancels = window.engine.sent(|c| matches!(c, Command::Cancel { .. }).then_some(()));
    assert!(!window.has("Close Fovea?") && cancels.is_empty());
    assert!(close(&mut window));
    window.click("Close anyway");
    assert!(!close(&mut window), "asked once");
}
