//! What the attention panel does with zoom, heads, colours and tokens when it is used.

#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers, MouseWheelSource, MouseWheelUnit, Rect, TouchPhase, vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, InspectSpec, Outcome, Work};
use fovea::types::{Capture, InspectReport, PromptToken, Site};
use std::path::Path;
use std::sync::Arc;
use window::{SMALL, Window, with_text_model};

/// A window that looks at the attention of a run.
fn looking() -> Window<'static> {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    window.click("Layer 0 head 0");
    window
}

/// Turns the wheel over the large head.
fn zoom_in(window: &mut Window<'_>) {
    let at = window.harness.get_all_by_label_contains("Attention pattern of layer").next().unwrap().rect().center();
    window.harness.event(Input::PointerMoved(at));
    window.harness.event(Input::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, 300.0),
        phase: TouchPhase::Move,
        source: MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    });
    window.settle();
}

#[test]
fn another_run_is_seen_whole() {
    let mut window = looking();
    zoom_in(&mut window);
    assert!(window.has("Show the whole pattern"), "the wheel zooms");
    window.click("Layer 1 head 1");
    assert!(window.has("Show the whole pattern"), "another head of the run keeps the place");
    window.press(Modifiers::COMMAND, Key::Num1);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    assert!(!window.has("Show the whole pattern"), "the next run begins with its first token in sight");
}

#[test]
fn colours_and_export_stand_above_the_heads() {
    let window = looking();
    let top = |name: &str| window.harness.get_by_label(name).rect().top();
    let heads = top("Layer 0 head 0");
    assert!(top("Viridis") < heads && top("Root") < heads && top("All heads") < heads && top("This view") < heads);
}

#[test]
fn all_heads_go_into_one_file() {
    let mut window = looking();
    let dir = tempfile::tempdir().unwrap();
    let csv = String::from_utf8(window.export("all heads as CSV", &dir.path().join("heads.csv"))).unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("layer,head,query,key,weight"));
    let heads: std::collections::BTreeSet<String> =
        lines.map(|line| line.split(',').take(2).collect::<Vec<_>>().join(",")).collect();
    let cells =
        window.harness.get_all_by_label_contains("Layer ").filter(|n| n.accesskit_node().role() == Role::Cell).count();
    assert_eq!(heads.len(), cells, "{heads:?}");
    let svg = String::from_utf8(window.export("all heads as SVG", &dir.path().join("heads.svg"))).unwrap();
    assert_eq!(svg.matches("<image ").count(), cells);
    window.click("All heads");
    assert!(window.has("Export all heads as PNG"), "there is a menu too");
}

/// Two layers of four heads, sinks all but one, which looks at the token before.
fn one_that_looks_back(structured: (usize, usize)) -> InspectReport {
    const TOKENS: usize = 12;
    let tokens = (0..TOKENS).map(|i| PromptToken { id: i as u32, text: format!(" w{i}"), span: 0..0 }).collect();
    let capture = |layer| {
        let mut values = vec![0.0f32; 4 * TOKENS * TOKENS];
        for (at, row) in values.chunks_exact_mut(TOKENS).enumerate() {
            let (head, query) = (at / TOKENS, at % TOKENS);
            row[if (layer, head) == structured { query.saturating_sub(1) } else { 0 }] = 1.0;
        }
        Capture { site: Site::Pattern(layer), shape: vec![4, TOKENS, TOKENS], values: values.into() }
    };
    InspectReport { tokens, captures: (0..2).map(capture).collect(), picture: None, left_out: None }
}

#[test]
fn a_head_with_structure_is_shown_first_until_one_is_chosen() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    let look = |window: &mut Window<'_>, structured| {
        window.press(Modifiers::COMMAND, Key::Num1);
        window.press(Modifiers::COMMAND, Key::Enter);
        window.engine.0.borrow_mut().answers = false;
        window.press(Modifiers::COMMAND, Key::Num3);
        let asked = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
        let outcome = Outcome::Inspected(Arc::new(one_that_looks_back(structured)));
        window.engine.say(Event::Done { job: *asked.last().unwrap(), outcome });
        window.engine.0.borrow_mut().answers = true;
        window.settle();
    };
    look(&mut window, (1, 2));
    assert!(window.has("Layer 1 · head 2"));
    look(&mut window, (1, 1));
    assert!(window.has("Layer 1 · head 1"), "each report has its own first head");
    window.click("Layer 1 head 3");
    look(&mut window, (0, 1));
    assert!(window.has("Layer 1 · head 3"), "the next run keeps what was chosen");
}

#[test]
fn strip_and_map_bring_the_chosen_token_into_sight() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    let story = "there was a girl who lived in a wood ".repeat(60);
    window.type_into(Role::MultilineTextInput, "Query", &story);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    let strip = |window: &Window<'_>| -> Vec<(String, Rect)> {
        let tokens =
            window.harness.get_all_by_label_contains("Token ").filter(|n| n.accesskit_node().role() == Role::ListItem);
        tokens.map(|n| (n.accesskit_node().label().unwrap_or_default(), n.rect())).collect()
    };
    let last = |window: &Window<'_>| strip(window).last().unwrap().0.clone();
    let before = last(&window);
    // The last row of the map.
    let map = window.harness.get_all_by_label_contains("Attention pattern of layer").next().unwrap().rect();
    let at = map.left_bottom() + vec2(2.0, -1.0);
    for pressed in [true, false] {
        let button = egui::PointerButton::Primary;
        window.harness.event(Input::PointerMoved(at));
        window.harness.event(Input::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        window.harness.step();
    }
    window.settle();
    assert_ne!(last(&window), before, "the strip went to the row that was clicked");
}

