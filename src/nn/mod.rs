//! Tensor maths on burn only: the models, the tape that looks inside them, and sampling.
//!
//! Must not know: files, tokenizers, threads, windows. A model takes token ids and gives scores; where the weights come from
//! is [`crate::load`]'s business. One architecture a file, read top to bottom; shapes stand behind every reshape.

mod attention;
mod cache;
mod digit;
mod digit_cnn;
mod digit_mlp;
mod gpt2;
pub mod kernels;
mod linear;
mod llama;
mod loss;
mod norm;
mod random;
mod rope;
pub mod sample;
mod tape;

pub use cache::KvCache;
pub use digit::{DigitConfig, DigitNet};
pub use digit_cnn::{DigitCnn, DigitCnnConfig};
pub use digit_mlp::{DigitMlp, DigitMlpConfig};
pub use gpt2::{Gpt2, Gpt2Block, Gpt2Config};
pub use linear::{Linear, in_full_precision, in_half_precision, look_up, project};
pub use llama::{Llama, LlamaBlock, LlamaConfig};
pub use loss::cross_entropy;
pub use norm::{LayerNorm, RmsNorm};
pub use random::Random;
pub use rope::{RopeFrequencies, RopeScaling};
pub use tape::Tape;

use crate::types::Architecture;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Standard deviation of random weights (Radford et al. 2019).
const INIT_STD: f64 = 0.02;

/// A causal language model of any supported architecture.
#[derive(Module, Debug)]
pub enum CausalLm {
    /// GPT-2.
    Gpt2(Gpt2),
    /// Llama.
    Llama(Llama),
}

impl CausalLm {
    /// Next-token scores at every position: ids `[B, T]` → logits `[B, T, V]`. Differentiable when the weights are on an
    /// autodiff device and the tape is off.
    ///
    /// # Panics
    /// When T exceeds the context.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, tape: &mut Tape) -> Tensor<3> {
        match self {
            Self::Gpt2(model) => model.forward(ids, tape),
            Self::Llama(model) => model.forward(ids, tape),
        }
    }

    /// The forward pass for the sake of the tape alone: ids `[1, T]`. Scores are computed only when the tape asks.
    ///
    /// # Panics
    /// When T exceeds the context.
    pub fn trace(&self, ids: Tensor<2, Int>, tape: &mut Tape) {
        match self {
            Self::Gpt2(model) => model.trace(ids, tape),
            Self::Llama(model) => model.trace(ids, tape),
        }
    }

    /// Next-token scores after the last of T new tokens: ids `[B, T]` → logits `[B, V]`. The cache remembers the tokens, so
    /// a prompt can be read in pieces and each further token costs one position.
    ///
    /// # Panics
    /// When the cached and the new tokens exceed the context.
    #[must_use]
    pub fn forward_cached(&self, ids: Tensor<2, Int>, cache: &mut KvCache) -> Tensor<2> {
        match self {
            Self::Gpt2(model) => model.forward_cached(ids, cache),
            Self::Llama(model) => model.forward_cached(ids, cache),
        }
    }

    /// An empty cache for this model.
    #[must_use]
    pub fn new_cache(&self) -> KvCache {
        KvCache::new(self.layers(), self.context())
    }

    /// Longest sequence in tokens.
    #[must_use]
    pub fn context(&self) -> usize {
        match self {
            Self::Gpt2(model) => model.position_embedding.dims()[0],
            Self::Llama(model) => model.context,
        }
    }

    /// Number of blocks.
    #[must_use]
    pub fn layers(&self) -> usize {
        match self {
            Self::Gpt2(model) => model.blocks.len(),
            Self::Llama(model) => model.blocks.len(),
        }
    }

    /// Vocabulary size V.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        match self {
            Self::Gpt2(model) => model.token_embedding.dims()[0],
            Self::Llama(model) => model.token_embedding.dims()[0],
        }
    }

    /// Where the weights are; token ids must be made there too.
    #[must_use]
    pub fn device(&self) -> Device {
        match self {
            Self::Gpt2(model) => model.token_embedding.device(),
            Self::Llama(model) => model.token_embedding.device(),
        }
    }

    /// One sequence of token ids as a tensor beside the weights, `[1, T]`.
    #[must_use]
    pub fn ids(&self, ids: &[u32]) -> Tensor<2, Int> {
        let values: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        Tensor::from_data(TensorData::new(values, [1, ids.len()]), &self.device())
    }
}

/// The shape of a causal language model.
#[derive(Clone, Debug, PartialEq)]
pub enum TextConfig {
    /// GPT-2.
    Gpt2(Gpt2Config),
    /// Llama.
    Llama(LlamaConfig),
}

impl TextConfig {
    /// A model of this shape with random weights. Seed the device first for repeatable ones.
    #[must_use]
    pub fn init(&self, device: &Device) -> CausalLm {
        match self {
            Self::Gpt2(config) => CausalLm::Gpt2(config.init(device)),
            Self::Llama(config) => CausalLm::Llama(config.init(device)),
        }
    }

    /// Which architecture it is.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::Gpt2(_) => Architecture::Gpt2,
            Self::Llama(_) => Architecture::Llama,
        }
    }

    /// Vocabulary size V.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.vocabulary,
            Self::Llama(config) => config.vocabulary,
        }
    }

    /// Longest sequence in tokens.
    #[must_use]
    pub fn context(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.context,
            Self::Llama(config) => config.context,
        }
    }

    /// Number of blocks.
    #[must_use]
    pub fn layers(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.layers,
            Self::Llama(config) => config.layers,
        }
    }

    /// Attention heads H.
    #[must_use]
    pub fn heads(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.heads,
            Self::Llama(config) => config.heads,
        }
    }

    /// Key-value heads G.
    #[must_use]
    pub fn kv_heads(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.heads,
            Self::Llama(config) => config.kv_heads,
        }
    }

    /// Width D of the residual stream.
    #[must_use]
    pub fn hidden(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.hidden,
            Self::Llama(config) => config.hidden,
        }
    }
}
