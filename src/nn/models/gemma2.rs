//! Gemma 2 (Gemma Team 2024): RMSNorm before and after each half of a block, capped scores, sliding windows in turns with
//! full attention, embeddings scaled by √D.
//!
//! B batch, T tokens, D model width, H heads, G key-value heads, K head width, F MLP width, V vocabulary.

use crate::nn::hooks::Hooks;
use crate::nn::kernels;
use crate::nn::layers::activation::{gelu_tanh, softcap};
use crate::nn::layers::attention::{Scoring, attend_scored};
use crate::nn::layers::cache::KvCache;
use crate::nn::layers::linear::Linear;
use crate::nn::layers::mask::{BlockMasks, CausalMask, SlidingWindow};
use crate::nn::layers::norm::RmsNorm;
use crate::nn::layers::rope::{RopeFrequencies, RopeScaling, Rotation};
use crate::nn::layers::weight::Weight;
use crate::nn::models::decoder::{Decoder, Pass};
use crate::nn::steps::functions::Function;
use crate::nn::steps::parts::{BlockParts, Entry, Exit, Norm, QkvRows, Table};
use crate::types::Site;
use burn::module::Module;
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
    pub head_dim: usize,
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
        let (d, f, std) = (self.hidden, self.intermediate, crate::nn::INIT_STD);
        let residual_std = std / ((2 * self.layers) as f64).sqrt();
        let (q, qkv) = (self.heads * self.head_dim, (self.heads + 2 * self.kv_heads) * self.head_dim);
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
            token_embedding: embedding.into(),
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
        RopeFrequencies::new(self.head_dim, self.rope_theta, self.rope_scaling)
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
    pub token_embedding: Weight,
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

impl Decoder for Gemma2 {
    type State = KvCache;

    fn new_state(&self) -> KvCache {
        KvCache::new(self.blocks.len(), self.context())
    }

    fn context(&self) -> usize {
        self.context
    }

    fn embed(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_, KvCache>) -> Tensor<3> {
        let [_, d] = self.token_embedding.dims();
        let tokens = self.token_embedding.look_up(ids).mul_scalar((d as f64).sqrt()); // [B, T, D]
        pass.hooks.at(Site::Embed, tokens)
    }

    fn blocks_from(&self, first: usize, mut x: Tensor<3>, pass: &mut Pass<'_, KvCache>) -> Tensor<3> {
        let device = x.device();
        let rotation = self.rope.rotation_of(&pass.tokens, pass.hooks, &device);
        let masks = BlockMasks::new(&pass.tokens, self.sliding.as_ref(), &device);
        for (layer, block) in self.blocks.iter().enumerate().skip(first) {
            if pass.hooks.end_before(layer) {
                break;
            }
            x = block.forward(x, &rotation, masks.of(layer), layer, pass);
        }
        x
    }

    fn normalise(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        hooks.at(Site::LnFinal, self.norm_final.forward(x))
    }

    fn unembed(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        let x = self.normalise(x, hooks);
        let head = self.head.as_ref().map_or(&self.token_embedding, |head| &head.weight);
        let logits = head.project(x);
        let logits = match self.logit_softcap {
            Some(cap) => softcap(logits, cap),
            None => logits,
        };
        hooks.at(Site::Logits, logits)
    }

    fn head_output(&self, layer: usize, z: Tensor<4>) -> Tensor<4> {
        self.blocks[layer].attn_out.of_each_head(z)
    }

    fn sites(&self) -> Vec<Site> {
        let is_elsewhere = |site: &Site| matches!(site, Site::TokenTypeEmbed | Site::PosEmbed | Site::Pooled);
        Site::all(self.blocks.len()).filter(|site| !is_elsewhere(site)).collect()
    }
}

impl Gemma2 {
    pub(in crate::nn) fn entry(&self) -> Entry<'_> {
        let [_, d] = self.token_embedding.dims();
        let factor = (d as f64).sqrt();
        Entry {
            tokens: Table::Weight(&self.token_embedding),
            patches: None,
            factor,
            positions: None,
            behind: None,
            types: None,
            norm: None,
        }
    }

    pub(in crate::nn) fn exit(&self) -> (Option<Norm<'_>>, Exit<'_>) {
        let weight = self.head.as_ref().map_or(&self.token_embedding, |head| &head.weight);
        (Some(Norm::Rms(&self.norm_final)), Exit::Tokens { weight, cap: self.logit_softcap })
    }

    pub(in crate::nn) fn block_parts(&self, layer: usize) -> BlockParts<'_> {
        let window = self.sliding.as_ref().filter(|sliding| sliding.blocks[layer]).map(|sliding| sliding.width);
        BlockParts { rope: Some(&self.rope), window, ..self.blocks[layer].parts() }
    }
}

