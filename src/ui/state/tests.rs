//! Events in, state out.

use super::keep::SPARE_JOBS;
use super::*;
use crate::engine::{Command, Event, GenerateSpec, InspectSpec, Outcome, PromptInput, Work};
use crate::types::{
    Ability, Architecture, Blocks, Capture, GeneratedToken, GenerationStats, InspectReport, ModelInfo, Precision,
    Sampling, Shape, Site, StopReason, TokenizeReport,
};

const BLOCKS: Blocks = Blocks { layers: 1, heads: 1, kv_heads: 1, hidden: 1 };

fn info(id: ModelId, architecture: Architecture) -> ModelInfo {
    ModelInfo {
        id,
        name: "m".into(),
        path: "m".into(),
        architecture,
        precision: Precision::F32,
        parameters: 1,
        shape: match architecture {
            Architecture::DigitMlp => Shape::Digits { layers: 1, classes: 10 },
            _ => Shape::Decoder { blocks: BLOCKS.into(), vocabulary: 1, context: 1 },
        },
        held_out: None,
        own_sampling: None,
        quantised: None,
        adapter: None,
        modified: false,
        trained_steps: 0,
    }
}

fn open(state: &mut State, architecture: Architecture) -> ModelId {
    let (job, model) = (JobId::next(), ModelId::next());
    state.sent(&Command::start(job, model, Work::Open("m".into())));
    state.apply(Event::Model { info: info(model, architecture), weights: Arc::default() });
    state.apply(Event::Done { job, outcome: Outcome::Opened { model } });
    model
}

fn generate(state: &mut State, model: ModelId) -> JobId {
    let job = JobId::next();
    let prompt = PromptInput::Text("a".into());
    state.sent(&Command::start(
        job,
        model,
        Work::Generate(GenerateSpec { prompt, sampling: Sampling::default(), edits: Vec::new() }),
    ));
    job
}

fn token(id: u32, text: &str) -> GeneratedToken {
    GeneratedToken {
        id,
        text: text.into(),
        own: text.into(),
        logprob: -1.0,
        rank: None,
        top: Vec::new(),
        drawn: Vec::new(),
    }
}

#[test]
fn the_model_opened_last_is_in_use_and_closing_it_falls_back() {
    let mut state = State::default();
    let first = open(&mut state, Architecture::Llama);
    let digits = open(&mut state, Architecture::DigitMlp);
    let second = open(&mut state, Architecture::Gpt2);
    let active = |s: &State, ability| s.active(ability).map(|m| m.info.id);
    assert_eq!(active(&state, Ability::Continue), Some(second));
    assert_eq!(active(&state, Ability::ReadDigits), Some(digits));
    state.sent(&Command::Close { model: second });
    assert_eq!(active(&state, Ability::Continue), Some(first));
}

#[test]
fn a_model_that_nobody_asked_for_takes_no_place_that_is_taken() {
    let mut state = State::default();
    let active = |s: &State, ability| s.active(ability).map(|m| m.info.id);
    let llama = open(&mut state, Architecture::Llama);
    let (job, digits) = (JobId::next(), ModelId::next());
    state.sent(&Command::start(job, digits, Work::Open("m".into())));
    state.open_unasked(digits);
    state.apply(Event::Model { info: info(digits, Architecture::DigitMlp), weights: Arc::default() });
    state.apply(Event::Done { job, outcome: Outcome::Opened { model: digits } });
    assert_eq!(active(&state, Ability::ReadDigits), Some(digits), "nothing else reads digits");
    assert_eq!(active(&state, Ability::Adapt), Some(llama));
    state.activate(digits);
    assert_eq!(active(&state, Ability::Adapt), Some(digits), "chosen now");
}

#[test]
fn a_generation_gathers_tokens_and_measures_them() {
    let mut state = State::default();
    let model = open(&mut state, Architecture::Llama);
    let job = generate(&mut state, model);
    assert_eq!(state.job(job).unwrap().phase, Phase::Waiting);
    for (at_s, text) in [(1.0, "On"), (1.5, "ce"), (2.0, " upon")] {
        state.now_s = at_s;
        state.apply(Event::Token { job, token: token(7, text) });
    }
    let run = &state.run(job).unwrap();
    assert_eq!((run.text.as_str(), run.ids().len()), ("Once upon", 3));
    assert!((run.tokens_per_s() - 2.0).abs() < 1e-9);
    assert!(state.is_active(job));
    let stats = GenerationStats {
        stop: StopReason::MaxNewTokens,
        prompt_tokens: 1,
        new_tokens: 3,
        ttft_ms: 5.0,
        tokens_per_s: 40.0,
    };
    state.apply(Event::Done { job, outcome: Outcome::Generated(stats) });
    assert!(!state.is_active(job));
    assert_eq!(state.run(job).unwrap().tokens_per_s(), 40.0);
}

#[test]
fn a_failure_stays_with_its_job_and_is_logged() {
    let mut state = State::default();
    let model = open(&mut state, Architecture::Llama);
    let job = generate(&mut state, model);
    let error = UserError::new("what", "why", "next");
    state.apply(Event::Failed { job: Some(job), error: error.clone() });
    assert_eq!(state.error(job), Some(&error));
    assert_eq!(state.log.errors_unread(), 1);
    state.log.mark_read();
    assert_eq!(state.log.errors_unread(), 0);
}

