//! GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each half of a block, GELU.
//!
//! B batch, T tokens, D model width, H heads, K = D / H head width, F MLP width, V vocabulary, N context.

use super::activation::gelu_tanh;
use super::attention::{attend, attends_at_once};
use super::cache::KvCache;
use super::kernels;
use super::linear::{Linear, in_f32, look_up, project};
use super::mask::CausalMask;
use super::norm::LayerNorm;
use super::padding::Padding;
use super::tape::Tape;
use super::tree::{Places, TokenTree};
use crate::types::Site;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Int, Tensor};

/// The shape of a GPT-2 model.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpt2Config {
    /// Vocabulary size V.
    pub vocabulary: usize,
    /// Longest sequence N.
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
    /// True when the output projection is the token embedding.
    pub tied: bool,
}

impl Gpt2Config {
    /// Random weights: N(0, 0.02²), the projections into the residual stream scaled by 1/√(2 · layers), gains 1, biases 0.
    #[must_use]
    pub fn init(&self, device: &Device) -> Gpt2 {
        let (d, f, std) = (self.hidden, self.intermediate, super::INIT_STD);
        let residual_std = std / ((2 * self.layers) as f64).sqrt();
        let table = |rows| Param::from_tensor(Tensor::random([rows, d], Distribution::Normal(0.0, std), device));
        let block = |_| Gpt2Block {
            ln_attn: LayerNorm::identity(d, self.epsilon, device),
            qkv: Linear::random([3 * d, d], true, std, device),
            attn_out: Linear::random([d, d], true, residual_std, device),
            ln_mlp: LayerNorm::identity(d, self.epsilon, device),
            mlp_in: Linear::random([f, d], true, std, device),
            mlp_out: Linear::random([d, f], true, residual_std, device),
            heads: self.heads,
        };
        Gpt2 {
            token_embedding: table(self.vocabulary),
            position_embedding: table(self.context),
            blocks: (0..self.layers).map(block).collect(),
            ln_final: LayerNorm::identity(d, self.epsilon, device),
            head: (!self.tied).then(|| Linear::random([self.vocabulary, d], false, std, device)),
        }
    }
}

/// A GPT-2 model.
#[derive(Module, Debug)]
pub struct Gpt2 {
    /// `[V, D]`.
    pub token_embedding: Param<Tensor<2>>,
    /// `[N, D]`.
    pub position_embedding: Param<Tensor<2>>,
    /// From input to output.
    pub blocks: Vec<Gpt2Block>,
    /// Before the output projection.
    pub ln_final: LayerNorm,
    /// `[V, D]`; `None` uses the token embedding.
    pub head: Option<Linear>,
}

/// One block: attention and MLP, each added to the residual stream.
#[derive(Module, Debug)]
pub struct Gpt2Block {
    /// Before attention.
    pub ln_attn: LayerNorm,
    /// Queries, keys and values in one projection, `[3·D, D]`.
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
}

impl Gpt2 {
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
        let [context, _] = self.position_embedding.dims();
        let end = past + Places::reach(places, t);
        assert!(end <= context, "{end} tokens do not fit in a context of {context}");

        let tokens = tape.at(Site::Embed, look_up(self.token_embedding.val(), ids)); // [B, T, D]
        let positions = match places {
            Some(places) => look_up(self.position_embedding.val(), places.position_ids(past, &device)), // [B, T, D]
            None => in_f32(self.position_embedding.val().narrow(0, past, t)).unsqueeze(),               // [1, T, D]
        };
        let positions = tape.at(Site::PosEmbed, positions);
        let mut x = tokens + positions; // [B, T, D]

        let mask = CausalMask::placed(t, past, None, places, &device);
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &mask, layer, cache.as_deref_mut(), tape);
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

impl Gpt2Block {
    /// `[B, T, D]` → `[B, T, D]`.
    fn forward(
        &self,
        x: Tensor<3>,
        mask: &CausalMask,
        layer: usize,
        cache: Option<&mut KvCache>,
        tape: &mut Tape,
    ) -> Tensor<3> {
        let x = tape.at(Site::ResidPre(layer), x);
        let attn = self.attention(self.ln_attn.forward(x.clone()), mask, layer, cache, tape);
        let attn = tape.at(Site::AttnOut(layer), attn);
        let x = tape.at(Site::ResidMid(layer), x + attn);
        let mlp = self.mlp(self.ln_mlp.forward(x.clone()), layer, tape);
        let mlp = tape.at(Site::MlpOut(layer), mlp);
        tape.at(Site::ResidPost(layer), x + mlp)
    }

    fn attention(
        &self,
        x: Tensor<3>,
        mask: &CausalMask,
        layer: usize,
        cache: Option<&mut KvCache>,
        tape: &mut Tape,
    ) -> Tensor<3> {
        let [b, t, d] = x.dims();
        let (h, k) = (self.heads, d / self.heads);
        let qkv = self.qkv.forward(x); // [B, T, 3·D]
        if cache.is_none() && attends_at_once(&qkv, mask, tape) {
            let z = kernels::attend(qkv, None, kernels::Heads::packed(h, h, k)); // [B, T, D]
            return self.attn_out.forward(z); // [B, T, D]
        }
        let qkv = qkv.reshape([b, t, 3 * h, k]).swap_dims(1, 2); // [B, 3·H, T, K]
        let queries = tape.at(Site::Q(layer), qkv.clone().narrow(1, 0, h)); // [B, H, T, K]
        let mut keys = tape.at(Site::K(layer), qkv.clone().narrow(1, h, h));
        let mut values = tape.at(Site::V(layer), qkv.narrow(1, 2 * h, h));
        if let Some(cache) = cache {
            (keys, values) = cache.append(layer, keys, values); // [B, H, S, K]
        }
        self.attn_out.forward(attend(queries, keys, values, mask, layer, tape)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, tape: &mut Tape) -> Tensor<3> {
        let x = tape.at(Site::MlpPre(layer), self.mlp_in.forward(x)); // [B, T, F]
        let x = tape.at(Site::MlpPost(layer), gelu_tanh(x));
        self.mlp_out.forward(x) // [B, T, D]
    }
}
