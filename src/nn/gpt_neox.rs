//! GPT-NeoX (Black et al. 2022) and Pythia (Biderman et al. 2023): positions turn a part of each head, and attention and MLP
//! usually read the same residual stream.
//!
//! B batch, T tokens, D model width, H heads, K = D / H head width, F MLP width, V vocabulary.

use super::activation::Activation;
use super::attention::{attend, attends_at_once};
use super::cache::KvCache;
use super::kernels;
use super::linear::{Linear, look_up, project};
use super::mask::CausalMask;
use super::norm::LayerNorm;
use super::padding::Padding;
use super::rope::{RopeFrequencies, RopeScaling, Rotation};
use super::tape::Tape;
use super::tree::{Places, TokenTree};
use crate::types::Site;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Int, Tensor};

/// The shape of a GPT-NeoX model.
#[derive(Clone, Debug, PartialEq)]
pub struct GptNeoxConfig {
    /// Vocabulary size V.
    pub vocabulary: usize,
    /// Longest sequence the model was made for.
    pub context: usize,
    /// Width D of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads H; divides D.
    pub heads: usize,
    /// MLP width F.
    pub intermediate: usize,
    /// Added to the variance in LayerNorm.
    pub epsilon: f64,
    /// Values at the start of each head that positions turn; even, at most K.
    pub rotary_width: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies were stretched, if they were.
    pub rope_scaling: Option<RopeScaling>,
    /// True when attention and MLP read the same residual stream, false when the MLP reads what attention made of it.
    pub parallel_residual: bool,
    /// True when the attention projections have biases.
    pub attention_bias: bool,
    /// Between the two projections of the MLP.
    pub activation: Activation,
    /// True when the output projection is the token embedding.
    pub tied: bool,
}

impl GptNeoxConfig {
    /// Random weights: N(0, 0.02²), the projections into the residual stream scaled by 1/√(2 · layers), gains 1, biases 0.
    #[must_use]
    pub fn init(&self, device: &Device) -> GptNeox {
        let (d, f, std) = (self.hidden, self.intermediate, super::INIT_STD);
        let residual_std = std / ((2 * self.layers) as f64).sqrt();
        let block = |_| GptNeoxBlock {
            ln_attn: LayerNorm::identity(d, self.epsilon, device),
            qkv: Linear::random([3 * d, d], self.attention_bias, std, device),
            attn_out: Linear::random([d, d], self.attention_bias, residual_std, device),
            ln_mlp: LayerNorm::identity(d, self.epsilon, device),
            mlp_in: Linear::random([f, d], true, std, device),
            mlp_out: Linear::random([d, f], true, residual_std, device),
            heads: self.heads,
            parallel_residual: self.parallel_residual,
            activation: self.activation,
        };
        let embedding = Tensor::random([self.vocabulary, d], Distribution::Normal(0.0, std), device);
        GptNeox {
            token_embedding: Param::from_tensor(embedding),
            blocks: (0..self.layers).map(block).collect(),
            ln_final: LayerNorm::identity(d, self.epsilon, device),
            head: (!self.tied).then(|| Linear::random([self.vocabulary, d], false, std, device)),
            rope: self.rope_frequencies(),
            context: self.context,
        }
    }

    /// The rotary frequencies of this shape.
    #[must_use]
    pub fn rope_frequencies(&self) -> RopeFrequencies {
        RopeFrequencies::new(self.rotary_width, self.rope_theta, self.rope_scaling)
    }
}

/// A GPT-NeoX model.
#[derive(Module, Debug)]
pub struct GptNeox {
    /// `[V, D]`.
    pub token_embedding: Param<Tensor<2>>,
    /// From input to output.
    pub blocks: Vec<GptNeoxBlock>,
    /// Before the output projection.
    pub ln_final: LayerNorm,
    /// `[V, D]`; `None` uses the token embedding.
    pub head: Option<Linear>,
    /// Rotary frequencies.
    #[module(skip)]
    pub rope: RopeFrequencies,
    /// Longest sequence.
    pub context: usize,
}

/// One block: attention and MLP, each added to the residual stream.
#[derive(Module, Debug)]
pub struct GptNeoxBlock {
    /// Before attention.
    pub ln_attn: LayerNorm,
    /// Queries, keys and values in one projection, `[3·D, D]`: the three of one head lie together.
    pub qkv: Linear,
    /// `[D, D]`.
    pub attn_out: Linear,
    /// Before the MLP.
    pub ln_mlp: LayerNorm,
    /// `[F, D]`.
    pub mlp_in: Linear,
    /// `[D, F]`.
    pub mlp_out: Linear,
    /// Attention heads H.
    pub heads: usize,
    /// True when attention and MLP read the same residual stream.
    pub parallel_residual: bool,
    /// Between the two projections of the MLP.
    #[module(skip)]
    pub activation: Activation,
}