#[test]
fn progress_tells_rate_and_time_left() {
    let mut state = State::default();
    let (job, model) = (JobId::next(), ModelId::next());
    state.sent(&Command::start(job, model, Work::Open("m".into())));
    for (now_s, done) in [(1.0, 0), (2.0, 25), (3.0, 50)] {
        state.now_s = now_s;
        state.apply(Event::Progress { job, label: "Reading weights".into(), done, total: 100, unit: "MB" });
    }
    let progress = state.job(job).unwrap().progress.as_ref().unwrap();
    assert_eq!((progress.share(), progress.rate, progress.left_s()), (Some(0.5), 25.0, Some(2.0)));
    // A new stage begins its own count.
    state.apply(Event::Progress { job, label: "Moving to the device".into(), done: 1, total: 0, unit: "tensors" });
    let progress = state.job(job).unwrap().progress.as_ref().unwrap();
    assert_eq!((progress.share(), progress.rate, progress.left_s()), (None, 0.0, None));
}

#[test]
fn a_waiting_classification_is_replaced_and_a_running_one_is_not() {
    let mut state = State::default();
    let model = open(&mut state, Architecture::DigitMlp);
    let image = crate::types::DigitImage(vec![0.0; 784].into());
    let jobs: Vec<JobId> = (0..3).map(|_| JobId::next()).collect();
    let classify = |state: &mut State, job| state.sent(&Command::start(job, model, Work::Classify(image.clone())));
    classify(&mut state, jobs[0]);
    state.apply(Event::Progress { job: jobs[0], label: String::new(), done: 0, total: 0, unit: "" });
    classify(&mut state, jobs[1]);
    classify(&mut state, jobs[2]);
    let alive: Vec<bool> = jobs.iter().map(|j| state.is_active(*j)).collect();
    assert_eq!(alive, [true, false, true]);
}

#[test]
fn finished_jobs_are_let_go_and_running_ones_never() {
    let mut state = State::default();
    let model = open(&mut state, Architecture::Llama);
    let running = generate(&mut state, model);
    for _ in 0..2 * SPARE_JOBS {
        let job = generate(&mut state, model);
        state.apply(Event::Done { job, outcome: Outcome::Cancelled });
    }
    state.keep(&BTreeSet::new());
    assert!(state.is_active(running));
    assert_eq!(state.jobs.len(), SPARE_JOBS + 1);
}

#[test]
fn pause_and_resume_are_shown() {
    let mut state = State::default();
    let model = open(&mut state, Architecture::Llama);
    let job = generate(&mut state, model);
    state.apply(Event::Paused { job, paused: true });
    assert!(state.job(job).unwrap().is_paused() && state.is_active(job));
    state.apply(Event::Paused { job, paused: false });
    assert_eq!(state.job(job).unwrap().phase, Phase::Running);
    state.apply(Event::Done { job, outcome: Outcome::Cancelled });
    state.apply(Event::Paused { job, paused: true });
    assert_eq!(state.job(job).unwrap().phase, Phase::Cancelled, "a job that is over stays over");
}

#[test]
fn what_is_shown_is_kept_and_of_the_rest_as_much_as_there_is_room_for() {
    let mut state = State::default();
    let model = open(&mut state, Architecture::Llama);
    let inspected = |state: &mut State, values: usize| {
        let job = JobId::next();
        let (prompt, sites) = (PromptInput::Text("a".into()), crate::types::SiteFilter::patterns());
        state.sent(&Command::start(job, model, Work::Inspect(InspectSpec { prompt, sites, edits: Vec::new() })));
        let capture = Capture { site: Site::Pattern(0), shape: vec![values], values: vec![0.0; values].into() };
        let report = InspectReport { tokens: Vec::new(), captures: vec![capture], picture: None, left_out: None };
        state.apply(Event::Done { job, outcome: Outcome::Inspected(Arc::new(report)) });
        job
    };
    // Four of 300 MiB: three fit into a gigabyte.
    let jobs: Vec<JobId> = (0..4).map(|_| inspected(&mut state, 75 << 20)).collect();
    let kept = |state: &State| jobs.iter().map(|job| state.report::<InspectReport>(*job).is_some()).collect::<Vec<_>>();
    state.keep(&BTreeSet::from([jobs[0]]));
    assert_eq!(kept(&state), [true; 4], "the first is on show, three others have room");
    state.keep(&BTreeSet::new());
    assert_eq!(kept(&state), [false, true, true, true], "the oldest goes first");
    assert!(state.job(jobs[0]).is_none());
}

#[test]
fn tokens_of_a_prompt_go_as_soon_as_nobody_shows_them_and_training_runs_never() {
    let mut state = State::default();
    let model = open(&mut state, Architecture::Llama);
    let (tokens, training) = (JobId::next(), JobId::next());
    state.sent(&Command::start(tokens, model, Work::Tokenize(PromptInput::Text("a".into()))));
    state.apply(Event::Done { job: tokens, outcome: Outcome::Tokenized(Arc::default()) });
    let spec =
        "learning_rate = 0.1\nbatch_size = 1\nsteps = 1\n[task]\nkind = \"digits\"\ndata = \"d\"\nnetwork = \"mlp\"";
    state.sent(&Command::start(training, model, Work::Train(toml::from_str(spec).unwrap())));
    state.apply(Event::Done { job: training, outcome: Outcome::Cancelled });
    state.keep(&BTreeSet::from([tokens]));
    assert!(state.report::<TokenizeReport>(tokens).is_some());
    state.keep(&BTreeSet::new());
    assert!(state.job(tokens).is_none() && state.training(training).is_some());
}
