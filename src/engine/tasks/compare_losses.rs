//! What each of some examples costs two models, a few examples a step.

use super::compare_before::{Before, Finding, other_kind};
use super::compare_side::{Cost, Side};
use super::{LoadedModel, ModelStore, Step, Task, TaskContext, not_open};
use crate::engine::{Event, Outcome};
use crate::load::digit::idx;
use crate::load::{self, TextModel, Tokenizer, read_labelled, read_labelled_rows};
use crate::train::{Drawn, Example, Progress, TextExamples, digit_examples};
use crate::types::{
    DataPart, LossRow, LossToken, LossesData, LossesReport, LossesSpec, ModelId, TextTask, ToldClass, TrainSpec,
    TrainTask, UserError, model_name,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often what there is so far is told.
const TOLD_EVERY: Duration = Duration::from_millis(150);
/// Tokens of a passage unless told.
const CONTEXT: usize = 512;

/// Compares.
pub(crate) struct CompareLosses {
    after: ModelId,
    spec: LossesSpec,
    finding: Finding,
    before: Option<Before>,
    reading: Reading,
    measuring: Option<Box<Measuring>>,
}

/// How far the examples are read.
enum Reading {
    Nothing,
    Text { examples: TextExamples, spec: Box<TrainSpec>, part: DataPart },
    All(Drawn),
}

/// Both models and all examples.
struct Measuring {
    sides: [Side; 2],
    examples: Vec<(usize, Example)>,
    tokenizer: Option<Arc<Tokenizer>>,
    next: usize,
    report: LossesReport,
    told: Instant,
}

impl CompareLosses {
    /// To compare `after` with the model that the spec names.
    pub(crate) fn new(after: ModelId, spec: LossesSpec) -> Self {
        let finding = Finding::New(spec.before.clone());
        Self { after, spec, finding, before: None, reading: Reading::Nothing, measuring: None }
    }

    /// Begins to read the examples; those that lie in one small file are read at once.
    fn begin(&self, models: &ModelStore) -> Result<Reading, UserError> {
        let most = self.spec.most.max(1);
        match &self.spec.data {
            LossesData::Run(spec, part) => {
                if let Some(examples) = TextExamples::of(&spec.task) {
                    models.text(self.after)?;
                    return Ok(Reading::Text { examples, spec: spec.clone(), part: *part });
                }
                match &spec.task {
                    TrainTask::Classify(task) => {
                        let (_, mut data) = read_labelled(&task.source(spec.validation_share, spec.seed))?;
                        data.learn_from(spec.learn_from, spec.seed);
                        let places = data.part(*part);
                        let example = |place: usize| {
                            let (text, class) = &data.examples[places[place]];
                            Example::Labelled { text: text.clone(), label: data.labels[*class].clone() }
                        };
                        Ok(Reading::All(Drawn::spread(places.len(), most, example)))
                    }
                    TrainTask::Memory(_) => Err(drawn_for_each_step()),
                    TrainTask::Masked(_) | TrainTask::Contrastive(_) => Err(no_examples()),
                    _ => digit_examples(spec, *part, most).map(Reading::All),
                }
            }
            LossesData::File { path, columns, context } => match models.get(self.after).ok_or_else(not_open)? {
                LoadedModel::Classifier(_) | LoadedModel::Vision(_) => {
                    let columns = [columns[0].as_deref(), columns[1].as_deref()];
                    let rows = read_labelled_rows(path, columns)?.rows;
                    let example = |place: usize| {
                        let [text, label] = rows[place].clone();
                        Example::Labelled { text, label }
                    };
                    Ok(Reading::All(Drawn::spread(rows.len(), most, example)))
                }
                LoadedModel::Digits(_) => {
                    let folder = idx::read(path)?;
                    let set = folder.test.or(folder.train).unwrap_or_default();
                    let example =
                        |place| Example::Digit { pixels: set.pixels(place).to_vec(), label: set.label(place) };
                    Ok(Reading::All(Drawn::spread(set.len(), most, example)))
                }
                _ => {
                    let context = context.unwrap_or(CONTEXT).min(models.text(self.after)?.lm.context());
                    let task = TrainTask::Text(TextTask { data: vec![path.clone()], context, shape: None });
                    let spec = Box::new(TrainSpec::reading(task));
                    let examples = TextExamples::of(&spec.task).ok_or_else(not_open)?;
                    Ok(Reading::Text { examples, spec, part: DataPart::Train })
                }
            },
        }
    }

    /// Goes on reading; all examples once they are there.
    fn read(&mut self, cx: &mut TaskContext<'_>) -> Result<Option<Drawn>, UserError> {
        match &mut self.reading {
            Reading::Nothing => self.reading = self.begin(cx.models)?,
            Reading::Text { examples, spec, part } => {
                let (job, emit) = (cx.job, &mut *cx.emit);
                let mut tell =
                    |Progress { label, done, total, unit }| emit(Event::Progress { job, label, done, total, unit });
                if examples.read(spec, cx.models.text(self.after)?, &mut tell)? {
                    self.reading = Reading::All(examples.draw(spec, *part, self.spec.most.max(1)));
                }
            }
            Reading::All(drawn) => return Ok(Some(std::mem::take(drawn))),
        }
        Ok(None)
    }

    /// Both models as they are now, and the examples as each reads them.
    fn measuring(&self, before: &Before, drawn: Drawn, models: &ModelStore) -> Result<Measuring, UserError> {
        let Drawn { mut examples, of } = drawn;
        // A document of which nothing is predicted costs nothing.
        examples.retain(|(_, example)| match example {
            Example::Tokens { predicted, .. } => predicted.contains(&true),
            _ => true,
        });
        if examples.is_empty() {
            return Err(self.nothing());
        }
        let after = models.get(self.after).ok_or_else(not_open)?;
        let other = match before {
            Before::Base => after,
            Before::Open(id) => models.get(*id).ok_or_else(not_open)?,
            Before::Own(model) => model,
        };
        let kinds = [other, after].map(|model| (model.info().name.as_str(), model.info().kind()));
        if kinds[0].1 != kinds[1].1 {
            return Err(other_kind(kinds[0], kinds[1]));
        }
        if let (LoadedModel::Text(other), LoadedModel::Text(after)) = (other, after) {
            check_tokenizers(other, after)?;
        }
        let context = match &self.spec.data {
            LossesData::Run(spec, _) => match &spec.task {
                TrainTask::Classify(task) => task.context,
                _ => None,
            },
            LossesData::File { context, .. } => *context,
        };
        let mut sides = [Side::of(other, matches!(before, Before::Base))?, Side::of(after, false)?];
        let mut cut = vec![false; examples.len()];
        for (side, model) in sides.iter_mut().zip([other, after]) {
            let is_cut = side.take_in(model, &examples, context)?;
            cut.iter_mut().zip(is_cut).for_each(|(cut, is_cut)| *cut |= is_cut);
        }
        let report = LossesReport {
            models: sides.each_ref().map(|side| side.info.full_name()),
            data: data_words(&self.spec.data),
            labels: sides[1].labels(),
            rows: Vec::with_capacity(examples.len()),
            asked: examples.len(),
            of,
            cut: cut.iter().filter(|cut| **cut).count(),
        };
        let tokenizer = match after {
            LoadedModel::Text(model) => Some(Arc::clone(&model.tokenizer)),
            _ => None,
        };
        Ok(Measuring { sides, examples, tokenizer, next: 0, report, told: Instant::now() })
    }

    fn nothing(&self) -> UserError {
        match &self.spec.data {
            LossesData::Run(_, part) => UserError::new(
                format!("There is nothing in the {} part.", part.name()),
                "The run held nothing out for it.",
                "Choose another part, or data of your own.",
            ),
            LossesData::File { path, .. } => UserError::new(
                format!("There is no example in {}.", path.display()),
                "Nothing in it can be measured.",
                "Choose other data.",
            ),
        }
    }
}

impl Task for CompareLosses {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if let Some(measuring) = &mut self.measuring {
            return measuring.step(cx);
        }
        let Some(before) = &self.before else {
            self.before = self.finding.step(self.after, cx)?;
            return Ok(Step::More);
        };
        if let Before::Open(id) = before {
            cx.models.get(*id).ok_or_else(not_open)?;
        }
        if let Some(drawn) = self.read(cx)?
            && let Some(before) = &self.before
        {
            self.measuring = Some(Box::new(self.measuring(before, drawn, cx.models)?));
            // The networks are all that is needed of it from here on.
            self.before = None;
        }
        Ok(Step::More)
    }

    fn cancel(&mut self, _: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let measured = self.measuring.as_ref().filter(|measuring| !measuring.report.rows.is_empty());
        Ok(measured.map_or(Outcome::Cancelled, |measuring| Outcome::LossesCompared(Arc::new(measuring.report.clone()))))
    }
}

