//! One sitting with the whole app in process: the real window contents on the real engine with the shipped models.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::{Key, Modifiers, Vec2};
use fovea::types::{Ability, Blocks, InspectReport};
use fovea::ui::AppOptions;
use sitting::Sitting;
use support::root;

#[test]
fn prompt_look_inside_draw_and_train_in_one_sitting() {
    let scratch = tempfile::tempdir().unwrap();
    let text = scratch.path().join("verse.txt");
    std::fs::write(&text, "The cat sat on the mat and the dog sat on the log.\n".repeat(200)).unwrap();
    let options = AppOptions {
        shipped: Some(root().join("models")),
        state_dir: Some(scratch.path().join("state")),
        ..AppOptions::default()
    };
    let mut sitting = Sitting::begin(options, "prompt", Vec2::new(1280.0, 800.0));

    // The shipped text model opens by itself, and the panel's first prompt can be run at once.
    sitting.until("the shipped text model opens", |s| s.state().active(Ability::Continue).is_some());
    sitting.run_prompt("the first generation ends");
    let run = sitting.state().latest_run().unwrap().clone();
    assert!(!run.text.trim().is_empty());
    assert!(run.tokens.iter().all(|t| t.top.len() == 10 && t.logprob <= 0.0));
    assert_eq!(run.stats.unwrap().new_tokens, run.tokens.len());

    // Its attention: every row of every head is a distribution over the tokens before it.
    sitting.press(Modifiers::COMMAND, Key::Num3);
    sitting.until("the attention patterns arrive", |s| s.state().reports::<InspectReport>().next().is_some());
    let info = sitting.state().active(Ability::Continue).unwrap().info.clone();
    let report = sitting.state().reports::<InspectReport>().next().unwrap().1.clone();
    let tokens = report.tokens.len();
    let Blocks { layers, heads, .. } = *info.shape.blocks().unwrap();
    for (layer, head) in (0..layers).flat_map(|l| (0..heads).map(move |h| (l, h))) {
        let pattern = report.pattern(layer, head).expect("every head was captured");
        for (row, weights) in pattern.chunks(tokens).enumerate() {
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-4, "layer {layer} head {head} row {row}");
            assert!(weights[row + 1..].iter().all(|w| *w == 0.0), "a token looks ahead");
        }
    }

    // A drawn digit is read.
    sitting.press(Modifiers::COMMAND, Key::Num4);
    sitting.until("a shipped digit network opens", |s| s.state().active(Ability::ReadDigits).is_some());
    sitting.click("Show an example");
    sitting.until("the network answers", |s| s.state().models.values().any(|m| m.classification.is_some()));
    let answer = sitting.state().models.values().find_map(|m| m.classification.clone()).unwrap();
    assert!((answer.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-4);

    // The text model learns from a dropped file; it can be prompted meanwhile; the run can be stopped.
    sitting.press(Modifiers::COMMAND, Key::Num6);
    sitting.drop_file(&text);
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("the loss curve begins", |s| s.state().trainings().any(|t| t.points.len() >= 2));
    sitting.run_prompt("a generation ends while the model is in training");
    assert!(sitting.state().trainings().all(|t| t.summary.is_none()), "training went on meanwhile");
    sitting.press(Modifiers::COMMAND, Key::Num6);
    sitting.press(Modifiers::NONE, Key::Escape);
    assert!(sitting.state().trainings().all(|t| t.summary.is_none()), "Esc ends no training");
    sitting.click("Stop");
    sitting.until("training stops", |s| s.state().trainings().all(|t| t.summary.is_some()));
    let training = sitting.state().trainings().next().unwrap();
    assert!(training.points.iter().all(|p| p.loss.is_finite()));
    let stopped = training.points.len();
    let info = sitting.state().active(Ability::Continue).unwrap().info.clone();
    assert!(!info.modified && info.path.starts_with(scratch.path().join("state/runs")), "{}", info.path.display());

    // The stopped run goes on under the model it left.
    sitting.until("the run is listed", |s| s.has("Go on training"));
    sitting.click("Go on training");
    sitting.until("it learns more", |s| s.state().trainings().any(|t| t.points.len() > stopped));
    sitting.click("Stop");
    sitting.until("it stops again", |s| s.state().trainings().all(|t| t.summary.is_some()));
    let again = sitting.state().trainings().next_back().unwrap();
    assert_eq!((again.model, again.points[0].step), (info.id, 1), "its curve is one curve");
}
