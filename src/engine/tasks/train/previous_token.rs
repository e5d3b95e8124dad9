//! A first head that looks at the token before.
//!
//! All embeddings get the same value at one place. What queries and keys read there is the same for every token, so their
//! product depends on the distance alone, through rotary positions: with the key turned one step ahead it is largest for the
//! token before. The head hands on a random sketch of that token, beside what the stream holds of the present one.

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

/// Changes the first head of the first block, and the embeddings.
pub(super) fn look_at_the_token_before(model: &mut Llama, seed: u64) {
    let Some(block) = model.blocks.first_mut() else { return };
    let mut random = Random::new(seed, STREAM);
    let [_, d] = block.qkv.weight.dims();
    let (h, g) = (block.heads, block.kv_heads);
    let width = block.qkv.weight.dims()[0] / (h + 2 * g);
    let frequencies = model.rope.per_position();
    change(&mut block.qkv.weight, |weights| {
        let (query, key, value) = (0, h * width, (h + g) * width);
        for row in 0..width {
            for column in 0..d {
                weights[(query + row) * d + column] *= 0.1;
                weights[(key + row) * d + column] *= 0.1;
                weights[(value + row) * d + column] = if column == SHARED { 0.0 } else { SKETCH * random.normal() };
            }
        }
        for (pair, frequency) in frequencies.iter().take(PAIRS.min(width / 2)).enumerate() {
            let (sin, cos) = (*frequency as f32).sin_cos();
            weights[(query + pair) * d + SHARED] = LENGTH;
            weights[(key + pair) * d + SHARED] = LENGTH * cos;
            weights[(key + width / 2 + pair) * d + SHARED] = LENGTH * sin;
        }
    });
    change(&mut block.attn_out.weight, |weights| {
        for row in weights.chunks_mut(h * width) {
            row[..width].iter_mut().for_each(|weight| *weight = BACK * random.normal());
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
    fn the_first_head_looks_at_the_token_before() {
        let device = Device::flex();
        device.seed(3);
        let config = LlamaConfig {
            family: LlamaFamily::Llama,
            vocabulary: 100,
            context: 64,
            hidden: 64,
            layers: 2,
            heads: 2,
            kv_heads: 1,
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
        look_at_the_token_before(&mut model, 1);
        let net = CausalLm::Llama(model);
        let ids: Vec<u32> = (0..48).map(|i| (i * 37 + i * i) % 100).collect();
        let mut tape = Tape::capture("blocks.0.attn.pattern".parse().unwrap(), None);
        net.trace(net.ids(&ids), &mut tape);
        let pattern = tape.into_captures().0.remove(0);
        let to_the_one_before = |head: usize| -> f32 {
            (8..48).map(|t| pattern.values[head * 48 * 48 + t * 48 + t - 1]).sum::<f32>() / 40.0
        };
        assert!(to_the_one_before(0) > 0.7, "head 0: {}", to_the_one_before(0));
        assert!(to_the_one_before(1) < 0.3, "head 1: {}", to_the_one_before(1));
    }
}
