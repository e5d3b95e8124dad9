//! What a generated token reads from memory, and how fast a device reads it.

use crate::nn::steps::parts::{BlockParts, Exit, Norm};
use crate::nn::{CausalLm, Linear, TextConfig, Weight};
use burn::module::Param;
use burn::tensor::{Device, Distribution, MemoryAccess, Tensor, ThroughputKey, ThroughputMode};
use std::time::Instant;

fn bytes<const D: usize>(param: &Param<Tensor<D>>) -> u64 {
    let tensor = param.val();
    (tensor.shape().num_elements() * tensor.dtype().size()) as u64
}

impl Linear {
    pub(in crate::nn) fn bytes(&self) -> u64 {
        self.weight.bytes() + self.bias.as_ref().map_or(0, bytes)
    }
}

impl Norm<'_> {
    fn bytes(self) -> u64 {
        match self {
            Self::Layer(norm) => bytes(&norm.gain) + bytes(&norm.bias),
            Self::Rms(norm) => bytes(&norm.gain),
        }
    }
}

impl BlockParts<'_> {
    fn bytes(&self) -> u64 {
        let linears = [self.qkv, self.attn_out, self.mlp_in, self.mlp_out];
        let norms =
            [self.norm_attn, self.norm_attn_out, self.norm_mid, self.norm_mlp, self.norm_mlp_out, self.norm_post];
        let of_heads = self.head_norms.into_iter().flatten().map(|norm| bytes(&norm.gain)).sum::<u64>();
        linears.map(Linear::bytes).iter().sum::<u64>()
            + norms.into_iter().flatten().map(Norm::bytes).sum::<u64>()
            + of_heads
    }
}

impl CausalLm {
    /// Bytes of weights that every generated token reads: all but the tables of which it reads a row. A token embedding
    /// that scores the vocabulary, too, is read whole.
    #[must_use]
    pub fn weight_bytes_per_token(&self) -> u64 {
        match self {
            Self::Recurrent(model) => return model.bytes_per_token(),
            Self::FeedForward(model) => return model.bytes_per_token(),
            _ => {}
        }
        let (norm, exit) = self.exit();
        let unembedding = match exit {
            Exit::Tokens { weight, .. } | Exit::Masked { weight, .. } => weight.bytes(),
            Exit::None | Exit::Classes(_) => 0,
        };
        let blocks = (0..self.layers()).map(|layer| self.block_parts(layer).bytes());
        blocks.sum::<u64>() + norm.map_or(0, Norm::bytes) + unembedding
    }
}

impl TextConfig {
    /// Bytes of keys and values that a token reads for each position it sees: a key and a value in F32 of every key-value
    /// head of every block. A network without attention reads nothing of a token again.
    #[must_use]
    pub fn cache_bytes_per_position(&self) -> u64 {
        self.blocks().map_or(0, |blocks| (2 * 4 * self.layers() * blocks.kv_heads * blocks.head_dim) as u64)
    }
}

/// Bytes a second that a device reads from its memory, or nothing where that cannot be measured. On the CPU that is a product
/// of one row with a matrix of half a gigabyte, which is what a token does; on a GPU it is Burn's own measurement, a kernel
/// that does nothing but read as much. Of several runs the fastest counts: it is a limit. Takes a second on the CPU.
#[must_use]
pub fn read_bandwidth(device: &Device) -> Option<f64> {
    if *device == Device::flex() {
        return Some(product_bandwidth(device, [1 << 15, 1 << 12]));
    }
    let key = ThroughputKey { mode: ThroughputMode::memory(MemoryAccess::Read) };
    let measured = device.performance_stats(&[key]).first()?.value.ok()?.bytes_per_s(&key);
    Some(measured).filter(|rate| rate.is_finite())
}

/// Products that are measured on the CPU.
const RUNS: usize = 15;

fn product_bandwidth(device: &Device, shape: [usize; 2]) -> f64 {
    let weight = Weight::from(Tensor::<2>::ones(shape, device));
    let x = Tensor::random([1, 1, shape[1]], Distribution::Normal(0.0, 1.0), device);
    let seconds = (0..RUNS).map(|_| {
        let begun = Instant::now();
        let _ = weight.project(x.clone()).into_data();
        begun.elapsed().as_secs_f64()
    });
    weight.bytes() as f64 / seconds.fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Gpt2Config, LlamaConfig, LlamaFamily, in_half_precision};
    use burn::module::Module;

    #[test]
    fn tables_that_are_only_looked_up_in_are_not_counted() {
        let llama = |tied| LlamaConfig {
            family: LlamaFamily::Llama,
            vocabulary: 100,
            context: 64,
            hidden: 16,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_dim: 4,
            intermediate: 24,
            epsilon: 1e-5,
            rope_theta: 1e4,
            rope_scaling: None,
            qkv_bias: false,
            attn_out_bias: false,
            head_norm: false,
            sliding: None,
            mlp_bias: false,
            tied,
        };
        let (device, tied) = (Device::flex(), TextConfig::Llama(llama(true)));
        let head = 100 * 16;
        let block = 16 * (16 + 2 * 8) + 16 * 16 + 3 * 16 * 24 + 2 * 16;
        assert_eq!(tied.init(&device).weight_bytes_per_token(), 4 * (head + 2 * block + 16));
        let own = TextConfig::Llama(llama(false)).init(&device);
        assert_eq!(own.weight_bytes_per_token(), 4 * (head + 2 * block + 16));
        assert_eq!(tied.cache_bytes_per_position(), 2 * 4 * 2 * 8);
        let half = in_half_precision(own).weight_bytes_per_token();
        assert_eq!(half, 2 * (head + 2 * (block - 32)) + 4 * 5 * 16, "vectors stay in F32");
        let gpt2 = Gpt2Config {
            vocabulary: 100,
            context: 64,
            hidden: 16,
            layers: 1,
            heads: 2,
            intermediate: 32,
            epsilon: 1e-5,
            tied: true,
        };
        let gpt2 = TextConfig::Gpt2(gpt2).init(&device);
        assert_eq!(gpt2.weight_bytes_per_token(), 4 * (gpt2.num_params() as u64 - 64 * 16));
    }

    #[test]
    fn bandwidth_is_that_of_a_computer() {
        let rate = product_bandwidth(&Device::flex(), [1 << 12, 1 << 10]);
        assert!((1e8..1e14).contains(&rate), "{rate} bytes a second");
    }
}
