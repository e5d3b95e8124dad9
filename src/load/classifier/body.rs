//! A body that has learned nothing.

use super::classifier_model::ClassifierBody;
use crate::nn::{in_full_precision, redrawn};
use burn::tensor::Device;

/// Standard deviation of the weights of an encoder that has learned nothing, as BERT begins.
const FIRST_STD: f64 = 0.02;

impl ClassifierBody {
    /// Weights that have learned nothing, in the same shape.
    #[must_use]
    pub fn from_scratch(mut self, seed: u64, device: &Device) -> Self {
        match &mut self {
            Self::Decoder(model) => {
                device.seed(seed);
                let lm = model.config.init(device);
                model.use_network(lm);
            }
            Self::Encoder(model) => {
                model.encoder = redrawn(in_full_precision(model.encoder.clone()), FIRST_STD, seed);
            }
        }
        self
    }
}
