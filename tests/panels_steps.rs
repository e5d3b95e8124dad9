//! What the attention panel does with the steps of a token when they are used.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Command, Event, Outcome, PromptInput, StepsSpec, TermsSpec, Work};
use fovea::types::{
    AddedByBlock, Candidate, JobId, PromptToken, Site, StepKind, StepValues, StepsReport, Term, TermsReport, UserError,
};
use fovea::ui::ThemeChoice;
use std::sync::Arc;
use window::{LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

const WIDTH: usize = 64;

/// Steps of made-up numbers, which can be told apart. What a real model has is tested in `tests/steps.rs`.
fn made_up(spec: &StepsSpec) -> StepsReport {
    let PromptInput::Ids(ids) = &spec.prompt else { panic!("a run is read by its ids") };
    let count = ids.len();
    let text = |i: usize| [" the", " girl", " had", " a", " little", " red", " ball"][i % 7].to_owned();
    let tokens = (0..count).map(|i| PromptToken { id: ids[i], text: text(i), span: 0..0 }).collect();
    let wave = |kind: usize, i: usize| ((i * (3 + kind) + kind) as f32 * 0.7).sin() * (1.0 + (i % 5) as f32 * 0.3);
    let is_seen = |key: usize| key <= spec.query;
    let score = |key: usize| wave(spec.head, key) + if key == spec.key { 1.5 } else { 0.0 };
    let sum: f32 = (0..=spec.query).map(|key| score(key).exp()).sum();
    let step = |kind: StepKind, site: Option<Site>, values: Vec<f32>| StepValues { kind, site, values: values.into() };
    let vector = |kind: StepKind, site: Option<Site>, width: usize| {
        step(kind, site, (0..width).map(|i| wave(kind as usize, i)).collect())
    };
    let keys = |kind: StepKind, of: &dyn Fn(usize) -> f32| step(kind, None, (0..count).map(of).collect());
    let layer = spec.layer;
    let mut steps = vec![
        vector(StepKind::Embed, Some(Site::Embed), WIDTH),
        vector(StepKind::Entered, Some(Site::ResidPre(0)), WIDTH),
        vector(StepKind::Stream, Some(Site::ResidPre(layer)), WIDTH),
        vector(StepKind::NormAttn, None, WIDTH),
        vector(StepKind::QueryProjected, None, 16),
        vector(StepKind::Query, Some(Site::Q(layer)), 16),
        vector(StepKind::KeyProjected, None, 16),
        vector(StepKind::Key, Some(Site::K(layer)), 16),
        vector(StepKind::Value, Some(Site::V(layer)), 16),
        keys(StepKind::Product, &|key| 4.0 * score(key)),
        keys(StepKind::Scaled, &score),
        keys(StepKind::Scores, &|key| if is_seen(key) { score(key) } else { f32::MIN }),
        keys(StepKind::Pattern, &|key| if is_seen(key) { score(key).exp() / sum } else { 0.0 }),
        vector(StepKind::Weighted, Some(Site::Z(layer)), 16),
        vector(StepKind::HeadOutput, None, WIDTH),
        vector(StepKind::AttnOut, Some(Site::AttnOut(layer)), WIDTH),
        vector(StepKind::Mid, Some(Site::ResidMid(layer)), WIDTH),
        vector(StepKind::NormMlp, None, WIDTH),
        vector(StepKind::MlpPre, Some(Site::MlpPre(layer)), 4 * WIDTH),
        vector(StepKind::MlpPost, Some(Site::MlpPost(layer)), 4 * WIDTH),
        vector(StepKind::MlpOut, Some(Site::MlpOut(layer)), WIDTH),
        vector(StepKind::Post, Some(Site::ResidPost(layer)), WIDTH),
        vector(StepKind::LnFinal, Some(Site::LnFinal), WIDTH),
        step(StepKind::Logits, Some(Site::Logits), vec![3.0, 2.0, 1.0, 0.0, -1.0]),
    ];
    // What enters the first block is told once.
    steps.retain(|step| layer > 0 || step.kind != StepKind::Stream);
    let top = |(id, text): (usize, &str)| Candidate { id: id as u32, text: text.into(), probability: 0.2 };
    StepsReport {
        tokens,
        layer,
        head: spec.head,
        kv_head: 0,
        group: 2,
        layers: 2,
        query: spec.query,
        key: spec.key,
        steps,
        absent: vec![(StepKind::Position, "No learned positions: queries and keys are rotated by theirs.")],
        keys: vec![0.5; 16 * count].into(),
        values: vec![0.5; 16 * count].into(),
        z: vec![0.5; 64].into(),
        added: vec![AddedByBlock { attn: vec![0.1; WIDTH], mlp: vec![0.1; WIDTH], mid: Vec::new() }; 2],
        rotated_by: Some([spec.query as f32, spec.key as f32]),
        frequencies: (0..8).map(|i| 0.5f64.powi(i)).collect(),
        positions: Vec::new().into(),
        scale: 0.25,
        top: [" dog", " cat", " bird", " cow", " fish"].into_iter().enumerate().map(top).collect(),
    }
}

/// Terms of made-up numbers; their sum is the number but for a small remainder.
fn made_up_terms(spec: &TermsSpec) -> TermsReport {
    let value = spec.steps.values_of(spec.kind)[spec.index];
    let parts = [0.8, -0.5, 0.4, 0.2, 0.1].map(|share| f64::from(value) * share);
    let term = |(i, value): (usize, &f64)| Term {
        name: format!("component {}", 7 * i + 3),
        factors: Some([value / 0.25, 0.25]),
        value: *value,
        from: Some((StepKind::Embed, 7 * i + 3)),
    };
    TermsReport {
        kind: spec.kind,
        index: spec.index,
        value,
        formula: "Σ weight · Normalised + bias".into(),
        terms: parts.iter().enumerate().map(term).collect(),
        count: 5,
        sum: parts.iter().sum(),
        magnitude: parts.iter().map(|part| part.abs()).sum(),
        made: parts.iter().sum::<f64>() - 1e-7,
        facts: vec![("mean", 0.125)],
    }
}

fn asked_steps(window: &Window<'_>) -> Vec<(JobId, StepsSpec)> {
    window.engine.started(|job, work| match work {
        Work::Steps(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

fn asked_terms(window: &Window<'_>) -> Vec<(JobId, TermsSpec)> {
    window.engine.started(|job, work| match work {
        Work::Terms(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

fn answer_steps(window: &mut Window<'_>) -> StepsSpec {
    let (job, spec) = asked_steps(window).pop().expect("steps were asked for");
    window.engine.say(Event::Done { job, outcome: Outcome::Stepped(Arc::new(made_up(&spec))) });
    window.settle();
    spec
}

/// Waits until the pointer has rested on a number of this step.
fn wait_for_terms(window: &mut Window<'_>, kind: StepKind) {
    window.wait("no question", |window| asked_terms(window).last().is_some_and(|(_, spec)| spec.kind == kind));
}

fn answer_terms(window: &mut Window<'_>) -> TermsSpec {
    let (job, spec) = asked_terms(window).pop().expect("terms were asked for");
    window.engine.say(Event::Done { job, outcome: Outcome::TermsFound(Arc::new(made_up_terms(&spec))) });
    window.settle();
    spec
}

/// A window on the steps of the last token of a run.
fn following(mut window: Window<'static>) -> Window<'static> {
    window.press(Modifiers::COMMAND, Key::Enter);
    window.press(Modifiers::COMMAND, Key::Num3);
    window.click("Layer 0 head 1");
    window.harness.get_by_role_and_label(Role::RadioButton, "Steps").click();
    window.settle();
    window
}

fn small() -> Window<'static> {
    following(Window::open(SMALL, 1.0, with_text_model()))
}

#[test]
fn the_last_token_is_followed_to_the_key_it_looks_at_most() {
    let mut window = small();
    let spec = answer_steps(&mut window);
    let PromptInput::Ids(ids) = &spec.prompt else { panic!("{spec:?}") };
    assert_eq!((spec.layer, spec.head, spec.query), (0, 1, ids.len() - 1));
    // The scripted pattern of this head is largest at the query itself.
    assert_eq!(spec.key, spec.query);
    for part in ["Token", "Norm", "q, k", "Weights", "Values", "Output", "Stream", "MLP", "Out", "Final", "Next"] {
        assert!(window.has(&format!("{part} of the steps")), "{part} is in the picture of the pass");
    }
    window.click("Layer 1 head 2");
    assert_eq!(answer_steps(&mut window).head, 2, "another head is followed at once");
    window.press(Modifiers::NONE, Key::ArrowLeft);
    assert_eq!(answer_steps(&mut window).head, 1, "arrow keys go through the heads");
}

#[test]
fn a_key_that_is_chosen_in_the_table_is_followed_and_stays_for_other_heads() {
    let mut window = small();
    let query = answer_steps(&mut window).query;
    let before = asked_steps(&window).len();
    let other = query - 2;
    let beginning = format!("Key {other} ");
    let name = window.harness.get_by_label_contains(&beginning).accesskit_node().label().unwrap();
    window.click(&name);
    let spec = answer_steps(&mut window);
    assert_eq!(asked_steps(&window).len(), before + 1);
    assert_eq!(spec.key, other);
    window.click("Layer 1 head 3");
    assert_eq!(answer_steps(&mut window).key, spec.key);
}

#[test]
fn a_number_that_is_pointed_at_shows_its_terms_and_ends_the_question_before() {
    let mut window = small();
    answer_steps(&mut window);
    let first = answer_terms(&mut window);
    assert_eq!(
        (first.kind, first.index),
        (StepKind::Pattern, first.steps.key),
        "the weight of the chosen key comes first"
    );
    window.click("q, k of the steps");
    wait_for_terms(&mut window, StepKind::Query);
    let (unanswered, first) = asked_terms(&window).pop().unwrap();
    let buttons =
        window.harness.get_all_by_label_contains("Query q ").filter(|n| n.accesskit_node().role() == Role::Button);
    let second = buttons.map(|n| n.accesskit_node().label().unwrap_or_default()).nth(1).unwrap();
    window.click(&second);
    window.wait("no question", |window| asked_terms(window).last().is_some_and(|(_, spec)| spec.index != first.index));
    let spec = answer_terms(&mut window);
    assert!(second.starts_with(&format!("Query q {}:", spec.index)), "{second}");
    let cancelled = window.engine.sent(|c| match c {
        Command::Cancel { job } => Some(*job),
        _ => None,
    });
    assert!(cancelled.contains(&unanswered), "what nobody points at any more is not looked for");
    let terms =
        window.harness.get_all_by_label_contains("component ").filter(|n| n.accesskit_node().role() == Role::Button);
    let tops: Vec<(String, f32)> =
        terms.map(|n| (n.accesskit_node().label().unwrap_or_default(), n.rect().top())).collect();
    assert!(tops[0].0.starts_with("component 3 ") && tops.is_sorted_by(|a, b| a.1 < b.1), "{tops:?}");
    assert!(window.has("Remainder 1.00e-7") || window.harness.query_by_label_contains("Remainder 1.0").is_some());
    assert!(window.harness.query_by_label_contains("Sum of 5 terms").is_some());
}

#[test]
fn a_term_leads_to_the_number_it_comes_of() {
    let mut window = small();
    answer_steps(&mut window);
    answer_terms(&mut window);
    let beginning = "component 10 ".to_owned();
    let name = window.harness.get_by_label_contains(&beginning).accesskit_node().label().unwrap();
    window.click(&name);
    wait_for_terms(&mut window, StepKind::Embed);
    assert_eq!(asked_terms(&window).pop().unwrap().1.index, 10);
    assert!(window.harness.query_by_label_contains("Token embedding: 64 numbers").is_some(), "its part is open");
}

#[test]
fn terms_are_asked_of_the_steps_that_are_shown() {
    let mut window = small();
    answer_steps(&mut window);
    answer_terms(&mut window);
    let before = asked_terms(&window).len();
    window.click("Layer 1 head 2");
    // Longer than the pointer has to rest.
    let clicked = std::time::Instant::now();
    window.wait("no frame", |_| clicked.elapsed().as_millis() > 150);
    assert_eq!(asked_terms(&window).len(), before, "the steps of another head are on their way");
    answer_steps(&mut window);
    window.wait("no question", |window| asked_terms(window).last().is_some_and(|(_, spec)| spec.steps.head == 2));
}

#[test]
fn a_cell_under_the_pointer_is_asked_about_without_a_click() {
    let mut window = small();
    answer_steps(&mut window);
    window.click("Token of the steps");
    let strip = window.harness.get_by_label_contains("Token embedding: 64 numbers").rect();
    // The third cell of the first row.
    window.harness.event(Input::PointerMoved(strip.min + egui::vec2(25.0, 5.0)));
    window.wait("no question", |window| {
        asked_terms(window).last().is_some_and(|(_, spec)| (spec.kind, spec.index) == (StepKind::Embed, 2))
    });
}

#[test]
fn what_a_family_has_not_is_told_in_a_sentence() {
    let mut window = small();
    answer_steps(&mut window);
    window.click("Token of the steps");
    assert!(window.has("No learned positions: queries and keys are rotated by theirs."));
}

#[test]
fn the_temperature_moves_the_shares_of_the_next_tokens() {
    let mut window = small();
    answer_steps(&mut window);
    window.click("Next of the steps");
    // Softmax of 3, 2, 1, 0, −1.
    let share =
        |window: &Window<'_>| window.harness.get_by_label_contains("·dog: score").accesskit_node().label().unwrap();
    assert!(share(&window).ends_with("score 3.00, 63.6 %"), "{}", share(&window));
    let slider = window.harness.get_by_role_and_label(Role::Slider, "Temperature");
    slider.focus();
    window.settle();
    for _ in 0..40 {
        window.harness.key_press(Key::ArrowRight);
    }
    window.settle();
    assert!(!share(&window).ends_with("63.6 %"), "a higher temperature evens out: {}", share(&window));
}

#[test]
fn the_page_of_position_tells_the_product_at_the_distance_of_the_two_tokens() {
    let mut window = small();
    let spec = answer_steps(&mut window);
    window.click("q, k of the steps");
    assert!(!window.has("Cosines of 8 pairs over 64 tokens"));
    window.click("What position does");
    assert!(window.has("Cosines of 8 pairs over 64 tokens"));
    let beginning = format!("q·k over d, here d {}: q·k ", spec.query - spec.key);
    assert!(window.harness.query_by_label_contains(&beginning).is_some(), "{beginning}");
    window.click("Weights of the steps");
    assert!(!window.has("What position does"), "weights have no page of position");
}

#[test]
fn an_error_stands_where_the_steps_would() {
    let mut window = small();
    let (job, _) = asked_steps(&window).pop().unwrap();
    let error = UserError::new("The steps of a token among 9000 need 4000 MiB.", "Too many.", "Shorten the prompt.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(window.harness.query_by_label_contains("need 4000 MiB").is_some());
    assert!(!window.has("Weights of the steps"));
}

#[test]
fn steps_go_into_files_with_text_and_numbers_and_are_copied_as_a_picture() {
    let mut window = small();
    let spec = answer_steps(&mut window);
    let dir = tempfile::tempdir().unwrap();
    let svg = String::from_utf8(window.export("svg", &dir.path().join("steps.svg"))).unwrap();
    for words in
        ["sprout, layer 0, head 1: ‘", "4  Weights", "11  Next", "Query, projected", "·dog", "key-value head 0"]
    {
        assert!(svg.contains(words), "{words}: {svg}");
    }
    assert!(
        svg.contains(&format!("position {} looks at position {}, counted from 0", spec.query, spec.key))
            && svg.contains("The likeliest next token is ‘dog’")
    );
    let csv = String::from_utf8(window.export("csv", &dir.path().join("steps.csv"))).unwrap();
    let rows = csv.lines().filter(|row| row.contains(",key.blocks.0.attn.k,")).count();
    assert_eq!(rows, 16, "a row a number: {csv}");
    let tensors = window.export("safetensors", &dir.path().join("steps.safetensors"));
    let (_, header) = safetensors::SafeTensors::read_metadata(&tensors).unwrap();
    assert!(header.metadata().as_ref().unwrap()["what"].starts_with("Layer 0, head 1: "));
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(tensors.tensor("blocks.0.mlp.post").unwrap().shape(), [4 * WIDTH]);
    window.click("This view");
    window.click("Copy as a picture");
    window.wait("no picture on the clipboard", |w| {
        let commands = &w.harness.output().platform_output.commands;
        commands.iter().any(|command| matches!(command, egui::OutputCommand::CopyImage(image) if image.width() > 2000))
    });
}

#[test]
fn the_picture_of_the_pass_is_told_in_words() {
    let mut window = small();
    answer_steps(&mut window);
    let told = window.harness.get_all_by_label_contains("Lengths of what is added to its stream: the head ");
    assert_eq!(told.filter(|node| node.accesskit_node().role() == Role::Image).count(), 1);
}

#[test]
fn steps_that_are_on_their_way_are_not_written() {
    let mut window = small();
    window.click("This view");
    window.click("Export SVG");
    assert!(window.has("The steps are still being followed"));
}

#[test]
fn pictures_of_the_steps_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_the_steps_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        let model = fovea::ui::AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
        let mut window = following(Window::open(LAPTOP, 1.0, model));
        answer_steps(&mut window);
        let parts = [("Weights", StepKind::Pattern), ("MLP", StepKind::MlpPost), ("Next", StepKind::Logits)];
        for (part, kind) in parts {
            window.click(&format!("{part} of the steps"));
            wait_for_terms(&mut window, kind);
            answer_terms(&mut window);
            window.harness.remove_cursor();
            window.settle();
            // Memory, and when the run was made.
            window.harness.mask(egui::Rect::from_min_max(egui::pos2(1000.0, 772.0), egui::pos2(1280.0, 800.0)));
            let file = part.to_lowercase();
            window.harness.snapshot_options(format!("steps-{file}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
