//! Models that can be trained where they stand in the store.

use super::{LoadedModel, ModelStore, adapter, not_open};
use crate::load::{self, Adapter, ClassifierModel, DigitModel, EncoderModel, Named, TextModel, VisionModel};
use crate::nn::{CausalLm, DigitNet, TextClassifier, TextEncoder, Vit};
use crate::types::{AdapterSetting, LoraSpec, ModelId, ModelInfo, Precision, Problem, UserError};
use burn::tensor::Device;
use std::path::Path;
use std::sync::Arc;

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
        Self { modified: info.differs_from_files(), steps: info.trained_steps }
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

    /// Puts what a run learned as an adapter on the open model, which is its base again. `step` is that of these weights; at 0 nothing was
    /// learned, and there is none.
    ///
    /// # Errors
    /// When the model is not open, or is of a kind that has no adapters.
    fn put_adapter(models: &mut ModelStore, id: ModelId, learned: Learned<'_, Self::Net>) -> Result<(), UserError> {
        let _ = learned;
        Err(models.get(id).map_or_else(not_open, |model| no_adapters(model.info())))
    }

    /// Writes the adapter of the open model as a folder.
    ///
    /// # Errors
    /// When there is none, or a file cannot be written.
    fn save_adapter(
        models: &mut ModelStore,
        id: ModelId,
        lora: &LoraSpec,
        out: &Path,
        precision: Precision,
    ) -> Result<(), UserError> {
        let _ = (lora, out, precision);
        Err(models.get(id).map_or_else(not_open, |model| no_adapters(model.info())))
    }
}

/// What a run learned beside weights that stay as they are.
pub(super) struct Learned<'a, N> {
    pub net: &'a N,
    /// The network before the first step.
    pub start: &'a N,
    pub lora: &'a LoraSpec,
    /// What the model was before.
    pub before: Changes,
    pub step: usize,
    /// Where it is, without autodiff.
    pub device: &'a Device,
}

impl<N: Named + Clone> Learned<'_, N> {
    /// The adapter, with the network that it was learned on, and that network with what learned as a whole beside it.
    fn taken_out(&self, info: &ModelInfo) -> (Adapter, [N; 2]) {
        let base = Some(info.path.display().to_string());
        let (mut adapter, learned) = Adapter::learned_by(self.net, self.lora, base);
        adapter.info.name = format!("trained, {} steps", self.step);
        (adapter, [Adapter::learned_by(self.start, self.lora, None).1, learned])
    }
}

/// Names the adapter of a model by the folder it was written to.
fn named_by(info: &mut ModelInfo, out: &Path) {
    if let Some(adapter) = &mut info.adapter {
        adapter.name = crate::types::model_name(out);
        out.clone_into(&mut adapter.path);
    }
}

