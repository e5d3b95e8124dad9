//! What the attention panel shows of several heads and several tokens at once.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, Outcome, Work};
use fovea::types::{
    BrokenReport, Capture, ContextLayer, ContextsReport, HeadWrites, InspectReport, JobId, PromptToken, Site, Values,
};
use fovea::ui::{AppOptions, ThemeChoice};
use std::sync::Arc;
use window::{LAPTOP, Window, has_adapter, plain};

const TOKENS: [&str; 6] = ["The", " foo", "lish", " cat", ".", " Run"];

/// A window that looks at a report of two layers of two heads. Head 0 looks at the first token, head 1 at itself.
fn looking() -> (Window<'static>, JobId) {
    looking_in(ThemeChoice::Dark, 1.0)
}

fn looking_in(theme: ThemeChoice, scale: f32) -> (Window<'static>, JobId) {
    let options = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
    let mut window = Window::open(LAPTOP, scale, options);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Num3);
    let inspected = |job: JobId, work: &Work| matches!(work, Work::Inspect(_)).then_some(job);
    let job = *window.engine.started(inspected).last().unwrap();
    window.engine.say(Event::Done { job, outcome: Outcome::Inspected(Arc::new(report())) });
    window.settle();
    (window, job)
}

fn tokens() -> Vec<PromptToken> {
    let mut end = 0;
    let token = |(id, text): (usize, &&str)| {
        let span = end..end + text.len();
        end = span.end;
        PromptToken { id: id as u32, text: (*text).into(), span }
    };
    TOKENS.iter().enumerate().map(token).collect()
}

fn report() -> InspectReport {
    let side = TOKENS.len();
    let cell = |head: usize, cell: usize| {
        let (query, key) = (cell / side, cell % side);
        f32::from(u8::from(if head == 0 { key == 0 } else { key == query }))
    };
    let values = (0..2).flat_map(|head| (0..side * side).map(move |place| cell(head, place)));
    let values: Values = values.collect();
    let capture = |layer| Capture { site: Site::Pattern(layer), shape: vec![2, side, side], values: values.clone() };
    InspectReport { tokens: tokens(), captures: vec![capture(0), capture(1)], picture: None, left_out: None }
}

fn choose(window: &mut Window<'_>, menu: &str, entry: &str) {
    window.harness.get_by_role_and_label(Role::ComboBox, menu).click();
    window.settle();
    window.click(entry);
    window.harness.event(egui::Event::PointerGone);
    window.settle();
}

/// What the bars of the inspector say, in their order.
fn bars(window: &Window<'_>) -> Vec<String> {
    let left = window.harness.get_by_label("Hide inspector").rect().left() - 300.0;
    let rows = window.harness.get_all_by_role(Role::ListItem).filter(|node| node.rect().left() > left);
    rows.filter_map(|node| node.accesskit_node().label()).filter(|label| !label.starts_with("Token ")).collect()
}

#[test]
fn heads_are_seen_together_as_their_mean() {
    let (mut window, _) = looking();
    window.click("Layer 0 head 1");
    window.click("Token 3: \" cat\"");
    assert_eq!(bars(&window)[0], "·cat 1.000");
    choose(&mut window, "Heads seen together", "Its layer");
    window.wait("no mean", |w| w.has("position 3 · layer 0 · its heads together"));
    assert_eq!(bars(&window)[..2], ["The 0.500", "·cat 0.500"]);
    choose(&mut window, "Heads seen together", "Rollout");
    window.wait("no rollout", |w| w.has("position 3 · rollout of all layers"));
    // Half stays, half is passed on by the mean of the heads, twice: ¾ · ¾ stays with the token itself.
    assert_eq!(bars(&window)[..2], ["·cat 0.562", "The 0.438"]);
    choose(&mut window, "Heads seen together", "Picked heads");
    window.wait("no word of how to pick", |w| {
        w.has("No heads are picked yet: click them in the grid with Ctrl held down.")
    });
    window.harness.get_by_label("Layer 1 head 0").click_modifiers(Modifiers::COMMAND);
    window.settle();
    window.wait("no picked head", |w| w.has("position 3 · the picked heads together"));
    assert_eq!(bars(&window)[0], "The 1.000");
}

