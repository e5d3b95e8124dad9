//! The vision transformer (Dosovitskiy et al. 2021) and DeiT (Touvron et al. 2021): a picture is cut into patches, each of
//! which is a token; LayerNorm before each half of a block.
//!
//! B batch, U colour channels, R×C patches, P pixels on a side of a patch, S special tokens (1, with a distillation token 2), T = S + R·C
//! tokens, D model width, H heads, K = D / H head width, F MLP width, L classes.

use crate::nn::hooks::{Hooks, TokenRows};
use crate::nn::layers::activation::gelu;
use crate::nn::layers::attention::Scoring;
use crate::nn::layers::bidirectional::{PaddingMask, attend_both_ways};
use crate::nn::layers::encoder_block::pool_first;
use crate::nn::layers::linear::Linear;
use crate::nn::layers::norm::LayerNorm;
use crate::nn::steps::functions::Function;
use crate::nn::steps::parts::{BlockParts, Entry, Exit, Norm, QkvRows, Table};
use crate::types::Site;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// The shape of a vision transformer.
#[derive(Clone, Debug, PartialEq)]
pub struct VitConfig {
    /// Height of the pictures it reads, in pixels.
    pub height: usize,
    /// Width of the pictures it reads, in pixels.
    pub width: usize,
    /// Colour channels U: red, green and blue, or one of grays.
    pub channels: usize,
    /// Side P of a patch, in pixels; divides both.
    pub patch: usize,
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
    /// True when queries, keys and values have biases.
    pub qkv_bias: bool,
    /// True when a second special token follows the first (DeiT).
    pub distillation: bool,
}

impl VitConfig {
    /// Rows R and columns C of patches.
    #[must_use]
    pub fn grid(&self) -> (usize, usize) {
        (self.height / self.patch, self.width / self.patch)
    }

    /// Tokens before the first patch.
    #[must_use]
    pub fn special_tokens(&self) -> usize {
        1 + usize::from(self.distillation)
    }

    /// Tokens T of a picture.
    #[must_use]
    pub fn tokens(&self) -> usize {
        let (rows, columns) = self.grid();
        self.special_tokens() + rows * columns
    }
}

/// A vision transformer.
#[derive(Module, Debug)]
pub struct Vit {
    /// A patch's pixels to its vector, `[D, U·P·P]`.
    pub patch_embedding: Linear,
    /// The vectors of the special tokens, `[S, D]`: CLS, then the distillation token.
    pub special: Param<Tensor<2>>,
    /// `[T, D]`.
    pub position_embedding: Param<Tensor<2>>,
    /// From input to output.
    pub blocks: Vec<VitBlock>,
    /// After the last block.
    pub ln_final: LayerNorm,
    /// `[D, D]`, where the file has one.
    pub pooler: Option<Linear>,
    /// Class scores from the special tokens; the answer is their mean. None in a bare model, one in most, a second one
    /// reads the distillation token.
    pub heads: Vec<Linear>,
    /// Side P of a patch, in pixels.
    pub patch: usize,
}

/// One block: attention and MLP, each added to the residual stream.
#[derive(Module, Debug)]
pub struct VitBlock {
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

impl Vit {
    /// Class scores of pictures `[B, U, R·P, C·P]` → `[B, L]`; `None` without a head.
    #[must_use]
    pub fn forward(&self, pixels: Tensor<4>, hooks: &mut Hooks) -> Option<Tensor<2>> {
        let x = self.stream(pixels, hooks);
        self.scores(x, hooks)
    }

    /// The residual stream behind the last block: pictures `[B, U, R·P, C·P]` → `[B, T, D]`.
    #[must_use]
    pub fn stream(&self, pixels: Tensor<4>, hooks: &mut Hooks) -> Tensor<3> {
        let [b, ..] = pixels.dims();
        let patches = self.patch_embedding.forward(self.cut(pixels)); // [B, R·C, D]
        let ([_, count, _], [special, _]) = (patches.dims(), self.special.dims());
        // The special tokens come first.
        let places = || (0..b).flat_map(|_| special..special + count).collect::<Vec<_>>();
        hooks.begin(|| TokenRows::new(&places(), [b, count], 0, |_| true));
        let patches = hooks.at(Site::Embed, patches);
        hooks.begin(|| TokenRows::whole([b, special + count], |_| true));
        let positions = hooks.at_positions(self.position_embedding.val().unsqueeze()); // [1, T, D]
        let special = self.special.val().unsqueeze::<3>().repeat_dim(0, b); // [B, S, D]
        let x = Tensor::cat(vec![special, patches], 1) + positions; // [B, T, D]
        self.blocks_from(0, x, hooks)
    }

    /// What heads read: the vectors of the special tokens after the last normalisation, `[B, U, R·P, C·P]` → `[B, S, D]`. The first is
    /// that of CLS, which transformers gives as `last_hidden_state[:, 0]`.
    #[must_use]
    pub fn special_vectors(&self, pixels: Tensor<4>) -> Tensor<3> {
        let special = self.special.dims()[0];
        self.ln_final.forward(self.stream(pixels, &mut Hooks::off()).narrow(1, 0, special))
    }

