//! First weights in which the parts of induction heads stand: looking back, finding and copying (Olsson et al. 2022).
//!
//! - All embeddings get the same value at one place. What queries and keys read there is the same for every token, so their
//!   product depends on the distance alone, through rotary positions: with key and query turned apart by some steps it is
//!   largest for the token so far back. Two heads of the first block look at the token before and at the one before that,
//!   and write a sketch of it, each to its own stretch of the residual stream, which embeddings leave free.
//! - The last values of an embedding, as many as a head is wide, are its code: they are drawn larger than the others, and are
//!   what heads compare and copy.
//! - Two heads of the second block find. One looks for places whose token before is the present token: what followed the last
//!   time. The other looks for places whose token two back is the one before the present: in `word = answer` the place of the
//!   answer, when the word stands before the next `=`.
//! - Both copy the whole code of what they read, and so does a head of every later block, which has yet to learn where to look.
//!   All heads behind the first block write, more weakly, what they read in the direction it was read from, as heads of trained
//!   language models do (Trockman and Kolter 2023).

use crate::nn::{Llama, LlamaBlock, Random};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// Random number stream.
const STREAM: u64 = 8 << 40;
/// The place of the residual stream that is the same for every token.
const SHARED: usize = 0;
/// Its value in the embeddings, and the standard deviation of codes and of the other values.
const VALUE: f32 = 0.16;
const CODE: f32 = 0.06;
const EMBEDDING: f32 = 0.02;
/// Length of queries and keys that look back, in each of the pairs that turn fastest; slower ones cannot tell neighbours apart.
const LENGTH: f32 = 1.5;
/// Of 16 pairs: those that turn fast, and those that turn too fast to compare tokens far apart.
const FAST: usize = 3;
const TOO_FAST: usize = 7;
/// Weights of the sketch: values, and their way into the stream.
const SKETCH: f32 = 0.03;
const BACK: f32 = 0.15;
/// Weights of finding: what reads embeddings, and what reads sketches.
const READ: f32 = 0.25;
const COMPARE: f32 = 1.5;
/// Weights of copying, into the head and out of it.
const COPY: f32 = 0.5;

/// Heads that look back: the first one token, the second two.
const HEADS: usize = 2;

/// What these weights need of a model: enough heads, and a second block.
pub(super) fn fits(layers: usize, heads: usize, kv_heads: usize) -> bool {
    layers >= 2 && heads >= 4 && kv_heads >= 2
}

/// Changes the embeddings, some heads of the first two blocks, and what later heads write.
///
/// # Panics
/// When the model does not [fit](fits).
pub(super) fn look_back(model: &mut Llama, seed: u64) {
    let mut random = Random::new(seed, STREAM);
    let d = model.token_embedding.val().dims()[1];
    let frequencies: Vec<f64> = model.rope.per_position().to_vec();
    let [first, second, ..] = model.blocks.as_mut_slice() else { panic!("looking back needs two blocks") };
    let layout = Layout::of(first);
    let sketches = layout.sketches();
    let code = d - layout.width..d;
    change(&mut model.token_embedding, |weights| {
        for row in weights.chunks_mut(d) {
            row[SHARED] = VALUE;
            row[1..sketches[1].end].fill(0.0);
            row[sketches[1].end..code.start].iter_mut().for_each(|weight| *weight = EMBEDDING * random.normal());
            row[code.clone()].iter_mut().for_each(|weight| *weight = CODE * random.normal());
        }
    });
    let matrix: Vec<f32> = (0..sketches[0].len() * code.len()).map(|_| random.normal()).collect();
    look_at_the_tokens_before(first, &layout, &frequencies, &sketches, &code, &matrix);
    find(second, &layout, &sketches, &code, &matrix);
    copy(second, &layout, &code, HEADS);
    model.blocks.iter_mut().skip(2).for_each(|block| copy(block, &layout, &code, 1));
    model.blocks.iter_mut().skip(1).for_each(hand_on_what_is_read);
}

/// Where the rows of a block's queries, keys and values begin.
struct Layout {
    d: usize,
    width: usize,
    heads: usize,
    groups: usize,
}

impl Layout {
    fn of(block: &LlamaBlock) -> Self {
        let [rows, d] = block.qkv.weight.dims();
        let (heads, groups) = (block.heads, block.kv_heads);
        Self { d, width: rows / (heads + 2 * groups), heads, groups }
    }

    fn query(&self, head: usize) -> usize {
        head * self.width
    }

