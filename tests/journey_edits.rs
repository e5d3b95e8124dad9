//! One sitting with the real engine and a shipped model: words are said twice, the head that copies them is switched off, the copied
//! word's probability is read before and after, the text is sampled both ways, and the edits are saved and opened again.

#[path = "support/sitting.rs"]
mod sitting;
mod support;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::types::{Ability, EditedNext};
use fovea::ui::AppOptions;
use sitting::Sitting;
use std::path::Path;
use support::root;

const WORDS: &str = "The words are: lamp river stone cloud apple chair lamp river stone cloud apple";
/// The head that continues what was said before, as `fovea heads --model seedling` finds it.
const HEAD: &str = "blocks.1.attn.z[0] = zero";
const OFF: &str = "blocks.*.attn.scores@>3 = hide";

fn begin<'a>(folder: &Path) -> Sitting<'a> {
    let options = AppOptions {
        shipped: Some(root().join("models")),
        model: Some(root().join("models/seedling")),
        state_dir: Some(folder.to_owned()),
        native_dialogs: false,
        ..AppOptions::default()
    };
    let mut sitting = Sitting::begin(options, "prompt", Vec2::new(1600.0, 1500.0));
    sitting.until("the model opens", |s| s.state().active(Ability::Continue).is_some());
    sitting.harness.get_by_role_and_label(Role::MultilineTextInput, "Query").focus();
    sitting.settle();
    sitting.press(Modifiers::COMMAND, Key::A);
    sitting.type_text(WORDS);
    sitting
}

fn add(sitting: &mut Sitting<'_>, line: &str) {
    sitting.harness.get_by_role_and_label(Role::TextInput, "Or any edit, as a line").focus();
    sitting.settle();
    sitting.type_text(line);
    sitting.click("Add the line");
}

/// What both runs wrote, and the next token of both.
fn run(sitting: &mut Sitting<'_>) -> (Vec<Vec<u32>>, EditedNext) {
    sitting.press(Modifiers::COMMAND, Key::Enter);
    sitting.until("both texts are written", |s| {
        let runs: Vec<_> = s.state().runs().filter(|run| run.stats.is_some()).collect();
        runs.len() == 2 && s.state().reports::<EditedNext>().next().is_some()
    });
    let texts = sitting.state().runs().map(|run| run.tokens.iter().map(|token| token.id).collect()).collect();
    (texts, (**sitting.state().reports::<EditedNext>().next().unwrap().1).clone())
}

fn rows(sitting: &Sitting<'_>) -> Vec<String> {
    let all = sitting.harness.query_all_by_label_contains("Edit: ");
    all.filter_map(|node| node.accesskit_node().label()).collect()
}

#[test]
fn a_head_that_copies_is_switched_off_and_the_edits_are_opened_again() {
    let scratch = tempfile::tempdir().unwrap();
    let mut sitting = begin(&scratch.path().join("first"));
    sitting.click("Add an edit");
    add(&mut sitting, HEAD);
    add(&mut sitting, OFF);
    sitting.click("Add an edit");
    sitting.click("Use the edit token 3 hidden");
    assert!(sitting.has("Edits · 1 of 2 on"));
    let (texts, next) = run(&mut sitting);

    // The copied word is gone, and both probabilities stand side by side.
    let copied = next.likeliest.iter().find(|token| token.text == " chair").expect("it was the likeliest");
    assert!(copied.before > 0.4 && copied.after < 0.02, "{copied:?}");
    assert_eq!(copied.id, next.likeliest[0].id);
    assert!(next.divergence > 1.0, "{}", next.divergence);
    assert!(sitting.says("Next ·chair: 5") && sitting.says("KL "), "they are shown");
    let written = |name: &str| sitting.harness.get_by_label(name).value().unwrap_or_default();
    let shown = [written("Unedited tokens"), written("Edited tokens")];
    assert!(texts[0] != texts[1] && shown[0] != shown[1], "{shown:?}");
    assert!(sitting.says("They part at token 0:"), "{shown:?}");

    // The list as a file, opened in another sitting, makes the same of the same prompt, to the last bit.
    let file = scratch.path().join("no-copying.fovea-edits.json");
    sitting.click("Sets of edits");
    sitting.click("Save the edits…");
    sitting.save_to(&file);
    let before = rows(&sitting);
    drop(sitting);
    let mut sitting = begin(&scratch.path().join("second"));
    assert!(rows(&sitting).is_empty());
    sitting.drop_file(&file);
    sitting.until("the edits are opened", |s| !rows(s).is_empty());
    assert_eq!((rows(&sitting), sitting.has("Edits · 1 of 2 on")), (before, true));
    let (again, next_again) = run(&mut sitting);
    let sorted = |mut texts: Vec<Vec<u32>>| {
        texts.sort();
        texts
    };
    assert_eq!((sorted(again), next_again), (sorted(texts), next));
}
