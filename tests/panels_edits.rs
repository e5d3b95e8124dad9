//! The edits that a person makes in the window: the list, what it is added to by, and what every panel makes of it.

#[path = "support/lab.rs"]
mod lab;
mod support;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, Work};
use fovea::types::UserError;
use fovea::ui::{AppOptions, ThemeChoice};
use lab::tall;
use lab::window::{Dropped, Window, has_adapter, with_text_model};
use std::sync::Arc;

const OLD: &str = "made before the last change";
const HEAD: &str = "blocks.0.attn.z[0] = zero";

/// Adds edits as lines, in the form of the panel on show.
fn add(window: &mut Window<'_>, lines: &[&str]) {
    window.click("Add an edit");
    for line in lines {
        type_line(window, line);
        window.click("Add the line");
    }
    // A click beside the form closes it.
    window.click("Add an edit");
    assert!(!window.has("Add the edit"), "the form is closed");
}

fn type_line(window: &mut Window<'_>, line: &str) {
    window.harness.get_by_role_and_label(Role::TextInput, "Or any edit, as a line").focus();
    window.settle();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(line.to_owned()));
    window.settle();
}

/// The rows of the list, in words.
fn rows(window: &Window<'_>) -> Vec<String> {
    let all = window.harness.query_all_by_label_contains("Edit: ");
    let labels = all.filter_map(|node| node.accesskit_node().label());
    labels.filter_map(|label| label.strip_prefix("Edit: ").map(str::to_owned)).collect()
}

/// The edits of the newest work of a kind.
fn asked<T>(window: &Window<'_>, of: impl Fn(&Work) -> Option<T>) -> Vec<T> {
    window.engine.started(|_, work| of(work))
}

fn generated(window: &Window<'_>) -> Vec<(u64, Vec<String>)> {
    asked(window, |work| match work {
        Work::Generate(spec) => {
            Some((spec.sampling.seed, spec.edits.iter().map(ToString::to_string).collect::<Vec<_>>()))
        }
        _ => None,
    })
}

fn inspected(window: &Window<'_>) -> Vec<Vec<String>> {
    asked(window, |work| match work {
        Work::Inspect(spec) => Some(spec.edits.iter().map(ToString::to_string).collect()),
        _ => None,
    })
}

#[test]
fn a_head_is_switched_off_and_the_text_stands_beside_the_one_without() {
    let mut window = tall("prompt", with_text_model());
    window.click("Add an edit");
    window.click("Add the edit");
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(rows(&window), ["head 0.0 off"]);
    window.press(Modifiers::COMMAND, Key::Enter);
    let mut runs = generated(&window);
    runs.sort();
    assert_eq!(runs, [(1, vec![]), (1, vec![HEAD.to_owned()])], "both with the same seed");
    let text = |name: &str| window.harness.get_by_label(name).value().unwrap();
    let (plain, edited) = (text("Unedited tokens"), text("Edited tokens"));
    assert!(plain.starts_with(", there was a little"), "{plain}");
    assert!(edited.starts_with(", there a little"), "{edited}");
    assert!(window.harness.query_by_label_contains("They part at token 2: ·was and ·a.").is_some());
    assert!(window.has("Next ·dog: 75.0 % unedited, 12.5 % edited"));
    assert!(window.has("KL 0.625 nats"));
    assert!(window.harness.query_by_label_contains("edited: head 0.0 off").is_some(), "the stamp says so");
}

#[test]
fn a_run_is_old_once_the_list_is_changed_and_without_edits_nothing_is_compared() {
    let mut window = tall("prompt", with_text_model());
    add(&mut window, &[HEAD, "blocks.1 = skip"]);
    assert_eq!(rows(&window), ["head 0.0 off", "block 1 skipped"]);
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(!window.has(OLD));
    window.click("Use the edit block 1 skipped");
    assert!(window.has(OLD));
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(generated(&window).last().unwrap().1.len() + generated(&window)[2].1.len(), 1);
    window.click("Switch all edits off");
    assert!(window.has(OLD) && window.has("Edits · 0 of 2 on"));
    let before = generated(&window).len();
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(generated(&window).len(), before + 1, "one run, as ever");
    assert!(window.has("Output tokens") && !window.has("Edited tokens") && !window.has(OLD));
}

