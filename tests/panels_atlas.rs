//! The atlas of heads: what it scores, how its table is sorted and filtered, and what a click does.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, Outcome, PromptInput, Work};
use fovea::types::{Capture, InspectReport, PromptToken, Site};
use fovea::ui::ThemeChoice;
use std::sync::Arc;
use window::{LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

/// A window in which the table stands beside the plane.
const WIDE: Vec2 = Vec2::new(1600.0, 900.0);

/// Rows of the table, as a screen reader tells them.
fn rows(window: &Window<'_>) -> Vec<String> {
    let all = window.harness.get_all_by_label_contains("ead ");
    let rows = all.filter(|node| node.accesskit_node().role() == Role::Row);
    rows.map(|node| node.accesskit_node().label().unwrap_or_default()).collect()
}

fn has_rows(window: &Window<'_>) -> bool {
    let all = window.harness.query_all_by_label_contains("ead ");
    all.into_iter().any(|node| node.accesskit_node().role() == Role::Row)
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

/// The names of heads in the order of rows, such as `1.3`.
fn heads(window: &Window<'_>) -> Vec<String> {
    rows(window).iter().map(|row| row.split_whitespace().nth(1).unwrap().to_owned()).collect()
}

/// A window on the atlas of a run.
fn atlas(size: Vec2) -> Window<'static> {
    let mut window = Window::open(size, 1.0, with_text_model());
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    window.click("Atlas");
    window.wait("no scores", has_rows);
    window.settle();
    window
}

/// Two layers of four heads: each gives a share of its own to the token before, and the rest to the first.
fn graded(tokens: usize) -> InspectReport {
    let named = (0..tokens).map(|i| PromptToken { id: 7, text: format!(" w{i}"), span: i..i + 1 }).collect();
    let capture = |layer: usize| {
        let mut values = vec![0.0f32; 4 * tokens * tokens];
        for (at, row) in values.chunks_exact_mut(tokens).enumerate() {
            let (head, query) = (at / tokens, at % tokens);
            let share = (4 * layer + head) as f32 / 8.0;
            row[0] += 1.0 - share;
            row[query.saturating_sub(1)] += share;
        }
        Capture { site: Site::Pattern(layer), shape: vec![4, tokens, tokens], values: values.into() }
    };
    InspectReport { tokens: named, captures: (0..2).map(capture).collect(), picture: None, left_out: None }
}

/// A window on the atlas of a report.
fn atlas_of(size: Vec2, theme: ThemeChoice, scale: f32, report: InspectReport) -> Window<'static> {
    let options = fovea::ui::AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
    let mut window = Window::open(size, scale, options);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Num3);
    let asked = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
    window.engine.say(Event::Done { job: *asked.last().unwrap(), outcome: Outcome::Inspected(Arc::new(report)) });
    window.engine.0.borrow_mut().answers = true;
    window.settle();
    window.click("Atlas");
    window.wait("no scores", has_rows);
    window.settle();
    window
}

/// Waits for what a click on a heading changes in the next frame.
fn sort(window: &mut Window<'_>, by: &str) {
    window.click(&format!("Sort by {by}"));
    window.settle();
}

#[test]
fn a_click_on_a_heading_sorts_and_another_turns_it_round() {
    let mut window = atlas_of(WIDE, ThemeChoice::Dark, 1.0, graded(12));
    sort(&mut window, "previous token");
    assert_eq!(heads(&window), ["1.3", "1.2", "1.1", "1.0", "0.3", "0.2", "0.1", "0.0"]);
    sort(&mut window, "previous token");
    assert_eq!(heads(&window), ["0.0", "0.1", "0.2", "0.3", "1.0", "1.1", "1.2", "1.3"]);
    sort(&mut window, "layer and head");
    assert_eq!(heads(&window)[0], "0.0");
}

