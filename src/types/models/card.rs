//! What a model folder says about itself: the figures of a model card.

use crate::types::{Architecture, Precision, bytes_in_words};
use serde::Serialize;
use std::path::PathBuf;

/// The figures of one model, by its configuration and the headers of its weight files.
///
/// `None` stands for what the files do not tell. Sizes use the names of the field: L layers, H heads, K head width,
/// D hidden width, V vocabulary.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelCard {
    /// For display: `owner/name` for a model of the hub, else the folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// The name that config.json gives, such as `LlamaForCausalLM`.
    pub architecture_name: String,
    /// The architecture, where Fovea runs it.
    pub architecture: Option<Architecture>,
    /// Number of weights, tied ones counted once; masks and positions that are only stored do not count.
    pub parameters: Option<u64>,
    /// Weights that one token is multiplied with: those of all matrices, the head's included and embeddings left out.
    pub matmul_parameters: Option<u64>,
    /// Element type of most weights in the files, where that is one that models are computed in.
    pub precision: Option<Precision>,
    /// The element types of the tensors, that of most bytes first.
    pub types: Vec<TypeShare>,
    /// Blocks L.
    pub layers: Option<u64>,
    /// Attention heads H of a block.
    pub heads: Option<u64>,
    /// Key-value heads of a block.
    pub kv_heads: Option<u64>,
    /// Width K of a head.
    pub head_dim: Option<u64>,
    /// Width D of the residual stream.
    pub hidden: Option<u64>,
    /// Width inside the MLP.
    pub intermediate: Option<u64>,
    /// Longest sequence in tokens.
    pub context: Option<u64>,
    /// Vocabulary V.
    pub vocabulary: Option<u64>,
    /// True for models that write token after token and keep keys and values for that.
    pub is_causal: bool,
    /// True when a chat template comes with the tokenizer.
    pub has_chat_template: bool,
    /// What its makers say of it, in Markdown: README.md, or MODEL_CARD.md.
    #[serde(skip)]
    pub text: Option<String>,
    /// From the front matter of that text.
    pub licence: Option<String>,
    /// The folder's files, largest first.
    pub files: Vec<CardFile>,
    /// Why the tensors cannot be listed, when they cannot.
    pub unreadable: Option<String>,
}

/// What tensors of one element type take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TypeShare {
    /// The type, such as `F16` or `Q4_K`.
    pub name: String,
    /// How many tensors have it.
    pub tensors: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One file of a model folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CardFile {
    /// Name within the folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

impl Precision {
    /// Bytes of one value.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

impl ModelCard {
    /// The element types in words, that of most bytes first.
    #[must_use]
    pub fn types_in_words(&self) -> Option<String> {
        let share = |share: &TypeShare| format!("{} ({})", share.name, bytes_in_words(share.bytes));
        match self.types.as_slice() {
            [] => None,
            [one] => Some(one.name.clone()),
            several => Some(several.iter().map(share).collect::<Vec<_>>().join(", ")),
        }
    }

    /// Bytes of all weights as they lie in the files, where some are in blocks of few bits.
    #[must_use]
    pub fn bytes_in_blocks(&self) -> Option<u64> {
        let is_blocks = |share: &TypeShare| share.name.starts_with('Q');
        self.types.iter().any(is_blocks).then(|| self.types.iter().map(|share| share.bytes).sum())
    }

    /// Memory of the weights alone, at a precision.
    #[must_use]
    pub fn weight_bytes(&self, precision: Precision) -> Option<u64> {
        self.parameters.map(|count| weight_bytes(count, precision))
    }

    /// Bytes of the key-value cache for one token: a key and a value of every key-value head of every layer, 2·L·H_kv·K
    /// values. `None` for models without such a cache.
    #[must_use]
    pub fn kv_cache_bytes(&self, precision: Precision) -> Option<u64> {
        let values = 2 * self.layers? * self.kv_heads? * self.head_dim?;
        self.is_causal.then(|| values * precision.bytes())
    }

    /// Floating-point operations for one token that sees `context` tokens, itself included: 2·(weights of matrices) for
    /// the products with weights, and 4·L·H·K·context for attention, which multiplies and adds a query with every key
    /// and every value with its share; networks without attention have none. Norms, activations and the softmax are left out: they are below a hundredth.
    #[must_use]
    pub fn flops_per_token(&self, context: u64) -> Option<u64> {
        let attention = match self.architecture {
            Some(known) if !known.attends() => 0,
            _ => 4 * self.layers? * self.heads? * self.head_dim?,
        };
        Some(2 * self.matmul_parameters? + attention * context)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Memory of so many weights at a precision.
#[must_use]
pub fn weight_bytes(parameters: u64, precision: Precision) -> u64 {
    parameters * precision.bytes()
}
