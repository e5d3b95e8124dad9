//! One sitting of somebody who adapts a model: a low-rank adapter on a text, prompted while it learns and switched off again; a head
//! for classes on labelled texts, asked for the class of another; both curves, and one of another program, in one file.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::{Key, Modifiers, Vec2};
use fovea::types::{Ability, ModelKind};
use fovea::ui::AppOptions;
use sitting::Sitting;
use support::root;

/// Texts that tell their class by one word.
fn labelled() -> String {
    let nouns = ["film", "story", "song", "play", "cake", "garden", "house", "dog", "boat", "day", "hat", "tree"];
    let rows = nouns.iter().flat_map(|noun| {
        ["good", "happy", "nice"]
            .map(|word| format!("The {noun} is {word}.,good\n"))
            .into_iter()
            .chain(["bad", "sad", "angry"].map(|word| format!("The {noun} is {word}.,bad\n")))
    });
    std::iter::once("sentence,label\n".to_owned()).chain(rows).collect()
}

fn ended(sitting: &Sitting<'_>, count: usize) -> bool {
    sitting.state().trainings().filter(|training| training.summary.is_some()).count() == count
}

#[test]
fn an_adapter_and_a_head_are_trained_used_and_compared() {
    let scratch = tempfile::tempdir().unwrap();
    let (text, table) = (scratch.path().join("verse.txt"), scratch.path().join("films.csv"));
    std::fs::write(&text, "The cat sat on the mat and the dog sat on the log.\n".repeat(200)).unwrap();
    std::fs::write(&table, labelled()).unwrap();
    let foreign = scratch.path().join("trainer_state.json");
    let row = |step: u32| format!("{{\"loss\": {}, \"step\": {step}}}", 3.0 - f64::from(step) / 100.0);
    let rows: Vec<String> = (1..=20).map(row).collect();
    std::fs::write(&foreign, format!("{{\"log_history\": [{}]}}", rows.join(", "))).unwrap();
    let options = AppOptions {
        shipped: Some(root().join("models")),
        state_dir: Some(scratch.path().join("state")),
        ..AppOptions::default()
    };
    let mut sitting = Sitting::begin(options, "prompt", Vec2::new(1280.0, 1400.0));
    sitting.until("the shipped text model opens", |s| s.state().active(Ability::Continue).is_some());
    sitting.run_prompt("the base answers");
    let before = sitting.state().latest_run().unwrap().text.clone();

    // An adapter learns beside the weights, and is on the model when it is done.
    sitting.press(Modifiers::COMMAND, Key::Num6);
    sitting.drop_file(&text);
    sitting.tab("LoRA");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("it learns", |s| s.state().trainings().any(|t| t.points.len() >= 3));
    sitting.click("Stop");
    sitting.until("the adapter is there", |s| ended(s, 1));
    let info = sitting.state().active(Ability::Continue).unwrap().info.clone();
    let adapter = info.adapter.expect("what was learned is on the model");
    assert!(adapter.path.join("adapter_model.safetensors").is_file(), "{}", adapter.path.display());
    assert!(sitting.state().trainings().all(|t| t.points.iter().all(|p| p.gradient_norm.is_some_and(|n| n > 0.0))));
    sitting.run_prompt("the model with its adapter answers");
    sitting.click(&format!("Use the adapter {}", adapter.name));
    sitting.until("it is off", |s| {
        let info = &s.state().active(Ability::Continue).unwrap().info;
        info.adapter.as_ref().is_some_and(|adapter| !adapter.setting.on)
    });
    sitting.run_prompt("the base answers again");
    assert_eq!(sitting.state().latest_run().unwrap().text, before, "switched off, the model is its base");

    // A head for classes learns on the body of the same model.
    sitting.press(Modifiers::COMMAND, Key::Num6);
    sitting.drop_file(&table);
    sitting.until("the table is read", |s| s.says("good") && s.says("bad"));
    sitting.press(Modifiers::COMMAND, Key::Enter);
    let has_learned =
        |s: &Sitting<'_>| s.state().trainings().any(|t| t.points.iter().any(|p| p.validation_accuracy.is_some()));
    sitting.until("the head learns", has_learned);
    if !ended(&sitting, 2) {
        sitting.click("Stop");
    }
    sitting.until("the classifier is there", |s| ended(s, 2));
    let classifier = sitting.state().active(Ability::ClassifyTexts).unwrap().info.clone();
    assert_eq!(classifier.kind(), ModelKind::TextClassifier);

    // The curve of another program lies over that of the head, and goes into one file with it.
    sitting.drop_file(&foreign);
    sitting.until("the curve", |s| s.says("trainer_state.json · what its loss is of, it does not say"));
    sitting.click("Export");
    sitting.click("Export CSV");
    let file = scratch.path().join("curves.csv");
    sitting.save_to(&file);
    let written = std::fs::read_to_string(&file).unwrap();
    let runs: std::collections::BTreeSet<&str> =
        written.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(runs.len(), 2, "the adapter's loss is of another kind: {runs:?}");
}
