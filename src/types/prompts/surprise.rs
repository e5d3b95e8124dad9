//! How surprised a model is by a text.

use crate::types::Candidate;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// One token of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurpriseToken {
    /// Index into the vocabulary.
    pub id: u32,
    /// The token's own text.
    pub text: String,
    /// Byte range in the text; empty for tokens the tokenizer adds.
    pub span: Range<usize>,
    /// Natural log of its probability given all that stands before it; `None` for the first token, before which nothing stands.
    pub log_prob: Option<f64>,
    /// Its place among all tokens by probability, from 1; of equally likely ones the lower id stands first.
    pub rank: Option<u32>,
    /// What the model held likeliest in its place.
    pub likeliest: Option<Candidate>,
}

/// How surprised a model is by each token of a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SurpriseReport {
    /// In order.
    pub tokens: Vec<SurpriseToken>,
}

impl SurpriseReport {
    /// Tokens that have a surprise: all but the first.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tokens.iter().filter(|token| token.log_prob.is_some()).count()
    }

    /// −Σ log p in nats.
    #[must_use]
    pub fn nats(&self) -> f64 {
        -self.tokens.iter().filter_map(|token| token.log_prob).sum::<f64>()
    }

    /// exp of the mean surprise of a token; `None` where none has one.
    #[must_use]
    pub fn perplexity(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| (self.nats() / count as f64).exp())
    }

    /// Bytes of the text whose tokens have a surprise: all but those of the first token.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let end = self.tokens.iter().map(|token| token.span.end).max().unwrap_or(0);
        let unread = self.tokens.iter().take_while(|token| token.log_prob.is_none());
        end - unread.map(|token| token.span.end).max().unwrap_or(0)
    }

    /// Surprise in bits for each byte of the text, which compares across tokenizers; `None` where no byte has one.
    #[must_use]
    pub fn bits_per_byte(&self) -> Option<f64> {
        let bytes = self.bytes();
        (bytes > 0).then(|| self.nats() / std::f64::consts::LN_2 / bytes as f64)
    }

    /// True when the first token has no surprise and stands for text: a model that begins every text with a token of its own
    /// could tell how surprising it is.
    #[must_use]
    pub fn begins_unread(&self) -> bool {
        self.tokens.first().is_some_and(|token| token.log_prob.is_none() && !token.span.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(tokens: &[(Range<usize>, Option<f64>)]) -> SurpriseReport {
        let token = |(span, log_prob): &(Range<usize>, Option<f64>)| SurpriseToken {
            id: 0,
            text: String::new(),
            span: span.clone(),
            log_prob: *log_prob,
            rank: None,
            likeliest: None,
        };
        SurpriseReport { tokens: tokens.iter().map(token).collect() }
    }

    #[test]
    fn sums_leave_out_the_first_token_and_its_bytes() {
        let ln2 = std::f64::consts::LN_2;
        let text = report(&[(0..3, None), (3..5, Some(-2.0 * ln2)), (5..7, Some(-4.0 * ln2))]);
        assert_eq!((text.count(), text.bytes(), text.begins_unread()), (2, 4, true));
        assert!((text.nats() - 6.0 * ln2).abs() < 1e-12);
        assert!((text.perplexity().unwrap() - 8.0).abs() < 1e-12);
        assert!((text.bits_per_byte().unwrap() - 1.5).abs() < 1e-12);
    }

    #[test]
    fn behind_a_token_of_the_tokenizers_own_every_byte_counts() {
        let text = report(&[(0..0, None), (0..3, Some(-1.0)), (3..4, Some(-1.0))]);
        assert_eq!((text.bytes(), text.begins_unread()), (4, false));
        let alone = report(&[(0..3, None)]);
        assert_eq!((alone.perplexity(), alone.bits_per_byte()), (None, None));
    }
}
