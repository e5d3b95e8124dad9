//! What a model is made of, and what it can be asked for.

use crate::types::{ClassifierInfo, EncoderInfo, VisionInfo};
use serde::{Deserialize, Serialize};

/// A stack of equal transformer blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// How many there are.
    pub layers: usize,
    /// Attention heads in each.
    pub heads: usize,
    /// Key-value heads in each; fewer than `heads` means grouped-query attention.
    pub kv_heads: usize,
    /// Width D of the residual stream.
    pub hidden: usize,
}

/// Layers of a network that has no attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// How many there are.
    pub layers: usize,
    /// Width of what the head reads.
    pub hidden: usize,
    /// Tokens that a prediction sees; `None` where a state is handed from token to token.
    pub sees: Option<usize>,
}

/// What stands between embedding and head of a model that reads text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stack {
    /// Those of a transformer.
    Blocks(Blocks),
    /// Those of a recurrent network, or of one that sees a few tokens.
    Layers(Layers),
}

impl Stack {
    /// How many blocks or layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        match self {
            Self::Blocks(blocks) => blocks.layers,
            Self::Layers(layers) => layers.layers,
        }
    }

    /// The blocks, if it is made of such.
    #[must_use]
    pub fn blocks(&self) -> Option<&Blocks> {
        match self {
            Self::Blocks(blocks) => Some(blocks),
            Self::Layers(_) => None,
        }
    }

    /// Width D of what the head reads.
    #[must_use]
    pub fn hidden(&self) -> usize {
        match self {
            Self::Blocks(blocks) => blocks.hidden,
            Self::Layers(layers) => layers.hidden,
        }
    }
}

impl From<Blocks> for Stack {
    fn from(blocks: Blocks) -> Self {
        Self::Blocks(blocks)
    }
}

/// What a model is made of, by what goes in and what comes out. There is no zero for 'has none': what a model lacks, its
/// shape has no field for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Tokens in, a distribution over the next token out.
    Decoder {
        /// What is between embedding and head.
        blocks: Stack,
        /// Size V of the vocabulary.
        vocabulary: usize,
        /// Longest sequence in tokens.
        context: usize,
    },
    /// A whole text in, a vector for each token out; with a head also guesses for masked tokens.
    Encoder {
        /// What is behind the embedding.
        blocks: Blocks,
        /// Size V of the vocabulary.
        vocabulary: usize,
        /// Longest sequence in tokens, special ones included.
        context: usize,
        /// How it makes one vector of a text, and what it guesses.
        reads: EncoderInfo,
    },
    /// A whole text in, a score for each class out: a decoder or an encoder with a head for classes.
    TextClassifier {
        /// What is between embedding and head.
        blocks: Stack,
        /// Size V of the vocabulary.
        vocabulary: usize,
        /// Longest sequence in tokens, special ones included.
        context: usize,
        /// The classes, and what their scores mean.
        tells: ClassifierInfo,
    },
    /// A picture in colour in, probabilities of classes out.
    Vision {
        /// What is behind the embedding of the patches.
        blocks: Blocks,
        /// Tokens of every picture: its patches and what stands before them.
        tokens: usize,
        /// Sizes of pictures, and the classes.
        sees: VisionInfo,
    },
    /// A 28×28 image in, probabilities of the ten digits out.
    Digits {
        /// Layers with weights.
        layers: usize,
        /// Classes it tells apart.
        classes: usize,
    },
}

impl Shape {
    /// The transformer blocks, where it has such.
    #[must_use]
    pub fn blocks(&self) -> Option<&Blocks> {
        match self {
            Self::Decoder { blocks, .. } | Self::TextClassifier { blocks, .. } => blocks.blocks(),
            Self::Encoder { blocks, .. } | Self::Vision { blocks, .. } => Some(blocks),
            Self::Digits { .. } => None,
        }
    }

    /// Blocks, or layers with weights where there are none.
    #[must_use]
    pub fn layers(&self) -> usize {
        match self {
            Self::Digits { layers, .. } => *layers,
            Self::Decoder { blocks, .. } | Self::TextClassifier { blocks, .. } => blocks.layers(),
            Self::Encoder { blocks, .. } | Self::Vision { blocks, .. } => blocks.layers,
        }
    }

