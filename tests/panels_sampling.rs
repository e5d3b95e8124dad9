//! How tokens are drawn, in the prompt panel: penalties and bias, sets of settings, several samples, what a token was drawn from, and
//! how surprising the prompt is.

mod support;
#[path = "support/window.rs"]
mod window;

use egui::accesskit::Role;
use egui::{Event as Input, Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use fovea::engine::{Event, Outcome, PromptInput, SamplesSpec, Work};
use fovea::types::{
    BiasHit, BiasReport, Candidate, DrawnSample, GeneratedToken, JobId, SamplesReport, StopReason, SurpriseReport,
    SurpriseToken, UserError,
};
use fovea::ui::{AppOptions, ThemeChoice};
use std::sync::Arc;
use window::{LAPTOP, Window, plain, scripted_engine, with_text_model};

fn open() -> Window<'static> {
    Window::open(LAPTOP, 1.0, with_text_model())
}

/// Presses what may be scrolled out of sight.
fn reach(window: &mut Window<'_>, label: &str) {
    window.harness.get_by_label(label).scroll_to_me();
    window.settle();
    window.click(label);
}

fn set_number(window: &mut Window<'_>, field: &str, number: &str) {
    window.harness.get_by_role_and_label(Role::SpinButton, field).scroll_to_me();
    window.settle();
    window.harness.get_by_role_and_label(Role::SpinButton, field).click();
    window.settle();
    window.press(Modifiers::COMMAND, Key::A);
    window.harness.event(Input::Text(number.into()));
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
}

fn candidate(id: u32, text: &str, probability: f32) -> Candidate {
    Candidate { id, text: text.into(), probability }
}

/// A token behind the likeliest, of which one could not be drawn.
fn unlikely() -> GeneratedToken {
    GeneratedToken {
        id: 9,
        text: " zebra".into(),
        own: " zebra".into(),
        logprob: 0.004f32.ln(),
        rank: Some(1234),
        top: vec![candidate(1, " dog", 0.6), candidate(2, " cat", 0.3)],
        drawn: vec![candidate(1, " dog", 0.75), candidate(9, " zebra", 0.25)],
    }
}

fn samples(window: &Window<'_>) -> Vec<(JobId, SamplesSpec)> {
    window.engine.started(|job, work| match work {
        Work::Samples(spec) => Some((job, spec.clone())),
        _ => None,
    })
}

/// The texts of widgets of this role.
fn labels(window: &Window<'_>, role: Role) -> Vec<String> {
    window.harness.query_all_by_role(role).filter_map(|node| node.accesskit_node().label()).collect()
}

#[test]
fn an_unlikely_token_has_its_rank_and_a_bar_of_its_own() {
    let mut window = open();
    window.engine.0.borrow_mut().answers = false;
    window.press(Modifiers::COMMAND, Key::Enter);
    let (job, _) = window.engine.generations().pop().unwrap();
    window.engine.say(Event::Prompted { job, tokens: scripted_engine::tokens_of("Once upon a time") });
    window.engine.say(Event::Token { job, token: unlikely() });
    window.settle();
    window.click("Token 0: \" zebra\"");
    assert!(window.has("1234") && !window.has("> 2"));
    let bars = labels(&window, Role::Button);
    assert!(bars.contains(&"·dog 60.0 %".to_owned()) && bars.contains(&"·cat 30.0 %, cut".to_owned()), "{bars:?}");
    assert!(labels(&window, Role::ListItem).contains(&"·zebra 0.4 %".to_owned()));
    window.click("As drawn");
    let bars = labels(&window, Role::Button);
    assert!(bars.contains(&"·dog 75.0 %".to_owned()) && bars.contains(&"·cat cut".to_owned()), "{bars:?}");
    assert!(labels(&window, Role::ListItem).contains(&"·zebra 25.0 %".to_owned()));
}

#[test]
fn several_samples_are_listed_with_how_far_they_agree() {
    let mut window = open();
    set_number(&mut window, "Samples", "3");
    window.click("Run");
    let (job, spec) = samples(&window).pop().expect("samples were asked for");
    assert_eq!((spec.count, spec.generate.prompt), (3, PromptInput::Text("Once upon a time".into())));
    let sample = |seed, text: &str, id| DrawnSample {
        seed,
        text: text.into(),
        stop: StopReason::MaxNewTokens,
        tokens: vec![GeneratedToken { id, text: text.into(), own: text.into(), ..unlikely() }],
    };
    let report = SamplesReport {
        prompt: scripted_engine::tokens_of("Once upon a time"),
        samples: vec![sample(1, " yes", 5), sample(2, " no", 6), sample(3, " yes", 5)],
    };
    window.engine.say(Event::Done { job, outcome: Outcome::Sampled(Arc::new(report)) });
    window.settle();
    assert!(window.has("66.7 %") && window.has("2 of 3") && window.has("token 0"));
    window.click("Show the tokens of seed 2");
    window.harness.get_by_label("Token 0: \" no\"");
    // One sample is an output again.
    set_number(&mut window, "Samples", "1");
    window.click("Run");
    assert_eq!((samples(&window).len(), window.engine.generations().len()), (1, 1));
}

