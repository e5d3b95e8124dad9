//! Several ways to adapt one model to one task, each learned from the same examples and measured on the same texts.
//!
//! What is compared is the model as it was when the comparison began: a body of the task's own shares its weights, so that a run which
//! trains the open model meanwhile changes nothing here.

mod learning;
mod peak;
mod prompting;
mod strangeness;
mod vectors;

use super::{LoadedModel, Step, Task, TaskContext, not_open};
use crate::engine::{Event, Outcome};
use crate::load::{self, ClassifierBody, ClassifierModel, EncoderModel, TextModel};
use crate::train::linear::{Logistic, Prototypes};
use crate::types::{
    Ability, AdaptPoint, AdaptReport, AdaptSpec, DataPart, FeaturePooling, LabelNoise, Labelled, ModelId, ModelInfo,
    UserError, Way, draw_examples,
};
use burn::tensor::Device;
use learning::{Learning, Lesson};
use peak::Peak;
use prompting::Prompting;
use std::sync::Arc;
use std::time::{Duration, Instant};
use strangeness::Strangeness;
use vectors::{Making, Read};

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
    Ready(Box<Ready>),
    Failed,
}

/// What is there once data and model are read.
struct Ready {
    data: Labelled,
    /// Places of the texts that are measured on.
    test: Vec<usize>,
    /// The model as it was, with a head that nobody reads.
    base: ClassifierModel,
    /// The same as what continues text, where it does.
    writer: Option<TextModel>,
    /// What a text is read as by the pooling of the model, and by its head.
    of_model: Making,
    of_head: Making,
    strangeness: Option<Strangeness>,
    doing: Doing,
}

/// What is under way.
enum Doing {
    Nothing,
    Prompting(Box<Prompting>),
    Learning(Box<Learning>),
}