    /// Class scores of such vectors, or of the first of them where there is one head: `[B, 1 or S, D]` → `[B, L]`; `None` without a head.
    #[must_use]
    pub fn decide(&self, x: &Tensor<3>) -> Option<Tensor<2>> {
        let answers = self.heads.iter().enumerate().map(|(place, head)| head.forward(x.clone().narrow(1, place, 1)));
        let sum = answers.reduce(|sum, scores| sum + scores)?; // [B, 1, L]
        Some(sum.div_scalar(self.heads.len() as f64).squeeze_dim(1)) // [B, L]
    }

    /// The same for B sequences that enter block `first` with the stream `x`: `[1 or B, T, D]` → `[1 or B, T, D]`. What they have in
    /// common is computed once, up to the first change that tells them apart.
    #[must_use]
    pub fn resume(&self, first: usize, x: Tensor<3>, batch: usize, hooks: &mut Hooks) -> Tensor<3> {
        let [_, t, _] = x.dims();
        hooks.begin(|| TokenRows::whole([batch, t], |_| true));
        self.blocks_from(first, x, hooks)
    }

    fn blocks_from(&self, first: usize, x: Tensor<3>, hooks: &mut Hooks) -> Tensor<3> {
        let blocks = self.blocks.iter().enumerate().skip(first);
        blocks.fold(x, |x, (layer, block)| block.forward(x, layer, hooks))
    }

    /// Class scores of the stream behind the last block, of which the special tokens are enough: `[B, T, D]` → `[B, L]`; `None` without
    /// a head.
    #[must_use]
    pub fn scores(&self, x: Tensor<3>, hooks: &mut Hooks) -> Option<Tensor<2>> {
        let x = hooks.at(Site::LnFinal, self.ln_final.forward(x));
        if let Some(pooler) = &self.pooler {
            let _noted = pool_first(pooler, x.clone(), hooks);
        }
        let logits = self.decide(&x)?;
        Some(hooks.at(Site::Logits, logits))
    }

    /// What each head of a block gives to the output of its attention, without the bias that all share: values weighted by
    /// attention `[B, H, T, K]` → `[B, H, T, D]`.
    #[must_use]
    pub fn head_output(&self, layer: usize, z: Tensor<4>) -> Tensor<4> {
        self.blocks[layer].attn_out.of_each_head(z)
    }

    /// The sites it has, in the order a pass meets them.
    #[must_use]
    pub fn sites(&self) -> Vec<Site> {
        let has = |site: &Site| match site {
            Site::Pooled => self.pooler.is_some(),
            Site::Logits => !self.heads.is_empty(),
            Site::TokenTypeEmbed | Site::Rotary | Site::AttnProj(_) | Site::MlpProj(_) => false,
            _ => true,
        };
        Site::all(self.blocks.len()).filter(has).collect()
    }

    /// Pictures to rows of pixels, one a patch, in the order of a convolution's kernel: colour, row, column.
    /// `[B, U, R·P, C·P]` → `[B, R·C, U·P·P]`.
    pub(in crate::nn) fn cut(&self, pixels: Tensor<4>) -> Tensor<3> {
        let [b, colours, height, width] = pixels.dims();
        let p = self.patch;
        let (rows, columns) = (height / p, width / p);
        let pixels = pixels.reshape([b, colours, rows, p, columns, p]); // [B, U, R, P, C, P]
        let pixels = pixels.permute([0, 2, 4, 1, 3, 5]); // [B, R, C, U, P, P]
        pixels.reshape([b, rows * columns, colours * p * p]) // [B, R·C, U·P·P]
    }

    /// Where the weights are.
    #[must_use]
    pub fn device(&self) -> Device {
        self.position_embedding.device()
    }
}

impl Vit {
    pub(in crate::nn) fn entry(&self) -> Entry<'_> {
        Entry {
            tokens: Table::Param(&self.special),
            patches: Some(&self.patch_embedding),
            factor: 1.0,
            positions: Some(&self.position_embedding),
            behind: None,
            types: None,
            norm: None,
        }
    }

    pub(in crate::nn) fn exit(&self) -> Exit<'_> {
        if self.heads.is_empty() { Exit::None } else { Exit::Classes(&self.heads) }
    }
}

impl VitBlock {
    /// What it is made of.
    pub(in crate::nn) fn parts(&self) -> BlockParts<'_> {
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
            function: Function::Gelu,
            gated: false,
            mlp_out: &self.mlp_out,
            norm_mlp_out: None,
            norm_post: None,
        }
    }

    /// `[B, T, D]` → `[B, T, D]`.
    fn forward(&self, x: Tensor<3>, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
        let x = hooks.at(Site::ResidPre(layer), x);
        let attn = self.attention(self.ln_attn.forward(x.clone()), layer, hooks);
        let attn = hooks.at(Site::AttnOut(layer), attn);
        let x = hooks.at(Site::ResidMid(layer), x + attn);
        let mlp = self.mlp_in.forward(self.ln_mlp.forward(x.clone()));
        let mlp = hooks.at(Site::MlpPre(layer), mlp); // [B, T, F]
        let mlp = hooks.at(Site::MlpPost(layer), gelu(mlp));
        let mlp = hooks.at(Site::MlpOut(layer), self.mlp_out.forward(mlp)); // [B, T, D]
        hooks.at(Site::ResidPost(layer), x + mlp)
    }

    fn attention(&self, x: Tensor<3>, layer: usize, hooks: &mut Hooks) -> Tensor<3> {
        let qkv = self.qkv.forward(x); // [B, T, 3·D]
        self.attn_out.forward(attend_both_ways(qkv, self.heads, &PaddingMask::none(), layer, hooks)) // [B, T, D]
    }
}
