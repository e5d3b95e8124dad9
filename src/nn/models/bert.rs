//! BERT (Devlin et al. 2019): learned positions and token types, attention both ways, LayerNorm after each half of a block.
//!
//! B batch, T tokens, D model width, V vocabulary, N positions, S token types.

use crate::nn::hooks::Hooks;
use crate::nn::layers::bidirectional::PaddingMask;
use crate::nn::layers::encoder_block::{EncoderBlock, EncoderShape, blocks_from, pool_first};
use crate::nn::layers::linear::{Linear, embedding};
use crate::nn::layers::masked_lm::MaskedLmHead;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::weight::Weight;
use crate::nn::models::text_encoder::{EncoderBatch, EncoderOutput};
use crate::types::Site;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// The shape of a BERT model.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    /// Blocks, vocabulary and positions.
    pub shape: EncoderShape,
    /// Token types S, such as first and second sentence.
    pub token_types: usize,
}

/// A BERT model.
#[derive(Module, Debug)]
pub struct Bert {
    /// `[V, D]`.
    pub token_embedding: Weight,
    /// `[N, D]`.
    pub position_embedding: Param<Tensor<2>>,
    /// `[S, D]`.
    pub type_embedding: Param<Tensor<2>>,
    /// Over the sum of the three.
    pub ln_embed: LayerNorm,
    /// From input to output.
    pub blocks: Vec<EncoderBlock>,
    /// `[D, D]`, where the file has one.
    pub pooler: Option<Linear>,
    /// Where the file has one.
    pub head: Option<MaskedLmHead>,
}

impl Bert {
    /// Reads a batch. Positions count from 0 in every row, padding included, as in the reference implementation.
    ///
    /// # Panics
    /// When T exceeds N.
    #[must_use]
    pub fn forward(&self, batch: &EncoderBatch, padding: &PaddingMask, hooks: &mut Hooks) -> EncoderOutput {
        let device = self.token_embedding.device();
        let (_, t) = batch.size();
        let tokens = hooks.at(Site::Embed, self.token_embedding.look_up(batch.ids(&device))); // [B, T, D]
        let types = embedding(self.type_embedding.val(), batch.types(&device)); // [B, T, D]
        let types = hooks.at(Site::TokenTypeEmbed, types);
        let positions = hooks.at_positions(self.position_embedding.val().narrow(0, 0, t).unsqueeze()); // [1, T, D]
        let x = self.ln_embed.forward(tokens + types + positions); // [B, T, D]
        let x = blocks_from(&self.blocks, 0, x, padding, hooks);
        let pooled = self.pooler.as_ref().map(|pooler| pool_first(pooler, x.clone(), hooks));
        EncoderOutput { hidden: x, pooled }
    }
}
