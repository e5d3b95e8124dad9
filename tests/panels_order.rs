//! Word order: what is asked of the engine, what a click changes, and what is told of what it answers.

#[path = "support/looking.rs"]
mod looking;
mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers, Vec2};
use egui_kittest::SnapshotOptions;
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, Outcome, PromptInput, WordOrderSpec, Work};
use fovea::types::{
    Architecture, Blocks, Candidate, Capture, ChangedAnswer, ChangedOrder, EncoderInfo, JobId, ModelId, ModelInfo,
    Pooling, Precision, Reordering, Shape, Site, WithoutOrder, WordOrderReport,
};
use fovea::ui::{AppOptions, ThemeChoice};
use looking::{inspected, looking_at, tokens};
use std::sync::Arc;
use window::{LAPTOP, SMALL, Window, has_adapter, plain, with_text_model};

const WIDE: Vec2 = Vec2::new(1600.0, 1000.0);
const TEXT: [&str; 8] = ["The", " small", " dog", " chased", " the", " foo", "lish", " cat"];

/// What an engine might answer.
fn answered(texts: &[&str], spec: &WordOrderSpec) -> WordOrderReport {
    let candidate = |id: u32, text: &str, probability| Candidate { id, text: text.into(), probability };
    let change = |(place, how): (usize, Reordering)| {
        let less = 0.1 * (place + 1) as f32;
        let said = ChangedAnswer {
            kl: f64::from(less) * 2.0,
            written: vec![0.5 - less, 0.25, 0.05],
            top: vec![(candidate(93, " tree", 0.3 + less), 0.01), (candidate(90, " up", 0.5 - less), 0.5)],
        };
        ChangedOrder {
            how,
            said: Some(said),
            cosines: vec![1.0, 1.0 - less / 2.0, 1.0 - less],
            pooled: None,
            heads: vec![vec![0.125 + less, 0.0], vec![0.25, 0.5 + less]],
        }
    };
    WordOrderReport {
        tokens: tokens(texts),
        token: spec.token,
        swap: spec.swap,
        order: spec.order.clone(),
        positions: Some(Site::Rotary),
        said: Some(vec![candidate(90, " up", 0.5), candidate(91, " away", 0.25), candidate(92, ".", 0.125)]),
        changes: Reordering::ALL.into_iter().enumerate().map(change).collect(),
        without: Some(WithoutOrder { token: vec![0.0, 3e-7, 0.75], all: 0.75, largest: 8.0 }),
        left_out: None,
    }
}

