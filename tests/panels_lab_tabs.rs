//! The other tabs of the few-shot lab, its files, and what survives a restart, on a scripted engine.

#[path = "support/lab.rs"]
mod lab;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, InspectSpec, Outcome, PromptInput, Work};
use fovea::types::{BatchSpec, JobId, KShotSpec};
use fovea::ui::{AppOptions, ThemeChoice};
use lab::window::{Dropped, SMALL, Window, plain, scripted_engine};
use lab::{answer_path, cancelled, choose_task, lab, labels, requests, save_to, scored, tab, tall, until_scores, wait};
use std::sync::Arc;

#[test]
fn a_curve_is_measured_for_each_variant_in_turn_and_stopped_at_once() {
    let mut window = lab();
    tab(&mut window, "Curve");
    window.click("Shuffled labels");
    window.click("No instruction");
    window.click("16");
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let specs = |window: &Window<'_>| -> Vec<(JobId, KShotSpec)> {
        window.engine.started(|job, work| match work {
            Work::KShot(spec) => Some((job, spec.clone())),
            _ => None,
        })
    };
    assert_eq!(specs(&window).len(), 1, "one after the other");
    let (job, spec) = specs(&window)[0].clone();
    assert_eq!((spec.ks.as_slice(), spec.seeds.as_slice(), spec.queries), (&[0, 1, 2, 4, 8][..], &[1, 2, 3][..], 20));
    assert_eq!(spec.table.labels, ["positive", "negative"]);
    // Points appear as they come.
    let points = scripted_engine::kshot_points(&spec);
    window.engine.say(Event::KShot { job, points: points[..5].to_vec() });
    window.settle();
    assert_eq!(labels(&window, "True labels: accuracy").len(), 1);
    assert!(labels(&window, "True labels: accuracy")[0].contains("5 of 15 points."));
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(cancelled(&window), [job]);
    window.engine.say(Event::Done { job, outcome: Outcome::Cancelled });
    window.settle();
    assert_eq!(specs(&window).len(), 1, "those that waited are not begun");
    assert!(labels(&window, "True labels: accuracy")[0].contains("5 of 15 points."), "what was measured stays");
    // Without a stop they follow each other.
    window.engine.0.borrow_mut().answers = true;
    window.press(Modifiers::COMMAND, Key::Enter);
    wait(&mut window, "three more curves", |w| specs(w).len() == 4);
    let variants: Vec<_> = specs(&window)[1..].iter().map(|(_, spec)| spec.variant.clone()).collect();
    assert!(variants[2].without_instruction && !variants[0].without_instruction);
    assert_ne!(variants[0].labels, variants[1].labels);
    let picture = labels(&window, "Curves by number of examples. ").remove(0);
    assert!(
        picture.contains("Shuffled labels: accuracy") && picture.contains("True labels (2): accuracy"),
        "{picture}"
    );
    window.click("Hide curve 1");
    let picture = labels(&window, "Curves by number of examples. ").remove(0);
    assert!(!picture.contains("5 of 15"), "{picture}");
}

#[test]
fn curves_are_exported_as_shown() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = lab();
    tab(&mut window, "Curve");
    window.press(Modifiers::COMMAND, Key::Enter);
    for (format, begins) in [("SVG", "<svg"), ("PNG", "\u{89}PNG"), ("CSV", "series,k,seed")] {
        let path = dir.path().join(format!("curve.{}", format.to_lowercase()));
        window.click("Export curves");
        window.click(&format!("Export {format}"));
        save_to(&mut window, &path);
        let bytes = std::fs::read(&path).unwrap();
        let start: String = bytes.iter().take(begins.chars().count()).map(|b| *b as char).collect();
        assert_eq!(start, begins);
    }
}

