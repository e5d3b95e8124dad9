//! DistilBERT (Sanh et al. 2019): BERT with half the blocks and neither token types nor pooler.
//!
//! B batch, T tokens, D model width, V vocabulary, N positions.

use crate::nn::batch::encoder::EncoderBatch;
use crate::nn::hooks::Hooks;
use crate::nn::layers::encoder_block::{EncoderBlock, EncoderShape};
use crate::nn::layers::masked_lm::MaskedLmHead;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::weight::Weight;
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
    /// What enters the first block.
    ///
    /// # Panics
    /// When a text has more tokens than the position table has places.
    pub(in crate::nn) fn enter(&self, batch: &EncoderBatch, hooks: &mut Hooks) -> Tensor<3> {
        // That of what may learn: beside an adapter, tokens are looked up in rows that stay as they are.
        let device = self.position_embedding.device();
        let tokens = hooks.at(Site::Embed, self.token_embedding.look_up(batch.ids(&device))); // [B, T, D]
        let positions = batch.positions(self.position_embedding.val(), hooks); // [1, T, D]
        self.ln_embed.of_sum(tokens, positions) // [B, T, D]
    }
}