#[test]
fn bias_tells_which_tokens_it_hits_and_what_is_wrong_with_a_line() {
    let mut window = open();
    reach(&mut window, "Penalties and bias");
    let field = window.harness.get_by_role_and_label(Role::MultilineTextInput, "Logit bias");
    field.scroll_to_me();
    window.settle();
    window.type_into(Role::MultilineTextInput, "Logit bias", "\" the\" = -5");
    let asked = window.engine.started(|job, work| match work {
        Work::ReadBias(lines) => Some((job, lines.clone())),
        _ => None,
    });
    let (job, lines) = asked.last().cloned().expect("the tokens are asked for");
    assert_eq!(lines, "\" the\" = -5");
    let report = BiasReport {
        hits: vec![BiasHit { id: 262, text: " the".into(), bias: -5.0 }],
        error: Some(UserError::new("Line 2 is wrong.", "So it is.", "")),
    };
    window.engine.say(Event::Done { job, outcome: Outcome::BiasRead(Arc::new(report)) });
    window.settle();
    assert!(window.has("262 ·the -5") && window.has("Line 2 is wrong.") && window.has("Penalties and bias (1 set)"));
    window.click("Run");
    let sent = window.engine.started(|_, work| match work {
        Work::Generate(spec) => Some(spec.sampling.clone()),
        _ => None,
    });
    assert_eq!(sent[0].bias, "\" the\" = -5");
}

#[test]
fn the_prompt_is_tinted_by_surprise_with_its_sums() {
    let mut window = open();
    window.click("Surprise");
    let asked = window.engine.started(|job, work| match work {
        Work::Surprise(spec) => Some((job, spec.prompt.clone())),
        _ => None,
    });
    assert_eq!(asked.last().unwrap().1, PromptInput::Text("Once upon a time".into()));
    let token = |(place, token): (usize, fovea::types::PromptToken)| SurpriseToken {
        id: token.id,
        text: token.text,
        span: token.span,
        log_prob: (place > 0).then_some(-2.0),
        rank: (place > 0).then_some(4),
        likeliest: (place > 0).then(|| candidate(1, " dog", 0.6)),
    };
    let tokens = scripted_engine::tokens_of("Once upon a time").into_iter().enumerate().map(token).collect();
    let report = SurpriseReport { tokens };
    window.engine.say(Event::Done { job: asked.last().unwrap().0, outcome: Outcome::Surprised(Arc::new(report)) });
    window.settle();
    assert!(window.has("6.0 nats") && window.has("3 tokens") && window.has("perplexity 7.39"));
    assert!(window.has("0.721 bits a byte") && window.has("first token without"));
    window.click("Compare with a text");
    window.type_into(Role::MultilineTextInput, "Another text", "Once more");
    let asked = window.engine.started(|job, work| match work {
        Work::Surprise(spec) if spec.prompt == PromptInput::Text("Once more".into()) => Some(job),
        _ => None,
    });
    let tokens = scripted_engine::tokens_of("Once more").into_iter().enumerate().map(token);
    let tokens = tokens.map(|token| SurpriseToken { log_prob: token.log_prob.map(|x| x - 0.5), ..token }).collect();
    let outcome = Outcome::Surprised(Arc::new(SurpriseReport { tokens }));
    window.engine.say(Event::Done { job: asked[0], outcome });
    window.settle();
    let rows = labels(&window, Role::ListItem);
    assert!(rows.contains(&"\" upon\" 2.00 | \" more\" 2.50 | +0.50".to_owned()), "{rows:?}");
    assert!(rows.contains(&"\" time\" 2.00 | nothing | ".to_owned()), "{rows:?}");
    window.click("Parts");
    assert!(!window.has("6.0 nats") && window.has("Output"));
}

#[test]
fn kept_settings_survive_a_restart_and_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let options = || AppOptions { state_dir: Some(dir.path().to_owned()), ..plain(ThemeChoice::Dark) };
    let mut window = Window::open(LAPTOP, 1.0, options());
    set_number(&mut window, "Top-k", "7");
    window.type_into(Role::TextInput, "Name of the settings", "narrow");
    reach(&mut window, "Keep the settings");
    set_number(&mut window, "Top-k", "40");
    window.wait("the session to be saved", |_| {
        std::fs::read_to_string(dir.path().join("session.json")).is_ok_and(|text| text.contains("narrow"))
    });
    drop(window);
    let mut window = Window::open(LAPTOP, 1.0, options());
    let top_k = |window: &Window<'_>| {
        let field = window.harness.get_by_role_and_label(Role::SpinButton, "Top-k");
        field.accesskit_node().numeric_value()
    };
    reach(&mut window, "Sampling settings");
    window.click("narrow");
    window.settle();
    assert_eq!(top_k(&window), Some(7.0));
    reach(&mut window, "Sampling settings");
    window.click("Delete the settings narrow");
    assert!(!window.has("Delete the settings narrow"));
}
