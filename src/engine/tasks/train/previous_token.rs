//! First heads that look at the token before and at the one before that.
//!
//! All embeddings get the same value at one place. What queries and keys read there is the same for every token, so their
//! product depends on the distance alone, through rotary positions: with key and query turned apart by some steps it is
//! largest for the token so far back. Such a head hands on a random sketch of that token, beside what the stream holds of the
//! present one. In `word = answer` the answer's place then knows the word, which is what a lookup has to find.

use crate::nn::{Llama, Random};
use burn::module::Param;
use burn::tensor::{Tensor, TensorData};

/// Random number stream.
const STREAM: u64 = 8 << 40;
/// The place of the residual stream that is the same for every token.
const SHARED: usize = 0;
/// Its value in the embeddings, four times what the others are on average.
const VALUE: f32 = 0.08;
/// Length of queries and keys in each of the pairs that turn fastest; slower ones cannot tell neighbours apart.
const LENGTH: f32 = 1.5;
const PAIRS: usize = 3;
/// Standard deviation of the values' projection, and of the projection back: the sketch is a little stronger than an embedding.
const SKETCH: f32 = 0.3;
const BACK: f32 = 0.003;

/// Heads that look back: the first one token, the second two.
const HEADS: usize = 2;

/// Changes the first heads of the first block, and the embeddings.
pub(super) fn look_at_the_tokens_before(model: &mut Llama, seed: u64) {
    let Some(block) = model.blocks.first_mut() else { return };
    let mut random = Random::new(seed, STREAM);
    let [rows, d] = block.qkv.weight.dims();
    let (h, g) = (block.heads, block.kv_heads);
    let (width, changed) = (rows / (h + 2 * g), HEADS.min(h));
    let pairs = PAIRS.min(width / 2);
    let frequencies = model.rope.per_position();
    // Writes a vector of the given length into the fastest pairs, turned by so many steps.
    let point = |weights: &mut [f32], first_row: usize, steps: f64| {
        for (pair, frequency) in frequencies.iter().take(pairs).enumerate() {
            let (sin, cos) = (steps * frequency).sin_cos();
            weights[(first_row + pair) * d + SHARED] = LENGTH * cos as f32;
            weights[(first_row + width / 2 + pair) * d + SHARED] = LENGTH * sin as f32;
        }
    };
    change(&mut block.qkv.weight, |weights| {
        for head in 0..changed {
            let query = head * width;
            weights[query * d..(query + width) * d].iter_mut().for_each(|weight| *weight *= 0.1);
            // Keys are turned one step ahead; queries of the second head one step back.
            point(weights, query, -(head as f64));
        }
        for group in 0..=(changed - 1) * g / h {
            let (key, value) = ((h + group) * width, (h + g + group) * width);
            weights[key * d..(key + width) * d].iter_mut().for_each(|weight| *weight *= 0.1);
            point(weights, key, 1.0);
            for (i, weight) in weights[value * d..(value + width) * d].iter_mut().enumerate() {
                *weight = if i % d == SHARED { 0.0 } else { SKETCH * random.normal() };
            }
        }
    });
    change(&mut block.attn_out.weight, |weights| {
        for row in weights.chunks_mut(h * width) {
            row[..changed * width].iter_mut().for_each(|weight| *weight = BACK * random.normal());
        }
    });
    change(&mut model.token_embedding, |weights| weights.chunks_mut(d).for_each(|row| row[SHARED] = VALUE));
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
    use super::*;
    use crate::nn::{CausalLm, LlamaConfig, LlamaFamily, Tape};
    use burn::tensor::Device;

    #[test]
    fn the_first_heads_look_back_one_and_two_tokens() {
        let device = Device::flex();
        device.seed(3);
        let config = LlamaConfig {
            family: LlamaFamily::Llama,
            vocabulary: 100,
            context: 64,
            hidden: 128,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_width: 32,
            intermediate: 48,
            epsilon: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: None,
            qkv_bias: false,
            attn_out_bias: false,
            head_norm: false,
            sliding: None,
            mlp_bias: false,
            tied: true,
        };
        let mut model = config.init(&device);
        look_at_the_tokens_before(&mut model, 1);
        let net = CausalLm::Llama(model);
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
}
