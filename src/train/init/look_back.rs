//! First weights in which the parts of induction heads stand: looking back, finding and copying (Olsson et al. 2022).
//!
//! - All embeddings get the same value at one place. What queries and keys read there is the same for every token, so their
//!   product depends on the distance alone, through rotary positions: with key and query rotated apart by some steps it is
//!   largest for the token so far back. Four heads of the first block look one, two, three and four tokens back, and write a
//!   sketch of what they see, each to its own stretch of the residual stream, which embeddings leave free.
//! - The last values of an embedding, as many as a head is wide, are its code: they are drawn larger than the others, and are
//!   what heads compare and copy.
//! - Two heads of the second block find. One looks for places whose token before is the present token: what followed the last
//!   time. The other looks for places whose token two back is the one before the present: in `word = answer` the place of the
//!   answer, when the word stands before the next `=`.
//! - A third looks at where the same token stood before and reads what stood before it there (Wang et al. 2022 find such
//!   duplicate token heads in GPT-2); a head of the third block reads that of the answers so far, and one of the fourth
//!   compares it: what an answer was chosen by is its place.
//! - The two that find copy the whole code of what they read, and so does a head of every later block, which has yet to learn
//!   where to look.
//! - All heads behind the first block write, more weakly, what they read in the direction it was read from, as heads of trained
//!   language models do (Trockman and Kolter 2023).

use crate::nn::{Llama, LlamaBlock, Random, Weight};
use crate::train::checkpoint::read_back;
use crate::train::stream::Stream;
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// The place of the residual stream that is the same for every token.
const SHARED: usize = 0;
/// Its value in the embeddings, and the standard deviation of codes and of the other values.
const VALUE: f32 = 0.32;
const CODE: f32 = 0.12;
const EMBEDDING: f32 = 0.04;
/// Length of queries and keys that look back, in each of the pairs that rotate fastest; slower ones cannot tell neighbours apart.
const LENGTH: f32 = 1.5;
/// Of 16 pairs: those that rotate fast, and those that rotate too fast to compare tokens far apart.
const FAST: usize = 3;
const TOO_FAST: usize = 7;
/// Weights of the sketch: values, and their way into the stream.
const SKETCH: f32 = 0.03;
const BACK: f32 = 0.3;
/// Weights of finding: what reads embeddings, and what reads sketches.
const READ: f32 = 0.25;
const COMPARE: f32 = 1.5;
/// Weights of copying, into the head and out of it.
const COPY: f32 = 0.5;

/// Weights of tags, into the head and out of it, and of comparing them.
const TAG: f32 = 0.5;

/// Heads that look back: the first one token, the second two, and so on.
const HEADS: usize = 4;

/// What these weights need of a model: enough heads, and a second block.
pub(super) fn fits(layers: usize, heads: usize, kv_heads: usize) -> bool {
    layers >= 2 && heads >= HEADS && kv_heads >= 3
}

/// Changes the embeddings, some heads of the first two blocks, and what later heads write.
///
/// # Panics
/// When the model does not [fit](fits).
pub(super) fn look_back(model: &mut Llama, seed: u64) {
    let mut random = Random::new(seed, Stream::LookBack.at(0));
    let d = model.token_embedding.val().dims()[1];
    let frequencies: Vec<f64> = model.rope.per_position().to_vec();
    let [first, second, ..] = model.blocks.as_mut_slice() else { panic!("looking back needs two blocks") };
    let layout = Layout::of(first);
    let sketches = layout.sketches();
    let code = d - layout.width..d;
    change(&mut model.token_embedding, |weights| {
        for row in weights.chunks_mut(d) {
            row[SHARED] = VALUE;
            row[1..sketches[HEADS - 1].end].fill(0.0);
            row[sketches[HEADS - 1].end..code.start]
                .iter_mut()
                .for_each(|weight| *weight = EMBEDDING * random.normal());
            row[code.clone()].iter_mut().for_each(|weight| *weight = CODE * random.normal());
        }
    });
    let matrix: Vec<f32> = (0..sketches[0].len() * code.len()).map(|_| random.normal()).collect();
    let parts = Parts { layout, sketches, code, matrix };
    parts.look_at_the_tokens_before(first, &frequencies);
    parts.find(second);
    parts.copy(second, 0);
    parts.copy(second, 1);
    parts.say_where_the_same_token_stood(second);
    for (i, block) in model.blocks.iter_mut().enumerate().skip(2) {
        parts.copy(block, 0);
        if i == 2 {
            parts.gather_where_answers_stood(block);
        }
        if i == 3 {
            parts.find_the_same_place(block);
        }
    }
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

    /// The values of a query or key that rotate slowly enough to compare tokens.
    fn slow(&self) -> Vec<usize> {
        (0..self.width).filter(|i| i % (self.width / 2) >= self.pairs(TOO_FAST)).collect()
    }

    /// Where the sketches of the tokens before stand in the residual stream.
    fn sketches(&self) -> [Range<usize>; HEADS] {
        let (whole, tag) = (self.slow().len(), self.width / HEADS);
        let mut start = 1;
        [whole, whole, tag, tag].map(|length| {
            start += length;
            start - length..start
        })
    }
}

