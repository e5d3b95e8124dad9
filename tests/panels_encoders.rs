//! What the prompt and attention panels do while an encoder or an image classifier is in use, and that nothing in them is
//! dead.

#[path = "support/window.rs"]
mod window;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use fovea::engine::{AttributeSpec, Command, Event, Outcome, PromptInput, Work};
use fovea::types::{
    AddedPart, Architecture, AttributionReport, Blocks, Candidate, Capture, ClassProbability, Embedding,
    EmbeddingReport, EncoderInfo, FillReport, FilledMask, InspectReport, JobId, Layers, ModelId, ModelInfo, Picture,
    PictureReport, Pooling, Precision, PromptToken, Shape, Site, Stack, VisionInfo,
};
use fovea::ui::ThemeChoice;
use std::sync::Arc;
use window::{Window, plain};

const BLOCKS: Blocks = Blocks { layers: 2, heads: 2, kv_heads: 2, hidden: 8 };

fn info(name: &str, architecture: Architecture, shape: Shape) -> ModelInfo {
    ModelInfo {
        id: ModelId::next(),
        name: name.into(),
        path: format!("models/{name}").into(),
        architecture,
        precision: Precision::F32,
        parameters: 22_700_000,
        shape,
        held_out: None,
        adapter: None,
        modified: false,
        trained_steps: 0,
        own_sampling: None,
        quantised: None,
    }
}

fn encoder(mask: Option<&str>) -> ModelInfo {
    let reads = EncoderInfo {
        mask: mask.map(str::to_owned),
        pooling: Pooling::Mean,
        normalised: true,
        is_sentence_model: true,
        longest: 64,
    };
    let shape = Shape::Encoder { blocks: BLOCKS, vocabulary: 100, context: 64, reads };
    info("little-roberta", Architecture::Roberta, shape)
}

fn vision() -> ModelInfo {
    let sees = VisionInfo { size: [28, 28], grid: [2, 2], labels: vec!["seven".into(), "boat".into()] };
    info("little-vit", Architecture::Vit, Shape::Vision { blocks: BLOCKS, tokens: 64, sees })
}

/// A window in which this model was opened.
fn with(model: &ModelInfo) -> Window<'static> {
    let mut window = Window::on("prompt", plain(ThemeChoice::Dark));
    window.engine.say(Event::Model { info: model.clone(), weights: Arc::default() });
    window.engine.say(Event::Done { job: JobId::next(), outcome: Outcome::Opened { model: model.id } });
    window.settle();
    window
}

fn answer(window: &mut Window<'_>, job: JobId, outcome: Outcome) {
    window.engine.say(Event::Done { job, outcome });
    window.settle();
}

fn inspected(window: &Window<'_>) -> Vec<(JobId, PromptInput)> {
    window.engine.started(|job, work| match work {
        Work::Inspect(spec) => Some((job, spec.prompt.clone())),
        _ => None,
    })
}

fn token(text: &str, span: std::ops::Range<usize>) -> PromptToken {
    PromptToken { id: 7, text: text.into(), span }
}

#[test]
fn masks_are_filled_in_the_models_own_spelling_and_lead_to_attention() {
    let model = encoder(Some("<mask>"));
    let mut window = with(&model);
    assert!(window.has("Compare texts") && window.has("Add <mask>"));
    window.press(Modifiers::COMMAND, Key::Enter);
    let fills = window.engine.sent(|command| match command {
        Command::Start { job, model: Some(of), work } => match &**work {
            Work::Fill(spec) => Some((*job, *of, spec.text.clone())),
            _ => None,
        },
        _ => None,
    });
    let [(job, of, text)] = fills.as_slice() else { panic!("{fills:?}") };
    assert_eq!((*of, text.as_str()), (model.id, "The sky is <mask>."));
    let candidate = |id, text: &str, probability| Candidate { id, text: text.into(), probability };
    let report = FillReport {
        text: text.clone(),
        tokens: vec![token("<s>", 0..0), token("The", 0..3), token("<mask>", 11..17), token("</s>", 0..0)],
        masks: vec![FilledMask {
            position: 2,
            candidates: vec![candidate(1, " blue", 0.6), candidate(2, " grey", 0.2)],
        }],
        filled: "The sky is blue.".into(),
    };
    answer(&mut window, *job, Outcome::Filled(Arc::new(report)));
    assert!(window.has("The sky is blue.") && window.has("Mask 1 · token 2"));
    assert!(window.harness.query_all_by_label_contains("blue 60.0 %").next().is_some());

    window.click("See its attention");
    assert_eq!(window.app().panel().key(), "attention");
    assert_eq!(inspected(&window).last().unwrap().1, PromptInput::Text("The sky is <mask>.".into()));
}

