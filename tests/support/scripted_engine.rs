//! An engine for tests of the window: it answers every command at once with plain, made-up values, and remembers what it
//! was asked. What a real model says is tested elsewhere.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use fovea::engine::{Command, Event, InspectSpec, Outcome, PromptInput, Work};
use fovea::types::{
    Answer, Architecture, BatchReport, BatchSpec, Blocks, Candidate, CandidateScore, Capture, ChatEnding, ChatFailure,
    ChatPrompt, Classification, DeviceStatus, Edit, EditFaults, EditedNext, GeneratedToken, GenerationStats,
    InspectReport, JobId, KShotPoint, KShotReport, KShotSpec, LabelTreatment, LayerActivation, LayerWeights, ModelId,
    ModelInfo, NeighboursReport, NextToken, Precision, PromptToken, RenderedChat, ScoreReport, ScoreRequest,
    ScoredToken, Shape, Site, StopReason, TokenizeReport, TrainPoint, TrainSummary, TrainingCost, UserError,
};
use fovea::ui::EngineLink;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

const STORY: [&str; 24] = [
    ",", " there", " was", " a", " little", " girl", " named", " Lily", ".", " She", " loved", " to", " play", " in",
    " the", " park", ".", "\n", "One", " day", ",", " she", " saw", " a",
];

/// What was sent, and what waits to be heard. Shared between the window's end and the test.
#[derive(Default)]
pub struct Dialogue {
    pub sent: Vec<Command>,
    pub events: VecDeque<Event>,
    /// False leaves commands unanswered, so that a test can answer by hand.
    pub answers: bool,
    /// True stands for an engine whose thread has ended.
    pub is_gone: bool,
    /// True refuses commands, as a full queue does.
    pub is_full: bool,
    pub layers: usize,
    pub heads: usize,
    /// What the chat template says instead of writing anything.
    pub chat_error: Option<ChatFailure>,
    /// The hash of a model's weights, where it is another than that of all the others.
    pub hashes: BTreeMap<ModelId, String>,
}

/// The window's end.
#[derive(Clone)]
pub struct ScriptedEngine(pub Rc<RefCell<Dialogue>>);

impl ScriptedEngine {
    pub fn new() -> Self {
        let script = Dialogue { answers: true, layers: 2, heads: 4, ..Dialogue::default() };
        let engine = Self(Rc::new(RefCell::new(script)));
        engine.say(Event::Device(DeviceStatus {
            choice: Default::default(),
            is_gpu: false,
            name: "CPU (Flex)".into(),
            reason: "No GPU adapter was found.".into(),
            threads: 2,
            adapters: Vec::new(),
        }));
        engine
    }

    pub fn say(&self, event: Event) {
        self.0.borrow_mut().events.push_back(event);
    }

    /// The commands sent so far that `choose` takes.
    pub fn sent<T>(&self, choose: impl Fn(&Command) -> Option<T>) -> Vec<T> {
        self.0.borrow().sent.iter().filter_map(choose).collect()
    }

    /// The work begun so far that `choose` takes.
    pub fn started<T>(&self, choose: impl Fn(JobId, &Work) -> Option<T>) -> Vec<T> {
        self.sent(|c| match c {
            Command::Start { job, work, .. } => choose(*job, work),
            _ => None,
        })
    }

    pub fn generations(&self) -> Vec<(JobId, PromptInput)> {
        self.started(|job, work| match work {
            Work::Generate(spec) => Some((job, spec.prompt.clone())),
            _ => None,
        })
    }
}

impl EngineLink for ScriptedEngine {
    fn try_send(&mut self, command: Command) -> Result<(), Box<Command>> {
        let mut script = self.0.borrow_mut();
        if script.is_full {
            return Err(Box::new(command));
        }
        match &command {
            // The tokenizer has a thread of its own: it answers whatever the engine does.
            Command::Start { job, work, .. } if matches!(**work, Work::Tokenize(_)) => {
                let Work::Tokenize(prompt) = &**work else { unreachable!() };
                let outcome = Outcome::Tokenized(Arc::new(tokenized(prompt, script.chat_error.clone())));
                script.events.push_back(Event::Done { job: *job, outcome });
            }
            Command::Start { job, model: Some(model), work }
                if matches!(**work, Work::Fingerprint) && script.answers =>
            {
                let hash = script.hashes.get(model).cloned().unwrap_or_else(|| "ab".repeat(32));
                script.events.push_back(Event::Done { job: *job, outcome: Outcome::Fingerprinted(hash) });
            }
            _ if script.answers => {
                let answers = answer(&command, script.layers, script.heads);
                script.events.extend(answers);
            }
            _ => {}
        }
        script.sent.push(command);
        Ok(())
    }