#[test]
fn heads_are_ranked_and_one_click_shows_one_in_attention() {
    let mut window = lab();
    tab(&mut window, "Looked at");
    let asked = |window: &Window<'_>| {
        window.engine.started(|_, work| match work {
            Work::Inspect(InspectSpec { prompt: PromptInput::Text(text), .. }) => Some(text.clone()),
            _ => None,
        })
    };
    wait(&mut window, "the prompt is read", |w| asked(w).len() == 1);
    assert!(asked(&window)[0].ends_with(" ="));
    let outputs = labels(&window, "Output ");
    let inputs = labels(&window, "Input of example 1 ");
    assert_eq!((outputs.len(), inputs.len()), (4, 1), "{outputs:?}");
    let heads = labels(&window, "L");
    let heads: Vec<&String> = heads.iter().filter(|l| l.contains(" · H")).collect();
    assert_eq!(heads.len(), 8);
    let value = |label: &String| label.rsplit(' ').next().unwrap().parse::<f32>().unwrap();
    assert!(heads.windows(2).all(|pair| value(pair[0]) >= value(pair[1])), "{heads:?}");
    let best = heads[0].clone();
    window.click(&best);
    assert!(labels(&window, "layer ").len() == 1, "the parts are those of the chosen head");
    // The answer itself can be looked from.
    tab(&mut window, "The answer");
    wait(&mut window, "prompt and answer are read", |w| asked(w).len() == 2);
    assert!(asked(&window)[1].ends_with(" = positive"));
    window.click("Show layer 1 head 2 in Attention");
    assert_eq!(window.app().panel().key(), "attention");
    window.harness.get_by_label("Layer 1 · head 2");
    assert_eq!(asked(&window).len(), 2, "what was read is shown, and not read again");
}

#[test]
fn a_batch_lists_failures_first_and_counts_confusions() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = lab();
    tab(&mut window, "Batch");
    window.press(Modifiers::COMMAND, Key::Enter);
    let specs: Vec<BatchSpec> = window.engine.started(|_, work| match work {
        Work::Batch(spec) => Some(spec.clone()),
        _ => None,
    });
    let spec = &specs[0];
    assert_eq!(spec.prompt.shots.len(), 4);
    let is_example = |query: &[String; 2]| spec.prompt.shots.iter().any(|shot| shot.input == query[0]);
    assert!(spec.queries.len() > 100 && !spec.queries.iter().any(is_example));
    let wrong = spec.queries.len() / 4;
    let listed = |window: &Window<'_>| -> Vec<String> {
        let rows = window.harness.get_all_by_role(Role::ListItem).filter_map(|n| n.accesskit_node().label());
        rows.filter(|l| l.contains(", the model says ")).collect()
    };
    assert!(listed(&window)[..3].iter().all(|row| row.starts_with("wrong: ")));
    window.harness.get_by_label(&format!("{} of {} right", spec.queries.len() - wrong, spec.queries.len()));
    tab(&mut window, "Right");
    assert!(listed(&window).iter().all(|row| row.starts_with("right: ")));
    tab(&mut window, "All");
    let cell = labels(&window, "negative for positive: ").remove(0);
    window.click(&cell);
    assert!(listed(&window).iter().all(|row| row.contains("→ positive, the model says negative")));
    window.click("Copy as TSV");
    assert!(window.has(&format!("Copied {} rows", spec.queries.len())));
    let path = dir.path().join("batch.csv");
    window.click("Export CSV");
    save_to(&mut window, &path);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), spec.queries.len() + 1);
    assert!(text.starts_with("input,expected,predicted,correct,log_prob,share of positive,share of negative\n"));
}