#[test]
fn tokens_are_taken_together_as_words_and_sentences() {
    let (mut window, _) = looking();
    window.click("Layer 0 head 1");
    choose(&mut window, "Tokens taken together", "Words");
    assert!(window.has("Token 1: \" foolish\"") && !window.has("Token 2: \"lish\""));
    window.click("Token 1: \" foolish\"");
    assert!(window.has("positions 1 to 2 · layer 0 · head 1"));
    assert_eq!(bars(&window)[0], "·foolish 1.000", "what its two pieces look at, on the average");
    choose(&mut window, "Tokens taken together", "Sentences");
    assert!(window.has("Token 0: \"The foolish cat.\"") && window.has("Token 1: \" Run\""));
}

#[test]
fn several_tokens_are_chosen_with_shift_and_get_a_name() {
    let (mut window, _) = looking();
    window.click("Layer 0 head 0");
    window.click("Token 1: \" foo\"");
    window.harness.get_by_label("Token 3: \" cat\"").click_modifiers(Modifiers::SHIFT);
    window.settle();
    assert!(window.has("positions 1 to 3 · layer 0 · head 0"));
    assert_eq!(bars(&window)[0], "The 1.000");
    window.click("Name these tokens");
    assert!(window.has("Token 1: \"foolish cat\"") && !window.has("Token 3: \" cat\""));
    window.type_into(Role::TextInput, "Name of tokens 1 to 3", "!");
    assert!(window.has("Token 1: \"foolish cat!\""));
    window.harness.get_all_by_label_contains("Forget the name").next().unwrap().click();
    window.settle();
    assert!(window.has("Token 3: \" cat\""));
}

#[test]
fn lengths_are_measured_when_they_are_wanted() {
    let (mut window, _) = looking();
    window.click("Layer 0 head 0");
    let measured = |job: JobId, work: &Work| matches!(work, Work::MeasureWrites(_)).then_some(job);
    assert!(window.engine.started(measured).is_empty(), "nobody wants them yet");
    window.harness.get_by_role_and_label(Role::RadioButton, "Lengths").click();
    window.harness.run_steps(3);
    let job = window.engine.started(measured)[0];
    // Both heads write vectors of length 3 against each other for the first token, and nothing for the others.
    let products = |token: usize| if token == 0 { [9.0, -9.0, -9.0, 9.0] } else { [0.0; 4] };
    let layer: Arc<[f32]> = (0..TOKENS.len()).flat_map(products).collect();
    let writes = HeadWrites { tokens: tokens(), layers: vec![layer.clone(), layer] };
    window.engine.say(Event::Done { job, outcome: Outcome::WritesMeasured(Arc::new(writes)) });
    window.settle();
    window.click("Token 3: \" cat\"");
    assert!(window.has("position 3 · layer 0 · head 0 · lengths"));
    assert_eq!(bars(&window)[0], "The 3.00");
    window.click("Token 0: \"The\"");
    choose(&mut window, "Heads seen together", "Its layer");
    window.wait("no layer", |w| w.has("position 0 · layer 0 · its heads together · lengths"));
    assert!(!bars(&window).iter().any(|bar| bar.starts_with("The 3")), "they cancel: {:?}", bars(&window));
    choose(&mut window, "Heads seen together", "Every head");
    window.wait("no reason", |w| w.harness.query_all_by_label_contains("Lengths are of one layer").next().is_some());
}

#[test]
fn a_pinned_cell_stays_while_heads_change() {
    let (mut window, _) = looking();
    window.click("Layer 0 head 0");
    let map = window.harness.get_all_by_label_contains("Attention pattern of layer").next().unwrap().rect();
    // The cell of `.` (row 4) and the first token.
    let side = map.width() / TOKENS.len() as f32;
    let at = map.min + egui::vec2(0.5 * side, 4.5 * side);
    window.harness.event(egui::Event::PointerMoved(at));
    for pressed in [true, false] {
        let modifiers = Modifiers::COMMAND;
        window.harness.event(egui::Event::PointerButton {
            pos: at,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers,
        });
        window.harness.step();
    }
    window.harness.event(egui::Event::PointerGone);
    window.settle();
    assert!(window.has(". → The  1.0000"), "the weight of head 0");
    window.click("Layer 0 head 1");
    assert!(window.has(". → The  0.0000"), "and of head 1");
    window.click("Let go of . → The");
    assert!(!window.has(". → The  0.0000"));
}