    fn try_recv(&mut self) -> Option<Event> {
        self.0.borrow_mut().events.pop_front()
    }

    fn is_running(&self) -> bool {
        !self.0.borrow().is_gone
    }
}

fn tokenized(prompt: &PromptInput, chat_error: Option<ChatFailure>) -> TokenizeReport {
    let (text, chat) = match prompt {
        PromptInput::Text(text) => (text.clone(), None),
        PromptInput::Ids(_) | PromptInput::Picture(_) => (String::new(), None),
        PromptInput::Chat(chat) => {
            let rendered = chat_error.map_or_else(|| Ok(written(chat)), Err);
            (rendered.as_ref().map(|r| r.text.clone()).unwrap_or_default(), Some(rendered))
        }
    };
    let tokens = tokens_of(&text);
    let special = (0..tokens.len()).filter(|&i| tokens[i].text.starts_with(" <")).collect();
    TokenizeReport { tokens, special, chat }
}

/// A conversation as a plain template writes it: ` <user> words <end>`.
fn written(chat: &ChatPrompt) -> RenderedChat {
    let mut out = RenderedChat::default();
    for (i, message) in chat.messages.iter().enumerate() {
        let role = message.0["role"].as_str().unwrap_or_default();
        out.text += &format!(" <{role}>");
        let start = out.text.len();
        out.text += &format!(" {}", message.content().unwrap_or_default());
        out.spans.push((i, start..out.text.len()));
        if chat.ending != ChatEnding::ContinueFinal || i + 1 < chat.messages.len() {
            out.text += " <end>";
        }
    }
    if chat.ending == ChatEnding::GenerationPrompt {
        out.text += " <assistant>";
    }
    out
}

/// Words with the space before them, as most tokenizers cut.
pub fn tokens_of(text: &str) -> Vec<PromptToken> {
    let mut cuts: Vec<usize> = text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).collect();
    cuts.insert(0, 0);
    cuts.push(text.len());
    cuts.dedup();
    let spans = cuts.windows(2).map(|w| w[0]..w[1]).filter(|s| !s.is_empty());
    spans
        .enumerate()
        .map(|(i, span)| PromptToken { id: 100 + i as u32, text: text[span.clone()].into(), span })
        .collect()
}

pub fn token(place: usize) -> GeneratedToken {
    let text = STORY[place % STORY.len()];
    let probability = [0.92f32, 0.41, 0.08, 0.63, 0.005][place % 5];
    let rest = 1.0 - probability;
    let others = ["and", " the", " a", "!", " dog", " big", " happy", " who", " ran"];
    let other = |(i, t): (usize, &&str)| Candidate {
        id: 500 + i as u32,
        text: (*t).to_owned(),
        probability: rest * 0.4 / (1 << i) as f32,
    };
    let mut top: Vec<Candidate> = others.iter().enumerate().map(other).collect();
    top.push(Candidate { id: 200 + place as u32, text: text.into(), probability });
    top.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    GeneratedToken {
        id: 200 + place as u32,
        text: text.into(),
        own: text.into(),
        logprob: probability.ln(),
        rank: None,
        top,
        drawn: Vec::new(),
    }
}

