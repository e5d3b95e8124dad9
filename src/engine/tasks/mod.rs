//! What a job is made of: tasks that do one short step at a time.
//!
//! A step is one token, one optimiser step, one batch of a measurement or one stretch of a file. Between two steps the
//! worker reads its commands, so a task never looks at queues itself: pausing, cancelling and taking turns come from outside.
//! Must not know: queues, threads, guards or the window.

pub(crate) mod classify;
mod corpus;
pub(crate) mod evaluate;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod open;
mod prompt;
pub(crate) mod save;
mod stop;
pub(crate) mod train;

pub(crate) use prompt::explain;

use super::{Event, Outcome};
use crate::load::{DigitModel, TextModel};
use crate::nn::{in_full_precision, kernels};
use crate::types::{JobId, ModelId, ModelInfo, UserError};
use burn::module::Module;
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A model in memory, on the engine's device.
#[allow(clippy::large_enum_variant, reason = "a handful of them live in a map; nothing copies them in a loop")]
pub(crate) enum LoadedModel {
    /// A causal language model with its tokenizer.
    Text(TextModel),
    /// A digit network.
    Digits(DigitModel),
}

impl LoadedModel {
    /// What is known of it.
    pub(crate) fn info(&self) -> &ModelInfo {
        match self {
            Self::Text(model) => &model.info,
            Self::Digits(model) => &model.info,
        }
    }

    /// The same, to change it: training sets `modified`, saving clears it and sets `path` and `name`.
    pub(crate) fn info_mut(&mut self) -> &mut ModelInfo {
        match self {
            Self::Text(model) => &mut model.info,
            Self::Digits(model) => &mut model.info,
        }
    }

    /// The same model on another device.
    pub(crate) fn moved_to(self, device: &Device) -> Self {
        match self {
            Self::Text(model) => {
                // Only the kernels of the CPU multiply weights of half precision.
                let lm = if kernels::serve(device) { model.lm } else { in_full_precision(model.lm) };
                Self::Text(TextModel { lm: lm.to_device(device), ..model })
            }
            Self::Digits(model) => Self::Digits(DigitModel { net: model.net.to_device(device), ..model }),
        }
    }

    /// The event that announces it. To be sent after opening, after training changed the weights (not more than a few
    /// times a second: a digit network's weights are read back for it) and after saving.
    pub(crate) fn event(&self) -> Event {
        let weights = match self {
            Self::Text(_) => Vec::new(),
            Self::Digits(model) => model.net.layer_weights(),
        };
        Event::Model { info: self.info().clone(), weights: Arc::new(weights) }
    }
}

/// The models the engine holds. A task takes what it needs at every step and keeps no copy, so that two jobs see each
/// other's work: prompting during training uses the weights of the last optimiser step.
#[derive(Default)]
pub(crate) struct ModelStore {
    models: BTreeMap<ModelId, LoadedModel>,
}

impl ModelStore {
    /// The model, if it is open.
    pub(crate) fn get(&self, id: ModelId) -> Option<&LoadedModel> {
        self.models.get(&id)
    }

    /// The model, if it is open, to change it.
    pub(crate) fn get_mut(&mut self, id: ModelId) -> Option<&mut LoadedModel> {
        self.models.get_mut(&id)
    }

    /// Puts a model in the place of the one with this id, if there is one.
    pub(crate) fn insert(&mut self, id: ModelId, model: LoadedModel) {
        self.models.insert(id, model);
    }

    /// Takes a model out.
    pub(crate) fn remove(&mut self, id: ModelId) -> Option<LoadedModel> {
        self.models.remove(&id)
    }

    /// Ids of all open models, in the order they were handed out.
    pub(crate) fn ids(&self) -> Vec<ModelId> {
        self.models.keys().copied().collect()
    }

    /// The open causal model with this id.
    ///
    /// # Errors
    /// When it is not open, or is a digit network.
    pub(crate) fn text(&self, id: ModelId) -> Result<&TextModel, UserError> {
        match self.get(id) {
            Some(LoadedModel::Text(model)) => Ok(model),
            Some(LoadedModel::Digits(model)) => Err(UserError::new(
                format!("{} cannot read text.", model.info.name),
                "It is a digit network: it takes a 28×28 image.",
                "Choose a text model, such as a folder with LlamaForCausalLM or GPT2LMHeadModel in its config.json.",
            )),
            None => Err(not_open()),
        }
    }

    /// The open digit network with this id.
    ///
    /// # Errors
    /// When it is not open, or is a text model.
    pub(crate) fn digits(&self, id: ModelId) -> Result<&DigitModel, UserError> {
        match self.get(id) {
            Some(LoadedModel::Digits(model)) => Ok(model),
            Some(LoadedModel::Text(model)) => Err(UserError::new(
                format!("{} cannot read images.", model.info.name),
                "It is a text model: it takes tokens.",
                "Choose a digit network, such as the shipped digits-mlp or digits-cnn.",
            )),
            None => Err(not_open()),
        }
    }
}

fn not_open() -> UserError {
    UserError::new(
        "The model is not open.",
        "It was closed, or could not be opened.",
        "Open its folder again, then repeat the request.",
    )
}

/// What a task may touch during a step.
pub(crate) struct TaskContext<'a> {
    /// The job the task works for; every event carries it.
    pub job: JobId,
    /// The device in use, without autodiff. It does not change while a job lives: a change of device ends all jobs.
    pub device: &'a Device,
    /// The open models.
    pub models: &'a mut ModelStore,
    /// Sends an event. Waits while the event queue is full. [`Event::Done`] and [`Event::Failed`] are not sent here: they
    /// follow from what the step returns.
    pub emit: &'a mut dyn FnMut(Event),
}

/// How a step ended.
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// The job is done.
    Done(Outcome),
}

/// A job's work, cut into steps. A task counts time inside its steps only, so that pauses and other jobs' steps do not
/// count as its own work (a generation's first-token time, which a person waits for, is the exception).
pub(crate) trait Task {
    /// Does the next short piece of work (aim below 100 ms on a CPU). A panic inside ends this job with an error and is
    /// caught outside.
    ///
    /// # Errors
    /// Ends the job with this error.
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError>;

    /// Ends early, with what there is: text generated so far, the best weights so far. Called instead of the next step.
    ///
    /// # Errors
    /// Ends the job with this error, when ending well is impossible (a checkpoint cannot be written).
    fn cancel(&mut self, _cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(Outcome::Cancelled)
    }

    /// The folder to read again when the device changes before the task is done; `None` ends the job instead.
    fn reads_again(&self) -> Option<PathBuf> {
        None
    }
}
