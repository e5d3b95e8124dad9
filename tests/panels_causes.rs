//! What an answer depends on: what is asked of the engine, what maps tell, how a part is switched off, and what is kept.

#[path = "support/looking.rs"]
mod looking;
mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, Outcome, PatchHow, PatchSpec, PromptInput, SweepSpec, Work};
use fovea::types::{
    Effect, JobId, LensTarget, PatchAlong, PatchCell, PatchReport, PatchSite, Removal, SweepReport, UserError,
};
use fovea::ui::{AppOptions, ThemeChoice};
use looking::{inspected, looking_at, tokens};
use std::sync::Arc;
use window::{LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

const TEXT: [&str; 6] = ["The", " cat", " sat", " on", " the", " a very long token of many letters"];
const LAYERS: usize = 6;
const HEADS: usize = 8;

/// What an engine might answer: every value another one, of both signs. The last layers first, so many of them.
fn swept(spec: &SweepSpec, layers: usize) -> SweepReport {
    let PromptInput::Ids(ids) = &spec.prompt else { panic!("ids are read") };
    let known = |layer: usize| layer + layers >= LAYERS;
    let effect =
        |place: f64| Effect { log_prob: (place * 0.7).sin() * (0.1 + place / 40.0), divergence: place / 100.0 };
    let of = |layer: usize, column: usize| known(layer).then(|| effect((layer * (HEADS + 1) + column + 1) as f64));
    SweepReport {
        tokens: tokens(&TEXT[..ids.len()]),
        position: spec.position.unwrap_or(ids.len() - 1),
        target: LensTarget { id: 7, text: spec.target.clone().unwrap_or_else(|| " mat".into()), of: 1 },
        log_prob: 0.5f64.ln(),
        removal: spec.removal,
        heads: (0..LAYERS).map(|layer| (0..HEADS).map(|head| of(layer, head)).collect()).collect(),
        mlps: (0..LAYERS).map(|layer| of(layer, HEADS)).collect(),
    }
}

fn patched(spec: &PatchSpec) -> PatchReport {
    let PromptInput::Ids(ids) = &spec.destination else { panic!("ids are read") };
    let columns = if spec.along == PatchAlong::Heads { HEADS } else { ids.len() };
    let cell = |layer: usize, column: usize| {
        let is_idle = spec.along == PatchAlong::Positions && column == 0;
        let estimate = if is_idle { 0.0 } else { ((layer * columns + column) as f64).sin() };
        let is_measured = is_idle || spec.how == PatchHow::Measure || column == 1;
        PatchCell {
            measured: is_measured.then_some(estimate * 1.25),
            estimated: (spec.how != PatchHow::Measure).then_some(estimate),
            is_idle,
        }
    };
    let answer = |text: &str, id| LensTarget { id, text: text.into(), of: 1 };
    let mut source = tokens(&TEXT[..ids.len()]);
    (source[1].id, source[1].text) = (99, " dog".into());
    PatchReport {
        source,
        destination: tokens(&TEXT[..ids.len()]),
        position: ids.len() - 1,
        answers: [answer(" Paris", 7), answer(" Rome", 8)],
        ends: [-3.0, 4.0],
        site: spec.site,
        along: spec.along,
        cells: (0..LAYERS).map(|layer| (0..columns).map(|column| cell(layer, column)).collect()).collect(),
    }
}

fn sweeps(window: &Window<'_>) -> Vec<(JobId, SweepSpec)> {
    window.engine.started(|job, work| if let Work::Sweep(spec) = work { Some((job, spec.clone())) } else { None })
}

fn patches(window: &Window<'_>) -> Vec<(JobId, PatchSpec)> {
    window.engine.started(|job, work| if let Work::Patch(spec) = work { Some((job, spec.clone())) } else { None })
}

fn opened(size: Vec2, scale: f32, options: AppOptions) -> Window<'static> {
    looking_at("Causes", size, scale, options, &TEXT)
}

/// Asked for and answered.
fn swept_once(window: &mut Window<'_>) -> SweepSpec {
    window.click("Remove each");
    let (job, spec) = sweeps(window).pop().unwrap();
    window.engine.say(Event::Done { job, outcome: Outcome::Swept(Arc::new(swept(&spec, LAYERS))) });
    window.settle();
    spec
}

fn patched_once(window: &mut Window<'_>, button: &str) -> PatchSpec {
    window.click(button);
    let (job, spec) = patches(window).pop().unwrap();
    window.engine.say(Event::Done { job, outcome: Outcome::Patched(Arc::new(patched(&spec))) });
    window.settle();
    spec
}

fn to_patch(window: &mut Window<'_>) {
    window.harness.get_by_role_and_label(Role::RadioButton, "Patch").click();
    window.harness.run_steps(3);
    write(window, "Source text", "The dog sat on the a");
}