/// A model with the architecture its name asks for.
pub fn info(id: ModelId, path: &Path) -> ModelInfo {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let architecture = match name.as_str() {
        n if n.contains("mlp") => Architecture::DigitMlp,
        n if n.contains("cnn") => Architecture::DigitCnn,
        _ => Architecture::Llama,
    };
    let is_text = architecture == Architecture::Llama;
    ModelInfo {
        id,
        name,
        path: path.to_owned(),
        architecture,
        precision: Precision::F16,
        parameters: if is_text { 5_800_000 } else { 13_002 },
        shape: if is_text {
            let blocks = Blocks { layers: 2, heads: 4, kv_heads: 2, hidden: 256 };
            Shape::Decoder { blocks: blocks.into(), vocabulary: 4096, context: 512 }
        } else {
            Shape::Digits { layers: 3, classes: 10 }
        },
        held_out: None,
        own_sampling: None,
        quantised: None,
        adapter: None,
        modified: false,
        trained_steps: 0,
    }
}

fn weights(architecture: Architecture) -> Vec<LayerWeights> {
    let layer = |name: &str, shape: &[usize]| {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| (i as f32 * 0.37).sin() * 0.2).collect();
        LayerWeights { name: name.into(), shape: shape.to_vec(), values, bias: vec![0.1; shape[0]].into() }
    };
    match architecture {
        Architecture::DigitMlp => {
            vec![layer("fc1", &[16, 784]), layer("fc2", &[16, 16]), layer("fc3", &[10, 16])]
        }
        Architecture::DigitCnn => vec![layer("conv1", &[8, 1, 3, 3]), layer("fc", &[10, 392])],
        _ => Vec::new(),
    }
}

/// A causal pattern: each row falls off from the token itself, differently for every head.
pub fn pattern(heads: usize, tokens: usize, layer: usize) -> Capture {
    let mut values = vec![0.0f32; heads * tokens * tokens];
    for (head, values) in values.chunks_exact_mut(tokens * tokens).enumerate() {
        let reach = 1.0 + (head + 2 * layer) as f32 * 2.0;
        for (query, row) in values.chunks_exact_mut(tokens).enumerate() {
            let raw = |key: usize| (-((query - key) as f32) / reach).exp() + if key == 0 { 0.5 } else { 0.0 };
            let sum: f32 = (0..=query).map(raw).sum();
            for (key, value) in row.iter_mut().enumerate().take(query + 1) {
                *value = raw(key) / sum;
            }
        }
    }
    Capture { site: Site::Pattern(layer), shape: vec![heads, tokens, tokens], values: values.into() }
}

fn report(prompt: &PromptInput, layers: usize, heads: usize) -> InspectReport {
    let tokens = match prompt {
        PromptInput::Text(text) => tokens_of(text),
        PromptInput::Chat(chat) => tokens_of(&written(chat).text),
        PromptInput::Ids(ids) => {
            let one = |(i, id): (usize, &u32)| PromptToken { id: *id, text: STORY[i % 24].into(), span: 0..0 };
            ids.iter().enumerate().map(one).collect()
        }
        PromptInput::Picture(_) => Vec::new(),
    };
    let captures = (0..layers).map(|layer| pattern(heads, tokens.len(), layer)).collect();
    InspectReport { tokens, captures, picture: None, left_out: None }
}

/// Scores by the letters of prompt and answer: the same question has the same answer, and every change shows. More
/// examples make the answer of the first one likelier.
pub fn scores(request: &ScoreRequest) -> ScoreReport {
    let hash = |text: &str| text.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)) % 1009);
    let log_prob = |candidate: &str| {
        let seen = request.prompt.matches(&format!(" {candidate}")).count() as f64;
        -4.0 + seen * 0.6 - f64::from(hash(&request.prompt).abs_diff(hash(candidate)) % 97) / 50.0
    };
    let mass: f64 = request.candidates.iter().map(|c| log_prob(c).exp()).sum();
    let score = |text: &String| {
        let log_prob = log_prob(text);
        let share = log_prob.exp() / mass;
        let token = |id, text: String, log_prob| ScoredToken { id, text, log_prob };
        let mut tokens = vec![token(hash(text), format!(" {text}"), log_prob * 0.75)];
        let rest = if request.ending.is_empty() { " .".to_owned() } else { request.ending.clone() };
        tokens.push(token(9, rest, log_prob * 0.25));
        let calibrated = (!request.content_free.is_empty()).then(|| 1.0 / request.candidates.len() as f64);
        CandidateScore { text: text.clone(), tokens, log_prob, mean_log_prob: log_prob / 2.0, share, calibrated }
    };
    ScoreReport {
        candidates: request.candidates.iter().map(score).collect(),
        prompt_tokens: tokens_of(&request.prompt).len(),
        elapsed_ms: 4.0,
    }
}

