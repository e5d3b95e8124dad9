//! The panel for networks from random weights, its part in which they learn from text: what is asked of the engine, in which order, and
//! how it is shown.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Outcome, Work};
use fovea::types::{
    BaselinesReport, BlankBaselines, BlankRow, Glimpse, GlimpseToken, Guess, GzipSize, JobId, ModelId, NextBaselines,
    NextRow, RunRecord, RunState, Seen, TextShape, TrainPoint, TrainSpec, TrainSummary, TrainTask, TrainingCost,
    UserError, Width,
};
use fovea::ui::{AppOptions, ThemeChoice};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use window::{LAPTOP, SMALL, Window, has_adapter, plain};

/// A window on the panel with a text file filled in, whose engine answers by hand.
fn with_text<'a>(size: egui::Vec2, scale: f32, theme: ThemeChoice) -> Window<'a> {
    with_text_and(size, scale, AppOptions { shipped: Some("models".into()), ..plain(theme) })
}

fn with_text_and<'a>(size: egui::Vec2, scale: f32, options: AppOptions) -> Window<'a> {
    let mut window = Window::open(size, scale, options);
    window.show("pretrain");
    window.engine.0.borrow_mut().answers = false;
    window.harness.input_mut().dropped_files.push(Arc::new(window::Dropped("stories.txt".into())));
    window.settle();
    window
}

