//! Two steps of a run, on a copy of its weights that is thrown away: what the run would cost.

use super::trained::Trained;
use super::{Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::train::objectives::{
    Classify, ClassifyPictures, ClassifyWords, Contrastive, Digits, FewShot, MaskedTokens, Memory, NextToken,
};
use crate::train::{Happened, Objective, Preparation, Progress, Run, Setup, check};
use crate::types::{ClassifyTask, ModelId, RunBytes, StartFrom, TrainSpec, TrainTask, TrainingCost, UserError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Steps that are taken.
const STEPS: usize = 2;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(3);

/// The task that tries what `spec` says on `model`.
pub(crate) fn task(model: ModelId, spec: TrainSpec) -> Box<dyn Task> {
    match &spec.task {
        TrainTask::Classify(task @ ClassifyTask { words: Some(words), .. }) => {
            trial(ClassifyWords::new(task.clone(), words.clone()), model, spec)
        }
        // A folder has a folder of pictures for each class.
        TrainTask::Classify(task) if task.data.is_dir() => trial(ClassifyPictures::new(task.clone()), model, spec),
        TrainTask::Classify(task) => trial(Classify::new(task.clone()), model, spec),
        TrainTask::Digits(task) => trial(Digits::new(task.clone()), model, spec),
        TrainTask::FewShot(task) => trial(FewShot::new(task.clone()), model, spec),
        TrainTask::Memory(task) => trial(Memory::new(task.clone()), model, spec),
        TrainTask::Text(task) => trial(NextToken::new(task.clone()), model, spec),
        TrainTask::Masked(task) => trial(MaskedTokens::new(task.clone()), model, spec),
        TrainTask::Contrastive(task) => trial(Contrastive::new(task.clone()), model, spec),
    }
}

fn trial<O: Objective + 'static>(objective: O, model: ModelId, spec: TrainSpec) -> Box<dyn Task>
where
    O::Model: Trained<Net = O::Net>,
{
    Box::new(Trial { model, spec, state: State::Preparing(objective) })
}

struct Trial<O: Objective> {
    model: ModelId,
    spec: TrainSpec,
    state: State<O>,
}

enum State<O: Objective> {
    Preparing(O),
    Running(Box<Running<O>>),
    Failed,
}

struct Running<O: Objective> {
    run: Run<O>,
    parameters: u64,
    /// Memory before the first step, and the most since.
    memory: Option<(u64, u64)>,
    /// Seconds of the quickest step: the first one also asks the system for its memory.
    step_s: f64,
}

impl<O: Objective> Trial<O>
where
    O::Model: Trained<Net = O::Net>,
{
    fn prepare(&mut self, mut objective: O, cx: &mut TaskContext<'_>) -> Result<State<O>, UserError> {
        check(&self.spec)?;
        let (job, emit) = (cx.job, &mut *cx.emit);
        let mut tell = |Progress { label, done, total, unit }| emit(Event::Progress { job, label, done, total, unit });
        let open = match self.spec.start {
            StartFrom::OpenModel => Some(O::Model::in_store(cx.models, self.model)?),
            StartFrom::Scratch | StartFrom::Folder { .. } => None,
        };
        let resident = resident_bytes();
        let setup = Setup { spec: &self.spec, open, checkpoint: None, device: cx.device };
        let made = match objective.prepare(&setup, &mut tell)? {
            Preparation::More => return Ok(State::Preparing(objective)),
            Preparation::ReadyForOpen => None,
            Preparation::Ready(made) => Some(made),
        };
        let model = match &made {
            Some(made) => made,
            None => O::Model::in_store(cx.models, self.model)?,
        };
        let net = objective.first_net(&self.spec, model)?;
        let spec = TrainSpec { out: None, snapshots: None, ..self.spec.clone() };
        let run = Run::begin(spec, objective, net, None, cx.device)?;
        let parameters = run.learned();
        let memory = resident.map(|bytes| (bytes, bytes));
        Ok(State::Running(Box::new(Running { run, parameters, memory, step_s: f64::INFINITY })))
    }
}

impl<O: Objective> Running<O> {
    /// One more step; false once they are taken.
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, UserError> {
        let (watch, begun) = (Watch::begin(), Instant::now());
        let happened = self.run.advance(cx.device);
        let step_s = begun.elapsed().as_secs_f64();
        if let Some(most) = watch.end()
            && let Some((_, highest)) = &mut self.memory
        {
            *highest = most.max(*highest);
        }
        match happened {
            Happened::Learned => self.step_s = self.step_s.min(step_s),
            Happened::Diverged { step, loss } => {
                return Err(UserError::new(
                    format!("The loss became {loss} in step {step} of a trial."),
                    "The weights ran away, most often because the learning rate is too high.",
                    "Lower the learning rate; the model is as it was.",
                ));
            }
            _ => {}
        }
        Ok(self.run.step() < STEPS.min(self.run.spec().steps))
    }

    fn cost(&self, is_kept: bool, cx: &TaskContext<'_>) -> TrainingCost {
        let (slices, begun) = (self.run.objective().validation_slices(), Instant::now());
        if slices > 0 {
            self.run.objective().validate(&self.run.net(), 0, cx.device);
        }
        let validation_s = begun.elapsed().as_secs_f64() * slices as f64;
        // The best weights stay beside the others; a checkpoint is put together in memory.
        let RunBytes { checkpoint, result, .. } = RunBytes::of(self.parameters, self.run.spec());
        let more = result * u64::from(slices > 0) + if is_kept { checkpoint - result } else { 0 };
        let memory_bytes = self.memory.map(|(before, most)| most - before + more);
        TrainingCost { step_s: self.step_s, validation_s, memory_bytes, parameters: self.parameters }
    }
}

impl<O: Objective> Task for Trial<O>
where
    O::Model: Trained<Net = O::Net>,
{
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if let State::Running(running) = &mut self.state {
            if running.step(cx)? {
                return Ok(Step::More);
            }
            return Ok(Step::Done(Outcome::Tried(running.cost(self.spec.out.is_some(), cx))));
        }
        if let State::Preparing(objective) = std::mem::replace(&mut self.state, State::Failed) {
            self.state = self.prepare(objective, cx)?;
        }
        Ok(Step::More)
    }
}

/// Looks at the program's memory while a step is taken: what a step needs is given back at its end.
struct Watch {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Option<u64>>>,
}

impl Watch {
    fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let look = move || {
            let mut most = resident_bytes();
            while !told.load(Ordering::Relaxed) && most.is_some() {
                std::thread::sleep(LOOK);
                most = most.max(resident_bytes());
            }
            most
        };
        // Without a thread nothing is told of memory.
        Self { is_over, thread: std::thread::Builder::new().name("fovea-memory".to_owned()).spawn(look).ok() }
    }

    fn end(mut self) -> Option<u64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take()?.join().ok()?
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Memory the program holds, where the platform tells.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib * 1024)
}
