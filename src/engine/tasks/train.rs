//! Training as a job: a run's steps, with what happens shown to the window and the network kept in the store.

use super::train_memory;
use super::train_origin::{Origin, info_of};
use super::train_snapshot::{Kept, keep};
use super::trained::{Changes, Learned, Trained};
use super::{LoadedModel, Step, Task, TaskContext, not_open};
use crate::engine::{Event, Outcome};
use crate::train::objectives::{
    Classify, ClassifyPictures, ClassifyWords, Contrastive, Digits, FewShot, MaskedTokens, Memory, NextToken,
};
use crate::train::{Checkpoint, Happened, Objective, Place, Preparation, Progress, Run, Setup, check, remove_means};
use crate::types::{
    ClassifyTask, ModelId, ModelInfo, Precision, RunSnapshot, RunState, StartFrom, TrainSpec, TrainTask, UserError,
};
use burn::tensor::Device;
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
        TrainTask::Classify(task @ ClassifyTask { words: Some(words), .. }) => {
            trainer(ClassifyWords::new(task.clone(), words.clone()), model, spec)
        }
        // A folder has a folder of pictures for each class.
        TrainTask::Classify(task) if task.data.is_dir() => trainer(ClassifyPictures::new(task.clone()), model, spec),
        TrainTask::Classify(task) => trainer(Classify::new(task.clone()), model, spec),
        TrainTask::Digits(task) => trainer(Digits::new(task.clone()), model, spec),
        TrainTask::FewShot(task) => trainer(FewShot::new(task.clone()), model, spec),
        TrainTask::Memory(task) => trainer(Memory::new(task.clone()), model, spec),
        TrainTask::Text(task) => trainer(NextToken::new(task.clone()), model, spec),
        TrainTask::Masked(task) => trainer(MaskedTokens::new(task.clone()), model, spec),
        TrainTask::Contrastive(task) => trainer(Contrastive::new(task.clone()), model, spec),
    }
}

/// The task of one objective.
pub(super) fn trainer<O: Objective + 'static>(objective: O, model: ModelId, spec: TrainSpec) -> Box<dyn Task>
where
    O::Model: Trained<Net = O::Net>,
{
    Box::new(Trainer { model, place: Place::default(), state: State::New { spec, objective } })
}

struct Trainer<O: Objective> {
    model: ModelId,
    /// Held as long as the run writes.
    place: Place,
    state: State<O>,
}

enum State<O: Objective> {
    New {
        spec: TrainSpec,
        objective: O,
    },
    /// Reads the weights the run begins with, to name them.
    Naming(Prepared<O>),
    Preparing(Prepared<O>),
    Running(Box<Running<O>>),
    Failed,
}

/// What is there of a run before its first step.
struct Prepared<O> {
    spec: TrainSpec,
    objective: O,
    checkpoint: Option<Box<Checkpoint>>,
    origin: Origin,
}

/// A run, and what was shown of it.
struct Running<O: Objective> {
    model: ModelId,
    run: Run<O>,
    origin: Origin,
    /// Of the weights the run began with.
    before: Changes,
    points_sent: Instant,
    model_sent: Instant,
    /// Somebody wants to see what is learned from.
    is_watched: bool,
}

