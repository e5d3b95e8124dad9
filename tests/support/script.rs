//! Drives an engine by script: commands in, and waiting for what should come out.

use super::data::{one_digit_folder, write_shape};
use fovea::engine::{
    Command, EngineHandle, EngineOptions, Event, GenerateSpec, Outcome, PromptInput, RandomModel, Work,
};
use fovea::types::{DeviceChoice, DeviceStatus, JobId, ModelId, ModelInfo, Precision, Sampling, StopReason, UserError};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Long enough for the slowest step, which is the first one on a software adapter: every kernel is compiled in it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// One engine with a memory of what it said. Scripts run one after the other, so that they do not measure each other.
pub struct Script {
    pub engine: EngineHandle,
    pub seen: Vec<Event>,
    pub wakes: Arc<AtomicUsize>,
    _alone: MutexGuard<'static, ()>,
}

impl Script {
    pub fn start(device: DeviceChoice) -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let wake = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let engine = EngineHandle::start(EngineOptions { device, threads: None }, wake);
        Self { engine, seen: Vec::new(), wakes, _alone: alone }
    }

    pub fn send(&self, command: Command) {
        self.engine.try_send(command).unwrap_or_else(|command| panic!("no room for {command:?}"));
    }

    /// Waits for the first event, from now on, that `wanted` takes something from.
    pub fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let Some(event) = self.engine.recv_timeout(Duration::from_millis(50)) else { continue };
            let found = wanted(&event);
            self.seen.push(event);
            if let Some(found) = found {
                return found;
            }
        }
        panic!("waited in vain for {what}; last events: {:?}", self.seen.iter().rev().take(5).collect::<Vec<_>>());
    }

    pub fn end(&mut self, of: JobId) -> Result<Outcome, UserError> {
        self.until("the end of a job", |event| match event {
            Event::Done { job, outcome } if *job == of => Some(Ok(outcome.clone())),
            Event::Failed { job: Some(job), error } if *job == of => Some(Err(error.clone())),
            _ => None,
        })
    }

    pub fn device(&mut self) -> DeviceStatus {
        self.until("the device", |event| match event {
            Event::Device(status) => Some(status.clone()),
            _ => None,
        })
    }

    pub fn open(&mut self, path: &Path) -> ModelInfo {
        let (job, model) = (JobId::next(), ModelId::next());
        self.send(Command::start(job, model, Work::Open(path.to_owned())));
        self.opened(job)
    }

    /// A model that takes about a millisecond a token, so that a script can act while it writes.
    pub fn open_slow(&mut self, scratch: &Path) -> ModelInfo {
        write_shape(scratch);
        let (job, model) = (JobId::next(), ModelId::next());
        self.send(Command::start(
            job,
            model,
            Work::OpenRandom(RandomModel { path: scratch.to_owned(), seed: 7, precision: Precision::F32 }),
        ));
        self.opened(job)
    }

    pub fn opened(&mut self, job: JobId) -> ModelInfo {
        let outcome = self.end(job).unwrap();
        let Outcome::Opened { model } = outcome else { panic!("{outcome:?}") };
        let info = self.seen.iter().rev().find_map(|event| match event {
            Event::Model { info, .. } if info.id == model => Some(info.clone()),
            _ => None,
        });
        info.expect("the model is told before the job ends")
    }

    pub fn generate(&self, model: ModelId, prompt: PromptInput, sampling: Sampling) -> JobId {
        let job = JobId::next();
        self.send(Command::start(job, model, Work::Generate(GenerateSpec { prompt, sampling, edits: Vec::new() })));
        job
    }

    pub fn ids_of(&self, of: JobId) -> Vec<u32> {
        let id = |event: &Event| match event {
            Event::Token { job, token } if *job == of => Some(token.id),
            _ => None,
        };
        self.seen.iter().filter_map(id).collect()
    }

    /// Everything that comes while nothing is asked.
    pub fn listen(&mut self, time: Duration) -> Vec<Event> {
        let begun = Instant::now();
        let mut heard = Vec::new();
        while let Some(left) = time.checked_sub(begun.elapsed()) {
            heard.extend(self.engine.recv_timeout(left));
        }
        self.seen.extend(heard.iter().cloned());
        heard
    }
}

pub fn ids(ids: impl Into<Vec<u32>>) -> PromptInput {
    PromptInput::Ids(ids.into())
}

pub fn many(max_new_tokens: usize) -> Sampling {
    Sampling { max_new_tokens, ..Sampling::default() }
}

pub fn stop_of(outcome: Outcome) -> (StopReason, usize) {
    let Outcome::Generated(stats) = outcome else { panic!("{outcome:?}") };
    (stats.stop, stats.new_tokens)
}

/// Trains a digit network on a small made folder, and tells how that ended.
pub fn trained_digits(script: &mut Script, scratch: &Path, rate: &str) -> (ModelId, Result<Outcome, UserError>) {
    one_digit_folder(scratch);
    let spec = format!(
        "learning_rate = {rate}\nbatch_size = 20\nsteps = 40\neval_every = 20\nvalidation_share = 0.2\n\
         [task]\nkind = \"digits\"\ndata = {:?}\nnetwork = \"mlp\"\n",
        scratch.display().to_string()
    );
    let (job, model) = (JobId::next(), ModelId::next());
    script.send(Command::start(job, model, Work::Train(toml::from_str(&spec).unwrap())));
    let end = script.end(job);
    (model, end)
}

/// Processor time of this process in hundredths of a second.
pub fn cpu_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}