#[test]
fn a_slip_of_the_pen_is_told_beside_the_line_and_what_the_model_lacks_beside_its_edit() {
    let mut window = tall("prompt", with_text_model());
    window.click("Add an edit");
    type_line(&mut window, "blocks.0.attn.z[x] = zero");
    assert!(window.harness.query_by_label_contains("\"x\" is no number").is_some());
    assert!(!window.has("Add the line"));
    type_line(&mut window, "blocks.9.mlp_out = zero");
    window.click("Add the line");
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(rows(&window), ["MLP 9 off"]);
    window.wait("the engine's words stand in the list", |window| window.has("The model has no block 9."));
    // It is not left out: the run is asked for, and the engine refuses it.
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(generated(&window).iter().map(|(_, edits)| edits.len()).max(), Some(1));
    let is_edited = |work: &Work| match work {
        Work::Generate(spec) => !spec.edits.is_empty(),
        work => matches!(work, Work::CompareNext(_)),
    };
    for job in window.engine.started(|job, work| is_edited(work).then_some(job)) {
        let error = UserError::new("There is no block 9.", "It has 2.", "Name one of those.");
        window.engine.say(Event::Failed { job: Some(job), error });
    }
    window.settle();
    assert_eq!(window.harness.query_all_by_label("There is no block 9.").count(), 1, "said once");
    assert!(window.has("Unedited tokens"), "the text without the edit stands");
    window.click("Remove the edit MLP 9 off");
    assert!(rows(&window).is_empty() && !window.has("The model has no block 9."));
}

#[test]
fn edits_are_moved_scaled_and_taken_back_in_the_order_of_what_was_done() {
    let mut window = tall("prompt", with_text_model());
    add(&mut window, &[HEAD, "blocks.1.mlp_out = zero"]);
    window.harness.get_by_label("Move the edit head 0.0 off").focus();
    window.settle();
    window.press(Modifiers::NONE, Key::ArrowDown);
    assert_eq!(rows(&window), ["MLP 1 off", "head 0.0 off"]);
    let factor = window.harness.get_by_label("Factor of the edit head 0.0 off");
    factor.click();
    window.settle();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text("0.5".into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(rows(&window), ["MLP 1 off", "head 0.0 × 0.5"]);
    // What was typed later is taken back first.
    std::thread::sleep(std::time::Duration::from_millis(750));
    let prompt = |window: &Window<'_>| {
        window.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").value().unwrap_or_default()
    };
    let before = prompt(&window);
    window.type_into(Role::MultilineTextInput, "Query", " more");
    assert_ne!(prompt(&window), before);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!((prompt(&window), rows(&window)[1].as_str()), (before.clone(), "head 0.0 × 0.5"));
    for _ in 0..4 {
        window.press(Modifiers::COMMAND, Key::Z);
    }
    assert!(rows(&window).is_empty(), "{:?}", rows(&window));
    for _ in 0..5 {
        window.press(Modifiers::COMMAND, Key::Y);
    }
    assert_eq!(rows(&window), ["MLP 1 off", "head 0.0 × 0.5"]);
    assert_ne!(prompt(&window), before);
}

#[test]
fn sets_and_files_bring_a_list_back_and_a_restart_keeps_it() {
    let scratch = tempfile::tempdir().unwrap();
    let options = AppOptions { state_dir: Some(scratch.path().join("state")), ..with_text_model() };
    let mut window = tall("prompt", options.clone());
    let lines = ["blocks.0.attn.z[1] = scale 0.5", "blocks.1.mlp_out = mean over \"two\" [\"a\", \"b\"]"];
    add(&mut window, &lines);
    window.click("Use the edit head 0.1 × 0.5");
    let words = ["head 0.1 × 0.5", "MLP 1 at its mean over two"];
    // Under a name.
    window.click("Sets of edits");
    window.type_into(Role::TextInput, "Name of the set", "mine");
    window.click("Keep the set");
    // In a file.
    let path = scratch.path().join("kept.fovea-edits.json");
    window.click("Save the edits…");
    let field =
        |window: &Window<'_>| window.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some();
    window.wait("a field for the path", field);
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    window.wait("the file", |_| std::fs::metadata(&path).is_ok_and(|file| file.len() > 0));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("fovea-edits") && text.contains("\"model\": \"sprout\""), "{text}");

    for label in words {
        window.click(&format!("Remove the edit {label}"));
    }
    assert!(rows(&window).is_empty());
    window.click("Sets of edits");
    window.click("mine · 2");
    window.settle();
    assert_eq!(rows(&window), words);
    window.click("Remove the edit head 0.1 × 0.5");
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(path.clone())));
    window.wait("the file is opened", |window| rows(window) == words);
    assert!(window.has("Edits · 1 of 2 on"), "switched off as it was");
    let session = scratch.path().join("state/session.json");
    window.wait("the session is written", |_| {
        let kept = std::fs::read_to_string(&session).unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap_or_default();
        let count = |of: &str| kept["edits"][of].as_array().map_or(0, Vec::len);
        (count("list"), count("sets")) == (2, 1)
    });
    drop(window);

    let mut window = tall("prompt", options);
    window.settle();
    assert_eq!(rows(&window), words);
    window.click("Sets of edits");
    assert!(window.has("mine · 2"));
}

