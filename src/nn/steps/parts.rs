//! What a model says of the arithmetic of its blocks: which weights make which value. The pass does not read this; it is how
//! values that a pass had are explained.

use super::functions::Function;
use crate::nn::layers::attention::Scoring;
use crate::nn::layers::linear::{Linear, in_f32};
use crate::nn::layers::masked_lm::MaskedLmHead;
use crate::nn::layers::norm::{LayerNorm, RmsNorm};
use crate::nn::layers::rope::RopeFrequencies;
use crate::nn::layers::weight::Weight;
use crate::nn::{CausalLm, TextEncoder, Vit};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

/// A normalisation of either kind.
#[derive(Clone, Copy)]
pub(in crate::nn) enum Norm<'a> {
    Layer(&'a LayerNorm),
    Rms(&'a RmsNorm),
}

/// How queries, keys and values of the heads lie in their common projection.
#[derive(Clone, Copy)]
pub(in crate::nn) struct QkvRows {
    /// Heads H.
    pub heads: usize,
    /// Key-value heads G.
    pub kv_heads: usize,
    /// Width K.
    pub width: usize,
    /// True when query, key and value of each head lie together.
    pub interleaved: bool,
}

/// One block.
pub(in crate::nn) struct BlockParts<'a> {
    /// Before attention; `None` where it reads the stream as it is.
    pub norm_attn: Option<Norm<'a>>,
    pub qkv: &'a Linear,
    pub rows: QkvRows,
    /// Over the values of each head of queries and keys.
    pub head_norms: Option<[&'a RmsNorm; 2]>,
    /// Rotary positions.
    pub rope: Option<&'a RopeFrequencies>,
    pub scoring: Scoring,
    /// A query sees so many tokens, itself among them.
    pub window: Option<usize>,
    pub attn_out: &'a Linear,
    /// Between the output of attention and the stream.
    pub norm_attn_out: Option<Norm<'a>>,
    /// Of the stream, once attention was added.
    pub norm_mid: Option<Norm<'a>>,
    /// True when attention and MLP read the same stream.
    pub parallel: bool,
    /// Before the MLP.
    pub norm_mlp: Option<Norm<'a>>,
    pub mlp_in: &'a Linear,
    /// Between the two projections of the MLP.
    pub function: Function,
    /// True when the second half of the projection multiplies the activated first.
    pub gated: bool,
    pub mlp_out: &'a Linear,
    /// Between the output of the MLP and the stream.
    pub norm_mlp_out: Option<Norm<'a>>,
    /// Of the stream, once the MLP was added.
    pub norm_post: Option<Norm<'a>>,
}

/// A table of vectors, `[N, D]`.
#[derive(Clone, Copy)]
pub(in crate::nn) enum Table<'a> {
    Weight(&'a Weight),
    Param(&'a Param<Tensor<2>>),
}

impl Table<'_> {
    /// `[N, D]`.
    pub(in crate::nn) fn dims(self) -> [usize; 2] {
        match self {
            Self::Weight(weight) => weight.dims(),
            Self::Param(param) => param.dims(),
        }
    }

    /// One row in F32.
    pub(in crate::nn) fn row(self, index: usize) -> Vec<f32> {
        match self {
            Self::Weight(weight) => row(weight, index),
            Self::Param(param) => host(param.val().narrow(0, index, 1)),
        }
    }
}

/// What enters the first block.
pub(in crate::nn) struct Entry<'a> {
    /// `[V, D]`; of a vision transformer the vectors of its special tokens.
    pub tokens: Table<'a>,
    /// A patch's pixels to its vector.
    pub patches: Option<&'a Linear>,
    /// Multiplies the vectors of tokens.
    pub factor: f64,
    /// `[N, D]`.
    pub positions: Option<&'a Param<Tensor<2>>>,
    /// The id behind which positions are counted, where they do not begin at 0.
    pub behind: Option<u32>,
    /// `[types, D]`.
    pub types: Option<&'a Param<Tensor<2>>>,
    /// Over their sum.
    pub norm: Option<Norm<'a>>,
}