/// Every fourth query is answered wrongly: with the next label, or with the query.
pub fn batch(spec: &BatchSpec) -> BatchReport {
    let answer = |(place, [input, expected]): (usize, &[String; 2])| {
        let is_wrong = place % 4 == 3;
        let other = || match spec.labels.iter().position(|label| label == expected) {
            Some(at) => spec.labels[(at + 1) % spec.labels.len()].clone(),
            None => input.clone(),
        };
        let predicted = if is_wrong { other() } else { expected.clone() };
        let count = spec.labels.len().max(1) as f64;
        Answer {
            input: input.clone(),
            expected: expected.clone(),
            correct: !is_wrong,
            predicted,
            log_prob: -0.2 - (place % 7) as f64 / 2.0,
            shares: spec.labels.iter().map(|_| 1.0 / count).collect(),
        }
    };
    BatchReport { answers: spec.queries.iter().enumerate().map(answer).collect(), cut: 0, elapsed_ms: 1200.0 }
}

/// More examples, more right answers; fewer of them in a variant with false labels.
pub fn kshot_points(spec: &KShotSpec) -> Vec<KShotPoint> {
    let is_true = matches!(spec.variant.labels, LabelTreatment::True);
    let point = |seed: u64, k: usize| {
        let gain = (k as f64 + 1.0).log2() * if is_true { 0.11 } else { 0.04 };
        let share = (0.42 + gain + (seed % 3) as f64 * 0.04).min(1.0);
        let correct = (spec.queries as f64 * share) as usize;
        KShotPoint { k, seed, queries: spec.queries, correct, mean_log_prob: -2.5 + gain * 3.0 }
    };
    spec.seeds.iter().flat_map(|seed| spec.ks.iter().map(move |k| point(*seed, *k))).collect()
}