#[test]
fn the_palette_switches_all_edits_wherever_one_is() {
    let mut window = tall("prompt", with_text_model());
    add(&mut window, &[HEAD, "blocks.1 = skip"]);
    window.show("log");
    for verb in ["off", "on"] {
        window.press(Modifiers::COMMAND, Key::K);
        window.harness.event(Input::Text(format!("switch all edits {verb}")));
        window.settle();
        window.press(Modifiers::NONE, Key::Enter);
        window.show("prompt");
        let count = if verb == "off" { 0 } else { 2 };
        assert!(window.has(&format!("Edits · {count} of 2 on")), "{verb}");
    }
}

#[test]
fn pictures_of_edits_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_edits_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let mut window =
            Window::open(Vec2::new(1280.0, 1000.0), 0.5, AppOptions { theme: Some(theme), ..with_text_model() });
        add(&mut window, &["blocks.0.attn.z[1] = scale 0.5", "blocks.1 = skip", "blocks.7.mlp_out = zero"]);
        window.wait("edits are checked", |window| window.has("The model has no block 7."));
        window.click("Use the edit MLP 7 off");
        window.press(Modifiers::COMMAND, Key::Enter);
        for view in ["prompt", "form"] {
            if view == "form" {
                window.click("Add an edit");
                window.settle();
            }
            window.harness.event(Input::PointerGone);
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            window.harness.mask(egui::Rect::from_min_max(egui::pos2(1000.0, 972.0), egui::pos2(1280.0, 1000.0)));
            window.harness.snapshot_options(format!("edits-{view}-{name}"), &options);
        }
        results.extend_harness(&mut window.harness);
    }
}

#[test]
fn a_file_that_is_no_list_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bad.fovea-edits.json");
    std::fs::write(&path, r#"{"format":"fovea-edits","version":1,"edits":[{"edit":"nonsense","on":true}]}"#).unwrap();
    let mut window = tall("prompt", with_text_model());
    add(&mut window, &[HEAD]);
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    window.wait("it is refused", |window| {
        window.harness.query_by_label_contains("is no list of edits that can be opened").is_some()
    });
    assert_eq!(rows(&window), ["head 0.0 off"]);
}

