//! `fovea` without a command: the window on an engine of its own.

use super::CliError;
use crate::engine::{Command, EngineHandle, EngineOptions, Event, data_dir, read_card, shipped_models_dir};
use crate::hub::HubSettings;
use crate::types::DeviceChoice;
use crate::ui::{AppOptions, EngineLink};
use std::path::PathBuf;

impl EngineLink for EngineHandle {
    fn try_send(&mut self, command: Command) -> Result<(), Box<Command>> {
        Self::try_send(self, command).map_err(Box::new)
    }

    fn try_recv(&mut self) -> Option<Event> {
        Self::try_recv(self)
    }

    fn is_running(&self) -> bool {
        Self::is_running(self)
    }
}

/// Opens the window, with a model folder or with what was open last.
pub(super) fn run(model: Option<PathBuf>) -> Result<(), CliError> {
    let options = AppOptions {
        model,
        device: None,
        theme: None,
        shipped: shipped_models_dir(),
        state_dir: data_dir(),
        hub: HubSettings::from_env(read_card),
        free_memory: None,
        native_dialogs: true,
        system_fonts: true,
    };
    let connect = |device: DeviceChoice, wake: Box<dyn Fn() + Send>| -> Box<dyn EngineLink> {
        Box::new(EngineHandle::start(EngineOptions { device, threads: None }, wake))
    };
    Ok(crate::ui::run(options, connect)?)
}
