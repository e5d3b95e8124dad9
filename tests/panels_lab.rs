//! What the few-shot lab does when it is used, on a scripted engine: what is asked, what is shown, what is undone.

#[path = "support/lab.rs"]
mod lab;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::kittest::Queryable;
use fovea::engine::{Command, Event, Outcome, PromptInput, Work};
use fovea::types::{HeldOut, JobId, ModelId, TableReport, TableWarning, TaskTable, UserError};
use fovea::ui::AppOptions;
use lab::window::{Dropped, scripted_engine, with_text_model};
use lab::{cancelled, choose_task, lab, labels, requests, scored, tab, tall, until_scores, wait};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn one_query_is_asked_with_none_one_and_all_examples() {
    let window = scored();
    let sent = requests(&window);
    assert_eq!(sent.len(), 3);
    let lines = |at: usize| sent[at].1.prompt.lines().count();
    // Instruction, examples, query.
    assert_eq!([lines(0), lines(1), lines(2)], [2, 3, 6]);
    let query = sent[0].1.prompt.lines().last().unwrap();
    assert!(query.ends_with(" ="), "{query}");
    for (_, request) in &sent {
        assert_eq!(request.candidates, ["positive", "negative"]);
        assert_eq!((request.ending.as_str(), request.content_free.len()), ("\n", 0));
        assert_eq!(request.prompt.lines().last(), Some(query));
    }
    assert!(sent[2].1.prompt.contains(sent[1].1.prompt.lines().nth(1).unwrap()), "the one is the first of the few");
    // Every answer with share and probability, in every card; and the tokens of the right one.
    assert_eq!(labels(&window, "positive: share").len(), 3);
    assert!(labels(&window, "positive: share")[0].contains(", P "));
    assert_eq!(labels(&window, "Anything else: P").len(), 3);
    assert!(window.has("Tokens of ‘positive’"));
}

#[test]
fn a_change_is_scored_by_itself_and_only_where_it_matters() {
    let mut window = scored();
    window.click("Use example 2");
    until_scores(&mut window, 4);
    let sent = requests(&window);
    assert_eq!(sent[3].1.prompt.lines().count(), 5, "only the few-shot prompt has changed");
    assert!(window.has("Example 2 was switched off."));
    let rows = labels(&window, "positive: share");
    assert!(rows[0].contains("unchanged") && rows[1].contains("unchanged"), "{rows:?}");
    assert!(rows[2].contains("points") || rows[2].contains("unchanged"), "{rows:?}");
    // The run is in the list, and the first one brings its prompt back.
    assert_eq!(labels(&window, "Run ").len(), 2);
    let first = labels(&window, "Run 1:").remove(0);
    window.click(&first);
    until_scores(&mut window, 5);
    assert_eq!(requests(&window)[4].1, sent[2].1);
}

#[test]
fn the_newest_change_wins() {
    let mut window = scored();
    window.engine.0.borrow_mut().answers = false;
    window.click("Use example 2");
    until_scores(&mut window, 4);
    let (old, _) = requests(&window)[3].clone();
    window.click("Use example 3");
    until_scores(&mut window, 5);
    assert_eq!(cancelled(&window), [old], "the older question is taken back");
    assert_eq!(requests(&window)[4].1.prompt.lines().count(), 4);
}

#[test]
fn a_wrong_answer_is_marked_and_one_click_takes_it_back() {
    let mut window = scored();
    let right = requests(&window)[2].1.clone();
    window.click("Give example 1 a wrong answer");
    until_scores(&mut window, 5);
    let wrong = requests(&window)[4].1.clone();
    assert_ne!(wrong.prompt, right.prompt);
    assert_eq!(wrong.prompt.lines().count(), right.prompt.lines().count());
    assert_eq!(labels(&window, "The answer of example 1 is wrong now: ").len(), 1);
    window.click("Give example 1 its right answer back");
    until_scores(&mut window, 7);
    assert_eq!(requests(&window)[6].1, right);
    assert!(window.has("The answer of example 1 is right again."));
}

