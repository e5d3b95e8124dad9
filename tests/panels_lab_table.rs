//! The few-shot lab's table of two columns, its menus, what goes from it to training, what it costs, and its errors.

#[path = "support/lab.rs"]
mod lab;

use egui::accesskit::{Role, Toggled};
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Work};
use fovea::types::{Ability, JobId, UserError};
use fovea::ui::AppOptions;
use lab::window::{SMALL, Window, with_text_model};
use lab::{choose_task, lab, labels, requests, scored, tab, tall, until_scores, wait};
use std::path::Path;

#[test]
fn two_columns_are_one_table_that_fits_the_smallest_window() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.show("lab");
    window.press(Modifiers::COMMAND, Key::Enter);
    let entry = |window: &mut Window<'_>, words: &str| choose_task(window, words);
    entry(&mut window, "Compare two columns");
    until_scores(&mut window, 6);
    let rows = labels(&window, "Anything else: P, A ");
    assert_eq!(rows.len(), 3, "with none, one and all examples: {rows:?}");
    let stage = window.harness.get_by_role_and_label(Role::RadioButton, "Compare").rect().left();
    let found = window
        .harness
        .query_all_by(|_| true)
        .filter(|node| node.accesskit_node().label().is_some_and(|label| label.starts_with("Anything else: P, A ")));
    for rect in found.map(|node| node.rect()) {
        assert!(rect.bottom() < SMALL.y - 27.0 && rect.left() >= stage - 8.0, "{rect}");
    }
}

#[test]
fn a_column_lists_models_that_are_not_open_and_marks_the_one_it_asks() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut window = tall("lab", AppOptions { shipped: Some(models.clone()), ..with_text_model() });
    window.press(Modifiers::COMMAND, Key::Enter);
    window.click("Compare two columns");
    until_scores(&mut window, 6);
    let first = window.app().state().active(Ability::Continue).unwrap().info.id;
    window.harness.get_by_role_and_label(Role::ComboBox, "Model").click();
    window.settle();
    let names = ["The model in use", "sprout", "seedling"];
    let is_marked = |name: &str| {
        let nodes = window.harness.query_all_by_label(name);
        nodes.filter(|node| node.accesskit_node().toggled() == Some(Toggled::True)).count()
    };
    assert_eq!(names.map(is_marked), [1, 0, 0]);
    assert!(window.has("Comes with Fovea"));
    window.click("seedling");
    let opened = window.engine.started(|_, work| if let Work::Open(path) = work { Some(path.clone()) } else { None });
    assert_eq!(opened.last(), Some(&models.join("seedling")));
    until_scores(&mut window, 9);
    let asked = window.engine.sent(|c| match c {
        Command::Start { model, work, .. } if matches!(**work, Work::Score(_)) => *model,
        _ => None,
    });
    let second = window.app().state().active(Ability::Continue).unwrap().info.id;
    assert_ne!(first, second);
    assert_eq!(asked[6..], [second; 3], "column A goes on asking what it asked");
    assert!(window.has("Column B: the model is seedling (was sprout)."));
}

#[test]
fn the_menu_is_as_wide_as_its_words() {
    let mut window = lab();
    window.click("Presets and export");
    let rect = |name: &str| window.harness.get_by_role_and_label(Role::Button, name).rect();
    let names = ["Save preset as…", "Open a preset or run…", "Export run as Markdown…", "Export run as JSON…"];
    let rects = names.map(rect);
    for rect in rects {
        assert!(rect.height() < 32.0, "an entry takes one line: {rect}");
        assert!((150.0..210.0).contains(&rect.width()), "{rect}");
        assert!((rect.width() - rects[0].width()).abs() < 0.5, "all entries are alike");
    }
}

#[test]
fn a_long_example_wraps_and_can_be_read_whole() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.show("lab");
    window.harness.get_by_label("Example 1 input").focus();
    window.settle();
    let before = window.harness.get_by_label("Example 1 input").rect();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text("a rather long example that does not fit into its field at any width".into()));
    window.settle();
    let after = window.harness.get_by_label("Example 1 input").rect();
    assert!(after.height() > 80.0, "{before} became {after}");
    assert!((after.width() - before.width()).abs() < 1.0);
    let bin = window.harness.get_by_label("Delete example 1").rect();
    assert!(after.right() < bin.left() && bin.right() <= 364.0, "{bin}");
    // Enter is no line of its own.
    window.press(Modifiers::NONE, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(requests(&window)[2].1.prompt.contains("field at any width ="), "{}", requests(&window)[2].1.prompt);
}