#[test]
fn lines_are_drawn_between_what_looks_and_what_is_looked_at() {
    let (mut window, _) = looking();
    window.click("Layer 0 head 0");
    window.harness.get_by_role_and_label(Role::RadioButton, "Lines").click();
    window.settle();
    window.click("·cat is looked at, unit 3");
    assert!(window.has("position 3 · layer 0 · head 0"));
    let looked_at = |window: &Window<'_>| {
        let choice = window.harness.get_by_role_and_label(Role::RadioButton, "Looked at by");
        choice.accesskit_node().toggled()
    };
    assert_eq!(looked_at(&window), Some(Toggled::True), "a click at the right asks who looks");
    window.click("·cat looks, unit 3");
    window.click("The looks, unit 0");
    assert_eq!(looked_at(&window), Some(Toggled::False));
}

#[test]
fn values_that_are_no_numbers_are_told_with_the_site_of_the_pass_that_has_them_first() {
    let (mut window, job) = looking();
    let mut broken = report();
    let mut values = broken.captures[1].values.to_vec();
    values[0] = f32::NAN;
    broken.captures[1].values = values.into();
    window.engine.say(Event::Done { job, outcome: Outcome::Inspected(Arc::new(broken.clone())) });
    window.press(Modifiers::COMMAND, Key::Enter);
    let inspected = |job: JobId, work: &Work| matches!(work, Work::Inspect(_)).then_some(job);
    let again = *window.engine.started(inspected).last().unwrap();
    window.engine.say(Event::Done { job: again, outcome: Outcome::Inspected(Arc::new(broken)) });
    window.settle();
    let asked = |job: JobId, work: &Work| match work {
        Work::FindBroken(spec) => Some((job, spec.prompt.clone())),
        _ => None,
    };
    assert_eq!(window.engine.started(asked).len(), 0, "nobody looks while all that is seen is a number");
    window.click("Layer 1 head 0");
    assert!(window.has("Some values are not a number, so there are no colours for them."));
    let [(looking, _)] = window.engine.started(asked).try_into().unwrap();
    let site = Some(Site::MlpOut(0));
    let found = BrokenReport { site };
    window.engine.say(Event::Done { job: looking, outcome: Outcome::BrokenFound(Arc::new(found)) });
    window.settle();
    let told = "Some values are not a number. The first site of the pass that has them is blocks.0.mlp_out.";
    assert!(window.has(told));
    window.click("Layer 0 head 0");
    assert!(!window.has(told), "this head is whole");
}

#[test]
fn a_layer_that_did_not_fit_is_read_when_it_is_looked_at() {
    let (mut window, _) = looking();
    let inspected = |job: JobId, work: &Work| match work {
        Work::Inspect(spec) => Some((job, spec.sites.clone())),
        _ => None,
    };
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = window.engine.started(inspected).last().cloned().unwrap();
    let mut first = report();
    let second = first.captures.pop().unwrap();
    first.left_out = Some("1 site was left out.".into());
    window.engine.say(Event::Done { job, outcome: Outcome::Inspected(Arc::new(first)) });
    window.settle();
    window.click("Layer 0 head 1");
    let before = window.engine.started(inspected).len();
    window.harness.get_by_label("Layer 1 head 1").click();
    window.harness.run_steps(3);
    assert!(window.has("Reading the text once more for this layer: not all of them fit into memory…"));
    let (job, sites) = window.engine.started(inspected).last().cloned().unwrap();
    assert_eq!(window.engine.started(inspected).len(), before + 1);
    assert_eq!(sites, "blocks.1.attn.pattern".parse().unwrap());
    let alone = InspectReport { captures: vec![second], ..report() };
    window.engine.say(Event::Done { job, outcome: Outcome::Inspected(Arc::new(alone)) });
    window.settle();
    window.click("Token 3: \" cat\"");
    assert_eq!(bars(&window)[0], "·cat 1.000");
    window.click("Layer 1 head 0");
    assert_eq!(window.engine.started(inspected).len(), before + 1, "the layer's other heads came along");
}

