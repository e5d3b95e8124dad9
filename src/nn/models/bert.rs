//! BERT (Devlin et al. 2019): learned positions and token types, attention both ways, LayerNorm after each half of a block.
//!
//! B batch, T tokens, D model width, V vocabulary, N positions, S token types.

use crate::nn::batch::encoder::EncoderBatch;
use crate::nn::hooks::Hooks;
use crate::nn::layers::encoder_block::{EncoderBlock, EncoderShape};
use crate::nn::layers::linear::{Linear, embedding};
use crate::nn::layers::masked_lm::MaskedLmHead;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::weight::Weight;
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
    /// What enters the first block.
    ///
    /// # Panics
    /// When a text has more tokens than the position table has places.
    pub(in crate::nn) fn enter(&self, batch: &EncoderBatch, hooks: &mut Hooks) -> Tensor<3> {
        let device = self.token_embedding.device();
        let tokens = hooks.at(Site::Embed, self.token_embedding.look_up(batch.ids(&device))); // [B, T, D]
        let types = embedding(self.type_embedding.val(), batch.types(&device)); // [B, T, D]
        let types = hooks.at(Site::TokenTypeEmbed, types);
        let positions = batch.positions(self.position_embedding.val(), hooks); // [1, T, D]
        self.ln_embed.of_sum(tokens + types, positions) // [B, T, D]
    }
}