fn write(window: &mut Window<'_>, field: &str, text: &str) {
    window.harness.get_by_role_and_label(Role::TextInput, field).focus();
    window.harness.run_steps(2);
    window.harness.get_by_role_and_label(Role::TextInput, field).type_text(text);
    window.harness.run_steps(2);
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

/// Clicks the first button whose name begins so: its place in the map.
fn click_cell(window: &mut Window<'_>, begin: &str) {
    let buttons: Vec<_> = window.harness.query_all_by_role(Role::Button).collect();
    let label = |node: &egui_kittest::Node<'_>| node.accesskit_node().label().unwrap_or_default();
    buttons.iter().find(|node| label(node).starts_with(begin)).unwrap_or_else(|| panic!("no {begin}")).click();
    drop(buttons);
    window.settle();
}

#[test]
fn each_part_is_removed_when_it_is_asked_for_and_the_map_tells_what_becomes_of_the_answer() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    assert!(sweeps(&window).is_empty() && says(&window, "Nothing was removed yet."), "it waits for the person");
    let spec = swept_once(&mut window);
    let ids = tokens(&TEXT).iter().map(|token| token.id).collect();
    let plain = SweepSpec {
        prompt: PromptInput::Ids(ids),
        position: Some(5),
        target: None,
        removal: Removal::Zero,
        edits: Vec::new(),
    };
    assert_eq!(spec, plain);
    let report = swept(&spec, LAYERS);
    for (part, effect) in report.effects() {
        let words = format!("Without {part}: ‘ mat’ 50.0 % → ");
        assert!(says(&window, &words) && says(&window, &format!("({:+.3} nats)", effect.log_prob)), "{words}");
    }
    assert!(says(&window, "‘ mat’ has 50 % as the model is."));
}

#[test]
fn of_a_run_the_answer_is_told_behind_its_prompt_or_the_chosen_token() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    window.harness.get_by_label("Token 2: \" sat\"").click();
    window.settle();
    let spec = swept_once(&mut window);
    let ids = tokens(&TEXT)[..3].iter().map(|token| token.id).collect();
    assert_eq!((spec.prompt, spec.position), (PromptInput::Ids(ids), Some(2)), "what comes later is not read");
    // Another question makes what is on show old.
    assert!(!says(&window, "made before the last change"));
    window.harness.get_by_label("Token 3: \" on\"").click();
    window.settle();
    assert!(says(&window, "made before the last change"));
}

#[test]
fn layers_are_shown_as_they_are_tried() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    window.click("Remove each");
    let (job, spec) = sweeps(&window).pop().unwrap();
    let so_far = Outcome::Swept(Arc::new(swept(&spec, 2)));
    window.engine.say(Event::SoFar { job, outcome: so_far });
    window.settle();
    assert!(says(&window, "Without head 5.0: ‘ mat’") && says(&window, "head 0.0: not tried yet"));
}

#[test]
fn a_part_is_switched_off_by_an_edit_that_every_panel_asks_with() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    swept_once(&mut window);
    click_cell(&mut window, "Without head 2.3: ");
    assert!(says(&window, "all scores move by"));
    window.click("Switch it off");
    window.settle();
    let asked = window.engine.started(|_, work| if let Work::Inspect(spec) = work { Some(spec.clone()) } else { None });
    window.wait("no inspection with the edit", |window| {
        let asked =
            window.engine.started(|_, work| if let Work::Inspect(spec) = work { Some(spec.clone()) } else { None });
        asked.iter().any(|spec| spec.edits.iter().any(|edit| edit.to_string() == "blocks.2.attn.z[3] = zero"))
    });
    assert!(!asked.is_empty());
}

#[test]
fn values_of_another_text_are_patched_in_and_what_was_estimated_is_told_apart() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    to_patch(&mut window);
    write(&mut window, "Answer of the source", " Paris");
    let spec = patched_once(&mut window, "Estimate, check 20");
    assert_eq!(spec.source, PromptInput::Text("The dog sat on the a".into()));
    assert_eq!((spec.how, spec.site, spec.along), (PatchHow::Check(20), PatchSite::ResidPre, PatchAlong::Positions));
    assert_eq!(spec.answers, [Some(" Paris".to_owned()), None]);
    assert!(says(&window, "‘ Paris’ is −3 above that of ‘ Rome’ in the destination (0) and +4 in the source (1)"));
    assert!(says(&window, "the estimate correlates with 1.000"));
    assert!(says(&window, "Layer 0, ‘The’: nothing can come of it"));
    assert!(says(&window, "Layer 2, ‘ sat’: about"), "estimated");
    click_cell(&mut window, "Layer 0, ‘cat ← dog’");
    assert!(says(&window, "measured +1.052 · estimated +0.841"));
    let spec = patched_once(&mut window, "Measure all");
    assert_eq!(spec.how, PatchHow::Measure);
    assert!(!says(&window, "correlates"));
}

