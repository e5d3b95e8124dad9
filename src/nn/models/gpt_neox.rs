//! GPT-NeoX (Black et al. 2022) and Pythia (Biderman et al. 2023): positions rotate a part of each head, and attention and MLP
//! usually read the same residual stream.
//!
//! B batch, T tokens, D model width, H heads, K = D / H head width, F MLP width, V vocabulary.

use crate::nn::hooks::Hooks;
use crate::nn::kernels::Heads;
use crate::nn::layers::activation::Activation;
use crate::nn::layers::attention::{Scoring, attend, attend_at_once};
use crate::nn::layers::cache::KvCache;
use crate::nn::layers::linear::Linear;
use crate::nn::layers::mask::CausalMask;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::rope::{RopeFrequencies, RopeScaling, Rotation};
use crate::nn::layers::weight::Weight;
use crate::nn::models::decoder::{Decoder, Pass};
use crate::nn::steps::functions::Function;
use crate::nn::steps::parts::{BlockParts, Entry, Exit, Norm, QkvRows, Table};
use crate::types::Site;
use burn::module::Module;
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
    /// Values at the start of each head that positions rotate; even, at most K.
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
        let (d, f, std) = (self.hidden, self.intermediate, crate::nn::INIT_STD);
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
            token_embedding: embedding.into(),
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
    pub token_embedding: Weight,
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

impl Decoder for GptNeox {
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
        let mask = CausalMask::placed(&pass.tokens, None, &device);
        for (layer, block) in self.blocks.iter().enumerate().skip(first) {
            if pass.hooks.end_before(layer) {
                break;
            }
            x = block.forward(x, &rotation, &mask, layer, pass);
        }
        x
    }

    fn normalise(&self, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        hooks.at(Site::LnFinal, self.ln_final.forward(x))
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
        let is_elsewhere = |site: &Site| match site {
            Site::TokenTypeEmbed | Site::PosEmbed | Site::AttnProj(_) | Site::MlpProj(_) | Site::Pooled => true,
            Site::ResidMid(layer) => self.blocks[*layer].parallel_residual,
            _ => false,
        };
        Site::all(self.blocks.len()).filter(|site| !is_elsewhere(site)).collect()
    }
}

impl GptNeox {
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
        (Some(Norm::Layer(&self.ln_final)), Exit::Tokens { weight, cap: None })
    }

    pub(in crate::nn) fn block_parts(&self, layer: usize) -> BlockParts<'_> {
        BlockParts { rope: Some(&self.rope), ..self.blocks[layer].parts() }
    }
}

impl GptNeoxBlock {
    fn parts(&self) -> BlockParts<'_> {
        let (heads, width) = (self.heads, self.ln_attn.gain.dims()[0] / self.heads);
        BlockParts {
            norm_attn: Some(Norm::Layer(&self.ln_attn)),
            qkv: &self.qkv,
            rows: QkvRows { heads, kv_heads: heads, width, interleaved: true },
            head_norms: None,
            rope: None,
            scoring: Scoring::default(),
            window: None,
            attn_out: &self.attn_out,
            norm_attn_out: None,
            norm_mid: None,
            parallel: self.parallel_residual,
            norm_mlp: Some(Norm::Layer(&self.ln_mlp)),
            mlp_in: &self.mlp_in,
            function: match self.activation {
                Activation::Gelu => Function::Gelu,
                Activation::GeluTanh => Function::GeluTanh,
            },
            gated: false,
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
        let attn = self.attention(self.ln_attn.forward(x.clone()), rotation, mask, layer, pass);
        if pass.hooks.end_at(Site::Pattern(layer)) {
            return x;
        }
        let attn = pass.hooks.at(Site::AttnOut(layer), attn);
        let (mlp_input, x) = if self.parallel_residual {
            (x.clone(), x + attn)
        } else {
            let x = pass.hooks.at(Site::ResidMid(layer), x + attn);
            (x.clone(), x)
        };
        let mlp = self.mlp(self.ln_mlp.forward(mlp_input), layer, pass.hooks);
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
        let [b, t, d] = x.dims();
        let (h, k) = (self.heads, d / self.heads);
        let qkv = self.qkv.forward(x); // [B, T, 3·D]
        if pass.state.is_none() {
            let heads = Heads::interleaved(h, k);
            if let Some(z) = attend_at_once(&qkv, Some(rotation), heads, mask, layer, pass.hooks) {
                return self.attn_out.forward(z); // [B, T, D]
            }
        }
        let qkv = qkv.reshape([b, t, h, 3 * k]).swap_dims(1, 2); // [B, H, T, 3·K]
        let queries = rotation.apply(qkv.clone().narrow(3, 0, k));
        let queries = pass.hooks.at(Site::Q(layer), queries); // [B, H, T, K]
        let keys = rotation.apply(qkv.clone().narrow(3, k, k));
        let mut keys = pass.hooks.at(Site::K(layer), keys); // [B, H, T, K]
        let mut values = pass.hooks.at(Site::V(layer), qkv.narrow(3, 2 * k, k)); // [B, H, T, K]
        if let Some(cache) = &mut pass.state {
            (keys, values) = cache.append(layer, keys, values); // [B, H, S, K]
        }
        self.attn_out.forward(attend(queries, keys, values, mask, layer, pass.hooks)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
        let x = hooks.at(Site::MlpPre(layer), self.mlp_in.forward(x)); // [B, T, F]
        let x = hooks.at(Site::MlpPost(layer), self.activation.apply(x));
        self.mlp_out.forward(x) // [B, T, D]
    }
}