#[test]
fn texts_are_compared_by_an_encoder_without_a_head() {
    let mut window = with(&encoder(None));
    assert!(!window.has("Fill masks"), "there is no head to fill with");
    window.click("Compare");
    let asked = window.engine.started(|job, work| match work {
        Work::Embed(texts) => Some((job, texts.clone())),
        _ => None,
    });
    let [(job, texts)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((texts.len(), texts[0].as_str()), (5, "A cat sits on the mat."));
    let embedding = |i: usize| Embedding { vector: vec![1.0, i as f32], tokens: 9, left_out: usize::from(i == 1) * 3 };
    let report = EmbeddingReport { texts: texts.clone(), embeddings: (0..5).map(embedding).collect() };
    answer(&mut window, *job, Outcome::Embedded(Arc::new(report)));
    assert!(window.has("Cosine similarities of 5 texts"));
    assert!(window.has("Text 2 was cut off behind 9 tokens; 3 more were left out."));
    window.click("Text 1: A cat sits on the mat.");
    // Between (1, 0) and (1, 1) lies half a right angle.
    assert!(window.has("A kitten rests on a rug. 0.707"));
    window.click("See its attention");
    assert_eq!(inspected(&window).last().unwrap().1, PromptInput::Text("A cat sits on the mat.".into()));
}

#[test]
fn the_attention_panel_reads_a_text_by_itself() {
    let mut window = with(&encoder(None));
    window.show("attention");
    assert!(window.has("Nothing to look into yet") && inspected(&window).is_empty());
    window.click("Read ‘The bank of the river was steep.’");
    window.settle();
    let [(_, prompt)] = inspected(&window).try_into().unwrap();
    assert_eq!(prompt, PromptInput::Text("The bank of the river was steep.".into()));
}

fn taken_apart(window: &Window<'_>) -> Vec<AttributeSpec> {
    window.engine.started(|_, work| match work {
        Work::Attribute(spec) => Some(spec.clone()),
        _ => None,
    })
}

#[test]
fn the_scores_of_an_encoder_are_not_taken_apart_and_it_says_why() {
    let mut window = with(&encoder(None));
    window.show("attention");
    window.click("Read ‘The bank of the river was steep.’");
    window.settle();
    let (job, _) = inspected(&window).pop().unwrap();
    let report = InspectReport { picture: None, ..picture_report() };
    answer(&mut window, job, Outcome::Inspected(Arc::new(report)));
    window.harness.get_by_role_and_label(egui::accesskit::Role::RadioButton, "Parts").click();
    window.settle();
    assert!(window.harness.query_all_by_label_contains("no sum over the parts is defined").next().is_some());
    assert!(taken_apart(&window).is_empty());
}

#[test]
fn the_score_of_a_class_is_taken_apart() {
    let mut window = with(&vision());
    window.show("digits");
    window.click("Show an example");
    window.show("attention");
    window.click("Use the drawing");
    let (job, _) = inspected(&window).pop().unwrap();
    answer(&mut window, job, Outcome::Inspected(Arc::new(picture_report())));
    window.harness.get_by_role_and_label(egui::accesskit::Role::RadioButton, "Parts").click();
    window.settle();
    let asked = taken_apart(&window);
    let [spec] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(matches!(spec.prompt, PromptInput::Picture(_)) && spec.position.is_none(), "{spec:?}");
    let job = window.engine.started(|job, work| matches!(work, Work::Attribute(_)).then_some(job))[0];
    let parts = vec![(AddedPart::Mlp(0), 1.5), (AddedPart::HeadBias, 0.25)];
    let report = AttributionReport {
        tokens: vec![token("CLS", 0..0)],
        target: (0, "seven".into()),
        against: None,
        parts,
        score: 1.75,
        scores: [1.75, 0.0],
        left_out: [0, 0],
        removed: None,
    };
    answer(&mut window, job, Outcome::Attributed(Arc::new(report)));
    assert!(window.has("‘seven’, above the mean of all classes: +1.750"));
    assert!(window.has("bias of the scores: +0.2500"));
    let dir = tempfile::tempdir().unwrap();
    let csv = String::from_utf8(window.export("csv", &dir.path().join("class.csv"))).unwrap();
    assert!(csv.contains("head_bias,,,0.25"), "{csv}");
}

fn picture_report() -> InspectReport {
    let tokens: Vec<_> = ["[CLS]", "a", "b", "c", "d"].into_iter().map(|text| token(text, 0..0)).collect();
    let row = [0.2, 0.5, 0.1, 0.1, 0.1];
    let capture = |layer| Capture {
        site: Site::Pattern(layer),
        shape: vec![2, 5, 5],
        values: row.iter().copied().cycle().take(50).collect(),
    };
    let class = |class, label: &str, probability| ClassProbability { class, label: label.into(), probability };
    let picture = PictureReport {
        seen: Picture::gray(28, &[0.5; 784]),
        grid: [2, 2],
        special_tokens: 1,
        classes: vec![class(0, "seven", 0.9), class(1, "boat", 0.1)],
    };
    InspectReport { tokens, captures: (0..2).map(capture).collect(), picture: Some(picture), left_out: None }
}

#[test]
fn a_picture_is_followed_from_the_token_that_classes_are_read_from() {
    let mut window = with(&vision());
    window.show("digits");
    window.click("Show an example");
    window.show("attention");
    window.click("Use the drawing");
    let (job, _) = inspected(&window).pop().unwrap();
    answer(&mut window, job, Outcome::Inspected(Arc::new(picture_report())));
    window.click("Steps");
    let asked = window.engine.started(|_, work| match work {
        Work::Steps(spec) => Some(spec.clone()),
        _ => None,
    });
    let [spec] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(matches!(spec.prompt, PromptInput::Picture(_)), "{spec:?}");
    // CLS, and the patch that it looks at most.
    assert_eq!((spec.query, spec.key), (0, 1));
    window.harness.get_by_role_and_label(egui::accesskit::Role::RadioButton, "Map").click();
    window.settle();
    assert!(window.has("Attention over the picture from CLS"));
}

#[test]
fn a_drawing_is_shown_to_a_vision_transformer() {
    let mut window = with(&vision());
    assert!(window.has("little-vit reads pictures"), "the prompt panel says what to do instead");
    window.click("Show it a picture");
    assert_eq!(window.app().panel().key(), "attention");
    assert!(window.has("No picture to look at yet"));

    window.show("digits");
    window.click("Show an example");
    window.show("attention");
    window.click("Use the drawing");
    window.settle();
    let asked = inspected(&window);
    let Some((job, PromptInput::Picture(picture))) = asked.last() else { panic!("{asked:?}") };
    assert_eq!((picture.width, picture.height), (28, 28));
    assert!(picture.rgb.contains(&255), "ink is white");
    answer(&mut window, *job, Outcome::Inspected(Arc::new(picture_report())));
    assert!(window.has("Attention over the picture from CLS") && window.has("seven 90.0 %"));

    // From a patch, then through all layers.
    let at =
        window.harness.get_by_label("Attention over the picture from CLS").rect().left_top() + egui::vec2(9.0, 9.0);
    for pressed in [true, false] {
        let button = egui::PointerButton::Primary;
        window.harness.event(egui::Event::PointerMoved(at));
        window.harness.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        window.harness.step();
    }
    window.settle();
    assert!(window.has("Attention over the picture from patch in row 1, column 1"));
    window.click("Rollout");
    assert!(window.has("Rollout through all layers"));
    assert_eq!(inspected(&window).len(), asked.len(), "looking around asks nothing of the engine");

    // What is on show goes into a file.
    let dir = tempfile::tempdir().unwrap();
    let svg = window.export("SVG", &dir.path().join("look.svg"));
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.contains("little-vit, rollout through all layers") && svg.contains("data:image/png;base64,"));
    let png = image::load_from_memory(&window.export("PNG", &dir.path().join("look.png"))).unwrap();
    assert!(png.width() > 900, "{} pixels wide", png.width());
    window.click("Layer");
    let csv = String::from_utf8(window.export("CSV", &dir.path().join("look.csv"))).unwrap();
    // Heads of this model look alike: the mean is each of them.
    assert_eq!(
        csv,
        "token,name,row,column,weight\n0,CLS,,,0.2\n1,patch,1,1,0.5\n2,patch,1,2,0.1\n3,patch,2,1,0.1\n4,patch,2,2,0.1\n"
    );
}