fn asked(window: &Window<'_>) -> Vec<(JobId, WordOrderSpec)> {
    window.engine.started(|job, work| match work {
        Work::ChangeOrder(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

/// The newest question, answered.
fn answer(window: &mut Window<'_>, texts: &[&str]) -> WordOrderSpec {
    let (job, spec) = asked(window).pop().unwrap();
    let report = answered(texts, &spec);
    window.engine.say(Event::Done { job, outcome: Outcome::OrderChanged(Arc::new(report)) });
    window.settle();
    spec
}

fn opened(size: Vec2, scale: f32, options: AppOptions, texts: &[&str]) -> Window<'static> {
    looking_at("Word order", size, scale, options, texts)
}

fn looking() -> Window<'static> {
    let mut window = opened(WIDE, 1.0, with_text_model(), &TEXT);
    answer(&mut window, &TEXT);
    window
}

fn says(window: &Window<'_>, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

fn is_row(node: &egui_kittest::Node<'_>, change: &str) -> bool {
    node.accesskit_node().label().is_some_and(|label| label.starts_with(&format!("{change}, likeliest")))
}

/// Clicks the row of a change.
fn look_at(window: &mut Window<'_>, change: &str) {
    window.harness.get_all_by_role(Role::RadioButton).find(|node| is_row(node, change)).unwrap().click();
    window.settle();
}

/// Clicks the token in the strip, and waits for the choice to rest.
fn pick(window: &mut Window<'_>, what: &str, token: &str) {
    window.harness.get_by_role_and_label(Role::RadioButton, what).click();
    window.settle();
    let before = asked(window).len();
    window.harness.get_all_by_label(token).next().unwrap().click();
    window.wait("no question", |w| asked(w).len() > before);
}

#[test]
fn a_text_is_asked_about_with_two_words_to_swap_and_its_last_word_in_place() {
    let mut window = opened(WIDE, 1.0, with_text_model(), &TEXT);
    let spec = answer(&mut window, &TEXT);
    assert_eq!(spec.prompt, PromptInput::Ids((10..18).collect()), "the tokens themselves, not their text");
    assert_eq!((spec.token, spec.swap), (7, Some([3, 6])), "chased and foolish, at its last token");
    assert_eq!(spec.order[7], 7, "what comes next is asked behind the last word");
    let place = spec.order.iter().position(|token| *token == 5).unwrap();
    assert_eq!(spec.order[place + 1], 6, "the pieces of a word stay together");
    assert_ne!(spec.order, (0..8).collect::<Vec<_>>());
    assert_eq!(asked(&window).len(), 1, "an answer is no reason to ask again");
}

#[test]
fn each_order_is_a_row_and_a_click_looks_at_it_closely() {
    let mut window = looking();
    assert!(window.has("as written"));
    let row = "two swapped, likeliest ‘·tree’, ‘·up’ 30.0 % of 50.0 %, KL 0.400 nats, cosine 0.800, heads 0.319";
    assert!(window.has(row));
    assert!(says(&window, "No query and no key is rotated"), "positions off is looked at first");
    assert!(window.has("·up 50.0 % → 40.0 % ↓") && window.has("·tree 1.0 % → 40.0 % ↑"));
    window.click(row);
    assert!(says(&window, "Both stay where they stand and see the tokens they saw"));
    assert!(window.has("·up 50.0 % → 30.0 % ↓"));
    assert!(says(&window, "‘·chased’ and ‘lish’ take ‘·up’ from 50.0 % to 30.0 % (0.400 nats)"));
    assert!(says(&window, "by its mask. Behind the first block ‘·cat’ has the same vector (within 3.0e-7)"));
}

#[test]
fn a_click_follows_another_token_or_swaps_it() {
    let mut window = looking();
    pick(&mut window, "Follow", "Token 2: \" dog\"");
    assert_eq!(answer(&mut window, &TEXT).token, 2);
    let before = asked(&window).pop().unwrap().1.swap.unwrap();
    pick(&mut window, "Swap one", "Token 1: \" small\"");
    assert_eq!(answer(&mut window, &TEXT).swap, Some([1, before[1]]));
    pick(&mut window, "Swap other", "Token 4: \" the\"");
    assert_eq!(answer(&mut window, &TEXT).swap, Some([1, 4]));
    pick(&mut window, "Swap one", "Token 4: \" the\"");
    answer(&mut window, &TEXT);
    assert!(window.has("‘·the’ is swapped with itself, which changes nothing."));
}

#[test]
fn another_seed_is_another_order_and_the_stamp_names_it() {
    let mut window = looking();
    assert!(says(&window, "seed 1"));
    let before = asked(&window);
    window.click("Shuffle again");
    window.wait("no question", |w| asked(w).len() > before.len());
    let spec = answer(&mut window, &TEXT);
    assert_ne!(spec.order, before[0].1.order);
    assert!(says(&window, "seed 2"));
    look_at(&mut window, "words shuffled");
    let read: String = spec.order.iter().map(|token| TEXT[*token]).collect();
    assert!(window.has(&format!("‘{read}’")), "{read}");
}

#[test]
fn a_click_on_a_head_opens_it_in_the_map() {
    let mut window = looking();
    window.click("Head 1.1 changed by 0.600");
    assert!(window.has("Layer 1 · head 1"));
    assert!(says(&window, "Attention pattern of layer"), "the map is on show");
}

#[test]
fn lines_are_a_table_on_demand() {
    let mut window = looking();
    assert!(says(&window, "layer by layer: positions off ends at 0.900, two swapped ends at 0.800"));
    window.harness.get_by_role_and_label(Role::RadioButton, "Table").click();
    window.settle();
    assert!(window.has("0.8500") && window.has("block 1") && !says(&window, "layer by layer: positions off"));
}

#[test]
fn the_numbers_go_into_a_file() {
    let mut window = looking();
    let dir = tempfile::tempdir().unwrap();
    let csv = String::from_utf8(window.export("CSV", &dir.path().join("order.csv"))).unwrap();
    let mut table = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let of =
        |reading: &str, quantity: &str| rows.iter().filter(|row| &row[0] == reading && &row[1] == quantity).count();
    assert_eq!((of("swapped", "cosine"), of("swapped", "total_variation"), of("swapped", "kl_nats")), (3, 4, 1));
    assert_eq!(of("shuffled_positions_off", "probability"), 4);
    let svg = String::from_utf8(window.export("SVG", &dir.path().join("order.svg"))).unwrap();
    for words in ["sprout, word order", "8 tokens; seed 1", "\nTwo swapped\n"] {
        assert!(svg.contains(words), "{words}: {svg}");
    }
}

#[test]
fn what_was_chosen_is_there_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(dir.path().to_owned()), ..with_text_model() };
    let mut window = opened(WIDE, 1.0, options(), &TEXT);
    answer(&mut window, &TEXT);
    window.click("Shuffle again");
    window.wait("no question", |w| asked(w).len() > 1);
    answer(&mut window, &TEXT);
    pick(&mut window, "Swap one", "Token 1: \" small\"");
    let last = answer(&mut window, &TEXT);
    look_at(&mut window, "two swapped");
    window.wait("no session", |_| {
        let saved = std::fs::read_to_string(dir.path().join("session.json")).unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(&saved)
            .is_ok_and(|saved| saved["panels"]["attention"]["order"]["focus"] == "swapped")
    });
    drop(window);
    let mut window = Window::open(WIDE, 1.0, options());
    window.press(Modifiers::COMMAND, Key::Num1);
    window.press(Modifiers::COMMAND, Key::Enter);
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Num3);
    let inspections = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
    let outcome = Outcome::Inspected(Arc::new(inspected(&TEXT)));
    window.engine.say(Event::Done { job: *inspections.last().unwrap(), outcome });
    window.harness.run_steps(4);
    let spec = answer(&mut window, &TEXT);
    assert_eq!((spec.order, spec.swap), (last.order, last.swap));
    let mut rows = window.harness.get_all_by_role(Role::RadioButton);
    let row = rows.find(|node| is_row(node, "two swapped")).unwrap();
    assert_eq!(row.accesskit_node().toggled(), Some(Toggled::True));
}

