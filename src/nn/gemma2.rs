//! Gemma 2 (Gemma Team 2024): RMSNorm before and after each half of a block, capped scores, sliding windows in turns with
//! full attention, embeddings scaled by √D.
//!
//! B batch, T tokens, D model width, H heads, G key-value heads, K head width, F MLP width, V vocabulary.

use super::activation::{gelu_tanh, softcap};
use super::attention::{Scoring, attend_scored};
use super::cache::KvCache;
use super::kernels;
use super::linear::{Linear, look_up, project};
use super::mask::{BlockMasks, CausalMask, SlidingWindow};
use super::norm::RmsNorm;
use super::padding::Padding;
use super::rope::{RopeFrequencies, RopeScaling, Rotation};
use super::tape::Tape;
use super::tree::{Places, TokenTree};
use crate::types::Site;
use burn::module::{Module, Param};
use burn::tensor::{Device, Distribution, Int, Tensor};

/// The shape of a Gemma 2 model.
#[derive(Clone, Debug, PartialEq)]
pub struct Gemma2Config {
    /// Vocabulary size V.
    pub vocabulary: usize,
    /// Longest sequence the model was made for.
    pub context: usize,
    /// Width D of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads H.
    pub heads: usize,
    /// Key-value heads G; divides H.
    pub kv_heads: usize,
    /// Head width K; even.
    pub head_width: usize,
    /// MLP width F.
    pub intermediate: usize,
    /// Added to the mean square in RMSNorm.
    pub epsilon: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies were stretched, if they were.
    pub rope_scaling: Option<RopeScaling>,
    /// Scores are divided by the root of this instead of √K.
    pub query_pre_attn_scalar: f64,
    /// Bound of the attention scores, if they have one.
    pub attention_softcap: Option<f64>,
    /// Bound of the next-token scores, if they have one.
    pub logit_softcap: Option<f64>,
    /// Blocks that see only the last tokens, if any.
    pub sliding: Option<SlidingWindow>,
    /// True when the attention projections have biases.
    pub attention_bias: bool,
    /// True when the output projection is the token embedding.
    pub tied: bool,
}

impl Gemma2Config {
    /// Random weights: N(0, 0.02²), the projections into the residual stream scaled by 1/√(2 · layers), gains 1, biases 0.
    #[must_use]
    pub fn init(&self, device: &Device) -> Gemma2 {
        let (d, f, std) = (self.hidden, self.intermediate, super::INIT_STD);
        let residual_std = std / ((2 * self.layers) as f64).sqrt();
        let (q, qkv) = (self.heads * self.head_width, (self.heads + 2 * self.kv_heads) * self.head_width);
        let norm = || RmsNorm::around_one(Tensor::zeros([d], device), self.epsilon);
        let block = |_| Gemma2Block {
            norm_attn: norm(),
            qkv: Linear::random([qkv, d], self.attention_bias, std, device),
            attn_out: Linear::random([d, q], self.attention_bias, residual_std, device),
            norm_attn_out: norm(),
            norm_mlp: norm(),
            gate_up: Linear::random([2 * f, d], false, std, device),
            mlp_out: Linear::random([d, f], false, residual_std, device),
            norm_mlp_out: norm(),
            heads: self.heads,
            kv_heads: self.kv_heads,
            scoring: self.scoring(),
        };
        let embedding = Tensor::random([self.vocabulary, d], Distribution::Normal(0.0, std), device);
        Gemma2 {
            token_embedding: Param::from_tensor(embedding),
            blocks: (0..self.layers).map(block).collect(),
            norm_final: norm(),
            head: (!self.tied).then(|| Linear::random([self.vocabulary, d], false, std, device)),
            rope: self.rope_frequencies(),
            sliding: self.sliding.clone(),
            logit_softcap: self.logit_softcap,
            context: self.context,
        }
    }

    /// The rotary frequencies of this shape.
    #[must_use]
    pub fn rope_frequencies(&self) -> RopeFrequencies {
        RopeFrequencies::new(self.head_width, self.rope_theta, self.rope_scaling)
    }

    /// How its scores are made.
    #[must_use]
    pub fn scoring(&self) -> Scoring {
        Scoring { scale: Some(self.query_pre_attn_scalar.sqrt().recip()), softcap: self.attention_softcap }
    }
}

/// A Gemma 2 model.
#[derive(Module, Debug)]
pub struct Gemma2 {
    /// `[V, D]`.
    pub token_embedding: Param<Tensor<2>>,
    /// From input to output.
    pub blocks: Vec<Gemma2Block>,
    /// Before the output projection.
    pub norm_final: RmsNorm,
    /// `[V, D]`; `None` uses the token embedding.
    pub head: Option<Linear>,
    /// Rotary frequencies.
    #[module(skip)]
    pub rope: RopeFrequencies,
    /// Blocks that see only the last tokens, if any.
    #[module(skip)]
    pub sliding: Option<SlidingWindow>,
    /// Bound of the next-token scores, if they have one.
    #[module(skip)]
    pub logit_softcap: Option<f64>,
    /// Longest sequence.
    pub context: usize,
}

