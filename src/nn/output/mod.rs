//! What is made of scores: losses, log-probabilities, the next token.

pub(super) mod loss;
pub mod sample;
pub(super) mod scores;