fn encoder(mask: Option<&str>) -> ModelInfo {
    let reads = EncoderInfo {
        mask: mask.map(str::to_owned),
        pooling: Pooling::Mean,
        normalised: true,
        is_sentence_model: mask.is_none(),
        longest: 64,
    };
    let blocks = Blocks { layers: 2, heads: 2, kv_heads: 2, hidden: 8 };
    ModelInfo {
        id: ModelId::next(),
        name: "little-bert".into(),
        path: "models/little-bert".into(),
        architecture: Architecture::Bert,
        precision: Precision::F32,
        parameters: 22_700_000,
        shape: Shape::Encoder { blocks, vocabulary: 100, context: 64, reads },
        held_out: None,
        adapter: None,
        modified: false,
        trained_steps: 0,
        own_sampling: None,
        quantised: None,
    }
}

/// A window on what an encoder read.
fn encoding(mask: Option<&str>, texts: &[&str]) -> Window<'static> {
    let mut window = Window::open(WIDE, 1.0, plain(ThemeChoice::Dark));
    let model = encoder(mask);
    window.engine.0.borrow_mut().answers = false;
    window.engine.say(Event::Model { info: model.clone(), weights: Arc::default() });
    window.engine.say(Event::Done { job: JobId::next(), outcome: Outcome::Opened { model: model.id } });
    window.settle();
    window.press(Modifiers::COMMAND, Key::Num3);
    window.type_into(Role::MultilineTextInput, "Text for the encoder", "a text");
    window.click("Read it");
    let inspections = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
    let report = inspected(texts);
    window.engine.say(Event::Done { job: *inspections.last().unwrap(), outcome: Outcome::Inspected(Arc::new(report)) });
    window.settle();
    window.harness.get_by_role_and_label(Role::RadioButton, "Word order").click();
    window.harness.run_steps(4);
    window
}

