//! What a job is made of: tasks that do one short step at a time.
//!
//! A step is one token, one optimiser step, one batch of a measurement or one stretch of a file. Between two steps the
//! worker reads its commands, so a task never looks at queues itself: pausing, cancelling and taking turns come from outside.
//! Must not know: queues, threads, guards or the window.

mod answers;
pub(crate) mod batch;
pub(crate) mod classify;
mod continuations;
mod corpus;
mod edits;
pub(crate) mod embed;
pub(crate) mod evaluate;
pub(crate) mod fill;
pub(crate) mod fingerprint;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod kshot;
pub(crate) mod measure;
pub(crate) mod open;
pub(crate) mod picture;
mod prompt;
pub(crate) mod read_table;
pub(crate) mod save;
pub(crate) mod score;
mod shares;
mod stop;
mod text_loss;
pub(crate) mod train;
mod wrong_kind;

pub(crate) use prompt::explain;

use super::tokenizer::Reader;
use super::{Event, Outcome};
use crate::load::{ChatError, DigitModel, EncoderModel, TextModel, VisionModel};
use crate::nn::{in_full_precision, kernels};
use crate::types::{JobId, ModelId, ModelInfo, ModelKind, UserError};
use burn::module::Module;
use burn::tensor::Device;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use wrong_kind::wrong_kind;

/// A model in memory, on the engine's device.
#[allow(clippy::large_enum_variant, reason = "a handful of them live in a map; nothing copies them in a loop")]
pub(crate) enum LoadedModel {
    /// A causal language model with its tokenizer.
    Text(TextModel),
    /// A text encoder with its tokenizer.
    Encoder(EncoderModel),
    /// A vision transformer.
    Vision(VisionModel),
    /// A digit network.
    Digits(DigitModel),
}

impl LoadedModel {
    /// What is known of it.
    pub(crate) fn info(&self) -> &ModelInfo {
        match self {
            Self::Text(model) => &model.info,
            Self::Encoder(model) => &model.info,
            Self::Vision(model) => &model.info,
            Self::Digits(model) => &model.info,
        }
    }

    /// The same, to change it: training sets `modified`, saving clears it and sets `path` and `name`.
    pub(crate) fn info_mut(&mut self) -> &mut ModelInfo {
        match self {
            Self::Text(model) => &mut model.info,
            Self::Encoder(model) => &mut model.info,
            Self::Vision(model) => &mut model.info,
            Self::Digits(model) => &mut model.info,
        }
    }

    /// The same model on another device.
    pub(crate) fn moved_to(self, device: &Device) -> Self {
        match self {
            Self::Text(model) => Self::Text(TextModel { lm: brought(model.lm, device), ..model }),
            Self::Encoder(model) => Self::Encoder(EncoderModel { encoder: brought(model.encoder, device), ..model }),
            Self::Vision(model) => Self::Vision(VisionModel { vit: brought(model.vit, device), ..model }),
            Self::Digits(model) => Self::Digits(DigitModel { net: model.net.to_device(device), ..model }),
        }
    }

    /// Its tokenizer and chat template, if it reads text.
    pub(crate) fn reader(&self) -> Option<Reader> {
        match self {
            Self::Text(model) => Some(Reader { tokenizer: model.tokenizer.clone(), chat: model.chat.clone() }),
            Self::Encoder(model) => {
                let none = ChatError::NoTemplate { dir: model.info.path.clone() };
                Some(Reader { tokenizer: model.tokenizer.clone(), chat: Arc::new(Err(none)) })
            }
            Self::Vision(_) | Self::Digits(_) => None,
        }
    }

    /// The event that announces it. To be sent after opening, after training changed the weights (not more than a few
    /// times a second: a digit network's weights are read back for it) and after saving.
    pub(crate) fn event(&self) -> Event {
        let weights = match self {
            Self::Text(_) | Self::Encoder(_) | Self::Vision(_) => Vec::new(),
            Self::Digits(model) => model.net.layer_weights(),
        };
        Event::Model { info: self.info().clone(), weights: Arc::new(weights) }
    }
}

/// A network on another device. Only the kernels of the CPU multiply weights of half precision.
fn brought<M: Module>(network: M, device: &Device) -> M {
    let network = if kernels::serve(device) { network } else { in_full_precision(network) };
    network.to_device(device)
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
    /// When it is not open, or is of another kind.
    pub(crate) fn text(&self, id: ModelId) -> Result<&TextModel, UserError> {
        match self.get(id) {
            Some(LoadedModel::Text(model)) => Ok(model),
            Some(other) => Err(wrong_kind(other.info(), ModelKind::CausalLm)),
            None => Err(not_open()),
        }
    }

    /// The open text encoder with this id.
    ///
    /// # Errors
    /// When it is not open, or is of another kind.
    pub(crate) fn encoder(&self, id: ModelId) -> Result<&EncoderModel, UserError> {
        match self.get(id) {
            Some(LoadedModel::Encoder(model)) => Ok(model),
            Some(other) => Err(wrong_kind(other.info(), ModelKind::TextEncoder)),
            None => Err(not_open()),
        }
    }

    /// The open vision transformer with this id.
    ///
    /// # Errors
    /// When it is not open, or is of another kind.
    pub(crate) fn vision(&self, id: ModelId) -> Result<&VisionModel, UserError> {
        match self.get(id) {
            Some(LoadedModel::Vision(model)) => Ok(model),
            Some(other) => Err(wrong_kind(other.info(), ModelKind::ImageClassifier)),
            None => Err(not_open()),
        }
    }

    /// The open digit network with this id.
    ///
    /// # Errors
    /// When it is not open, or is of another kind.
    pub(crate) fn digits(&self, id: ModelId) -> Result<&DigitModel, UserError> {
        match self.get(id) {
            Some(LoadedModel::Digits(model)) => Ok(model),
            Some(other) => Err(wrong_kind(other.info(), ModelKind::DigitClassifier)),
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
