//! The shape of a causal language model of any supported architecture.

use crate::nn::models::causal_lm::CausalLm;
use crate::nn::{
    FeedForwardConfig, Gemma2Config, Gpt2Config, GptNeoxConfig, LlamaConfig, LlamaFamily, RecurrentConfig,
};
use crate::types::{Architecture, Blocks, Layers, RecurrentCell, Stack};
use burn::tensor::Device;

/// The same expression for whichever architecture it is.
macro_rules! whichever {
    ($lm:expr, $it:ident => $value:expr) => {
        match $lm {
            Self::Gpt2($it) => $value,
            Self::GptNeox($it) => $value,
            Self::Llama($it) => $value,
            Self::Gemma2($it) => $value,
            Self::Recurrent($it) => $value,
            Self::FeedForward($it) => $value,
        }
    };
}

/// The shape of a causal language model.
#[derive(Clone, Debug, PartialEq)]
pub enum TextConfig {
    /// GPT-2.
    Gpt2(Gpt2Config),
    /// GPT-NeoX, Pythia.
    GptNeox(GptNeoxConfig),
    /// Llama, Mistral, Qwen 2, Qwen 3.
    Llama(LlamaConfig),
    /// Gemma 2.
    Gemma2(Gemma2Config),
    /// LSTM, or a plain tanh network.
    Recurrent(RecurrentConfig),
    /// A feed-forward network over the last tokens.
    FeedForward(FeedForwardConfig),
}

/// Sizes of the blocks of a transformer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// Attention heads H.
    pub heads: usize,
    /// Key-value heads G.
    pub kv_heads: usize,
    /// Head width K.
    pub head_dim: usize,
    /// MLP width F.
    pub intermediate: usize,
}

impl TextConfig {
    /// A model of this shape with random weights. Seed the device first for repeatable ones.
    #[must_use]
    pub fn init(&self, device: &Device) -> CausalLm {
        match self {
            Self::Gpt2(config) => CausalLm::Gpt2(config.init(device)),
            Self::GptNeox(config) => CausalLm::GptNeox(config.init(device)),
            Self::Llama(config) => CausalLm::Llama(config.init(device)),
            Self::Gemma2(config) => CausalLm::Gemma2(config.init(device)),
            Self::Recurrent(config) => CausalLm::Recurrent(config.init(device)),
            Self::FeedForward(config) => CausalLm::FeedForward(config.init(device)),
        }
    }

    /// Which architecture it is.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self {
            Self::Gpt2(_) => Architecture::Gpt2,
            Self::GptNeox(_) => Architecture::GptNeox,
            Self::Llama(config) => match config.family {
                LlamaFamily::Llama => Architecture::Llama,
                LlamaFamily::Mistral => Architecture::Mistral,
                LlamaFamily::Qwen2 => Architecture::Qwen2,
                LlamaFamily::Qwen3 => Architecture::Qwen3,
            },
            Self::Gemma2(_) => Architecture::Gemma2,
            Self::Recurrent(config) => match config.cell {
                RecurrentCell::Lstm => Architecture::Lstm,
                RecurrentCell::Tanh => Architecture::Rnn,
            },
            Self::FeedForward(_) => Architecture::FeedForward,
        }
    }

    /// Vocabulary size V.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        whichever!(self, config => config.vocabulary)
    }

    /// Longest sequence in tokens.
    #[must_use]
    pub fn context(&self) -> usize {
        whichever!(self, config => config.context)
    }

    /// Number of blocks, or of layers where it has none.
    #[must_use]
    pub fn layers(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.layers,
            Self::GptNeox(config) => config.layers,
            Self::Llama(config) => config.layers,
            Self::Gemma2(config) => config.layers,
            Self::Recurrent(config) => config.layers,
            Self::FeedForward(config) => config.layers.count,
        }
    }

    /// Width D of what the head reads: of a transformer the residual stream.
    #[must_use]
    pub fn hidden(&self) -> usize {
        match self {
            Self::FeedForward(config) if config.direct => config.hidden + config.window * config.embedding,
            _ => whichever!(self, config => config.hidden),
        }
    }

    /// Sizes of its blocks, where it is a transformer.
    #[must_use]
    pub fn blocks(&self) -> Option<BlockSizes> {
        Some(match self {
            Self::Gpt2(config) => {
                let (heads, head_dim) = (config.heads, config.hidden / config.heads);
                BlockSizes { heads, kv_heads: heads, head_dim, intermediate: config.intermediate }
            }
            Self::GptNeox(config) => {
                let (heads, head_dim) = (config.heads, config.hidden / config.heads);
                BlockSizes { heads, kv_heads: heads, head_dim, intermediate: config.intermediate }
            }
            Self::Llama(LlamaConfig { heads, kv_heads, head_dim, intermediate, .. })
            | Self::Gemma2(Gemma2Config { heads, kv_heads, head_dim, intermediate, .. }) => {
                BlockSizes { heads: *heads, kv_heads: *kv_heads, head_dim: *head_dim, intermediate: *intermediate }
            }
            Self::Recurrent(_) | Self::FeedForward(_) => return None,
        })
    }

    /// What stands between embedding and head.
    #[must_use]
    pub fn stack(&self) -> Stack {
        match (self, self.blocks()) {
            (Self::FeedForward(config), _) => {
                Stack::Layers(Layers { layers: self.layers(), hidden: self.hidden(), sees: Some(config.window) })
            }
            (_, Some(BlockSizes { heads, kv_heads, .. })) => {
                Stack::Blocks(Blocks { layers: self.layers(), heads, kv_heads, hidden: self.hidden() })
            }
            _ => Stack::Layers(Layers { layers: self.layers(), hidden: self.hidden(), sees: None }),
        }
    }
}
