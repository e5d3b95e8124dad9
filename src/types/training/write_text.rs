//! A text that a model writes from nothing, for others to learn from.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is to be written. The same model and seed write the same text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteTextSpec {
    /// The folder of the model that writes: one that continues text.
    pub model: PathBuf,
    /// Passages that are begun from nothing.
    pub passages: usize,
    /// Tokens of each at most; an unfinished last sentence is left out.
    pub tokens: usize,
    /// Of what is drawn.
    pub seed: u64,
    /// The file.
    pub out: PathBuf,
}

impl WriteTextSpec {
    /// Passages of one text at most.
    pub const MOST_PASSAGES: usize = 1_000_000;
}
