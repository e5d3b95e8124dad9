//! What the window does with ways to adapt a model that reads pictures: data of pictures is asked for, and pictures that were got wrong are
//! seen and opened where the model is looked into.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::Vec2;
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{AdaptWork, Event, Outcome, PromptInput, Work};
use fovea::types::{
    AdaptPoint, AdaptReport, Architecture, Blocks, JobId, LabelNoise, LabelledKind, LabelledReport, ModelId, ModelInfo,
    Picture, Precision, Shape, VisionInfo, Way,
};
use fovea::ui::{AppOptions, ThemeChoice};
use std::path::Path;
use std::sync::Arc;
use support::data::{digit_image, one_digit_folder};
use window::{Dropped, LAPTOP, SMALL, Window, has_adapter, plain};

const TALL: Vec2 = Vec2::new(1440.0, 2000.0);

fn with_digits(theme: ThemeChoice) -> AppOptions {
    AppOptions { model: Some("models/digits-mlp".into()), ..plain(theme) }
}

fn vision() -> ModelInfo {
    let blocks = Blocks { layers: 12, heads: 3, kv_heads: 3, hidden: 192 };
    let sees = VisionInfo { size: [224, 224], grid: [14, 14], labels: vec!["cat".into(), "dog".into()] };
    ModelInfo {
        id: ModelId::next(),
        name: "deit-tiny".into(),
        path: "models/deit-tiny".into(),
        architecture: Architecture::Vit,
        precision: Precision::F32,
        parameters: 5_700_000,
        shape: Shape::Vision { blocks, tokens: 197, sees },
        held_out: None,
        modified: false,
        trained_steps: 0,
        own_sampling: None,
        adapter: None,
        quantised: None,
    }
}

/// Has a model be open and in use.
fn open(window: &Window<'_>, info: &ModelInfo) {
    window.engine.say(Event::Model { info: info.clone(), weights: Arc::default() });
    window.engine.say(Event::Done { job: JobId::next(), outcome: Outcome::Opened { model: info.id } });
}

/// On the panel, with a folder filled in and its content told.
fn filled(window: &mut Window<'_>, folder: &Path, kind: LabelledKind) {
    window.engine.0.borrow_mut().answers = false;
    window.show("ways");
    window.type_into(Role::TextInput, "Labelled pictures", &folder.display().to_string());
    let read = |job: JobId, work: &Work| matches!(work, Work::ReadLabelled(_)).then_some(job);
    let job = *window.engine.started(read).last().expect("the folder is read");
    let told = LabelledReport {
        kind,
        columns: vec!["image".into(), "label".into()],
        chosen: ["image", "label"].map(str::to_owned),
        labels: (0..10).map(|digit| digit.to_string()).collect(),
        counts: vec![[20, 0, 5]; 10],
        without_text: 0,
        without_label: 0,
        duplicates: 0,
        contradictions: 0,
        overlaps: [0; 3],
        preview: vec![["train-images-idx3-ubyte#0".into(), "0".into()]],
    };
    window.engine.say(Event::Done { job, outcome: Outcome::LabelledRead(Arc::new(told)) });
    window.settle();
}

/// Begins a comparison with the keyboard.
fn begin(window: &mut Window<'_>) -> (JobId, AdaptWork) {
    window.press(Modifiers::COMMAND, Key::Enter);
    let asked = window.engine.started(|job, work| match work {
        Work::Adapt(work) => Some((job, AdaptWork::clone(work))),
        _ => None,
    });
    asked.into_iter().next_back().expect("a comparison was asked for")
}

