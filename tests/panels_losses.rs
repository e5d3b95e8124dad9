//! The loss of every example before and after a run, in the fine-tune panel: what is asked, how it is shown, and where an example leads.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Outcome, PromptInput, Work};
use fovea::types::{
    BeforeModel, DataPart, JobId, LossRow, LossToken, LossesData, LossesReport, LossesSpec, ModelId, RunRecord,
    RunStart, RunState, ToldClass, TrainSpec, UserError,
};
use fovea::ui::{AppOptions, PanelId, ThemeChoice};
use std::path::Path;
use std::sync::Arc;
use window::scripted_engine::info;
use window::{LAPTOP, SMALL, Window, has_adapter, plain};

/// A window in which the open text model was trained on a file.
fn trained<'a>(size: Vec2, scale: f32, theme: ThemeChoice) -> Window<'a> {
    let options = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
    let mut window = Window::open(size, scale, options);
    window.show("fine_tune");
    window.click("Text model");
    // A text that is there, as the form wants it.
    window.type_into(Role::TextInput, "Text file", "README.md");
    window.click("Start training");
    let (job, model, spec) = training(&window);
    let start = RunStart {
        name: "sprout".into(),
        path: "models/sprout".into(),
        weights: "models/sprout".into(),
        sha256: None,
        trained_steps: 0,
    };
    let record = RunRecord {
        spec,
        begun_s: 1_790_000_000,
        version: "0.1.0".into(),
        start: Some(start),
        parameters: 5_800_000,
        tokenizer: None,
        state: RunState::Done,
        summary: None,
    };
    window.engine.say(Event::Begun { job, record: Box::new(record) });
    let mut tuned = info(model, Path::new("models/sprout"));
    (tuned.modified, tuned.trained_steps) = (true, 100);
    window.engine.say(Event::Model { info: tuned, weights: Arc::default() });
    window.settle();
    window
}

fn training(window: &Window<'_>) -> (JobId, ModelId, TrainSpec) {
    let all = window.engine.sent(|command| match command {
        Command::Start { job, model: Some(model), work } => match &**work {
            Work::Train(spec) => Some((*job, *model, spec.clone())),
            _ => None,
        },
        _ => None,
    });
    all.into_iter().next_back().expect("a run was begun")
}

