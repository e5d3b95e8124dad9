//! A decoder's scores by one computation from embeddings to the vocabulary, where nobody wants a value on the way.
//!
//! What is computed follows from what a model says of its parts, as steps and attribution do. The pass by hooks stays what it is:
//! it is the reference here, and everything that is looked at or changed goes its way.
//!
//! T new tokens, G key-value heads, K head width, D model width, V vocabulary.

use crate::nn::kernels::pass::{
    Between, BlockWeights, DecoderWeights, LinearWeights, NormWeights, PassTokens, Remembered, logits,
};
use crate::nn::kernels::rows::WeightRows;
use crate::nn::kernels::{self, Heads, weight_rows};
use crate::nn::layers::cache::KvCache;
use crate::nn::layers::linear::Linear;
use crate::nn::layers::weight::Weight;
use crate::nn::models::decoder::{State, Wanted};
use crate::nn::steps::functions::Function;
use crate::nn::steps::parts::{BlockParts, Exit, Norm};
use crate::nn::stored::StoredRows;
use crate::nn::{CausalLm, Hooks};
use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::{Int, Tensor, TensorData};

/// Next-token scores at the wanted ones of T new tokens of one sequence, ids `[1, T]` → `[1, N, V]`; the state remembers them.
/// Nothing where somebody wants a value on the way, or on a device that does not compute so.
pub(in crate::nn) fn scores(
    lm: &CausalLm,
    ids: &Tensor<2, Int>,
    state: Option<&mut KvCache>,
    wanted: Wanted<'_>,
    hooks: &Hooks,
) -> Option<Tensor<3>> {
    let [batch, t] = ids.dims();
    if batch != 1 || t == 0 || !hooks.are_off() || !lm.has_blocks() || !kernels::serve(&lm.device()) {
        return None;
    }
    let rows: Vec<usize> = match wanted {
        Wanted::All => (0..t).collect(),
        Wanted::Last => vec![t - 1],
        Wanted::Some(rows) if rows.is_sorted() && !rows.is_empty() => rows.to_vec(),
        Wanted::Some(_) => return None,
    };
    let values = pass(lm, &read(ids), state, &rows, logits)?;
    let vocabulary = values.len() / rows.len();
    Some(Tensor::from_data(TensorData::new(values, [1, rows.len(), vocabulary]), &lm.device()))
}

/// What the tokens that follow some of a sequence cost, in nats: `wanted` N places in rising order, N targets → `[N]`. Nothing on
/// a device that does not compute so.
pub(in crate::nn) fn costs(lm: &CausalLm, ids: &[u32], wanted: &[usize], targets: &[u32]) -> Option<Vec<f32>> {
    let is_served = lm.has_blocks() && kernels::serve(&lm.device());
    if ids.is_empty() || wanted.is_empty() || !wanted.is_sorted() || !is_served {
        return None;
    }
    let targets: Vec<usize> = targets.iter().map(|id| *id as usize).collect();
    let ids: Vec<usize> = ids.iter().map(|id| *id as usize).collect();
    pass(lm, &ids, None, wanted, |weights, tokens, remembered| {
        kernels::pass::costs(weights, tokens, remembered, &targets)
    })
}

fn read(ids: &Tensor<2, Int>) -> Vec<usize> {
    ids.clone().into_data().iter::<i64>().map(|id| id as usize).collect()
}

