//! Tensor maths on burn only: the models, the hooks that reach inside them, and sampling.
//!
//! Must not know: files, tokenizers, threads, windows. A model takes token ids and gives scores; where the weights come from
//! is [`crate::load`]'s business. One architecture a file, read top to bottom; shapes stand behind every reshape.

mod activation;
mod attention;
mod bert;
mod bidirectional;
mod cache;
mod causal_lm;
mod decoder;
mod digit;
mod digit_cnn;
mod digit_mlp;
mod distilbert;
mod encoder_block;
mod gemma2;
mod gpt2;
mod gpt_neox;
mod hooks;
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
mod text_config;
mod text_encoder;
mod tokens;
mod traffic;
mod tree;
mod vit;

pub use activation::Activation;
pub use attention::Scoring;
pub use bert::{Bert, BertConfig};
pub use bidirectional::PaddingMask;
pub use cache::KvCache;
pub use causal_lm::{CausalLm, DecoderState};
pub use digit::{DigitConfig, DigitNet};
pub use digit_cnn::{DigitCnn, DigitCnnConfig};
pub use digit_mlp::{DigitMlp, DigitMlpConfig};
pub use distilbert::{DistilBert, DistilBertConfig};
pub use encoder_block::{EncoderBlock, EncoderShape};
pub use gemma2::{Gemma2, Gemma2Block, Gemma2Config};
pub use gpt_neox::{GptNeox, GptNeoxBlock, GptNeoxConfig};
pub use gpt2::{Gpt2, Gpt2Block, Gpt2Config};
pub use hooks::{Change, Hooks, SiteEdit, SiteGradients, SiteValue};
pub use linear::{Linear, embedding, in_full_precision, in_half_precision, project};
pub use llama::{Llama, LlamaBlock, LlamaConfig, LlamaFamily};
pub use loss::cross_entropy;
pub use mask::SlidingWindow;
pub use masked_lm::MaskedLmHead;
pub use norm::{LayerNorm, RmsNorm};
pub use padding::Padding;
pub use roberta::{Roberta, RobertaConfig};
pub use rope::{RopeFrequencies, RopeScaling};
pub use scores::{Scores, Unreadable};
pub use text_config::TextConfig;
pub use text_encoder::{EncoderBatch, EncoderConfig, EncoderOutput, TextEncoder};
pub use traffic::read_bandwidth;
pub use tree::TokenTree;
pub use vit::{Vit, VitBlock, VitConfig};

pub use crate::types::Random;

/// Standard deviation of random weights (Radford et al. 2019).
const INIT_STD: f64 = 0.02;