    fn key(&self, group: usize) -> usize {
        (self.heads + group) * self.width
    }

    fn value(&self, group: usize) -> usize {
        (self.heads + self.groups + group) * self.width
    }

    fn group(&self, head: usize) -> usize {
        head * self.groups / self.heads
    }

    /// The first head of a group.
    fn head(&self, group: usize) -> usize {
        group * self.heads / self.groups
    }

    /// So many of `of_16` pairs as a head of this width has.
    fn pairs(&self, of_16: usize) -> usize {
        (self.width / 2 * of_16).div_ceil(16)
    }

    /// The values of a query or key that turn slowly enough to compare tokens.
    fn slow(&self) -> Vec<usize> {
        (0..self.width).filter(|i| i % (self.width / 2) >= self.pairs(TOO_FAST)).collect()
    }

    /// Where the sketches of the tokens before stand in the residual stream.
    fn sketches(&self) -> [Range<usize>; HEADS] {
        let length = self.slow().len();
        [1..1 + length, 1 + length..1 + 2 * length]
    }
}

fn look_at_the_tokens_before(
    block: &mut LlamaBlock,
    layout: &Layout,
    frequencies: &[f64],
    sketches: &[Range<usize>; HEADS],
    code: &Range<usize>,
    matrix: &[f32],
) {
    let &Layout { d, width, heads, .. } = layout;
    // Writes a vector of the given length into the fastest pairs, turned by so many steps.
    let point = |weights: &mut [f32], first_row: usize, steps: f64| {
        weights[first_row * d..(first_row + width) * d].iter_mut().for_each(|weight| *weight *= 0.1);
        for (pair, frequency) in frequencies.iter().take(layout.pairs(FAST)).enumerate() {
            let (sin, cos) = (steps * frequency).sin_cos();
            weights[(first_row + pair) * d + SHARED] = LENGTH * cos as f32;
            weights[(first_row + width / 2 + pair) * d + SHARED] = LENGTH * sin as f32;
        }
    };
    change(&mut block.qkv.weight, |weights| {
        for head in 0..HEADS {
            // Keys are turned one step ahead; queries of the second head one step back.
            point(weights, layout.query(head), -(head as f64));
        }
        for group in 0..=layout.group(HEADS - 1) {
            point(weights, layout.key(group), 1.0);
            for (i, of_code) in matrix.chunks(code.len()).enumerate() {
                let row = &mut weights[(layout.value(group) + i) * d..][..d];
                row.fill(0.0);
                row[code.clone()].iter_mut().zip(of_code).for_each(|(weight, value)| *weight = SKETCH * value);
            }
        }
    });
    change(&mut block.attn_out.weight, |weights| {
        for (to, row) in weights.chunks_mut(heads * width).enumerate() {
            for (head, sketch) in sketches.iter().enumerate() {
                let row = &mut row[head * width..][..width];
                row.fill(0.0);
                if sketch.contains(&to) {
                    row[to - sketch.start] = BACK;
                }
            }
        }
    });
}

/// The first head of the first group: a key's token before is the query's token. The first head of the second group: a key's
/// token two back is the query's token before. Only values that turn slowly compare.
fn find(
    block: &mut LlamaBlock,
    layout: &Layout,
    sketches: &[Range<usize>; HEADS],
    code: &Range<usize>,
    matrix: &[f32],
) {
    let &Layout { d, width, .. } = layout;
    let slow = layout.slow();
    change(&mut block.qkv.weight, |weights| {
        let queries = [0, 1].map(|group| layout.query(layout.head(group)));
        for first_row in [layout.key(0), layout.key(1), queries[0], queries[1]] {
            weights[first_row * d..(first_row + width) * d].fill(0.0);
        }
        for (i, of_code) in matrix.chunks(code.len()).enumerate() {
            weights[(layout.key(0) + slow[i]) * d + sketches[0].start + i] = COMPARE;
            weights[(layout.key(1) + slow[i]) * d + sketches[1].start + i] = COMPARE;
            weights[(queries[1] + slow[i]) * d + sketches[0].start + i] = COMPARE;
            let row = &mut weights[(queries[0] + slow[i]) * d..][..d];
            row[code.clone()].iter_mut().zip(of_code).for_each(|(weight, value)| *weight = READ * value);
        }
    });
}