#[test]
fn without_a_source_nothing_is_asked_and_the_reason_is_told() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    window.harness.get_by_role_and_label(Role::RadioButton, "Patch").click();
    window.harness.run_steps(3);
    window.click("Measure all");
    window.settle();
    assert!(patches(&window).is_empty() && says(&window, "There is no source text."));
}

#[test]
fn a_failure_is_told_and_what_was_typed_stays() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    to_patch(&mut window);
    window.click("Measure all");
    let (job, _) = patches(&window).pop().unwrap();
    let error = UserError::new("The prompts have 5 and 6 tokens.", "Both must have as many.", "Change words.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(says(&window, "The prompts have 5 and 6 tokens."));
    let field = window.harness.get_by_role_and_label(Role::TextInput, "Source text");
    assert_eq!(field.accesskit_node().value().as_deref(), Some("The dog sat on the a"));
}

#[test]
fn maps_go_into_files() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    swept_once(&mut window);
    let dir = tempfile::tempdir().unwrap();
    let svg = String::from_utf8(window.export("svg", &dir.path().join("sweep.svg"))).unwrap();
    assert!(svg.contains("sprout, each part removed by itself") && svg.contains(">\nMLP\n<"), "{svg}");
    let csv = String::from_utf8(window.export("csv", &dir.path().join("sweep.csv"))).unwrap();
    assert_eq!(csv.lines().count(), 1 + LAYERS * (HEADS + 1));
    let tensors = window.export("safetensors", &dir.path().join("sweep.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(tensors.tensor("heads_log_prob").unwrap().shape(), [LAYERS, HEADS]);
    to_patch(&mut window);
    patched_once(&mut window, "Measure all");
    let csv = String::from_utf8(window.export("csv", &dir.path().join("patch.csv"))).unwrap();
    assert_eq!(csv.lines().count(), 1 + LAYERS * TEXT.len());
}

#[test]
fn what_was_asked_is_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(dir.path().to_owned()), ..with_text_model() };
    let mut window = opened(LAPTOP, 1.0, options());
    to_patch(&mut window);
    window.wait("no session", |_| {
        let saved = std::fs::read_to_string(dir.path().join("session.json")).unwrap_or_default();
        let saved: serde_json::Value = serde_json::from_str(&saved).unwrap_or_default();
        let causes = &saved["panels"]["attention"]["causes"];
        causes["mode"] == "patch" && causes["source"] == "The dog sat on the a"
    });
    drop(window);
    let mut window = Window::open(LAPTOP, 1.0, options());
    window.press(Modifiers::COMMAND, Key::Num1);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Num3);
    let inspections = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
    let outcome = Outcome::Inspected(Arc::new(inspected(&TEXT)));
    window.engine.say(Event::Done { job: *inspections.last().unwrap(), outcome });
    window.harness.run_steps(4);
    let spec = patched_once(&mut window, "Measure all");
    assert_eq!(spec.source, PromptInput::Text("The dog sat on the a".into()));
}

#[test]
fn ctrl_enter_asks_anew() {
    let mut window = opened(LAPTOP, 1.0, with_text_model());
    swept_once(&mut window);
    let before = sweeps(&window).len();
    window.press(Modifiers::COMMAND, Key::Enter);
    window.settle();
    assert_eq!(sweeps(&window).len(), before + 1);
}

#[test]
fn every_widget_has_a_name_in_both_themes() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        for size in [SMALL, LAPTOP] {
            let options = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 1.0, options);
            swept_once(&mut window);
            let unnamed = window.harness.unnamed_widgets();
            assert!(unnamed.is_empty(), "{theme:?}: {unnamed:#?}");
            to_patch(&mut window);
            patched_once(&mut window, "Measure all");
            let unnamed = window.harness.unnamed_widgets();
            assert!(unnamed.is_empty(), "{theme:?}: {unnamed:#?}");
        }
    }
}

#[test]
fn pictures_of_the_maps_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_the_maps_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (LAPTOP, "laptop")] {
            let of = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 0.5, of);
            // The one map at one size, the other at the other.
            if size == SMALL {
                to_patch(&mut window);
                patched_once(&mut window, "Estimate, check 20");
                click_cell(&mut window, "Layer 0, ‘cat ← dog’");
            } else {
                swept_once(&mut window);
                click_cell(&mut window, "Without head 2.3: ");
            }
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let corner = egui::pos2(size.x * 0.5, size.y - 28.0);
            window.harness.mask(egui::Rect::from_min_max(corner, size.to_pos2()));
            window.harness.snapshot_options(format!("attention-causes-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
