//! A sitting with the real engine: an encoder learns to fill blanks of a text, fills one, and a transformer and an LSTM learn to go on
//! with the same text side by side, watched.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::types::{Ability, AdaptReport, BaselinesReport, FillReport, MemoryReport, Way};
use fovea::ui::AppOptions;
use sitting::Sitting;
use std::path::Path;
use support::root;

/// Sentences in which a word follows from what stands before it.
fn text() -> String {
    let animals = ["dog", "cat", "bird", "fish", "horse", "cow"];
    let places = ["house", "tree", "pond", "field", "river", "barn"];
    let sentence = |place: usize| {
        let (animal, other) = (animals[place % 6], animals[(place / 6 + place) % 6]);
        let (home, far) = (places[place % 6], places[(place / 36 + place) % 6]);
        format!("The {animal} lives near the {home} . One day the {animal} saw a {other} at the {far} and was happy . ")
    };
    (0..900).map(sentence).collect()
}

/// The app on the panel, with the models that come along and a folder for what it keeps.
fn begin<'a>(scratch: &Path) -> Sitting<'a> {
    let options = AppOptions {
        shipped: Some(root().join("models")),
        state_dir: Some(scratch.join("state")),
        native_dialogs: false,
        ..AppOptions::default()
    };
    Sitting::begin(options, "pretrain", Vec2::new(1440.0, 1500.0))
}

/// Types into a field in the place of what is there.
fn fill_in(sitting: &mut Sitting<'_>, field: &str, text: &str) {
    sitting.harness.get_by_role_and_label(Role::TextInput, field).focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text(text);
}

/// All runs of the state that have ended, and how many steps each did.
fn steps_done(sitting: &Sitting<'_>) -> Vec<usize> {
    let summaries = sitting.state().trainings().filter_map(|training| training.summary.as_ref());
    summaries.map(|summary| summary.steps).collect()
}

#[test]
fn an_encoder_learns_and_fills_and_two_networks_learn_side_by_side() {
    let scratch = tempfile::tempdir().unwrap();
    let mut sitting = begin(scratch.path());
    let data = scratch.path().join("animals.txt");
    std::fs::write(&data, text()).unwrap();
    sitting.drop_file(&data);
    sitting.tab("Blanks");
    fill_in(&mut sitting, "Steps", "60");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("it is seen what is asked", |s| s.says("Before step "));
    assert!(sitting.says("behind a blank, guessed"), "a mask, the guess and the truth");
    sitting.until("the encoder has learned", |s| steps_done(s) == [60]);
    sitting.until("the text is counted", |s| s.state().reports::<BaselinesReport>().next().is_some());
    let counted = sitting.state().reports::<BaselinesReport>().next().unwrap().1.clone();
    let neighbours = counted.blanks.as_ref().unwrap().rows[1].right;
    let right =
        sitting.state().trainings().next().unwrap().points.iter().filter_map(|p| p.validation_accuracy).next_back();
    assert!(neighbours > 0.3 && right.unwrap() > 0.2, "{neighbours} by counting, {right:?} by the network");

    // It fills a blank of the person's.
    sitting.click("Encoder");
    sitting.click("Fill blanks with it");
    assert!(sitting.state().active(Ability::FillMasks).is_some());
    let field = sitting.harness.query_all_by_role(Role::MultilineTextInput).next().expect("a field for the text");
    field.focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text("the dog lives near the [MASK] .");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("the blank is filled", |s| s.state().reports::<FillReport>().next().is_some());
    let filled = sitting.state().reports::<FillReport>().next().unwrap().1.clone();
    assert_eq!(filled.masks.len(), 1);

    // Two networks on the same text, one after the other, of one size.
    sitting.press(Modifiers::COMMAND, Key::Num5);
    sitting.tab("Next word");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("both have learned", |s| steps_done(s) == [60, 60, 60]);
    let numbers: Vec<f64> = sitting
        .state()
        .trainings()
        .skip(1)
        .map(|training| training.record.as_ref().expect("it has begun").parameters as f64)
        .collect();
    assert!((numbers[0] / numbers[1] - 1.0).abs() < 0.05, "{numbers:?}");
    assert!(sitting.says("LSTM") && sitting.says("Transformer"));
    let figure = scratch.path().join("curves.svg");
    sitting.click("Export");
    sitting.click("Export SVG");
    sitting.save_to(&figure);
    let written = std::fs::read_to_string(&figure).unwrap();
    assert!(written.contains("LSTM validation") && written.contains("5-gram"), "curves beside what counting reaches");

    // Only runs that learn the same are drawn together: those of the one that is chosen.
    let waits = |s: &Sitting<'_>, name: &str| {
        let name = format!("Draw {name}");
        let tick = s.harness.get_by_role_and_label(Role::CheckBox, &name);
        tick.accesskit_node().is_disabled()
    };
    assert!(waits(&sitting, "Encoder") && !waits(&sitting, "LSTM"));
    sitting.click("Encoder");
    assert!(!waits(&sitting, "Encoder") && waits(&sitting, "LSTM"));
    what_labels_are_worth(&mut sitting, scratch.path());
    assert_eq!(sitting.state().log.errors_unread(), 0);
}