impl Measuring {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let first = self.next;
        let count = self.sides.iter().map(|side| side.portion(&self.examples, first)).min().unwrap_or(1);
        let here = &self.examples[first..first + count];
        let [before, after] = [&self.sides[0], &self.sides[1]].map(|side| side.costs(here, first, cx.device));
        for ((example, before), after) in here.iter().zip(before?).zip(after?) {
            let labels = &self.report.labels;
            let row = row(example, &[before, after], self.tokenizer.as_deref(), labels);
            self.report.rows.push(Arc::new(row));
        }
        self.next += count;
        let (done, total) = (self.next as u64, self.examples.len() as u64);
        let label = "Comparing".to_owned();
        (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "examples" });
        let told = || Outcome::LossesCompared(Arc::new(self.report.clone()));
        if done == total {
            return Ok(Step::Done(told()));
        }
        if first == 0 || self.told.elapsed() >= TOLD_EVERY {
            (cx.emit)(Event::SoFar { job: cx.job, outcome: told() });
            self.told = Instant::now();
        }
        Ok(Step::More)
    }
}

/// An example with what it costs.
fn row(
    (place, example): &(usize, Example),
    costs: &[Cost; 2],
    tokenizer: Option<&Tokenizer>,
    labels: &[String],
) -> LossRow {
    let place = *place;
    let classes = |label: usize| -> Option<ToldClass> {
        let told = costs.each_ref().map(|cost| match cost {
            Cost::Class(nats, likeliest) => ((-nats).exp(), *likeliest),
            Cost::Tokens(_) => (f64::NAN, None),
        });
        Some(ToldClass { label, probabilities: told.map(|told| told.0), predictions: told.map(|told| told.1) })
    };
    let nats = costs.each_ref().map(|cost| match cost {
        Cost::Class(nats, _) => *nats,
        Cost::Tokens(costs) => costs.iter().map(|cost| f64::from(*cost)).sum::<f64>() / costs.len() as f64,
    });
    let plain = LossRow {
        place,
        text: String::new(),
        count: 1,
        losses: nats,
        told: None,
        tokens: Vec::new(),
        pixels: Vec::new(),
    };
    match example {
        Example::Labelled { text, label } => {
            let told = labels.iter().position(|known| known == label).and_then(classes);
            LossRow { text: text.clone(), told, ..plain }
        }
        Example::Digit { pixels, label } => {
            let told = classes(usize::from(*label));
            LossRow { text: format!("a {label}"), told, pixels: pixels.clone(), ..plain }
        }
        Example::Tokens { ids, predicted } => {
            let mut each = match costs {
                [Cost::Tokens(before), Cost::Tokens(after)] => before.iter().zip(after),
                _ => [].iter().zip(&[]),
            };
            let text = |id: u32| tokenizer.map_or_else(String::new, |tokenizer| tokenizer.token_text(id));
            let mut token = |(at, id): (usize, &u32)| {
                let is_predicted = at > 0 && predicted[at - 1];
                let losses = if is_predicted { each.next().map(|(a, b)| [*a, *b]) } else { None };
                LossToken { id: *id, text: text(*id), losses }
            };
            let tokens: Vec<LossToken> = ids.iter().enumerate().map(&mut token).collect();
            let count = predicted.iter().filter(|predicted| **predicted).count();
            let text = tokenizer.map_or_else(String::new, |tokenizer| tokenizer.decode(ids));
            LossRow { text, count, tokens, ..plain }
        }
    }
}