impl Gemma2Block {
    fn parts(&self) -> BlockParts<'_> {
        let (heads, kv_heads) = (self.heads, self.kv_heads);
        let width = self.qkv.weight.dims()[0] / (heads + 2 * kv_heads);
        BlockParts {
            norm_attn: Some(Norm::Rms(&self.norm_attn)),
            qkv: &self.qkv,
            rows: QkvRows { heads, kv_heads, width, interleaved: false },
            head_norms: None,
            rope: None,
            scoring: self.scoring,
            window: None,
            attn_out: &self.attn_out,
            norm_attn_out: Some(Norm::Rms(&self.norm_attn_out)),
            norm_mid: None,
            parallel: false,
            norm_mlp: Some(Norm::Rms(&self.norm_mlp)),
            mlp_in: &self.gate_up,
            function: Function::GeluTanh,
            gated: true,
            mlp_out: &self.mlp_out,
            norm_mlp_out: Some(Norm::Rms(&self.norm_mlp_out)),
            norm_post: None,
        }
    }

    /// `[B, T, D]` → `[B, T, D]`.
    fn forward(
        &self,
        x: Tensor<3>,
        rotation: &Rotation,
        mask: &CausalMask,
        layer: usize,
        pass: &mut Pass<'_, KvCache>,
    ) -> Tensor<3> {
        let x = pass.hooks.at(Site::ResidPre(layer), x);
        let attn = self.attention(self.norm_attn.forward(x.clone()), rotation, mask, layer, pass);
        if pass.hooks.end_at(Site::Pattern(layer)) {
            return x;
        }
        let attn = pass.hooks.at(Site::AttnProj(layer), attn);
        let attn = pass.hooks.at(Site::AttnOut(layer), self.norm_attn_out.forward(attn));
        let x = pass.hooks.at(Site::ResidMid(layer), x + attn);
        let mlp = self.mlp(self.norm_mlp.forward(x.clone()), layer, pass.hooks);
        let mlp = pass.hooks.at(Site::MlpProj(layer), mlp);
        let mlp = pass.hooks.at(Site::MlpOut(layer), self.norm_mlp_out.forward(mlp));
        pass.hooks.at(Site::ResidPost(layer), x + mlp)
    }

    fn attention(
        &self,
        x: Tensor<3>,
        rotation: &Rotation,
        mask: &CausalMask,
        layer: usize,
        pass: &mut Pass<'_, KvCache>,
    ) -> Tensor<3> {
        let [b, t, _] = x.dims();
        let (h, g) = (self.heads, self.kv_heads);
        let qkv = self.qkv.forward(x); // [B, T, (H + 2·G)·K]
        let width = qkv.dims()[2] / (h + 2 * g);
        let qkv = qkv.reshape([b, t, h + 2 * g, width]).swap_dims(1, 2); // [B, H + 2·G, T, K]
        let rotated = rotation.apply(qkv.clone().narrow(1, 0, h + g)); // queries and keys, [B, H + G, T, K]
        let queries = pass.hooks.at(Site::Q(layer), rotated.clone().narrow(1, 0, h)); // [B, H, T, K]
        let mut keys = pass.hooks.at(Site::K(layer), rotated.narrow(1, h, g)); // [B, G, T, K]
        let mut values = pass.hooks.at(Site::V(layer), qkv.narrow(1, h + g, g)); // [B, G, T, K]
        if let Some(cache) = &mut pass.state {
            (keys, values) = cache.append(layer, keys, values); // [B, G, S, K]
        }
        self.attn_out.forward(attend_scored(queries, keys, values, mask, self.scoring, layer, pass.hooks)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
        let gate_up = self.gate_up.forward(x); // [B, T, 2·F]
        let f = gate_up.dims()[2] / 2;
        let hidden = if !kernels::serve_learning(&gate_up.device()) {
            let gate = hooks.at(Site::MlpPre(layer), gate_up.clone().narrow(2, 0, f)); // [B, T, F]
            gelu_tanh(gate) * gate_up.narrow(2, f, f)
        } else if hooks.needs(Site::MlpPre(layer)) {
            // The kernel takes gate and up as one; what became of the gate is put in its place.
            let gate = hooks.at(Site::MlpPre(layer), gate_up.clone().narrow(2, 0, f)); // [B, T, F]
            kernels::geglu(Tensor::cat(vec![gate, gate_up.narrow(2, f, f)], 2))
        } else {
            kernels::geglu(gate_up)
        };
        let hidden = hooks.at(Site::MlpPost(layer), hidden);
        self.mlp_out.forward(hidden) // [B, T, D]
    }
}
