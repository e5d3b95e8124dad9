//! What a network in training is asked at this moment, and what it makes of it.

use serde::{Deserialize, Serialize};

/// One sequence of the batch a network learns from next, read by the network before it learns from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Glimpse {
    /// Optimiser steps done.
    pub step: usize,
    /// The sequence in its order, without what the tokenizer puts around a text.
    pub tokens: Vec<GlimpseToken>,
}

/// A token of a glimpse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlimpseToken {
    /// What stands in the text.
    pub truth: String,
    /// What the network reads in its place.
    pub seen: Seen,
    /// What the network says there, where it is asked.
    pub guess: Option<Guess>,
}

/// What a network reads in the place of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The token.
    Itself,
    /// The mask.
    Mask,
    /// A token drawn at random.
    Other(String),
    /// Nothing: what follows is read after it was asked for.
    Hidden,
}

/// What a network says of a token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// The likeliest tokens with their probabilities, likeliest first.
    pub top: Vec<(String, f32)>,
    /// True when the token that stands there is the likeliest.
    pub is_right: bool,
    /// −ln P(what stands there), in nats: what the network pays for this very guess.
    pub loss: f32,
}

impl Glimpse {
    /// Mean loss of all guesses in nats; none where nothing was asked.
    #[must_use]
    pub fn mean_loss(&self) -> Option<f64> {
        let losses: Vec<f64> = self.guesses().map(|guess| f64::from(guess.loss)).collect();
        (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
    }

    /// All guesses, in the order of the text.
    pub fn guesses(&self) -> impl Iterator<Item = &Guess> {
        self.tokens.iter().filter_map(|token| token.guess.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_what_was_asked() {
        let token = |loss: Option<f32>| GlimpseToken {
            truth: "a".to_owned(),
            seen: Seen::Itself,
            guess: loss.map(|loss| Guess { top: Vec::new(), is_right: false, loss }),
        };
        let glimpse = Glimpse { step: 0, tokens: vec![token(Some(1.0)), token(None), token(Some(4.0))] };
        assert_eq!(glimpse.mean_loss(), Some(2.5));
        assert_eq!(Glimpse::default().mean_loss(), None);
    }
}