/// What one way came to, before it is held against the right answers.
struct Outcomes {
    /// Of each text of the test ln of each class's share.
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
            labels: Vec::new(),
            parameters: 0,
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
    fn begin(&mut self, cx: &TaskContext<'_>) -> Result<Ready, UserError> {
        self.spec.check()?;
        let loaded = cx.models.get(self.model).ok_or_else(not_open)?;
        let (body, writes) = match loaded {
            LoadedModel::Text(model) => (ClassifierBody::Decoder(TextModel { adapter: None, ..model.clone() }), true),
            LoadedModel::Encoder(model) => {
                (ClassifierBody::Encoder(EncoderModel { adapter: None, ..model.clone() }), false)
            }
            LoadedModel::Classifier(model) => (model.body.clone(), false),
            LoadedModel::Vision(_) | LoadedModel::Digits(_) => return Err(no_text(&loaded.info().name)),
        };
        let info = loaded.info().clone();
        let writer = match body.clone() {
            ClassifierBody::Decoder(model) if writes => Some(model),
            _ => None,
        };
        let (_, data) = load::read_labelled(&self.spec.data)?;
        let test = self.spec.test_places(data.part(DataPart::Test));
        if test.is_empty() {
            return Err(UserError::new(
                "There is nothing to measure on.",
                "Nothing of the data is held out for the test, and every way is measured on the same texts.",
                "Hold out a share for the test, or name a file of its own for it.",
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
        let base = ClassifierModel::with_new_head(body, data.labels.clone(), 0, cx.device)?;
        let report = &mut self.report;
        (report.labels, report.parameters) = (data.labels.clone(), info.parameters);
        report.examples = data.part(DataPart::Train).len();
        report.test =
            test.iter().map(|place| (data.examples[*place].0.clone(), data.examples[*place].1 as u32)).collect();
        report.base_rate = base_rate(&data, &test);
        self.plan(&data, writes, &info);
        let needed = self.needed(&data, &test);
        let texts = |places: &[usize]| places.iter().map(|place| data.examples[*place].0.clone()).collect::<Vec<_>>();
        let read = |asked: bool, read: Read| {
            let places = if asked { needed.clone() } else { Vec::new() };
            let texts = texts(&places);
            Making::new(read, data.examples.len(), places, texts)
        };
        let own = match (&base.body, self.spec.pooling) {
            // The model's own pooling; what was a classifier has none but its head's.
            (ClassifierBody::Encoder(_), _) if matches!(loaded, LoadedModel::Encoder(_)) => Read::Pooled,
            (ClassifierBody::Decoder(_), FeaturePooling::Mean) if writes => Read::Mean,
            _ => Read::OfHead,
        };
        let asks = |which: fn(Way) -> bool| self.plan.iter().any(|(way, ..)| which(*way));
        Ok(Ready {
            of_model: read(asks(Way::needs_vectors), own),
            of_head: read(asks(|way| way == Way::Head), Read::OfHead),
            strangeness: writer.is_some().then(|| Strangeness::new(texts(&test))),
            test,
            base,
            writer,
            data,
            doing: Doing::Nothing,
        })
    }

    /// What is to be measured: for each seed all ways and sizes, so that whole curves are there early.
    fn plan(&mut self, data: &Labelled, writes: bool, info: &ModelInfo) {
        let (spec, name) = (&self.spec, &info.name);
        let mut ways = spec.ways.clone();
        ways.sort_unstable();
        ways.dedup();
        if !writes && ways.contains(&Way::Examples) {
            ways.retain(|way| *way != Way::Examples);
            let why = format!(
                "{name} continues no text, so no examples can be shown to it in a prompt; that way is left out."
            );
            self.report.notes.push(why);
        }
        if info.can(Ability::Remember) && ways.contains(&Way::Lora) {
            ways.retain(|way| *way != Way::Lora);
            let why =
                format!("{name} is made of recurrent layers, whose matrices no adapter changes; that way is left out.");
            self.report.notes.push(why);
        }
        let sizes = spec.sizes_of(data.part(DataPart::Train).len());
        if let Some(most) = spec.sizes.iter().max().filter(|most| **most > self.report.examples) {
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

    /// Places of all texts that any way reads by themselves: what is drawn with any seed, and the test.
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
        if let Some(strangeness) = &mut ready.strangeness {
            let (done, total) = strangeness.progress();
            (cx.emit)(Event::Progress {
                job: cx.job,
                label: "Reading the texts".to_owned(),
                done,
                total,
                unit: "texts",
            });
            let writer = ready.writer.as_ref();
            if writer.map(|writer| strangeness.step(writer, cx.device)).transpose()?.unwrap_or(true) {
                self.report.bits_per_byte = strangeness.bits_per_byte();
                ready.strangeness = None;
            }
            return Ok(false);
        }
        for making in [&mut ready.of_model, &mut ready.of_head] {
            if !making.is_done() {
                making.step(&ready.base)?;
                let (done, total) = making.progress();
                let label = "Making vectors of the texts".to_owned();
                (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "texts" });
                return Ok(false);
            }
        }
        let Some(key) = self.plan.last().copied() else { return Ok(true) };
        if let Some(outcomes) = ready.measure(&self.spec, key, cx.device)? {
            let point = point(key, outcomes, &self.report.test);
            self.report.points.push(point);
            self.plan.pop();
            (cx.emit)(Event::SoFar { job: cx.job, outcome: self.outcome() });
        }
        let (way, noise, size, seed) = key;
        let of_noise = if noise == LabelNoise::True { String::new() } else { format!(", {}", noise.name()) };
        let label = format!("{}, {size} examples, seed {seed}{of_noise}", way.title());
        let (done, total) = ((self.planned - self.plan.len()) as u64, self.planned as u64);
        (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "points" });
        Ok(self.plan.is_empty())
    }

    /// What is known once all is measured.
    fn conclude(&mut self) {
        let State::Ready(ready) = &self.state else { return };
        let cut = ready.of_model.cut().max(ready.of_head.cut());
        if cut > 0 {
            let longest = ready.base.tells.longest;
            self.report.notes.push(format!("{cut} texts are longer than {longest} tokens and were cut off there."));
        }
        let shown = self.report.points.iter().filter(|point| point.way == Way::Examples);
        if let Some(most) = shown.clone().filter(|point| point.used < point.size).map(|point| point.used).min() {
            let note = format!(
                "A prompt holds about {most} of these examples beside the query; of more, the first ones are left out."
            );
            self.report.notes.push(note);
        }
        if let (true, Some(note)) = (shown.count() > 0, prompting::note_of_words(&ready.base, &self.spec, &ready.data))
        {
            self.report.notes.push(note);
        }
    }
}

impl Ready {
    /// Goes on with a point; what it came to, once it is measured.
    fn measure(
        &mut self,
        spec: &AdaptSpec,
        (way, noise, size, seed): Key,
        device: &Device,
    ) -> Result<Option<Outcomes>, UserError> {
        let (doing, done) = match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => {
                let drawn = draw_examples(&self.data, size, seed, noise);
                match (way, &self.writer) {
                    (Way::Embeddings | Way::Prototypes, _) => (Doing::Nothing, Some(self.linear(way, &drawn))),
                    (Way::Examples, Some(writer)) => {
                        let prompting = Prompting::new(writer, spec, &self.data, &drawn, &self.test)?;
                        (Doing::Prompting(Box::new(prompting)), None)
                    }
                    _ => {
                        let learning = Learning::begin(self, &Lesson { way, seed, spec, drawn: &drawn, device })?;
                        (Doing::Learning(Box::new(learning)), None)
                    }
                }
            }
            Doing::Prompting(mut prompting) => {
                let done = self.writer.as_ref().map(|writer| prompting.step(writer)).transpose()?.flatten();
                (Doing::Prompting(prompting), done)
            }
            Doing::Learning(mut learning) => {
                let done = learning.step(self, device)?;
                (Doing::Learning(learning), done)
            }
        };
        if done.is_none() {
            self.doing = doing;
        }
        Ok(done)
    }

    /// A small model on the vectors.
    fn linear(&self, way: Way, drawn: &[(usize, usize)]) -> Outcomes {
        let (making, classes, peak) = (&self.of_model, self.data.labels.len(), Peak::begin());
        let begun = Instant::now();
        let vectors = making.vectors();
        let of_texts = making.seconds_a_text();
        let (shares, learned, adapt_s): (Vec<Vec<f64>>, usize, f64) = if way == Way::Embeddings {
            let learned = Logistic::learn(vectors, drawn, classes);
            let adapt_s = begun.elapsed().as_secs_f64();
            let shares = self.test.iter().map(|place| learned.log_shares(vectors.row(*place)));
            (shares.collect(), learned.learned(), adapt_s)
        } else {
            let learned = Prototypes::learn(vectors, drawn, classes);
            let adapt_s = begun.elapsed().as_secs_f64();
            let shares = self.test.iter().map(|place| learned.log_shares(vectors.row(*place)));
            (shares.collect(), learned.learned(), adapt_s)
        };
        let answering = begun.elapsed().as_secs_f64() - adapt_s;
        Outcomes {
            shares,
            used: drawn.len(),
            adapt_s: adapt_s + of_texts * drawn.len() as f64,
            query_s: answering + of_texts * self.test.len() as f64,
            tokens: making.tokens_a_text(&self.test),
            learned: learned as u64,
            bytes: 4 * learned as u64,
            peak: peak.end(),
        }
    }
}

impl Task for Adapt {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let begun = Instant::now();
        if matches!(self.state, State::New) {
            self.state = State::Failed;
            let ready = self.begin(cx)?;
            self.state = State::Ready(Box::new(ready));
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
fn point((way, noise, size, seed): Key, outcomes: Outcomes, test: &[(String, u32)]) -> AdaptPoint {
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

fn no_text(name: &str) -> UserError {
    UserError::new(
        format!("{name} reads no text."),
        "Ways to adapt a model are compared on labelled texts.",
        "Choose a decoder or an encoder of texts.",
    )
}