#[test]
fn undo_and_redo_go_over_all_edits() {
    let mut window = scored();
    let before = requests(&window)[2].1.clone();
    window.click("Delete example 1");
    until_scores(&mut window, 5);
    window.press(Modifiers::COMMAND, Key::Z);
    until_scores(&mut window, 7);
    assert_eq!(requests(&window)[6].1, before);
    choose_task(&mut window, "Task: Living");
    assert!(window.has("Task: Living or lifeless"));
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(window.has("Task: Sentiment"));
    window.press(Modifiers::COMMAND, Key::Y);
    assert!(window.has("Task: Living or lifeless"));
}

#[test]
fn examples_change_places_by_key_and_are_drawn_anew_with_a_seed() {
    let mut window = scored();
    let before = requests(&window)[2].1.prompt.clone();
    window.harness.get_by_label("Move example 1").focus();
    window.settle();
    window.press(Modifiers::NONE, Key::ArrowDown);
    until_scores(&mut window, 5);
    assert!(window.has("Examples 1 and 2 changed places."));
    let swapped = requests(&window)[4].1.prompt.clone();
    let line = |prompt: &str, at: usize| prompt.lines().nth(at).unwrap().to_owned();
    assert_eq!((line(&swapped, 1), line(&swapped, 2)), (line(&before, 2), line(&before, 1)));
    window.click("Draw other examples");
    until_scores(&mut window, 7);
    assert_eq!(labels(&window, "Other examples (seed ").len(), 1);
    assert_eq!(requests(&window)[6].1.prompt.lines().count(), 6);
}

#[test]
fn instruction_names_calibration_and_ending_are_part_of_the_question() {
    let mut window = scored();
    window.click("Instruction");
    until_scores(&mut window, 6);
    assert!(window.has("The instruction was dropped."));
    assert!(!requests(&window)[3].1.prompt.contains("Is the sentence"));
    window.click("Contextual calibration");
    until_scores(&mut window, 9);
    let free = &requests(&window)[8].1.content_free;
    assert_eq!(free.len(), 3);
    assert!(free[0].ends_with("\nN/A =") && free[2].ends_with("\n ="), "{free:?}");
    window.click("Score the end of the answer");
    until_scores(&mut window, 12);
    assert_eq!(requests(&window)[11].1.ending, "");
    window.click("Other names for answers");
    window.type_into(Role::TextInput, "Other name for positive", "foo");
    until_scores(&mut window, 15);
    let renamed = &requests(&window)[14].1;
    assert_eq!(renamed.candidates, ["foo", "negative"]);
    assert!(renamed.prompt.contains("= foo") && !renamed.prompt.contains("= positive"));
    assert!(window.has("\"positive\" is called \"foo\"."));
}

#[test]
fn answers_come_from_labels_from_the_table_or_from_the_keyboard() {
    let mut window = scored();
    choose_task(&mut window, "Task: German to English: animals");
    until_scores(&mut window, 6);
    let drawn = requests(&window)[5].1.candidates.clone();
    assert_eq!(drawn.len(), 4, "the right answer and three others: {drawn:?}");
    tab(&mut window, "Typed");
    window.type_into(Role::MultilineTextInput, "Answers, one a line", "\nunicorn");
    until_scores(&mut window, 9);
    let typed = requests(&window)[8].1.candidates.clone();
    assert_eq!(typed[..4], drawn[..]);
    assert_eq!(typed[4], "unicorn");
}

