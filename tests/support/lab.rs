//! Driving the few-shot lab on a scripted engine.

#![allow(dead_code, reason = "each test binary uses a part of it")]

#[path = "window.rs"]
pub mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Work};
use fovea::types::{JobId, ScoreRequest};
use fovea::ui::AppOptions;
use std::path::Path;
use std::time::{Duration, Instant};
use window::{Window, with_text_model};

pub fn lab<'a>() -> Window<'a> {
    tall("lab", with_text_model())
}

/// High enough for all of the left column, since only what is in sight can be clicked.
pub fn tall<'a>(panel: &str, options: AppOptions) -> Window<'a> {
    let mut window = Window::open(egui::Vec2::new(1440.0, 1500.0), 1.0, options);
    window.show(panel);
    window
}

/// With scores on show.
pub fn scored<'a>() -> Window<'a> {
    let mut window = lab();
    window.press(Modifiers::COMMAND, Key::Enter);
    window
}

pub fn wait(window: &mut Window<'_>, what: &str, done: impl Fn(&Window<'_>) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done(window) {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
        window.harness.step();
    }
    window.settle();
}

pub fn requests(window: &Window<'_>) -> Vec<(JobId, ScoreRequest)> {
    window.engine.started(|job, work| match work {
        Work::Score(request) => Some((job, request.clone())),
        _ => None,
    })
}

pub fn until_scores(window: &mut Window<'_>, count: usize) {
    wait(window, "scores that follow a change", |w| requests(w).len() == count);
}

pub fn cancelled(window: &Window<'_>) -> Vec<JobId> {
    window.engine.sent(|c| match c {
        Command::Cancel { job } => Some(*job),
        _ => None,
    })
}

pub fn tab(window: &mut Window<'_>, name: &str) {
    window.harness.get_by_role_and_label(Role::RadioButton, name).click();
    window.settle();
}

/// Names of all widgets that begin so; of plain text, the text.
pub fn labels(window: &Window<'_>, begin: &str) -> Vec<String> {
    let nodes = window.harness.query_all_by(|_| true);
    let names = nodes.filter_map(|n| {
        let node = n.accesskit_node();
        if node.role() == Role::Label { node.value() } else { node.label() }
    });
    names.filter(|name| name.starts_with(begin)).collect()
}

pub fn choose_task(window: &mut Window<'_>, words: &str) {
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text(words.into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

/// Writes to the path that is asked for.
pub fn save_to(window: &mut Window<'_>, path: &Path) {
    answer_path(window, "Path to write to", path);
    wait(window, "the file", |_| std::fs::metadata(path).is_ok_and(|file| file.len() > 20));
}

pub fn answer_path(window: &mut Window<'_>, field: &str, path: &Path) {
    wait(window, "a field for the path", |w| w.harness.query_by_role_and_label(Role::TextInput, field).is_some());
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}
