//! Llama (Touvron et al. 2023): rotary positions, RMSNorm, grouped-query attention, gated MLP.
//!
//! Mistral (Jiang et al. 2023) is the same with a sliding window, Qwen 2 (Yang et al. 2024) with biases on queries, keys and
//! values, Qwen 3 (Yang et al. 2025) with queries and keys normalised in each head.
//!
//! B batch, T tokens, D model width, H heads, G key-value heads, K head width, F MLP width, V vocabulary.

use crate::nn::hooks::Hooks;
use crate::nn::kernels;
use crate::nn::layers::attention::{Scoring, attend, attend_at_once};
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
    pub head_dim: usize,
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
        let (d, f, std) = (self.hidden, self.intermediate, crate::nn::INIT_STD);
        let residual_std = std / ((2 * self.layers) as f64).sqrt();
        let (q, qkv) = (self.heads * self.head_dim, (self.heads + 2 * self.kv_heads) * self.head_dim);
        let block = |_| LlamaBlock {
            norm_attn: RmsNorm::identity(d, self.epsilon, device),
            qkv: Linear::random([qkv, d], self.qkv_bias, std, device),
            norm_q: self.head_norm.then(|| RmsNorm::identity(self.head_dim, self.epsilon, device)),
            norm_k: self.head_norm.then(|| RmsNorm::identity(self.head_dim, self.epsilon, device)),
            attn_out: Linear::random([d, q], self.attn_out_bias, residual_std, device),
            norm_mlp: RmsNorm::identity(d, self.epsilon, device),
            gate_up: Linear::random([2 * f, d], self.mlp_bias, std, device),
            mlp_out: Linear::random([d, f], self.mlp_bias, residual_std, device),
            heads: self.heads,
            kv_heads: self.kv_heads,
        };
        let embedding = Tensor::random([self.vocabulary, d], Distribution::Normal(0.0, std), device);
        Llama {
            token_embedding: embedding.into(),
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
        RopeFrequencies::new(self.head_dim, self.rope_theta, self.rope_scaling)
    }
}

/// A Llama model.
#[derive(Module, Debug)]
pub struct Llama {
    /// `[V, D]`.
    pub token_embedding: Weight,
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

impl Decoder for Llama {
    type State = KvCache;

    fn new_state(&self) -> KvCache {
        KvCache::new(self.blocks.len(), self.context())
    }

    fn context(&self) -> usize {
        self.context
    }

    fn embed(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_, KvCache>) -> Tensor<3> {
        pass.hooks.at(Site::Embed, self.token_embedding.look_up(ids)) // [B, T, D]
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
        hooks.at(Site::Logits, head.project(x))
    }

    fn head_output(&self, layer: usize, z: Tensor<4>) -> Tensor<4> {
        self.blocks[layer].attn_out.of_each_head(z)
    }

    fn sites(&self) -> Vec<Site> {
        let is_elsewhere = |site: &Site| {
            matches!(site, Site::TokenTypeEmbed | Site::PosEmbed | Site::AttnProj(_) | Site::MlpProj(_) | Site::Pooled)
        };
        Site::all(self.blocks.len()).filter(|site| !is_elsewhere(site)).collect()
    }
}

impl Llama {
    pub(in crate::nn) fn entry(&self) -> Entry<'_> {
        Entry {
            tokens: Table::Weight(&self.token_embedding),
            patches: None,
            factor: 1.0,
            positions: None,
            behind: None,
            types: None,
            norm: None,
        }
    }

    pub(in crate::nn) fn exit(&self) -> (Option<Norm<'_>>, Exit<'_>) {
        let weight = self.head.as_ref().map_or(&self.token_embedding, |head| &head.weight);
        (Some(Norm::Rms(&self.norm_final)), Exit::Tokens { weight, cap: None })
    }

    pub(in crate::nn) fn block_parts(&self, layer: usize) -> BlockParts<'_> {
        let window = self.sliding.as_ref().filter(|sliding| sliding.blocks[layer]).map(|sliding| sliding.width);
        BlockParts { rope: Some(&self.rope), window, ..self.blocks[layer].parts() }
    }
}

