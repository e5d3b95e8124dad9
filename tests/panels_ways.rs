//! What the window does with ways to adapt a model: what is filled in and asked for, curves that fill while they are measured, prices that
//! change in place, what was wrong, and what outlives a restart.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{AdaptWork, Command, Event, Outcome, PromptInput, Work};
use fovea::types::{
    AdaptPoint, AdaptReport, Architecture, Blocks, ClassifierInfo, JobId, LabelNoise, LabelledKind, LabelledReport,
    ModelId, ModelInfo, Precision, Problem, Shape, UserError, Way,
};
use fovea::ui::{AppOptions, ThemeChoice};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use window::{Dropped, LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

/// High enough for all of the left column, since only what is in sight can be clicked.
const TALL: Vec2 = Vec2::new(1440.0, 2000.0);

/// On the panel, with the shipped task filled in and its file told.
fn filled(size: Vec2, scale: f32, options: AppOptions) -> Window<'static> {
    let mut window = Window::open(size, scale, options);
    window.engine.0.borrow_mut().answers = false;
    window.show("ways");
    window.type_into(Role::TextInput, "Labelled texts", "assets/tasks/sentiment.tsv");
    let read = |job: JobId, work: &Work| matches!(work, Work::ReadLabelled(_)).then_some(job);
    let job = *window.engine.started(read).last().expect("the file is read");
    let told = LabelledReport {
        kind: LabelledKind::Texts,
        columns: vec!["input".into(), "output".into()],
        chosen: ["input", "output"].map(str::to_owned),
        labels: vec!["negative".into(), "positive".into()],
        counts: vec![[28, 0, 12], [28, 0, 12]],
        without_text: 0,
        without_label: 0,
        duplicates: 0,
        contradictions: 0,
        overlaps: [0; 3],
        preview: vec![["The cake was sweet and good.".into(), "positive".into()]],
    };
    window.engine.say(Event::Done { job, outcome: Outcome::LabelledRead(Arc::new(told)) });
    window.settle();
    window
}

fn asked(window: &Window<'_>) -> Vec<(JobId, AdaptWork)> {
    window.engine.started(|job, work| match work {
        Work::Adapt(work) => Some((job, AdaptWork::clone(work))),
        _ => None,
    })
}

/// Begins a comparison with the keyboard.
fn begin(window: &mut Window<'_>) -> (JobId, AdaptWork) {
    window.press(Modifiers::COMMAND, Key::Enter);
    asked(window).pop().expect("a comparison was asked for")
}

const TEXTS: [(&str, u32); 6] = [
    ("The film had its moments.", 1),
    ("A warm and funny book.", 1),
    ("I would not go again.", 0),
    ("The soup was cold.", 0),
    ("Nothing about it was bad.", 1),
    ("What a dull evening!", 0),
];

/// What would be measured: later ways and larger sizes are right of more texts, and where labels are false of fewer.
fn report(work: &AdaptWork, points: usize) -> AdaptReport {
    let spec = work.spec.clone();
    let mut all = Vec::new();
    for noise in &spec.noises {
        for seed in &spec.seeds {
            for way in &spec.ways {
                for size in spec.sizes_of(56) {
                    let place = Way::ALL.iter().position(|of| of == way).unwrap();
                    let gain = (size as f64).log2() as usize + place % 3 + (*seed % 2) as usize;
                    let right = if *noise == LabelNoise::True { (2 + gain / 2).min(6) } else { 2 + gain % 2 };
                    let said = TEXTS.iter().enumerate();
                    let said = said.map(|(text, (_, class))| if text < right { *class } else { 1 - *class }).collect();
                    all.push(AdaptPoint {
                        way: *way,
                        noise: *noise,
                        size,
                        seed: *seed,
                        used: size,
                        said,
                        correct: right,
                        macro_f1: right as f64 / 6.0 - 0.02,
                        log_prob: -1.5 + right as f64 / 6.0,
                        adapt_s: if *way == Way::Examples { 0.0 } else { 0.4 * place as f64 },
                        query_ms: 3.0 + place as f64,
                        tokens_a_query: if *way == Way::Examples { 160.0 } else { 9.0 },
                        learned: if *way == Way::Examples { 0 } else { 514 * place as u64 },
                        bytes: 2056 * (1 + place as u64),
                        peak_bytes: Some(210_000_000),
                    });
                }
            }
        }
    }
    all.truncate(points);
    AdaptReport {
        kind: LabelledKind::Texts,
        labels: vec!["negative".into(), "positive".into()],
        parameters: 5_800_000,
        operations: None,
        examples: 56,
        test: TEXTS.map(|(text, class)| (text.to_owned(), class)).to_vec(),
        base_rate: 0.5,
        bits_per_byte: Some(1.93),
        points: all,
        notes: vec!["A prompt holds about 14 of these examples beside the query.".into()],
        elapsed_s: 12.0,
        spec,
    }
}