    /// Width D of what the head reads; none for digit networks.
    #[must_use]
    pub fn hidden(&self) -> Option<usize> {
        match self {
            Self::Decoder { blocks, .. } | Self::TextClassifier { blocks, .. } => Some(blocks.hidden()),
            Self::Encoder { blocks, .. } | Self::Vision { blocks, .. } => Some(blocks.hidden),
            Self::Digits { .. } => None,
        }
    }

    /// The layers of a network that reads text without attention.
    #[must_use]
    pub fn without_attention(&self) -> Option<&Layers> {
        match self {
            Self::Decoder { blocks: Stack::Layers(layers), .. }
            | Self::TextClassifier { blocks: Stack::Layers(layers), .. } => Some(layers),
            _ => None,
        }
    }

    /// Size V of the vocabulary of a model that reads text.
    #[must_use]
    pub fn vocabulary(&self) -> Option<usize> {
        match self {
            Self::Decoder { vocabulary, .. }
            | Self::Encoder { vocabulary, .. }
            | Self::TextClassifier { vocabulary, .. } => Some(*vocabulary),
            Self::Vision { .. } | Self::Digits { .. } => None,
        }
    }

    /// Classes that a picture or a text is put into; 0 for a vision transformer without a head.
    #[must_use]
    pub fn classes(&self) -> Option<usize> {
        match self {
            Self::Vision { sees, .. } => Some(sees.labels.len()),
            Self::TextClassifier { tells, .. } => Some(tells.labels.len()),
            Self::Digits { classes, .. } => Some(*classes),
            Self::Decoder { .. } | Self::Encoder { .. } => None,
        }
    }

    /// The longest sequence in tokens, of a model that reads such.
    #[must_use]
    pub fn context(&self) -> Option<usize> {
        match self {
            Self::Decoder { context, .. } | Self::Encoder { context, .. } | Self::TextClassifier { context, .. } => {
                Some(*context)
            }
            Self::Vision { tokens, .. } => Some(*tokens),
            Self::Digits { .. } => None,
        }
    }

    /// True where a token sees nothing of what comes after it.
    #[must_use]
    pub fn is_causal(&self) -> bool {
        match self {
            Self::Decoder { .. } => true,
            Self::TextClassifier { tells, .. } => !tells.sees_both_ways,
            Self::Encoder { .. } | Self::Vision { .. } | Self::Digits { .. } => false,
        }
    }

    /// What only a text encoder has.
    #[must_use]
    pub fn encoder(&self) -> Option<&EncoderInfo> {
        if let Self::Encoder { reads, .. } = self { Some(reads) } else { None }
    }

    /// What only a classifier of texts has.
    #[must_use]
    pub fn classifier(&self) -> Option<&ClassifierInfo> {
        if let Self::TextClassifier { tells, .. } = self { Some(tells) } else { None }
    }

    /// What only a vision transformer has.
    #[must_use]
    pub fn vision(&self) -> Option<&VisionInfo> {
        if let Self::Vision { sees, .. } = self { Some(sees) } else { None }
    }

    /// Whether a model of this shape can be asked for this.
    #[must_use]
    pub fn can(&self, ability: Ability) -> bool {
        match (self, ability) {
            (_, Ability::Adapt) => true,
            (_, Ability::Attend) => self.blocks().is_some(),
            (_, Ability::Remember) => self.without_attention().is_some_and(|layers| layers.sees.is_none()),
            (Self::Encoder { reads, .. }, Ability::FillMasks) => reads.mask.is_some(),
            (Self::Vision { sees, .. }, Ability::ClassifyPictures) => !sees.labels.is_empty(),
            (Self::Digits { .. }, Ability::Prompt) => false,
            (Self::Decoder { .. }, Ability::Continue)
            | (Self::Encoder { .. }, Ability::Embed)
            | (Self::TextClassifier { .. }, Ability::ClassifyTexts)
            | (Self::Vision { .. }, Ability::SeePictures)
            | (_, Ability::Prompt)
            | (Self::Digits { .. }, Ability::ReadDigits) => true,
            _ => false,
        }
    }
}

