//! What each layer would say: what is asked of the engine, what a cell tells, and what is kept.

#[path = "support/looking.rs"]
mod looking;
mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, LensSpec, Outcome, PromptInput, Work};
use fovea::types::{FitSpec, JacobianLens, JobId, LensCell, LensReport, LensTarget, UserError};
use fovea::ui::{AppOptions, ThemeChoice};
use looking::{looking_at, tokens};
use std::sync::Arc;
use window::{LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

const TEXT: [&str; 6] = ["The", " cat", " sat", " on", " the", " mat"];
const WORDS: [&str; 10] =
    [" cat", " dog", " sat", " on", " the", ".", " mat", " tree", "ing", " a very long token of many letters"];

/// What an engine might answer: probabilities grow with the layers.
fn answered(texts: &[&str], spec: &LensSpec) -> LensReport {
    let states = 7usize;
    let cell = |state: usize, token: usize| {
        let most = 0.05 + 0.9 * state as f32 / states as f32;
        let first = (state + token) % WORDS.len();
        let share = |place: usize| if place == 0 { most } else { (1.0 - most) / 20.0 };
        let top = (0..10).map(|place| (((first + place) % WORDS.len()) as u32, share(place).ln()));
        LensCell {
            top: top.collect(),
            entropy: 4.0 - state as f32 / 2.0,
            divergence: 3.0 * (states - 1 - state) as f32 / states as f32,
            followed: 6,
            rank: 1 + ((states - 1 - state) * 40) as u32,
            log_prob: (most / 2.0).ln(),
        }
    };
    LensReport {
        lens: None,
        tokens: tokens(texts),
        total: texts.len(),
        states: (0..states).map(|state| (0..texts.len()).map(|token| cell(state, token)).collect()).collect(),
        target: spec.target.as_ref().map(|_| LensTarget { id: 6, text: " mat".into(), of: 2 }),
        names: WORDS.iter().enumerate().map(|(id, word)| (id as u32, (*word).to_owned())).collect(),
        off: 1.5e-7,
    }
}

fn asked(window: &Window<'_>) -> Vec<(JobId, LensSpec)> {
    window.engine.started(|job, work| match work {
        Work::Lens(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

/// The newest question, answered.
fn answer(window: &mut Window<'_>, texts: &[&str]) -> LensSpec {
    let (job, spec) = asked(window).pop().unwrap();
    let report = answered(texts, &spec);
    window.engine.say(Event::Done { job, outcome: Outcome::LensRead(Arc::new(report)) });
    window.settle();
    spec
}

fn opened(size: Vec2, scale: f32, options: AppOptions, texts: &[&str]) -> Window<'static> {
    looking_at("Layers", size, scale, options, texts)
}

fn looking() -> Window<'static> {
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &TEXT);
    answer(&mut window, &TEXT);
    window
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

#[test]
fn every_cell_tells_what_its_layer_would_say() {
    let mut window = looking();
    let specs = asked(&window);
    let ids = tokens(&TEXT).iter().map(|token| token.id).collect();
    assert_eq!(specs[0].1, LensSpec { prompt: PromptInput::Ids(ids), target: None, fitted: None, edits: Vec::new() });
    assert_eq!(specs.len(), 1, "asked once");
    assert!(says(&window, "Checked: the last row says what the model says (to 2e-7)."));
    // State 2 at token 1 begins with the fourth word.
    assert!(says(&window, "layer 1 after ‘·cat’: ‘·on’ 31 %; ‘·mat’ at rank 161"));
    assert!(says(&window, "embedding after ‘The’"));
    for tells in ["Followed", "Rank", "Entropy", "KL", "Likeliest"] {
        window.harness.get_by_role_and_label(Role::RadioButton, tells).click();
        window.settle();
        assert!(says(&window, "layer 5 after ‘·mat’"), "{tells}");
    }
    assert_eq!(asked(&window).len(), 1, "what the cells tell is in the answer");
}

#[test]
fn a_click_chooses_the_token_and_once_more_none() {
    let mut window = looking();
    let cell = |window: &Window<'_>| {
        let cells = window.harness.get_all_by_role(Role::Cell);
        let label = |node: &egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
        let found = cells.into_iter().find(|node| label(node).starts_with("layer 2 after ‘·sat’")).unwrap();
        found.click();
    };
    cell(&window);
    window.settle();
    window.harness.get_by_role_and_label(Role::RadioButton, "Map").click();
    window.settle();
    assert!(says(&window, "position 2 · layer"), "the map has the same token");
    window.harness.get_by_role_and_label(Role::RadioButton, "Layers").click();
    window.settle();
    cell(&window);
    window.settle();
    window.harness.get_by_role_and_label(Role::RadioButton, "Map").click();
    window.settle();
    assert!(!says(&window, "position 2 · layer"));
}

#[test]
fn a_token_is_followed_and_a_longer_text_by_its_first() {
    let mut window = looking();
    window.harness.get_by_role_and_label(Role::TextInput, "Token to follow").focus();
    window.harness.run_steps(2);
    window.harness.get_by_role_and_label(Role::TextInput, "Token to follow").type_text(" mat too");
    window.wait("no question", |w| asked(w).len() > 1);
    let spec = answer(&mut window, &TEXT);
    assert_eq!(spec.target.as_deref(), Some(" mat too"));
    assert!(says(&window, "Of 2 tokens, ‘·mat’, the first, is followed."));
}

#[test]
fn a_table_that_is_off_says_so() {
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &TEXT);
    let (job, spec) = asked(&window).pop().unwrap();
    let mut report = answered(&TEXT, &spec);
    report.off = 0.25;
    report.states[3][2].entropy = f32::NAN;
    window.engine.say(Event::Done { job, outcome: Outcome::LensRead(Arc::new(report)) });
    window.settle();
    assert!(says(&window, "The last row is off what the model says by up to 2.5e-1."));
}

#[test]
fn the_layers_go_into_files_with_text_and_numbers_and_are_copied_as_a_picture() {
    let mut window = looking();
    let dir = tempfile::tempdir().unwrap();
    let svg = String::from_utf8(window.export("svg", &dir.path().join("layers.svg"))).unwrap();
    for part in ["sprout, what each layer would say", ">\nlayer 5\n<", "After ‘ mat’: embedding says"] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    let csv = String::from_utf8(window.export("csv", &dir.path().join("layers.csv"))).unwrap();
    assert_eq!(csv.lines().count(), 1 + 7 * TEXT.len(), "{csv}");
    let tensors = window.export("safetensors", &dir.path().join("layers.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(tensors.tensor("rank").unwrap().shape(), [7, TEXT.len()]);
    window.click("This view");
    window.click("Copy as a picture");
    window.wait("no picture on the clipboard", |w| {
        let commands = &w.harness.output().platform_output.commands;
        commands.iter().any(|command| matches!(command, egui::OutputCommand::CopyImage(image) if image.width() > 900))
    });
}

/// The same with the first tokens alone.
fn begun(report: &LensReport, tokens: usize) -> LensReport {
    let mut part = report.clone();
    part.tokens.truncate(tokens);
    part.states.iter_mut().for_each(|cells| cells.truncate(tokens));
    LensReport { off: f32::INFINITY, ..part }
}

#[test]
fn tokens_are_shown_as_they_are_read_and_a_stopped_table_says_that_it_is_a_part() {
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &TEXT);
    let (job, spec) = asked(&window).pop().unwrap();
    let report = answered(&TEXT, &spec);
    let cells = |window: &Window<'_>| {
        let cells = window.harness.query_all_by_role(Role::Cell);
        cells.filter(|cell| cell.accesskit_node().label().is_some_and(|label| label.contains("’ at rank "))).count()
    };
    for count in [2, 4] {
        let outcome = Outcome::LensRead(Arc::new(begun(&report, count)));
        window.engine.say(Event::SoFar { job, outcome });
        window.settle();
        assert!(says(&window, &format!("Read: the first {count} of 6 tokens.")));
        assert_eq!(cells(&window), 7 * count, "those that are read, and no others");
    }
    let dir = tempfile::tempdir().unwrap();
    window.engine.say(Event::Done { job, outcome: Outcome::LensRead(Arc::new(begun(&report, 4))) });
    window.settle();
    assert!(says(&window, "Read: the first 4 of 6 tokens.") && cells(&window) == 7 * 4);
    let svg = String::from_utf8(window.export("svg", &dir.path().join("layers.svg"))).unwrap();
    assert!(svg.contains("tokens 0 to 3 of the 6 of the text") && svg.contains("not read to its end"), "{svg}");
}

#[test]
fn a_failure_is_told_and_the_choices_stay() {
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &TEXT);
    let (job, _) = asked(&window).pop().unwrap();
    let error = UserError::new("The layers take 9000 MiB.", "At most 1024 MiB are kept.", "Shorten the prompt.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(says(&window, "The layers take 9000 MiB."));
    assert!(window.harness.query_by_role_and_label(Role::RadioButton, "Entropy").is_some());
    assert_eq!(asked(&window).len(), 1, "it is not asked for over and over");
}

#[test]
fn every_widget_has_a_name_in_both_themes() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        for size in [SMALL, LAPTOP] {
            let options = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 1.0, options, &TEXT);
            answer(&mut window, &TEXT);
            let unnamed = window.harness.unnamed_widgets();
            assert!(unnamed.is_empty(), "{theme:?}: {unnamed:#?}");
        }
    }
}