fn so_far(window: &mut Window<'_>, job: JobId, report: AdaptReport) {
    window.engine.say(Event::SoFar { job, outcome: Outcome::WaysCompared(Arc::new(report)) });
    window.settle();
}

fn end(window: &mut Window<'_>, job: JobId, report: AdaptReport) {
    window.engine.say(Event::Done { job, outcome: Outcome::WaysCompared(Arc::new(report)) });
    window.settle();
}

/// What the plot tells a screen reader.
fn plot(window: &Window<'_>) -> String {
    let node = window.harness.query_by_label_contains("Ways by number of examples.");
    node.and_then(|node| node.accesskit_node().label()).unwrap_or_default()
}

/// Names of widgets that begin so, from top to bottom.
fn named(window: &Window<'_>, begin: &str) -> Vec<String> {
    let found = window.harness.query_all_by(|_| true);
    found.filter_map(|node| node.accesskit_node().label()).filter(|name| name.starts_with(begin)).collect()
}

fn encoder() -> ModelInfo {
    let tells = ClassifierInfo {
        labels: vec!["a".into(), "b".into()],
        problem: Problem::OneClass,
        longest: 64,
        sees_both_ways: true,
    };
    let blocks = Blocks { layers: 6, heads: 2, kv_heads: 2, hidden: 8 };
    ModelInfo {
        id: ModelId::next(),
        name: "film-critic".into(),
        path: "models/film-critic".into(),
        architecture: Architecture::Roberta,
        precision: Precision::F32,
        parameters: 22_700_000,
        shape: Shape::TextClassifier { blocks: blocks.into(), vocabulary: 100, context: 64, tells },
        held_out: None,
        modified: false,
        trained_steps: 0,
        own_sampling: None,
        adapter: None,
        quantised: None,
    }
}

#[test]
fn what_is_filled_in_is_what_is_asked_for() {
    let mut window = filled(TALL, 1.0, with_text_model());
    assert!(
        window.has("Texts in input, labels in output.") && window.has("54 points, each on the same 400 texts at most")
    );
    window.click("Embeddings, nearest mean");
    window.click("From random weights");
    window.click("Shuffled");
    window.type_into(Role::TextInput, "Numbers of examples", ", all");
    window.click("More");
    window.click("Last token");
    window.click("Calibrated");
    window.type_into(Role::TextInput, "Words for the classes", "bad, good");
    window.type_into(Role::TextInput, "All weights rate", "2e-4");
    let (_, AdaptWork { spec, known }) = begin(&mut window);
    assert!(known.is_empty());
    assert_eq!(spec.data.data, Path::new("assets/tasks/sentiment.tsv"));
    assert_eq!((spec.data.test_share, spec.data.validation_share, spec.test), (0.3, 0.0, 400));
    let ways = [Way::Examples, Way::Embeddings, Way::Prototypes, Way::Head, Way::Lora, Way::Full];
    assert_eq!((spec.ways.as_slice(), spec.sizes.as_slice()), (&ways[..], &[1, 4, 16, usize::MAX][..]));
    assert_eq!((spec.seeds, spec.noises), (vec![1, 2, 3], vec![LabelNoise::True, LabelNoise::Shuffled]));
    assert_eq!(serde_json::to_value(spec.pooling).unwrap(), "last_token");
    assert_eq!((spec.prompt.words, spec.prompt.calibrate), (vec!["bad".to_owned(), "good".to_owned()], true));
    assert_eq!(spec.training.rates, [(Way::Full, 2e-4)]);
}

