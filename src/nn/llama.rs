//! Llama (Touvron et al. 2023): rotary positions, RMSNorm, grouped-query attention, gated MLP.
//!
//! Mistral (Jiang et al. 2023) is the same with a sliding window, Qwen 2 (Yang et al. 2024) with biases on queries, keys and
//! values, Qwen 3 (Yang et al. 2025) with queries and keys normalised in each head.
//!
//! B batch, T tokens, D model width, H heads, G key-value heads, K head width, F MLP width, V vocabulary.

use super::attention::{attend, attends_at_once};
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
use burn::tensor::activation::silu;
use burn::tensor::{Device, Distribution, Int, Tensor};

/// Whose name a model of this architecture goes by in files; the computation follows from the other options alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LlamaFamily {
    /// `LlamaForCausalLM`.
    Llama,
    /// `MistralForCausalLM`.
    Mistral,
    /// `Qwen2ForCausalLM`.
    Qwen2,
    /// `Qwen3ForCausalLM`.
    Qwen3,
}

/// The shape of a Llama model.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaConfig {
    /// Whose name it goes by.
    pub family: LlamaFamily,
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
    /// Head width K; even. D / H unless the file says otherwise.
    pub head_width: usize,
    /// MLP width F.
    pub intermediate: usize,
    /// Added to the mean square in RMSNorm.
    pub epsilon: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the rotary frequencies were stretched, if they were.
    pub rope_scaling: Option<RopeScaling>,
    /// True when the projections to queries, keys and values have biases.
    pub qkv_bias: bool,
    /// True when attention's output projection has a bias.
    pub attn_out_bias: bool,
    /// True when queries and keys are normalised in each head, before rotary positions.
    pub head_norm: bool,
    /// Blocks that see only the last tokens, if any.
    pub sliding: Option<SlidingWindow>,
    /// True when the MLP projections have biases.
    pub mlp_bias: bool,
    /// True when the output projection is the token embedding.
    pub tied: bool,
}

impl LlamaConfig {
    /// Random weights: N(0, 0.02²), the projections into the residual stream scaled by 1/√(2 · layers), gains 1, biases 0.
    #[must_use]
    pub fn init(&self, device: &Device) -> Llama {
        let (d, f, std) = (self.hidden, self.intermediate, super::INIT_STD);
        let residual_std = std / ((2 * self.layers) as f64).sqrt();
        let (q, qkv) = (self.heads * self.head_width, (self.heads + 2 * self.kv_heads) * self.head_width);
        let block = |_| LlamaBlock {
            norm_attn: RmsNorm::identity(d, self.epsilon, device),
            qkv: Linear::random([qkv, d], self.qkv_bias, std, device),
            norm_q: self.head_norm.then(|| RmsNorm::identity(self.head_width, self.epsilon, device)),
            norm_k: self.head_norm.then(|| RmsNorm::identity(self.head_width, self.epsilon, device)),
            attn_out: Linear::random([d, q], self.attn_out_bias, residual_std, device),
            norm_mlp: RmsNorm::identity(d, self.epsilon, device),
            gate_up: Linear::random([2 * f, d], self.mlp_bias, std, device),
            mlp_out: Linear::random([d, f], self.mlp_bias, residual_std, device),
            heads: self.heads,
            kv_heads: self.kv_heads,
        };
        let embedding = Tensor::random([self.vocabulary, d], Distribution::Normal(0.0, std), device);
        Llama {
            token_embedding: Param::from_tensor(embedding),
            blocks: (0..self.layers).map(block).collect(),
            norm_final: RmsNorm::identity(d, self.epsilon, device),
            head: (!self.tied).then(|| Linear::random([self.vocabulary, d], false, std, device)),
            rope: self.rope_frequencies(),
            sliding: self.sliding.clone(),
            context: self.context,
        }
    }

    /// The rotary frequencies of this shape.
    #[must_use]
    pub fn rope_frequencies(&self) -> RopeFrequencies {
        RopeFrequencies::new(self.head_width, self.rope_theta, self.rope_scaling)
    }
}

