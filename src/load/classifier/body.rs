//! A body to build on: one that shares the weights of a model that is open, or has learned nothing.

use super::classifier_model::ClassifierBody;
use crate::load::encoder::encoder_model::EncoderModel;
use crate::load::text::text_model::TextModel;
use crate::nn::{in_full_precision, redrawn};
use burn::tensor::Device;
use std::sync::Arc;

/// Standard deviation of the weights of an encoder that has learned nothing, as BERT begins.
const FIRST_STD: f64 = 0.02;

impl ClassifierBody {
    /// The body of a decoder, with the adapter that is in use.
    #[must_use]
    pub fn of_decoder(model: &TextModel) -> Self {
        Self::Decoder(TextModel {
            info: model.info.clone(),
            config: model.config.clone(),
            lm: model.lm.clone(),
            tokenizer: Arc::clone(&model.tokenizer),
            bos: model.bos,
            eos: model.eos.clone(),
            adapter: None,
            chat: Arc::clone(&model.chat),
        })
    }

    /// The body of an encoder, with the adapter that is in use.
    #[must_use]
    pub fn of_encoder(model: &EncoderModel) -> Self {
        Self::Encoder(EncoderModel {
            info: model.info.clone(),
            reads: model.reads.clone(),
            config: model.config.clone(),
            encoder: model.encoder.clone(),
            adapter: None,
            tokenizer: Arc::clone(&model.tokenizer),
            padding_id: model.padding_id,
            mask_id: model.mask_id,
            lower_case: model.lower_case,
        })
    }

    /// Another one with the same weights.
    #[must_use]
    pub fn sharing(&self) -> Self {
        match self {
            Self::Decoder(model) => Self::of_decoder(model),
            Self::Encoder(model) => Self::of_encoder(model),
        }
    }

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
