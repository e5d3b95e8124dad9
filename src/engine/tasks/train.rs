//! Training as a job: a run's steps, with what happens shown to the window and the network kept in the store.

use super::{LoadedModel, ModelStore, Step, Task, TaskContext, not_open, wrong_kind};
use crate::engine::{Event, Outcome};
use crate::load::{self, DigitModel, TextModel};
use crate::nn::{CausalLm, DigitNet};
use crate::train::objectives::{Digits, FewShot, NextToken};
use crate::train::{Checkpoint, Happened, Objective, Place, Preparation, Progress, Run, Setup, check};
use crate::types::{ModelId, ModelInfo, ModelKind, Precision, StartFrom, TrainSpec, TrainTask, UserError};
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
        TrainTask::Digits(task) => trainer(Digits::new(task.clone()), model, spec),
        TrainTask::FewShot(task) => trainer(FewShot::new(task.clone()), model, spec),
        TrainTask::Text(task) => trainer(NextToken::new(task.clone()), model, spec),
    }
}

/// The task of one objective.
pub(super) fn trainer<O: Objective + 'static>(objective: O, model: ModelId, spec: TrainSpec) -> Box<dyn Task>
where
    O::Model: Trained<Net = O::Net>,
{
    Box::new(Trainer { model, place: Place::default(), state: State::New { spec, objective } })
}

/// What training did to weights that stand in the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes {
    /// No file held the weights the run began with.
    modified: bool,
    /// Optimiser steps since a file held them.
    steps: u64,
}

impl Changes {
    fn of(info: &ModelInfo) -> Self {
        Self { modified: info.modified, steps: info.trained_steps }
    }

    /// These, and so many steps of a run.
    fn and(self, steps: usize) -> Self {
        Self { modified: self.modified || steps > 0, steps: self.steps + steps as u64 }
    }

    fn note(self, info: &mut ModelInfo) {
        (info.modified, info.trained_steps) = (self.modified, self.steps);
    }
}

/// A kind of model that can be trained where it stands in the store.
pub(super) trait Trained: Sized {
    type Net;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError>;

    fn into_store(self, id: ModelId) -> LoadedModel;

    /// Puts a network in the place of the open model's, whose weights these changes made what they are.
    fn put(models: &mut ModelStore, id: ModelId, net: Self::Net, changes: Changes) -> Result<(), UserError>;
}

impl Trained for TextModel {
    type Net = CausalLm;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError> {
        models.text(id)
    }

    fn into_store(mut self, id: ModelId) -> LoadedModel {
        self.info.id = id;
        LoadedModel::Text(self)
    }

    fn put(models: &mut ModelStore, id: ModelId, net: CausalLm, changes: Changes) -> Result<(), UserError> {
        models.text(id)?;
        if let Some(LoadedModel::Text(model)) = models.get_mut(id) {
            model.lm = net;
            changes.note(&mut model.info);
        }
        Ok(())
    }
}

impl Trained for DigitModel {
    type Net = DigitNet;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError> {
        models.digits(id)
    }

    fn into_store(mut self, id: ModelId) -> LoadedModel {
        self.info.id = id;
        LoadedModel::Digits(self)
    }

    fn put(models: &mut ModelStore, id: ModelId, net: DigitNet, changes: Changes) -> Result<(), UserError> {
        models.digits(id)?;
        if let Some(LoadedModel::Digits(model)) = models.get_mut(id) {
            model.net = net;
            changes.note(&mut model.info);
        }
        Ok(())
    }
}

struct Trainer<O: Objective> {
    model: ModelId,
    /// Held as long as the run writes.
    place: Place,
    state: State<O>,
}

enum State<O: Objective> {
    New { spec: TrainSpec, objective: O },
    Preparing { spec: TrainSpec, objective: O, checkpoint: Option<Box<Checkpoint>> },
    Running(Box<Running<O>>),
    Failed,
}

/// A run, and what was shown of it.
struct Running<O: Objective> {
    model: ModelId,
    run: Run<O>,
    /// Of the weights the run began with.
    before: Changes,
    points_sent: Instant,
    model_sent: Instant,
}

impl<O: Objective> Trainer<O>
where
    O::Model: Trained<Net = O::Net>,
{
    /// Reads a stretch; once all is ready, from prepared data and model to the first step, or the step after a checkpoint.
    fn prepare(
        &self,
        spec: TrainSpec,
        mut objective: O,
        checkpoint: Option<Box<Checkpoint>>,
        cx: &mut TaskContext<'_>,
    ) -> Result<State<O>, UserError> {
        let (job, emit) = (cx.job, &mut *cx.emit);
        let mut tell = |Progress { label, done, total, unit }| emit(Event::Progress { job, label, done, total, unit });
        let folder = checkpoint.as_ref().map(|checkpoint| checkpoint.folder.clone());
        let open = match spec.start {
            StartFrom::OpenModel => Some(O::Model::in_store(cx.models, self.model)?),
            StartFrom::Scratch | StartFrom::Folder { .. } => None,
        };
        let setup = Setup { spec: &spec, open, checkpoint: folder.as_deref(), device: cx.device };
        match objective.prepare(&setup, &mut tell)? {
            Preparation::More => return Ok(State::Preparing { spec, objective, checkpoint }),
            Preparation::ReadyForOpen => {}
            Preparation::Ready(made) => cx.models.insert(self.model, made.into_store(self.model)),
        }
        if let Some(model) = cx.models.get(self.model) {
            (cx.emit)(model.event());
        }
        let start = O::net(O::Model::in_store(cx.models, self.model)?);
        let info = cx.models.get(self.model).ok_or_else(not_open)?.info();
        // No file holds weights that were drawn.
        let before = Changes { modified: info.modified || spec.start == StartFrom::Scratch, ..Changes::of(info) };
        let (total, is_resumed) = (spec.steps as u64, checkpoint.is_some());
        let run = Run::begin(spec, objective, start, checkpoint.map(|c| *c), cx.device)?;
        if is_resumed {
            let (label, done) = (RESUMED.to_owned(), run.step() as u64);
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "steps" });
        }
        let now = Instant::now();
        Ok(State::Running(Box::new(Running { model: self.model, run, before, points_sent: now, model_sent: now })))
    }
}