#[test]
fn what_was_chosen_last_has_the_panels() {
    let mut window = with(&encoder(None));
    window.engine.say(Event::Model { info: vision(), weights: Arc::default() });
    window.settle();
    assert!(window.has("Texts, one a line"), "a model that only appears changes nothing");
    let text = info(
        "little-llama",
        Architecture::Llama,
        Shape::Decoder { blocks: BLOCKS.into(), vocabulary: 100, context: 64 },
    );
    window.engine.say(Event::Model { info: text.clone(), weights: Arc::default() });
    window.engine.say(Event::Done { job: JobId::next(), outcome: Outcome::Opened { model: text.id } });
    window.settle();
    assert!(!window.has("Texts, one a line") && window.has("What the model receives"));
}

#[test]
fn a_network_without_attention_is_prompted_and_its_attention_is_said_to_be_none() {
    let layers = Layers { layers: 2, hidden: 32, sees: None };
    let shape = Shape::Decoder { blocks: Stack::Layers(layers), vocabulary: 100, context: 64 };
    let mut window = with(&info("little-lstm", Architecture::Lstm, shape));
    assert!(window.has("What the model receives"));
    let opened = |window: &Window<'_>| window.app().state().models.len();
    let before = opened(&window);
    window.show("attention");
    assert!(window.has("No attention to look into"));
    assert_eq!(opened(&window), before, "no transformer is opened in its place");
}