/// What is put into blocks.
struct Parts {
    layout: Layout,
    sketches: [Range<usize>; HEADS],
    code: Range<usize>,
    /// From codes to sketches, `[sketch, code]`.
    matrix: Vec<f32>,
}

impl Parts {
    fn look_at_the_tokens_before(&self, block: &mut LlamaBlock, frequencies: &[f64]) {
        let Self { layout, sketches, code, matrix } = self;
        let &Layout { d, width, heads, .. } = layout;
        // Writes a vector of the given length into the fastest pairs, rotated by so many steps.
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
                // Keys are rotated one step ahead; queries of the second head one step back, of the third two.
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

    /// The first head of the first group: a key's token before is the query's token. The first head of the second group: a
    /// key's token two back is the query's token before.
    fn find(&self, block: &mut LlamaBlock) {
        let (layout, sketches) = (&self.layout, &self.sketches);
        change(&mut block.qkv.weight, |weights| {
            self.reads_code(weights, layout.query(layout.head(0)));
            self.reads_sketch(weights, layout.key(0), &sketches[0]);
            self.reads_sketch(weights, layout.query(layout.head(1)), &sketches[0]);
            self.reads_sketch(weights, layout.key(1), &sketches[1]);
        });
    }

    /// Lets the first head of a group copy the code of the tokens it reads.
    fn copy(&self, block: &mut LlamaBlock, group: usize) {
        let &Layout { d, width, .. } = &self.layout;
        change(&mut block.qkv.weight, |weights| {
            let rows = &mut weights[self.layout.value(group) * d..][..width * d];
            rows.fill(0.0);
            rows.chunks_mut(d).enumerate().for_each(|(i, row)| row[self.code.start + i] = COPY);
        });
        self.clear_way_out(block, group);
    }

    /// The third group looks at where the same token stood, and tags its place with what stood before there.
    fn say_where_the_same_token_stood(&self, block: &mut LlamaBlock) {
        let layout = &self.layout;
        change(&mut block.qkv.weight, |weights| {
            self.reads_code(weights, layout.query(layout.head(2)));
            self.reads_code(weights, layout.key(2));
            self.reads_tags(weights, layout.value(2));
        });
        self.clear_way_out(block, 2);
    }

    /// The second group reads the tags of what followed the present token.
    fn gather_where_answers_stood(&self, block: &mut LlamaBlock) {
        let layout = &self.layout;
        change(&mut block.qkv.weight, |weights| {
            self.reads_code(weights, layout.query(layout.head(1)));
            self.reads_sketch(weights, layout.key(1), &self.sketches[0]);
            self.reads_tags(weights, layout.value(1));
        });
        self.clear_way_out(block, 1);
    }

    /// The first group looks for tags like its own.
    fn find_the_same_place(&self, block: &mut LlamaBlock) {
        let layout = &self.layout;
        let (d, slow) = (layout.d, layout.slow());
        let each = slow.len() / HEADS;
        change(&mut block.qkv.weight, |weights| {
            for first_row in [layout.query(layout.head(0)), layout.key(0)] {
                weights[first_row * d..(first_row + layout.width) * d].fill(0.0);
                for (i, sketch) in self.sketches.iter().enumerate() {
                    for j in 0..each {
                        weights[(first_row + slow[i * each + j]) * d + sketch.start + j] = TAG;
                    }
                }
            }
        });
    }

    /// Queries or keys that are the code of their token, as a sketch writes it, in the values that rotate slowly.
    fn reads_code(&self, weights: &mut [f32], first_row: usize) {
        let d = self.layout.d;
        weights[first_row * d..(first_row + self.layout.width) * d].fill(0.0);
        for (slow, of_code) in self.layout.slow().into_iter().zip(self.matrix.chunks(self.code.len())) {
            let row = &mut weights[(first_row + slow) * d..][..d];
            row[self.code.clone()].iter_mut().zip(of_code).for_each(|(weight, value)| *weight = READ * value);
        }
    }

    /// Queries or keys that are a sketch.
    fn reads_sketch(&self, weights: &mut [f32], first_row: usize, sketch: &Range<usize>) {
        let d = self.layout.d;
        weights[first_row * d..(first_row + self.layout.width) * d].fill(0.0);
        for (slow, from) in self.layout.slow().into_iter().zip(sketch.clone()) {
            weights[(first_row + slow) * d + from] = COMPARE;
        }
    }

    /// Values that are the beginnings of all sketches.
    fn reads_tags(&self, weights: &mut [f32], first_row: usize) {
        let &Layout { d, width, .. } = &self.layout;
        weights[first_row * d..(first_row + width) * d].fill(0.0);
        for (i, sketch) in self.sketches.iter().enumerate() {
            for j in 0..width / HEADS {
                weights[(first_row + i * (width / HEADS) + j) * d + sketch.start + j] = TAG;
            }
        }
    }

    /// So that only [`hand_on_what_is_read`] says where the first head of a group writes.
    fn clear_way_out(&self, block: &mut LlamaBlock, group: usize) {
        let &Layout { width, heads, .. } = &self.layout;
        change(&mut block.attn_out.weight, |weights| {
            for row in weights.chunks_mut(heads * width) {
                row[self.layout.head(group) * width..][..width].fill(0.0);
            }
        });
    }
}

/// Makes the projection back resemble the transpose of the values' projection.
fn hand_on_what_is_read(block: &mut LlamaBlock) {
    let layout = Layout::of(block);
    let Layout { d, width, heads, .. } = layout;
    let values = read_back(&block.qkv.weight.val());
    change(&mut block.attn_out.weight, |weights| {
        for (to, row) in weights.chunks_mut(heads * width).enumerate() {
            for (i, weight) in row.iter_mut().enumerate() {
                let value = layout.value(layout.group(i / width)) + i % width;
                *weight += values[value * d + to];
            }
        }
    });
}

fn change(weight: &mut Weight, edit: impl FnOnce(&mut [f32])) {
    let param = weight.param_mut();
    *param = param.clone().map(|tensor| {
        let (shape, device) = (tensor.shape(), tensor.device());
        let mut values = read_back(&tensor);
        edit(&mut values);
        Tensor::from_data(TensorData::new(values, shape), &device)
    });
}

#[cfg(test)]
mod tests {
    use super::super::{config_of, first_weights};
    use crate::nn::{CausalLm, Hooks};
    use crate::types::{Capture, Init, LlamaShape, Site, SiteSet};
    use burn::tensor::Device;

