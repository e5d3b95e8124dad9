//! Models that can be trained where they stand in the store.

use super::{LoadedModel, ModelStore};
use crate::load::{self, ClassifierModel, DigitModel, TextModel, VisionModel};
use crate::nn::{CausalLm, DigitNet, TextClassifier, Vit};
use crate::types::{ModelId, ModelInfo, Precision, UserError};
use std::path::Path;

/// What training did to weights that stand in the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changes {
    /// No file held the weights the run began with.
    pub modified: bool,
    /// Optimiser steps since a file held them.
    pub steps: u64,
}

impl Changes {
    pub(super) fn of(info: &ModelInfo) -> Self {
        Self { modified: info.modified, steps: info.trained_steps }
    }

    /// These, and so many steps of a run.
    pub(super) fn and(self, steps: usize) -> Self {
        Self { modified: self.modified || steps > 0, steps: self.steps + steps as u64 }
    }

    fn note(self, info: &mut ModelInfo) {
        (info.modified, info.trained_steps) = (self.modified, self.steps);
    }
}

/// A kind of model that can be trained where it stands in the store.
pub(super) trait Trained: Sized {
    type Net;

    /// The open model of this kind.
    ///
    /// # Errors
    /// When it is not open, or is of another kind.
    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError>;

    /// What is known of it.
    fn info(&self) -> &ModelInfo;

    /// The digest of its tokenizer, where it has one that can be written down.
    fn tokenizer(&self) -> Option<String>;

    /// Writes it as a folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn save(&self, out: &Path, precision: Precision) -> Result<(), UserError>;

    fn into_store(self, id: ModelId) -> LoadedModel;

    /// Puts a network in the place of the open model's, whose weights these changes made what they are.
    fn put(models: &mut ModelStore, id: ModelId, net: Self::Net, changes: Changes) -> Result<(), UserError>;
}

impl Trained for TextModel {
    type Net = CausalLm;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError> {
        models.text(id)
    }

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> Option<String> {
        load::tokenizer_fingerprint(&self.tokenizer).ok()
    }

    fn save(&self, out: &Path, precision: Precision) -> Result<(), UserError> {
        Ok(load::save_text_model(self, out, precision)?)
    }

    fn into_store(mut self, id: ModelId) -> LoadedModel {
        self.info.id = id;
        LoadedModel::Text(self)
    }

    fn put(models: &mut ModelStore, id: ModelId, net: CausalLm, changes: Changes) -> Result<(), UserError> {
        models.text(id)?;
        if let Some(LoadedModel::Text(model)) = models.get_mut(id) {
            model.lm = net;
            changes.note(&mut model.info);
        }
        Ok(())
    }
}

impl Trained for ClassifierModel {
    type Net = TextClassifier;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError> {
        models.classifier(id)
    }

    fn info(&self) -> &ModelInfo {
        Self::info(self)
    }

    fn tokenizer(&self) -> Option<String> {
        load::tokenizer_fingerprint(Self::tokenizer(self)).ok()
    }

    fn save(&self, out: &Path, precision: Precision) -> Result<(), UserError> {
        Ok(load::save_classifier(self, out, precision)?)
    }

    fn into_store(mut self, id: ModelId) -> LoadedModel {
        self.info_mut().id = id;
        LoadedModel::Classifier(self)
    }

    fn put(models: &mut ModelStore, id: ModelId, net: TextClassifier, changes: Changes) -> Result<(), UserError> {
        models.classifier(id)?;
        if let Some(LoadedModel::Classifier(model)) = models.get_mut(id) {
            ClassifierModel::put(model, net);
            changes.note(model.info_mut());
        }
        Ok(())
    }
}

impl Trained for VisionModel {
    type Net = Vit;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError> {
        models.vision(id)
    }

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> Option<String> {
        None
    }

    fn save(&self, out: &Path, precision: Precision) -> Result<(), UserError> {
        Ok(load::save_vision_model(self, out, precision)?)
    }

    fn into_store(mut self, id: ModelId) -> LoadedModel {
        self.info.id = id;
        LoadedModel::Vision(self)
    }

    fn put(models: &mut ModelStore, id: ModelId, net: Vit, changes: Changes) -> Result<(), UserError> {
        models.vision(id)?;
        if let Some(LoadedModel::Vision(model)) = models.get_mut(id) {
            model.vit = net;
            changes.note(&mut model.info);
        }
        Ok(())
    }
}

impl Trained for DigitModel {
    type Net = DigitNet;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError> {
        models.digits(id)
    }

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> Option<String> {
        None
    }

    fn save(&self, out: &Path, precision: Precision) -> Result<(), UserError> {
        Ok(load::save_digit_model(self, out, precision)?)
    }

    fn into_store(mut self, id: ModelId) -> LoadedModel {
        self.info.id = id;
        LoadedModel::Digits(self)
    }

    fn put(models: &mut ModelStore, id: ModelId, net: DigitNet, changes: Changes) -> Result<(), UserError> {
        models.digits(id)?;
        if let Some(LoadedModel::Digits(model)) = models.get_mut(id) {
            model.net = net;
            changes.note(&mut model.info);
        }
        Ok(())
    }
}