#[test]
fn a_second_column_asks_another_prompt_and_another_model() {
    let mut window = scored();
    let (job, model) = (JobId::next(), ModelId::next());
    let mut link = window.engine.clone();
    let open = Command::start(job, model, Work::Open("models/other".into()));
    fovea::ui::EngineLink::try_send(&mut link, open).unwrap();
    window.settle();
    // What is opened last is in use; the lab follows.
    until_scores(&mut window, 6);
    window.click("Compare two columns");
    until_scores(&mut window, 9);
    window.harness.get_by_role_and_label(Role::ComboBox, "Model").click();
    window.settle();
    window.click("sprout");
    until_scores(&mut window, 12);
    let asked = window.engine.sent(|c| match c {
        Command::Start { model, work, .. } if matches!(**work, Work::Score(_)) => *model,
        _ => None,
    });
    assert_eq!(asked[3..9], [model; 6]);
    assert!(asked[9..].iter().all(|other| *other != model), "column B asks the other model");
    window.click("Instruction");
    until_scores(&mut window, 15);
    assert!(!requests(&window)[14].1.prompt.contains("Is the sentence"));
    let rows: Vec<String> = labels(&window, "positive, ").into_iter().filter(|row| row.contains(": A ")).collect();
    assert_eq!(rows.len(), 3, "one row of the table with none, one and all examples");
    assert!(rows.iter().all(|row| row.contains(", B ") && row.contains(" points")), "{rows:?}");
}

#[test]
fn an_error_stands_in_its_card_and_nothing_is_asked_again_by_itself() {
    let mut window = lab();
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = requests(&window)[0].clone();
    let error = UserError::new("The answer has no tokens.", "It is empty.", "Type an answer.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    window.harness.get_by_label("The answer has no tokens.");
    std::thread::sleep(Duration::from_millis(400));
    window.settle();
    assert_eq!(requests(&window).len(), 3);
}

#[test]
fn a_dropped_table_is_read_and_its_remarks_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("colours.tsv");
    std::fs::write(&path, "rot\tred\n").unwrap();
    let mut window = lab();
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(path.clone())));
    window.settle();
    let asked = window.engine.started(|job, work| match work {
        Work::ReadTable(path) => Some((job, path.clone())),
        _ => None,
    });
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, path);
    let rows =
        [["rot", "red"], ["blau", "blue"], ["grün", "green"], ["gelb", "yellow"], ["rosa", "pink"], ["grau", "grey"]];
    let rows = rows.map(|row| row.map(str::to_owned)).to_vec();
    let table = TaskTable { id: "colours".into(), title: "Colours".into(), rows, ..TaskTable::default() };
    let warnings = vec![TableWarning::OneSided { rows: 2 }];
    window.engine.say(Event::Done {
        job: asked[0].0,
        outcome: Outcome::TableRead(Arc::new(TableReport { table: Arc::new(table), warnings })),
    });
    window.settle();
    assert!(window.has("Task: Colours"));
    assert!(window.has("2 rows without input or output were left out."));
    window.press(Modifiers::COMMAND, Key::Z);
    assert!(window.has("Task: Sentiment"), "a table that was opened is taken back like any edit");
}

#[test]
fn pairs_are_typed_pasted_and_asked() {
    let mut window = lab();
    choose_task(&mut window, "New task");
    assert!(window.has("No pairs yet. Add one, paste rows, or open a TSV, CSV or JSONL file."));
    window.click("Add a pair");
    window.harness.get_by_label("Pair 1 input").focus();
    window.settle();
    window.harness.event(Input::Paste("eins\tone\nzwei\ttwo\ndrei\tthree\nvier\tfour".into()));
    window.settle();
    assert_eq!(labels(&window, "Pair ").len(), 8);
    window.click("Ask pair 1");
    window.click("Use pair 2 as an example");
    window.click("Use pair 3 as an example");
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = requests(&window);
    assert_eq!(sent[2].1.prompt, "zwei = two\ndrei = three\neins =");
    assert_eq!(sent[2].1.candidates[0], "one");
    tab(&mut window, "Pairs");
    window.type_into(Role::TextInput, "Filter pairs", "dr");
    assert_eq!(labels(&window, "Pair ").len(), 2);
    window.click("Delete pair 3");
    assert!(window.has("No pair has these words."));
}

