//! GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each half of a block, GELU.
//!
//! B batch, T tokens, D model width, H heads, K = D / H head width, F MLP width, V vocabulary, N context.

use crate::nn::batch::tokens::position_ids;
use crate::nn::hooks::Hooks;
use crate::nn::kernels::Heads;
use crate::nn::layers::activation::gelu_tanh;
use crate::nn::layers::attention::{Scoring, attend, attend_at_once};
use crate::nn::layers::cache::KvCache;
use crate::nn::layers::linear::{Linear, embedding, in_f32};
use crate::nn::layers::mask::CausalMask;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::layers::weight::Weight;
use crate::nn::models::decoder::{Decoder, Pass};
use crate::nn::steps::functions::Function;
use crate::nn::steps::parts::{BlockParts, Entry, Exit, Norm, QkvRows, Table};
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
        let (d, f, std) = (self.hidden, self.intermediate, crate::nn::INIT_STD);
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
            token_embedding: Weight::Tensor(table(self.vocabulary)),
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
    pub token_embedding: Weight,
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

impl Decoder for Gpt2 {
    type State = KvCache;

    fn new_state(&self) -> KvCache {
        KvCache::new(self.blocks.len(), self.context())
    }

    fn context(&self) -> usize {
        self.position_embedding.dims()[0]
    }

    fn embed(&self, ids: Tensor<2, Int>, pass: &mut Pass<'_, KvCache>) -> Tensor<3> {
        let device = ids.device();
        let tokens = pass.hooks.at(Site::Embed, self.token_embedding.look_up(ids)); // [B, T, D]
        let table = self.position_embedding.val();
        let positions = if pass.tokens.places().is_none() && !pass.hooks.swaps(Site::PosEmbed) {
            in_f32(table.narrow(0, pass.tokens.past(), pass.tokens.new_tokens())).unsqueeze() // [1, T, D]
        } else {
            let (positions, shape) = pass.tokens.positions();
            let positions: Vec<_> = positions.iter().map(|p| pass.hooks.swapped(Site::PosEmbed, *p)).collect();
            embedding(table, position_ids(&positions, shape, &device)) // [B, T, D]
        };
        tokens + pass.hooks.at(Site::PosEmbed, positions) // [B, T, D]
    }

    fn blocks_from(&self, first: usize, mut x: Tensor<3>, pass: &mut Pass<'_, KvCache>) -> Tensor<3> {
        let mask = CausalMask::placed(&pass.tokens, None, &x.device());
        for (layer, block) in self.blocks.iter().enumerate().skip(first) {
            if pass.hooks.end_before(layer) {
                break;
            }
            x = block.forward(x, &mask, layer, pass);
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
        let is_elsewhere = |site: &Site| {
            matches!(site, Site::TokenTypeEmbed | Site::Rotary | Site::AttnProj(_) | Site::MlpProj(_) | Site::Pooled)
        };
        Site::all(self.blocks.len()).filter(|site| !is_elsewhere(site)).collect()
    }
}

impl Gpt2 {
    pub(in crate::nn) fn entry(&self) -> Entry<'_> {
        let positions = Some(&self.position_embedding);
        Entry {
            tokens: Table::Weight(&self.token_embedding),
            patches: None,
            factor: 1.0,
            positions,
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
        self.blocks[layer].parts()
    }
}

impl Gpt2Block {
    fn parts(&self) -> BlockParts<'_> {
        let (heads, width) = (self.heads, self.ln_attn.gain.dims()[0] / self.heads);
        BlockParts {
            norm_attn: Some(Norm::Layer(&self.ln_attn)),
            qkv: &self.qkv,
            rows: QkvRows { heads, kv_heads: heads, width, interleaved: false },
            head_norms: None,
            rope: None,
            scoring: Scoring::default(),
            window: None,
            attn_out: &self.attn_out,
            norm_attn_out: None,
            norm_mid: None,
            parallel: false,
            norm_mlp: Some(Norm::Layer(&self.ln_mlp)),
            mlp_in: &self.mlp_in,
            function: Function::GeluTanh,
            gated: false,
            mlp_out: &self.mlp_out,
            norm_mlp_out: None,
            norm_post: None,
        }
    }

    /// `[B, T, D]` → `[B, T, D]`.
    fn forward(&self, x: Tensor<3>, mask: &CausalMask, layer: usize, pass: &mut Pass<'_, KvCache>) -> Tensor<3> {
        let x = pass.hooks.at(Site::ResidPre(layer), x);
        let attn = self.attention(self.ln_attn.forward(x.clone()), mask, layer, pass);
        if pass.hooks.end_at(Site::Pattern(layer)) {
            return x;
        }
        let attn = pass.hooks.at(Site::AttnOut(layer), attn);
        let x = pass.hooks.at(Site::ResidMid(layer), x + attn);
        let mlp = self.mlp(self.ln_mlp.forward(x.clone()), layer, pass.hooks);
        let mlp = pass.hooks.at(Site::MlpOut(layer), mlp);
        pass.hooks.at(Site::ResidPost(layer), x + mlp)
    }

    fn attention(&self, x: Tensor<3>, mask: &CausalMask, layer: usize, pass: &mut Pass<'_, KvCache>) -> Tensor<3> {
        let [b, t, d] = x.dims();
        let (h, k) = (self.heads, d / self.heads);
        let qkv = self.qkv.forward(x); // [B, T, 3·D]
        if pass.state.is_none() {
            let heads = Heads::packed(h, h, k);
            if let Some(z) = attend_at_once(&qkv, None, heads, mask, layer, pass.hooks) {
                return self.attn_out.forward(z); // [B, T, D]
            }
        }
        let qkv = qkv.reshape([b, t, 3 * h, k]).swap_dims(1, 2); // [B, 3·H, T, K]
        let queries = pass.hooks.at(Site::Q(layer), qkv.clone().narrow(1, 0, h)); // [B, H, T, K]
        let mut keys = pass.hooks.at(Site::K(layer), qkv.clone().narrow(1, h, h));
        let mut values = pass.hooks.at(Site::V(layer), qkv.narrow(1, 2 * h, h));
        if let Some(cache) = &mut pass.state {
            (keys, values) = cache.append(layer, keys, values); // [B, H, S, K]
        }
        self.attn_out.forward(attend(queries, keys, values, mask, layer, pass.hooks)) // [B, T, D]
    }

    fn mlp(&self, x: Tensor<3>, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
        let x = hooks.at(Site::MlpPre(layer), self.mlp_in.forward(x)); // [B, T, F]
        let x = hooks.at(Site::MlpPost(layer), gelu_tanh(x));
        self.mlp_out.forward(x) // [B, T, D]
    }
}