#[test]
fn what_cannot_be_measured_is_said_where_it_is_filled_in() {
    let mut window = filled(TALL, 1.0, with_text_model());
    window.type_into(Role::TextInput, "Numbers of examples", ", few");
    assert!(window.has("\"few\" is no number of examples. Write numbers with commas between them, or all."));
    window.press(Modifiers::COMMAND, Key::Enter);
    assert!(asked(&window).is_empty());
}

#[test]
fn a_way_that_a_model_cannot_take_is_greyed_with_the_reason() {
    let model = encoder();
    let mut window = filled(TALL, 1.0, plain(ThemeChoice::Dark));
    window.engine.say(Event::Model { info: model.clone(), weights: Arc::default() });
    window.engine.say(Event::Done { job: JobId::next(), outcome: Outcome::Opened { model: model.id } });
    window.settle();
    assert!(window.has("film-critic continues no text, so no examples can be shown to it in a prompt."));
    let tick = window.harness.get_by_role_and_label(Role::CheckBox, "Examples in the prompt");
    assert!(tick.accesskit_node().is_disabled());
    let (_, work) = begin(&mut window);
    assert!(!work.spec.ways.contains(&Way::Examples) && work.spec.ways.contains(&Way::Embeddings));
}

#[test]
fn a_shipped_task_is_offered_and_a_dropped_file_takes_its_place() {
    let mut window = Window::open(TALL, 1.0, with_text_model());
    window.engine.0.borrow_mut().answers = false;
    window.show("ways");
    window.click("Compare on sentiment");
    let (_, work) = asked(&window).pop().unwrap();
    assert_eq!(work.spec.data.data, Path::new("assets/tasks/sentiment.tsv"));
    let task = fovea::engine::shipped_tasks().iter().find(|task| task.id == "sentiment").unwrap();
    assert_eq!(work.spec.prompt.template, task.template);
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped("films.csv".into())));
    window.settle();
    let field = window.harness.get_by_role_and_label(Role::TextInput, "Labelled texts");
    assert_eq!(field.value().as_deref(), Some("films.csv"));
}

#[test]
fn curves_fill_while_they_are_measured_and_stopping_keeps_them() {
    let mut window = filled(TALL, 1.0, with_text_model());
    let (job, work) = begin(&mut window);
    assert!(window.has("Data is read first. Points appear here as they are measured."));
    so_far(&mut window, job, report(&work, 3));
    assert_eq!(plot(&window), "Ways by number of examples. Examples: 33.3 % with 1, 50.0 % with 4, 66.7 % with 16.");
    so_far(&mut window, job, report(&work, 6));
    assert!(plot(&window).contains("Embeddings: "), "{}", plot(&window));
    window.click("Stop");
    let cancelled = window.engine.sent(|command| match command {
        Command::Cancel { job } => Some(*job),
        _ => None,
    });
    assert_eq!(cancelled, [job]);
    end(&mut window, job, report(&work, 6));
    assert!(plot(&window).contains("Embeddings: "));
    // It goes on with what there is, or begins anew.
    assert!(window.has("54 points, each on the same 400 texts at most; 6 are measured"));
    window.click("Go on");
    let (again, rest) = asked(&window).pop().unwrap();
    assert_eq!((rest.spec.clone(), rest.known), (work.spec.clone(), report(&work, 6).points));
    end(&mut window, again, report(&work, 6));
    window.click("Begin anew");
    let (last, anew) = asked(&window).pop().unwrap();
    assert!(anew.known.is_empty());
    end(&mut window, last, report(&work, usize::MAX));
    assert!(window.has("Run"));
    // A way is switched off in the legend.
    window.harness.get_by_role_and_label(Role::CheckBox, "Examples").click();
    window.settle();
    assert!(!plot(&window).contains("Examples: "), "{}", plot(&window));
}

