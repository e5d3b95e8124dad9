//! A model in memory, of whichever kind.

use crate::engine::Event;
use crate::engine::tokenizer::Reader;
use crate::load::{
    Attached, ChatError, ClassifierBody, ClassifierModel, DigitModel, EncoderModel, TextModel, VisionModel,
};
use crate::nn::{in_full_precision, kernels};
use crate::types::ModelInfo;
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use std::sync::Arc;

/// A model in memory, on the engine's device.
#[allow(clippy::large_enum_variant, reason = "a handful of them live in a map; nothing copies them in a loop")]
pub(crate) enum LoadedModel {
    /// A causal language model with its tokenizer.
    Text(TextModel),
    /// A text encoder with its tokenizer.
    Encoder(EncoderModel),
    /// A classifier of texts with its tokenizer.
    Classifier(ClassifierModel),
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
            Self::Classifier(model) => model.info(),
            Self::Vision(model) => &model.info,
            Self::Digits(model) => &model.info,
        }
    }

    /// The same, to change it: training sets `modified` and `trained_steps`, saving clears both and sets `path` and `name`.
    pub(crate) fn info_mut(&mut self) -> &mut ModelInfo {
        match self {
            Self::Text(model) => &mut model.info,
            Self::Encoder(model) => &mut model.info,
            Self::Classifier(model) => model.info_mut(),
            Self::Vision(model) => &mut model.info,
            Self::Digits(model) => &mut model.info,
        }
    }

    /// The same model on another device.
    pub(crate) fn moved_to(self, device: &Device) -> Self {
        match self {
            Self::Text(model) => {
                let adapter = model.adapter.map(|attached| moved(*attached, device));
                Self::Text(TextModel { lm: brought(model.lm, device), adapter, ..model })
            }
            Self::Encoder(model) => {
                let adapter = model.adapter.map(|attached| moved(*attached, device));
                Self::Encoder(EncoderModel { encoder: brought(model.encoder, device), adapter, ..model })
            }
            Self::Classifier(mut model) => {
                let net = model.net();
                model.put(brought(net, device));
                model.adapter = model.adapter.map(|attached| moved(*attached, device));
                Self::Classifier(model)
            }
            Self::Vision(mut model) => {
                model.vit = brought(model.vit, device);
                model.adapter = model.adapter.map(|attached| moved(*attached, device));
                Self::Vision(model)
            }
            Self::Digits(model) => Self::Digits(DigitModel { net: model.net.to_device(device), ..model }),
        }
    }

    /// Takes note that a folder holds it as it is. An adapter in use is in the weights of that folder; one that is switched off stays with
    /// the base it is written of.
    pub(crate) fn note_saved(&mut self, path: &Path) {
        let is_merged = self.info().adapter_in_use().is_some();
        match self {
            Self::Text(model) if is_merged => model.adapter = None,
            Self::Encoder(model) if is_merged => model.adapter = None,
            Self::Classifier(model) => {
                model.head_is_stored = true;
                model.adapter = model.adapter.take().filter(|_| !is_merged);
            }
            Self::Vision(model) => {
                model.head_is_stored = true;
                model.adapter = model.adapter.take().filter(|_| !is_merged);
            }
            _ => {}
        }
        let info = self.info_mut();
        if is_merged {
            info.adapter = None;
        }
        if let Some(adapter) = &mut info.adapter {
            adapter.holds_head = false;
        }
        (info.modified, info.trained_steps) = (false, 0);
        path.clone_into(&mut info.path);
        if let Some(name) = path.file_name() {
            info.name = name.to_string_lossy().into_owned();
        }
    }

    /// Its tokenizer and chat template, if it reads text.
    pub(crate) fn reader(&self) -> Option<Reader> {
        match self {
            Self::Text(model) => Some(Reader { tokenizer: model.tokenizer.clone(), chat: model.chat.clone() }),
            Self::Classifier(ClassifierModel { body: ClassifierBody::Decoder(model), .. }) => {
                Some(Reader { tokenizer: model.tokenizer.clone(), chat: model.chat.clone() })
            }
            Self::Encoder(model) | Self::Classifier(ClassifierModel { body: ClassifierBody::Encoder(model), .. }) => {
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
            Self::Text(_) | Self::Encoder(_) | Self::Classifier(_) | Self::Vision(_) => Vec::new(),
            Self::Digits(model) => model.net.layer_weights(),
        };
        Event::Model { info: self.info().clone(), weights: Arc::new(weights) }
    }
}

/// An adapter whose base is on another device.
fn moved<N: Module>(attached: Attached<N>, device: &Device) -> Box<Attached<N>> {
    Box::new(Attached { base: brought(attached.base, device), ..attached })
}

/// A network on another device. Only the kernels of the CPU multiply weights of half precision.
fn brought<M: Module>(network: M, device: &Device) -> M {
    let network = if kernels::serve(device) { network } else { in_full_precision(network) };
    network.to_device(device)
}
