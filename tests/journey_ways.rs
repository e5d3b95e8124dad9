//! One sitting with the real engine: the ways to adapt a shipped model are compared on a task of twelve rows a label, what they got wrong
//! is opened, and the figure is exported.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::Queryable;
use fovea::types::{Ability, AdaptReport, InspectReport, Way};
use fovea::ui::AppOptions;
use sitting::Sitting;
use support::root;

const GOOD: [&str; 12] =
    ["happy", "kind", "lovely", "sweet", "bright", "funny", "gentle", "warm", "brave", "clean", "fresh", "calm"];
const BAD: [&str; 12] =
    ["sad", "cruel", "ugly", "bitter", "dark", "dull", "rough", "cold", "afraid", "dirty", "rotten", "angry"];

#[test]
fn ways_are_compared_their_errors_opened_and_the_figure_exported() {
    let scratch = tempfile::tempdir().unwrap();
    let options = AppOptions {
        shipped: Some(root().join("models")),
        state_dir: Some(scratch.path().join("state")),
        native_dialogs: false,
        ..AppOptions::default()
    };
    let mut sitting = Sitting::begin(options, "ways", Vec2::new(1440.0, 1500.0));
    sitting.until("a shipped model opens", |s| s.state().active(Ability::Continue).is_some());
    let data = scratch.path().join("words.csv");
    let rows = GOOD.iter().map(|word| (word, "good")).chain(BAD.iter().map(|word| (word, "bad")));
    let rows: String = rows.map(|(word, label)| format!("It was a {word} day.,{label}\n")).collect();
    std::fs::write(&data, format!("text,label\n{rows}")).unwrap();
    sitting.drop_file(&data);
    sitting.until("the file is told", |s| s.has("Texts in text, labels in label."));

    // Every way with few examples and steps.
    sitting.click("Embeddings, nearest mean");
    let sizes = sitting.harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Numbers of examples");
    sizes.focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text("2, 8");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("points come before all are there", |s| {
        s.state().jobs.keys().any(|job| s.state().so_far::<AdaptReport>(*job).is_some())
    });
    sitting.until("all is measured", |s| s.state().reports::<AdaptReport>().next().is_some());
    let report = sitting.state().reports::<AdaptReport>().next().unwrap().1.clone();
    assert_eq!(report.points.len(), Way::ALL.len() * 2 * 3);
    assert!(sitting.says("is right most often"), "the figures in words");

    let figure = scratch.path().join("ways.svg");
    sitting.click("Export the comparison");
    sitting.click("Export the ways as SVG");
    sitting.save_to(&figure);
    assert!(std::fs::read_to_string(&figure).unwrap().contains("Embeddings, nearest mean"));

    // What they got wrong: the texts across the ways, and one of them in the attention panel.
    sitting.click("What the ways got wrong");
    assert!(sitting.has("What they got wrong"));
    let row = sitting.harness.query_all_by_label_contains(" Right is ").next().expect("some way is wrong somewhere");
    row.click();
    sitting.settle();
    sitting.until("its patterns are there", |s| s.state().reports::<InspectReport>().next().is_some());
    assert_eq!(sitting.state().log.errors_unread(), 0);
}
