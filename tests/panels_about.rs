//! About Fovea, used as a person would: opened, searched, read, copied, closed.

#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers, OutputCommand};
use egui_kittest::kittest::Queryable;
use fovea::engine::Command;
use fovea::types::components;
use fovea::ui::ThemeChoice;
use window::{LAPTOP, SMALL, Window, plain, with_text_model};

fn by_the_palette(window: &mut Window<'_>) {
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text("about".into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

#[test]
fn a_licence_is_found_by_name_and_read() {
    for (size, theme) in [(SMALL, ThemeChoice::Dark), (LAPTOP, ThemeChoice::Light)] {
        let mut window = Window::open(size, 1.0, plain(theme));
        by_the_palette(&mut window);
        let all = format!("{} parts", components().len());
        assert!(window.has(&all), "no count of all parts");
        assert!(window.harness.unnamed_widgets().is_empty(), "{:#?}", window.harness.unnamed_widgets());
        // Of hundreds of rows those in sight are made.
        let rows = |window: &Window<'_>| {
            let crates =
                components().iter().map(|part| format!("{} {}, {}", part.name, part.version, part.expression()));
            crates.filter(|label| window.has(label)).collect::<Vec<_>>()
        };
        assert!((5..40).contains(&rows(&window).len()), "{}", rows(&window).len());
        // The field is ready to type into.
        window.harness.event(Input::Text("epaint_def".into()));
        window.settle();
        let found = rows(&window);
        assert_eq!(found.len(), 1, "{found:?}");
        window.click(&found[0]);
        let words = "https://crates.io/crates/epaint_default_fonts/";
        assert!(window.harness.query_by_label_contains(words).is_some(), "no source");
        assert!(window.harness.query_by_label_contains("UBUNTU FONT LICENCE").is_some(), "no text");
        window.press(Modifiers::NONE, Key::Escape);
        assert!(!window.has(&all), "still open");
        assert!(window.harness.query_by_role_and_label(Role::TextInput, "Search by name").is_none());
    }
}

#[test]
fn what_a_bug_report_needs_is_copied() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    // The name at the top leads here, too.
    window.click("About Fovea");
    window.harness.get_by_label("Copy").click();
    let mut copied = Vec::new();
    for _ in 0..4 {
        window.harness.step();
        copied.extend(window.harness.output().platform_output.commands.iter().filter_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        }));
    }
    let [text] = copied.as_slice() else { panic!("{copied:?}") };
    let version = format!("Fovea {}\n", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&version), "{text}");
    let device = window.app().state().device.clone().unwrap();
    for words in [&format!("Device: {}", device.name), "Adapters: ", &format!(", {}\n", std::env::consts::ARCH)] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
}

#[test]
fn esc_closes_it_and_stops_nothing_behind_it() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.click("About Fovea");
    let before = window.engine.sent(|_| Some(())).len();
    window.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(window.engine.sent(|_| Some(())).len(), before, "a shortcut went through");
    window.press(Modifiers::NONE, Key::Escape);
    assert!(window.harness.query_by_role_and_label(Role::TextInput, "Search by name").is_none());
    let stopped = window.engine.sent(|command| matches!(command, Command::Cancel { .. }).then_some(()));
    assert!(stopped.is_empty(), "Esc stopped a job");
}