impl LlamaBlock {
    fn parts(&self) -> BlockParts<'_> {
        let (heads, kv_heads) = (self.heads, self.kv_heads);
        let width = self.qkv.weight.dims()[0] / (heads + 2 * kv_heads);
        BlockParts {
            norm_attn: Some(Norm::Rms(&self.norm_attn)),
            qkv: &self.qkv,
            rows: QkvRows { heads, kv_heads, width, interleaved: false },
            head_norms: self.norm_q.as_ref().zip(self.norm_k.as_ref()).map(|(q, k)| [q, k]),
            rope: None,
            scoring: Scoring::default(),
            window: None,
            attn_out: &self.attn_out,
            norm_attn_out: None,
            norm_mid: None,
            parallel: false,
            norm_mlp: Some(Norm::Rms(&self.norm_mlp)),
            mlp_in: &self.gate_up,
            function: Function::Silu,
            gated: true,
            mlp_out: &self.mlp_out,
            norm_mlp_out: None,
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
        let attn = pass.hooks.at(Site::AttnOut(layer), attn);
        let x = pass.hooks.at(Site::ResidMid(layer), x + attn);
        let mlp = self.mlp(self.norm_mlp.forward(x.clone()), layer, pass.hooks);
        let mlp = pass.hooks.at(Site::MlpOut(layer), mlp);
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
        if pass.state.is_none() && self.norm_q.is_none() {
            let heads = kernels::Heads::packed(h, g, width);
            if let Some(z) = attend_at_once(&qkv, Some(rotation), heads, mask, layer, pass.hooks) {
                return self.attn_out.forward(z); // [B, T, D]
            }
        }
        let qkv = qkv.reshape([b, t, h + 2 * g, width]).swap_dims(1, 2); // [B, H + 2·G, T, K]
        let rotated = match (&self.norm_q, &self.norm_k) {
            (Some(norm_q), Some(norm_k)) => {
                let queries = norm_q.forward(qkv.clone().narrow(1, 0, h));
                Tensor::cat(vec![queries, norm_k.forward(qkv.clone().narrow(1, h, g))], 1)
            }
            _ => qkv.clone().narrow(1, 0, h + g),
        };
        let rotated = rotation.apply(rotated); // queries and keys, [B, H + G, T, K]
        let queries = pass.hooks.at(Site::Q(layer), rotated.clone().narrow(1, 0, h)); // [B, H, T, K]
        let mut keys = pass.hooks.at(Site::K(layer), rotated.narrow(1, h, g)); // [B, G, T, K]
        let mut values = pass.hooks.at(Site::V(layer), qkv.narrow(1, h + g, g)); // [B, G, T, K]
        if let Some(cache) = &mut pass.state {
            (keys, values) = cache.append(layer, keys, values); // [B, G, S, K]
        }
        self.attn_out.forward(attend(queries, keys, values, mask, layer, pass.hooks)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
        let gate_up = self.gate_up.forward(x); // [B, T, 2·F]
        let f = gate_up.dims()[2] / 2;
        let hidden = if !kernels::serve_learning(&gate_up.device()) {
            let gate = hooks.at(Site::MlpPre(layer), gate_up.clone().narrow(2, 0, f)); // [B, T, F]
            silu(gate) * gate_up.narrow(2, f, f)
        } else if hooks.needs(Site::MlpPre(layer)) {
            // The kernel takes gate and up as one; what became of the gate is put in its place.
            let gate = hooks.at(Site::MlpPre(layer), gate_up.clone().narrow(2, 0, f)); // [B, T, F]
            kernels::swiglu(Tensor::cat(vec![gate, gate_up.narrow(2, f, f)], 2))
        } else {
            kernels::swiglu(gate_up)
        };
        let hidden = hooks.at(Site::MlpPost(layer), hidden);
        self.mlp_out.forward(hidden) // [B, T, D]
    }
}
