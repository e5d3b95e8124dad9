//! What a score is made of: what is asked of the engine, what parts tell, what is lost without one, and what is kept.

#[path = "support/looking.rs"]
mod looking;
mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{AttributeSpec, Event, Outcome, PromptInput, Work};
use fovea::types::{AddedPart, AttributionReport, JobId, RemovedPart, UserError};
use fovea::ui::{AppOptions, ThemeChoice};
use looking::{inspected, looking_at, tokens};
use std::sync::Arc;
use window::{LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

const TEXT: [&str; 6] = ["The", " cat", " sat", " on", " the", " a very long token of many letters"];
const LAYERS: usize = 6;
const HEADS: usize = 8;

/// What an engine might answer: every value another one, of both signs.
fn answered(texts: &[&str], spec: &AttributeSpec) -> AttributionReport {
    let mut parts = vec![(AddedPart::Embedding, 1.25), (AddedPart::Position, -0.5)];
    for layer in 0..LAYERS {
        for head in 0..HEADS {
            let place = (layer * HEADS + head) as f64;
            parts.push((AddedPart::Head { layer, head }, (place * 0.7).sin() * (0.2 + place / 60.0)));
        }
        parts.push((AddedPart::AttentionBias(layer), 0.02 * layer as f64));
        parts.push((AddedPart::Mlp(layer), if layer % 2 == 0 { 0.6 } else { -0.35 } * (layer + 1) as f64 / 2.0));
    }
    parts.push((AddedPart::NormBias, 0.125));
    let score: f64 = parts.iter().map(|(_, value)| value).sum::<f64>() + 1e-6;
    AttributionReport {
        tokens: tokens(&texts[..spec.position.map_or(texts.len(), |place| place + 1)]),
        target: (6, spec.target.clone().unwrap_or_else(|| " mat".into())),
        against: spec.against.clone().map(|text| (7, text)),
        score,
        scores: [score, 0.0],
        parts,
        left_out: [usize::from(spec.target.is_some()), 0],
        removed: spec.removed.map(|part| RemovedPart { part, score: score - 0.75, scores: [score - 0.75, 0.0] }),
    }
}

fn asked(window: &Window<'_>) -> Vec<(JobId, AttributeSpec)> {
    window.engine.started(|job, work| match work {
        Work::Attribute(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

/// The newest question, answered.
fn answer(window: &mut Window<'_>) -> AttributeSpec {
    let (job, spec) = asked(window).pop().unwrap();
    let outcome = Outcome::Attributed(Arc::new(answered(&TEXT, &spec)));
    window.engine.say(Event::Done { job, outcome });
    window.settle();
    spec
}

fn opened(size: Vec2, scale: f32, options: AppOptions) -> Window<'static> {
    looking_at("Parts", size, scale, options, &TEXT)
}

fn looking() -> Window<'static> {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    answer(&mut window);
    window
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

/// Clicks the first button of this name, which is its place in the map.
fn click_part(window: &mut Window<'_>, name: &str) {
    let begin = format!("{name}: ");
    let buttons: Vec<_> = window.harness.query_all_by_role(Role::Button).collect();
    let label = |node: &egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
    buttons.iter().find(|node| label(node).starts_with(&begin)).expect("the part").click();
    drop(buttons);
    window.settle();
}

#[test]
fn every_part_tells_what_it_adds_and_the_sum_is_checked() {
    let mut window = looking();
    let specs = asked(&window);
    let ids = tokens(&TEXT).iter().map(|token| token.id).collect();
    let plain = AttributeSpec {
        prompt: PromptInput::Ids(ids),
        position: Some(5),
        target: None,
        against: None,
        edits: Vec::new(),
        removed: None,
    };
    assert_eq!(specs[0].1, plain, "the last token, unless another one is chosen");
    assert_eq!(specs.len(), 1, "asked once");
    let report = answered(&TEXT, &plain);
    for (part, value) in &report.parts {
        assert!(says(&window, &format!("{part}: {value:+.4}")), "{part}");
    }
    let sum = format!("{} parts together: {:+.4}", report.parts.len(), report.score);
    assert!(says(&window, &sum), "{sum}");
    assert!(says(&window, "missing, which is rounding"));
    assert!(says(&window, "above the mean of all tokens"));
    // The largest first, all others in one row.
    assert!(says(&window, &format!("{} others adds", report.parts.len() - 16)));

    window.harness.get_by_label("Token 2: \" sat\"").click();
    window.wait("no question", |w| asked(w).len() > 1);
    assert_eq!(answer(&mut window).position, Some(2));
    assert!(says(&window, "after ‘·sat’"));
}

#[test]
fn what_is_lost_without_a_part_stands_beside_what_it_adds() {
    let mut window = looking();
    assert!(says(&window, "Choose a head or an MLP to see what is lost without it."));
    click_part(&mut window, "head 2.3");
    let spec = answer(&mut window);
    assert_eq!(spec.removed, Some(AddedPart::Head { layer: 2, head: 3 }));
    let adds = answered(&TEXT, &spec).value(AddedPart::Head { layer: 2, head: 3 }).unwrap();
    assert!(says(&window, &format!("adds to the score: {adds:+.4}")));
    assert!(says(&window, "lost when it is removed: +0.7500") && says(&window, "The two differ"));

    // An answer about one part is not shown for another one.
    click_part(&mut window, "MLP 4");
    assert!(says(&window, "lost when it is removed: …") && !says(&window, "lost when it is removed: +0.7500"));
    assert_eq!(answer(&mut window).removed, Some(AddedPart::Mlp(4)));
    assert!(says(&window, "lost when it is removed: +0.7500"));
    let before = asked(&window).len();
    click_part(&mut window, "MLP 4");
    assert!(says(&window, "Choose a head or an MLP"), "once more lets it go");
    assert_eq!(asked(&window).len(), before);
}

#[test]
fn a_score_above_another_one_is_asked_for_by_their_texts() {
    let mut window = looking();
    for (field, text) in [("Whose score is taken apart", " dog house"), ("Above whose score", " cat")] {
        window.harness.get_by_role_and_label(Role::TextInput, field).focus();
        window.harness.run_steps(2);
        window.harness.get_by_role_and_label(Role::TextInput, field).type_text(text);
        window.harness.run_steps(2);
    }
    window.wait("no question", |w| asked(w).iter().any(|(_, spec)| spec.against.as_deref() == Some(" cat")));
    let spec = answer(&mut window);
    assert_eq!((spec.target.as_deref(), spec.against.as_deref()), (Some(" dog house"), Some(" cat")));
    assert!(says(&window, "above ‘·cat’") && says(&window, "Of 2 tokens, ‘·dog·house’, the first, is meant."));
}

#[test]
fn parts_that_do_not_make_the_score_say_so() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    let (job, spec) = asked(&window).pop().unwrap();
    let mut report = answered(&TEXT, &spec);
    report.score += 0.5;
    report.parts[4].1 = f64::NAN;
    window.engine.say(Event::Done { job, outcome: Outcome::Attributed(Arc::new(report)) });
    window.settle();
    assert!(says(&window, "the parts do not make the score"));
}

#[test]
fn the_parts_go_into_files_and_are_copied_as_a_picture() {
    let mut window = looking();
    let dir = tempfile::tempdir().unwrap();
    let svg = String::from_utf8(window.export("svg", &dir.path().join("parts.svg"))).unwrap();
    for part in ["sprout, what the score of ‘ mat’ above the mean is made of", ">\nlayer 5\n<", ">\nattention bias\n<"]
    {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    let csv = String::from_utf8(window.export("csv", &dir.path().join("parts.csv"))).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 + LAYERS * (HEADS + 2) + 1 + 2, "{csv}");
    let tensors = window.export("safetensors", &dir.path().join("parts.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(tensors.tensor("heads").unwrap().shape(), [LAYERS, HEADS]);
    window.click("This view");
    window.click("Copy as a picture");
    window.wait("no picture on the clipboard", |w| {
        let commands = &w.harness.output().platform_output.commands;
        commands.iter().any(|command| matches!(command, egui::OutputCommand::CopyImage(image) if image.width() > 900))
    });
}

#[test]
fn what_was_chosen_is_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(dir.path().to_owned()), ..with_text_model() };
    let mut window = opened(LAPTOP, 1.0, options());
    answer(&mut window);
    click_part(&mut window, "MLP 2");
    window.harness.get_by_role_and_label(Role::TextInput, "Above whose score").focus();
    window.harness.run_steps(2);
    window.harness.get_by_role_and_label(Role::TextInput, "Above whose score").type_text(" cat");
    window.harness.run_steps(2);
    window.wait("no session", |_| {
        let saved = std::fs::read_to_string(dir.path().join("session.json")).unwrap_or_default();
        let saved: serde_json::Value = serde_json::from_str(&saved).unwrap_or_default();
        let attention = &saved["panels"]["attention"];
        attention["way"] == "parts" && attention["parts"]["part"]["mlp"] == 2 && attention["parts"]["against"] == " cat"
    });
    drop(window);
    let mut window = Window::open(LAPTOP, 1.0, options());
    window.press(Modifiers::COMMAND, Key::Num1);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Num3);
    let inspections = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
    let outcome = Outcome::Inspected(Arc::new(inspected(&TEXT)));
    window.engine.say(Event::Done { job: *inspections.last().unwrap(), outcome });
    window.harness.run_steps(4);
    assert_eq!(answer(&mut window).against.as_deref(), Some(" cat"));
    assert_eq!(answer(&mut window).removed, Some(AddedPart::Mlp(2)));
    assert!(says(&window, "lost when it is removed: +0.7500"));
}

/// Chooses an entry of the palette and tells it a path.
fn with_path(window: &mut Window<'_>, entry: &str, field: &str, path: &std::path::Path) {
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(egui::Event::Text(entry.into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    window.wait("no field for the path", |w| w.harness.query_by_role_and_label(Role::TextInput, field).is_some());
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(egui::Event::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

#[test]
fn a_view_of_parts_opens_again_with_its_token_and_its_part() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("view.json");
    let mut window = looking();
    window.harness.get_by_label("Token 2: \" sat\"").click();
    window.wait("no question", |w| asked(w).len() > 1);
    answer(&mut window);
    click_part(&mut window, "head 3.1");
    let last = answer(&mut window);
    window.engine.0.borrow_mut().answers = true;
    with_path(&mut window, "save this view", "Path to write to", &path);
    window.wait("no file", |_| std::fs::metadata(&path).is_ok_and(|file| file.len() > 20));
    drop(window);

    let mut window = Window::open(LAPTOP, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Num3);
    with_path(&mut window, "open a view", "Path of the file", &path);
    window.wait("no question", |w| !asked(w).is_empty());
    assert_eq!(asked(&window)[0].1, AttributeSpec { removed: None, ..last.clone() });
    assert_eq!(answer(&mut window).position, Some(2));
    assert_eq!(asked(&window).pop().unwrap().1, last, "and without the same head");
}

#[test]
fn a_failure_is_told_and_the_fields_stay() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    let (job, _) = asked(&window).pop().unwrap();
    let error = UserError::new("\" \" has no token to follow.", "This text has none.", "Write a word.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(says(&window, "has no token to follow."));
    assert!(window.harness.query_by_role_and_label(Role::TextInput, "Above whose score").is_some());
    assert_eq!(asked(&window).len(), 1, "it is not asked for over and over");
}

#[test]
fn every_widget_has_a_name_in_both_themes() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        for size in [SMALL, LAPTOP] {
            let options = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 1.0, options);
            answer(&mut window);
            let unnamed = window.harness.unnamed_widgets();
            assert!(unnamed.is_empty(), "{theme:?}: {unnamed:#?}");
        }
    }
}

#[test]
fn pictures_of_the_parts_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_the_parts_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let of = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 0.5, of);
            answer(&mut window);
            click_part(&mut window, "head 2.3");
            answer(&mut window);
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let corner = egui::pos2(size.x * 0.5, size.y - 28.0);
            window.harness.mask(egui::Rect::from_min_max(corner, size.to_pos2()));
            window.harness.snapshot_options(format!("attention-parts-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