#[test]
fn the_pairs_of_a_task_are_taken_to_training_in_one_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = tall("lab", AppOptions { state_dir: Some(dir.path().to_owned()), ..with_text_model() });
    tab(&mut window, "Pairs");
    window.click("Train on these pairs");
    wait(&mut window, "the panel that trains", |w| w.app().panel().key() == "fine_tune");
    let path = dir.path().join("texts/sentiment.txt");
    assert!(!labels(&window, "Wrote ").is_empty(), "it says what was written and where");
    let text = std::fs::read_to_string(&path).unwrap();
    let pairs = text.lines().filter(|line| line.ends_with("= positive") || line.ends_with("= negative")).count();
    assert_eq!(labels(&window, "Wrote ")[0], format!("Wrote {pairs} pairs to {}", path.display()));
    let field = window.harness.get_by_role_and_label(Role::TextInput, "Text file");
    assert_eq!(field.accesskit_node().value().unwrap(), path.display().to_string());
}

#[test]
fn what_a_batch_and_a_curve_cost_is_told_by_what_the_model_did() {
    let mut window = lab();
    for name in ["Batch", "Curve"] {
        tab(&mut window, name);
        assert_eq!(
            labels(&window, "").iter().filter(|l| l.ends_with("how long is not known yet")).count(),
            1,
            "{name}"
        );
    }
    window.click("Time one query");
    let told = |window: &Window<'_>| labels(window, "1 curve · ").remove(0);
    // 4 milliseconds a query.
    assert!(told(&window).ends_with("360 queries · under 2 s"), "{}", told(&window));
    tab(&mut window, "Batch");
    window.press(Modifiers::COMMAND, Key::Enter);
    tab(&mut window, "Curve");
    // 1.2 seconds for the whole table.
    assert!(told(&window).ends_with("360 queries · about 4 s"), "{}", told(&window));
}

/// A lab with an error in each of its cards.
fn failed<'a>() -> Window<'a> {
    let mut window = lab();
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let jobs: Vec<JobId> = requests(&window).into_iter().map(|(job, _)| job).collect();
    for job in jobs {
        let error = UserError::new("The answer has no tokens.", "It is empty.", "Type an answer.");
        window.engine.say(Event::Failed { job: Some(job), error });
    }
    window.settle();
    window.engine.0.borrow_mut().answers = true;
    assert!(window.has("The answer has no tokens."));
    window
}

#[test]
fn an_error_can_be_closed() {
    let mut window = failed();
    window.click("Close the error");
    assert!(!window.has("The answer has no tokens."));
}

#[test]
fn an_error_goes_with_its_cause_and_stands_beside_no_other_task() {
    let mut window = failed();
    window.engine.0.borrow_mut().answers = false;
    choose_task(&mut window, "Task: Living");
    assert!(!window.has("The answer has no tokens."));
    let mut window = failed();
    tab(&mut window, "Batch");
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let batch = window.engine.started(|job, work| matches!(work, Work::Batch(_)).then_some(job));
    let error = UserError::new("The batch failed.", "There was a reason.", "Try again.");
    window.engine.say(Event::Failed { job: Some(batch[0]), error });
    window.settle();
    assert!(window.has("The batch failed."));
    choose_task(&mut window, "Task: Living");
    assert!(!window.has("The batch failed."));
}

#[test]
fn examples_show_every_label_unless_they_are_to_be_drawn_as_they_fall() {
    let mut window = scored();
    let answers = |window: &Window<'_>| -> Vec<String> {
        let sent = requests(window);
        let lines = sent.last().unwrap().1.prompt.lines().map(str::to_owned).collect::<Vec<_>>();
        lines.iter().filter_map(|line| line.split(" = ").nth(1)).map(str::to_owned).collect()
    };
    let is_even = |answers: &[String]| answers.iter().filter(|answer| *answer == "positive").count() == 2;
    assert!(is_even(&answers(&window)), "{:?}", answers(&window));
    let before = answers(&window);
    window.click("Draw every label");
    wait(&mut window, "scores of other examples", |w| w.has("Other examples (drawn as they fall)."));
    assert_ne!(answers(&window), before);
}