/// What would be measured on twenty images; each way takes some digits for the next.
fn report(work: &AdaptWork, names: &[String], operations: Option<f64>) -> AdaptReport {
    let spec = work.spec.clone();
    let test: Vec<(String, u32)> = names.iter().cloned().zip((0..).map(|i| i % 10)).collect();
    let mut points = Vec::new();
    for seed in &spec.seeds {
        for way in &spec.ways {
            for size in spec.sizes_of(200) {
                let place = Way::ALL.iter().position(|of| of == way).unwrap();
                let is_missed = |i: usize| (i * 7 + place * 3 + *seed as usize) % 20 > size / 4 + 6 + place;
                let said: Vec<u32> =
                    test.iter().enumerate().map(|(i, (_, class))| (class + u32::from(is_missed(i))) % 10).collect();
                let correct = said.iter().zip(&test).filter(|(said, (_, class))| *said == class).count();
                points.push(AdaptPoint {
                    way: *way,
                    noise: LabelNoise::True,
                    size,
                    seed: *seed,
                    used: size,
                    correct,
                    macro_f1: correct as f64 / test.len() as f64 - 0.02,
                    log_prob: -1.2,
                    said,
                    adapt_s: 0.1 * place as f64,
                    query_ms: 0.4,
                    tokens_a_query: if operations.is_some() { 0.0 } else { 197.0 },
                    learned: 170,
                    bytes: 680,
                    peak_bytes: None,
                });
            }
        }
    }
    AdaptReport {
        kind: LabelledKind::Pictures,
        labels: (0..10).map(|digit| digit.to_string()).collect(),
        parameters: 13_002,
        operations,
        examples: 200,
        test,
        base_rate: 0.1,
        bits_per_byte: None,
        points,
        notes: Vec::new(),
        elapsed_s: 2.0,
        spec,
    }
}

fn end(window: &mut Window<'_>, job: JobId, report: AdaptReport) {
    window.engine.say(Event::Done { job, outcome: Outcome::WaysCompared(Arc::new(report)) });
    window.settle();
}

/// Rows of what was wrong, as a screen reader has them.
fn rows(window: &Window<'_>) -> Vec<String> {
    let all = window.harness.query_all_by_role(Role::Button);
    let names = all.filter_map(|node| node.accesskit_node().label());
    names.filter(|name| name.contains(" Right is ")).collect()
}

fn images(folder: &Path) -> Vec<String> {
    (0..20).map(|i| format!("{}#{i}", folder.join("t10k-images-idx3-ubyte").display())).collect()
}

#[test]
fn a_network_of_digits_is_offered_pictures_and_the_ways_it_can_take() {
    let folder = tempfile::tempdir().unwrap();
    one_digit_folder(folder.path());
    let mut window = Window::open(TALL, 1.0, with_digits(ThemeChoice::Dark));
    filled(&mut window, folder.path(), LabelledKind::Pictures);
    assert!(window.has("Images in MNIST's format; the numbers beside them are the labels."));
    assert!(window.has("36 points, each on the same 400 pictures at most"));
    assert!(window.has("digits-mlp continues no text, so no examples can be shown to it in a prompt."));
    for way in ["Examples in the prompt", "LoRA and a head"] {
        assert!(window.harness.get_by_role_and_label(Role::CheckBox, way).accesskit_node().is_disabled(), "{way}");
    }
    let (_, AdaptWork { spec, .. }) = begin(&mut window);
    assert_eq!(spec.data.data, folder.path());
    assert_eq!(spec.ways, [Way::Embeddings, Way::Head, Way::Full, Way::Scratch]);
}

#[test]
fn what_is_filled_in_for_texts_and_for_pictures_stays_apart() {
    let folder = tempfile::tempdir().unwrap();
    one_digit_folder(folder.path());
    let mut window = Window::open(TALL, 1.0, with_digits(ThemeChoice::Dark));
    filled(&mut window, folder.path(), LabelledKind::Texts);
    assert!(window.has("These are texts, and the model reads pictures."));
    let field = |window: &Window<'_>, name: &str| {
        let field = window.harness.query_by_role_and_label(Role::TextInput, name);
        field.map(|field| field.value().unwrap_or_default())
    };
    // A model that reads text has a field of its own, and the folder is there again for the next one that reads pictures.
    let text = window::scripted_engine::info(ModelId::next(), Path::new("models/sprout"));
    open(&window, &text);
    window.settle();
    assert_eq!(field(&window, "Labelled texts").as_deref(), Some(""));
    open(&window, &vision());
    window.settle();
    assert_eq!(field(&window, "Labelled pictures"), Some(folder.path().display().to_string()));
    assert!(!window.harness.get_by_role_and_label(Role::CheckBox, "LoRA and a head").accesskit_node().is_disabled());
    // A folder that is dropped takes its place, and a model's is opened.
    let other = tempfile::tempdir().unwrap();
    window.harness.input_mut().dropped_files.push(Arc::new(Dropped(other.path().to_owned())));
    window.settle();
    assert_eq!(field(&window, "Labelled pictures"), Some(other.path().display().to_string()));
}