/// Something a model can be asked for. Panels and commands ask for the ability they need, not for a kind of model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ability {
    /// Takes what the prompt panel gives: a text or a picture in colour.
    Prompt,
    /// Has attention patterns.
    Attend,
    /// Hands a state from token to token: gates and hidden values over time.
    Remember,
    /// Gives a distribution over the next token: generation, scores of answers, few-shot work.
    Continue,
    /// Gives one vector for a text.
    Embed,
    /// Guesses masked tokens.
    FillMasks,
    /// Says which class a text belongs to.
    ClassifyTexts,
    /// Reads pictures in colour.
    SeePictures,
    /// Says which class a picture in colour shows.
    ClassifyPictures,
    /// Reads 28×28 digits.
    ReadDigits,
    /// Can be adapted to a task of labels, of texts or of pictures.
    Adapt,
}

impl Ability {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::Prompt,
        Self::Attend,
        Self::Remember,
        Self::Continue,
        Self::Embed,
        Self::FillMasks,
        Self::ClassifyTexts,
        Self::SeePictures,
        Self::ClassifyPictures,
        Self::ReadDigits,
        Self::Adapt,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Pooling, Problem};

    #[test]
    fn shapes_are_read_as_they_were_written_before_there_were_others() {
        let written =
            r#"{"decoder":{"blocks":{"layers":2,"heads":4,"kv_heads":2,"hidden":8},"vocabulary":5,"context":6}}"#;
        let shape: Shape = serde_json::from_str(written).unwrap();
        assert_eq!(shape.blocks().map(|blocks| blocks.kv_heads), Some(2));
        assert_eq!(serde_json::to_string(&shape).unwrap(), written);
        let layers = Stack::Layers(Layers { layers: 2, hidden: 8, sees: None });
        let shape = Shape::Decoder { blocks: layers, vocabulary: 5, context: 6 };
        assert_eq!(serde_json::from_str::<Shape>(&serde_json::to_string(&shape).unwrap()).unwrap(), shape);
    }

    #[test]
    fn a_model_without_a_head_cannot_do_what_the_head_does() {
        let blocks = Blocks { layers: 1, heads: 1, kv_heads: 1, hidden: 1 };
        let reads =
            EncoderInfo { mask: None, pooling: Pooling::Mean, normalised: false, is_sentence_model: false, longest: 1 };
        let mut encoder = Shape::Encoder { blocks, vocabulary: 1, context: 1, reads };
        assert!(encoder.can(Ability::Embed) && encoder.can(Ability::Attend) && !encoder.can(Ability::FillMasks));
        if let Shape::Encoder { reads, .. } = &mut encoder {
            reads.mask = Some("[MASK]".into());
        }
        assert!(encoder.can(Ability::FillMasks) && !encoder.can(Ability::Continue));

        let sees = VisionInfo { size: [8, 8], grid: [2, 2], labels: Vec::new() };
        let vision = Shape::Vision { blocks, tokens: 5, sees };
        assert!(vision.can(Ability::SeePictures) && !vision.can(Ability::ClassifyPictures));

        let tells = ClassifierInfo {
            labels: vec!["a".into(), "b".into()],
            problem: Problem::OneClass,
            longest: 1,
            sees_both_ways: false,
        };
        let classifier = Shape::TextClassifier { blocks: blocks.into(), vocabulary: 1, context: 1, tells };
        assert!(classifier.can(Ability::ClassifyTexts) && classifier.can(Ability::Attend));
        assert!(classifier.can(Ability::Prompt) && !classifier.can(Ability::Continue));
        assert_eq!(classifier.classes(), Some(2));

        let recurrent = |sees| {
            let layers = Layers { layers: 2, hidden: 4, sees };
            Shape::Decoder { blocks: Stack::Layers(layers), vocabulary: 1, context: 1 }
        };
        assert!(recurrent(None).can(Ability::Continue) && recurrent(None).can(Ability::Prompt));
        assert!(!recurrent(None).can(Ability::Attend) && recurrent(None).can(Ability::Remember));
        assert!(!recurrent(Some(3)).can(Ability::Remember) && recurrent(Some(3)).can(Ability::Continue));

        let digits = Shape::Digits { layers: 3, classes: 10 };
        assert!(digits.can(Ability::ReadDigits) && !digits.can(Ability::Attend) && !digits.can(Ability::Prompt));
    }
}
