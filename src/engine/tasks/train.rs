//! Training: the same loop for digit networks and text models, one optimiser step at a time.

mod augment;
mod check;
mod checkpoint;
mod digits;
mod few_shot;
mod lesson;
mod log;
mod look_back;
mod optimiser;
mod passage;
#[cfg(test)]
mod tests;
mod text;
mod text_model;

use super::{LoadedModel, Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load;
use crate::types::{ModelId, ModelKind, Precision, TrainPoint, TrainSpec, TrainSummary, TrainTask, UserError};
use burn::module::Module;
use burn::optim::GradientsParams;
use check::{check, find_checkpoint, other_network};
use checkpoint::{BestScore, Checkpoint, RunState, weights_of, with_weights};
pub(super) use digits::measure as measure_digits;
use lesson::{Lesson, SampleStep, Score};
use log::TrainingLog;
use optimiser::{Optimiser, learning_rate};
use std::path::Path;
use std::time::{Duration, Instant};

/// At most 30 events with points a second.
const POINTS_EVERY: Duration = Duration::from_millis(34);
/// How often the model itself is announced, so that its weights can be watched.
const MODEL_EVERY: Duration = Duration::from_millis(500);

/// Label of the progress that a resumed run begins with.
const RESUMED: &str = "Going on after a checkpoint";

/// The task that trains `model` as `spec` says.
pub(crate) fn task(model: ModelId, spec: TrainSpec) -> Box<dyn Task> {
    match &spec.task {
        TrainTask::Digits(task) => {
            let lesson = digits::DigitLesson::new(task.clone());
            Box::new(Trainer { spec, model, lesson, stage: Stage::New })
        }
        TrainTask::FewShot(task) => {
            let lesson = few_shot::FewShotLesson::new(task.clone());
            Box::new(Trainer { spec, model, lesson, stage: Stage::New })
        }
        TrainTask::Text(task) => {
            let lesson = text::TextLesson::new(task.clone());
            Box::new(Trainer { spec, model, lesson, stage: Stage::New })
        }
    }
}

struct Trainer<L: Lesson> {
    spec: TrainSpec,
    model: ModelId,
    lesson: L,
    stage: Stage<L::Net>,
}

enum Stage<N> {
    New,
    Preparing(Option<Box<Checkpoint>>),
    Running(Box<Run<N>>),
}

/// A run between two steps.
struct Run<N> {
    /// Carries autodiff.
    net: N,
    optimiser: Optimiser,
    step: usize,
    elapsed: Duration,
    /// Weights before the first step, without autodiff: what is left when the loss is no number before any validation.
    start: N,
    best: Option<(BestScore, N)>,
    /// The point whose validation is under way, the slices done and their sum.
    validating: Option<(TrainPoint, usize, Score)>,
    sampling: bool,
    log: Option<TrainingLog>,
    pending: Vec<TrainPoint>,
    points_sent: Instant,
    model_sent: Instant,
}

impl<L: Lesson> Task for Trainer<L> {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let begun = Instant::now();
        match &mut self.stage {
            Stage::New => {
                check(&self.spec)?;
                self.stage = Stage::Preparing(find_checkpoint(&self.spec)?.map(Box::new));
                Ok(Step::More)
            }
            Stage::Preparing(checkpoint) => {
                let folder = self.spec.out.as_deref().filter(|_| checkpoint.is_some()).and_then(Checkpoint::folder);
                if self.lesson.prepare(&self.spec, self.model, folder.as_deref(), cx)? {
                    let checkpoint = checkpoint.take();
                    self.begin(checkpoint.map(|c| *c), cx)?;
                }
                Ok(Step::More)
            }
            Stage::Running(run) => {
                let result = if run.validating.is_some() {
                    validate(&self.spec, self.model, &self.lesson, run, cx).map(|()| Step::More)
                } else if run.sampling {
                    sample(&mut self.lesson, run, cx);
                    Ok(Step::More)
                } else if run.step < self.spec.steps {
                    learn(&self.spec, self.model, &mut self.lesson, run, cx).map(|()| Step::More)
                } else {
                    finish(&self.spec, self.model, &self.lesson, run, false, cx).map(Step::Done)
                };
                run.elapsed += begun.elapsed();
                result
            }
        }
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        match &mut self.stage {
            Stage::New | Stage::Preparing(_) => Ok(Outcome::Cancelled),
            Stage::Running(run) => {
                if let Some((point, ..)) = run.validating.take() {
                    record(run, point)?;
                }
                finish(&self.spec, self.model, &self.lesson, run, true, cx)
            }
        }
    }
}

