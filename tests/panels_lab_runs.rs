//! Runs of the few-shot lab that are brought back: each asks the model it was made with, or says that it is not there.

#[path = "support/lab.rs"]
mod lab;

use egui::{Key, Modifiers};
use fovea::engine::{Command, Work};
use fovea::types::{JobId, ModelId};
use fovea::ui::AppOptions;
use lab::window::{Window, with_text_model};
use lab::{labels, requests, scored, tall, until_scores, wait};
use std::path::Path;

/// Opens a model under an id, with weights of its own.
fn open(window: &mut Window<'_>, path: &Path, hash: &str) -> ModelId {
    let (job, model) = (JobId::next(), ModelId::next());
    window.engine.0.borrow_mut().hashes.insert(model, hash.repeat(32));
    let mut link = window.engine.clone();
    let open = Command::start(job, model, Work::Open(path.to_owned()));
    fovea::ui::EngineLink::try_send(&mut link, open).unwrap();
    window.settle();
    model
}

/// The models that were asked for scores.
fn asked(window: &Window<'_>) -> Vec<ModelId> {
    window.engine.sent(|c| match c {
        Command::Start { model, work, .. } if matches!(**work, Work::Score(_)) => *model,
        _ => None,
    })
}

fn opened(window: &Window<'_>) -> Vec<std::path::PathBuf> {
    window.engine.started(|_, work| if let Work::Open(path) = work { Some(path.clone()) } else { None })
}

fn bring_back(window: &mut Window<'_>, begin: &str) {
    let run = labels(window, begin).remove(0);
    window.click(&run);
    std::thread::sleep(std::time::Duration::from_millis(400));
    window.settle();
}

#[test]
fn a_run_asks_the_model_it_was_made_with_though_another_one_is_in_use() {
    let mut window = scored();
    let first = asked(&window)[0];
    assert!(labels(&window, "Run 1: sprout: ").len() == 1, "the title names the model: {:?}", labels(&window, "Run "));
    let other = open(&mut window, Path::new("models/other"), "cd");
    until_scores(&mut window, 6);
    assert!(window.has("The model is other (was sprout)."));
    assert_eq!(asked(&window)[3..], [other; 3]);
    bring_back(&mut window, "Run 1: sprout");
    until_scores(&mut window, 9);
    assert_eq!(asked(&window)[6..], [first; 3], "what is in use is not asked");
    assert!(window.has("This run asks sprout, with which it was made; other is in use."));
    assert!(window.has("The model is sprout (was other)."));
    window.click("Ask other instead");
    until_scores(&mut window, 12);
    assert_eq!(asked(&window)[9..], [other; 3]);
}

/// The lab as it was left, with another model open than that of the run.
fn restarted<'a>(folder: &Path, is_there: bool) -> Window<'a> {
    let state = folder.join("state");
    let model = folder.join("first");
    std::fs::create_dir_all(&model).unwrap();
    let options = || AppOptions { state_dir: Some(state.clone()), model: None, ..with_text_model() };
    let mut window = tall("lab", AppOptions { model: Some(model.clone()), ..options() });
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(requests(&window).len(), 3);
    wait(&mut window, "the session", |_| {
        let saved = std::fs::read_to_string(state.join("session.json")).unwrap_or_default();
        saved.contains("sha256") && saved.contains(&"ab".repeat(32))
    });
    drop(window);
    if !is_there {
        std::fs::remove_dir_all(&model).unwrap();
    }
    let mut window = tall("lab", AppOptions { model: Some("models/other".into()), ..options() });
    let other = window.app().state().models.keys().next().copied().unwrap();
    window.engine.0.borrow_mut().hashes.insert(other, "cd".repeat(32));
    window.press(Modifiers::COMMAND, Key::Enter);
    until_scores(&mut window, 3);
    window
}

#[test]
fn a_run_whose_model_is_not_open_is_scored_with_no_other_and_offers_to_open_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = restarted(folder.path(), true);
    bring_back(&mut window, "Run 1: first");
    assert_eq!(requests(&window).len(), 3, "nothing was scored");
    assert!(window.has("This run was made with first, which is not open. Nothing is scored."));
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(requests(&window).len(), 3, "not even when it is asked for");
    window.click("Open first");
    assert_eq!(opened(&window).last(), Some(&folder.path().join("first")));
    until_scores(&mut window, 6);
    assert!(labels(&window, "This run was made").is_empty());
}

#[test]
fn a_run_whose_folder_is_gone_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = restarted(folder.path(), false);
    bring_back(&mut window, "Run 1: first");
    let words = |w: &Window<'_>| labels(w, "This run was made with first, which is not open.").remove(0);
    wait(&mut window, "a look at the disk", |w| words(w).contains("Its folder is gone: "));
    assert!(!window.has("Open first"), "{}", words(&window));
    window.click("Ask other instead");
    assert!(labels(&window, "This run was made").is_empty());
    window.press(Modifiers::COMMAND, Key::Enter);
    until_scores(&mut window, 6);
}

#[test]
fn a_run_is_not_scored_with_other_weights_of_the_same_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = restarted(folder.path(), true);
    let other = open(&mut window, &folder.path().join("first"), "ef");
    until_scores(&mut window, 6);
    bring_back(&mut window, "Run 1: first");
    assert_eq!(requests(&window).len(), 6, "nothing was scored");
    let words = labels(&window, "This run was made with other weights of first").remove(0);
    assert!(words.contains("abababab") && words.contains("efefefef"), "{words}");
    window.click("Ask the open first instead");
    assert!(labels(&window, "This run was made").is_empty());
    window.press(Modifiers::COMMAND, Key::Enter);
    until_scores(&mut window, 9);
    assert_eq!(asked(&window)[6..], [other; 3]);
}
