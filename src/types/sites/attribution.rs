//! What the score of a token is made of.

use crate::types::{Edit, PromptToken, UserError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One of the things that are added into the residual stream, or to the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddedPart {
    /// The embedding of the token; of a picture, the vector of the special token.
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
    /// The bias of the head that makes scores, where it has one.
    HeadBias,
}

impl AddedPart {
    /// The change under which a head or an MLP adds nothing.
    #[must_use]
    pub fn removal(self) -> Option<Edit> {
        let edit = match self {
            Self::Head { layer, head } => format!("blocks.{layer}.attn.z[{head}] = zero"),
            Self::Mlp(layer) => format!("blocks.{layer}.mlp_out = zero"),
            Self::Embedding | Self::Position | Self::AttentionBias(_) | Self::NormBias | Self::HeadBias => return None,
        };
        edit.parse().ok()
    }

    /// The layer it is of.
    #[must_use]
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Head { layer, .. } | Self::AttentionBias(layer) | Self::Mlp(layer) => Some(layer),
            Self::Embedding | Self::Position | Self::NormBias | Self::HeadBias => None,
        }
    }
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
            Self::HeadBias => f.write_str("bias of the scores"),
        }
    }
}

/// Reads what is removed by its name: `head 3.2` or `MLP 3`.
impl FromStr for AddedPart {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, UserError> {
        let refused = || {
            UserError::new(
                format!("{text:?} is no part that can be removed."),
                "A head has a layer and a number in it, both counted from 0; an MLP has its layer alone.",
                "Write it as ‘head 3.2’ or as ‘MLP 3’.",
            )
        };
        let (kind, place) = text.trim().split_once(' ').ok_or_else(refused)?;
        let number = |text: &str| text.trim().parse().map_err(|_| refused());
        match (kind.to_lowercase().as_str(), place.split_once('.')) {
            ("head", Some((layer, head))) => Ok(Self::Head { layer: number(layer)?, head: number(head)? }),
            ("mlp", None) => Ok(Self::Mlp(number(place)?)),
            _ => Err(refused()),
        }
    }
}

/// What the score is where a part adds nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemovedPart {
    /// Which one.
    pub part: AddedPart,
    /// The difference of the scores then, before the cap.
    pub score: f64,
    /// The scores as they leave the model then.
    pub scores: [f64; 2],
}

/// What the score of a token above that of another one, or above the mean of all, is made of (direct logit attribution, Elhage
/// et al. 2021): each thing that was added into the residual stream, scaled as the last normalisation scales their sum and
/// multiplied with the direction of the score. Of scores that are capped behind the head, before the cap.
///
/// This says what was written in the direction of the score, not what would be missing without it: what later layers make of a
/// part is counted as theirs.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionReport {
    /// The tokens that were read, up to the one at which the score is told; of a picture, the special tokens that are scored.
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
    /// What the score is without one of the parts, if that was asked for.
    pub removed: Option<RemovedPart>,
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

    /// What a part adds.
    #[must_use]
    pub fn value(&self, part: AddedPart) -> Option<f64> {
        self.parts.iter().find(|(of, _)| *of == part).map(|(_, value)| *value)
    }

    /// All parts, the largest first.
    #[must_use]
    pub fn sorted(&self) -> Vec<(AddedPart, f64)> {
        let mut parts = self.parts.clone();
        parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        parts
    }

    /// Layers and the heads of one, as parts have them.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        let of = |part: &AddedPart| (part.layer().map(|layer| layer + 1), head_of(*part).map(|head| head + 1));
        let parts = || self.parts.iter().map(|(part, _)| of(part));
        [parts().filter_map(|of| of.0).max().unwrap_or(0), parts().filter_map(|of| of.1).max().unwrap_or(0)]
    }

    /// True where the parts make the score.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.remainder().abs() < Self::EXACT * self.largest()
    }
}

fn head_of(part: AddedPart) -> Option<usize> {
    if let AddedPart::Head { head, .. } = part { Some(head) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_removed_is_read_by_its_name_and_has_an_edit() {
        for part in [AddedPart::Head { layer: 3, head: 12 }, AddedPart::Mlp(0)] {
            assert_eq!(part.to_string().parse(), Ok(part));
            assert!(part.removal().is_some());
        }
        assert_eq!("mlp 7".parse(), Ok(AddedPart::Mlp(7)));
        for text in ["", "head", "head 3", "mlp 1.2", "head 1.x", "position", "3.2"] {
            assert!(text.parse::<AddedPart>().is_err(), "{text}");
        }
        assert_eq!(AddedPart::AttentionBias(2).removal(), None);
        assert_eq!(AddedPart::Head { layer: 2, head: 1 }.removal().unwrap().to_string(), "blocks.2.attn.z[1] = zero");
    }
}