impl<L: Lesson> Trainer<L> {
    /// From prepared data and model to the first step, or the step after a checkpoint.
    fn begin(&mut self, checkpoint: Option<Checkpoint>, cx: &mut TaskContext<'_>) -> Result<(), UserError> {
        let start = self.lesson.net(cx.models, self.model)?;
        let mut optimiser = Optimiser::new(&self.spec, self.lesson.beta_2());
        let (mut net, mut best) = (start.clone(), None);
        let (mut step, mut elapsed) = (0, Duration::ZERO);
        if let Some(Checkpoint { run, weights, best_weights, moments }) = checkpoint {
            let fit = |weights| with_weights(start.clone(), weights).ok_or_else(|| other_network(&self.spec));
            net = fit(weights)?;
            if let (Some(score), Some(weights)) = (run.best, best_weights) {
                best = Some((score, fit(weights)?));
            }
            optimiser.restore(&net, moments, cx.device);
            (step, elapsed) = (run.step, Duration::from_secs_f64(run.elapsed_s));
            let (label, done, total) = (RESUMED.to_owned(), step as u64, self.spec.steps as u64);
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "steps" });
        }
        let mut pending = Vec::new();
        let mut log = None;
        if let Some(out) = &self.spec.out {
            let (begun, kept) = TrainingLog::begin(out, step)?;
            (log, pending) = (Some(begun), kept);
        }
        let now = Instant::now();
        self.stage = Stage::Running(Box::new(Run {
            net: net.train(),
            optimiser,
            step,
            elapsed,
            start,
            best,
            validating: None,
            sampling: false,
            log,
            pending,
            points_sent: now,
            model_sent: now,
        }));
        Ok(())
    }
}

/// One optimiser step.
fn learn<L: Lesson>(
    spec: &TrainSpec,
    model: ModelId,
    lesson: &mut L,
    run: &mut Run<L::Net>,
    cx: &mut TaskContext<'_>,
) -> Result<(), UserError> {
    let begun = Instant::now();
    let step = run.step + 1;
    let loss = lesson.loss(spec, &run.net, step, &cx.device.clone().autodiff());
    let gradients = loss.backward();
    let loss = f64::from(loss.into_scalar::<f32>());
    if !loss.is_finite() {
        return Err(diverged(spec, model, lesson, run, step, loss, cx));
    }
    let gradients = GradientsParams::from_grads(gradients, &run.net);
    let rate = learning_rate(spec, step);
    run.optimiser.embedding_rate = lesson.embedding_rate(spec, step);
    run.net = run.optimiser.step(run.net.clone(), gradients, rate, lesson.tokens());
    run.step = step;
    lesson.put(cx.models, model, run.net.valid())?;

    let elapsed_s = (run.elapsed + begun.elapsed()).as_secs_f64();
    let point = TrainPoint { step, elapsed_s, loss, learning_rate: rate, ..TrainPoint::default() };
    let is_due = step.is_multiple_of(spec.eval_every) || step == spec.steps;
    if is_due && lesson.validation_slices() > 0 {
        run.validating = Some((point, 0, Score::default()));
    } else {
        record(run, point)?;
    }
    announce(model, run, cx, false);
    Ok(())
}

/// One slice of a validation; the last one keeps the weights if they are the best, and writes a checkpoint.
fn validate<L: Lesson>(
    spec: &TrainSpec,
    model: ModelId,
    lesson: &L,
    run: &mut Run<L::Net>,
    cx: &mut TaskContext<'_>,
) -> Result<(), UserError> {
    let Some((mut point, slice, sum)) = run.validating.take() else { return Ok(()) };
    let net = run.net.valid();
    let sum = sum.plus(lesson.validate(&net, slice, cx.device));
    if slice + 1 < lesson.validation_slices() {
        run.validating = Some((point, slice + 1, sum));
        return Ok(());
    }
    let loss = sum.mean_loss();
    point.validation_loss = Some(loss);
    point.validation_accuracy = sum.accuracy();
    record(run, point)?;
    if loss.is_finite() && run.best.as_ref().is_none_or(|(best, _)| loss < best.loss) {
        run.best = Some((BestScore { step: point.step, loss }, net));
    }
    run.sampling = true;
    if let Some(out) = &spec.out {
        write_checkpoint(spec, out, lesson, run)?;
    }
    announce(model, run, cx, true);
    Ok(())
}

fn sample<L: Lesson>(lesson: &mut L, run: &mut Run<L::Net>, cx: &mut TaskContext<'_>) {
    match lesson.sample(&run.net.valid(), cx.device) {
        SampleStep::More => return,
        SampleStep::None => {}
        SampleStep::Done(text) => (cx.emit)(Event::Sample { job: cx.job, step: run.step, text }),
    }
    run.sampling = false;
}

