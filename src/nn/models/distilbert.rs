//! DistilBERT (Sanh et al. 2019): BERT with half the blocks and neither token types nor pooler.
//!
//! B batch, T tokens, D model width, V vocabulary, N positions.

use crate::nn::hooks::Hooks;
use crate::nn::layers::bidirectional::PaddingMask;
use crate::nn::layers::encoder_block::{EncoderBlock, EncoderShape, blocks_from};
use crate::nn::layers::masked_lm::MaskedLmHead;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::weight::Weight;
use crate::nn::models::text_encoder::{EncoderBatch, EncoderOutput};
use crate::types::Site;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// The shape of a DistilBERT model.
#[derive(Clone, Debug, PartialEq)]
pub struct DistilBertConfig {
    /// Blocks, vocabulary and positions.
    pub shape: EncoderShape,
}

/// A DistilBERT model.
#[derive(Module, Debug)]
pub struct DistilBert {
    /// `[V, D]`.
    pub token_embedding: Weight,
    /// `[N, D]`; learned, or sines written down as a table.
    pub position_embedding: Param<Tensor<2>>,
    /// Over the sum of the two.
    pub ln_embed: LayerNorm,
    /// From input to output.
    pub blocks: Vec<EncoderBlock>,
    /// Where the file has one.
    pub head: Option<MaskedLmHead>,
}

impl DistilBert {
    /// Reads a batch. Positions count from 0 in every row, padding included, as in the reference implementation.
    ///
    /// # Panics
    /// When T exceeds N.
    #[must_use]
    pub fn forward(&self, batch: &EncoderBatch, padding: &PaddingMask, hooks: &mut Hooks) -> EncoderOutput {
        let device = self.token_embedding.device();
        let (_, t) = batch.size();
        let tokens = hooks.at(Site::Embed, self.token_embedding.look_up(batch.ids(&device))); // [B, T, D]
        let positions = hooks.at_positions(self.position_embedding.val().narrow(0, 0, t).unsqueeze()); // [1, T, D]
        let x = self.ln_embed.forward(tokens + positions); // [B, T, D]
        let x = blocks_from(&self.blocks, 0, x, padding, hooks);
        EncoderOutput { hidden: x, pooled: None }
    }
}
