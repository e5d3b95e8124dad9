//! The shape of a causal language model of any supported architecture.

use crate::nn::models::causal_lm::CausalLm;
use crate::nn::{Gemma2Config, Gpt2Config, GptNeoxConfig, LlamaConfig, LlamaFamily};
use crate::types::Architecture;
use burn::tensor::Device;

/// The same expression for whichever architecture it is.
macro_rules! whichever {
    ($lm:expr, $it:ident => $value:expr) => {
        match $lm {
            Self::Gpt2($it) => $value,
            Self::GptNeox($it) => $value,
            Self::Llama($it) => $value,
            Self::Gemma2($it) => $value,
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

    /// Number of blocks.
    #[must_use]
    pub fn layers(&self) -> usize {
        whichever!(self, config => config.layers)
    }

    /// Attention heads H.
    #[must_use]
    pub fn heads(&self) -> usize {
        whichever!(self, config => config.heads)
    }

    /// Key-value heads G.
    #[must_use]
    pub fn kv_heads(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.heads,
            Self::GptNeox(config) => config.heads,
            Self::Llama(config) => config.kv_heads,
            Self::Gemma2(config) => config.kv_heads,
        }
    }

    /// Head width K.
    #[must_use]
    pub fn head_dim(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.hidden / config.heads,
            Self::GptNeox(config) => config.hidden / config.heads,
            Self::Llama(config) => config.head_dim,
            Self::Gemma2(config) => config.head_dim,
        }
    }

    /// Width D of the residual stream.
    #[must_use]
    pub fn hidden(&self) -> usize {
        whichever!(self, config => config.hidden)
    }

    /// MLP width F.
    #[must_use]
    pub fn intermediate(&self) -> usize {
        whichever!(self, config => config.intermediate)
    }
}
