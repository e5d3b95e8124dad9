//! One sitting with the whole app in process: a GGUF file is dropped on the window, answers in a chat, shows its attention, and is
//! open again after a restart.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::Queryable;
use fovea::load::convert;
use fovea::types::{Ability, Blocks, ConvertSpec, ConvertTarget, ConvertType, InspectReport};
use fovea::ui::AppOptions;
use sitting::Sitting;
use std::path::{Path, PathBuf};
use support::root;

const TEMPLATE: &str = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:";

/// The shipped model with a chat template, as one file in blocks of eight bits.
fn file(folder: &Path) -> PathBuf {
    let model = folder.join("tiny");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(root().join("models/sprout")).unwrap().flatten() {
        std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    std::fs::write(model.join("chat_template.jinja"), TEMPLATE).unwrap();
    let to = folder.join("tiny.Q8_0.gguf");
    convert(&ConvertSpec { from: model, to: to.clone(), target: ConvertTarget::Gguf, kind: ConvertType::Q8_0 })
        .unwrap();
    to
}

fn begin<'a>(state: &Path) -> Sitting<'a> {
    let options = AppOptions { state_dir: Some(state.to_owned()), native_dialogs: false, ..AppOptions::default() };
    Sitting::begin(options, "prompt", Vec2::new(1280.0, 800.0))
}

#[test]
fn a_dropped_gguf_file_chats_shows_attention_and_is_there_after_a_restart() {
    let scratch = tempfile::tempdir().unwrap();
    let (file, state) = (file(scratch.path()), scratch.path().join("state"));
    let mut sitting = begin(&state);
    sitting.settle();
    sitting.drop_file(&file);
    sitting.until("the file opens", |s| s.state().active(Ability::Continue).is_some());
    let info = sitting.state().active(Ability::Continue).unwrap().info.clone();
    assert_eq!((info.name.as_str(), &info.path), ("tiny.Q8_0", &file));

    sitting.click("Chat");
    sitting.harness.get_by_role_and_label(Role::MultilineTextInput, "Message").focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text("the cat sat");
    sitting.press(Modifiers::NONE, Key::Enter);
    sitting.until("it answers", |s| s.state().latest_run().is_some_and(|run| run.stats.is_some()));
    let run = sitting.state().latest_run().unwrap();
    let prompt: String = run.prompt.iter().map(|token| token.text.as_str()).collect();
    assert!(prompt.contains("user: the cat sat\nassistant:"), "the template of the file: {prompt:?}");
    assert!(!run.tokens.is_empty());

    sitting.press(Modifiers::COMMAND, Key::Num3);
    sitting.until("its attention arrives", |s| s.state().reports::<InspectReport>().next().is_some());
    let report = sitting.state().reports::<InspectReport>().next().unwrap().1;
    let Blocks { layers, heads, .. } = *info.shape.blocks().unwrap();
    let pattern = report.pattern(layers - 1, heads - 1).unwrap();
    let first: f32 = pattern[..report.tokens.len()].iter().sum();
    assert!((first - 1.0).abs() < 1e-4, "the first row is a distribution: {first}");

    eframe::App::on_exit(sitting.harness.state_mut().as_mut().unwrap());
    drop(sitting);
    let mut again = begin(&state);
    again.until("the file opens by itself", |s| s.state().active(Ability::Continue).is_some());
    assert_eq!(again.state().active(Ability::Continue).unwrap().info.path, file);
    assert_eq!(again.state().recent, [file]);
}