/// One block: attention and gated MLP, each normalised again before it is added to the residual stream.
#[derive(Module, Debug)]
pub struct Gemma2Block {
    /// Before attention.
    pub norm_attn: RmsNorm,
    /// Queries, keys and values in one projection, `[(H + 2·G)·K, D]`.
    pub qkv: Linear,
    /// `[D, H·K]`.
    pub attn_out: Linear,
    /// After attention.
    pub norm_attn_out: RmsNorm,
    /// Before the MLP.
    pub norm_mlp: RmsNorm,
    /// Gate and up projections in one, `[2·F, D]`.
    pub gate_up: Linear,
    /// `[D, F]`.
    pub mlp_out: Linear,
    /// After the MLP.
    pub norm_mlp_out: RmsNorm,
    /// Attention heads H.
    pub heads: usize,
    /// Key-value heads G.
    pub kv_heads: usize,
    /// How scores are made.
    #[module(skip)]
    pub scoring: Scoring,
}

impl Gemma2 {
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

        let [_, d] = self.token_embedding.dims();
        let tokens = look_up(self.token_embedding.val(), ids).mul_scalar((d as f64).sqrt()); // [B, T, D]
        let mut x = tape.at(Site::Embed, tokens);
        let rotation = self.rope.rotation_of(t, past, places, &device);
        let masks = BlockMasks::new(t, past, self.sliding.as_ref(), places, &device);
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, &rotation, masks.of(layer), layer, cache.as_deref_mut(), tape);
        }
        if let Some(cache) = cache {
            cache.advance(t);
        }
        x
    }

    /// `[B, T, D]` → `[B, T, V]`.
    fn logits_from_residual(&self, x: Tensor<3>, tape: &mut Tape) -> Tensor<3> {
        let x = tape.at(Site::LnFinal, self.norm_final.forward(x));
        let head = self.head.as_ref().map_or(&self.token_embedding, |head| &head.weight);
        let logits = project(x, head.val());
        let logits = match self.logit_softcap {
            Some(cap) => softcap(logits, cap),
            None => logits,
        };
        tape.at(Site::Logits, logits)
    }
}

impl Gemma2Block {
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
        let attn = self.attention(self.norm_attn.forward(x.clone()), rotation, mask, layer, cache, tape);
        let attn = tape.at(Site::AttnProj(layer), attn);
        let attn = tape.at(Site::AttnOut(layer), self.norm_attn_out.forward(attn));
        let x = tape.at(Site::ResidMid(layer), x + attn);
        let mlp = self.mlp(self.norm_mlp.forward(x.clone()), layer, tape);
        let mlp = tape.at(Site::MlpProj(layer), mlp);
        let mlp = tape.at(Site::MlpOut(layer), self.norm_mlp_out.forward(mlp));
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
        let [b, t, _] = x.dims();
        let (h, g) = (self.heads, self.kv_heads);
        let qkv = self.qkv.forward(x); // [B, T, (H + 2·G)·K]
        let width = qkv.dims()[2] / (h + 2 * g);
        let qkv = qkv.reshape([b, t, h + 2 * g, width]).swap_dims(1, 2); // [B, H + 2·G, T, K]
        let turned = rotation.apply(qkv.clone().narrow(1, 0, h + g)); // queries and keys, [B, H + G, T, K]
        let queries = tape.at(Site::Q(layer), turned.clone().narrow(1, 0, h)); // [B, H, T, K]
        let mut keys = tape.at(Site::K(layer), turned.narrow(1, h, g)); // [B, G, T, K]
        let mut values = tape.at(Site::V(layer), qkv.narrow(1, h + g, g)); // [B, G, T, K]
        if let Some(cache) = cache {
            (keys, values) = cache.append(layer, keys, values); // [B, G, S, K]
        }
        self.attn_out.forward(attend_scored(queries, keys, values, mask, self.scoring, layer, tape)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, tape: &mut Tape) -> Tensor<3> {
        let gate_up = self.gate_up.forward(x); // [B, T, 2·F]
        let f = gate_up.dims()[2] / 2;
        let gate = tape.at(Site::MlpPre(layer), gate_up.clone().narrow(2, 0, f)); // [B, T, F]
        let hidden = match kernels::serve_learning(&gate.device()) {
            true => kernels::geglu(gate_up),
            false => gelu_tanh(gate) * gate_up.narrow(2, f, f),
        };
        let hidden = tape.at(Site::MlpPost(layer), hidden);
        self.mlp_out.forward(hidden) // [B, T, D]
    }
}
