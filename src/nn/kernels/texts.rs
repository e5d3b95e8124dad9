//! What encoders compute of texts that lie behind each other without padding: attention that looks both ways, each text in itself
//! alone, and a normalised sum.
//!
//! N tokens of all texts, T of one, H heads, K head width, D = H·K.
#![expect(unsafe_code, reason = "tiles are written through pointers, results once and not after zeros")]

use super::attention::{Heads, both_ways_gradient};
use super::extension::{dims, level, like, tensor, values};
use super::inner::{self, Level};
use super::norm::{self, Norm};
use super::output::{Shared, written};
use super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::{scratch, team};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;
use std::sync::Arc;

/// How many tokens each text has, in the order in which they lie.
pub(in crate::nn) type Lengths = Arc<[usize]>;

/// What is computed of texts, with and without gradients.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait LearningTextOps: Backend {
    /// softmax(q kᵀ / √K) v in each text: a projection `[B, T, 3·D]` of N tokens to queries, keys and values → `[B, T, D]`.
    fn attend_in_texts(qkv: FloatTensor<Self>, lengths: Lengths, heads: usize) -> FloatTensor<Self>;
}

/// What is computed without gradients only.
#[backend_extension(Flex)]
pub(crate) trait TextOps: Backend {
    /// Rows of x + y, `[.., D]` both, normalised by mean and variance; `gain` and `bias` `[D]`.
    fn normalised_sum(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        norm: Norm,
    ) -> FloatTensor<Self>;
}

impl LearningTextOps for Flex {
    fn attend_in_texts(qkv: FlexTensor, lengths: Lengths, heads: usize) -> FlexTensor {
        let qkv = qkv.to_contiguous();
        let [b, t, row] = dims(&qkv);
        let z = attend(level(), values(&qkv), &lengths, heads, row / 3);
        tensor(z, [b, t, row / 3])
    }
}

impl<C: CheckpointStrategy> LearningTextOps for Autodiff<Flex, C> {
    fn attend_in_texts(qkv: FloatTensor<Self>, lengths: Lengths, heads: usize) -> FloatTensor<Self> {
        let (qkv, node) = qkv.into_parts();
        let z = <Flex as LearningTextOps>::attend_in_texts(qkv.clone(), lengths.clone(), heads);
        match TextGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((qkv, lengths, heads), z),
            OpsKind::UnTracked(prep) => prep.finish(z),
        }
    }
}

/// Patterns are computed again: keeping them would take T numbers for each token of each head.
#[derive(Debug)]
struct TextGradient;

impl Backward<Flex, 1> for TextGradient {
    /// Projection, lengths of texts, and H.
    type State = (FlexTensor, Lengths, usize);

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dz = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let ([of_qkv], (qkv, lengths, heads)) = (ops.parents, ops.state);
        let qkv = qkv.to_contiguous();
        let [_, _, row] = dims(&qkv);
        if let Some(node) = of_qkv {
            let heads = Heads::packed(heads, heads, row / 3 / heads);
            let gradient = both_ways_gradient(level(), values(&qkv), &lengths, heads, values(&dz));
            gradients.register::<Flex>(node.id, like(gradient, &qkv));
        }
    }
}

impl TextOps for Flex {
    fn normalised_sum(x: FlexTensor, y: FlexTensor, gain: FlexTensor, bias: FlexTensor, norm: Norm) -> FlexTensor {
        let [x, y, gain, bias] = [x, y, gain, bias].map(|tensor| tensor.to_contiguous());
        like(norm::normalised_sum(level(), norm, [values(&x), values(&y)], values(&gain), values(&bias)), &x)
    }
}

/// Attention that looks both ways from the projection to all H queries, then all keys, then all values. The texts lie behind each
/// other, as long as `lengths` says; each token sees those of its own text.
///
/// # Shapes
/// `qkv` `[B, T, 3·D]` → `[B, T, D]`, where the lengths add up to B·T.
///
/// # Panics
/// When [`serve_learning`](super::serve_learning) is false for the device, or the lengths add up to something else.
pub(in crate::nn) fn attend_in_texts(qkv: Tensor<3>, lengths: Lengths, heads: usize) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as LearningTextOps>::attend_in_texts(qkv.into_dispatch(), lengths, heads))
}