#[test]
fn words_find_heads_and_those_that_mean_nothing_are_told() {
    let mut window = atlas_of(WIDE, ThemeChoice::Dark, 1.0, graded(12));
    sort(&mut window, "layer and head");
    window.type_into(Role::TextInput, "Find heads", ">0.5 previous");
    assert_eq!(heads(&window), ["1.0", "1.1", "1.2", "1.3"], "half, and what the second token adds");
    window.type_into(Role::TextInput, "Find heads", " head 2");
    assert_eq!(heads(&window), ["1.2"]);
    assert!(says(&window, "1 of 8 heads"));
    window.type_into(Role::TextInput, "Find heads", " flying");
    assert!(window.has("‘flying’ is no score of this table, no layer and no head."));
}

#[test]
fn a_click_chooses_the_head_and_a_double_click_looks_at_it() {
    let mut window = atlas(WIDE);
    let other = rows(&window).into_iter().find(|row| !row.contains(" 0.0 ")).unwrap();
    let place = other.split_whitespace().nth(1).unwrap().split_once('.').unwrap();
    let title = format!("Layer {} · head {}", place.0, place.1);
    window.click(&other);
    assert!(window.has(&title));
    // It is the sentence above the table, too.
    assert!(says(&window, &format!("Head {}.{} ", place.0, place.1)));
    window.click("Look at it");
    assert!(says(&window, "Attention pattern of layer"), "the map is on show");
    assert!(window.has(&title));
}

#[test]
fn the_probe_is_read_when_it_is_looked_at_and_is_no_text_of_the_person() {
    let mut window = atlas(SMALL);
    let probes = |window: &Window<'_>| -> Vec<Vec<u32>> {
        window.engine.started(|_, work| match work {
            Work::Inspect(spec) => match &spec.prompt {
                PromptInput::Ids(ids) if ids.len() == 100 && ids[..50] == ids[50..] => Some(ids.clone()),
                _ => None,
            },
            _ => None,
        })
    };
    assert!(probes(&window).is_empty(), "nobody has looked yet");
    assert!(!window.has("Sort by induction, repeats"));
    window.click("Probe");
    window.wait("no scores of the probe", |w| says(w, "scored on the probe of 100 tokens"));
    window.settle();
    assert_eq!(probes(&window).len(), 1);
    assert!(window.has("Sort by layer and head") && says(&window, "2 × 50 random tokens · seed 1"));
    window.click("My text");
    window.settle();
    assert!(says(&window, "scored on your text"));
    window.click("Probe");
    window.settle();
    assert_eq!(probes(&window).len(), 1, "what is known is not asked again");
    window.click("Map");
    let tokens: Vec<String> = {
        let strip = window.harness.get_all_by_label_contains("Token ");
        strip.map(|node| node.accesskit_node().label().unwrap_or_default()).collect()
    };
    assert!(tokens.len() < 60, "the map shows the run and not the probe: {tokens:?}");
}

#[test]
fn a_probe_is_no_text_to_fall_back_to_while_the_next_one_is_read() {
    let mut window = atlas(SMALL);
    window.click("Probe");
    window.wait("no scores of the probe", |w| says(w, "scored on the probe of 100 tokens"));
    window.settle();
    window.click("Map");
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    window.harness.run_steps(3);
    assert!(says(&window, "tokens") && !window.has("100 tokens"), "the run of before stays until the next is read");
    assert!(!says(&window, "Token 60: "));
}