/// From the chosen network to its comparison with the same network from random weights, on a few labelled sentences.
fn what_labels_are_worth(sitting: &mut Sitting<'_>, scratch: &Path) {
    sitting.click("What are labels worth?");
    assert!(sitting.state().active(Ability::FillMasks).is_some(), "the encoder that has just learned");
    for way in Way::ALL {
        let tick = sitting.harness.get_by_role_and_label(Role::CheckBox, way.title());
        let is_on = tick.accesskit_node().toggled() == Some(Toggled::True);
        assert_eq!(is_on, matches!(way, Way::Full | Way::Scratch), "{}", way.title());
    }
    let rows = (0..16).map(|row| match row % 2 {
        0 => format!("The dog near tree {row} was happy .,dog\n"),
        _ => format!("The fish at pond {row} was happy .,fish\n"),
    });
    let data = scratch.join("animals.csv");
    std::fs::write(&data, format!("text,label\n{}", rows.collect::<String>())).unwrap();
    sitting.drop_file(&data);
    sitting.until("the file is told", |s| s.has("Texts in text, labels in label."));
    fill_in(sitting, "Numbers of examples", "1, 4");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("both are measured", |s| s.state().reports::<AdaptReport>().next().is_some());
    let report = sitting.state().reports::<AdaptReport>().next().unwrap().1.clone();
    for way in [Way::Full, Way::Scratch] {
        let points: Vec<_> = report.points.iter().filter(|point| point.way == way).collect();
        assert!(!points.is_empty() && points.iter().all(|point| point.correct <= point.said.len()), "{}", way.name());
    }
    assert!(report.points.iter().all(|point| matches!(point.way, Way::Full | Way::Scratch)));
}

#[test]
fn stories_are_written_on_the_spot_and_learned_from() {
    let scratch = tempfile::tempdir().unwrap();
    let mut sitting = begin(scratch.path());
    sitting.until("the models that come along are found", |s| !s.state().shipped.is_empty());
    sitting.click("LSTM");
    fill_in(&mut sitting, "Steps", "8");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("the transformer has learned", |s| steps_done(s) == [8]);
    let stories = scratch.path().join("state/texts/stories-256-seed-1.txt");
    let text = std::fs::read_to_string(stories).unwrap();
    assert!(text.len() > 25_000 && text.contains("Once upon a time"), "{} bytes", text.len());
}

#[test]
fn an_lstm_and_a_transformer_learn_to_remember_and_their_curves_are_read() {
    let scratch = tempfile::tempdir().unwrap();
    let state = scratch.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let form = serde_json::json!({ "steps": 40, "questions": 40 });
    let pretrain = serde_json::json!({ "part": "memory", "memory": { "distance": { "form": form } } });
    let session = serde_json::json!({ "panels": { "pretrain": pretrain } });
    std::fs::write(state.join("session.json"), session.to_string()).unwrap();
    let options = AppOptions { state_dir: Some(state), native_dialogs: false, ..AppOptions::default() };
    let mut sitting = Sitting::begin(options, "pretrain", Vec2::new(1440.0, 1000.0));
    sitting.press(Modifiers::COMMAND, Key::Enter);
    let asked = |s: &Sitting<'_>| s.state().reports::<MemoryReport>().count();
    sitting.until("both were trained and asked", |s| asked(s) == 2 && steps_done(s) == [40, 40]);
    for (_, report) in sitting.state().reports::<MemoryReport>() {
        let distances: Vec<usize> = report.points.iter().map(|point| point.distance).collect();
        assert!(distances.is_sorted() && distances.contains(&32) && distances.contains(&128), "{distances:?}");
        assert!(report.points.iter().all(|point| point.asked == 40 && point.right <= 40));
    }
    let plot = sitting.harness.query_all_by_label_contains("Right answers by distance. ").next().expect("a plot");
    let told = plot.accesskit_node().label().expect("it is told");
    assert!(told.contains("LSTM") && told.contains("Transformer"), "{told}");
    assert_eq!(sitting.state().log.errors_unread(), 0);
}
