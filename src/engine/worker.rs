//! The thread that owns device, models and caches. It reads commands between steps and takes one step at a time.
//!
//! Must not know: windows, files' formats or tensor maths; tasks do the work.

use super::device::{self, OpenDevice};
use super::events::EventSink;
use super::guard::guarded;
use super::scheduler::{Job, JobKind, Scheduler};
use super::tasks::{
    LoadedModel, ModelStore, Step, Task, TaskContext, batch, classify, embed, evaluate, fill, fingerprint, generate,
    inspect, kshot, open,
};
use super::tasks::{measure, picture, read_table, save, score, train};
use super::tokenizer::TokenizerMessage;
use super::{Command, Event, Outcome};
use crate::types::{DeviceChoice, JobId, ModelId, UserError};
use burn::tensor::Device;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::Instant;

/// The worker's belongings.
pub(crate) struct Worker {
    device: OpenDevice,
    models: ModelStore,
    scheduler: Scheduler,
    events: EventSink,
    tokenizers: SyncSender<TokenizerMessage>,
    /// Whether a device still computes; asked after a panic on a GPU.
    check: fn(&Device) -> Result<(), String>,
}

impl Worker {
    /// A worker on this device; tells the device at once.
    pub(crate) fn new(device: OpenDevice, events: EventSink, tokenizers: SyncSender<TokenizerMessage>) -> Self {
        events.send(Event::Device(device.status.clone()));
        let (models, scheduler) = (ModelStore::default(), Scheduler::default());
        Self { device, models, scheduler, events, tokenizers, check: device::check }
    }

    /// Works until the commands' sender or the events' receiver is gone. Sleeps while there is nothing to do.
    pub(crate) fn run(&mut self, commands: &Receiver<Command>) {
        while !self.events.is_closed() {
            let command = if self.scheduler.is_idle() {
                commands.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                commands.try_recv()
            };
            match command {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => self.step(),
                Err(TryRecvError::Disconnected) => break,
            }
        }
        // Tensors of a lost device may panic when they are dropped.
        for job in self.scheduler.drain() {
            discard(job.task);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { job, model, path } => self.add_open(job, model, path),
            Command::OpenRandom { job, model, path, seed, precision } => {
                self.add(job, JobKind::Open, model, open::OpenRandom::new(model, path, seed, precision));
            }
            Command::Generate { job, model, prompt, sampling, edits } => {
                self.add(job, JobKind::Generate, model, generate::Generate::new(model, prompt, *sampling, edits));
            }
            Command::Inspect { job, model, prompt, sites, edits } => {
                self.add(job, JobKind::Inspect, model, inspect::Inspect::new(model, prompt, sites, edits));
            }
            Command::Classify { job, model, image } => {
                self.add(job, JobKind::Classify, model, classify::Classify::new(model, image));
            }
            Command::Embed { job, model, texts } => {
                self.add(job, JobKind::Embed, model, embed::Embed::new(model, texts));
            }
            Command::Fill { job, model, text, top } => {
                self.add(job, JobKind::Fill, model, fill::Fill::new(model, text, top));
            }
            Command::ClassifyPicture { job, model, picture } => {
                self.add(job, JobKind::ClassifyPicture, model, picture::ClassifyPicture::new(model, picture));
            }
            Command::Evaluate { job, model, data } => {
                self.add(job, JobKind::Evaluate, model, evaluate::Evaluate::new(model, data));
            }
            Command::MeasureMemory { job, model } => {
                self.add(job, JobKind::MeasureMemory, model, measure::MeasureMemory::new(model));
            }
            Command::Save { job, model, path, precision } => {
                self.add(job, JobKind::Save, model, save::Save::new(model, path, precision));
            }
            Command::Train { job, model, spec } => {
                if self.scheduler.is_training(model) {
                    self.fail(Some(job), already_training());
                } else {
                    self.add_task(job, JobKind::Train, model, train::task(model, *spec));
                }
            }
            Command::Score { job, model, request } => {
                self.add(job, JobKind::Score, model, score::Score::new(model, *request));
            }
            Command::RunBatch { job, model, spec } => {
                self.add(job, JobKind::Batch, model, batch::Batch::new(model, *spec));
            }
            Command::RunKShot { job, model, spec } => {
                self.add(job, JobKind::KShot, model, kshot::KShot::new(model, *spec));
            }
            Command::ReadTable { job, path } => {
                // It works on no model; a number of its own keeps it apart from the jobs of every model.
                self.add(job, JobKind::ReadTable, ModelId::next(), read_table::ReadTable::new(path));
            }
            Command::Fingerprint { job, model } => {
                self.add(job, JobKind::Fingerprint, model, fingerprint::Fingerprint::new(model));
            }
            Command::Pause { job } => self.set_paused(job, true),
            Command::Resume { job } => self.set_paused(job, false),
            Command::Cancel { job } => {
                if let Some(job) = self.scheduler.remove(job) {
                    self.cancel(job);
                }
            }
            Command::Close { model } => self.close(model),
            Command::SetDevice { choice } => self.set_device(choice),
        }
    }