#[test]
fn an_encoder_keeps_its_special_tokens_follows_its_mask_and_sees_a_set() {
    let texts = ["[CLS]", "the", "dog", "[MASK]", "loudly", "[SEP]"];
    let mut tokens = tokens(&texts);
    tokens[3].span = 6..12;
    let mut window = encoding(Some("[MASK]"), &texts);
    let (job, spec) = asked(&window).pop().unwrap();
    assert_eq!(spec.token, 3, "the mask");
    assert_eq!((spec.order[0], spec.order[5]), (0, 5));
    let mut report = answered(&texts, &spec);
    report.positions = Some(Site::PosEmbed);
    report.without = Some(WithoutOrder { token: vec![0.0; 3], all: 4.8e-7, largest: 3.25 });
    window.engine.say(Event::Done { job, outcome: Outcome::OrderChanged(Arc::new(report)) });
    window.settle();
    assert!(says(&window, "Self-attention sees a set") && says(&window, "4.8e-7, of numbers up to 3.25"));
    assert!(says(&window, "That is not the same as giving all tokens one position"));
}

#[test]
fn an_encoder_without_a_head_says_nothing_and_has_the_vector_of_the_text() {
    let texts = ["[CLS]", "dogs", "bark", "[SEP]"];
    let mut window = encoding(None, &texts);
    let (job, spec) = asked(&window).pop().unwrap();
    let mut report = answered(&texts, &spec);
    report.said = None;
    for change in &mut report.changes {
        (change.said, change.pooled) = (None, Some(0.875));
    }
    window.engine.say(Event::Done { job, outcome: Outcome::OrderChanged(Arc::new(report)) });
    window.settle();
    assert!(says(&window, "This encoder has no head that guesses tokens"));
    assert!(window.has("positions off, cosine 0.900, text vector 0.875, heads 0.269"));
}

#[test]
fn a_model_without_positions_says_why_none_are_switched_off() {
    let mut window = opened(WIDE, 1.0, with_text_model(), &TEXT);
    let (job, spec) = asked(&window).pop().unwrap();
    let mut report = answered(&TEXT, &spec);
    (report.positions, report.without) = (None, None);
    report.changes.retain(|change| change.how == Reordering::Shuffled);
    window.engine.say(Event::Done { job, outcome: Outcome::OrderChanged(Arc::new(report)) });
    window.settle();
    assert!(says(&window, "This model is told no positions that could be switched off or swapped"));
    assert!(says(&window, "words shuffled, likeliest") && !says(&window, "positions off, likeliest"));
}

#[test]
fn texts_that_leave_nothing_to_move_are_told_so() {
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &["Once"]);
    let spec = answer(&mut window, &["Once"]);
    assert_eq!((spec.token, spec.swap, spec.order.as_slice()), (0, None, &[0][..]));
    assert!(says(&window, "no other order of this text"));
    assert!(window.has("A single token has no other to be swapped with."));
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &["<s>", "<|endoftext|>"]);
    let spec = answer(&mut window, &["<s>", "<|endoftext|>"]);
    assert_eq!((spec.swap, spec.order.as_slice()), (Some([0, 1]), &[0, 1][..]));
}

