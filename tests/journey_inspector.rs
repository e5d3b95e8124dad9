//! One sitting in the attention panel with the real engine and a shipped model: a text is read, its induction head is found in
//! the atlas, followed step by step, exported, and the view is opened again as it was.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::types::{Ability, InspectReport, StepsReport};
use fovea::ui::AppOptions;
use sitting::Sitting;
use std::path::Path;
use support::root;

/// The names of heads in the order of the atlas's rows, such as `1.3`.
fn heads(sitting: &Sitting<'_>) -> Vec<String> {
    let rows = sitting.harness.query_all_by_label_contains("ead ");
    let rows = rows.filter(|node| node.accesskit_node().role() == Role::Row);
    let label = |node: egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
    rows.filter_map(|node| label(node).split_whitespace().nth(1).map(str::to_owned)).collect()
}

fn palette(sitting: &mut Sitting<'_>, words: &str) {
    sitting.press(Modifiers::COMMAND, Key::K);
    sitting.type_text(words);
    sitting.press(Modifiers::NONE, Key::Enter);
}

/// The values of a column of an exported view.
fn csv(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn an_induction_head_is_found_followed_exported_and_opened_again() {
    let scratch = tempfile::tempdir().unwrap();
    let options = AppOptions {
        shipped: Some(root().join("models")),
        model: Some(root().join("models/seedling")),
        state_dir: Some(scratch.path().join("state")),
        native_dialogs: false,
        ..AppOptions::default()
    };
    let mut sitting = Sitting::begin(options, "prompt", Vec2::new(1600.0, 1000.0));
    sitting.until("the model opens", |s| s.state().active(Ability::Continue).is_some());
    sitting.run_prompt("a text is written");

    // The head that continues what was said twice is first when heads are sorted by induction on the probe.
    sitting.press(Modifiers::COMMAND, Key::Num3);
    sitting.until("the patterns are there", |s| s.state().reports::<InspectReport>().next().is_some());
    sitting.tab("Atlas");
    sitting.until("heads are scored", |s| !heads(s).is_empty());
    sitting.tab("Probe");
    sitting.until("the probe is read", |s| s.state().reports::<InspectReport>().count() == 2 && !heads(s).is_empty());
    sitting.click("Sort by induction");
    let best = heads(&sitting)[0].clone();
    let (layer, head) = best.split_once('.').unwrap();
    let name = format!("ead {best} ");
    let mut row = sitting.harness.query_all_by_label_contains(&name);
    row.find(|node| node.accesskit_node().role() == Role::Row).expect("the row is in sight").click();
    drop(row);
    sitting.settle();
    let title = format!("Layer {layer} · head {head}");
    sitting.until("it is chosen", |s| s.has(&title));

    // Its arithmetic, with the model's own numbers.
    sitting.tab("Steps");
    sitting.until("the steps are there", |s| s.state().reports::<StepsReport>().next().is_some());
    let steps = sitting.state().reports::<StepsReport>().last().unwrap().1.clone();
    assert_eq!((steps.layer.to_string(), steps.head.to_string()), (layer.to_owned(), head.to_owned()));

    // The map is exported and saved, and both are the same when the view is opened again in another sitting.
    sitting.tab("Map");
    sitting.until("the map is there", |s| s.says("Attention pattern of layer"));
    let (first, view) = (scratch.path().join("first.csv"), scratch.path().join("view.json"));
    palette(&mut sitting, "export csv");
    sitting.save_to(&first);
    palette(&mut sitting, "save this view");
    sitting.save_to(&view);
    drop(sitting);

    let options = AppOptions {
        shipped: Some(root().join("models")),
        model: Some(root().join("models/seedling")),
        native_dialogs: false,
        ..AppOptions::default()
    };
    let mut sitting = Sitting::begin(options, "attention", Vec2::new(1600.0, 1000.0));
    sitting.until("the model opens", |s| s.state().active(Ability::Continue).is_some());
    sitting.drop_file(&view);
    sitting.until("the view is opened", |s| s.says("Attention pattern of layer") && s.has(&title));
    let second = scratch.path().join("second.csv");
    palette(&mut sitting, "export csv");
    sitting.save_to(&second);
    assert_eq!(csv(&first), csv(&second), "to the last bit");
}
