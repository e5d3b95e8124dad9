//! What is known of a model and of the device it runs on.

use crate::types::{Ability, AdapterInfo, HeldOut, ModelId, OwnSampling, Shape};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The architectures Fovea runs, by the name in `config.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Architecture {
    /// `GPT2LMHeadModel`: learned positions, LayerNorm, GELU (Radford et al. 2019).
    Gpt2,
    /// `GPTNeoXForCausalLM`: partly rotary positions, attention and MLP side by side (Black et al. 2022); Pythia.
    GptNeox,
    /// `LlamaForCausalLM`: rotary positions, RMSNorm, gated MLP (Touvron et al. 2023); Llama 1 to 3, SmolLM.
    Llama,
    /// `MistralForCausalLM`: Llama with a sliding window (Jiang et al. 2023).
    Mistral,
    /// `Qwen2ForCausalLM`: Llama with biases on queries, keys and values (Yang et al. 2024); Qwen 2 and 2.5.
    Qwen2,
    /// `Qwen3ForCausalLM`: Llama with normalised queries and keys (Yang et al. 2025).
    Qwen3,
    /// `Gemma2ForCausalLM`: norms on both sides, capped scores, windows in turns (Gemma Team 2024).
    Gemma2,
    /// Embeddings, layers of long short-term memory, a head (Hochreiter and Schmidhuber 1997); tensors as PyTorch's `nn.LSTM` has them.
    Lstm,
    /// The same with plain tanh layers (Elman 1990), as PyTorch's `nn.RNN`.
    Rnn,
    /// A tanh layer over the embeddings of the last tokens (Bengio et al. 2003).
    FeedForward,
    /// `BertModel`, `BertForMaskedLM`: learned positions, attention both ways (Devlin et al. 2019).
    Bert,
    /// `RobertaModel`, `RobertaForMaskedLM`: BERT with other positions (Liu et al. 2019).
    Roberta,
    /// `DistilBertModel`, `DistilBertForMaskedLM`: a smaller BERT (Sanh et al. 2019).
    DistilBert,
    /// `ViTForImageClassification`, `ViTModel`: patches of a picture as tokens (Dosovitskiy et al. 2021).
    Vit,
    /// `DeiTForImageClassification` and its kin: ViT with a distillation token (Touvron et al. 2021).
    Deit,
    /// Fully connected digit network, 784 inputs.
    DigitMlp,
    /// Convolutional digit network, 1×28×28 inputs.
    DigitCnn,
}

impl Architecture {
    /// Every one.
    pub const ALL: [Self; 17] = [
        Self::Gpt2,
        Self::GptNeox,
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma2,
        Self::Lstm,
        Self::Rnn,
        Self::FeedForward,
        Self::Bert,
        Self::Roberta,
        Self::DistilBert,
        Self::Vit,
        Self::Deit,
        Self::DigitMlp,
        Self::DigitCnn,
    ];

    /// The name written in the `architectures` field of `config.json`: the first of [`Self::config_names`].
    #[must_use]
    pub fn config_name(self) -> &'static str {
        self.config_names()[0]
    }

    /// The names that stand in the `architectures` field of `config.json`: without a head and with each.
    #[must_use]
    pub fn config_names(self) -> &'static [&'static str] {
        match self {
            Self::Gpt2 => &["GPT2LMHeadModel", "GPT2ForSequenceClassification"],
            Self::GptNeox => &["GPTNeoXForCausalLM", "GPTNeoXForSequenceClassification"],
            Self::Llama => &["LlamaForCausalLM", "LlamaForSequenceClassification"],
            Self::Mistral => &["MistralForCausalLM", "MistralForSequenceClassification"],
            Self::Qwen2 => &["Qwen2ForCausalLM", "Qwen2ForSequenceClassification"],
            Self::Qwen3 => &["Qwen3ForCausalLM", "Qwen3ForSequenceClassification"],
            Self::Gemma2 => &["Gemma2ForCausalLM", "Gemma2ForSequenceClassification"],
            Self::Lstm => &["FoveaLstmForCausalLM", "FoveaLstmForSequenceClassification"],
            Self::Rnn => &["FoveaRnnForCausalLM", "FoveaRnnForSequenceClassification"],
            Self::FeedForward => &["FoveaFeedForwardForCausalLM", "FoveaFeedForwardForSequenceClassification"],
            // The second task of BERT's pre-training, whether one sentence follows another, has no use here.
            Self::Bert => &["BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification"],
            Self::Roberta => &["RobertaModel", "RobertaForMaskedLM", "RobertaForSequenceClassification"],
            Self::DistilBert => &["DistilBertModel", "DistilBertForMaskedLM", "DistilBertForSequenceClassification"],
            Self::Vit => &["ViTModel", "ViTForImageClassification"],
            Self::Deit => &["DeiTModel", "DeiTForImageClassification", "DeiTForImageClassificationWithTeacher"],
            Self::DigitMlp => &["FoveaDigitMlp"],
            Self::DigitCnn => &["FoveaDigitCnn"],
        }
    }

    /// The architecture of this name in the `architectures` field of `config.json`.
    #[must_use]
    pub fn from_config_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.config_names().contains(&name))
    }

    /// The family's name in the `model_type` field of `config.json`: Hugging Face's, where it has one.
    #[must_use]
    pub fn model_type(self) -> Option<&'static str> {
        match self {
            Self::Gpt2 => Some("gpt2"),
            Self::GptNeox => Some("gpt_neox"),
            Self::Llama => Some("llama"),
            Self::Mistral => Some("mistral"),
            Self::Qwen2 => Some("qwen2"),
            Self::Qwen3 => Some("qwen3"),
            Self::Gemma2 => Some("gemma2"),
            Self::Lstm => Some("fovea_lstm"),
            Self::Rnn => Some("fovea_rnn"),
            Self::FeedForward => Some("fovea_feed_forward"),
            Self::Bert => Some("bert"),
            Self::Roberta => Some("roberta"),
            Self::DistilBert => Some("distilbert"),
            Self::Vit => Some("vit"),
            Self::Deit => Some("deit"),
            Self::DigitMlp | Self::DigitCnn => None,
        }
    }

    /// The name in the `architectures` field of a classifier of texts; none for networks that read no text.
    #[must_use]
    pub fn classifier_name(self) -> Option<&'static str> {
        self.config_names().iter().copied().find(|name| name.ends_with("ForSequenceClassification"))
    }

    /// What people call the family.
    #[must_use]
    pub fn family(self) -> &'static str {
        match self {
            Self::Gpt2 => "GPT-2",
            Self::GptNeox => "GPT-NeoX (Pythia)",
            Self::Llama => "Llama",
            Self::Mistral => "Mistral",
            Self::Qwen2 => "Qwen 2",
            Self::Qwen3 => "Qwen 3",
            Self::Gemma2 => "Gemma 2",
            Self::Lstm => "LSTM",
            Self::Rnn => "RNN",
            Self::FeedForward => "Feed-forward",
            Self::Bert => "BERT",
            Self::Roberta => "RoBERTa",
            Self::DistilBert => "DistilBERT",
            Self::Vit => "ViT",
            Self::Deit => "DeiT",
            Self::DigitMlp => "MLP for digits",
            Self::DigitCnn => "CNN for digits",
        }
    }

    /// True for networks whose tokens, or patches, look at each other.
    #[must_use]
    pub fn attends(self) -> bool {
        !matches!(self, Self::Lstm | Self::Rnn | Self::FeedForward | Self::DigitMlp | Self::DigitCnn)
    }

    /// True for blocks that normalise the residual stream after they have added to it.
    #[must_use]
    pub fn normalises_after_adding(self) -> bool {
        matches!(self, Self::Bert | Self::Roberta | Self::DistilBert)
    }

    /// What the model takes and gives, unless a head for classes of texts stands in the place of its own.
    #[must_use]
    pub fn kind(self) -> ModelKind {
        match self {
            Self::Gpt2 | Self::GptNeox | Self::Llama | Self::Mistral | Self::Qwen2 | Self::Qwen3 | Self::Gemma2 => {
                ModelKind::CausalLm
            }
            Self::Lstm | Self::Rnn | Self::FeedForward => ModelKind::CausalLm,
            Self::Bert | Self::Roberta | Self::DistilBert => ModelKind::TextEncoder,
            Self::Vit | Self::Deit => ModelKind::ImageClassifier,
            Self::DigitMlp | Self::DigitCnn => ModelKind::DigitClassifier,
        }
    }
}

/// What a model takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ModelKind {
    /// Tokens in, a distribution over the next token out.
    CausalLm,
    /// A whole text in, one vector a token out; with a head also guesses for masked tokens.
    TextEncoder,
    /// A whole text in, class probabilities out.
    TextClassifier,
    /// A picture in colour in, class probabilities out.
    ImageClassifier,
    /// A 28×28 image in, ten class probabilities out.
    DigitClassifier,
}

impl ModelKind {
    /// Whether models of this kind can be asked for this, with or without a head of their own: what is expected before one
    /// is open. An open one says more, with [`ModelInfo::can`].
    #[must_use]
    pub fn can(self, ability: Ability) -> bool {
        match ability {
            Ability::Adapt => true,
            // Networks that read text without attention are few, and none is shipped.
            Ability::Prompt | Ability::Attend => self != Self::DigitClassifier,
            Ability::Continue => self == Self::CausalLm,
            Ability::Embed => self == Self::TextEncoder,
            Ability::ClassifyTexts => self == Self::TextClassifier,
            Ability::SeePictures => self == Self::ImageClassifier,
            Ability::ReadDigits => self == Self::DigitClassifier,
            Ability::Remember | Ability::FillMasks | Ability::ClassifyPictures => false,
        }
    }
}

/// The element type the weights have in the file. They are computed with in F32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// 32-bit floating point.
    #[default]
    F32,
    /// IEEE half precision.
    F16,
    /// Brain floating point.
    Bf16,
}

impl Precision {
    /// The name in the `dtype` field of config.json.
    #[must_use]
    pub fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        })
    }
}

/// A model that is open and can be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Its handle in this process.
    pub id: ModelId,
    /// The folder's name, for display.
    pub name: String,
    /// The folder it was read from.
    pub path: PathBuf,
    /// Which architecture it is.
    pub architecture: Architecture,
    /// Element type of the weights in the file.
    pub precision: Precision,
    /// Number of weights, tied ones counted once.
    pub parameters: u64,
    /// What it is made of.
    pub shape: Shape,
    /// What its few-shot training left out, where its folder tells.
    pub held_out: Option<HeldOut>,
    /// How its authors sample from it, where its folder tells.
    #[serde(default)]
    pub own_sampling: Option<Box<OwnSampling>>,
    /// What its weights are kept as, where most of them are in blocks of few bits.
    #[serde(default)]
    pub quantised: Option<Quantised>,
    /// The adapter that belongs to it, used or switched off.
    #[serde(default)]
    pub adapter: Option<Box<AdapterInfo>>,
    /// True when no file holds the weights: fine-tuning has changed them and they are not yet saved, or they are random.
    pub modified: bool,
    /// Optimiser steps that lie between the weights in memory and those of [`Self::path`]; 0 as long as they are the same.
    #[serde(default)]
    pub trained_steps: u64,
}

/// Weights in blocks of few bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantised {
    /// The type that most bytes have, such as `Q4_K`.
    pub name: String,
    /// Bytes of all weights, of whatever type.
    pub bytes: u64,
}

impl ModelInfo {
    /// What the weights are kept as, in the field's short words, such as `F16` or `Q4_K`.
    #[must_use]
    pub fn element_type(&self) -> String {
        self.quantised.as_ref().map_or_else(|| self.precision.to_string(), |quantised| quantised.name.clone())
    }

    /// Its name, and whether its weights are those of its folder.
    #[must_use]
    pub fn full_name(&self) -> String {
        let name = match (self.modified, self.trained_steps) {
            (false, _) => self.name.clone(),
            (true, 0) => format!("{} (random weights)", self.name),
            (true, 1) => format!("{} (changed, 1 step)", self.name),
            (true, steps) => format!("{} (changed, {steps} steps)", self.name),
        };
        self.adapter_in_use().map_or(name.clone(), |adapter| format!("{name} + {adapter}"))
    }

    /// True when the weights in use are not those of its folder: they were changed, an adapter is added to them, or their head is that of
    /// an adapter, switched off or not.
    #[must_use]
    pub fn differs_from_files(&self) -> bool {
        self.modified || self.adapter_in_use().is_some() || self.adapter.as_ref().is_some_and(|own| own.holds_head)
    }

    /// Whether something that names a model, by its path or by its name on the hub, may mean this one.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let last = |text: &str| {
            text.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase()
        };
        let wanted = last(name);
        let own = crate::types::model_name(&self.path);
        [self.name.as_str(), own.as_str()].iter().any(|own| last(own) == wanted) && !wanted.is_empty()
    }

    /// The adapter that is in use, as results name it.
    #[must_use]
    pub fn adapter_in_use(&self) -> Option<String> {
        self.adapter.as_ref()?.stamp()
    }

    /// Names of the classes it tells apart, of texts or of pictures.
    #[must_use]
    pub fn labels(&self) -> Option<&[String]> {
        match &self.shape {
            Shape::TextClassifier { tells, .. } => Some(&tells.labels),
            Shape::Vision { sees, .. } => Some(&sees.labels),
            _ => None,
        }
    }

    /// What the model takes and gives.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        if self.can(Ability::ClassifyTexts) { ModelKind::TextClassifier } else { self.architecture.kind() }
    }

    /// Whether it can be asked for this.
    #[must_use]
    pub fn can(&self, ability: Ability) -> bool {
        self.shape.can(ability)
    }
}

/// What the person asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A real GPU where one passes its check, else the CPU.
    #[default]
    Auto,
    /// The first GPU adapter, a software one included.
    Gpu,
    /// Burn's Flex backend.
    Cpu,
}

/// The device in use, and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// What was asked for.
    pub choice: DeviceChoice,
    /// True when computing on wgpu.
    pub is_gpu: bool,
    /// Short name: the adapter's, or `CPU (Flex)`.
    pub name: String,
    /// One sentence that says why this device was chosen.
    pub reason: String,
    /// Compute threads used on the CPU.
    pub threads: usize,
    /// Names of the adapters that were found.
    pub adapters: Vec<String>,
}
