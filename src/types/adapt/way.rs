//! The ways.

use crate::types::{Ability, ModelInfo};
use serde::{Deserialize, Serialize};

/// A way to adapt a model to a task of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Examples stand in the prompt, and the likeliest label is the answer (Brown et al. 2020). Nothing is learned.
    Examples,
    /// A logistic regression on what the frozen model makes of each text or picture.
    Embeddings,
    /// The class whose examples' mean vector is nearest by cosine.
    Prototypes,
    /// A new head learns on the frozen body.
    Head,
    /// A new head, and low-rank changes of the body (Hu et al. 2021).
    Lora,
    /// A new head and every weight.
    Full,
    /// The same, from random weights: what pre-training was worth.
    Scratch,
}

impl Way {
    /// Every one, in the order in which they are told.
    pub const ALL: [Self; 7] =
        [Self::Examples, Self::Embeddings, Self::Prototypes, Self::Head, Self::Lora, Self::Full, Self::Scratch];

    /// Its name in commands and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Examples => "examples",
            Self::Embeddings => "embeddings",
            Self::Prototypes => "prototypes",
            Self::Head => "head",
            Self::Lora => "lora",
            Self::Full => "full",
            Self::Scratch => "scratch",
        }
    }

    /// The way of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }

    /// A few words for a legend.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Examples => "Examples in the prompt",
            Self::Embeddings => "Embeddings, logistic regression",
            Self::Prototypes => "Embeddings, nearest mean",
            Self::Head => "A head",
            Self::Lora => "LoRA and a head",
            Self::Full => "All weights",
            Self::Scratch => "From random weights",
        }
    }

    /// True where what the frozen model makes of each example is all that is needed of it.
    #[must_use]
    pub fn needs_vectors(self) -> bool {
        matches!(self, Self::Embeddings | Self::Prototypes)
    }

    /// Why a model cannot be adapted so, in a sentence; nothing where it can.
    #[must_use]
    pub fn hindrance(self, model: &ModelInfo) -> Option<String> {
        let name = &model.name;
        match self {
            Self::Examples if !model.can(Ability::Continue) => {
                Some(format!("{name} continues no text, so no examples can be shown to it in a prompt."))
            }
            // PEFT changes what transformers calls a linear layer. Of rank 8 a change of 16 kernels of 3 × 3 holds 200 numbers, and these 144.
            Self::Lora if model.can(Ability::ReadDigits) => Some(format!(
                "{name} is no transformer, in whose projections low-rank changes are learned; its layers are small enough to learn as a whole."
            )),
            Self::Lora if model.can(Ability::Remember) => {
                Some(format!("{name} is made of recurrent layers, whose matrices no adapter changes."))
            }
            _ => None,
        }
    }

    /// True where a network learns.
    #[must_use]
    pub fn trains(self) -> bool {
        matches!(self, Self::Head | Self::Lora | Self::Full | Self::Scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_found_by_its_name() {
        for way in Way::ALL {
            assert_eq!(Way::of_name(way.name()), Some(way));
            assert_eq!(serde_json::to_string(&way).unwrap(), format!("{:?}", way.name()));
        }
        assert_eq!(Way::of_name("magic"), None);
    }
}
