//! Writes a model as a folder.

use super::{LoadedModel, Step, Task, TaskContext};
use crate::engine::{Outcome, SaveSpec};
use crate::load;
use crate::types::{ModelId, ModelInfo, UserError};

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
        match cx.models.get(self.model) {
            Some(LoadedModel::Digits(model)) => load::save_digit_model(model, path, *precision)?,
            Some(other @ (LoadedModel::Encoder(_) | LoadedModel::Vision(_))) => return Err(not_saved(other.info())),
            _ => load::save_text_model(cx.models.text(self.model)?, path, *precision)?,
        }
        if let Some(saved) = cx.models.get_mut(self.model) {
            let info = saved.info_mut();
            info.modified = false;
            info.path.clone_from(path);
            if let Some(name) = path.file_name() {
                info.name = name.to_string_lossy().into_owned();
            }
            (cx.emit)(saved.event());
        }
        Ok(Step::Done(Outcome::Saved { path: path.clone() }))
    }
}

fn not_saved(model: &ModelInfo) -> UserError {
    UserError::new(
        format!("{} was not saved.", model.name),
        "Fovea cannot train models of its kind, so its folder already holds all there is of it.",
        format!("Copy the folder {} instead.", model.path.display()),
    )
}