/// Lets the first heads of the first groups copy the code of the tokens they read.
fn copy(block: &mut LlamaBlock, layout: &Layout, code: &Range<usize>, groups: usize) {
    let &Layout { d, width, heads, .. } = layout;
    change(&mut block.qkv.weight, |weights| {
        for group in 0..groups {
            for i in 0..width {
                let row = &mut weights[(layout.value(group) + i) * d..][..d];
                row.fill(0.0);
                row[code.start + i] = COPY;
            }
        }
    });
    change(&mut block.attn_out.weight, |weights| {
        for row in weights.chunks_mut(heads * width) {
            for group in 0..groups {
                row[layout.head(group) * width..][..width].fill(0.0);
            }
        }
    });
}

/// Makes the projection back resemble the transpose of the values' projection.
fn hand_on_what_is_read(block: &mut LlamaBlock) {
    let layout = Layout::of(block);
    let Layout { d, width, heads, .. } = layout;
    let values = super::checkpoint::read_back(&block.qkv.weight.val());
    change(&mut block.attn_out.weight, |weights| {
        for (to, row) in weights.chunks_mut(heads * width).enumerate() {
            for (i, weight) in row.iter_mut().enumerate() {
                let value = layout.value(layout.group(i / width)) + i % width;
                *weight += values[value * d + to];
            }
        }
    });
}

fn change(weight: &mut Param<Tensor<2>>, edit: impl FnOnce(&mut [f32])) {
    *weight = weight.clone().map(|tensor| {
        let (shape, device) = (tensor.shape(), tensor.device());
        let mut values = super::checkpoint::read_back(&tensor);
        edit(&mut values);
        Tensor::from_data(TensorData::new(values, shape), &device)
    });
}

#[cfg(test)]
mod tests {
    use super::super::text_model::{config_of, first_weights};
    use crate::nn::{CausalLm, Tape};
    use crate::types::{Init, TextShape};
    use burn::tensor::Device;
    use burn::tensor::Tensor;

    fn net(vocabulary: usize) -> CausalLm {
        let shape = TextShape {
            hidden: 192,
            layers: 3,
            heads: 6,
            kv_heads: 3,
            intermediate: 48,
            max_positions: 96,
            vocabulary,
            init: Init::LookBack,
        };
        let config = config_of(&shape, vocabulary);
        CausalLm::Llama(first_weights(&config, Init::LookBack, 1, &Device::flex()))
    }

    #[test]
    fn the_first_heads_look_back_one_and_two_tokens() {
        let net = net(100);
        let ids: Vec<u32> = (0..48).map(|i| (i * 37 + i * i) % 100).collect();
        let mut tape = Tape::capture("blocks.0.attn.pattern".parse().unwrap(), None);
        net.trace(net.ids(&ids), &mut tape);
        let pattern = tape.into_captures().0.remove(0);
        let looks_back = |head: usize, steps: usize| -> f32 {
            (8..48).map(|t| pattern.values[head * 48 * 48 + t * 48 + t - steps]).sum::<f32>() / 40.0
        };
        assert!(looks_back(0, 1) > 0.7, "head 0: {}", looks_back(0, 1));
        assert!(looks_back(1, 2) > 0.7, "head 1: {}", looks_back(1, 2));
        assert!(looks_back(2, 1) < 0.3 && looks_back(3, 2) < 0.3, "the others do not");
    }

    #[test]
    fn a_list_said_twice_is_known_the_second_time() {
        let net = net(600);
        let list: Vec<u32> = (0..40).map(|i| i * 37 % 600).collect();
        let ids = [list.clone(), list.clone()].concat();
        let mut tape = Tape::capture("blocks.1.attn.pattern".parse().unwrap(), None);
        net.trace(net.ids(&ids), &mut tape);
        let pattern = tape.into_captures().0.remove(0);
        let n = ids.len();
        let induction = (40..n).map(|t| pattern.values[t * n + t - 39]).sum::<f32>() / 40.0;
        assert!(induction > 0.4, "{induction}, where an even look would be 0.02");
        let rows = Tensor::arange(0..n as i64, &Device::flex());
        let logits = net.logits_at(net.ids(&ids), rows).into_data().try_to_vec::<f32>().unwrap();
        // The present token scores high too, as embeddings are tied; so it is counted how many of the 600 score lower.
        let lower = |t: usize| {
            let row = &logits[t * 600..][..600];
            row.iter().filter(|score| **score < row[ids[t + 1] as usize]).count()
        };
        let mean = (40..n - 1).map(lower).sum::<usize>() / (n - 41);
        assert!(mean > 450, "{mean} of 600 tokens score lower than the right one");
    }
}