#[test]
fn what_does_not_fit_is_told_before_anything_is_asked() {
    let mut window = lab();
    choose_task(&mut window, "New task");
    window.click("Add a pair");
    window.harness.get_by_label("Pair 1 input").focus();
    window.settle();
    // 30 pairs of about 20 tokens in a context of 512.
    let words = (0..18).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
    let rows: Vec<String> = (0..30).map(|i| format!("{i} {words}\tout{i}")).collect();
    window.harness.event(Input::Paste(rows.join("\n")));
    window.settle();
    window.click("Ask pair 1");
    for _ in 0..2 {
        window.harness.get_by_role_and_label(Role::Slider, "k").focus();
        window.settle();
    }
    window.press(Modifiers::NONE, Key::End);
    for _ in 0..28 {
        window.press(Modifiers::NONE, Key::ArrowRight);
    }
    wait(&mut window, "the words about the cut", |w| !labels(w, "The first ").is_empty());
    assert!(requests(&window).is_empty());
    let told = labels(&window, "The first ").remove(0);
    let cut: usize = told.split(' ').nth(2).unwrap().parse().unwrap();
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = requests(&window);
    let few = sent[2].1.prompt.lines().count() - 1;
    assert!(cut > 0 && few + cut == 28, "{told} {few}");
    assert!(scripted_engine::tokens_of(&sent[2].1.prompt).len() < 512);
}

#[test]
fn a_prompt_goes_from_the_prompt_panel_to_the_lab_and_back() {
    let mut window = tall("prompt", with_text_model());
    window.click("Add an example");
    window.harness.get_by_label("Example 1 input").focus();
    window.settle();
    window.harness.event(Input::Paste("rot\tred\nblau\tblue\n".into()));
    window.settle();
    window.click("Open in the lab");
    assert_eq!(window.app().panel().key(), "lab");
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = requests(&window);
    assert_eq!(sent[2].1.prompt, "rot -> red\nblau -> blue\nOnce upon a time ->");
    assert_eq!(sent[2].1.candidates.len(), 2);
    window.click("Use example 1");
    window.click("Open in Prompt");
    assert_eq!(window.app().panel().key(), "prompt");
    window.press(Modifiers::COMMAND, Key::Enter);
    let text = PromptInput::Text("blau -> blue\nOnce upon a time ->".into());
    assert_eq!(window.engine.generations().last().unwrap().1, text);
}

#[test]
fn a_task_that_training_left_out_is_explained() {
    let mut window = lab();
    let mut info = window.app().state().models.values().next().unwrap().info.clone();
    info.held_out = Some(HeldOut { held_out_tasks: vec!["sentiment".into()], ..HeldOut::default() });
    window.engine.say(Event::Model { info, weights: Arc::default() });
    window.settle();
    let note = window.harness.get_by_label("Held out. What was not in the training data cannot be recalled.").rect();
    // One stands below the column, as wide as that is; the other in the middle of the empty stage.
    let buttons = window.harness.query_all_by_label("Score the answers").map(|node| node.rect());
    let button = buttons.min_by(|a, b| a.left().total_cmp(&b.left())).unwrap();
    assert!(note.right() <= button.right(), "the note {note} is wider than its column, which ends with {button}");
    choose_task(&mut window, "Task: Living");
    assert!(!window.has("Held out. What was not in the training data cannot be recalled."));
}

#[test]
fn a_shipped_model_that_learned_tasks_is_offered_in_place_of_one_that_did_not() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut window = tall("lab", AppOptions { shipped: Some(models.clone()), ..with_text_model() });
    assert!(!window.has("Use seedling"), "a model of the person's own is not talked down");
    let mut info = window.app().state().models.values().next().unwrap().info.clone();
    info.path = models.join("sprout");
    info.held_out = Some(HeldOut::default());
    window.engine.say(Event::Model { info: info.clone(), weights: Arc::default() });
    window.settle();
    assert!(!window.has("Use seedling"), "it learned tasks itself");
    info.held_out = None;
    window.engine.say(Event::Model { info, weights: Arc::default() });
    window.settle();
    window.click("Use seedling");
    let opened = window.engine.started(|_, work| if let Work::Open(path) = work { Some(path.clone()) } else { None });
    assert_eq!(opened.last(), Some(&models.join("seedling")));
}