/// Nats a token mean the same only where tokens are the same.
fn check_tokenizers(before: &TextModel, after: &TextModel) -> Result<(), UserError> {
    let named = [before, after].map(|model| load::tokenizer_fingerprint(&model.tokenizer).ok());
    let is_same = match &named {
        [Some(before), Some(after)] => before == after,
        _ => before.tokenizer.vocabulary() == after.tokenizer.vocabulary(),
    };
    if Arc::ptr_eq(&before.tokenizer, &after.tokenizer) || is_same {
        return Ok(());
    }
    Err(UserError::new(
        format!("{} and {} split texts into other tokens.", before.info.name, after.info.name),
        "A loss a token means another thing in each of them.",
        "Choose a model with the same tokenizer; bits per byte, which `fovea evaluate` tells, compare across tokenizers.",
    ))
}

fn drawn_for_each_step() -> UserError {
    UserError::new(
        "A run that learns to remember has no examples to compare.",
        "Its questions are drawn anew for each step, and none comes twice.",
        "Compare the two models with `fovea memory`, by what they remember at each distance, or on a text of your own.",
    )
}

fn no_examples() -> UserError {
    UserError::new(
        "Losses of blanks and of pairs are not compared example by example.",
        "Which blanks an example has, and which texts it is told from, is drawn anew each time.",
        "Compare the curves of the runs, or fill blanks with both models.",
    )
}

fn data_words(data: &LossesData) -> String {
    let named = |paths: &[&Path]| paths.iter().map(|path| model_name(path)).collect::<Vec<_>>().join(", ");
    match data {
        LossesData::File { path, .. } => named(&[path]),
        LossesData::Run(spec, part) => {
            let of = match &spec.task {
                TrainTask::Text(task) => named(&task.data.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
                TrainTask::FewShot(task) => named(&task.tasks.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
                TrainTask::Digits(task) => named(&[&task.data]),
                TrainTask::Classify(task) => named(&[&task.data]),
                TrainTask::Memory(task) => format!("questions of {}", task.of.name()),
                TrainTask::Masked(task) => named(&task.data.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
                TrainTask::Contrastive(task) => named(&task.data.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
            };
            format!("{of}, {} part", part.name())
        }
    }
}