fn answer(command: &Command, layers: usize, heads: usize) -> Vec<Event> {
    let done = |job: &JobId, outcome| Event::Done { job: *job, outcome };
    let (job, model, work) = match command {
        Command::Start { job, model, work } => (job, model, work),
        Command::Cancel { job } => return vec![done(job, Outcome::Cancelled)],
        Command::Pause { job } => return vec![Event::Paused { job: *job, paused: true }],
        Command::Resume { job } => return vec![Event::Paused { job: *job, paused: false }],
        _ => return Vec::new(),
    };
    match &**work {
        Work::Open(path) => {
            let model = model.expect("a model is opened under an id");
            let info = info(model, path);
            let weights = Arc::new(weights(info.architecture));
            vec![Event::Model { info, weights }, done(job, Outcome::Opened { model })]
        }
        Work::Generate(spec) => {
            let prompt = report(&spec.prompt, 0, 0).tokens;
            let count = spec.sampling.max_new_tokens.min(STORY.len());
            let stats = GenerationStats {
                stop: StopReason::MaxNewTokens,
                prompt_tokens: prompt.len(),
                new_tokens: count,
                ttft_ms: 12.0,
                tokens_per_s: 48.0,
            };
            // Edited, it writes something else from the third token on.
            let place = |i: usize| if spec.edits.is_empty() || i < 2 { i } else { i + 1 };
            let tokens = (0..count).map(|i| Event::Token { job: *job, token: token(place(i)) });
            [Event::Prompted { job: *job, tokens: prompt }]
                .into_iter()
                .chain(tokens)
                .chain([done(job, Outcome::Generated(stats))])
                .collect()
        }
        // A test that shows a picture says itself what comes of it.
        Work::Inspect(InspectSpec { prompt: PromptInput::Picture(_), .. }) => Vec::new(),
        Work::Inspect(spec) => {
            vec![done(job, Outcome::Inspected(Arc::new(report(&spec.prompt, layers, heads))))]
        }
        Work::Classify(image) => {
            let mut probabilities = vec![0.01; 10];
            probabilities[7] = 0.91;
            let units = |name: &str, count: usize| LayerActivation::Units {
                name: name.into(),
                values: (0..count).map(|i| (i % 5) as f32 * 0.4).collect(),
            };
            let layers = vec![units("fc1", 16), units("fc2", 16)];
            let result = Arc::new(Classification { probabilities, input: image.clone(), layers });
            vec![done(job, Outcome::Classified(result))]
        }
        Work::Train(spec) => {
            let point = |step: usize| TrainPoint {
                step,
                elapsed_s: step as f64 * 0.05,
                loss: 2.3 * (-(step as f64) / 40.0).exp() + 0.2,
                learning_rate: spec.learning_rate,
                validation_loss: (step.is_multiple_of(25)).then(|| 2.3 * (-(step as f64) / 40.0).exp() + 0.25),
                validation_accuracy: None,
                gradient_norm: Some(0.5),
                ..TrainPoint::default()
            };
            let summary = TrainSummary {
                steps: 100,
                elapsed_s: 5.0,
                best: Some((100, 0.44)),
                stopped_early: false,
                settled: None,
                examples: 3200,
                saved_to: None,
            };
            let points = (1..=100).map(point).collect();
            vec![Event::Trained { job: *job, points }, done(job, Outcome::Trained(summary))]
        }
        Work::TryTraining(_) => {
            let cost =
                TrainingCost { step_s: 0.05, validation_s: 0.02, memory_bytes: Some(250_000_000), parameters: 13_002 };
            vec![done(job, Outcome::Tried(cost))]
        }
        Work::Score(request) => vec![done(job, Outcome::Scored(Arc::new(scores(request))))],
        Work::Batch(spec) => vec![done(job, Outcome::Batched(Arc::new(batch(spec))))],
        Work::KShot(spec) => {
            let points = kshot_points(spec);
            let answers = vec![Vec::new(); points.len()];
            let report =
                KShotReport { spec: spec.clone(), points: points.clone(), answers, notes: Vec::new(), elapsed_ms: 9.0 };
            vec![Event::KShot { job: *job, points }, done(job, Outcome::KShot(Arc::new(report)))]
        }
        Work::CheckEdits(edits) => {
            let fault = |edit: &Edit| {
                let layer = edit.site.split('.').nth(1)?.parse::<usize>().ok().filter(|layer| *layer >= layers)?;
                let words = format!("The model has no block {layer}.");
                Some(UserError::new(words, format!("It has {layers}."), "Name one of those."))
            };
            let faults = edits.iter().map(fault).collect();
            vec![done(job, Outcome::EditsChecked(Arc::new(EditFaults { faults })))]
        }
        Work::CompareNext(spec) => {
            let token = |id, text: &str, before, after| NextToken { id, text: text.into(), before, after };
            let likeliest = vec![token(1, " dog", 0.75, 0.125), token(2, " cat", 0.125, 0.5)];
            let prompt_tokens = report(&spec.prompt, 0, 0).tokens.len();
            let next = EditedNext { likeliest, divergence: 0.625, prompt_tokens };
            vec![done(job, Outcome::NextCompared(Arc::new(next)))]
        }
        Work::ShowSnapshot(spec) => {
            let model = model.expect("a snapshot is shown as a model");
            let path = spec.run.join(format!("snapshots/step-{:06}", spec.step));
            let name = fovea::types::model_name(&path);
            let info = ModelInfo { path, name, ..info(model, &spec.run) };
            let weights = Arc::new(weights(info.architecture));
            vec![Event::Model { info, weights }, done(job, Outcome::SnapshotShown { model })]
        }
        Work::Neighbours(spec) => {
            let near =
                [" dog", " kitten", " hat"].iter().zip(1..).map(|(text, n)| (n, (*text).to_owned(), 0.9 / n as f32));
            let report = NeighboursReport { id: 0, text: spec.word.clone(), pieces: 1, near: near.collect() };
            vec![done(job, Outcome::NeighboursFound(Arc::new(report)))]
        }
        Work::Save(spec) => vec![done(job, Outcome::Saved { path: spec.path.clone() })],
        _ => Vec::new(),
    }
}
