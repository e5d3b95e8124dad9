//! The block that BERT, RoBERTa and DistilBERT share: attention that looks both ways and a feed-forward layer, each added
//! to the residual stream and normalised after that (Vaswani et al. 2017; Devlin et al. 2019).
//!
//! B batch, T tokens, D model width, H heads, K = D / H head width, F feed-forward width.

use crate::nn::hooks::Hooks;
use crate::nn::layers::activation::gelu;
use crate::nn::layers::attention::Scoring;
use crate::nn::layers::bidirectional::{PaddingMask, attend_both_ways};
use crate::nn::layers::linear::Linear;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::steps::functions::Function;
use crate::nn::steps::parts::{BlockParts, Norm, QkvRows};
use crate::types::Site;
use burn::module::Module;
use burn::tensor::Tensor;

/// The shape of an encoder's blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderShape {
    /// Vocabulary size V.
    pub vocabulary: usize,
    /// Rows of the position table.
    pub positions: usize,
    /// Width D of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads H; divides D.
    pub heads: usize,
    /// Feed-forward width F.
    pub intermediate: usize,
    /// Added to the variance in LayerNorm.
    pub epsilon: f64,
    /// True when the masked-language-model head scores tokens with the token embedding.
    pub tied: bool,
}

/// One block, normalised after each half.
#[derive(Module, Debug)]
pub struct EncoderBlock {
    /// Queries, keys and values in one projection, `[3·D, D]`.
    pub qkv: Linear,
    /// `[D, D]`.
    pub attn_out: Linear,
    /// After attention was added.
    pub ln_attn: LayerNorm,
    /// `[F, D]`.
    pub mlp_in: Linear,
    /// `[D, F]`.
    pub mlp_out: Linear,
    /// After the feed-forward layer was added.
    pub ln_mlp: LayerNorm,
    /// Attention heads H.
    pub heads: usize,
}

impl EncoderBlock {
    /// What it is made of.
    pub(in crate::nn) fn parts(&self) -> BlockParts<'_> {
        let (heads, width) = (self.heads, self.ln_attn.gain.dims()[0] / self.heads);
        BlockParts {
            norm_attn: None,
            qkv: &self.qkv,
            rows: QkvRows { heads, kv_heads: heads, width, interleaved: false },
            head_norms: None,
            rope: None,
            scoring: Scoring::default(),
            window: None,
            attn_out: &self.attn_out,
            norm_attn_out: None,
            norm_mid: Some(Norm::Layer(&self.ln_attn)),
            parallel: false,
            norm_mlp: None,
            mlp_in: &self.mlp_in,
            function: Function::Gelu,
            gated: false,
            mlp_out: &self.mlp_out,
            norm_mlp_out: None,
            norm_post: Some(Norm::Layer(&self.ln_mlp)),
        }
    }

    /// `[B, T, D]` → `[B, T, D]`. `resid_mid` and `resid_post` are noted after their normalisation: that is what the next
    /// half reads.
    pub(in crate::nn) fn forward(
        &self,
        x: Tensor<3>,
        padding: &PaddingMask,
        layer: usize,
        hooks: &mut Hooks,
    ) -> Tensor<3> {
        let x = hooks.at(Site::ResidPre(layer), x);
        let attn = self.attention(x.clone(), padding, layer, hooks);
        if hooks.end_at(Site::Pattern(layer)) {
            return x;
        }
        let attn = hooks.at(Site::AttnOut(layer), attn);
        let x = hooks.at(Site::ResidMid(layer), self.ln_attn.of_sum(x, attn));
        let mlp = hooks.at(Site::MlpPre(layer), self.mlp_in.forward(x.clone())); // [B, T, F]
        let mlp = hooks.at(Site::MlpPost(layer), gelu(mlp));
        let mlp = hooks.at(Site::MlpOut(layer), self.mlp_out.forward(mlp)); // [B, T, D]
        hooks.at(Site::ResidPost(layer), self.ln_mlp.of_sum(x, mlp))
    }

    fn attention(&self, x: Tensor<3>, padding: &PaddingMask, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
        let qkv = self.qkv.forward(x); // [B, T, 3·D]
        self.attn_out.forward(attend_both_ways(qkv, self.heads, padding, layer, hooks)) // [B, T, D]
    }
}

/// The blocks from one on: `[B, T, D]` → `[B, T, D]`.
pub(in crate::nn) fn blocks_from(
    blocks: &[EncoderBlock],
    first: usize,
    mut x: Tensor<3>,
    padding: &PaddingMask,
    hooks: &mut Hooks,
) -> Tensor<3> {
    for (layer, block) in blocks.iter().enumerate().skip(first) {
        if hooks.end_before(layer) {
            break;
        }
        x = block.forward(x, padding, layer, hooks);
    }
    x
}

/// The vector of the first token, projected and squashed: tanh(W h₀ + b). `[B, T, D]` → `[B, D]`.
pub(in crate::nn) fn pool_first(pooler: &Linear, hidden: Tensor<3>, hooks: &mut Hooks) -> Tensor<2> {
    let first = hidden.narrow(1, 0, 1); // [B, 1, D]
    let pooled = pooler.forward(first).tanh().squeeze_dim(1); // [B, D]
    hooks.at(Site::Pooled, pooled)
}