/// One pass, and what `end` makes of it.
fn pass<R>(
    lm: &CausalLm,
    ids: &[usize],
    state: Option<&mut KvCache>,
    wanted: &[usize],
    end: impl FnOnce(&DecoderWeights<'_>, &PassTokens<'_>, &[Remembered<'_>]) -> R,
) -> Option<R> {
    let t = ids.len();
    let blocks = (0..lm.layers()).map(|layer| HeldBlock::of(lm.block_parts(layer))).collect::<Option<Vec<_>>>()?;
    let (norm, Exit::Tokens { weight, cap }) = lm.exit() else { return None };
    let norm = match norm {
        Some(norm) => Some(HeldNorm::of(norm)?),
        None => None,
    };
    let unembedding = HeldWeight::of(weight)?;
    let past = state.as_ref().map_or(0, |state| state.len());
    let (new_end, context) = (past + t, lm.context());
    assert!(new_end <= context, "{new_end} tokens do not fit in a context of {context}");
    let embedded = embeddings(lm, ids, past)?;
    let rotation = lm.block_parts(0).rope.map(|rope| rope.cosines_and_sines(past, t)).unwrap_or_default();
    let tokens = PassTokens { embedded: &embedded, past, rotation: (&rotation[0], &rotation[1]), wanted };
    let weights = DecoderWeights {
        blocks: blocks.iter().map(HeldBlock::weights).collect(),
        norm: norm.as_ref().map(HeldNorm::weights),
        unembedding: unembedding.rows(),
        cap: cap.map(|cap| cap as f32),
    };
    let shapes: Vec<[usize; 2]> =
        blocks.iter().map(|block| [block.parts.rows.kv_heads, block.parts.rows.width]).collect();
    match state {
        Some(state) => {
            let result = state.lend(t, &shapes, |remembered| end(&weights, &tokens, remembered))?;
            state.advance(t);
            Some(result)
        }
        None => {
            // Nobody reads a block's keys and values behind it, so all have the same room.
            let most = shapes.iter().map(|[g, k]| g * k * t).max().unwrap_or(0);
            Some(kernels::pass::forgotten(most, t, shapes.len(), |remembered| end(&weights, &tokens, remembered)))
        }
    }
}

/// The stream that enters the first block, `[T, D]`.
fn embeddings(lm: &CausalLm, ids: &[usize], past: usize) -> Option<Vec<f32>> {
    let entry = lm.entry();
    if entry.patches.is_some() || entry.behind.is_some() || entry.types.is_some() || entry.norm.is_some() {
        return None;
    }
    let mut x = Vec::new();
    for (i, id) in ids.iter().enumerate() {
        let mut row = entry.tokens.row(*id);
        if entry.factor != 1.0 {
            row.iter_mut().for_each(|x| *x *= entry.factor as f32);
        }
        if let Some(positions) = entry.positions {
            let position = crate::nn::steps::parts::host(positions.val().narrow(0, past + i, 1));
            row.iter_mut().zip(position).for_each(|(x, position)| *x += position);
        }
        x.append(&mut row);
    }
    Some(x)
}

/// The weights of a normalisation while a pass reads them.
struct HeldNorm {
    gain: FlexTensor,
    bias: Option<FlexTensor>,
    epsilon: f64,
    shift: f64,
}

impl HeldNorm {
    fn of(norm: Norm<'_>) -> Option<Self> {
        Some(match norm {
            Norm::Layer(norm) => {
                let (gain, bias) = (flex(norm.gain.val())?, flex(norm.bias.val())?);
                Self { gain, bias: Some(bias), epsilon: norm.epsilon, shift: 0.0 }
            }
            Norm::Rms(norm) => {
                Self { gain: flex(norm.gain.val())?, bias: None, epsilon: norm.epsilon, shift: norm.base_gain }
            }
        })
    }

    fn weights(&self) -> NormWeights<'_> {
        match &self.bias {
            Some(bias) => NormWeights::layer(numbers(&self.gain), numbers(bias), self.epsilon),
            None => NormWeights::rms(numbers(&self.gain), self.epsilon, self.shift),
        }
    }
}

/// A matrix while a pass reads it.
enum HeldWeight<'a> {
    Stored(&'a StoredRows),
    Tensor(FlexTensor),
}

impl<'a> HeldWeight<'a> {
    fn of(weight: &'a Weight) -> Option<Self> {
        Some(match weight {
            Weight::Stored(rows) => Self::Stored(rows),
            Weight::Tensor(param) => Self::Tensor(flex(param.val())?),
            Weight::Fixed(fixed) => Self::Stored(fixed.plain_rows()?),
        })
    }

    fn rows(&self) -> WeightRows<'_> {
        match self {
            Self::Stored(rows) => rows.view(),
            Self::Tensor(tensor) => weight_rows(tensor),
        }
    }
}

