//! What the window does with classifiers of texts: a text put into a class, and a head that is trained on labelled texts.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::Queryable;
use fovea::engine::{Event, Outcome, PromptInput, Work};
use fovea::types::{
    Architecture, Blocks, ClassifierInfo, ClassifyReport, JobId, LabelledKind, LabelledReport, LabelledSource, Learns,
    ModelId, ModelInfo, Precision, Problem, Shape, StartFrom, TextClasses, TrainTask, UserError,
};
use fovea::ui::ThemeChoice;
use std::sync::Arc;
use window::{LAPTOP, SMALL, Window, has_adapter, plain};

const LABELS: [&str; 3] = ["dull", "fine", "charming"];

fn classifier(problem: Problem, sees_both_ways: bool) -> ModelInfo {
    let labels = LABELS.map(str::to_owned).to_vec();
    let tells = ClassifierInfo { labels, problem, longest: 64, sees_both_ways };
    let blocks = Blocks { layers: 6, heads: 2, kv_heads: 2, hidden: 8 };
    ModelInfo {
        id: ModelId::next(),
        name: "film-critic".into(),
        path: "models/film-critic".into(),
        architecture: if sees_both_ways { Architecture::Roberta } else { Architecture::Llama },
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

/// A window in which this model was opened.
fn with(panel: &str, model: &ModelInfo) -> Window<'static> {
    opened(Window::open(LAPTOP, 1.0, plain(ThemeChoice::Dark)), panel, model)
}

fn opened(mut window: Window<'static>, panel: &str, model: &ModelInfo) -> Window<'static> {
    window.show(panel);
    window.engine.say(Event::Model { info: model.clone(), weights: Arc::default() });
    window.engine.say(Event::Done { job: JobId::next(), outcome: Outcome::Opened { model: model.id } });
    window.settle();
    window
}

fn answer(window: &mut Window<'_>, job: JobId, outcome: Outcome) {
    window.engine.say(Event::Done { job, outcome });
    window.settle();
}

fn classified(window: &Window<'_>) -> Vec<(JobId, Vec<String>)> {
    window.engine.started(|job, work| match work {
        Work::ClassifyTexts(texts) => Some((job, texts.clone())),
        _ => None,
    })
}

fn report(text: &str, problem: Problem, left_out: usize) -> Outcome {
    let text = TextClasses { text: text.to_owned(), tokens: 12, left_out, scores: vec![-1.0, 0.0, 2.0] };
    let labels = LABELS.map(str::to_owned).to_vec();
    Outcome::TextsClassified(Arc::new(ClassifyReport { labels, problem, texts: vec![text] }))
}

#[test]
fn a_text_is_put_into_a_class_and_leads_to_attention() {
    let model = classifier(Problem::OneClass, true);
    let mut window = with("prompt", &model);
    assert!(!window.has("Compare texts") && !window.has("Fill masks"));
    window.press(Modifiers::COMMAND, Key::Enter);
    let asked = classified(&window);
    let [(job, texts)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(texts.len(), 1);
    answer(&mut window, *job, report(&texts[0], Problem::OneClass, 3));
    // softmax(-1, 0, 2)
    assert!(window.has("charming 84.4 %") && window.has("fine 11.4 %") && window.has("dull 4.2 %"));
    assert!(window.has("The text was cut off behind 12 tokens; 3 more were left out."));
    assert!(window.has("The head reads the vector of the first token, which has seen the whole text."));

    window.click("See its attention");
    assert_eq!(window.app().panel().key(), "attention");
    let inspected = window.engine.started(|_, work| match work {
        Work::Inspect(spec) => Some(spec.prompt.clone()),
        _ => None,
    });
    assert_eq!(inspected.last(), Some(&PromptInput::Text(texts[0].clone())));
}

#[test]
fn what_scores_mean_is_told() {
    let model = classifier(Problem::Numbers, false);
    let mut window = with("prompt", &model);
    window.click("Classify");
    let (job, texts) = classified(&window).pop().unwrap();
    answer(&mut window, job, report(&texts[0], Problem::Numbers, 0));
    assert!(window.has("2.0000") && !window.has("charming 84.4 %"));
    assert!(window.has("The head gives a number, not classes (regression)."));
    assert!(window.has("The head reads the vector of the last token, which has seen all tokens before it."));
}

fn labelled() -> LabelledReport {
    LabelledReport {
        kind: LabelledKind::Texts,
        columns: ["id", "sentence", "label"].map(str::to_owned).to_vec(),
        chosen: ["sentence", "label"].map(str::to_owned),
        labels: LABELS.map(str::to_owned).to_vec(),
        counts: vec![[800, 100, 100], [412, 52, 51], [4, 0, 1]],
        without_text: 2,
        without_label: 0,
        duplicates: 11,
        contradictions: 1,
        overlaps: [0; 3],
        preview: vec![["never dull for a moment".into(), "charming".into()]],
    }
}

fn choose_file(window: &mut Window<'_>) {
    window.click("Classes");
    window.type_into(Role::TextInput, "Labelled texts", "data/films.csv");
}

fn read(window: &Window<'_>) -> Vec<(JobId, LabelledSource)> {
    window.engine.started(|job, work| match work {
        Work::ReadLabelled(source) => Some((job, source.clone())),
        _ => None,
    })
}

#[test]
fn a_head_is_trained_on_a_file_that_is_shown_first() {
    let model = classifier(Problem::OneClass, true);
    let mut window = with("fine_tune", &model);
    choose_file(&mut window);
    let (job, source) = read(&window).pop().expect("the file is read");
    assert_eq!((source.data.to_str(), source.test_share), (Some("data/films.csv"), 0.1));
    answer(&mut window, job, Outcome::LabelledRead(Arc::new(labelled())));
    assert!(window.has("Texts in sentence, labels in label."));
    assert!(
        window.has("2 rows have no text and are left out.") && window.has("11 texts come before, with the same label.")
    );
    assert!(window.harness.query_all_by_label_contains("hardly enough").next().is_some());
    window.click("Last layers");
    window.click("Start training");
    let specs = window.engine.started(|_, work| match work {
        Work::Train(spec) => Some(spec.clone()),
        _ => None,
    });
    let [spec] = specs.as_slice() else { panic!("{specs:?}") };
    assert_eq!(spec.start, StartFrom::Folder { path: model.path.clone() });
    let TrainTask::Classify(task) = &spec.task else { panic!("{spec:?}") };
    assert_eq!((task.learns, task.test_share, &task.text), (Learns::LastLayers(2), 0.1, &None));
}

#[test]
fn an_adapter_is_learned_beside_a_head_where_that_is_chosen() {
    let mut window = with("fine_tune", &classifier(Problem::OneClass, true));
    window.click("Classes");
    choose_file(&mut window);
    window.click("LoRA");
    // Sixteen is shown as it is.
    let alpha = window.harness.get_by_role_and_label(Role::SpinButton, "Alpha");
    assert_eq!(alpha.value().as_deref(), Some("16"));
    window.click("Start training");
    let specs = window.engine.sent(|command| match command {
        fovea::engine::Command::Start { work, .. } => match &**work {
            Work::Train(spec) => Some(spec.clone()),
            _ => None,
        },
        _ => None,
    });
    let spec = specs.into_iter().next_back().expect("a run was begun");
    let TrainTask::Classify(task) = &spec.task else { panic!("{spec:?}") };
    assert_eq!(task.learns, Learns::All);
    let lora = spec.lora.expect("it learns an adapter");
    // Of a RoBERTa, which the model is.
    assert_eq!((lora.rank, lora.targets), (8, vec!["query".to_owned(), "value".to_owned()]));
}

#[test]
fn what_is_wrong_with_a_file_stands_where_it_is_chosen() {
    let mut window = with("fine_tune", &classifier(Problem::OneClass, true));
    choose_file(&mut window);
    let (job, _) = read(&window).pop().unwrap();
    let error = UserError::new("There is one label only: \"fine\".", "All have it.", "Choose another column.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(window.harness.query_all_by_label_contains("There is one label only").next().is_some());
}

#[test]
fn pictures_of_classes_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_classes_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    let model = classifier(Problem::OneClass, true);
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let views = [("prompt", "classes"), ("fine_tune", "classes-training"), ("fine_tune", "classes-lora")];
            for (panel, key) in views {
                let mut window = opened(Window::open(size, 0.5, plain(theme)), panel, &model);
                if panel == "prompt" {
                    window.press(Modifiers::COMMAND, Key::Enter);
                    let (job, texts) = classified(&window).pop().unwrap();
                    answer(&mut window, job, report(&texts[0], Problem::OneClass, 0));
                } else {
                    choose_file(&mut window);
                    let (job, _) = read(&window).pop().unwrap();
                    answer(&mut window, job, Outcome::LabelledRead(Arc::new(labelled())));
                }
                if key == "classes-lora" {
                    window.click("LoRA");
                    window.harness.event(egui::Event::PointerGone);
                }
                window.harness.remove_cursor();
                window.settle();
                // Memory is never the same twice.
                let whole = egui::pos2(size.x, size.y);
                window.harness.mask(egui::Rect::from_min_max(whole - egui::vec2(224.0, 28.0), whole));
                window.harness.snapshot_options(format!("{key}-{place}-{name}"), &options);
                results.extend_harness(&mut window.harness);
            }
        }
    }
}
