//! An adapter on an open model: put there, switched on and off, scaled, taken off.

use super::{LoadedModel, Step, Task, TaskContext, not_open, wrong_kind};
use crate::engine::{AdapterSpec, Event, Outcome};
use crate::load::{self, Adapter, Attached};
use crate::types::{ADAPTER_FACTORS, AdapterSetting, ModelId, ModelInfo, ModelKind, UserError};
use std::sync::Arc;

/// Reads an adapter and puts it on an open model, in the place of one that was there.
pub(crate) struct OpenAdapter {
    model: ModelId,
    spec: AdapterSpec,
}

impl OpenAdapter {
    /// To put what `spec` names on `model`.
    pub(crate) fn new(model: ModelId, spec: AdapterSpec) -> Self {
        Self { model, spec }
    }
}

impl Task for OpenAdapter {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        check(self.spec.setting)?;
        let label = format!("Opening {}", self.spec.path.display());
        (cx.emit)(Event::Progress { job: cx.job, label, done: 0, total: 1, unit: "adapters" });
        let Some(loaded) = cx.models.get_mut(self.model) else { return Err(not_open()) };
        refuse_learning(loaded)?;
        let adapter = load::read_adapter(&self.spec.path)?;
        put(loaded, &Arc::new(adapter), self.spec.setting)?;
        (cx.emit)(loaded.event());
        Ok(Step::Done(Outcome::Adapted { model: self.model }))
    }
}

/// Uses the adapter of an open model in another way.
pub(crate) struct SetAdapter {
    model: ModelId,
    setting: Option<AdapterSetting>,
}

impl SetAdapter {
    /// To use that of `model` as a setting says, or to take it off.
    pub(crate) fn new(model: ModelId, setting: Option<AdapterSetting>) -> Self {
        Self { model, setting }
    }
}

impl Task for SetAdapter {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        self.setting.map_or(Ok(()), check)?;
        let Some(loaded) = cx.models.get_mut(self.model) else { return Err(not_open()) };
        refuse_learning(loaded)?;
        match self.setting {
            Some(setting) => set(loaded, setting)?,
            None => take_off(loaded)?,
        }
        (cx.emit)(loaded.event());
        Ok(Step::Done(Outcome::Adapted { model: self.model }))
    }
}

fn check(setting: AdapterSetting) -> Result<(), UserError> {
    if ADAPTER_FACTORS.contains(&setting.factor) {
        return Ok(());
    }
    Err(UserError::new(
        format!("An adapter cannot be used {} times.", setting.factor),
        format!(
            "Its change is multiplied with a factor from {} to {}; 1 is what it was trained for.",
            ADAPTER_FACTORS.start(),
            ADAPTER_FACTORS.end()
        ),
        "Choose a factor between these.",
    ))
}

/// While a run learns an adapter, the network is that run's.
fn refuse_learning(loaded: &LoadedModel) -> Result<(), UserError> {
    let learns = matches!(loaded, LoadedModel::Text(model) if model.lm.has_fixed_weights());
    if !learns {
        return Ok(());
    }
    Err(UserError::new(
        format!("The adapter of {} cannot be changed now.", loaded.info().name),
        "A training run is learning one on it.",
        "Stop the run, or wait for its end.",
    ))
}

/// Puts an adapter on a model that is open.
///
/// # Errors
/// When it does not fit, which leaves the model as it was.
pub(super) fn put(loaded: &mut LoadedModel, adapter: &Arc<Adapter>, setting: AdapterSetting) -> Result<(), UserError> {
    let info = adapter.info.clone();
    let fits = |error: load::LoadError, model: &ModelInfo| {
        let error = UserError::from(error);
        let made_for = info.base.as_ref().map_or(String::new(), |base| format!(" It says it was made for {base}."));
        UserError { why: format!("{}{made_for}", error.why), ..error }
            .with_detail(format!("the open model is {}", model.name))
    };
    match loaded {
        LoadedModel::Text(model) => {
            let base = model.adapter.take().map_or_else(|| model.lm.clone(), |attached| attached.base);
            let attached = Attached { adapter: Arc::clone(adapter), base };
            match attached.network(setting) {
                Ok(lm) => model.use_network(lm),
                Err(error) => {
                    model.use_network(attached.base);
                    model.info.adapter = None;
                    return Err(fits(error, &model.info));
                }
            }
            model.adapter = Some(Box::new(attached));
        }
        LoadedModel::Encoder(model) => {
            let base = model.adapter.take().map_or_else(|| model.encoder.clone(), |attached| attached.base);
            let attached = Attached { adapter: Arc::clone(adapter), base };
            match attached.network(setting) {
                Ok(encoder) => model.encoder = encoder,
                Err(error) => {
                    model.encoder = attached.base;
                    model.info.adapter = None;
                    return Err(fits(error, &model.info));
                }
            }
            model.adapter = Some(Box::new(attached));
        }
        other => return Err(wrong_kind(other.info(), ModelKind::CausalLm)),
    }
    let mut told = adapter.info.clone();
    told.setting = setting;
    loaded.info_mut().adapter = Some(Box::new(told));
    Ok(())
}

fn set(loaded: &mut LoadedModel, setting: AdapterSetting) -> Result<(), UserError> {
    match loaded {
        LoadedModel::Text(model) => {
            let attached = model.adapter.as_ref().ok_or_else(|| none_there(&model.info))?;
            let lm = attached.network(setting)?;
            model.use_network(lm);
        }
        LoadedModel::Encoder(model) => {
            let attached = model.adapter.as_ref().ok_or_else(|| none_there(&model.info))?;
            model.encoder = attached.network(setting)?;
        }
        other => return Err(none_there(other.info())),
    }
    if let Some(told) = &mut loaded.info_mut().adapter {
        told.setting = setting;
    }
    Ok(())
}

fn take_off(loaded: &mut LoadedModel) -> Result<(), UserError> {
    match loaded {
        LoadedModel::Text(model) => {
            let attached = model.adapter.take().ok_or_else(|| none_there(&model.info))?;
            model.use_network(attached.base);
        }
        LoadedModel::Encoder(model) => {
            let attached = model.adapter.take().ok_or_else(|| none_there(&model.info))?;
            model.encoder = attached.base;
        }
        other => return Err(none_there(other.info())),
    }
    loaded.info_mut().adapter = None;
    Ok(())
}

fn none_there(model: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} has no adapter.", model.name),
        "None was opened on it, or it was taken off, as training of all weights does.",
        "Open an adapter first.",
    )
}
