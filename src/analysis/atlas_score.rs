//! The scores of a head: what each is called, how it is computed, and of which models and sequences it is.

use crate::types::{Ability, ModelInfo};

/// How a model reads, on which depends what of its heads can be scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// A decoder: a token sees itself and those before it.
    LeftToRight,
    /// An encoder: a token sees all others.
    BothWays,
    /// A vision transformer: patches see each other, and none comes before another.
    Patches,
}

impl Order {
    /// How this model reads; `None` for one without attention.
    #[must_use]
    pub fn of(info: &ModelInfo) -> Option<Self> {
        let order = if info.shape.is_causal() {
            Self::LeftToRight
        } else if info.can(Ability::SeePictures) {
            Self::Patches
        } else {
            Self::BothWays
        };
        info.can(Ability::Attend).then_some(order)
    }
}

/// One score of a head. A is its pattern, `[T, T]` with a row a query q; S is the length of what a probe says twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AtlasScore {
    /// To the token before.
    Previous,
    /// To the token itself.
    Own,
    /// To the first token, on which heads rest that find nothing (attention sink, Xiao et al. 2023).
    Sink,
    /// How spread out rows are.
    Entropy,
    /// How far back it looks.
    Distance,
    /// How far away it looks, either way.
    AbsoluteDistance,
    /// How much distances differ.
    DistanceVariance,
    /// To earlier occurrences of the same token.
    Duplicate,
    /// To what came after earlier occurrences of the same token (Olsson et al. 2022), on any text.
    Induction,
    /// The same by the diagonal of a sequence said twice, as `TransformerLens`' demonstrations compute it.
    InductionDiagonal,
    /// That diagonal over the tokens alone that are said again.
    InductionRepeats,
    /// To the token behind.
    Next,
    /// To tokens such as `[SEP]`, which a tokenizer puts behind a text.
    Separator,
}

impl AtlasScore {
    /// Every one, in the order of columns.
    pub const ALL: [Self; 13] = [
        Self::Induction,
        Self::InductionRepeats,
        Self::InductionDiagonal,
        Self::Previous,
        Self::Next,
        Self::Duplicate,
        Self::Sink,
        Self::Separator,
        Self::Own,
        Self::Entropy,
        Self::Distance,
        Self::AbsoluteDistance,
        Self::DistanceVariance,
    ];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub(super) fn place(self) -> usize {
        Self::ALL.iter().position(|score| *score == self).expect("all scores are listed")
    }