impl<O: Objective> Trainer<O>
where
    O::Model: Trained<Net = O::Net>,
{
    /// Reads a stretch; once all is ready, from prepared data and model to the first step, or the step after a checkpoint.
    fn prepare(&self, mut prepared: Prepared<O>, cx: &mut TaskContext<'_>) -> Result<State<O>, UserError> {
        let (job, emit) = (cx.job, &mut *cx.emit);
        let mut tell = |Progress { label, done, total, unit }| emit(Event::Progress { job, label, done, total, unit });
        let folder = prepared.checkpoint.as_ref().map(|checkpoint| checkpoint.folder.clone());
        let from = prepared.origin.from.clone();
        let open = match from {
            StartFrom::OpenModel => Some(O::Model::in_store(cx.models, self.model)?),
            StartFrom::Scratch | StartFrom::Folder { .. } => None,
        };
        let spec = TrainSpec { start: from, ..prepared.spec.clone() };
        let setup = Setup { spec: &spec, open, checkpoint: folder.as_deref(), device: cx.device };
        match prepared.objective.prepare(&setup, &mut tell)? {
            Preparation::More => return Ok(State::Preparing(prepared)),
            Preparation::ReadyForOpen => {}
            Preparation::Ready(made) => {
                let mut made = made.into_store(self.model);
                prepared.origin.name(made.info_mut());
                cx.models.insert(self.model, made);
            }
        }
        let Prepared { spec, objective, checkpoint, mut origin } = prepared;
        if let Some(model) = cx.models.get(self.model) {
            (cx.emit)(model.event());
        }
        let info = info_of(cx.models, self.model)?;
        if spec.lora.is_some() && info.differs_from_files() {
            return Err(no_base(info));
        }
        // What a GPU has is not known here.
        let on_host = *cx.device == Device::flex();
        if on_host {
            train_memory::refuse_too_wide(info, &spec)?;
        }
        let start = objective.first_net(&spec, O::Model::in_store(cx.models, self.model)?)?;
        let info = info_of(cx.models, self.model)?;
        // No file holds weights that were drawn.
        let before = Changes { modified: info.modified || spec.start == StartFrom::Scratch, ..Changes::of(info) };
        let (total, is_resumed) = (spec.steps as u64, checkpoint.is_some());
        let mut run = Run::begin(spec, objective, start, checkpoint.map(|c| *c), cx.device)?;
        if on_host {
            train_memory::refuse_too_large(info, run.spec(), run.learned())?;
        }
        let (info, tokenizer) = (info.clone(), O::Model::in_store(cx.models, self.model)?.tokenizer());
        origin.begin(&info, tokenizer, cx)?;
        if is_resumed {
            let (label, done) = (RESUMED.to_owned(), run.step() as u64);
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "steps" });
        }
        for snapshot in run.take_snapshots() {
            (cx.emit)(Event::Snapshot { job: cx.job, snapshot: Box::new(snapshot) });
        }
        let (model, now) = (self.model, Instant::now());
        Ok(State::Running(Box::new(Running {
            model,
            run,
            origin,
            before,
            points_sent: now,
            model_sent: now,
            is_watched: false,
        })))
    }

    /// What comes before the first step, a stretch at a time.
    fn before(&mut self, state: State<O>, cx: &mut TaskContext<'_>) -> Result<State<O>, UserError> {
        match state {
            State::New { spec, objective } => {
                check(&spec)?;
                let (place, checkpoint) = Place::take(&spec)?;
                self.place = place;
                let origin = Origin::of::<O::Model>(&spec, self.model, cx.models)?;
                let checkpoint = checkpoint.map(Box::new);
                Ok(State::Naming(Prepared { spec, objective, checkpoint, origin }))
            }
            State::Naming(mut prepared) => {
                let is_named = prepared.origin.name_weights(cx)?;
                Ok(if is_named { State::Preparing(prepared) } else { State::Naming(prepared) })
            }
            State::Preparing(prepared) => self.prepare(prepared, cx),
            state @ (State::Running(_) | State::Failed) => Ok(state),
        }
    }
}