#[test]
fn pictures_of_the_layers_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_the_layers_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let of = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 0.5, of, &TEXT);
            answer(&mut window, &TEXT);
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let corner = egui::pos2(size.x * 0.5, size.y - 28.0);
            window.harness.mask(egui::Rect::from_min_max(corner, size.to_pos2()));
            window.harness.snapshot_options(format!("attention-layers-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}

/// Answers the question for a path to write to.
fn choose_path(window: &mut Window<'_>, path: &std::path::Path) {
    let field = |w: &Window<'_>| w.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some();
    window.wait("no field for the path", field);
    // It has the focus a frame after it is there.
    window.settle();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(egui::Event::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    window.settle();
}

#[test]
fn a_lens_is_fitted_into_a_file_opened_and_read_through() {
    let mut window = looking();
    window.harness.get_by_role_and_label(Role::RadioButton, "Fitted").click();
    window.harness.run_steps(3);
    assert!(says(&window, "None is open.") && asked(&window).len() == 1, "states are still taken as they are");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lens.safetensors");
    window.click("Fit a lens");
    choose_path(&mut window, &file);
    let fits = |window: &Window<'_>| {
        window.engine.started(|job, work| match work {
            Work::FitLens(spec) => Some((job, spec.clone())),
            _ => None,
        })
    };
    window.wait("a fit", |window| !fits(window).is_empty());
    let fits = fits(&window);
    let (fit, spec) = fits.last().expect("a fit was asked for").clone();
    assert_eq!(spec.out.as_deref(), Some(file.as_path()));
    assert!((FitSpec::LEAST_PASSAGES..=100).contains(&spec.count), "{spec:?}");
    let lens = Arc::new(JacobianLens {
        model: "sprout".into(),
        sha256: "0".repeat(64),
        width: 2,
        matrices: vec![vec![1.0, 0.0, 0.0, 1.0]; 5],
        passages: 100,
        tokens: 128,
        source: "written by the model, seed 1".into(),
        halves: vec![0.07; 5],
    });
    window.engine.say(Event::Done { job: fit, outcome: Outcome::LensFitted(Arc::clone(&lens)) });
    window.settle();
    let opens = window.engine.started(|job, work| match work {
        Work::OpenLens(path) => Some((job, path.clone())),
        _ => None,
    });
    let (open, path) = opens.last().expect("what was fitted is opened").clone();
    assert_eq!(path, file);
    window.engine.say(Event::Done { job: open, outcome: Outcome::LensFitted(Arc::clone(&lens)) });
    window.settle();
    assert!(says(&window, "100 passages; halves differ by up to 7 %"));
    window.wait("the layers are not asked for anew", |w| asked(w).len() > 1);
    assert_eq!(asked(&window).last().unwrap().1.fitted, Some(lens));
    // And back.
    answer(&mut window, &TEXT);
    window.harness.get_by_role_and_label(Role::RadioButton, "Plain").click();
    window.wait("the layers are not asked for anew", |w| asked(w).len() > 2);
    assert_eq!(asked(&window).last().unwrap().1.fitted, None);
}