#[test]
fn heads_are_found_beside_the_map_too() {
    let mut window = atlas_of(LAPTOP, ThemeChoice::Dark, 1.0, graded(12));
    assert!(window.harness.query_by_role_and_label(Role::TextInput, "Find a head").is_none(), "the atlas has its own");
    window.harness.get_by_role_and_label(Role::RadioButton, "Map").click();
    window.settle();
    window.type_into(Role::TextInput, "Find a head", "1.2");
    assert!(window.has("Head 1.2. Enter shows it."));
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.has("Layer 1 · head 2"));
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(egui::Event::Text(">0.5 previous".into()));
    window.settle();
    window.wait("no scores", |w| says(w, " heads, first "));
    assert!(window.has("4 heads, first 1.3. Enter shows one after the other."));
    window.press(Modifiers::NONE, Key::Enter);
    // The chosen one is the second of those that were found.
    assert!(window.has("Layer 1 · head 1"));
    window.press(Modifiers::NONE, Key::Enter);
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.has("Layer 1 · head 3"), "behind the last comes the first");
    window.type_into(Role::TextInput, "Find a head", " flying");
    assert!(window.has("‘flying’ is no score of this table, no layer and no head."));
}

#[test]
fn one_token_is_scored_as_far_as_that_goes() {
    let window = atlas_of(SMALL, ThemeChoice::Dark, 1.0, graded(1));
    assert!(says(&window, "Previous token, First token: a sequence of one token has no second one"));
    assert!(window.has("Sort by self") && !window.has("Sort by previous token"));
}

#[test]
fn a_head_of_nan_is_shown_as_such_and_stands_last() {
    let mut report = graded(12);
    let mut values = report.captures[0].values.to_vec();
    values[2 * 144 + 143] = f32::NAN;
    report.captures[0].values = values.into();
    let mut window = atlas_of(WIDE, ThemeChoice::Dark, 1.0, report);
    sort(&mut window, "entropy");
    let told = rows(&window);
    assert_eq!(told.len(), 8);
    assert_eq!(told[7], "head 0.2 has weights that are not numbers (NaN)", "{told:?}");
}

#[test]
fn the_table_and_the_plane_go_into_files() {
    let mut window = atlas_of(WIDE, ThemeChoice::Dark, 1.0, graded(12));
    let dir = tempfile::tempdir().unwrap();
    let mut save = |button: &str, file: &str| {
        let path = dir.path().join(file);
        window.click(button);
        window.wait("no field for the path", |w| {
            w.harness.query_by_role_and_label(Role::TextInput, "Path to write to").is_some()
        });
        window.press(Modifiers::COMMAND, Key::A);
        window.harness.event(egui::Event::Text(path.display().to_string()));
        window.settle();
        window.press(Modifiers::NONE, Key::Enter);
        window.wait("no file", |_| std::fs::read(&path).is_ok_and(|bytes| bytes.len() > 1000));
        std::thread::sleep(std::time::Duration::from_millis(200));
        std::fs::read(&path).unwrap()
    };
    let csv = String::from_utf8(save("Export the table as CSV", "heads.csv")).unwrap();
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let previous = table.records().map(Result::unwrap).filter(|row| &row[5] == "previous_token");
    let values: Vec<f32> = previous.map(|row| row[6].parse().unwrap()).collect();
    assert!(values.len() == 8 && values.is_sorted(), "{values:?}");
    let svg = String::from_utf8(save("Export the plane as SVG", "plane.svg")).unwrap();
    // The panel's own way to files means what is on show.
    assert_eq!(window.export("CSV", &dir.path().join("again.csv")), csv.as_bytes());
    assert!(svg.contains("Previous token") && svg.contains("sprout, all heads") && svg.contains("a text of 12 tokens"));
}

#[test]
fn every_widget_of_the_atlas_has_a_name_in_both_themes() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        for size in [SMALL, LAPTOP] {
            let window = atlas_of(size, theme, 1.0, graded(12));
            let unnamed = window.harness.unnamed_widgets();
            assert!(unnamed.is_empty(), "{theme:?}: {unnamed:#?}");
        }
    }
}

#[test]
fn pictures_of_the_atlas_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_the_atlas_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let mut window = atlas_of(size, theme, 0.5, graded(12));
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let corner = egui::pos2(size.x - 224.0, size.y - 28.0);
            window.harness.mask(egui::Rect::from_min_max(corner, size.to_pos2()));
            window.harness.snapshot_options(format!("attention-atlas-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