impl<O: Objective> Running<O>
where
    O::Model: Trained<Net = O::Net>,
{
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if std::mem::take(&mut self.is_watched)
            && let Some(glimpse) = self.run.glimpse(cx.device)
        {
            (cx.emit)(Event::Glimpsed { job: cx.job, glimpse: Box::new(glimpse) });
        }
        match self.run.advance(cx.device) {
            Happened::Nothing => {}
            Happened::Learned => {
                O::Model::put(cx.models, self.model, self.run.net(), self.before.and(self.run.step()))?;
                self.announce(cx, false);
            }
            Happened::Validated => self.announce(cx, true),
            Happened::Watched(snapshot) => self.watched(*snapshot, cx)?,
            Happened::Sampled(sample) => (cx.emit)(Event::Sample { job: cx.job, sample }),
            Happened::Diverged { step, loss } => return Err(self.diverged(step, loss, cx)),
            // What was learned is in the store; a person may make room, or do without the files.
            Happened::Finished => return Ok(self.finish(RunState::Done, cx).map_or_else(Step::Held, Step::Done)),
            Happened::Unwritten(error) => return Ok(Step::Held(error)),
        }
        Ok(Step::More)
    }

    /// Keeps the weights of a snapshot and tells of it. A run does not end because they could not be kept: the snapshot says why.
    fn watched(&mut self, mut snapshot: RunSnapshot, cx: &mut TaskContext<'_>) -> Result<(), UserError> {
        let spec = self.run.spec();
        if let Some(out) = &spec.out {
            let (lora, precision, step) = (spec.lora.as_ref(), spec.precision, snapshot.step);
            let (start, device) = (self.run.start(), cx.device);
            let kept = Kept { net: &self.run.net(), start, lora, before: self.before, step, precision, device };
            let beside = |folder: &Path| self.run.objective().write_beside(folder);
            match keep::<O::Model>(cx.models, self.model, &kept, out, beside) {
                Ok(folder) => snapshot.weights = Some(folder),
                Err(error) => {
                    log::warn!("the weights of step {step} were not kept: {error}");
                    snapshot.not_kept = Some(format!("{} {}", error.what, error.why));
                }
            }
        } else {
            snapshot.not_kept = Some("The run is not kept on the disk.".to_owned());
        }
        self.run.note(&snapshot);
        (cx.emit)(Event::Snapshot { job: cx.job, snapshot: Box::new(snapshot) });
        Ok(())
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

    /// Puts the weights of a step in the store: as they are, or as an adapter where that was learned.
    fn put(&self, net: O::Net, step: usize, cx: &mut TaskContext<'_>) -> Result<(), UserError> {
        match &self.run.spec().lora {
            Some(lora) => {
                let start = self.run.start();
                let learned = Learned { net: &net, start, lora, before: self.before, step, device: cx.device };
                O::Model::put_adapter(cx.models, self.model, learned)
            }
            None => O::Model::put(cx.models, self.model, net, self.before.and(step)),
        }
    }

    /// Writes what is in the store: the model, or the adapter that was learned.
    fn save(&self, out: &Path, cx: &mut TaskContext<'_>) -> Result<(), UserError> {
        let spec = self.run.spec();
        let Some(lora) = &spec.lora else { return save(self.model, out, spec.precision, cx) };
        O::Model::save_adapter(cx.models, self.model, lora, out, spec.precision)?;
        if let Some(model) = cx.models.get(self.model) {
            (cx.emit)(model.event());
        }
        Ok(())
    }

    /// Ends the run: the best weights stay in the store and, if asked for, on disk.
    fn finish(&mut self, state: RunState, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let (net, step) = self.run.result();
        self.put(net, step, cx)?;
        self.announce(cx, true);
        self.run.flush_logs()?;
        let summary = self.run.summary(state == RunState::Stopped);
        if let Some(out) = &self.run.spec().out {
            self.save(out, cx)?;
            self.run.objective().write_beside(out)?;
            (self.origin.record.state, self.origin.record.summary) = (state, Some(summary.clone()));
            self.origin.write()?;
            if state == RunState::Done {
                remove_means(out);
            }
        }
        Ok(Outcome::Trained(summary))
    }

    /// A loss that is no number: nothing sensible can follow. The best weights so far stay.
    fn diverged(&mut self, step: usize, loss: f64, cx: &mut TaskContext<'_>) -> UserError {
        let (net, best) = self.run.kept();
        let kept = match best {
            Some(best) => format!("The weights of step {best}, the best so far, are kept."),
            None => "The weights are back where the run began.".to_owned(),
        };
        if let Err(error) = self.put(net, best.unwrap_or(0), cx) {
            return error;
        }
        self.announce(cx, true);
        let mut detail = self.run.flush_logs().err().map_or(String::new(), |error| error.to_string());
        let mut saved = String::new();
        if let (Some(out), Some(_)) = (&self.run.spec().out, best) {
            match self.save(out, cx) {
                Ok(()) => saved = format!(" They were saved in {}.", out.display()),
                Err(error) => detail = error.to_string(),
            }
        }
        self.origin.record.state = RunState::Diverged;
        self.origin.record.summary = Some(self.run.summary(true));
        if let Err(error) = self.origin.write() {
            detail = error.to_string();
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
        let state = std::mem::replace(&mut self.state, State::Failed);
        match self.before(state, cx) {
            Ok(state) => self.state = state,
            Err(error) => {
                self.place.leave();
                return Err(error);
            }
        }
        if matches!(self.state, State::Running(_)) {
            self.place.keep();
        }
        Ok(Step::More)
    }

    fn cancel(&mut self, cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        let State::Running(running) = &mut self.state else {
            self.place.leave();
            return Ok(Outcome::Cancelled);
        };
        let written = running.run.stop();
        // The best weights are kept in memory, also where nothing can be written.
        let outcome = running.finish(RunState::Stopped, cx);
        written.and(outcome)
    }

    fn glimpse(&mut self) {
        if let State::Running(running) = &mut self.state {
            running.is_watched = true;
        }
    }

    fn let_go(&mut self) {
        if let State::Running(running) = &mut self.state {
            running.run.let_go();
            running.origin.record.spec.out = None;
            self.place.leave();
        }
    }
}

fn no_base(model: &ModelInfo) -> UserError {
    UserError::new(
        format!("No adapter can be learned on {} as it is.", model.name),
        "Its weights are in no file: they were changed, or another adapter is in use. An adapter is of use with its base alone.",
        "Save the model first, or switch the adapter off.",
    )
}

fn save(model: ModelId, out: &Path, precision: Precision, cx: &mut TaskContext<'_>) -> Result<(), UserError> {
    let Some(loaded) = cx.models.get_mut(model) else { return Err(not_open()) };
    match loaded {
        LoadedModel::Text(model) => model.save(out, precision)?,
        LoadedModel::Classifier(model) => model.save(out, precision)?,
        LoadedModel::Vision(model) => model.save(out, precision)?,
        LoadedModel::Digits(model) => model.save(out, precision)?,
        LoadedModel::Encoder(model) => model.save(out, precision)?,
    }
    loaded.note_saved(out);
    (cx.emit)(loaded.event());
    Ok(())
}
