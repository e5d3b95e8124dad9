//! A text whose tokens stand in another order, or are told no positions, and what changes in a model that reads it.

use crate::types::{Candidate, PromptToken, Site};
use serde::{Deserialize, Serialize};

/// What is done to the order of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reordering {
    /// No token is told its position: learned position embeddings are zero, rotations are by nothing. What a token may see
    /// stays.
    #[default]
    PositionsOff,
    /// Two tokens are told each other's positions. Both stay where they stand, so what they may see stays, too.
    Swapped,
    /// Tokens stand in other places.
    Shuffled,
    /// Tokens stand in other places, and none is told its position.
    ShuffledOff,
}

impl Reordering {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PositionsOff, Self::Swapped, Self::Shuffled, Self::ShuffledOff];

    /// True where tokens stand in other places.
    #[must_use]
    pub fn moves(self) -> bool {
        matches!(self, Self::Shuffled | Self::ShuffledOff)
    }

    /// True where no token is told its position.
    #[must_use]
    pub fn is_off(self) -> bool {
        matches!(self, Self::PositionsOff | Self::ShuffledOff)
    }

    /// True where it needs positions that a model is told.
    #[must_use]
    pub fn needs_positions(self) -> bool {
        self != Self::Shuffled
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PositionsOff => "Positions off",
            Self::Swapped => "Two swapped",
            Self::Shuffled => "Words shuffled",
            Self::ShuffledOff => "Shuffled, positions off",
        }
    }

    /// What it is called in tables.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::PositionsOff => "positions_off",
            Self::Swapped => "swapped",
            Self::Shuffled => "shuffled",
            Self::ShuffledOff => "shuffled_positions_off",
        }
    }
}

/// A text as it is written, and what becomes of it in each other order.
#[derive(Clone, Debug, PartialEq)]
pub struct WordOrderReport {
    /// The tokens as written.
    pub tokens: Vec<PromptToken>,
    /// The token whose vector is followed.
    pub token: usize,
    /// The two that are told each other's positions.
    pub swap: Option<[usize; 2]>,
    /// Which token stands in each place of the shuffled text.
    pub order: Vec<usize>,
    /// Where the model is told positions: `pos_embed` or `rotary`; `None` where it is not.
    pub positions: Option<Site>,
    /// The likeliest tokens as written, most likely first: behind the last token of a decoder, or for the mask that is followed;
    /// `None` where a model says nothing there.
    pub said: Option<Vec<Candidate>>,
    /// What becomes of it, in the order of [`Reordering::ALL`]; those that the model has no positions for are left out.
    pub changes: Vec<ChangedOrder>,
    /// Positions off, in order and shuffled, compared with each other.
    pub without: Option<WithoutOrder>,
    /// Set when heads were left out; says why.
    pub left_out: Option<String>,
}

/// What one other order changes.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedOrder {
    /// What was done.
    pub how: Reordering,
    /// What the model says now.
    pub said: Option<ChangedAnswer>,
    /// Cosines between the vectors of the token that is followed, as written and now: as it enters the first block, and as it
    /// leaves each.
    pub cosines: Vec<f32>,
    /// Cosine between the vectors of the whole text; of encoders without a head that guesses.
    pub pooled: Option<f32>,
    /// Of each head of each layer, the mean over tokens of the total variation between its weights as written and now, each key
    /// found where it went: ½ Σ |A − A′|, from 0 to 1.
    pub heads: Vec<Vec<f32>>,
}

/// What a model says after a change.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedAnswer {
    /// Kullback-Leibler divergence of what is said now from what is said of the text as written, in nats.
    pub kl: f64,
    /// Probability now of each of the tokens that were the likeliest as written.
    pub written: Vec<f32>,
    /// The likeliest tokens now, most likely first, each with its probability as written.
    pub top: Vec<(Candidate, f32)>,
}

/// Two passes without positions: over the tokens as written, and over the shuffled ones.
#[derive(Clone, Debug, PartialEq)]
pub struct WithoutOrder {
    /// Largest difference between two numbers of the vectors of the token that is followed, as it enters the first block and as
    /// it leaves each.
    pub token: Vec<f32>,
    /// The same over all tokens behind the last block, each found where it went.
    pub all: f32,
    /// The largest number there.
    pub largest: f32,
}

impl WordOrderReport {
    /// What one change did.
    #[must_use]
    pub fn change(&self, how: Reordering) -> Option<&ChangedOrder> {
        self.changes.iter().find(|change| change.how == how)
    }

    /// The ids as they are read under a change.
    pub fn read(&self, how: Reordering) -> impl Iterator<Item = &PromptToken> + Clone {
        let count = self.tokens.len();
        (0..count).map(move |place| &self.tokens[if how.moves() { self.order[place] } else { place }])
    }

    /// True where the token that is followed has the same tokens before it, in whatever order.
    #[must_use]
    pub fn has_same_before(&self) -> bool {
        let before = self.order.iter().take_while(|token| **token != self.token);
        let (count, all) = before.fold((0, true), |(count, all), token| (count + 1, all && *token < self.token));
        all && count == self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(token: usize, order: &[usize]) -> WordOrderReport {
        let tokens = (0..order.len()).map(|id| PromptToken { id: id as u32, text: String::new(), span: 0..0 });
        WordOrderReport {
            tokens: tokens.collect(),
            token,
            swap: None,
            order: order.to_vec(),
            positions: None,
            said: None,
            changes: Vec::new(),
            without: None,
            left_out: None,
        }
    }

    #[test]
    fn a_token_has_the_same_before_it_where_nothing_came_in_or_went_out() {
        assert!(report(3, &[2, 0, 1, 3]).has_same_before());
        assert!(!report(1, &[2, 0, 1, 3]).has_same_before(), "2 came in");
        assert!(!report(2, &[2, 0, 1, 3]).has_same_before(), "0 and 1 went out");
        assert!(report(0, &[0, 2, 1]).has_same_before());
    }

    #[test]
    fn only_words_that_are_moved_are_read_in_another_order() {
        let report = report(0, &[2, 0, 1]);
        let read = |how| report.read(how).map(|token| token.id).collect::<Vec<_>>();
        assert_eq!(read(Reordering::Shuffled), [2, 0, 1]);
        assert_eq!(read(Reordering::Swapped), [0, 1, 2]);
    }
}