    fn net(vocabulary: usize) -> CausalLm {
        let shape = LlamaShape {
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

    fn pattern(net: &CausalLm, layer: usize, ids: &[u32]) -> Capture {
        let mut hooks = Hooks::off().recording(SiteSet::from_iter([Site::Pattern(layer)]), None);
        net.trace(net.ids(ids), &mut hooks);
        hooks.into_captures().0.remove(0)
    }

    #[test]
    fn the_first_heads_look_back_one_to_four_tokens() {
        let net = net(100);
        let ids: Vec<u32> = (0..48).map(|i| (i * 37 + i * i) % 100).collect();
        let pattern = pattern(&net, 0, &ids);
        let looks_back = |head: usize, steps: usize| -> f32 {
            (8..48).map(|t| pattern.values[head * 48 * 48 + t * 48 + t - steps]).sum::<f32>() / 40.0
        };
        for head in 0..4 {
            assert!(looks_back(head, head + 1) > 0.7, "head {head}: {}", looks_back(head, head + 1));
        }
        assert!(looks_back(4, 1) < 0.3 && looks_back(5, 2) < 0.3, "the others do not");
    }

    #[test]
    fn a_head_of_the_second_block_looks_at_the_same_token() {
        let net = net(600);
        let list: Vec<u32> = (0..40).map(|i| i * 37 % 600).collect();
        let ids = [&list[..], &[500, list[34]]].concat();
        let pattern = pattern(&net, 1, &ids);
        let n = ids.len();
        // The first head of the third of three groups of two. What it finds is the token itself and its twin.
        let twin = pattern.values[(4 * n + n - 1) * n + 34];
        assert!(twin > 0.3, "{twin}, where an even look would be 0.02");
    }

    #[test]
    fn a_list_said_twice_is_known_the_second_time() {
        let net = net(600);
        let list: Vec<u32> = (0..40).map(|i| i * 37 % 600).collect();
        let ids = [list.clone(), list.clone()].concat();
        let pattern = pattern(&net, 1, &ids);
        let n = ids.len();
        let induction = (40..n).map(|t| pattern.values[t * n + t - 39]).sum::<f32>() / 40.0;
        assert!(induction > 0.4, "{induction}, where an even look would be 0.02");
        let places: Vec<usize> = (0..n).collect();
        let logits = net.logits_at(net.ids(&ids), &places, &mut Hooks::off()).into_data().try_to_vec::<f32>().unwrap();
        // The present token scores high too, as embeddings are tied; so it is counted how many of the 600 score lower.
        let lower = |t: usize| {
            let row = &logits[t * 600..][..600];
            row.iter().filter(|score| **score < row[ids[t + 1] as usize]).count()
        };
        let mean = (40..n - 1).map(lower).sum::<usize>() / (n - 41);
        assert!(mean > 450, "{mean} of 600 tokens score lower than the right one");
    }
}
