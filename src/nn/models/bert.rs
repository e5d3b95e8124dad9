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
use burn::tensor::{Device, Tensor};

/// The shape of a BERT model.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    /// Blocks, vocabulary and positions.
    pub shape: EncoderShape,
    /// Token types S, such as first and second sentence.
    pub token_types: usize,
}

impl BertConfig {
    /// A model whose matrices `draw` gives, told their shape, in the order of the fields; gains are 1 and biases 0. It has a head for
    /// masked tokens, tied where the shape says so, and no pooler: what the pooler reads is learned by telling whether one sentence
    /// follows another, which is no part of this.
    #[must_use]
    pub fn init(&self, device: &Device, mut draw: impl FnMut([usize; 2]) -> Tensor<2>) -> Bert {
        let shape = &self.shape;
        let (d, f) = (shape.hidden, shape.intermediate);
        let norm = || LayerNorm::identity(d, shape.epsilon, device);
        let mut linear = |[outputs, inputs]: [usize; 2]| {
            Linear::new(draw([outputs, inputs]), Some(Tensor::zeros([outputs], device)))
        };
        let tables = [shape.vocabulary, shape.positions, self.token_types].map(|rows| linear([rows, d]).weight.val());
        let [tokens, positions, types] = tables;
        let blocks = (0..shape.layers).map(|_| EncoderBlock {
            qkv: linear([3 * d, d]),
            attn_out: linear([d, d]),
            ln_attn: norm(),
            mlp_in: linear([f, d]),
            mlp_out: linear([d, f]),
            ln_mlp: norm(),
            heads: shape.heads,
        });
        let blocks = blocks.collect();
        let head = MaskedLmHead {
            dense: linear([d, d]),
            norm: norm(),
            decoder: if shape.tied { None } else { Some(linear([shape.vocabulary, d]).weight) },
            bias: Param::from_tensor(Tensor::zeros([shape.vocabulary], device)),
        };
        Bert {
            token_embedding: tokens.into(),
            position_embedding: Param::from_tensor(positions),
            type_embedding: Param::from_tensor(types),
            ln_embed: norm(),
            blocks,
            pooler: None,
            head: Some(head),
        }
    }
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
        // That of what may learn: beside an adapter, tokens are looked up in rows that stay as they are.
        let device = self.position_embedding.device();
        let tokens = hooks.at(Site::Embed, self.token_embedding.look_up(batch.ids(&device))); // [B, T, D]
        let types = embedding(self.type_embedding.val(), batch.types(&device)); // [B, T, D]
        let types = hooks.at(Site::TokenTypeEmbed, types);
        let positions = batch.positions(self.position_embedding.val(), hooks); // [1, T, D]
        self.ln_embed.of_sum(tokens + types, positions) // [B, T, D]
    }
}