/// Layer normalisation of x + y; `gain` and `bias` `[D]`.
///
/// # Panics
/// When [`serve`](super::serve) is false for the device, or x and y differ in shape.
pub(in crate::nn) fn normalised_sum(
    [x, y]: [Tensor<3>; 2],
    gain: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
) -> Tensor<3> {
    assert_eq!(x.dims(), y.dims(), "one shape");
    let norm = Norm { epsilon: epsilon as f32, shift: 0.0, is_centred: true };
    let ([x, y], gain, bias) = ([x, y].map(Tensor::into_dispatch), gain.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as TextOps>::normalised_sum(x, y, gain, bias, norm))
}

/// `[N][3·D]` → `[N][D]`.
fn attend(level: Level, qkv: &[f32], lengths: &[usize], heads: usize, joined: usize) -> Vec<f32> {
    let tokens: usize = lengths.iter().sum();
    assert!(qkv.len() == tokens * 3 * joined && joined.is_multiple_of(heads), "a projection of these texts");
    let starts = lengths.iter().scan(0, |next, length| {
        let start = *next;
        *next += length;
        Some(start)
    });
    let texts: Vec<(usize, usize)> = starts.zip(lengths.iter().copied()).filter(|(_, length)| *length > 0).collect();
    // SAFETY: each head of each text is written by one thread, whole.
    unsafe {
        written(tokens * joined, |z| {
            let z = Shared::new(z);
            team::for_each(texts.len() * heads, |i| {
                let (start, tokens) = texts[i / heads];
                Head { level, qkv, joined, width: joined / heads, head: i % heads, start, tokens }.attend(&z);
            });
        })
    }
}

/// One head of one text.
struct Head<'a> {
    level: Level,
    /// `[N][3·D]`.
    qkv: &'a [f32],
    /// D.
    joined: usize,
    /// K.
    width: usize,
    head: usize,
    /// Its first token among all.
    start: usize,
    /// T.
    tokens: usize,
}