#[test]
fn the_colour_scale_ends_at_what_is_largest_and_the_legend_says_so() {
    let mut window = looking();
    assert!(!window.has("Without the first token"), "1 is the end of the scale whatever a token has");
    window.harness.get_by_role_and_label(Role::RadioButton, "Row").click();
    window.settle();
    assert!(window.has("Numbers are shares of the largest weight of each row."));
    window.click("Without the first token");
    assert!(window.has("Numbers are shares of the largest weight of each row but for the first token's."));
    window.harness.get_by_role_and_label(Role::RadioButton, "Head").click();
    window.settle();
    assert!(window.has("Numbers are shares of the largest weight of the head but for the first token's."));
    window.harness.get_by_role_and_label(Role::RadioButton, "1").click();
    window.settle();
    assert!(!window.has("Without the first token"));
    let legend = |window: &Window<'_>| window.has("Colour scale: 0, 0.001, 0.01, 0.1, 1");
    assert!(!legend(&window));
    window.harness.get_by_role_and_label(Role::RadioButton, "Log").click();
    window.settle();
    assert!(legend(&window), "four powers of ten");
}

#[test]
fn a_run_that_is_being_written_is_waited_for() {
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    assert!(window.has("The heads of this run appear when its last token is there."));
    assert!(!window.has("Nothing to look into yet"));
}

#[test]
fn the_view_is_written_as_arrays_and_copied_as_a_picture() {
    let mut window = looking();
    let dir = tempfile::tempdir().unwrap();
    let npz = window.export("npz", &dir.path().join("view.npz"));
    assert!(npz.starts_with(b"PK") && npz.windows(10).any(|w| w == b"values.npy"), "a zip archive of arrays");
    let tensors = window.export("all heads as safetensors", &dir.path().join("heads.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    let pattern = tensors.tensor("blocks.1.attn.pattern").unwrap();
    assert_eq!(pattern.shape().len(), 3);
    assert_eq!(tensors.tensor("ids").unwrap().shape(), &pattern.shape()[1..2]);
    window.click("This view");
    window.click("Copy as a picture");
    window.wait("no picture on the clipboard", |w| {
        let commands = &w.harness.output().platform_output.commands;
        commands.iter().any(|command| matches!(command, egui::OutputCommand::CopyImage(image) if image.width() > 100))
    });
}

/// Chooses an entry of the palette.
fn palette(window: &mut Window<'_>, words: &str) {
    window.press(Modifiers::COMMAND, Key::K);
    window.harness.event(Input::Text(words.into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

fn answer_path(window: &mut Window<'_>, field: &str, path: &Path) {
    window.wait("no field for the path", |w| w.harness.query_by_role_and_label(Role::TextInput, field).is_some());
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(path.display().to_string()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

fn inspections(window: &Window<'_>) -> Vec<InspectSpec> {
    window.engine.started(|_, work| match work {
        Work::Inspect(spec) => Some(spec.clone()),
        _ => None,
    })
}

#[test]
fn a_view_is_saved_and_opened_again_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("view.json");
    let mut window = looking();
    window.click("Layer 1 head 1");
    window.harness.get_all_by_label_contains("Token 4:").next().unwrap().click();
    window.settle();
    window.harness.get_by_role_and_label(Role::RadioButton, "Log").click();
    window.settle();
    let asked = inspections(&window).pop().unwrap();
    palette(&mut window, "save this view");
    answer_path(&mut window, "Path to write to", &path);
    window.wait("no file", |_| std::fs::metadata(&path).is_ok_and(|file| file.len() > 20));
    let saved: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(saved["model"]["sha256"].as_str().map(str::len), Some(64), "the weights are named: {saved}");
    drop(window);

    let mut window = Window::open(SMALL, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Num3);
    palette(&mut window, "open a view");
    answer_path(&mut window, "Path of the file", &path);
    window.wait("no inspection", |w| !inspections(w).is_empty());
    window.settle();
    assert_eq!(inspections(&window).pop().unwrap(), asked, "the same ids are read again");
    assert!(window.has("Layer 1 · head 1") && window.has("Colour scale: 0, 0.001, 0.01, 0.1, 1"));
    assert!(window.has("position 4 · layer 1 · head 1"));

    // Other weights under the same name are not taken for those.
    let mut window = Window::open(SMALL, 1.0, with_text_model());
    let model = window.app().state().models.keys().next().copied().unwrap();
    window.engine.0.borrow_mut().hashes.insert(model, "cd".repeat(32));
    window.press(Modifiers::COMMAND, Key::Num3);
    palette(&mut window, "open a view");
    answer_path(&mut window, "Path of the file", &path);
    window.wait("no word of the other weights", |w| w.has("Show it with these"));
    assert!(inspections(&window).is_empty());
    window.click("Show it with these");
    window.wait("no inspection", |w| !inspections(w).is_empty());
}
