//! Writes a model as a folder.

use super::{LoadedModel, Step, Task, TaskContext};
use crate::engine::{Outcome, SaveSpec};
use crate::load;
use crate::types::{ModelId, ModelInfo, UserError};
use std::path::Path;

/// Writes an open model, then takes that folder as its home.
pub(crate) struct Save {
    model: ModelId,
    spec: SaveSpec,
}

impl Save {
    /// To write `model` as `spec` says.
    pub(crate) fn new(model: ModelId, spec: SaveSpec) -> Self {
        Self { model, spec }
    }
}

impl Task for Save {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let SaveSpec { path, precision } = &self.spec;
        let home = cx.models.get(self.model).map(|model| model.info().path.as_path());
        if load::holds_model(path) && !home.is_some_and(|home| is_same(home, path)) {
            return Err(other_model(path));
        }
        match cx.models.get(self.model) {
            Some(LoadedModel::Digits(model)) => load::save_digit_model(model, path, *precision)?,
            Some(LoadedModel::Classifier(model)) => load::save_classifier(model, path, *precision)?,
            Some(LoadedModel::Vision(model)) if !model.labels.is_empty() => {
                load::save_vision_model(model, path, *precision)?;
            }
            Some(LoadedModel::Encoder(model)) if model.info.differs_from_files() || home == Some(Path::new("")) => {
                load::save_encoder_model(model, path, *precision)?;
            }
            Some(other @ (LoadedModel::Encoder(_) | LoadedModel::Vision(_))) => return Err(not_saved(other.info())),
            _ => load::save_text_model(cx.models.text(self.model)?, path, *precision)?,
        }
        if let Some(saved) = cx.models.get_mut(self.model) {
            saved.note_saved(path);
            (cx.emit)(saved.event());
        }
        Ok(Step::Done(Outcome::Saved { path: path.clone() }))
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

fn other_model(path: &Path) -> UserError {
    UserError::new(
        format!("Nothing was saved: {} holds another model.", path.display()),
        "Its weights would be overwritten, and what stands beside them would describe a model that is gone.",
        "Choose a new folder, or delete that one.",
    )
}

fn not_saved(model: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} was not saved.", model.name),
        "Its weights are those that its folder holds.",
        format!("Copy the folder {} instead.", model.path.display()),
    )
}