fn no_adapters(model: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} cannot have an adapter.", model.name),
        "Low-rank changes are learned for models that read text or pictures.",
        "Train all of its weights, without [lora].",
    )
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
            // An adapter belongs to the weights it was put on.
            (model.adapter, model.info.adapter) = (None, None);
            model.lm = net;
            changes.note(&mut model.info);
        }
        Ok(())
    }

    fn put_adapter(models: &mut ModelStore, id: ModelId, learned: Learned<'_, CausalLm>) -> Result<(), UserError> {
        models.text(id)?;
        let Some(loaded) = models.get_mut(id) else { return Err(not_open()) };
        let (adapter, [base, _]) = learned.taken_out(loaded.info());
        if let LoadedModel::Text(model) = loaded {
            (model.adapter, model.info.adapter) = (None, None);
            model.lm = base;
        }
        learned.before.note(loaded.info_mut());
        if learned.step == 0 {
            return Ok(());
        }
        adapter::put(loaded, &Arc::new(adapter), AdapterSetting::default(), learned.device)
    }

    fn save_adapter(
        models: &mut ModelStore,
        id: ModelId,
        lora: &LoraSpec,
        out: &Path,
        precision: Precision,
    ) -> Result<(), UserError> {
        models.text(id)?;
        let Some(LoadedModel::Text(model)) = models.get_mut(id) else { return Err(not_open()) };
        let Some(attached) = &model.adapter else { return Ok(()) };
        load::write_adapter(&attached.adapter, lora, model.info.architecture, precision, out)?;
        named_by(&mut model.info, out);
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
            (model.adapter, model.info_mut().adapter) = (None, None);
            ClassifierModel::put(model, net);
            changes.note(model.info_mut());
        }
        Ok(())
    }

    fn put_adapter(
        models: &mut ModelStore,
        id: ModelId,
        learned: Learned<'_, TextClassifier>,
    ) -> Result<(), UserError> {
        models.classifier(id)?;
        let Some(loaded) = models.get_mut(id) else { return Err(not_open()) };
        let (mut adapter, [begun, with_head]) = learned.taken_out(loaded.info());
        if let LoadedModel::Classifier(model) = loaded {
            // A head that was drawn is of no use without what it learned, and no base has it.
            adapter.info.holds_head = !model.head_is_stored;
            adapter = adapter.with_classes(&model.tells.labels, model.tells.problem);
            ClassifierModel::put(model, if model.head_is_stored { begun } else { with_head });
            (model.adapter, model.info_mut().adapter) = (None, None);
        }
        learned.before.note(loaded.info_mut());
        if learned.step == 0 {
            return Ok(());
        }
        adapter::put(loaded, &Arc::new(adapter), AdapterSetting::default(), learned.device)
    }

    fn save_adapter(
        models: &mut ModelStore,
        id: ModelId,
        lora: &LoraSpec,
        out: &Path,
        precision: Precision,
    ) -> Result<(), UserError> {
        models.classifier(id)?;
        let Some(LoadedModel::Classifier(model)) = models.get_mut(id) else { return Err(not_open()) };
        let Some(attached) = &model.adapter else { return Ok(()) };
        load::write_adapter(&attached.adapter, lora, model.info().architecture, precision, out)?;
        named_by(model.info_mut(), out);
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
            (model.adapter, model.info.adapter) = (None, None);
            model.vit = net;
            changes.note(&mut model.info);
        }
        Ok(())
    }

    fn put_adapter(models: &mut ModelStore, id: ModelId, learned: Learned<'_, Vit>) -> Result<(), UserError> {
        models.vision(id)?;
        let Some(loaded) = models.get_mut(id) else { return Err(not_open()) };
        let (mut adapter, [begun, with_head]) = learned.taken_out(loaded.info());
        if let LoadedModel::Vision(model) = loaded {
            adapter.info.holds_head = !model.head_is_stored;
            adapter = adapter.with_classes(&model.labels, Problem::OneClass);
            model.vit = if model.head_is_stored { begun } else { with_head };
            (model.adapter, model.info.adapter) = (None, None);
        }
        learned.before.note(loaded.info_mut());
        if learned.step == 0 {
            return Ok(());
        }
        adapter::put(loaded, &Arc::new(adapter), AdapterSetting::default(), learned.device)
    }

    fn save_adapter(
        models: &mut ModelStore,
        id: ModelId,
        lora: &LoraSpec,
        out: &Path,
        precision: Precision,
    ) -> Result<(), UserError> {
        models.vision(id)?;
        let Some(LoadedModel::Vision(model)) = models.get_mut(id) else { return Err(not_open()) };
        let Some(attached) = &model.adapter else { return Ok(()) };
        load::write_adapter(&attached.adapter, lora, model.info.architecture, precision, out)?;
        named_by(&mut model.info, out);
        Ok(())
    }
}

impl Trained for EncoderModel {
    type Net = TextEncoder;

    fn in_store(models: &ModelStore, id: ModelId) -> Result<&Self, UserError> {
        models.encoder(id)
    }

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn tokenizer(&self) -> Option<String> {
        load::tokenizer_fingerprint(&self.tokenizer).ok()
    }

    fn save(&self, out: &Path, precision: Precision) -> Result<(), UserError> {
        Ok(load::save_encoder_model(self, out, precision)?)
    }

    fn into_store(mut self, id: ModelId) -> LoadedModel {
        self.info.id = id;
        LoadedModel::Encoder(self)
    }

    fn put(models: &mut ModelStore, id: ModelId, net: TextEncoder, changes: Changes) -> Result<(), UserError> {
        models.encoder(id)?;
        if let Some(LoadedModel::Encoder(model)) = models.get_mut(id) {
            (model.adapter, model.info.adapter) = (None, None);
            model.encoder = net;
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
