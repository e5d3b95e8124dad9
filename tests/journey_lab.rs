//! One sitting in the few-shot lab with the real engine and the shipped text model: a task is built, compared, measured,
//! stopped, exported and repeated.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::{Key, Modifiers, Vec2};
use fovea::types::{Ability, BatchReport, ScoreReport};
use fovea::ui::AppOptions;
use sitting::Sitting;
use support::root;

#[test]
fn a_task_is_built_measured_exported_and_repeated() {
    let scratch = tempfile::tempdir().unwrap();
    let options = AppOptions {
        shipped: Some(root().join("models")),
        state_dir: Some(scratch.path().join("state")),
        ..AppOptions::default()
    };
    // High enough for all of the left column, since only what is in sight can be clicked.
    let mut sitting = Sitting::begin(options, "lab", Vec2::new(1440.0, 1500.0));
    sitting.until("the shipped text model opens", |s| s.state().active(Ability::Continue).is_some());

    // A task from a file, its remarks included.
    let pairs = scratch.path().join("feelings.csv");
    let rows =
        ["cake,happy", "rain,sad", "party,happy", "storm,sad", "gift,happy", "mud,sad", "smile,happy", "tear,sad"];
    std::fs::write(&pairs, format!("input,output\n{}\nkite,happy\nkite,happy\n", rows.join("\n"))).unwrap();
    sitting.drop_file(&pairs);
    sitting.until("the table is read", |s| s.has("Task: feelings"));
    assert!(sitting.says("\"kite\" stands there 2 times with the same answer."), "the remark on the table");
    sitting.click("Ask another");

    // Zero, one and few examples of the same query; the shares of the answers add up to one.
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("three prompts are scored", |s| s.state().reports::<ScoreReport>().count() == 3);
    for (_, report) in sitting.state().reports::<ScoreReport>() {
        assert_eq!(report.candidates.len(), 2);
        assert!((report.candidates.iter().map(|c| c.share).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(report.candidates.iter().all(|c| c.tokens.len() >= 2 && c.log_prob < 0.0));
    }
    sitting.click("Give example 1 a wrong answer");
    sitting.until("the change is scored", |s| {
        s.state().reports::<ScoreReport>().count() == 5 && s.says("The answer of example 1 is wrong")
    });

    // A curve is begun and stopped; what was measured stays.
    sitting.tab("Curve");
    sitting.click("Shuffled labels");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("the curve begins", |s| {
        s.state().jobs.keys().filter_map(|job| s.state().kshot(*job)).any(|run| run.points.len() >= 2)
    });
    sitting.press(Modifiers::NONE, Key::Escape);
    sitting.until("it stops", |s| s.state().active_jobs().next().is_none());
    assert!(sitting.says("True labels: accuracy "), "the curve in words");
    let curves = scratch.path().join("curve.svg");
    sitting.click("Export curves");
    sitting.click("Export SVG");
    sitting.save_to(&curves);
    assert!(std::fs::read_to_string(&curves).unwrap().contains("True labels"));

    // Where the answer looked: every part of the prompt has its share.
    sitting.tab("Looked at");
    sitting.until("the patterns are there", |s| {
        s.says("Examples together: inputs ") && s.says("Output ") && s.has("All heads")
    });

    // The whole table at once.
    sitting.tab("Batch");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("the rows are answered", |s| s.state().reports::<BatchReport>().any(|(_, b)| !b.answers.is_empty()));
    let answered = sitting.state().reports::<BatchReport>().next().unwrap().1.answers.len();
    sitting.until("they are listed", |s| s.has(&format!("{answered} answers")));

    // The run is exported and repeated: on this device the same comes out, to the last bit.
    sitting.tab("Compare");
    let run = scratch.path().join("run.json");
    sitting.click("Presets and export");
    sitting.click("Export run as JSON…");
    sitting.save_to(&run);
    let text = std::fs::read_to_string(&run).unwrap();
    assert!(text.contains("\"fovea_run\": 1") && text.contains("\"sha256\""), "{text}");
    assert!(!text.contains("/sprout\""), "no folder of this computer is named");
    sitting.press(Modifiers::COMMAND, Key::K);
    sitting.type_text("New task");
    sitting.press(Modifiers::NONE, Key::Enter);
    sitting.until("another task", |s| s.has("Task: A task of your own"));
    sitting.drop_file(&run);
    sitting.until("the run is compared", |s| s.has("The same on this device, bit for bit: 6 log-probabilities."));
    assert!(sitting.has("Task: feelings"));
}