#[test]
fn a_preset_is_saved_opened_and_refused_when_it_is_newer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.json");
    let mut window = scored();
    window.click("Instruction");
    window.click("Use example 1");
    until_scores(&mut window, 6);
    window.click("Presets and export");
    window.click("Save preset as…");
    save_to(&mut window, &path);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"fovea_preset\": 1") && text.contains("\"name\": \"mine\""), "{text}");
    choose_task(&mut window, "Task: Living");
    assert!(window.has("Task: Living or lifeless"));
    let newer = dir.path().join("newer.json");
    std::fs::write(&newer, text.replace("\"fovea_preset\": 1", "\"fovea_preset\": 2")).unwrap();
    window.click("Presets and export");
    window.click("Open a preset or run…");
    answer_path(&mut window, "Path of the file", &newer);
    let refused = "It is a preset of version 2; this Fovea understands up to version 1.";
    wait(&mut window, "the refusal", |w| w.has(refused));
    assert!(window.has("Task: Living or lifeless"), "nothing was replaced");
    window.click("Close the error");
    assert!(!window.has(refused));
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
    wait(&mut window, "the preset", |w| w.has("Task: Sentiment"));
    let count = requests(&window).len();
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = requests(&window);
    assert_eq!(sent.last().unwrap().1.prompt.lines().count(), 4, "without instruction and first example");
    assert!(sent.len() > count);
}

#[test]
fn an_exported_run_is_repeated_and_compared_to_the_last_bit() {
    let dir = tempfile::tempdir().unwrap();
    let (json, text) = (dir.path().join("run.json"), dir.path().join("run.md"));
    let mut window = scored();
    window.click("Presets and export");
    window.click("Export run as JSON…");
    save_to(&mut window, &json);
    window.click("Presets and export");
    window.click("Export run as Markdown…");
    save_to(&mut window, &text);
    let markdown = std::fs::read_to_string(&text).unwrap();
    assert!(markdown.contains(&"ab".repeat(32)) && markdown.contains("## Zero-shot"), "{markdown}");
    choose_task(&mut window, "Task: Living");
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(json.clone())));
    let same = "The same on this device, bit for bit: 6 log-probabilities.";
    wait(&mut window, "the comparison", |w| w.has(same));
    assert!(window.has("Task: Sentiment"));
    // One bit elsewhere is told.
    let recorded = std::fs::read_to_string(&json).unwrap();
    let value: serde_json::Value = serde_json::from_str(&recorded).unwrap();
    let bits = value["cards"][2]["bits"][1].as_str().unwrap().to_owned();
    let other = u64::from_str_radix(&bits, 16).unwrap() ^ 1;
    std::fs::write(&json, recorded.replace(&bits, &format!("{other:016x}"))).unwrap();
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(json)));
    wait(&mut window, "the difference", |w| !labels(w, "Not the same: ln P is off by at most ").is_empty());
    let words = labels(&window, "Not the same").remove(0);
    assert!(words.contains("‘negative’, few-shot"), "{words}");
}

#[test]
fn the_lab_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions {
        state_dir: Some(dir.path().to_owned()),
        model: Some("models/sprout".into()),
        ..plain(ThemeChoice::Dark)
    };
    let mut window = tall("lab", options());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.click("Use example 3");
    until_scores(&mut window, 4);
    let asked = requests(&window)[3].1.clone();
    tab(&mut window, "Curve");
    window.press(Modifiers::COMMAND, Key::Enter);
    wait(&mut window, "the session", |_| {
        std::fs::read_to_string(dir.path().join("session.json")).is_ok_and(|t| t.contains("mean_log_prob"))
    });
    drop(window);
    let mut window = tall("lab", options());
    assert_eq!(labels(&window, "True labels: accuracy").len(), 1, "measured curves are there");
    assert_eq!(labels(&window, "Run ").len(), 2, "and so are the runs");
    tab(&mut window, "Compare");
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(requests(&window)[2].1, asked);
}

#[test]
fn every_widget_of_every_tab_has_a_name() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        let mut window = Window::open(SMALL, 1.0, AppOptions { model: Some("models/sprout".into()), ..plain(theme) });
        window.show("lab");
        window.press(Modifiers::COMMAND, Key::Enter);
        window.click("Presets and export");
        window.click("Compare two columns");
        for name in ["Compare", "Curve", "Looked at", "Batch", "Pairs"] {
            tab(&mut window, name);
            if name != "Pairs" {
                window.press(Modifiers::COMMAND, Key::Enter);
            }
            let unnamed = window.harness.unnamed_widgets();
            assert!(unnamed.is_empty(), "{name}, {theme:?}: {unnamed:#?}");
        }
    }
}
