//! Tensor maths on burn only: the models, the tape that looks inside them, and sampling.
//!
//! Must not know: files, tokenizers, threads, windows. A model takes token ids and gives scores; where the weights come from
//! is [`crate::load`]'s business. One architecture a file, read top to bottom; shapes stand behind every reshape.

mod activation;
mod attention;
mod bert;
mod bidirectional;
mod cache;
mod digit;
mod digit_cnn;
mod digit_mlp;
mod distilbert;
mod encoder_block;
mod gemma2;
mod gpt2;
mod gpt_neox;
pub mod kernels;
mod linear;
mod llama;
mod loss;
mod mask;
mod masked_lm;
mod norm;
mod padding;
mod roberta;
mod rope;
pub mod sample;
mod scores;
mod tape;
mod text_encoder;
mod traffic;
mod tree;
mod vit;

pub use activation::Activation;
pub use attention::Scoring;
pub use bert::{Bert, BertConfig};
pub use bidirectional::PaddingMask;
pub use cache::KvCache;
pub use digit::{DigitConfig, DigitNet};
pub use digit_cnn::{DigitCnn, DigitCnnConfig};
pub use digit_mlp::{DigitMlp, DigitMlpConfig};
pub use distilbert::{DistilBert, DistilBertConfig};
pub use encoder_block::{EncoderBlock, EncoderShape};
pub use gemma2::{Gemma2, Gemma2Block, Gemma2Config};
pub use gpt_neox::{GptNeox, GptNeoxBlock, GptNeoxConfig};
pub use gpt2::{Gpt2, Gpt2Block, Gpt2Config};
pub use linear::{Linear, in_full_precision, in_half_precision, look_up, project};
pub use llama::{Llama, LlamaBlock, LlamaConfig, LlamaFamily};
pub use loss::cross_entropy;
pub use mask::SlidingWindow;
pub use masked_lm::MaskedLmHead;
pub use norm::{LayerNorm, RmsNorm};
pub use padding::Padding;
pub use roberta::{Roberta, RobertaConfig};
pub use rope::{RopeFrequencies, RopeScaling};
pub use scores::{Scores, Unreadable};
pub use tape::Tape;
pub use text_encoder::{EncoderBatch, EncoderConfig, EncoderOutput, TextEncoder};
pub use traffic::read_bandwidth;
pub use tree::TokenTree;
pub use vit::{Vit, VitBlock, VitConfig};

use crate::types::Architecture;
pub use crate::types::Random;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Standard deviation of random weights (Radford et al. 2019).
const INIT_STD: f64 = 0.02;

/// A causal language model of any supported architecture.
#[derive(Module, Debug)]
pub enum CausalLm {
    /// GPT-2.
    Gpt2(Gpt2),
    /// GPT-NeoX, Pythia.
    GptNeox(GptNeox),
    /// Llama, Mistral, Qwen 2, Qwen 3.
    Llama(Llama),
    /// Gemma 2.
    Gemma2(Gemma2),
}

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

impl CausalLm {
    /// Next-token scores at every position: ids `[B, T]` → logits `[B, T, V]`. Differentiable when the weights are on an
    /// autodiff device and the tape is off.
    ///
    /// # Panics
    /// When T exceeds the context.
    #[must_use]
    pub fn forward(&self, ids: Tensor<2, Int>, tape: &mut Tape) -> Tensor<3> {
        whichever!(self, model => model.forward(ids, None, tape))
    }

    /// As [`Self::forward`] for sequences of different length, filled up to T with any id: ids `[B, T]` → logits
    /// `[B, T, V]`. What is said at padded positions means nothing. See [`Padding`] for positions.
    ///
    /// # Panics
    /// When T exceeds the context, or the padding is that of another batch.
    #[must_use]
    pub fn forward_padded(&self, ids: Tensor<2, Int>, padding: &Padding, tape: &mut Tape) -> Tensor<3> {
        assert_eq!(ids.dims(), padding.shape(), "the padding of another batch");
        whichever!(self, model => model.forward(ids, Some(padding), tape))
    }

    /// The forward pass for the sake of the tape alone: ids `[1, T]`. Scores are computed only when the tape asks.
    ///
    /// # Panics
    /// When T exceeds the context.
    pub fn trace(&self, ids: Tensor<2, Int>, tape: &mut Tape) {
        whichever!(self, model => model.trace(ids, tape));
    }

    /// Next-token scores after the last of T new tokens: ids `[B, T]` → logits `[B, V]`. The cache remembers the tokens, so
    /// a prompt can be read in pieces and each further token costs one position.
    ///
    /// # Panics
    /// When the cached and the new tokens exceed the context.
    #[must_use]
    pub fn forward_cached(&self, ids: Tensor<2, Int>, cache: &mut KvCache) -> Tensor<2> {
        whichever!(self, model => model.forward_cached(ids, cache))
    }

    /// Next-token scores at some positions only, as learning from answers alone needs them: ids `[B, T]` and indices `[M]`
    /// into the B·T positions, row-major → logits `[M, V]`. Differentiable as [`Self::forward`] is. The projection to the
    /// vocabulary, which is most of a small model's work, is made for these positions alone.
    ///
    /// # Panics
    /// When T exceeds the context, or an index B·T.
    #[must_use]
    pub fn logits_at(&self, ids: Tensor<2, Int>, rows: Tensor<1, Int>) -> Tensor<2> {
        whichever!(self, model => model.logits_at(ids, rows))
    }

    /// Next-token scores at some tokens of a tree of sequences that follow what the cache holds: ids `[T]`, `wanted` N
    /// tokens among them → logits `[N, V]`. The cache, which holds one sequence or none, stays as it is.
    ///
    /// # Panics
    /// When the cached tokens and the longest sequence exceed the context, or the tree has another number of tokens.
    #[must_use]
    pub fn forward_tree(&self, ids: &[u32], tree: &TokenTree, wanted: &[usize], cache: &mut KvCache) -> Tensor<2> {
        assert_eq!(ids.len(), tree.len(), "ids of another tree");
        let wanted: Vec<i32> = wanted.iter().map(|&token| token as i32).collect();
        let count = wanted.len();
        let wanted = Tensor::from_data(TensorData::new(wanted, [count]), &self.device());
        whichever!(self, model => model.forward_tree(self.ids(ids), tree, wanted, cache))
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
            Self::GptNeox(model) => model.context,
            Self::Llama(model) => model.context,
            Self::Gemma2(model) => model.context,
        }
    }

    /// Number of blocks.
    #[must_use]
    pub fn layers(&self) -> usize {
        whichever!(self, model => model.blocks.len())
    }

    /// Vocabulary size V.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        whichever!(self, model => model.token_embedding.dims()[0])
    }

    /// Where the weights are; token ids must be made there too.
    #[must_use]
    pub fn device(&self) -> Device {
        whichever!(self, model => model.token_embedding.device())
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
    pub fn head_width(&self) -> usize {
        match self {
            Self::Gpt2(config) => config.hidden / config.heads,
            Self::GptNeox(config) => config.hidden / config.heads,
            Self::Llama(config) => config.head_width,
            Self::Gemma2(config) => config.head_width,
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
