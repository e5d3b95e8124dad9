//! Sittings with the real engine: the ways to adapt a shipped model are compared on a task of twelve rows a label, what they got wrong
//! is opened, and the figure is exported; the same with pictures.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::Queryable;
use fovea::types::{Ability, AdaptReport, InspectReport, LabelledKind, Way};
use fovea::ui::AppOptions;
use sitting::Sitting;
use std::path::Path;
use support::data::one_digit_folder;
use support::root;

const GOOD: [&str; 12] =
    ["happy", "kind", "lovely", "sweet", "bright", "funny", "gentle", "warm", "brave", "clean", "fresh", "calm"];
const BAD: [&str; 12] =
    ["sad", "cruel", "ugly", "bitter", "dark", "dull", "rough", "cold", "afraid", "dirty", "rotten", "angry"];

#[test]
fn ways_are_compared_their_errors_opened_and_the_figure_exported() {
    let scratch = tempfile::tempdir().unwrap();
    let options = AppOptions {
        shipped: Some(root().join("models")),
        state_dir: Some(scratch.path().join("state")),
        native_dialogs: false,
        ..AppOptions::default()
    };
    let mut sitting = Sitting::begin(options, "ways", Vec2::new(1440.0, 1500.0));
    sitting.until("a shipped model opens", |s| s.state().active(Ability::Continue).is_some());
    let data = scratch.path().join("words.csv");
    let rows = GOOD.iter().map(|word| (word, "good")).chain(BAD.iter().map(|word| (word, "bad")));
    let rows: String = rows.map(|(word, label)| format!("It was a {word} day.,{label}\n")).collect();
    std::fs::write(&data, format!("text,label\n{rows}")).unwrap();
    sitting.drop_file(&data);
    sitting.until("the file is told", |s| s.has("Texts in text, labels in label."));

    // Every way with few examples and steps.
    sitting.click("Embeddings, nearest mean");
    let sizes = sitting.harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Numbers of examples");
    sizes.focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text("2, 8");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("points come before all are there", |s| {
        s.state().jobs.keys().any(|job| s.state().so_far::<AdaptReport>(*job).is_some())
    });
    sitting.until("all is measured", |s| s.state().reports::<AdaptReport>().next().is_some());
    let report = sitting.state().reports::<AdaptReport>().next().unwrap().1.clone();
    assert_eq!(report.points.len(), Way::ALL.len() * 2 * 3);
    assert!(sitting.says("is right most often"), "the figures in words");

    let figure = scratch.path().join("ways.svg");
    sitting.click("Export the comparison");
    sitting.click("Export the ways as SVG");
    sitting.save_to(&figure);
    assert!(std::fs::read_to_string(&figure).unwrap().contains("Embeddings, nearest mean"));

    // What they got wrong: the texts across the ways, and one of them in the attention panel.
    sitting.click("What the ways got wrong");
    assert!(sitting.has("What they got wrong"));
    let row = sitting.harness.query_all_by_label_contains(" Right is ").next().expect("some way is wrong somewhere");
    row.click();
    sitting.settle();
    sitting.until("its patterns are there", |s| s.state().reports::<InspectReport>().next().is_some());
    assert_eq!(sitting.state().log.errors_unread(), 0);
}

/// Compares with one and with twelve examples on data that is dropped, and opens the first picture that a way got wrong.
fn compare_on_pictures(sitting: &mut Sitting<'_>, data: &Path, ways: usize) {
    sitting.drop_file(data);
    sitting.until("the data is told", |s| s.says("labels.") || s.says("is the label."));
    let sizes = sitting.harness.get_by_role_and_label(egui::accesskit::Role::TextInput, "Numbers of examples");
    sizes.focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text("1, 12");
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("all is measured", |s| s.state().reports::<AdaptReport>().next().is_some());
    let report = sitting.state().reports::<AdaptReport>().next().unwrap().1.clone();
    assert_eq!((report.kind, report.points.len()), (LabelledKind::Pictures, ways * 2 * 3));
    sitting.click("What the ways got wrong");
    let size = sitting.harness.get_by_label_contains("Measured with: ");
    size.click();
    sitting.settle();
    sitting.click("1 example");
    let row = sitting.harness.query_all_by_label_contains(" Right is ").next().expect("one example is not enough");
    row.click();
    sitting.settle();
}

#[test]
fn pictures_that_a_network_of_digits_got_wrong_open_on_its_canvas() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("bars");
    std::fs::create_dir(&data).unwrap();
    one_digit_folder(&data);
    let options =
        AppOptions { model: Some(root().join("models/digits-cnn")), native_dialogs: false, ..AppOptions::default() };
    let mut sitting = Sitting::begin(options, "ways", Vec2::new(1440.0, 1500.0));
    sitting.until("the network opens", |s| s.state().active(Ability::ReadDigits).is_some());
    compare_on_pictures(&mut sitting, &data, 4);
    let is_read = |s: &Sitting<'_>| s.state().active(Ability::ReadDigits).unwrap().classification.is_some();
    sitting.until("the network reads it", is_read);
    assert!(sitting.has("Drawing canvas"));
    assert_eq!(sitting.state().log.errors_unread(), 0);
}

#[test]
fn pictures_that_a_vision_transformer_got_wrong_are_looked_at() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("colours");
    for (class, name) in ["red", "green", "blue"].into_iter().enumerate() {
        std::fs::create_dir_all(data.join(name)).unwrap();
        for i in 0..10_u8 {
            let mut rgb = [90 + 3 * i, 100 - 2 * i, 80 + 5 * (i % 4)];
            rgb[class] += 40;
            image::RgbImage::from_pixel(20, 24, image::Rgb(rgb))
                .save(data.join(name).join(format!("{i}.png")))
                .unwrap();
        }
    }
    let options =
        AppOptions { model: Some(root().join("tests/golden/vit")), native_dialogs: false, ..AppOptions::default() };
    let mut sitting = Sitting::begin(options, "ways", Vec2::new(1440.0, 1500.0));
    sitting.until("the model opens", |s| s.state().active(Ability::SeePictures).is_some());
    compare_on_pictures(&mut sitting, &data, 5);
    sitting.until("its patterns are there", |s| s.state().reports::<InspectReport>().next().is_some());
    assert!(sitting.state().reports::<InspectReport>().next().unwrap().1.picture.is_some());
    assert_eq!(sitting.state().log.errors_unread(), 0);
}
