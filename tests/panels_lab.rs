//! What the few-shot lab does when it is used, on a scripted engine: what is asked, what is shown, what is undone.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{DroppedFile, Event as Input, Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Outcome, PromptInput};
use fovea::types::{BatchSpec, JobId, KShotSpec, ModelId, ScoreRequest, TableWarning, TaskTable, UserError};
use fovea::ui::{AppOptions, ThemeChoice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use window::{SMALL, Window, plain, scripted_engine, with_text_model};

/// A file let go over the window.
#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

fn lab<'a>() -> Window<'a> {
    tall("lab", with_text_model())
}

/// High enough for all of the left column, since only what is in sight can be clicked.
fn tall<'a>(panel: &str, options: AppOptions) -> Window<'a> {
    let mut window = Window::open(egui::Vec2::new(1440.0, 1500.0), 1.0, options);
    window.show(panel);
    window
}

/// With scores on show.
fn scored<'a>() -> Window<'a> {
    let mut window = lab();
    window.press(Modifiers::COMMAND, Key::Enter);
    window
}

fn wait(window: &mut Window<'_>, what: &str, done: impl Fn(&Window<'_>) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done(window) {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
        window.harness.step();
    }
    window.settle();
}

fn requests(window: &Window<'_>) -> Vec<(JobId, ScoreRequest)> {
    window.engine.sent(|c| match c {
        Command::Score { job, request, .. } => Some((*job, (**request).clone())),
        _ => None,
    })
}

fn until_scores(window: &mut Window<'_>, count: usize) {
    wait(window, "scores that follow a change", |w| requests(w).len() == count);
}

fn cancelled(window: &Window<'_>) -> Vec<JobId> {
    window.engine.sent(|c| match c {
        Command::Cancel { job } => Some(*job),
        _ => None,
    })
}

fn tab(window: &mut Window<'_>, name: &str) {
    window.harness.get_by_role_and_label(Role::RadioButton, name).click();
    window.settle();
}

/// Names of all widgets that begin so; of plain text, the text.
fn labels(window: &Window<'_>, begin: &str) -> Vec<String> {
    let nodes = window.harness.query_all_by(|_| true);
    let names = nodes.filter_map(|n| {
        let node = n.accesskit_node();
        if node.role() == Role::Label { node.value() } else { node.label() }
    });
    names.filter(|name| name.starts_with(begin)).collect()
}