#[test]
fn the_pieces_of_an_emoji_are_moved_together() {
    let texts = ["née", " so", "<F09F>", "<98>", "<80>", " far", " end"];
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &texts);
    let spec = answer(&mut window, &texts);
    let place = spec.order.iter().position(|token| *token == 1).unwrap();
    assert_eq!(spec.order[place..place + 4], [1, 2, 3, 4]);
    assert!(says(&window, "words shuffled, likeliest"));
}

#[test]
fn a_text_of_two_thousand_tokens_is_shown_with_what_was_left_out() {
    let words: Vec<String> = (0..2000).map(|word| format!(" word{word}")).collect();
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    // The patterns of so many are not made up here.
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &texts[..2]);
    let mut long = inspected(&texts[..2]);
    long.tokens = tokens(&texts);
    long.captures.clear();
    let values = vec![0.0; 2000 * 2000].into();
    long.captures.push(Capture { site: Site::Pattern(0), shape: vec![1, 2000, 2000], values });
    window.press(Modifiers::COMMAND, Key::Enter);
    let inspections = window.engine.started(|job, work| matches!(work, Work::Inspect(_)).then_some(job));
    window.engine.say(Event::Done { job: *inspections.last().unwrap(), outcome: Outcome::Inspected(Arc::new(long)) });
    let before = asked(&window).len();
    window.wait("no question", |w| asked(w).len() > before);
    let (job, spec) = asked(&window).pop().unwrap();
    assert_eq!(spec.order.len(), 2000);
    let mut report = answered(&texts, &spec);
    report.left_out = Some("Heads are not compared: the weights are too many to keep.".into());
    report.changes.iter_mut().for_each(|change| change.heads.clear());
    window.engine.say(Event::Done { job, outcome: Outcome::OrderChanged(Arc::new(report)) });
    window.settle();
    assert!(window.has("Heads are not compared: the weights are too many to keep."));
    assert!(window.has("two swapped, likeliest ‘·tree’, ‘·up’ 30.0 % of 50.0 %, KL 0.400 nats, cosine 0.800"));
}

#[test]
fn a_failure_is_told_and_the_choices_stay() {
    let mut window = opened(LAPTOP, 1.0, with_text_model(), &TEXT);
    let (job, _) = asked(&window).pop().unwrap();
    let error =
        fovea::types::UserError::new("It gave scores that are not numbers.", "Its weights hold NaN.", "Train anew.");
    window.engine.say(Event::Failed { job: Some(job), error });
    window.settle();
    assert!(says(&window, "It gave scores that are not numbers.") && window.has("Shuffle again"));
    assert_eq!(asked(&window).len(), 1, "it is not asked for over and over");
}

#[test]
fn every_widget_has_a_name_in_both_themes() {
    for theme in [ThemeChoice::Dark, ThemeChoice::Light] {
        for size in [SMALL, LAPTOP, WIDE] {
            let options = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 1.0, options, &TEXT);
            answer(&mut window, &TEXT);
            let unnamed = window.harness.unnamed_widgets();
            assert!(unnamed.is_empty(), "{theme:?}: {unnamed:#?}");
        }
    }
}

#[test]
fn pictures_of_word_order_are_the_approved_ones() {
    if !has_adapter() {
        support::skipped("pictures_of_word_order_are_the_approved_ones", "no adapter");
        return;
    }
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(120usize);
    let mut results = egui_kittest::SnapshotResults::new();
    for (theme, name) in [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light")] {
        for (size, place) in [(SMALL, "small"), (WIDE, "wide")] {
            let of = AppOptions { model: Some("models/sprout".into()), ..plain(theme) };
            let mut window = opened(size, 0.5, of, &TEXT);
            answer(&mut window, &TEXT);
            look_at(&mut window, "words shuffled");
            window.harness.remove_cursor();
            window.settle();
            // Memory is never the same twice.
            let corner = egui::pos2(size.x - 224.0, size.y - 28.0);
            window.harness.mask(egui::Rect::from_min_max(corner, size.to_pos2()));
            window.harness.snapshot_options(format!("attention-order-{place}-{name}"), &options);
            results.extend_harness(&mut window.harness);
        }
    }
}