#[test]
fn a_failure_is_told_and_what_was_measured_before_it_stays() {
    let mut window = filled(TALL, 1.0, with_text_model());
    let (job, work) = begin(&mut window);
    so_far(&mut window, job, report(&work, 5));
    let error = UserError::new("There is too little memory to learn so.", "It takes 9 GB.", "Leave that way out.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(window.has("There is too little memory to learn so.") && plot(&window).contains("Examples: "));
}

#[test]
fn prices_follow_what_is_taken_for_granted_without_a_new_run() {
    let mut window = filled(TALL, 1.0, with_text_model());
    let (job, work) = begin(&mut window);
    let whole = report(&work, usize::MAX);
    let says = whole.says().unwrap();
    end(&mut window, job, whole);
    assert!(window.has(&says), "{says}");
    let row = |window: &Window<'_>| named(window, "What Examples in the prompt got wrong.").pop().unwrap();
    // 1,000 queries of 3 ms at 30 W, and of 160 tokens read and one written.
    assert!(row(&window).contains("Energy 90.0 J, Hosted 0.0815"), "{}", row(&window));
    for (field, typed) in [("Watts", "60"), ("Price of reading", "5")] {
        window.harness.get_by_role_and_label(Role::SpinButton, field).click();
        window.settle();
        window.press(Modifiers::COMMAND, Key::A);
        window.harness.event(egui::Event::Text(typed.into()));
        window.settle();
        window.press(Modifiers::NONE, Key::Enter);
    }
    assert!(row(&window).contains("Energy 180 J, Hosted 0.80"), "{}", row(&window));
    assert_eq!(asked(&window).len(), 1);
}

#[test]
fn several_treatments_of_labels_are_shown_one_by_one_or_all() {
    let mut window = filled(TALL, 1.0, with_text_model());
    window.click("Shuffled");
    let (job, work) = begin(&mut window);
    end(&mut window, job, report(&work, usize::MAX));
    assert!(!plot(&window).contains("shuffled"));
    window.harness.get_by_role_and_label(Role::RadioButton, "All").click();
    window.settle();
    assert!(plot(&window).contains("Head: ") && plot(&window).contains("Head, shuffled: "));
    window.harness.get_by_role_and_label(Role::RadioButton, "Shuffled").click();
    window.settle();
    assert!(!plot(&window).contains("Head: ") && plot(&window).contains("Head, shuffled: "));
    window.harness.get_by_role_and_label(Role::RadioButton, "ln P").click();
    window.settle();
    assert!(plot(&window).contains("-1."), "{}", plot(&window));
}

#[test]
fn what_was_wrong_is_listed_across_the_ways_and_leads_to_attention() {
    let mut window = filled(TALL, 1.0, with_text_model());
    let (job, work) = begin(&mut window);
    end(&mut window, job, report(&work, usize::MAX));
    let row = named(&window, "What A head got wrong.").pop().unwrap();
    window.click(&row);
    assert!(window.has("What ‘Head’ got wrong") && window.has("Measured with: 16 examples"));
    assert!(window.has("Drawn with: seed 1"));
    let rows = |window: &Window<'_>| -> Vec<String> {
        let all = window.harness.query_all_by_role(Role::Button);
        let names = all.filter_map(|node| node.accesskit_node().label());
        names.filter(|name| name.contains(" Right is ")).collect()
    };
    // The head is right of five of six at 16 examples with this seed.
    let point = report(&work, usize::MAX).points.into_iter().find(|p| p.is_of((Way::Head, LabelNoise::True, 16, 1)));
    let wrong = 6 - point.unwrap().correct;
    assert_eq!(rows(&window).len(), wrong, "{:#?}", rows(&window));
    assert!(rows(&window).iter().all(|row| row.contains("Head says")));
    window.harness.get_by_role_and_label(Role::CheckBox, "Wrong only").click();
    window.settle();
    assert_eq!(rows(&window).len(), 6);
    assert!(rows(&window)[0].starts_with(TEXTS[5].0), "the text that most ways miss is the first");
    let first = rows(&window)[0].clone();
    window.click(&first);
    assert_eq!(window.app().panel().key(), "attention");
    let inspected = window.engine.started(|_, work| match work {
        Work::Inspect(spec) => Some(spec.prompt.clone()),
        _ => None,
    });
    assert_eq!(inspected.last(), Some(&PromptInput::Text(TEXTS[5].0.to_owned())));
    window.show("ways");
    window.click("Back to the curves");
    assert!(plot(&window).contains("Head: "));
}

