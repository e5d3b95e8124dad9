//! Tensor maths on burn only: the models, the hooks that reach inside them, and sampling.
//!
//! Must not know: files, tokenizers, threads, windows. A model takes token ids and gives scores; where the weights come from
//! is [`crate::load`]'s business. One architecture a file, read top to bottom; shapes stand behind every reshape.

mod attribution;
mod batch;
pub mod blocks;
mod fused;
mod heap;
mod hooks;
mod jacobian;
pub mod kernels;
mod layers;
mod models;
pub mod output;
mod redraw;
mod steps;
mod stored;
mod traffic;
mod variants;

pub use attribution::{Attributed, Passed, Scored, ScoredPass, logits, scored};
pub use batch::encoder::EncoderBatch;
pub use batch::padding::Padding;
pub use batch::tree::TokenTree;
pub use heap::trim_heap;
pub(crate) use heap::{Held, hold};
pub use hooks::{Change, Hooks, SiteEdit, SiteGradients, SiteValue};
pub use jacobian::Jacobian;
pub use kernels::rows::Format;
pub use layers::activation::Activation;
pub use layers::attention::Scoring;
pub use layers::bidirectional::PaddingMask;
pub use layers::cache::KvCache;
pub use layers::encoder_block::{EncoderBlock, EncoderShape};
pub use layers::hidden::HiddenLayer;
pub use layers::linear::{Linear, in_full_precision, in_half_precision};
pub use layers::low_rank::{FixedWeight, LowRank};
pub use layers::mask::SlidingWindow;
pub use layers::masked_lm::MaskedLmHead;
pub use layers::norm::{LayerNorm, RmsNorm};
pub use layers::recurrence::{LayerValues, RecurrentLayer};
pub use layers::rope::{RopeFrequencies, RopeScaling};
pub use layers::vector_cache::VectorCache;
pub use layers::weight::Weight;
pub use models::bert::{Bert, BertConfig};
pub use models::causal_lm::{CausalLm, DecoderState};
pub use models::digit::{DigitConfig, DigitNet};
pub use models::digit_cnn::{DigitCnn, DigitCnnConfig};
pub use models::digit_mlp::{DigitMlp, DigitMlpConfig};
pub use models::distilbert::{DistilBert, DistilBertConfig};
pub use models::feed_forward::{EPSILON as FEED_FORWARD_EPSILON, FeedForward, FeedForwardConfig};
pub use models::gemma2::{Gemma2, Gemma2Block, Gemma2Config};
pub use models::gpt_neox::{GptNeox, GptNeoxBlock, GptNeoxConfig};
pub use models::gpt2::{Gpt2, Gpt2Block, Gpt2Config};
pub use models::llama::{Llama, LlamaBlock, LlamaConfig, LlamaFamily};
pub use models::recurrent::{Recurrent, RecurrentConfig};
pub use models::roberta::{Roberta, RobertaConfig};
pub use models::text_classifier::{ClassHead, TextBody, TextClassifier};
pub use models::text_config::{BlockSizes, TextConfig};
pub use models::text_encoder::{EncoderConfig, EncoderOutput, TextEncoder};
pub use models::vit::{Vit, VitBlock, VitConfig};
pub use output::loss::cross_entropy;
pub use output::scores::{Scores, Unreadable};
pub use redraw::redrawn;
pub use steps::{StepsInput, StepsReads, Transformer, steps, steps_bytes, terms};
pub use stored::{HeldBytes, StoredPiece, StoredRows};
pub use traffic::read_bandwidth;
pub use variants::{Asked, Fork, Read, mixed, set};

pub use crate::types::Random;

/// Standard deviation of random weights (Radford et al. 2019).
const INIT_STD: f64 = 0.02;
