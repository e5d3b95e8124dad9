//! The architectures of llama.cpp that Fovea runs, by the names files have for them.

use crate::types::Architecture;

/// An architecture of llama.cpp. Mistrals call themselves llama.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Family {
    Llama,
    Qwen2,
    Qwen3,
    Gemma2,
    Gpt2,
    GptNeox,
    Bert,
}

impl Family {
    pub(super) const ALL: [Self; 7] =
        [Self::Llama, Self::Qwen2, Self::Qwen3, Self::Gemma2, Self::Gpt2, Self::GptNeox, Self::Bert];

    /// As it stands in a file.
    pub(in crate::load) fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma2 => "gemma2",
            Self::Gpt2 => "gpt2",
            Self::GptNeox => "gptneox",
            Self::Bert => "bert",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    /// The architecture here.
    pub(super) fn architecture(self) -> Architecture {
        match self {
            Self::Llama => Architecture::Llama,
            Self::Qwen2 => Architecture::Qwen2,
            Self::Qwen3 => Architecture::Qwen3,
            Self::Gemma2 => Architecture::Gemma2,
            Self::Gpt2 => Architecture::Gpt2,
            Self::GptNeox => Architecture::GptNeox,
            Self::Bert => Architecture::Bert,
        }
    }

    /// The architecture of llama.cpp that a model here is written as, if it has one.
    pub(in crate::load) fn of(architecture: Architecture) -> Option<Self> {
        if architecture == Architecture::Mistral {
            return Some(Self::Llama);
        }
        Self::ALL.into_iter().find(|family| family.architecture() == architecture)
    }
}
