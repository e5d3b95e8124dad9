//! What the score of a token is made of.

use crate::types::PromptToken;
use std::fmt;

/// One of the things that are added into the residual stream, or to the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddedPart {
    /// The embedding of the token.
    Embedding,
    /// The embedding of its position.
    Position,
    /// What one head writes.
    Head {
        /// The block.
        layer: usize,
        /// The head.
        head: usize,
    },
    /// What all heads of a block share: the bias of the projection behind them.
    AttentionBias(usize),
    /// The MLP of a block, its biases included.
    Mlp(usize),
    /// The bias of the last normalisation.
    NormBias,
}

impl fmt::Display for AddedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedding => f.write_str("embedding"),
            Self::Position => f.write_str("position"),
            Self::Head { layer, head } => write!(f, "head {layer}.{head}"),
            Self::AttentionBias(layer) => write!(f, "attention bias {layer}"),
            Self::Mlp(layer) => write!(f, "MLP {layer}"),
            Self::NormBias => f.write_str("bias of the last norm"),
        }
    }
}

/// What the score of a token above that of another one, or above the mean of all, is made of (direct logit attribution, Elhage
/// et al. 2021): each thing that was added into the residual stream, scaled as the last normalisation scales their sum and
/// multiplied with the direction of the score. Of scores that are capped behind the head, before the cap.
///
/// This says what was written in the direction of the score, not what would be missing without it: what later layers make of a
/// part is counted as theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionReport {
    /// The tokens that were read, up to the one at which the score is told.
    pub tokens: Vec<PromptToken>,
    /// The token, as id and text.
    pub target: (u32, String),
    /// The one it is compared with; `None` for the mean over the vocabulary.
    pub against: Option<(u32, String)>,
    /// The parts, in the order in which they are added.
    pub parts: Vec<(AddedPart, f64)>,
    /// The difference of the scores that the model has, before its cap.
    pub score: f64,
    /// The scores as they leave the model: of the token, and of the other one or the mean.
    pub scores: [f64; 2],
    /// By how many tokens the texts were longer than the one token that is meant, for target and against.
    pub left_out: [usize; 2],
}

impl AttributionReport {
    /// A remainder below this share of the largest part is rounding.
    pub const EXACT: f64 = 1e-4;

    /// What is missing from the parts to the score.
    #[must_use]
    pub fn remainder(&self) -> f64 {
        self.score - self.parts.iter().map(|(_, value)| value).sum::<f64>()
    }

    /// The largest part, without its sign.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.parts.iter().fold(0.0, |most, (_, value)| most.max(value.abs()))
    }

    /// True where the parts make the score.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.remainder().abs() < Self::EXACT * self.largest()
    }
}
