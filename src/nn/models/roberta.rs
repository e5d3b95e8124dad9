//! RoBERTa (Liu et al. 2019): BERT's network, with positions that are counted over the tokens that are no padding and
//! begin behind the padding token's own place in the table.
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

/// The shape of a RoBERTa model.
#[derive(Clone, Debug, PartialEq)]
pub struct RobertaConfig {
    /// Blocks, vocabulary and positions.
    pub shape: EncoderShape,
    /// Token types S; one in the published models.
    pub token_types: usize,
    /// Id of the padding token, and the position every padding token has.
    pub padding_id: u32,
}

impl RobertaConfig {
    /// Longest sequence in tokens: the places up to the padding token's own are never used for tokens.
    #[must_use]
    pub fn context(&self) -> usize {
        self.shape.positions.saturating_sub(self.padding_id as usize + 1)
    }
}

/// A RoBERTa model.
#[derive(Module, Debug)]
pub struct Roberta {
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
    /// Id of the padding token.
    pub padding_id: u32,
}

impl Roberta {
    /// What enters the first block.
    ///
    /// # Panics
    /// When a text has more tokens than the position table has places.
    pub(in crate::nn) fn enter(&self, batch: &EncoderBatch, hooks: &mut Hooks) -> Tensor<3> {
        // That of what may learn: beside an adapter, tokens are looked up in rows that stay as they are.
        let device = self.position_embedding.device();
        let tokens = hooks.at(Site::Embed, self.token_embedding.look_up(batch.ids(&device))); // [B, T, D]
        let types = embedding(self.type_embedding.val(), batch.types(&device)); // [B, T, D]
        let types = hooks.at(Site::TokenTypeEmbed, types);
        let positions = embedding(self.position_embedding.val(), batch.positions_behind(self.padding_id, &device)); // [B, T, D]
        let positions = hooks.at_positions(positions);
        self.ln_embed.of_sum(tokens + types, positions) // [B, T, D]
    }
}