#[test]
fn a_result_says_with_what_it_was_made_and_when_that_changed() {
    let old = "made before the last change";
    let mut window = filled(TALL, 1.0, with_text_model());
    let (job, work) = begin(&mut window);
    end(&mut window, job, report(&work, usize::MAX));
    assert!(window.has("sprout · sentiment.tsv · seeds 1 to 3 · 6 texts") && !window.has(old));
    window.click("A head");
    assert!(window.has(old));
    window.click("A head");
    assert!(!window.has(old));
}

#[test]
fn figures_and_the_report_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = filled(TALL, 1.0, with_text_model());
    let (job, work) = begin(&mut window);
    let whole = report(&work, usize::MAX);
    end(&mut window, job, whole.clone());
    let svg = String::from_utf8(window.export("ways svg", &folder.path().join("ways.svg"))).unwrap();
    assert!(svg.contains("sprout on sentiment.tsv") && svg.contains("Examples in the prompt"));
    let csv = String::from_utf8(window.export("ways csv", &folder.path().join("ways.csv"))).unwrap();
    assert_eq!(csv.lines().count(), whole.points.len() + 1);
    let png = window.export("ways png", &folder.path().join("ways.png"));
    assert!(png.starts_with(b"\x89PNG"));
    let json = window.export("ways json", &folder.path().join("ways.json"));
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["says"], whole.says().unwrap());
    assert_eq!(json["prices"].as_array().unwrap().len(), 6);
    assert_eq!(serde_json::from_value::<AdaptReport>(json).unwrap(), whole);
}

#[test]
fn form_and_result_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(folder.path().to_owned()), ..with_text_model() };
    let mut window = filled(TALL, 1.0, options());
    window.click("Embeddings, nearest mean");
    let (job, work) = begin(&mut window);
    end(&mut window, job, report(&work, usize::MAX));
    let before = plot(&window);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(folder.path().join("session.json"))
        .is_ok_and(|text| text.contains("A warm and funny book"))
    {
        assert!(Instant::now() < deadline, "the session was not written");
        std::thread::sleep(Duration::from_millis(50));
        window.harness.step();
    }
    drop(window);
    let mut window = Window::open(TALL, 1.0, options());
    window.show("ways");
    assert_eq!(plot(&window), before);
    assert!(window.has("sprout · sentiment.tsv · seeds 1 to 3 · 6 texts"));
    let (_, again) = begin(&mut window);
    assert_eq!(again.spec, work.spec);
}

#[test]
fn pictures_of_ways_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_ways_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let app = AppOptions { theme: Some(theme), ..with_text_model() };
            let mut window = filled(size, 0.5, app);
            let (job, work) = begin(&mut window);
            end(&mut window, job, report(&work, usize::MAX));
            for view in ["result", "wrong"] {
                if view == "wrong" {
                    window.click("What the ways got wrong");
                }
                window.harness.remove_cursor();
                window.settle();
                // Memory is never the same twice.
                let whole = egui::pos2(size.x, size.y);
                window.harness.mask(egui::Rect::from_min_max(whole - egui::vec2(224.0, 28.0), whole));
                window.harness.snapshot_options(format!("ways-{view}-{place}-{name}"), &options);
                results.extend_harness(&mut window.harness);
            }
        }
    }
}