/// A window in which `bank` was compared in two texts, over three states of the stream.
fn compared(theme: ThemeChoice, scale: f32) -> Window<'static> {
    let (mut window, _) = looking_in(theme, scale);
    window.harness.get_by_role_and_label(Role::RadioButton, "Contexts").click();
    window.settle();
    window.press(Modifiers::COMMAND, Key::Enter);
    let asked = |job: JobId, work: &Work| match work {
        Work::CompareContexts(spec) => Some((job, spec.clone())),
        _ => None,
    };
    let (job, spec) = window.engine.started(asked)[0].clone();
    assert_eq!(spec.texts[0], "by the river we sat on the bank", "a decoder sees only what stands before the word");
    let token = |text: &str| PromptToken { id: 1, text: text.into(), span: 0..0 };
    let layer = |cosine: f32| ContextLayer {
        cosine,
        tokens: [vec![(token(" shore"), 0.5)], vec![(token(" money"), 0.25)]],
        positions: [vec![(1, cosine)], vec![(1, cosine)]],
    };
    let other = |text: &str| PromptToken { id: text.len() as u32 * u32::from(text.as_bytes()[1]), ..token(text) };
    let texts = [" river", " money"].map(|before| vec![other(before), token(" bank")]);
    let report = ContextsReport { texts, places: [1, 1], layers: vec![layer(1.0), layer(0.625), layer(0.75)] };
    window.engine.say(Event::Done { job, outcome: Outcome::ContextsCompared(Arc::new(report)) });
    window.settle();
    window
}

#[test]
fn a_word_is_compared_in_two_texts_and_the_answer_says_which() {
    let mut window = compared(ThemeChoice::Dark, 1.0);
    assert!(window.has("block 0: cosine 0.625; first near ·shore 0.50; second near ·money 0.25"));
    assert!(!window.has("made before the last change"));
    window.type_into(Role::TextInput, "Word", "s");
    assert!(window.has("made before the last change"));
}

#[test]
fn contexts_go_into_files_with_their_words_and_are_copied_as_a_picture() {
    let mut window = compared(ThemeChoice::Dark, 1.0);
    let words = "‘bank’: the cosine of its two vectors is 1.00 at the embedding and 0.75 behind the last block; it falls most in \
                 block 0, from 1.00 to 0.62. At the end the first is nearest to ‘shore’, the second to ‘money’.";
    assert!(window.has(words));
    let dir = tempfile::tempdir().unwrap();
    let svg = String::from_utf8(window.export("svg", &dir.path().join("contexts.svg"))).unwrap();
    for part in ["sprout: ‘bank’ in two texts", "First: “by the river we sat on the bank”", words, ">\nblock 1\n<"]
    {
        assert!(svg.contains(part), "{part}: {svg}");
    }
    let csv = String::from_utf8(window.export("csv", &dir.path().join("contexts.csv"))).unwrap();
    assert!(csv.contains("\nblock 0,0.625, shore,0.5, money,0.25,1,0.625,1,0.625\n"), "{csv}");
    let tensors = window.export("safetensors", &dir.path().join("contexts.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(tensors.tensor("cosine").unwrap().shape(), [3]);
    window.click("This view");
    window.click("Copy as a picture");
    window.wait("no picture on the clipboard", |w| {
        let commands = &w.harness.output().platform_output.commands;
        commands.iter().any(|command| matches!(command, egui::OutputCommand::CopyImage(image) if image.width() > 1000))
    });
}

#[test]
fn pictures_of_lines_and_contexts_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_lines_and_contexts_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let (mut lines, _) = looking_in(theme, 0.5);
        lines.click("Layer 0 head 0");
        lines.harness.get_by_role_and_label(Role::RadioButton, "Lines").click();
        lines.settle();
        lines.click("·cat looks, unit 3");
        for (view, mut window) in [("lines", lines), ("contexts", compared(theme, 0.5))] {
            window.harness.event(egui::Event::PointerGone);
            window.harness.remove_cursor();
            window.settle();
            // Memory, and when the run was made.
            window.harness.mask(egui::Rect::from_min_max(egui::pos2(1000.0, 772.0), egui::pos2(1280.0, 800.0)));
            window.harness.snapshot_options(format!("attention-{view}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}

#[test]
fn texts_that_were_cleared_stay_clear() {
    let (mut window, _) = looking();
    window.harness.get_by_role_and_label(Role::RadioButton, "Contexts").click();
    window.settle();
    let text = |window: &Window<'_>, name: &str| window.harness.get_by_role_and_label(Role::TextInput, name).value();
    assert_eq!(
        text(&window, "First text").as_deref(),
        Some("by the river we sat on the bank"),
        "an example to begin with"
    );
    for name in ["First text", "Second text"] {
        window.harness.get_by_role_and_label(Role::TextInput, name).focus();
        window.settle();
        window.press(Modifiers::COMMAND, Key::A);
        window.press(Modifiers::NONE, Key::Backspace);
    }
    for name in ["First text", "Second text"] {
        assert_eq!(text(&window, name).unwrap_or_default(), "", "{name}");
    }
}