#[test]
fn attention_is_that_of_the_edited_model_until_it_is_switched() {
    let mut window = tall("prompt", with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.show("attention");
    window.settle();
    assert_eq!(inspected(&window), [Vec::<String>::new()]);
    window.press(Modifiers::NONE, Key::ArrowRight);
    window.click("Switch this head off");
    window.wait("the text is read again", |window| inspected(window).len() == 2);
    assert_eq!(inspected(&window)[1], ["blocks.0.attn.z[1] = zero"]);
    window.wait("it is told", |window| window.has("Of the edited model: head 0.1 off."));
    assert!(window.has("Layer 0 head 1, edited") && !window.has("Layer 0 head 0, edited"));
    window.harness.get_by_role_and_label(Role::RadioButton, "Unedited").click();
    window.wait("it is read as it is", |window| inspected(window).len() == 3);
    assert!(inspected(&window)[2].is_empty());
    window.wait("it is told", |window| window.has("Of the model as it is."));
    // The list is the same in every panel.
    window.show("prompt");
    assert_eq!(rows(&window), ["head 0.1 off"]);
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(rows(&window).is_empty());
}

#[test]
fn a_view_opens_with_the_edits_it_was_saved_with_and_gives_them_to_the_list() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("view.json");
    let mut window = tall("prompt", with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.show("attention");
    window.click("Switch this head off");
    window.wait("it is told", |window| window.has("Of the edited model: head 0.0 off."));
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text("save this view".into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    let field =
        |window: &Window<'_>| window.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some();
    window.wait("a field for the path", field);
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    window.wait("the file", |_| std::fs::read_to_string(&path).is_ok_and(|text| text.contains(HEAD)));
    drop(window);

    let mut window = tall("attention", with_text_model());
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    window.wait("it is told", |window| window.has("Of the edited model: head 0.0 off."));
    assert_eq!(inspected(&window), [[HEAD]]);
    assert!(rows(&window).is_empty());
    window.click("Take these edits over");
    assert_eq!(rows(&window), ["head 0.0 off"]);
    assert!(!window.has("Take these edits over"));
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(rows(&window).is_empty());
}

#[test]
fn a_conversation_goes_on_from_the_edited_answer_and_samples_are_drawn_both_ways() {
    let mut window = tall("prompt", with_text_model());
    add(&mut window, &[HEAD]);
    window.harness.get_by_role_and_label(Role::RadioButton, "Chat").click();
    window.settle();
    window.type_into(Role::MultilineTextInput, "Message", "Hello");
    window.press(Modifiers::COMMAND, Key::Enter);
    let mut edits: Vec<usize> = generated(&window).iter().map(|(_, edits)| edits.len()).collect();
    edits.sort_unstable();
    assert_eq!(edits, [0, 1]);
    window.harness.get_by_role_and_label(Role::RadioButton, "Answer").click();
    window.settle();
    let text = |name: &str| window.harness.get_by_label(name).value().unwrap();
    assert!(text("Unedited tokens").starts_with(", there was a"), "{}", text("Unedited tokens"));
    assert!(text("Edited tokens").starts_with(", there a"), "{}", text("Edited tokens"));

    window.harness.get_by_role_and_label(Role::RadioButton, "Plain prompt").click();
    window.settle();
    window.harness.get_by_role_and_label(Role::SpinButton, "Samples").click();
    window.settle();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text("3".into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Enter);
    let samples = asked(&window, |work| match work {
        Work::Samples(spec) => Some((spec.generate.sampling.seed, spec.generate.edits.len())),
        _ => None,
    });
    assert_eq!(samples, [(1, 0), (1, 1)]);
}

#[test]
fn the_lab_asks_the_edited_model_beside_the_other() {
    let mut window = tall("lab", with_text_model());
    add(&mut window, &[HEAD]);
    window.click("Edited beside unedited");
    window.press(Modifiers::COMMAND, Key::Enter);
    let scored = asked(&window, |work| match work {
        Work::Score(request) => Some((request.prompt.clone(), request.edits.len())),
        _ => None,
    });
    assert_eq!(scored.len(), 6, "three cards, twice");
    for (prompt, _) in &scored {
        let mut of: Vec<usize> = scored.iter().filter(|(other, _)| other == prompt).map(|(_, edits)| *edits).collect();
        of.sort_unstable();
        assert_eq!(of, [0, 1], "the same prompt without and with");
    }
    assert!(window.harness.query_by_label_contains("B · sprout · head 0.0 off").is_some());

    window.harness.get_by_role_and_label(Role::RadioButton, "Curve").click();
    window.settle();
    window.press(Modifiers::COMMAND, Key::Enter);
    window.settle();
    let curves = asked(&window, |work| match work {
        Work::KShot(spec) => Some(spec.edits.len()),
        _ => None,
    });
    assert_eq!(curves, [0, 1]);
    assert!(window.has("True labels · edited"));

    window.harness.get_by_role_and_label(Role::RadioButton, "Batch").click();
    window.settle();
    window.press(Modifiers::COMMAND, Key::Enter);
    window.settle();
    let batches = asked(&window, |work| match work {
        Work::Batch(spec) => Some(spec.edits.len()),
        _ => None,
    });
    assert_eq!(batches, [0, 1]);
    assert!(window.harness.get_by_role_and_label(Role::RadioButton, "edited").rect().is_positive());
}