#[test]
fn a_digit_that_was_got_wrong_opens_on_the_canvas() {
    let folder = tempfile::tempdir().unwrap();
    one_digit_folder(folder.path());
    let mut window = Window::open(TALL, 1.0, with_digits(ThemeChoice::Dark));
    filled(&mut window, folder.path(), LabelledKind::Pictures);
    let (job, work) = begin(&mut window);
    end(&mut window, job, report(&work, &images(folder.path()), Some(25_920.0)));
    let price = window.harness.get_by_label_contains("What A head got wrong.");
    let price = price.accesskit_node().label().unwrap_or_default();
    assert!(price.contains("Ops 25.9 k") || price.contains("Ops 25,920"), "{price}");
    assert!(price.ends_with("Hosted –"), "{price}");
    window.click("What the ways got wrong");
    window.harness.get_by_role_and_label(Role::CheckBox, "Wrong only").click();
    window.settle();
    assert_eq!(rows(&window).len(), 20);
    let row = rows(&window).into_iter().find(|row| row.starts_with("image 14 Right is 4;")).expect("it has a row");
    window.click(&row);
    window.wait("the digit is not opened", |window| window.app().panel().key() == "digits");
    window.settle();
    let read = window.engine.started(|_, work| match work {
        Work::Classify(image) => Some(image.clone()),
        _ => None,
    });
    assert_eq!(read.last(), Some(&digit_image(4)));
}

#[test]
fn a_picture_that_was_got_wrong_is_looked_at_by_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..20)
        .map(|i| {
            let path = folder.path().join(format!("{i}.png"));
            image::RgbImage::from_pixel(30, 20, image::Rgb([i, 7, 9])).save(&path).unwrap();
            path.display().to_string()
        })
        .collect();
    let mut window = Window::open(TALL, 1.0, plain(ThemeChoice::Dark));
    open(&window, &vision());
    filled(&mut window, folder.path(), LabelledKind::Pictures);
    let (job, work) = begin(&mut window);
    assert!(work.spec.ways.contains(&Way::Lora) && !work.spec.ways.contains(&Way::Examples));
    end(&mut window, job, report(&work, &names, None));
    window.click("What the ways got wrong");
    let row = rows(&window).into_iter().next().expect("something is wrong");
    let place: u8 = row.split('.').next().unwrap().parse().unwrap();
    window.click(&row);
    window.wait("the picture is not opened", |window| window.app().panel().key() == "attention");
    let inspected = window.engine.started(|_, work| match work {
        Work::Inspect(spec) => Some(spec.prompt.clone()),
        _ => None,
    });
    let rgb = [place, 7, 9].repeat(600);
    let picture = Picture { width: 30, height: 20, rgb: rgb.into() };
    assert_eq!(inspected.last(), Some(&PromptInput::Picture(picture)));
}

#[test]
fn pictures_of_ways_with_pictures_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_ways_with_pictures_are_the_approved_ones", "no adapter");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    one_digit_folder(folder.path());
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            // The path of a folder is never the same twice, so the names on show are those of files.
            let mut window = Window::open(size, 0.5, with_digits(theme));
            filled(&mut window, Path::new("digits"), LabelledKind::Pictures);
            let (job, work) = begin(&mut window);
            end(&mut window, job, report(&work, &images(folder.path()), Some(25_920.0)));
            window.click("What the ways got wrong");
            // Pictures are read from their files meanwhile.
            for _ in 0..40 {
                std::thread::sleep(std::time::Duration::from_millis(10));
                window.harness.step();
            }
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let whole = egui::pos2(size.x, size.y);
            window.harness.mask(egui::Rect::from_min_max(whole - egui::vec2(224.0, 28.0), whole));
            window.harness.snapshot_options(format!("ways-pictures-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
