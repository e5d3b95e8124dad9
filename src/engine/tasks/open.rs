//! Opens a model folder.

use super::{LoadedModel, Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::{self, LoadError};
use crate::nn::{in_half_precision, kernels};
use crate::types::{ModelId, ModelKind, Precision, UserError};
use burn::tensor::Device;
use std::path::{Path, PathBuf};

/// Reads a folder in one step, with its progress by bytes.
pub(crate) struct Open {
    model: ModelId,
    path: PathBuf,
}

impl Open {
    /// To open `path` under the name `model`.
    pub(crate) fn new(model: ModelId, path: PathBuf) -> Self {
        Self { model, path }
    }
}

impl Task for Open {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let label = format!("Opening {}", self.path.display());
        let job = cx.job;
        let loaded = read(self.model, &self.path, cx.device, &mut |done, total| {
            (cx.emit)(Event::Progress { job, label: label.clone(), done, total, unit: "bytes" });
        })?;
        Ok(keep(loaded, cx))
    }

    fn reads_again(&self) -> Option<PathBuf> {
        Some(self.path.clone())
    }
}

/// Builds the model of a `config.json` with random weights.
pub(crate) struct OpenRandom {
    model: ModelId,
    path: PathBuf,
    seed: u64,
    precision: Precision,
}

impl OpenRandom {
    /// To build the model that `path` describes under the name `model`.
    pub(crate) fn new(model: ModelId, path: PathBuf, seed: u64, precision: Precision) -> Self {
        Self { model, path, seed, precision }
    }
}

impl Task for OpenRandom {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let mut text = load::random_text_model(&self.path, cx.device, self.seed)?;
        text.info.id = self.model;
        match self.precision {
            Precision::F32 => {}
            Precision::F16 if kernels::serve(cx.device) => {
                text.lm = in_half_precision(text.lm);
                text.info.precision = Precision::F16;
            }
            other => return Err(not_kept(other)),
        }
        Ok(keep(LoadedModel::Text(text), cx))
    }
}

fn not_kept(precision: Precision) -> UserError {
    UserError::new(
        format!("Weights in {precision} cannot be made here."),
        "Random weights are made in F32 or F16, and only a CPU with AVX2 multiplies weights of half precision.",
        "Use F32 weights, or --device cpu on such a processor.",
    )
}

fn keep(loaded: LoadedModel, cx: &mut TaskContext<'_>) -> Step {
    let model = loaded.info().id;
    (cx.emit)(loaded.event());
    cx.models.insert(model, loaded);
    Step::Done(Outcome::Opened { model })
}

/// Reads a model of either kind; `progress` is told bytes done and in total.
///
/// # Errors
/// When the folder holds no model Fovea runs, or a file of it is broken.
pub(crate) fn read(
    id: ModelId,
    path: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LoadedModel, UserError> {
    read_precisely(id, path, device, progress).map_err(UserError::from)
}

fn read_precisely(
    id: ModelId,
    path: &Path,
    device: &Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<LoadedModel, LoadError> {
    let mut loaded = match load::peek_architecture(path)?.kind() {
        ModelKind::CausalLm => LoadedModel::Text(load::open_text_model(path, device, progress)?),
        ModelKind::TextEncoder => LoadedModel::Encoder(load::open_encoder_model(path, device, progress)?),
        ModelKind::ImageClassifier => LoadedModel::Vision(load::open_vision_model(path, device, progress)?),
        ModelKind::DigitClassifier => LoadedModel::Digits(load::open_digit_model(path, device)?),
    };
    loaded.info_mut().id = id;
    Ok(loaded)
}