    /// The name of its definition in files and on the command line. It never changes its meaning.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Previous => "previous_token",
            Self::Own => "self",
            Self::Sink => "first_token",
            Self::Entropy => "entropy",
            Self::Distance => "distance",
            Self::AbsoluteDistance => "absolute_distance",
            Self::DistanceVariance => "distance_variance",
            Self::Duplicate => "duplicate_token",
            Self::Induction => "induction",
            Self::InductionDiagonal => "induction_diagonal",
            Self::InductionRepeats => "induction_repeats",
            Self::Next => "next_token",
            Self::Separator => "separator",
        }
    }

    /// The score of this id.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|score| score.id() == id)
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Previous => "Previous token",
            Self::Own => "Self",
            Self::Sink => "First token",
            Self::Entropy => "Entropy",
            Self::Distance => "Distance",
            Self::AbsoluteDistance => "Absolute distance",
            Self::DistanceVariance => "Variance of distance",
            Self::Duplicate => "Duplicate token",
            Self::Induction => "Induction",
            Self::InductionDiagonal => "Induction, diagonal",
            Self::InductionRepeats => "Induction, repeats",
            Self::Next => "Next token",
            Self::Separator => "Separator",
        }
    }

    /// The same in one word, for the head of a column.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Previous => "Previous",
            Self::Own => "Self",
            Self::Sink => "First",
            Self::Entropy => "Entropy",
            Self::Distance => "Distance",
            Self::AbsoluteDistance => "|Distance|",
            Self::DistanceVariance => "Variance",
            Self::Duplicate => "Duplicate",
            Self::Induction => "Induction",
            Self::InductionDiagonal => "Diagonal",
            Self::InductionRepeats => "Repeats",
            Self::Next => "Next",
            Self::Separator => "Separator",
        }
    }

    /// How it is computed, with what it is divided by.
    #[must_use]
    pub fn formula(self) -> &'static str {
        match self {
            Self::Previous => "Σ A[q, q−1] / (T − 1), over the T − 1 queries behind the first",
            Self::Own => "Σ A[q, q] / T, over all T queries",
            Self::Sink => "Σ A[q, 0] / (T − 1), over the T − 1 queries behind the first",
            Self::Entropy => "−Σ A[q, k] ln A[q, k] / T in nats, over the rows of all T queries",
            Self::Distance => "Σ A[q, k] · (q − k) / T in tokens, over all T queries; above 0 it looks back",
            Self::AbsoluteDistance => "Σ A[q, k] · |q − k| / T in tokens, over all T queries",
            Self::DistanceVariance => {
                "Σ A[q, k] · (q − k − m)² / T, pooled over all T queries, m being the mean distance Σ A[q, k] · (q − k) / T"
            }
            Self::Duplicate => {
                "Σ A[q, p] over all p < q that hold the same token, / the number of queries that have such a p"
            }
            Self::Induction => {
                "Σ A[q, p+1] over all p < q that hold the same token, / the number of queries that have such a p"
            }
            Self::InductionDiagonal => {
                "Σ A[q, q−(S−1)] / the cells of that diagonal: S + 1 of S tokens said twice, one more for each token before \
                 them; the cell A[S−1, 0], which no repeated token has, is one of them"
            }
            Self::InductionRepeats => {
                "Σ A[q, q−(S−1)] / S, over the S tokens that are said again, without the cell A[S−1, 0]"
            }
            Self::Next => "Σ A[q, q+1] / (T − 1), over the T − 1 queries before the last",
            Self::Separator => "Σ A[q, k] over all separators k, / T, over all T queries",
        }
    }

    /// What it means, in a sentence for a beginner.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Previous => "The share of attention that goes to the token before.",
            Self::Own => "The share of attention that a token keeps for itself.",
            Self::Sink => {
                "The share that goes to the first token, where heads rest that find nothing to look at (a sink)."
            }
            Self::Entropy => "How spread out attention is: 0 is one token alone, ln n an even share for n tokens.",
            Self::Distance => "How many tokens back the head looks, weighted by attention.",
            Self::AbsoluteDistance => "How many tokens away the head looks, before or behind, weighted by attention.",
            Self::DistanceVariance => "How much that distance differs from place to place.",
            Self::Duplicate => "The share that goes to earlier places with the same token.",
            Self::Induction => {
                "The share that goes to what came after the same token before: such a head continues a sequence as it went on \
                 last time."
            }
            Self::InductionDiagonal => {
                "Induction on random tokens said twice, the mean of a whole diagonal. A perfect head that rests elsewhere than \
                 on the first token has S/(S+1), not 1."
            }
            Self::InductionRepeats => {
                "Induction on random tokens said twice, over repeated tokens alone. A perfect head has 1."
            }
            Self::Next => "The share of attention that goes to the token behind.",
            Self::Separator => "The share that goes to separators such as [SEP], where heads of an encoder rest.",
        }
    }

    /// True of models that read like this.
    #[must_use]
    pub fn is_of(self, order: Order) -> bool {
        match self {
            Self::Own | Self::Sink | Self::Entropy => true,
            Self::Next | Self::Separator | Self::AbsoluteDistance => order == Order::BothWays,
            Self::Previous
            | Self::Distance
            | Self::DistanceVariance
            | Self::Duplicate
            | Self::Induction
            | Self::InductionDiagonal
            | Self::InductionRepeats => order != Order::Patches,
        }
    }

    /// True where it is of a sequence said twice and of no other text.
    #[must_use]
    pub fn needs_probe(self) -> bool {
        matches!(self, Self::InductionDiagonal | Self::InductionRepeats)
    }

    /// True of a share of attention, in `0..=1`.
    #[must_use]
    pub fn is_share(self) -> bool {
        !matches!(self, Self::Entropy | Self::Distance | Self::AbsoluteDistance | Self::DistanceVariance)
    }

    /// Why a sequence can be too poor for it.
    #[must_use]
    pub fn why_missing(self) -> &'static str {
        match self {
            Self::Previous | Self::Sink | Self::Next => "a sequence of one token has no second one",
            Self::Duplicate | Self::Induction => "no token comes twice",
            Self::InductionDiagonal | Self::InductionRepeats => "it is measured on random tokens said twice",
            Self::Separator => "there is no separator",
            Self::Own | Self::Entropy | Self::Distance | Self::AbsoluteDistance | Self::DistanceVariance => {
                "there is no token"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_back_to_their_scores_and_no_two_are_alike() {
        for (place, score) in AtlasScore::ALL.into_iter().enumerate() {
            assert_eq!((AtlasScore::from_id(score.id()), score.place()), (Some(score), place));
            let same_name = AtlasScore::ALL.iter().filter(|other| other.name() == score.name());
            assert_eq!(same_name.count(), 1, "{}", score.name());
        }
        assert_eq!(AtlasScore::from_id("previous"), None);
    }

    #[test]
    fn every_formula_names_what_it_is_divided_by() {
        assert!(AtlasScore::ALL.iter().all(|score| score.formula().contains("/ ")));
    }
}
