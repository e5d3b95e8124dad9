//! `--adapter`: an adapter on the model that a command opens.

use super::CliError;
use super::output::tell;
use super::session::{Session, model_dir};
use crate::engine::{AdapterSpec, Command, Event, Work, adapter_base, holds_adapter, read_card};
use crate::hub::HubSettings;
use crate::types::{AdapterSetting, JobId, ModelInfo, UserError};
use std::path::{Path, PathBuf};

/// What `DIR[=FACTOR]` asks for. A folder whose name has an equals sign in it is taken as it is.
///
/// # Errors
/// When the folder holds no adapter, or the factor is no number.
pub(super) fn read(given: &str) -> Result<AdapterSpec, UserError> {
    if let Some(path) = find(given) {
        return Ok(AdapterSpec { path, setting: AdapterSetting::default() });
    }
    let (dir, factor) = given.rsplit_once('=').map_or((given, None), |(dir, factor)| (dir, Some(factor)));
    let path = find(dir).ok_or_else(|| not_there(dir))?;
    let factor = match factor {
        Some(text) => text.trim().parse().map_err(|_| no_factor(text))?,
        None => 1.0,
    };
    Ok(AdapterSpec { path, setting: AdapterSetting { on: true, factor } })
}

/// The folder itself, or that of a model of this name in the Hugging Face cache.
fn find(given: &str) -> Option<PathBuf> {
    let cached = || {
        let settings = HubSettings::from_env(read_card)?;
        crate::hub::find(&settings.cache, given).filter(|dir| holds_adapter(dir))
    };
    Some(PathBuf::from(given)).filter(|path| holds_adapter(path)).or_else(cached)
}

/// The model that an adapter says it was made for; nothing where the folder holds no adapter.
///
/// # Errors
/// When that model is not on this computer.
pub(super) fn base_of(path: &Path) -> Result<Option<PathBuf>, UserError> {
    if !holds_adapter(path) || path.join("config.json").exists() {
        return Ok(None);
    }
    let base = adapter_base(path).ok_or_else(|| {
        UserError::new(
            format!("{} is an adapter.", path.display()),
            "It does not say which model it was made for.",
            "Name that model with --model, and this folder with --adapter.",
        )
    })?;
    model_dir(Path::new(&base)).map(Some).map_err(|error| {
        UserError::new(
            format!("{} is an adapter for {base}.", path.display()),
            error.what,
            "Name that model with --model, and this folder with --adapter.",
        )
    })
}

/// Puts an adapter on an open model, and tells of it.
///
/// # Errors
/// When it does not fit.
pub(super) fn put(session: &Session, model: &ModelInfo, spec: AdapterSpec) -> Result<ModelInfo, CliError> {
    let (job, mut told) = (JobId::next(), model.clone());
    session.run(job, Command::start(job, model.id, Work::OpenAdapter(spec)), |event| {
        if let Event::Model { info, .. } = event {
            told = info;
        }
        Ok(())
    })?;
    if let Some(adapter) = &told.adapter {
        let by = format!("{}; {}, factor {}", adapter.applied(), adapter.sizes(), adapter.setting.factor);
        tell(format_args!("adapter {}: {by}", adapter.name));
        if adapter.is_identity {
            tell(format_args!("note: its change is zero throughout, so the model is as without it"));
        }
        if let (true, Some(labels)) = (adapter.holds_head, told.labels()) {
            tell(format_args!("note: its head is its own, for the classes {}", labels.join(", ")));
        }
        if adapter.numbers_classes {
            tell(format_args!("note: neither it nor the model names its classes, so they have numbers"));
        }
        if let Some(base) = adapter.base.as_deref().filter(|base| !model.is_called(base)) {
            tell(format_args!("note: it says it was made for {base}, and the model is {}", model.path.display()));
        }
    }
    Ok(told)
}

fn not_there(given: &str) -> UserError {
    UserError::new(
        format!("There is no adapter {given}."),
        "An adapter is a folder with adapter_config.json and adapter_model.safetensors, as PEFT writes it.",
        "Give such a folder, or the name of one that was fetched with `fovea fetch OWNER/NAME`.",
    )
}

fn no_factor(text: &str) -> UserError {
    UserError::new(
        format!("The factor of the adapter cannot be read: {text:?}."),
        "Behind the equals sign stands what its change is multiplied with.",
        "Write a number from 0 to 2, such as --adapter DIR=0.5.",
    )
}