impl<O: Objective> Running<O>
where
    O::Model: Trained<Net = O::Net>,
{
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        match self.run.advance(cx.device)? {
            Happened::Nothing => {}
            Happened::Learned => {
                O::Model::put(cx.models, self.model, self.run.net(), self.before.and(self.run.step()))?;
                self.announce(cx, false);
            }
            Happened::Validated => self.announce(cx, true),
            Happened::Sampled(text) => (cx.emit)(Event::Sample { job: cx.job, step: self.run.step(), text }),
            Happened::Diverged { step, loss } => return Err(self.diverged(step, loss, cx)),
            Happened::Finished => return self.finish(false, cx).map(Step::Done),
        }
        Ok(Step::More)
    }

    /// Sends points and the model, not too often unless `now`.
    fn announce(&mut self, cx: &mut TaskContext<'_>, now: bool) {
        if now || self.points_sent.elapsed() >= POINTS_EVERY {
            let points = self.run.take_points();
            if !points.is_empty() {
                (cx.emit)(Event::Trained { job: cx.job, points });
                self.points_sent = Instant::now();
            }
        }
        if now || self.model_sent.elapsed() >= MODEL_EVERY {
            if let Some(model) = cx.models.get(self.model) {
                (cx.emit)(model.event());
            }
            self.model_sent = Instant::now();
        }
    }

    /// Ends the run: the best weights stay in the store and, if asked for, on disk.
    fn finish(&mut self, stopped_early: bool, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let (net, step) = self.run.result();
        O::Model::put(cx.models, self.model, net, self.before.and(step))?;
        self.announce(cx, true);
        self.run.flush_log()?;
        if let Some(out) = &self.run.spec().out {
            save(self.model, out, self.run.spec().precision, cx)?;
            self.run.objective().write_beside(out)?;
            if !stopped_early {
                Checkpoint::remove(out);
            }
        }
        Ok(Outcome::Trained(self.run.summary(stopped_early)))
    }

    /// A loss that is no number: nothing sensible can follow. The best weights so far stay.
    fn diverged(&mut self, step: usize, loss: f64, cx: &mut TaskContext<'_>) -> UserError {
        let (net, best) = self.run.kept();
        let kept = match best {
            Some(best) => format!("The weights of step {best}, the best so far, are kept."),
            None => "The weights are back where the run began.".to_owned(),
        };
        if let Err(error) = O::Model::put(cx.models, self.model, net, self.before.and(best.unwrap_or(0))) {
            return error;
        }
        self.announce(cx, true);
        let mut detail = self.run.flush_log().err().map_or(String::new(), |error| error.to_string());
        let mut saved = String::new();
        if let (Some(out), Some(_)) = (&self.run.spec().out, best) {
            match save(self.model, out, self.run.spec().precision, cx) {
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
}

impl<O: Objective> Task for Trainer<O>
where
    O::Model: Trained<Net = O::Net>,
{
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if let State::Running(running) = &mut self.state {
            return running.step(cx);
        }
        // What fails on the way leaves the task failed.
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::New { spec, objective } => {
                check(&spec)?;
                let (place, checkpoint) = Place::take(&spec)?;
                self.place = place;
                State::Preparing { spec, objective, checkpoint: checkpoint.map(Box::new) }
            }
            State::Preparing { spec, objective, checkpoint } => self.prepare(spec, objective, checkpoint, cx)?,
            state => state,
        };
        Ok(Step::More)
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let State::Running(running) = &mut self.state else { return Ok(Outcome::Cancelled) };
        running.run.stop()?;
        running.finish(true, cx)
    }
}

fn save(model: ModelId, out: &Path, precision: Precision, cx: &mut TaskContext<'_>) -> Result<(), UserError> {
    let Some(loaded) = cx.models.get_mut(model) else { return Err(not_open()) };
    match loaded {
        LoadedModel::Text(model) => load::save_text_model(model, out, precision)?,
        LoadedModel::Digits(model) => load::save_digit_model(model, out, precision)?,
        other => return Err(wrong_kind(other.info(), ModelKind::CausalLm)),
    }
    let info = loaded.info_mut();
    (info.modified, info.trained_steps) = (false, 0);
    out.clone_into(&mut info.path);
    if let Some(name) = out.file_name() {
        info.name = name.to_string_lossy().into_owned();
    }
    (cx.emit)(loaded.event());
    Ok(())
}