impl GptNeox {
    /// Next-token scores at every position: `[B, T]` → `[B, T, V]`.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, padding: Option<&Padding>, tape: &mut Tape) -> Tensor<3> {
        let x = self.residual(ids, padding.map(Places::Padded), None, tape);
        self.logits_from_residual(x, tape)
    }

    /// The forward pass for the sake of the tape alone: scores nobody asked for are not computed.
    pub fn trace(&self, ids: Tensor<2, Int>, tape: &mut Tape) {
        let x = self.residual(ids, None, None, tape);
        if tape.asks_for_output() {
            let _ = self.logits_from_residual(x, tape);
        }
    }

    /// Next-token scores after the last of T new tokens: `[B, T]` → `[B, V]`. The cache remembers the tokens.
    #[must_use]
    pub fn forward_cached(&self, ids: Tensor<2, Int>, cache: &mut KvCache) -> Tensor<2> {
        let [_, t] = ids.dims();
        let mut tape = Tape::off();
        let x = self.residual(ids, None, Some(cache), &mut tape).narrow(1, t - 1, 1); // [B, 1, D]
        self.logits_from_residual(x, &mut tape).squeeze_dim(1) // [B, V]
    }

    /// Next-token scores at some positions: `[B, T]` and indices `[M]` into B·T → `[M, V]`.
    #[must_use]
    pub fn logits_at(&self, ids: Tensor<2, Int>, rows: Tensor<1, Int>) -> Tensor<2> {
        let mut tape = Tape::off();
        let x = self.residual(ids, None, None, &mut tape).flatten::<2>(0, 1).select(0, rows); // [M, D]
        self.logits_from_residual(x.unsqueeze(), &mut tape).squeeze_dim(0) // [M, V]
    }

    /// Next-token scores at the `wanted` tokens of a tree after what the cache holds: `[1, T]` → `[N, V]`. The cache stays
    /// as it is.
    #[must_use]
    pub fn forward_tree(
        &self,
        ids: Tensor<2, Int>,
        tree: &TokenTree,
        wanted: Tensor<1, Int>,
        cache: &mut KvCache,
    ) -> Tensor<2> {
        let (past, mut tape) = (cache.len(), Tape::off());
        let x = self.residual(ids, Some(Places::Tree(tree)), Some(cache), &mut tape).select(1, wanted); // [1, N, D]
        cache.truncate(past);
        self.logits_from_residual(x, &mut tape).squeeze_dim(0) // [N, V]
    }

    /// The residual stream after the last block: `[B, T]` → `[B, T, D]`.
    fn residual(
        &self,
        ids: Tensor<2, Int>,
        places: Option<Places<'_>>,
        mut cache: Option<&mut KvCache>,
        tape: &mut Tape,
    ) -> Tensor<3> {
        let device = ids.device();
        let [_, t] = ids.dims();
        let past = cache.as_ref().map_or(0, |c| c.len());
        let end = past + Places::reach(places, t);
        assert!(end <= self.context, "{end} tokens do not fit in a context of {}", self.context);

        let mut x = tape.at(Site::Embed, look_up(self.token_embedding.val(), ids)); // [B, T, D]
        let rotation = self.rope.rotation_of(t, past, places, &device);
        let mask = CausalMask::placed(t, past, None, places, &device);
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &rotation, &mask, layer, cache.as_deref_mut(), tape);
        }
        if let Some(cache) = cache {
            cache.advance(t);
        }
        x
    }

    /// `[B, T, D]` → `[B, T, V]`.
    fn logits_from_residual(&self, x: Tensor<3>, tape: &mut Tape) -> Tensor<3> {
        let x = tape.at(Site::LnFinal, self.ln_final.forward(x));
        let head = self.head.as_ref().map_or(&self.token_embedding, |head| &head.weight);
        tape.at(Site::Logits, project(x, head.val()))
    }
}

impl GptNeoxBlock {
    /// `[B, T, D]` → `[B, T, D]`.
    fn forward(
        &self,
        x: Tensor<3>,
        rotation: &Rotation,
        mask: &CausalMask,
        layer: usize,
        cache: Option<&mut KvCache>,
        tape: &mut Tape,
    ) -> Tensor<3> {
        let x = tape.at(Site::ResidPre(layer), x);
        let attn = self.attention(self.ln_attn.forward(x.clone()), rotation, mask, layer, cache, tape);
        let attn = tape.at(Site::AttnOut(layer), attn);
        let (mlp_input, x) = if self.parallel_residual {
            (x.clone(), x + attn)
        } else {
            let x = tape.at(Site::ResidMid(layer), x + attn);
            (x.clone(), x)
        };
        let mlp = self.mlp(self.ln_mlp.forward(mlp_input), layer, tape);
        let mlp = tape.at(Site::MlpOut(layer), mlp);
        tape.at(Site::ResidPost(layer), x + mlp)
    }

    fn attention(
        &self,
        x: Tensor<3>,
        rotation: &Rotation,
        mask: &CausalMask,
        layer: usize,
        cache: Option<&mut KvCache>,
        tape: &mut Tape,
    ) -> Tensor<3> {
        let [b, t, d] = x.dims();
        let (h, k) = (self.heads, d / self.heads);
        let qkv = self.qkv.forward(x); // [B, T, 3·D]
        if cache.is_none() && attends_at_once(&qkv, mask, tape) {
            let rotation = Some(rotation.cosines_and_sines());
            let z = kernels::attend(qkv, rotation, kernels::Heads::interleaved(h, k)); // [B, T, D]
            return self.attn_out.forward(z); // [B, T, D]
        }
        let qkv = qkv.reshape([b, t, h, 3 * k]).swap_dims(1, 2); // [B, H, T, 3·K]
        let queries = rotation.apply(qkv.clone().narrow(3, 0, k));
        let queries = tape.at(Site::Q(layer), queries); // [B, H, T, K]
        let keys = rotation.apply(qkv.clone().narrow(3, k, k));
        let mut keys = tape.at(Site::K(layer), keys); // [B, H, T, K]
        let mut values = tape.at(Site::V(layer), qkv.narrow(3, 2 * k, k)); // [B, H, T, K]
        if let Some(cache) = cache {
            (keys, values) = cache.append(layer, keys, values); // [B, H, S, K]
        }
        self.attn_out.forward(attend(queries, keys, values, mask, layer, tape)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, tape: &mut Tape) -> Tensor<3> {
        let x = tape.at(Site::MlpPre(layer), self.mlp_in.forward(x)); // [B, T, F]
        let x = tape.at(Site::MlpPost(layer), self.activation.apply(x));
        self.mlp_out.forward(x) // [B, T, D]
    }
}
