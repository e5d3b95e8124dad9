//! Tells what a picture shows, and looks into how.

use super::embed::unreadable;
use super::{Step, Task, TaskContext};
use crate::engine::Outcome;
use crate::load::VisionModel;
use crate::nn::Hooks;
use crate::nn::output::sample::log_softmax;
use crate::types::{ClassProbability, ModelId, Picture, PictureReport, PromptToken, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Classifies one picture in one step.
pub(crate) struct ClassifyPicture {
    model: ModelId,
    picture: Picture,
}

impl ClassifyPicture {
    /// To classify `picture` with `model`.
    pub(crate) fn new(model: ModelId, picture: Picture) -> Self {
        Self { model, picture }
    }
}

impl Task for ClassifyPicture {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.vision(self.model)?;
        if model.labels.is_empty() {
            return Err(no_classes(model));
        }
        let report = look_at(model, &self.picture, &mut Hooks::off())?;
        Ok(Step::Done(Outcome::PictureClassified(Arc::new(report))))
    }
}

/// One pass over a picture.
///
/// # Errors
/// When the picture is empty, or the answer cannot be read from the device.
pub(super) fn look_at(model: &VisionModel, picture: &Picture, hooks: &mut Hooks) -> Result<PictureReport, UserError> {
    let seen = seen(model, picture)?;
    let logits = model.vit.forward(model.input(model.preprocessor.pixels(&seen)), hooks);
    let classes = match logits {
        Some(logits) => ranked(&logits.try_to_vec_as::<f32>().map_err(unreadable)?, &model.labels),
        None => Vec::new(),
    };
    let (rows, columns) = model.config.grid();
    Ok(PictureReport { seen, grid: [rows, columns], special_tokens: model.config.special_tokens(), classes })
}

/// A picture at the size the model reads.
fn seen(model: &VisionModel, picture: &Picture) -> Result<Picture, UserError> {
    if picture.rgb.is_empty() || picture.rgb.len() != 3 * picture.width * picture.height {
        return Err(UserError::new("The picture is empty.", "It has no pixels.", "Choose another picture."));
    }
    Ok(model.preprocessor.seen(picture))
}

/// A picture as the network reads it, `[1, U, H, W]` with U colour channels.
///
/// # Errors
/// When the picture is empty.
pub(super) fn input(model: &VisionModel, picture: &Picture) -> Result<Tensor<4>, UserError> {
    Ok(model.input(model.preprocessor.pixels(&seen(model, picture)?)))
}

fn ranked(logits: &[f32], labels: &[String]) -> Vec<ClassProbability> {
    let probabilities = log_softmax(logits).into_iter().map(|log| log.exp() as f32);
    let named = probabilities.zip(labels).enumerate();
    let mut classes: Vec<_> = named
        .map(|(class, (probability, label))| ClassProbability { class, label: label.clone(), probability })
        .collect();
    classes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    classes
}

/// The tokens a vision transformer reads, by what they stand for. Their ids only count them.
pub(super) fn tokens(model: &VisionModel) -> Vec<PromptToken> {
    let (rows, columns) = model.config.grid();
    let special = ["[CLS]", "[DIST]"].into_iter().take(model.config.special_tokens()).map(str::to_owned);
    let patches = (0..rows * columns).map(|i| format!("row {} column {}", i / columns, i % columns));
    let texts = special.chain(patches).enumerate();
    texts.map(|(place, text)| PromptToken { id: place as u32, text, span: 0..0 }).collect()
}

fn no_classes(model: &VisionModel) -> UserError {
    UserError::new(
        format!("{} cannot tell what a picture shows.", model.info.name),
        "Its folder holds the network without the head that knows classes.",
        "Look into it with `fovea inspect`, or choose a folder with ViTForImageClassification in its config.json.",
    )
}
