//! The head that guesses masked tokens, the same in BERT, RoBERTa and DistilBERT: a transformed hidden vector is compared
//! with every token (Devlin et al. 2019).
//!
//! B batch, T tokens, D model width, V vocabulary.

use crate::nn::hooks::Hooks;
use crate::nn::layers::activation::gelu;
use crate::nn::layers::linear::Linear;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::weight::Weight;
use crate::types::Site;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// LayerNorm(gelu(W h + b)) times the token embedding, plus a bias of each token's own.
#[derive(Module, Debug)]
pub struct MaskedLmHead {
    /// `[D, D]`.
    pub dense: Linear,
    /// After the activation.
    pub norm: LayerNorm,
    /// `[V, D]`; `None` uses the token embedding.
    pub decoder: Option<Weight>,
    /// `[V]`.
    pub bias: Param<Tensor<1>>,
}

impl MaskedLmHead {
    /// Scores of every token at every position: `[B, T, D]` → `[B, T, V]`.
    pub(in crate::nn) fn forward(&self, hidden: Tensor<3>, token_embedding: &Weight, hooks: &mut Hooks) -> Tensor<3> {
        let x = self.norm.forward(gelu(self.dense.forward(hidden))); // [B, T, D]
        let decoder = self.decoder.as_ref().unwrap_or(token_embedding);
        let logits = decoder.project_with(x, Some(self.bias.val())); // [B, T, V]
        hooks.at(Site::Logits, logits)
    }
}