    fn add(&mut self, id: JobId, kind: JobKind, model: ModelId, task: impl Task + 'static) {
        self.add_task(id, kind, model, Box::new(task));
    }

    fn add_open(&mut self, job: JobId, model: ModelId, path: PathBuf) {
        self.add(job, JobKind::Open, model, open::Open::new(model, path));
    }

    fn add_task(&mut self, id: JobId, kind: JobKind, model: ModelId, task: Box<dyn Task>) {
        self.scheduler.add(Job { id, kind, model, task, paused: false });
    }

    fn set_paused(&mut self, job: JobId, paused: bool) {
        if self.scheduler.set_paused(job, paused) {
            self.events.send(Event::Paused { job, paused });
        }
    }

    /// One step of the job whose turn it is.
    fn step(&mut self) {
        let begun = Instant::now();
        let Some(mut job) = self.scheduler.take_next(begun) else { return };
        let result = self.in_context(&mut job, |task, cx| task.step(cx));
        let now = Instant::now();
        self.scheduler.took(job.kind, now - begun, now);
        match result {
            Ok(Step::More) => self.scheduler.put_back(job),
            Ok(Step::Done(outcome)) => self.finish(job, Ok(outcome)),
            Err(error) => self.finish(job, Err(error)),
        }
    }

    fn cancel(&mut self, mut job: Job) {
        let result = self.in_context(&mut job, |task, cx| task.cancel(cx));
        self.finish(job, result);
    }

    fn finish(&mut self, job: Job, result: Result<Outcome, UserError>) {
        discard(job.task);
        match result {
            Ok(outcome) => self.events.send(Event::Done { job: job.id, outcome }),
            Err(error) => self.fail(Some(job.id), error),
        }
    }

    fn fail(&self, job: Option<JobId>, error: UserError) {
        self.events.send(Event::Failed { job, error });
    }