struct HeldLinear<'a> {
    weight: HeldWeight<'a>,
    bias: Option<FlexTensor>,
}

impl<'a> HeldLinear<'a> {
    fn of(linear: &'a Linear) -> Option<Self> {
        let bias = match &linear.bias {
            Some(bias) => Some(flex(bias.val())?),
            None => None,
        };
        Some(Self { weight: HeldWeight::of(&linear.weight)?, bias })
    }

    fn weights(&self) -> LinearWeights<'_> {
        LinearWeights { weight: self.weight.rows(), bias: self.bias.as_ref().map(numbers) }
    }
}

/// All weights of a block while a pass reads them.
struct HeldBlock<'a> {
    parts: BlockParts<'a>,
    linears: [HeldLinear<'a>; 4],
    /// Before and behind attention, before and behind the MLP.
    norms: [Option<HeldNorm>; 4],
    head_norms: Option<[HeldNorm; 2]>,
}

impl<'a> HeldBlock<'a> {
    fn of(parts: BlockParts<'a>) -> Option<Self> {
        if parts.norm_mid.is_some() || parts.norm_post.is_some() {
            return None;
        }
        let held = |norm: Option<Norm<'a>>| match norm {
            Some(norm) => HeldNorm::of(norm).map(Some),
            None => Some(None),
        };
        let head_norms = match parts.head_norms {
            Some([q, k]) => Some([HeldNorm::of(Norm::Rms(q))?, HeldNorm::of(Norm::Rms(k))?]),
            None => None,
        };
        Some(Self {
            linears: [
                HeldLinear::of(parts.qkv)?,
                HeldLinear::of(parts.attn_out)?,
                HeldLinear::of(parts.mlp_in)?,
                HeldLinear::of(parts.mlp_out)?,
            ],
            norms: [
                held(parts.norm_attn)?,
                held(parts.norm_attn_out)?,
                held(parts.norm_mlp)?,
                held(parts.norm_mlp_out)?,
            ],
            head_norms,
            parts,
        })
    }

    fn weights(&self) -> BlockWeights<'_> {
        let (rows, [qkv, attn_out, mlp_in, mlp_out]) = (self.parts.rows, &self.linears);
        let heads = match rows.interleaved {
            true => Heads::interleaved(rows.heads, rows.width),
            false => Heads::packed(rows.heads, rows.kv_heads, rows.width),
        };
        let [norm_attn, norm_attn_out, norm_mlp, norm_mlp_out] =
            self.norms.each_ref().map(|norm| norm.as_ref().map(HeldNorm::weights));
        BlockWeights {
            norm_attn,
            qkv: qkv.weights(),
            heads: heads.scaled(self.parts.scoring.scale(rows.width) as f32),
            head_norms: self.head_norms.as_ref().map(|norms| norms.each_ref().map(HeldNorm::weights)),
            is_rotated: self.parts.rope.is_some(),
            cap: self.parts.scoring.softcap.map(|cap| cap as f32),
            window: self.parts.window,
            attn_out: attn_out.weights(),
            norm_attn_out,
            is_parallel: self.parts.parallel,
            norm_mlp,
            mlp_in: mlp_in.weights(),
            between: match self.parts.function {
                Function::Gelu => Between::Gelu,
                Function::GeluTanh => Between::GeluTanh,
                Function::Silu => Between::Silu,
            },
            is_gated: self.parts.gated,
            mlp_out: mlp_out.weights(),
            norm_mlp_out,
        }
    }
}

/// A tensor of the CPU without gradients, its elements in order.
fn flex<const D: usize>(tensor: Tensor<D>) -> Option<FlexTensor> {
    let tensor = tensor.try_into_primitive::<Flex>().ok()?;
    Some(if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() })
}

/// The numbers of a vector, which is in F32.
fn numbers(tensor: &FlexTensor) -> &[f32] {
    kernels::numbers(tensor)
}

#[cfg(test)]
#[path = "fused_tests.rs"]
mod tests;
