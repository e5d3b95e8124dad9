//! The open models.

use super::loaded::LoadedModel;
use super::wrong_kind::wrong_kind;
use crate::load::{ClassifierBody, ClassifierModel, DigitModel, EncoderModel, TextModel, VisionModel};
use crate::types::{Ability, ModelId, ModelKind, UserError};
use std::collections::BTreeMap;

/// A transformer that can be looked into, whatever stands on top of it.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    /// A decoder.
    Text(&'a TextModel),
    /// An encoder.
    Encoder(&'a EncoderModel),
    /// A vision transformer.
    Vision(&'a VisionModel),
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

    /// The open classifier of texts with this id.
    ///
    /// # Errors
    /// When it is not open, or is of another kind.
    pub(crate) fn classifier(&self, id: ModelId) -> Result<&ClassifierModel, UserError> {
        match self.get(id) {
            Some(LoadedModel::Classifier(model)) => Ok(model),
            Some(other) => Err(wrong_kind(other.info(), ModelKind::TextClassifier)),
            None => Err(not_open()),
        }
    }

    /// The open transformer with this id, to look into: of a classifier of texts its body.
    ///
    /// # Errors
    /// When it is not open, or is no transformer.
    pub(crate) fn body(&self, id: ModelId) -> Result<Body<'_>, UserError> {
        match self.get(id) {
            Some(LoadedModel::Encoder(model)) => Ok(Body::Encoder(model)),
            Some(LoadedModel::Vision(model)) => Ok(Body::Vision(model)),
            Some(LoadedModel::Classifier(model)) => Ok(match &model.body {
                ClassifierBody::Decoder(model) => Body::Text(model),
                ClassifierBody::Encoder(model) => Body::Encoder(model),
            }),
            _ => self.text(id).map(Body::Text),
        }
    }

    /// The same, but for a decoder with a head for classes, which scores no tokens: what tells how it comes to its scores is refused.
    ///
    /// # Errors
    /// As [`Self::body`], and for such a decoder.
    pub(crate) fn scoring_body(&self, id: ModelId) -> Result<Body<'_>, UserError> {
        match self.body(id)? {
            Body::Text(model) if !model.info.can(Ability::Continue) => {
                Err(wrong_kind(&model.info, ModelKind::CausalLm))
            }
            body => Ok(body),
        }
    }

    /// The open encoder with this id, with or without a head for classes.
    pub(crate) fn encoder_inside(&self, id: ModelId) -> Option<&EncoderModel> {
        match self.body(id) {
            Ok(Body::Encoder(model)) => Some(model),
            _ => None,
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

pub(super) fn not_open() -> UserError {
    UserError::new(
        "The model is not open.",
        "It was closed, or could not be opened.",
        "Open its folder again, then repeat the request.",
    )
}
