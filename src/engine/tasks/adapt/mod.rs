//! Several ways to adapt one model to one task, each learned from the same examples and measured on the same texts or pictures.
//!
//! What is compared is the model as it was when the comparison began: a body of the task's own shares its weights, so that a run which
//! trains the open model meanwhile changes nothing here.

mod digits;
mod learning;
mod peak;
mod pictures;
mod prompting;
mod ready;
mod strangeness;
mod subject;
mod texts;
mod vectors;

use super::{LoadedModel, Step, Task, TaskContext, not_open};
use crate::engine::{Event, Outcome};
use crate::load;
use crate::types::{
    AdaptPoint, AdaptReport, AdaptSpec, DataPart, LabelNoise, Labelled, LabelledKind, LabelledSource, ModelId,
    ModelInfo, UserError, Way, draw_examples,
};
use digits::DigitPictures;
use pictures::Pictures;
use ready::{Comparing, Needed, Ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use texts::Texts;

/// How long a step goes on with what takes less.
const STRETCH: Duration = Duration::from_millis(40);

/// Compares ways.
pub(crate) struct Adapt {
    model: ModelId,
    spec: AdaptSpec,
    report: AdaptReport,
    /// What is still to be measured, the first last.
    plan: Vec<Key>,
    /// Points in all.
    planned: usize,
    elapsed: Duration,
    state: State,
}

type Key = (Way, LabelNoise, usize, u64);

enum State {
    New,
    Ready(Box<dyn Comparing>),
    Failed,
}

/// What one way came to, before it is held against the right answers.
#[derive(Clone)]
struct Outcomes {
    /// Of each text or picture of the test ln of each class's share.
    shares: Vec<Vec<f64>>,
    used: usize,
    adapt_s: f64,
    query_s: f64,
    tokens: f64,
    learned: u64,
    bytes: u64,
    peak: Option<u64>,
}

impl Adapt {
    /// To compare what `spec` says with `model`; `known` are points that need not be measured again.
    pub(crate) fn new(model: ModelId, spec: AdaptSpec, known: Vec<AdaptPoint>) -> Self {
        let report = AdaptReport {
            spec: spec.clone(),
            kind: LabelledKind::default(),
            labels: Vec::new(),
            parameters: 0,
            operations: None,
            examples: 0,
            test: Vec::new(),
            base_rate: 0.0,
            bits_per_byte: None,
            points: known,
            notes: Vec::new(),
            elapsed_s: 0.0,
        };
        Self { model, spec, report, plan: Vec::new(), planned: 0, elapsed: Duration::ZERO, state: State::New }
    }

    /// Reads the data and takes the model.
    fn begin(&mut self, cx: &TaskContext<'_>) -> Result<Box<dyn Comparing>, UserError> {
        self.spec.check()?;
        let loaded = cx.models.get(self.model).ok_or_else(not_open)?;
        let info = loaded.info().clone();
        let (_, data) = load::read_labelled(&self.spec.data)?;
        let reads = match loaded {
            LoadedModel::Text(_) | LoadedModel::Encoder(_) | LoadedModel::Classifier(_) => LabelledKind::Texts,
            LoadedModel::Vision(_) | LoadedModel::Digits(_) => LabelledKind::Pictures,
        };
        if reads != data.kind {
            return Err(other_kind(&info, &self.spec.data, data.kind));
        }
        let test = self.spec.test_places(data.part(DataPart::Test));
        if test.is_empty() {
            return Err(UserError::new(
                "There is nothing to measure on.",
                format!(
                    "Nothing of the data is held out for the test, and every way is measured on the same {}.",
                    data.kind.plural()
                ),
                "Hold out a share for the test, or name data of its own for it.",
            ));
        }
        let words = &self.spec.prompt.words;
        if !words.is_empty() && words.len() != data.labels.len() {
            return Err(UserError::new(
                format!("There are {} label words for {} classes.", words.len(), data.labels.len()),
                format!("The classes are {}.", data.labels.join(", ")),
                "Give one word for each class, in their order.",
            ));
        }
        let report = &mut self.report;
        (report.kind, report.labels, report.parameters) = (data.kind, data.labels.clone(), info.parameters);
        report.examples = data.part(DataPart::Train).len();
        report.test =
            test.iter().map(|place| (data.examples[*place].0.clone(), data.examples[*place].1 as u32)).collect();
        report.base_rate = base_rate(&data, &test);
        self.plan(&data, &info);
        let asks = |which: fn(Way) -> bool| self.plan.iter().any(|(way, ..)| which(*way));
        let needed = Needed {
            places: self.needed(&data, &test),
            of_model: asks(Way::needs_vectors),
            of_head: asks(|way| way == Way::Head),
        };
        let data = Rc::new(data);
        Ok(match loaded {
            LoadedModel::Vision(model) => {
                Box::new(Ready::new(Pictures::of(model, &data, &needed.places)?, data, test, &needed))
            }
            LoadedModel::Digits(model) => {
                Box::new(Ready::new(DigitPictures::of(model, &data, &needed.places, cx.device)?, data, test, &needed))
            }
            LoadedModel::Text(_) | LoadedModel::Encoder(_) | LoadedModel::Classifier(_) => {
                let texts = Texts::of(loaded, &data, &test, self.spec.pooling, cx.device)?;
                let texts = texts.ok_or_else(|| other_kind(&info, &self.spec.data, data.kind))?;
                Box::new(Ready::new(texts, data, test, &needed))
            }
        })
    }

    /// What is to be measured: for each seed all ways and sizes, so that whole curves are there early.
    fn plan(&mut self, data: &Labelled, model: &ModelInfo) {
        let spec = &self.spec;
        let mut ways = spec.ways.clone();
        ways.sort_unstable();
        ways.dedup();
        ways.retain(|way| match way.hindrance(model) {
            Some(why) => {
                self.report.notes.push(format!("{}; that way is left out.", why.trim_end_matches('.')));
                false
            }
            None => true,
        });
        let sizes = spec.sizes_of(data.part(DataPart::Train).len());
        if let Some(most) = spec.sizes.iter().max().filter(|most| **most > self.report.examples) {
            let most = if *most == usize::MAX { "all".to_owned() } else { most.to_string() };
            let note = format!("There are {} examples; sizes up to {most} end there.", self.report.examples);
            self.report.notes.push(note);
        }
        let mut plan = Vec::new();
        for noise in &spec.noises {
            for seed in &spec.seeds {
                for way in &ways {
                    plan.extend(sizes.iter().map(|size| (*way, *noise, *size, *seed)));
                }
            }
        }
        // What was measured for other sizes or ways is no part of this.
        self.report.points.retain(|point| plan.iter().any(|key| point.is_of(*key)));
        self.report.points.retain(|point| point.said.len() == self.report.test.len());
        self.planned = plan.len();
        plan.retain(|key| !self.report.points.iter().any(|point| point.is_of(*key)));
        plan.reverse();
        self.plan = plan;
    }

    /// Places of all examples that any way reads by themselves: what is drawn with any seed, and the test.
    fn needed(&self, data: &Labelled, test: &[usize]) -> Vec<usize> {
        let most = self.spec.sizes.iter().copied().max().unwrap_or(0);
        let drawn = self.spec.seeds.iter().flat_map(|seed| draw_examples(data, most, *seed, LabelNoise::True));
        let mut needed: Vec<usize> = drawn.map(|(place, _)| place).chain(test.iter().copied()).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    fn outcome(&self) -> Outcome {
        let report = AdaptReport { elapsed_s: self.elapsed.as_secs_f64(), ..self.report.clone() };
        Outcome::WaysCompared(Arc::new(report))
    }

    /// One stretch of what is under way; true once all is measured.
    fn advance(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, UserError> {
        let State::Ready(ready) = &mut self.state else { return Ok(true) };
        if let Some(far) = ready.prepare(cx.device)? {
            (cx.emit)(far.event(cx.job, self.report.kind));
            ready.tell(&mut self.report);
            return Ok(false);
        }
        let Some(key) = self.plan.last().copied() else { return Ok(true) };
        if let Some(outcomes) = ready.measure(&self.spec, key, cx.device)? {
            let point = point(key, &outcomes, &self.report.test);
            self.report.points.push(point);
            self.plan.pop();
            (cx.emit)(Event::SoFar { job: cx.job, outcome: self.outcome() });
        }
        let (way, noise, size, seed) = key;
        let of_noise = if noise == LabelNoise::True { String::new() } else { format!(", {}", noise.name()) };
        let examples = if size == 1 { "1 example".to_owned() } else { format!("{size} examples") };
        let label = format!("{}, {examples}, seed {seed}{of_noise}", way.title());
        let (done, total) = ((self.planned - self.plan.len()) as u64, self.planned as u64);
        (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "points" });
        Ok(self.plan.is_empty())
    }

    /// What is known once all is measured.
    fn conclude(&mut self) {
        let State::Ready(ready) = &self.state else { return };
        ready.tell(&mut self.report);
        self.report.notes.extend(ready.note_of_length());
        let shown = self.report.points.iter().filter(|point| point.way == Way::Examples);
        if let Some(most) = shown.filter(|point| point.used < point.size).map(|point| point.used).min() {
            let note = format!(
                "A prompt holds about {most} of these examples beside the query; of more, the first drawn are shown."
            );
            self.report.notes.push(note);
        }
        let asked = self.report.points.iter().any(|point| point.way == Way::Examples);
        if let (true, Some(note)) = (asked, ready.note_of_words(&self.spec)) {
            self.report.notes.push(note);
        }
    }
}

impl Task for Adapt {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let begun = Instant::now();
        if matches!(self.state, State::New) {
            self.state = State::Failed;
            self.state = State::Ready(self.begin(cx)?);
        }
        let mut is_done = false;
        while !is_done && begun.elapsed() < STRETCH {
            is_done = self.advance(cx)?;
        }
        if is_done {
            self.conclude();
        }
        self.elapsed += begun.elapsed();
        Ok(if is_done { Step::Done(self.outcome()) } else { Step::More })
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        self.conclude();
        Ok(if self.report.points.is_empty() { Outcome::Cancelled } else { self.outcome() })
    }
}

/// What a way came to against what is right.
fn point((way, noise, size, seed): Key, outcomes: &Outcomes, test: &[(String, u32)]) -> AdaptPoint {
    let classes = outcomes.shares.first().map_or(0, Vec::len);
    let mut confusion = vec![vec![0; classes]; classes];
    let (mut said, mut log_prob) = (Vec::with_capacity(test.len()), 0.0);
    for (shares, (_, class)) in outcomes.shares.iter().zip(test) {
        let most = (0..classes).max_by(|a, b| shares[*a].total_cmp(&shares[*b]).then(b.cmp(a))).unwrap_or(0);
        confusion[*class as usize][most] += 1;
        said.push(most as u32);
        log_prob += shares[*class as usize];
    }
    let asked = test.len().max(1) as f64;
    AdaptPoint {
        way,
        noise,
        size,
        seed,
        used: outcomes.used,
        correct: (0..classes).map(|class| confusion[class][class]).sum(),
        macro_f1: macro_f1(&confusion),
        log_prob: log_prob / asked,
        said,
        adapt_s: outcomes.adapt_s,
        query_ms: outcomes.query_s / asked * 1e3,
        tokens_a_query: outcomes.tokens,
        learned: outcomes.learned,
        bytes: outcomes.bytes,
        peak_bytes: outcomes.peak,
    }
}

/// As scikit-learn's: of the classes that come or are said.
fn macro_f1(confusion: &[Vec<usize>]) -> f64 {
    let f1 = super::evaluate_classes::f1_of(confusion);
    let is_there = |class: &usize| {
        confusion[*class].iter().sum::<usize>() + confusion.iter().map(|row| row[*class]).sum::<usize>() > 0
    };
    let there: Vec<usize> = (0..confusion.len()).filter(is_there).collect();
    there.iter().map(|class| f1[*class]).sum::<f64>() / there.len().max(1) as f64
}

/// How often the class that is most common among the examples is right; the first among equals.
fn base_rate(data: &Labelled, test: &[usize]) -> f64 {
    let mut counts = vec![0usize; data.labels.len()];
    data.part(DataPart::Train).iter().for_each(|place| counts[data.examples[*place].1] += 1);
    let most = (0..counts.len()).max_by_key(|class| (counts[*class], std::cmp::Reverse(*class))).unwrap_or(0);
    test.iter().filter(|place| data.examples[**place].1 == most).count() as f64 / test.len().max(1) as f64
}

/// Data of one kind, and a model that reads another.
fn other_kind(info: &ModelInfo, data: &LabelledSource, kind: LabelledKind) -> UserError {
    let (path, name) = (data.data.display(), &info.name);
    match kind {
        LabelledKind::Texts => UserError::new(
            format!("{name} reads no text."),
            format!("{path} holds labelled texts, and {name} reads pictures."),
            "Choose pictures in folders by class or in MNIST's format, or a decoder or an encoder of texts.",
        ),
        LabelledKind::Pictures => UserError::new(
            format!("{name} reads no pictures."),
            format!("{path} holds labelled pictures, and {name} reads text."),
            "Choose labelled texts, or a vision transformer or a digit network.",
        ),
    }
}