impl Head<'_> {
    /// Its queries, keys or values from a token on, in rows that begin 3·D apart.
    fn rows(&self, part: usize, token: usize) -> &[f32] {
        &self.qkv[(self.start + token) * 3 * self.joined + part * self.joined + self.head * self.width..]
    }

    fn attend(&self, z: &Shared<'_>) {
        const NOTHING: Onto<'static> = Onto::Bias(&[0.0; PANEL]);
        let (level, tokens, width, row) = (self.level, self.tokens, self.width, 3 * self.joined);
        let (padded, wide) = (tokens.next_multiple_of(PANEL), width.next_multiple_of(PANEL));
        let scale = (width as f32).sqrt().recip();
        scratch::with([padded * width, tokens * wide, TILE_ROWS * padded, TILE_ROWS * wide], |buffers| {
            let [keys, values, patterns, tile] = buffers;
            for (i, panel) in keys.chunks_exact_mut(width * PANEL).enumerate() {
                let count = PANEL.min(tokens - i * PANEL);
                let rows = &self.rows(1, i * PANEL)[..(count - 1) * row + width];
                inner::transpose_rows(level, rows, row, width, panel);
            }
            for (i, panel) in values.chunks_exact_mut(tokens * PANEL).enumerate() {
                inner::copy_columns(level, &self.rows(2, 0)[i * PANEL..], row, PANEL.min(width - i * PANEL), panel);
            }
            for first in (0..tokens).step_by(TILE_ROWS) {
                let rows = TILE_ROWS.min(tokens - first);
                let queries = Left::Rows { values: self.rows(0, first), rows, stride: row };
                for (panel, out) in keys.chunks_exact(width * PANEL).zip(0..) {
                    // SAFETY: the patterns have room for whole panels of each row.
                    unsafe {
                        inner::tile(level, queries, panel, NOTHING, patterns[out * PANEL..].as_mut_ptr(), padded);
                    }
                }
                for pattern in patterns.chunks_exact_mut(padded).take(rows) {
                    inner::softmax(level, &mut pattern[..tokens], tokens, scale);
                }
                let left = Left::Rows { values: patterns, rows, stride: padded };
                for (panel, out) in values.chunks_exact(tokens * PANEL).zip(0..) {
                    // SAFETY: the tile has room for whole panels of each row.
                    unsafe { inner::tile(level, left, panel, NOTHING, tile[out * PANEL..].as_mut_ptr(), wide) };
                }
                for (token, values) in (self.start + first..).zip(tile.chunks_exact(wide).take(rows)) {
                    // SAFETY: this head of this text is written here alone.
                    unsafe { z.stretch(token * self.joined + self.head * width, width) }
                        .write_copy_of_slice(&values[..width]);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernels::serve;
    use burn::tensor::activation::softmax;
    use burn::tensor::{Device, Distribution};

    fn worst(a: &Tensor<3>, b: &Tensor<3>) -> f32 {
        (a.clone() - b.clone()).abs().max().into_scalar()
    }

    #[test]
    fn each_text_sees_itself_alone() {
        let device = Device::flex();
        if !serve(&device) {
            return;
        }
        device.seed(5);
        // Widths below, at and above a panel; lengths below and above tile and panel, and none at all.
        for (heads, width) in [(3, 8), (2, 32), (2, 40), (1, 64)] {
            let lengths = [1, 13, 0, 70, 32, 12];
            let (tokens, d) = (lengths.iter().sum::<usize>(), heads * width);
            let qkv = Tensor::<3>::random([1, tokens, 3 * d], Distribution::Normal(0.0, 1.0), &device);
            let ours = attend_in_texts(qkv.clone(), lengths.into(), heads);
            let mut start = 0;
            for length in lengths.into_iter().filter(|length| *length > 0) {
                let part = |part: usize| {
                    let part = qkv.clone().narrow(1, start, length).narrow(2, part * d, d);
                    part.reshape([1, length, heads, width]).swap_dims(1, 2) // [1, H, T, K]
                };
                let scores = part(0).matmul(part(1).swap_dims(2, 3)).div_scalar((width as f64).sqrt());
                let z = softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([1, length, d]);
                let worst = worst(&ours.clone().narrow(1, start, length), &z);
                assert!(worst < 2e-6, "{heads} × {width}, {length} tokens: differs by {worst}");
                start += length;
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_steps() {
        let plain = Device::flex();
        if !serve(&plain) {
            return;
        }
        plain.seed(7);
        let device = plain.clone().autodiff();
        // More than a block of queries, and lengths that end inside tiles and panels.
        for (heads, width) in [(3, 8), (2, 32), (1, 64)] {
            let lengths = [1, 13, 0, 130, 32, 12];
            let (tokens, d) = (lengths.iter().sum::<usize>(), heads * width);
            let random = |width| Tensor::<3>::random([1, tokens, width], Distribution::Normal(0.0, 1.0), &plain);
            let (values, weights) = (random(3 * d), Tensor::from_inner(random(d)));
            let gradient = |attended: &dyn Fn(Tensor<3>) -> Tensor<3>| {
                let qkv = Tensor::from_inner(values.clone()).require_grad();
                let gradients = (attended(qkv.clone()) * weights.clone()).sum().backward();
                qkv.grad(&gradients).unwrap()
            };
            let ours = gradient(&|qkv| attend_in_texts(qkv, lengths.into(), heads));
            let steps = gradient(&|qkv| {
                let mut start = 0;
                let mut parts = Vec::new();
                for length in lengths.into_iter().filter(|length| *length > 0) {
                    let part = |part: usize| {
                        let part = qkv.clone().narrow(1, start, length).narrow(2, part * d, d);
                        part.reshape([1, length, heads, width]).swap_dims(1, 2) // [1, H, T, K]
                    };
                    let scores = part(0).matmul(part(1).swap_dims(2, 3)).div_scalar((width as f64).sqrt());
                    parts.push(softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([1, length, d]));
                    start += length;
                }
                Tensor::cat(parts, 1)
            });
            assert_eq!(device, steps.device().autodiff());
            let worst = worst(&ours, &steps);
            assert!(worst < 1e-5, "{heads} × {width}: differs by {worst}");
        }
    }

    #[test]
    fn a_normalised_sum_is_the_sum_normalised() {
        let device = Device::flex();
        if !serve(&device) {
            return;
        }
        device.seed(6);
        for width in [5, 8, 100, 384] {
            let [x, y] = [0, 1].map(|_| Tensor::random([2, 300, width], Distribution::Normal(0.5, 2.0), &device));
            let [gain, bias] = [0, 1].map(|_| Tensor::random([width], Distribution::Normal(0.0, 1.0), &device));
            let plain = burn::tensor::module::layer_norm(x.clone() + y.clone(), gain.clone(), Some(bias.clone()), 1e-5);
            let worst = worst(&normalised_sum([x, y], gain, bias, 1e-5), &plain);
            assert!(worst < 1e-5, "rows of {width}: differs by {worst}");
        }
    }
}
