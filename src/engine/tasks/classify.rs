//! Reads one digit and shows how.

use super::{Step, Task, TaskContext};
use crate::engine::Outcome;
use crate::engine::device::TRY_THE_CPU;
use crate::types::{Classification, DIGIT_SIDE, DigitImage, ModelId, UserError};
use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use std::sync::Arc;

/// Classifies one image in one step.
pub(crate) struct Classify {
    model: ModelId,
    image: DigitImage,
}

impl Classify {
    /// To classify `image` with `model`.
    pub(crate) fn new(model: ModelId, image: DigitImage) -> Self {
        Self { model, image }
    }
}

impl Task for Classify {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let net = &cx.models.digits(self.model)?.net;
        let pixels = TensorData::new(self.image.0.to_vec(), [1, DIGIT_SIDE * DIGIT_SIDE]);
        let (logits, layers) = net.forward_with_activations(Tensor::from_data(pixels, cx.device));
        let probabilities = softmax(logits, 1).try_to_vec_as::<f32>().map_err(|error| {
            UserError::new("The answer could not be read from the device.", error.to_string(), TRY_THE_CPU)
        })?;
        let result = Classification { probabilities, input: self.image.clone(), layers };
        Ok(Step::Done(Outcome::Classified(Arc::new(result))))
    }
}
