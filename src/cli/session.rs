//! One engine, asked one thing at a time.

use super::args::ModelArgs;
use super::output::tell;
use super::{CliError, adapter};
use crate::engine::{
    AdapterSpec, Command, EngineHandle, EngineOptions, Event, Outcome, Work, read_card, shipped_models_dir,
    shipped_places,
};
use crate::hub::{HubSettings, find_program_model};
use crate::types::{AdapterSetting, DeviceChoice, DeviceStatus, JobId, ModelId, ModelInfo, UserError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a waiting command looks up: for Ctrl-C, and for an engine that is gone.
const LOOK_UP: Duration = Duration::from_millis(100);

/// A running engine.
pub(super) struct Session {
    engine: EngineHandle,
}

impl Session {
    /// Starts an engine that uses every core: there is no window to leave one for.
    pub(super) fn start(device: impl Into<DeviceChoice>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let options = EngineOptions { device: device.into(), threads: Some(cores) };
        Self { engine: EngineHandle::start(options, Box::new(|| ())) }
    }

    /// Starts an engine and opens a model.
    pub(super) fn with_model(args: &ModelArgs) -> Result<(Self, ModelInfo), CliError> {
        let session = Self::start(args.device);
        let info = session.open_model(args)?;
        Ok((session, info))
    }

    /// Opens a model, with its adapter where one is named.
    pub(super) fn open_model(&self, args: &ModelArgs) -> Result<ModelInfo, CliError> {
        let adapter = args.adapter.as_deref().map(adapter::read).transpose()?;
        let mut path = model_dir(&args.model)?;
        let mut adapter = adapter;
        if adapter.is_none()
            && let Some(base) = adapter::base_of(&path)?
        {
            // An adapter by itself, such as a snapshot of a run that learns one.
            adapter =
                Some(AdapterSpec { path: std::mem::replace(&mut path, base), setting: AdapterSetting::default() });
        }
        let info = self.open(|job, model| Command::start(job, model, Work::Open(path)))?;
        adapter.map_or(Ok(info.clone()), |adapter| adapter::put(self, &info, adapter))
    }

    /// Waits until the device is open, so that a measurement does not begin before, and tells which it is.
    pub(super) fn settle(&self) -> Result<DeviceStatus, CliError> {
        loop {
            match self.engine.recv_timeout(LOOK_UP) {
                Some(Event::Device(status)) => {
                    tell_fallback(&status);
                    return Ok(status);
                }
                None if !self.engine.is_running() => return Err(engine_gone().into()),
                _ => {}
            }
        }
    }

    /// Runs a command that opens a model.
    pub(super) fn open(&self, command: impl FnOnce(JobId, ModelId) -> Command) -> Result<ModelInfo, CliError> {
        let (job, model) = (JobId::next(), ModelId::next());
        let mut opened = None;
        self.run(job, command(job, model), |event| {
            if let Event::Model { info, .. } = event {
                opened = Some(info);
            }
            Ok(())
        })?;
        opened.ok_or_else(|| engine_gone().into())
    }

    /// Sends a command and waits for its end; events on the way go to `on_event`.
    pub(super) fn run(
        &self,
        job: JobId,
        command: Command,
        mut on_event: impl FnMut(Event) -> Result<(), CliError>,
    ) -> Result<Outcome, CliError> {
        self.send(command)?;
        loop {
            if let Some(outcome) = self.next(job, &mut on_event)? {
                return Ok(outcome);
            }
        }
    }

    /// Waits a moment for the next event; the outcome, if it is that of `job`.
    pub(super) fn next(
        &self,
        job: JobId,
        on_event: &mut dyn FnMut(Event) -> Result<(), CliError>,
    ) -> Result<Option<Outcome>, CliError> {
        match self.engine.recv_timeout(LOOK_UP) {
            Some(Event::Done { job: done, outcome }) if done == job => return Ok(Some(outcome)),
            Some(Event::Failed { job: failed, error }) if failed.is_none_or(|failed| failed == job) => {
                return Err(error.into());
            }
            // Nobody is asked on the command line: the same command goes on once there is room.
            Some(Event::Held { job: held, error }) if held == job => return Err(error.into()),
            Some(Event::Device(status)) => tell_fallback(&status),
            Some(event) => on_event(event)?,
            None if !self.engine.is_running() => return Err(engine_gone().into()),
            None => {}
        }
        Ok(None)
    }

    /// Sends a command. The queue holds more than a command line ever sends.
    pub(super) fn send(&self, command: Command) -> Result<(), CliError> {
        self.engine.try_send(command).map_err(|_| engine_gone().into())
    }
}

/// Who asked for a GPU should know when there is none.
fn tell_fallback(status: &DeviceStatus) {
    if status.choice == DeviceChoice::Gpu && !status.is_gpu {
        tell(format_args!("note: computing on {}. {}", status.name, status.reason));
    }
}

/// The folder of a model: the path itself, the shipped model of that name, or the one in the Hugging Face cache.
///
/// # Errors
/// When there is none of them.
pub(super) fn model_dir(given: &Path) -> Result<PathBuf, UserError> {
    if given.exists() {
        return Ok(given.to_path_buf());
    }
    let shipped = shipped_models_dir().map(|models| models.join(given));
    let shipped = shipped.filter(|dir| dir.join("config.json").is_file());
    let settings = HubSettings::from_env(read_card);
    let cached = || crate::hub::find(&settings.as_ref()?.cache, given.to_str()?);
    let of_program = || {
        let settings = settings.as_ref()?;
        find_program_model(&settings.programs, &settings.cache, given.to_str()?)
    };
    shipped.or_else(cached).or_else(of_program).ok_or_else(|| {
        let mut places = shipped_places();
        places.extend(settings.as_ref().map(|settings| settings.cache.clone()));
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        UserError::new(
            format!("There is no model {}.", given.display()),
            format!(
                "It is no folder or file from here, none in {}, and none of LM Studio or ollama.",
                places.join(", ")
            ),
            "`fovea models` lists the models of this computer; `fovea fetch OWNER/NAME` fetches one.",
        )
    })
}

/// An outcome of another kind than the command has: a defect in the engine.
pub(super) fn unexpected() -> CliError {
    CliError::User(UserError::new(
        "The engine gave another answer than was asked for.",
        "This is a defect in Fovea.",
        "Please report it with the command you ran.",
    ))
}

fn engine_gone() -> UserError {
    UserError::new(
        "The engine has stopped.",
        "It ended without an answer, which is a defect in Fovea.",
        "Run the command again with RUST_LOG=debug and report what it prints.",
    )
}
