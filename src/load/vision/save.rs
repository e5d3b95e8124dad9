//! A vision transformer with classes written so that transformers opens it.

use super::preprocessor::FILE;
use super::vision_config;
use super::vision_model::VisionModel;
use super::vision_weights;
use crate::load::error::LoadError;
use crate::load::source::CONFIG_FILE;
use crate::load::tensors::weights::write_weights;
use crate::types::Precision;
use serde_json::Value;
use std::path::Path;

/// Writes config.json with the classes, preprocessor_config.json as it was read, and model.safetensors with every weight in
/// `precision`. The folder is made if it is not there. The weights come first and appear whole or not at all.
///
/// # Errors
/// When the folder cannot be made, a file cannot be written, or a weight is too large for `precision`.
pub fn save_vision_model(model: &VisionModel, dir: &Path, precision: Precision) -> Result<(), LoadError> {
    std::fs::create_dir_all(dir).map_err(|source| LoadError::Write { path: dir.to_owned(), source })?;
    write_weights(&vision_weights::write(&model.vit, &model.config), precision, dir)?;
    let config = vision_config::json(&model.config, model.vit.heads.len(), &model.labels, precision);
    crate::load::write_json(&dir.join(CONFIG_FILE), &config)?;
    crate::load::write_json(&dir.join(FILE), &Value::Object(model.picture_settings.clone()))
}