/// Ends the run: the best weights stay in the store and, if asked for, on disk.
fn finish<L: Lesson>(
    spec: &TrainSpec,
    model: ModelId,
    lesson: &L,
    run: &mut Run<L::Net>,
    stopped_early: bool,
    cx: &mut TaskContext<'_>,
) -> Result<Outcome, UserError> {
    if let (Some(out), true) = (&spec.out, stopped_early) {
        write_checkpoint(spec, out, lesson, run)?;
    }
    let net = run.best.as_ref().map_or_else(|| run.net.valid(), |(_, net)| net.clone());
    lesson.put(cx.models, model, net)?;
    announce(model, run, cx, true);
    if let Some(log) = &mut run.log {
        log.flush()?;
    }
    if let Some(out) = &spec.out {
        save(model, out, spec.precision, cx)?;
        lesson.write_beside(out)?;
        if !stopped_early {
            Checkpoint::remove(out);
        }
    }
    Ok(Outcome::Trained(TrainSummary {
        steps: run.step,
        elapsed_s: run.elapsed.as_secs_f64(),
        best: run.best.as_ref().map(|(best, _)| (best.step, best.loss)),
        stopped_early,
        examples: lesson.examples_per_step(spec) * run.step as u64,
        saved_to: spec.out.clone(),
    }))
}

/// A loss that is no number: nothing sensible can follow. The best weights so far stay.
fn diverged<L: Lesson>(
    spec: &TrainSpec,
    model: ModelId,
    lesson: &L,
    run: &mut Run<L::Net>,
    step: usize,
    loss: f64,
    cx: &mut TaskContext<'_>,
) -> UserError {
    let (net, kept) = match &run.best {
        Some((best, net)) => (net.clone(), format!("The weights of step {}, the best so far, are kept.", best.step)),
        None => (run.start.clone(), "The weights are back where the run began.".to_owned()),
    };
    if let Err(error) = lesson.put(cx.models, model, net) {
        return error;
    }
    announce(model, run, cx, true);
    let mut detail = String::new();
    if let Some(log) = &mut run.log
        && let Err(error) = log.flush()
    {
        detail = error.to_string();
    }
    let mut saved = String::new();
    if let (Some(out), Some(_)) = (&spec.out, &run.best) {
        match save(model, out, spec.precision, cx) {
            Ok(()) => saved = format!(" They were saved in {}.", out.display()),
            Err(error) => detail = error.to_string(),
        }
    }
    UserError::new(
        format!("Training stopped at step {step}: the loss became {loss}."),
        "The weights ran away, most often because the learning rate is too high.",
        format!("{kept}{saved} Train again with a lower learning rate, more warm-up steps or gradient clipping."),
    )
    .with_detail(detail)
}

fn record<N>(run: &mut Run<N>, point: TrainPoint) -> Result<(), UserError> {
    run.pending.push(point);
    match &mut run.log {
        Some(log) => log.add(&point),
        None => Ok(()),
    }
}

/// Sends points and the model, not too often unless `now`.
fn announce<N>(model: ModelId, run: &mut Run<N>, cx: &mut TaskContext<'_>, now: bool) {
    if !run.pending.is_empty() && (now || run.points_sent.elapsed() >= POINTS_EVERY) {
        (cx.emit)(Event::Trained { job: cx.job, points: std::mem::take(&mut run.pending) });
        run.points_sent = Instant::now();
    }
    if now || run.model_sent.elapsed() >= MODEL_EVERY {
        if let Some(model) = cx.models.get(model) {
            (cx.emit)(model.event());
        }
        run.model_sent = Instant::now();
    }
}

fn write_checkpoint<L: Lesson>(
    spec: &TrainSpec,
    out: &Path,
    lesson: &L,
    run: &mut Run<L::Net>,
) -> Result<(), UserError> {
    if let Some(log) = &mut run.log {
        log.flush()?;
    }
    let best = run.best.as_ref().map(|(best, _)| *best);
    let checkpoint = Checkpoint {
        run: RunState::new(spec.clone(), run.step, run.elapsed.as_secs_f64(), best),
        weights: weights_of(&run.net),
        best_weights: run.best.as_ref().map(|(_, net)| weights_of(net)),
        moments: run.optimiser.moments(&run.net),
    };
    checkpoint.write(out, |folder| lesson.write_extra(folder))
}

fn save(model: ModelId, out: &Path, precision: Precision, cx: &mut TaskContext<'_>) -> Result<(), UserError> {
    let Some(loaded) = cx.models.get_mut(model) else { return Err(super::not_open()) };
    match loaded {
        LoadedModel::Text(model) => load::save_text_model(model, out, precision)?,
        LoadedModel::Digits(model) => load::save_digit_model(model, out, precision)?,
        other => return Err(super::wrong_kind(other.info(), ModelKind::CausalLm)),
    }
    let info = loaded.info_mut();
    info.modified = false;
    out.clone_into(&mut info.path);
    if let Some(name) = out.file_name() {
        info.name = name.to_string_lossy().into_owned();
    }
    (cx.emit)(loaded.event());
    Ok(())
}
