//! What encoders learn from text without labels: to fill blanks, and to tell which texts belong together.

mod blanks;
mod contrastive;
#[cfg(test)]
mod golden_tests;
mod masked;
mod pairs;
mod start;

pub(crate) use contrastive::Contrastive;
pub(crate) use masked::MaskedTokens;