fn tried(window: &Window<'_>) -> Vec<(JobId, TrainSpec)> {
    window.engine.started(|job, work| match work {
        Work::TryTraining(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

fn trained(window: &Window<'_>) -> Vec<(JobId, ModelId, TrainSpec)> {
    window.engine.sent(|command| match command {
        Command::Start { job, model: Some(model), work } => match &**work {
            Work::Train(spec) => Some((*job, *model, spec.clone())),
            _ => None,
        },
        _ => None,
    })
}

fn counted(window: &Window<'_>) -> Vec<JobId> {
    window.engine.started(|job, work| matches!(work, Work::Baselines(_)).then_some(job))
}

fn cost(parameters: u64, step_s: f64) -> Outcome {
    Outcome::Tried(TrainingCost { step_s, validation_s: 0.1, memory_bytes: Some(1 << 20), parameters })
}

fn record(spec: TrainSpec, parameters: u64) -> Box<RunRecord> {
    Box::new(RunRecord {
        spec,
        begun_s: 1_790_000_000,
        version: "0.1.0".into(),
        start: None,
        parameters,
        tokenizer: None,
        state: RunState::Running,
        summary: None,
    })
}

/// Losses that fall from that of knowing nothing.
fn points(steps: usize, end: f64) -> Vec<TrainPoint> {
    let point = |step: usize| {
        let progress = step as f64 / steps as f64;
        let loss = end + (6.2 - end) * (-4.0 * progress).exp();
        let is_measured = step.is_multiple_of(25);
        TrainPoint {
            step,
            elapsed_s: step as f64 * 0.05,
            loss: loss + 0.15 * (step as f64 * 2.3).sin(),
            learning_rate: 3e-3,
            validation_loss: is_measured.then_some(loss + 0.1 * progress),
            validation_accuracy: is_measured.then_some(0.4 * progress),
            ..TrainPoint::default()
        }
    };
    (1..=steps).map(point).collect()
}

/// Plays a start with two networks to its end, as far as `until` runs.
fn play(window: &mut Window<'_>) {
    for parameters in [133_440, 132_544] {
        let (job, _) = tried(window).pop().unwrap();
        window.engine.say(Event::Done { job, outcome: cost(parameters, 0.04) });
        window.settle();
    }
    for (place, end) in [3.3, 3.0].into_iter().enumerate() {
        let (job, _, spec) = trained(window)[place].clone();
        window.engine.say(Event::Begun { job, record: record(spec, 133_440) });
        window.engine.say(Event::Trained { job, points: points(300, end) });
        window.engine.say(Event::Glimpsed { job, glimpse: Box::new(next_glimpse()) });
        window.settle();
        if place == 0 {
            let job = counted(window).pop().expect("the text is counted once the first network is there");
            window.engine.say(Event::Done { job, outcome: Outcome::Counted(Arc::new(next_counted())) });
            window.settle();
        }
        let summary = TrainSummary {
            steps: 300,
            elapsed_s: 15.0,
            best: Some((300, end)),
            stopped_early: false,
            settled: None,
            examples: 153_600,
            saved_to: None,
        };
        window.engine.say(Event::Done { job, outcome: Outcome::Trained(summary) });
        window.settle();
    }
}

fn guess(truth: &str, top: &[(&str, f32)], loss: f32) -> Guess {
    let is_right = top.first().is_some_and(|(text, _)| *text == truth);
    Guess { top: top.iter().map(|(text, p)| ((*text).to_owned(), *p)).collect(), is_right, loss }
}

fn next_glimpse() -> Glimpse {
    let words =
        ["Once", " upon", " a", " time", " there", " was", " a", " little", " girl", " named", " L", "ily", "."];
    let token = |(place, text): (usize, &&str)| GlimpseToken {
        truth: (*text).to_owned(),
        seen: if place == 0 { Seen::Itself } else { Seen::Hidden },
        guess: (place > 0).then(|| {
            let likeliest = if place % 3 == 0 { *text } else { " the" };
            guess(text, &[(likeliest, 0.41), (" dog", 0.2), (".", 0.1)], 0.9 + (place % 5) as f32)
        }),
    };
    Glimpse { step: 299, tokens: words.iter().enumerate().map(token).collect() }
}

fn blank_glimpse() -> Glimpse {
    let plain = |text: &str| GlimpseToken { truth: text.to_owned(), seen: Seen::Itself, guess: None };
    let asked =
        |truth: &str, seen: Seen, guess: Guess| GlimpseToken { truth: truth.to_owned(), seen, guess: Some(guess) };
    let tokens = vec![
        plain("the"),
        asked("dog", Seen::Mask, guess("dog", &[("dog", 0.6), ("cat", 0.2)], 0.5)),
        plain("lives"),
        asked("near", Seen::Mask, guess("near", &[("in", 0.5), ("near", 0.1)], 2.3)),
        asked("the", Seen::Other("blue".to_owned()), guess("the", &[("a", 0.3), ("the", 0.2)], 1.6)),
        plain("hous"),
        plain("##e"),
        asked(".", Seen::Itself, guess(".", &[(".", 0.97)], 0.03)),
    ];
    Glimpse { step: 40, tokens }
}

fn next_counted() -> BaselinesReport {
    let row =
        |name: &str, nats: f64| NextRow { name: name.to_owned(), nats_per_token: nats, bits_per_byte: nats * 0.6 };
    let rows = vec![row("uniform", 6.2), row("unigram", 5.2), row("bigram", 3.4), row("5-gram", 2.7)];
    let gzip = GzipSize { bytes: 1000, compressed: 400, bits_per_byte: 3.2 };
    BaselinesReport {
        next: Some(NextBaselines { vocabulary: 512, counted: 9, tokens: 9, bytes: 9, rows, gzip }),
        blanks: None,
    }
}

fn blanks_counted() -> BaselinesReport {
    let row = |name: &str, right: f64| BlankRow { name: name.to_owned(), right };
    let rows = vec![row("unigram", 0.07), row("same neighbours", 0.27)];
    BaselinesReport { next: None, blanks: Some(BlankBaselines { vocabulary: 512, counted: 9, blanks: 9, rows }) }
}

#[test]
fn networks_are_tried_and_trained_one_after_another_with_as_many_numbers() {
    let mut window = with_text(LAPTOP, 1.0, ThemeChoice::Dark);
    window.press(Modifiers::COMMAND, Key::Enter);
    let first = tried(&window).pop().unwrap();
    let TrainTask::Text(task) = &first.1.task else { panic!("{:?}", first.1.task) };
    assert_eq!(task.data, [Path::new("stories.txt")]);
    assert!(matches!(task.shape, Some(TextShape::Llama(_))) && trained(&window).is_empty());
    window.engine.say(Event::Done { job: first.0, outcome: cost(130_000, 0.04) });
    window.settle();
    // The other is as large as the first really is, and takes larger steps.
    let second = tried(&window).pop().unwrap();
    let TrainTask::Text(task) = &second.1.task else { panic!("{:?}", second.1.task) };
    let Some(TextShape::Recurrent(lstm)) = &task.shape else { panic!("{:?}", task.shape) };
    assert_eq!(lstm.width, Width::Parameters(130_000));
    assert!(second.1.learning_rate > first.1.learning_rate && second.1.steps == first.1.steps);
    window.engine.say(Event::Done { job: second.0, outcome: cost(131_000, 0.04) });
    window.settle();
    assert_eq!(trained(&window).len(), 1, "short enough to begin at once, one at a time");
    let (job, ..) = trained(&window)[0];
    let asked = |window: &Window<'_>| {
        window.engine.sent(|command| match command {
            Command::Glimpse { job } => Some(*job),
            _ => None,
        })
    };
    assert_eq!(asked(&window), [job], "it is looked at while it learns");
    // One that runs away does not hold up the other.
    let error = UserError::new("Training stopped at step 3: the loss became NaN.", "It ran away.", "Train again.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert_eq!(trained(&window).len(), 2);
}

#[test]
fn what_takes_long_is_asked_about_first_and_nothing_is_lost_by_saying_no() {
    let mut window = with_text(LAPTOP, 1.0, ThemeChoice::Dark);
    window.click("LSTM");
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = tried(&window).pop().unwrap();
    window.engine.say(Event::Done { job, outcome: cost(130_000, 20.0) });
    window.settle();
    assert!(trained(&window).is_empty() && window.has("Start now"));
    assert!(window.harness.query_all_by_label_contains("About 1 h 40 min for the network").next().is_some());
    window.click("Not now");
    assert!(trained(&window).is_empty() && window.has("Watch networks learn from nothing"));
    window.click("How long?");
    let (job, _) = tried(&window).pop().unwrap();
    window.engine.say(Event::Done { job, outcome: cost(130_000, 0.01) });
    window.settle();
    assert!(trained(&window).is_empty() && window.has("Start now"), "it was only asked how long it takes");
    window.click("Start now");
    assert_eq!(trained(&window).len(), 1);
}

#[test]
fn stories_are_written_first_where_no_file_is_given() {
    let mut window = with_text(LAPTOP, 1.0, ThemeChoice::Dark);
    window.harness.get_by_role_and_label(Role::RadioButton, "Stories written now").click();
    window.settle();
    window.press(Modifiers::COMMAND, Key::Enter);
    let written = window.engine.started(|job, work| match work {
        Work::WriteText(spec) => Some((job, spec.clone())),
        _ => None,
    });
    let (job, spec) = written.last().unwrap();
    assert!(spec.model.ends_with("models/sprout") && tried(&window).is_empty());
    window.engine.say(Event::Done { job: *job, outcome: Outcome::Saved { path: spec.out.clone() } });
    window.settle();
    let (_, tried) = tried(&window).pop().unwrap();
    assert!(matches!(&tried.task, TrainTask::Text(task) if task.data == [spec.out.clone()]));
}

#[test]
fn form_and_curves_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(folder.path().to_owned()), ..plain(ThemeChoice::Dark) };
    let mut window = with_text_and(LAPTOP, 1.0, options());
    window.press(Modifiers::COMMAND, Key::Enter);
    play(&mut window);
    let curves = |window: &Window<'_>| {
        let plot = window.harness.query_all_by_label_contains("Learning curves. ").next().expect("a plot");
        plot.accesskit_node().label().expect("it is told")
    };
    let before = curves(&window);
    assert!(before.contains("LSTM: training"), "{before}");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(folder.path().join("session.json")).is_ok_and(|text| text.contains("5-gram")) {
        assert!(Instant::now() < deadline, "the session was not written");
        std::thread::sleep(Duration::from_millis(50));
        window.harness.step();
    }
    drop(window);
    let mut window = Window::open(LAPTOP, 1.0, options());
    window.show("pretrain");
    assert_eq!(curves(&window), before);
    assert!(window.has("of before"));
    window.click("Clear");
    assert!(window.has("Watch networks learn from nothing"));
}

#[test]
fn pictures_of_learning_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_learning_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let mut window = with_text(SMALL, 0.5, theme);
        window.press(Modifiers::COMMAND, Key::Enter);
        play(&mut window);
        window.harness.remove_cursor();
        window.settle();
        window.harness.mask(egui::Rect::from_min_max(egui::pos2(800.0, 612.0), egui::pos2(1024.0, 640.0)));
        window.harness.snapshot_options(format!("pretrain-next-{name}"), &options);
        results.extend_harness(&mut window.harness);

        let mut window = with_text(LAPTOP, 0.5, theme);
        window.harness.get_by_role_and_label(Role::RadioButton, "Blanks").click();
        window.settle();
        window.press(Modifiers::COMMAND, Key::Enter);
        let (job, _) = tried(&window).pop().unwrap();
        window.engine.say(Event::Done { job, outcome: cost(175_168, 0.04) });
        window.settle();
        let (job, _, spec) = trained(&window)[0].clone();
        window.engine.say(Event::Begun { job, record: record(spec, 175_168) });
        window.engine.say(Event::Trained { job, points: points(150, 4.0) });
        window.engine.say(Event::Glimpsed { job, glimpse: Box::new(blank_glimpse()) });
        window.settle();
        let counted = counted(&window).pop().unwrap();
        window.engine.say(Event::Done { job: counted, outcome: Outcome::Counted(Arc::new(blanks_counted())) });
        window.settle();
        window.harness.remove_cursor();
        window.settle();
        window.harness.mask(egui::Rect::from_min_max(egui::pos2(1000.0, 760.0), egui::pos2(1280.0, 800.0)));
        window.harness.snapshot_options(format!("pretrain-blanks-{name}"), &options);
        results.extend_harness(&mut window.harness);
    }
}