/// What makes scores of the stream behind the last block.
pub(in crate::nn) enum Exit<'a> {
    /// Nothing does.
    None,
    /// Next tokens, perhaps bounded.
    Tokens { weight: &'a Weight, cap: Option<f64> },
    /// Masked tokens.
    Masked { head: &'a MaskedLmHead, weight: &'a Weight },
    /// Classes, from the special tokens, one head each.
    Classes(&'a [Linear]),
}

/// A transformer of any kind.
#[derive(Clone, Copy)]
pub enum Transformer<'a> {
    /// A causal language model.
    Decoder(&'a CausalLm),
    /// A text encoder.
    Encoder(&'a TextEncoder),
    /// A vision transformer.
    Vision(&'a Vit),
}

impl<'a> Transformer<'a> {
    pub(in crate::nn) fn entry(self) -> Entry<'a> {
        match self {
            Self::Decoder(lm) => lm.entry(),
            Self::Encoder(encoder) => encoder.entry(),
            Self::Vision(vit) => vit.entry(),
        }
    }

    pub(in crate::nn) fn block(self, layer: usize) -> BlockParts<'a> {
        match self {
            Self::Decoder(lm) => lm.block_parts(layer),
            Self::Encoder(encoder) => encoder.block_parts(layer),
            Self::Vision(vit) => vit.blocks[layer].parts(),
        }
    }

    pub(in crate::nn) fn layers(self) -> usize {
        match self {
            Self::Decoder(lm) => lm.layers(),
            Self::Encoder(encoder) => encoder.layers(),
            Self::Vision(vit) => vit.blocks.len(),
        }
    }

    /// The last normalisation, if there is one, and the head.
    pub(in crate::nn) fn exit(self) -> (Option<Norm<'a>>, Exit<'a>) {
        match self {
            Self::Decoder(lm) => lm.exit(),
            Self::Encoder(encoder) => (None, encoder.exit()),
            Self::Vision(vit) => (Some(Norm::Layer(&vit.ln_final)), vit.exit()),
        }
    }
}

impl QkvRows {
    /// First row of the query of a head.
    pub(in crate::nn) fn query(self, head: usize) -> usize {
        if self.interleaved { 3 * head * self.width } else { head * self.width }
    }

    /// First row of the key of a key-value head.
    pub(in crate::nn) fn key(self, head: usize) -> usize {
        if self.interleaved { (3 * head + 1) * self.width } else { (self.heads + head) * self.width }
    }

    /// First row of the value of a key-value head.
    pub(in crate::nn) fn value(self, head: usize) -> usize {
        if self.interleaved { (3 * head + 2) * self.width } else { (self.heads + self.kv_heads + head) * self.width }
    }
}

impl Norm<'_> {
    /// What the model's own layer makes of one vector.
    pub(in crate::nn) fn of(self, x: &[f32]) -> Vec<f32> {
        match self {
            Self::Layer(norm) => host(norm.forward(vector(x, &norm.gain.device()))),
            Self::Rms(norm) => host(norm.forward(vector(x, &norm.gain.device()))),
        }
    }
}

impl Linear {
    /// What the layer makes of one vector.
    pub(in crate::nn) fn of(&self, x: &[f32]) -> Vec<f32> {
        host(self.forward(vector(x, &self.weight.device())))
    }
}

/// One vector as a batch of one token, `[1, 1, D]`.
pub(super) fn vector(x: &[f32], device: &burn::tensor::Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(x.to_vec(), [1, 1, x.len()]), device)
}

/// All values of a tensor, in F32.
pub(in crate::nn) fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    in_f32(x).into_data().iter::<f32>().collect()
}

/// One row of a matrix, in F32.
pub(in crate::nn) fn row(weight: &Weight, index: usize) -> Vec<f32> {
    host(weight.rows(index..index + 1))
}

/// One value of a vector.
pub(super) fn entry_of(vector: &Param<Tensor<1>>, index: usize) -> f64 {
    f64::from(host(vector.val().narrow(0, index, 1))[0])
}