    /// Runs a part of a job under the guard. A panic becomes the job's error; if it came from a lost device, the CPU
    /// takes over.
    fn in_context<T>(
        &mut self,
        job: &mut Job,
        work: impl FnOnce(&mut dyn Task, &mut TaskContext<'_>) -> Result<T, UserError>,
    ) -> Result<T, UserError> {
        let Self { device, models, events, .. } = self;
        let mut changed = Vec::new();
        let result = guarded(|| {
            let mut emit = |event: Event| {
                if let Event::Model { info, .. } = &event {
                    changed.push(info.id);
                }
                events.send(event);
            };
            work(job.task.as_mut(), &mut TaskContext { job: job.id, device: &device.device, models, emit: &mut emit })
        });
        for model in changed {
            self.tell_tokenizer(model);
        }
        result.unwrap_or_else(|panicked| {
            let error = panicked.user_error(job.kind.name());
            Err(self.fall_back_if_lost().unwrap_or(error).with_detail(panicked.detail()))
        })
    }

    /// The tokenizer thread has its own share of every text model's tokenizer.
    fn tell_tokenizer(&self, model: ModelId) {
        if let Some(reader) = self.models.get(model).and_then(LoadedModel::reader) {
            // It is gone only when the whole engine is being dropped.
            let _ = self.tokenizers.send(TokenizerMessage::Opened(model, reader));
        }
    }

    fn close(&mut self, model: ModelId) {
        for id in self.scheduler.jobs_on(model) {
            if let Some(job) = self.scheduler.remove(id) {
                self.cancel(job);
            }
        }
        if let Some(closed) = self.models.remove(model) {
            discard(closed);
            let _ = self.tokenizers.send(TokenizerMessage::Closed(model));
        }
    }

    fn set_device(&mut self, choice: DeviceChoice) {
        let threads = self.device.status.threads;
        self.move_to(device::open(choice, threads));
    }

    /// After a panic on a GPU: checks whether it still works, and if not moves to the CPU.
    fn fall_back_if_lost(&mut self) -> Option<UserError> {
        if !self.device.status.is_gpu {
            return None;
        }
        let why = (self.check)(&self.device.device).err()?;
        let lost = self.device.status.name.clone();
        self.move_to(device::fall_back(&self.device.status, &why));
        Some(UserError::new(
            format!("{lost} stopped working."),
            "The graphics driver was reset, ran out of memory, or the adapter was removed.",
            "Fovea now computes on the CPU and has read its models again. Start the job once more.",
        ))
    }

    /// Ends every job with what it has, and brings the models to another device.
    fn move_to(&mut self, device: OpenDevice) {
        let mut reopen = Vec::new();
        for job in self.scheduler.drain() {
            match job.task.reads_again() {
                Some(path) => reopen.push((job.id, job.model, path)),
                None => self.cancel_quietly(job),
            }
        }
        let same = device.device == self.device.device;
        self.device = device;
        self.events.send(Event::Device(self.device.status.clone()));
        if !same {
            for model in self.models.ids() {
                self.bring_along(model);
            }
        }
        for (job, model, path) in reopen {
            self.add_open(job, model, path);
        }
    }

    /// Ends a job without asking whether the device lives: this is where a lost device has led.
    fn cancel_quietly(&mut self, mut job: Job) {
        let Self { device, models, events, .. } = self;
        let mut emit = |event| events.send(event);
        let result = guarded(|| {
            let device = &device.device;
            job.task.cancel(&mut TaskContext { job: job.id, device, models, emit: &mut emit })
        });
        let result = result.unwrap_or_else(|panicked| Err(panicked.user_error(job.kind.name())));
        self.finish(job, result);
    }

    /// Moves one model: its weights as they are, or, where they cannot be moved, those of its folder.
    fn bring_along(&mut self, id: ModelId) {
        let Some(model) = self.models.remove(id) else { return };
        let info = model.info().clone();
        let target = &self.device.device;
        let moved = guarded(|| {
            let moved = model.moved_to(target);
            let event = moved.event();
            target.sync().map(|()| (moved, event)).map_err(|error| error.to_string())
        });
        let moved = moved.unwrap_or_else(|panicked| Err(panicked.detail()));
        let lost = moved.as_ref().err().filter(|_| info.modified).cloned();
        let brought = moved.or_else(|_| {
            let read = guarded(|| {
                let model = open::read(id, &info.path, target, &mut |_, _| {})?;
                let event = model.event();
                Ok((model, event))
            });
            read.unwrap_or_else(|panicked| Err(panicked.user_error(JobKind::Open.name())))
        });
        match brought {
            Ok((model, event)) => {
                self.events.send(event);
                self.models.insert(id, model);
                self.tell_tokenizer(id);
                if let Some(why) = lost {
                    self.fail(None, changes_lost(&info.name).with_detail(why));
                }
            }
            Err(error) => {
                let _ = self.tokenizers.send(TokenizerMessage::Closed(id));
                self.fail(None, error);
            }
        }
    }
}

fn discard<T>(value: T) {
    if let Err(panicked) = guarded(|| drop(value)) {
        log::warn!("dropping a value on the device failed: {}", panicked.detail());
    }
}

fn already_training() -> UserError {
    UserError::new(
        "A second training run was not started.",
        "This model is being trained already, and two runs would undo each other's steps.",
        "Stop the first run, or wait until it is done.",
    )
}

fn changes_lost(name: &str) -> UserError {
    UserError::new(
        format!("What {name} learned since it was saved is lost."),
        "Its weights could not be read from the old device, so they were read from its folder again.",
        "Train it again; save the result when it is done.",
    )
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