fn compared(window: &Window<'_>) -> Vec<(JobId, LossesSpec)> {
    window.engine.started(|job, work| match work {
        Work::CompareLosses(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

/// The rows of the table in sight, in words.
fn rows(window: &Window<'_>) -> Vec<String> {
    let all = window.harness.query_all_by_role(Role::Row);
    all.filter_map(|node| node.accesskit_node().label()).filter(|label| label.starts_with("Example ")).collect()
}

/// Passages of which most cost less, one more, and one is no number.
fn passages(count: usize) -> LossesReport {
    let words = [" Once", " upon", " a", " time", ",", " there", " was", " a", " little", " girl", "."];
    let row = |place: usize| {
        let wave = (place as f64 * 1.7).sin();
        let before = 3.0 + wave;
        let after =
            if place == 3 { f64::NAN } else { before * (0.6 + 0.25 * (place as f64 * 0.9).cos()) + 0.2 * (1.0 - wave) };
        let token = |(at, text): (usize, &&str)| LossToken {
            id: at as u32,
            text: (*text).to_owned(),
            losses: (at > 0).then_some([before as f32, (after + at as f64 * 0.4 - 2.0) as f32]),
        };
        let tokens: Vec<LossToken> = words.iter().enumerate().map(token).collect();
        let text = format!("{} ({place})", words.concat());
        Arc::new(LossRow { place, text, count: 10, losses: [before, after], told: None, tokens, pixels: Vec::new() })
    };
    LossesReport {
        models: ["sprout", "sprout (changed, 100 steps)"].map(str::to_owned),
        data: "verse.txt, validation part".to_owned(),
        labels: Vec::new(),
        rows: (0..count).map(row).collect(),
        asked: count,
        of: count,
        cut: 0,
    }
}

/// With an answer on show.
fn shown<'a>(window: Window<'a>, report: LossesReport) -> Window<'a> {
    let mut window = window;
    window.click("Examples");
    window.click("Compare");
    let (job, _) = compared(&window).pop().unwrap();
    let outcome = Outcome::LossesCompared(Arc::new(report));
    window.engine.say(Event::Done { job, outcome });
    window.settle();
    window
}

#[test]
fn a_runs_own_data_and_model_are_compared_and_rows_come_as_they_are_measured() {
    let mut window = trained(LAPTOP, 1.0, ThemeChoice::Dark);
    window.click("Examples");
    assert!(window.has("What did training change?"));
    window.click("Training");
    window.click("Compare");
    let (job, spec) = compared(&window).pop().unwrap();
    assert!(matches!(&spec.before, BeforeModel::Run(record) if record.start.as_ref().unwrap().name == "sprout"));
    assert!(matches!(&spec.data, LossesData::Run(_, DataPart::Train)) && spec.most == 1000);
    let part = LossesReport { asked: 40, of: 400, ..passages(8) };
    window.engine.say(Event::SoFar { job, outcome: Outcome::LossesCompared(Arc::new(part)) });
    window.settle();
    assert!(says(&window, "So far: Better on") && says(&window, "40 of 400 examples, spread evenly"));
    assert_eq!(rows(&window).len(), 8);
    window.click("Stop");
    let cancelled = window.engine.sent(|c| matches!(c, Command::Cancel { job: of } if *of == job).then_some(()));
    assert_eq!(cancelled.len(), 1);
    let part = LossesReport { asked: 40, of: 40, ..passages(9) };
    window.engine.say(Event::Done { job, outcome: Outcome::LossesCompared(Arc::new(part)) });
    window.settle();
    assert!(says(&window, "Stopped after 9 of 40."));

    // Another model in the place of the one it began with.
    let other = ModelId::next();
    window.engine.say(Event::Model { info: info(other, Path::new("models/seedling")), weights: Arc::default() });
    window.settle();
    window.harness.get_all_by_label("Before").next_back().unwrap().click();
    window.settle();
    window.click("seedling");
    window.click("Compare");
    assert_eq!(compared(&window).pop().unwrap().1.before, BeforeModel::Open(other));
    let error = UserError::new("sprout and seedling split texts into other tokens.", "Why.", "Next.");
    let job = compared(&window).pop().unwrap().0;
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(says(&window, "split texts into other tokens"));
}

#[test]
fn the_table_sorts_and_an_example_opens_with_its_tokens_and_leads_to_attention_and_prompt() {
    let mut window = shown(trained(LAPTOP, 1.0, ThemeChoice::Dark), passages(30));
    let change = |row: &String| -> f64 {
        let number = row.rsplit_once(", ").unwrap().1.strip_suffix(" nats").unwrap().replace('−', "-");
        number.parse().unwrap_or(f64::NAN)
    };
    let helped: Vec<f64> = rows(&window).iter().map(change).collect();
    assert!(helped.len() > 3 && helped.is_sorted(), "{helped:?}");
    window.click("Sort by what was harmed most");
    let harmed: Vec<f64> = rows(&window).iter().map(change).collect();
    assert!(harmed.is_sorted_by(|a, b| a >= b) && harmed[0] > helped[0], "{harmed:?}");
    window.click("Sort by place in the data");
    assert!(rows(&window)[0].starts_with("Example 0:") && rows(&window)[3].contains("NaN after, NaN nats"));
    assert!(says(&window, "1 has a loss that is no number"));

    let second = rows(&window)[1].clone();
    window.click(&second);
    assert!(says(&window, "10 tokens predicted, 1 given."));
    assert!(window.has("Tokens of the example"));
    window.click("Look at its attention");
    let inspected = window.engine.started(|_, work| match work {
        Work::Inspect(spec) => Some(spec.prompt.clone()),
        _ => None,
    });
    assert_eq!(inspected.last(), Some(&PromptInput::Ids((0..11).collect())));
    assert_eq!(window.app().panel(), PanelId::Attention);
    window.show("fine_tune");
    window.click("Prompt with it");
    assert_eq!(window.app().panel(), PanelId::Prompt);
    window.show("fine_tune");
    window.click(&second);
    assert!(!window.has("Tokens of the example"), "a second click closes it");
}

#[test]
fn a_model_that_a_later_run_went_on_with_is_not_the_first_runs_any_more() {
    let mut window = trained(LAPTOP, 1.0, ThemeChoice::Dark);
    window.click("Examples");
    assert!(window.has("Compare"));
    window.click("Start training");
    assert!(window.has("Run: sprout 2") && window.has("Compare"), "the newest is selected");
    window.click("Run: sprout 2");
    window.click("sprout 1");
    assert!(!window.has("Compare") && window.has("Open its model"));
}

#[test]
fn ten_thousand_rows_cost_what_a_screenful_does_and_leave_as_csv() {
    let mut window = shown(trained(LAPTOP, 1.0, ThemeChoice::Dark), passages(10_000));
    assert!((5..40).contains(&rows(&window).len()), "only what is in sight");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("losses.csv");
    window.click("Export the losses as CSV");
    let asks =
        |window: &Window<'_>| window.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some();
    window.wait("no field for the path", asks);
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(egui::Event::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    window.wait("no file", |_| std::fs::metadata(&path).is_ok_and(|file| file.len() > 500_000));
}

#[test]
fn classes_are_told_with_their_probabilities_and_what_was_said() {
    let told = ToldClass { label: 1, probabilities: [0.25, 0.75], predictions: [Some(0), Some(1)] };
    let row = LossRow {
        place: 4,
        text: "a charming film".to_owned(),
        count: 1,
        losses: [0.25_f64, 0.75].map(|share| -share.ln()),
        told: Some(told),
        tokens: Vec::new(),
        pixels: Vec::new(),
    };
    let report = LossesReport {
        labels: ["dull", "charming"].map(str::to_owned).to_vec(),
        rows: vec![Arc::new(row)],
        cut: 1,
        ..passages(1)
    };
    let mut window = shown(trained(LAPTOP, 1.0, ThemeChoice::Dark), report);
    assert!(says(&window, "0 of 1 right before, 1 after") && says(&window, "1 text was longer"));
    let row = rows(&window).pop().unwrap();
    assert_eq!(row, "Example 4: a charming film, charming (dull → charming); 25.0 % before, 75.0 % after, −1.099 nats");
    window.click(&row);
    assert!(window.has("Before: says dull (wrong); P(charming) 25.0 %"));
    assert!(window.has("After: says charming (right); P(charming) 75.0 %"));
}

#[test]
fn the_base_is_put_beside_the_tuned_model() {
    let mut window = trained(LAPTOP, 1.0, ThemeChoice::Dark);
    let (_, tuned, _) = training(&window);
    window.click("Compare with the base");
    let opened = window.engine.sent(|command| match command {
        Command::Start { model: Some(model), work, .. } if matches!(**work, Work::Open(_)) => Some(*model),
        _ => None,
    });
    let base = *opened.last().unwrap();
    assert!(base != tuned, "the folder is opened once more: the open model has other weights now");
    assert_eq!(window.app().panel(), PanelId::Prompt);
    window.press(Modifiers::COMMAND, Key::Enter);
    let mut asked = window.engine.sent(|command| match command {
        Command::Start { model: Some(model), work, .. } if matches!(**work, Work::Generate(_)) => Some(*model),
        _ => None,
    });
    asked.sort();
    assert_eq!(asked, [tuned.min(base), tuned.max(base)]);
}

#[test]
fn pictures_of_losses_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_losses_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let mut window = shown(trained(size, 0.5, theme), passages(60));
            let first = rows(&window)[1].clone();
            window.click(&first);
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let whole = egui::pos2(size.x, size.y);
            window.harness.mask(egui::Rect::from_min_max(whole - egui::vec2(224.0, 28.0), whole));
            window.harness.snapshot_options(format!("losses-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
