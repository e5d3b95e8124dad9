//! The thread that owns device, models and caches. It reads commands between steps and takes one step at a time.
//!
//! Must not know: windows, files' formats or tensor maths; tasks do the work.

use super::device::{self, OpenDevice};
use super::events::EventSink;
use super::guard::guarded;
use super::scheduler::{Job, Scheduler};
use super::tasks::{self, LoadedModel, ModelStore, Step, Task, TaskContext, open};
use super::tokenizer::TokenizerMessage;
use super::{Command, Event, Outcome, Work};
use crate::types::{DeviceChoice, JobId, ModelId, UserError};
use burn::tensor::Device;
use std::sync::Arc;
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
            Command::Start { job, model, work } => self.add(job, model, work),
            Command::Pause { job } => self.set_paused(job, true),
            Command::Resume { job } => self.set_paused(job, false),
            Command::LetGo { job } => {
                if let Some(held) = self.scheduler.get_mut(job) {
                    held.task.let_go();
                }
                self.set_paused(job, false);
            }
            Command::Glimpse { job } => {
                if let Some(job) = self.scheduler.get_mut(job) {
                    job.task.glimpse();
                }
            }
            Command::Cancel { job } => {
                if let Some(job) = self.scheduler.remove(job) {
                    self.cancel(job);
                }
            }
            Command::Close { model } => self.close(model),
            Command::SetDevice { choice } => self.set_device(choice),
        }
    }

    fn add(&mut self, id: JobId, model: Option<ModelId>, work: Arc<Work>) {
        if let (Work::Train(_), Some(model)) = (&*work, model)
            && self.scheduler.is_training(model)
        {
            return self.fail(Some(id), already_training());
        }
        match tasks::start(model, &work) {
            Ok(task) => self.scheduler.add(Job { id, work, model, task, paused: false }),
            Err(error) => self.fail(Some(id), error),
        }
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
        self.scheduler.took(&job, now - begun, now);
        match result {
            Ok(Step::More) => self.scheduler.put_back(job),
            Ok(Step::Held(error)) => {
                let id = job.id;
                self.scheduler.put_back(Job { paused: true, ..job });
                self.events.send(Event::Held { job: id, error });
            }
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
            let error = panicked.user_error(job.work.facts().name);
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
            "Start it once more: the window computes on the CPU now; on the command line give --device cpu.",
        ))
    }

    /// Ends every job with what it has, and brings the models to another device.
    fn move_to(&mut self, device: OpenDevice) {
        let mut reopen = Vec::new();
        for job in self.scheduler.drain() {
            match job.task.reads_again() {
                Some(path) => reopen.push((job.id, job.model, Arc::new(Work::Open(path)))),
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
        for (job, model, work) in reopen {
            self.add(job, model, work);
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
        let result = result.unwrap_or_else(|panicked| Err(panicked.user_error(job.work.facts().name)));
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
            read.unwrap_or_else(|panicked| Err(panicked.user_error("Opening the model")))
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
