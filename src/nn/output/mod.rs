//! What is made of scores: losses, log-probabilities, the next token.

pub mod adjust;
pub mod lens;
pub(super) mod loss;
pub mod sample;
pub(super) mod scores;