/// A Llama model.
#[derive(Module, Debug)]
pub struct Llama {
    /// `[V, D]`.
    pub token_embedding: Param<Tensor<2>>,
    /// From input to output.
    pub blocks: Vec<LlamaBlock>,
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
    /// Longest sequence.
    pub context: usize,
}

/// One block: attention and gated MLP, each added to the residual stream.
#[derive(Module, Debug)]
pub struct LlamaBlock {
    /// Before attention.
    pub norm_attn: RmsNorm,
    /// Queries, keys and values in one projection, `[(H + 2·G)·K, D]`.
    pub qkv: Linear,
    /// Over the values of each query head; `None` leaves queries as they are.
    pub norm_q: Option<RmsNorm>,
    /// Over the values of each key head; `None` leaves keys as they are.
    pub norm_k: Option<RmsNorm>,
    /// `[D, H·K]`.
    pub attn_out: Linear,
    /// Before the MLP.
    pub norm_mlp: RmsNorm,
    /// Gate and up projections in one, `[2·F, D]`.
    pub gate_up: Linear,
    /// `[D, F]`.
    pub mlp_out: Linear,
    /// Attention heads H.
    pub heads: usize,
    /// Key-value heads G.
    pub kv_heads: usize,
}

impl Llama {
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
        tape.at(Site::Logits, project(x, head.val()))
    }
}

impl LlamaBlock {
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
        let attn = tape.at(Site::AttnOut(layer), attn);
        let x = tape.at(Site::ResidMid(layer), x + attn);
        let mlp = self.mlp(self.norm_mlp.forward(x.clone()), layer, tape);
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
        let [b, t, _] = x.dims();
        let (h, g) = (self.heads, self.kv_heads);
        let qkv = self.qkv.forward(x); // [B, T, (H + 2·G)·K]
        let width = qkv.dims()[2] / (h + 2 * g);
        if cache.is_none() && self.norm_q.is_none() && attends_at_once(&qkv, mask, tape) {
            let rotation = Some(rotation.cosines_and_sines());
            let z = kernels::attend(qkv, rotation, kernels::Heads::packed(h, g, width)); // [B, T, H·K]
            return self.attn_out.forward(z); // [B, T, D]
        }
        let qkv = qkv.reshape([b, t, h + 2 * g, width]).swap_dims(1, 2); // [B, H + 2·G, T, K]
        let turned = match (&self.norm_q, &self.norm_k) {
            (Some(norm_q), Some(norm_k)) => {
                let queries = norm_q.forward(qkv.clone().narrow(1, 0, h));
                Tensor::cat(vec![queries, norm_k.forward(qkv.clone().narrow(1, h, g))], 1)
            }
            _ => qkv.clone().narrow(1, 0, h + g),
        };
        let turned = rotation.apply(turned); // queries and keys, [B, H + G, T, K]
        let queries = tape.at(Site::Q(layer), turned.clone().narrow(1, 0, h)); // [B, H, T, K]
        let mut keys = tape.at(Site::K(layer), turned.narrow(1, h, g)); // [B, G, T, K]
        let mut values = tape.at(Site::V(layer), qkv.narrow(1, h + g, g)); // [B, G, T, K]
        if let Some(cache) = cache {
            (keys, values) = cache.append(layer, keys, values); // [B, G, S, K]
        }
        self.attn_out.forward(attend(queries, keys, values, mask, layer, tape)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, tape: &mut Tape) -> Tensor<3> {
        let gate_up = self.gate_up.forward(x); // [B, T, 2·F]
        let f = gate_up.dims()[2] / 2;
        let gate = tape.at(Site::MlpPre(layer), gate_up.clone().narrow(2, 0, f)); // [B, T, F]
        let hidden = match kernels::serve_learning(&gate.device()) {
            true => kernels::swiglu(gate_up),
            false => silu(gate) * gate_up.narrow(2, f, f),
        };
        let hidden = tape.at(Site::MlpPost(layer), hidden);
        self.mlp_out.forward(hidden) // [B, T, D]
    }
}