fn choose_task(window: &mut Window<'_>, words: &str) {
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text(words.into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

/// Writes to the path that is asked for.
fn save_to(window: &mut Window<'_>, path: &Path) {
    answer_path(window, "Path to write to", path);
    wait(window, "the file", |_| std::fs::metadata(path).is_ok_and(|file| file.len() > 20));
}

fn answer_path(window: &mut Window<'_>, field: &str, path: &Path) {
    wait(window, "a field for the path", |w| w.harness.query_by_role_and_label(Role::TextInput, field).is_some());
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

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
    let open = Command::Open { job, model, path: "models/other".into() };
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
        Command::Score { model, .. } => Some(*model),
        _ => None,
    });
    assert_eq!(asked[3..9], [model; 6]);
    assert!(asked[9..].iter().all(|other| *other != model), "column B asks the other model");
    window.click("Instruction");
    until_scores(&mut window, 15);
    assert!(!requests(&window)[14].1.prompt.contains("Is the sentence"));
    assert_eq!(labels(&window, "positive: share").len(), 6);
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
    let asked = window.engine.sent(|c| match c {
        Command::ReadTable { job, path } => Some((*job, path.clone())),
        _ => None,
    });
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, path);
    let rows =
        [["rot", "red"], ["blau", "blue"], ["grün", "green"], ["gelb", "yellow"], ["rosa", "pink"], ["grau", "grey"]];
    let rows = rows.map(|row| row.map(str::to_owned)).to_vec();
    let table = TaskTable { id: "colours".into(), title: "Colours".into(), rows, ..TaskTable::default() };
    let warnings = vec![TableWarning::OneSided { rows: 2 }];
    window
        .engine
        .say(Event::Done { job: asked[0].0, outcome: Outcome::TableRead { table: Arc::new(table), warnings } });
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
fn a_curve_is_measured_for_each_variant_in_turn_and_stopped_at_once() {
    let mut window = lab();
    tab(&mut window, "Curve");
    window.click("Shuffled labels");
    window.click("No instruction");
    window.click("16");
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let specs = |window: &Window<'_>| -> Vec<(JobId, KShotSpec)> {
        window.engine.sent(|c| match c {
            Command::RunKShot { job, spec, .. } => Some((*job, (**spec).clone())),
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
    assert!(labels(&window, "True labels: accuracy")[0].ends_with("5 of 15 points."));
    window.press(Modifiers::NONE, Key::Escape);
    assert_eq!(cancelled(&window), [job]);
    window.engine.say(Event::Done { job, outcome: Outcome::Cancelled });
    window.settle();
    assert_eq!(specs(&window).len(), 1, "those that waited are not begun");
    assert!(labels(&window, "True labels: accuracy")[0].ends_with("5 of 15 points."), "what was measured stays");
    // Without a stop they follow each other.
    window.engine.0.borrow_mut().answers = true;
    window.press(Modifiers::COMMAND, Key::Enter);
    wait(&mut window, "three more curves", |w| specs(w).len() == 4);
    let variants: Vec<_> = specs(&window)[1..].iter().map(|(_, spec)| spec.variant.clone()).collect();
    assert!(variants[2].without_instruction && !variants[0].without_instruction);
    assert_ne!(variants[0].labels, variants[1].labels);
    let picture = labels(&window, "Curves by number of examples. ").remove(0);
    assert!(picture.contains("Shuffled labels: accuracy"), "{picture}");
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
        window.engine.sent(|c| match c {
            Command::Inspect { prompt: PromptInput::Text(text), .. } => Some(text.clone()),
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
    assert_eq!(window.app().panel(), "attention");
    window.harness.get_by_label("Layer 1 · head 2");
    assert_eq!(asked(&window).len(), 2, "what was read is shown, and not read again");
}

#[test]
fn a_batch_lists_failures_first_and_counts_confusions() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = lab();
    tab(&mut window, "Batch");
    window.press(Modifiers::COMMAND, Key::Enter);
    let specs: Vec<BatchSpec> = window.engine.sent(|c| match c {
        Command::RunBatch { spec, .. } => Some((**spec).clone()),
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
    window.click("Close");
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
fn a_prompt_goes_from_the_prompt_panel_to_the_lab_and_back() {
    let mut window = tall("prompt", with_text_model());
    window.click("Add an example");
    window.harness.get_by_label("Example 1 input").focus();
    window.settle();
    window.harness.event(Input::Paste("rot\tred\nblau\tblue\n".into()));
    window.settle();
    window.click("Open in the lab");
    assert_eq!(window.app().panel(), "lab");
    window.press(Modifiers::COMMAND, Key::Enter);
    let sent = requests(&window);
    assert_eq!(sent[2].1.prompt, "rot -> red\nblau -> blue\nOnce upon a time ->");
    assert_eq!(sent[2].1.candidates.len(), 2);
    window.click("Use example 1");
    window.click("Open in Prompt");
    assert_eq!(window.app().panel(), "prompt");
    window.press(Modifiers::COMMAND, Key::Enter);
    let text = PromptInput::Text("blau -> blue\nOnce upon a time ->".into());
    assert_eq!(window.engine.generations().last().unwrap().1, text);
}

#[test]
fn a_task_that_training_left_out_is_explained() {
    let mut window = lab();
    let mut info = window.app().state().models.values().next().unwrap().info.clone();
    info.held_out_tasks = Some(vec!["sentiment".into()]);
    window.engine.say(Event::Model { info, weights: Arc::default() });
    window.settle();
    assert!(window.has("Held out. What was not in the training data cannot be recalled."));
    choose_task(&mut window, "Task: Living");
    assert!(!window.has("Held out. What was not in the training data cannot be recalled."));
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
        std::fs::read_to_string(dir.path().join("session.json")).is_ok_and(|t| t.contains("True labels"))
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
