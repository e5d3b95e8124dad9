//! What the embedding of a word is near to.

use serde::{Deserialize, Serialize};

/// A token, and the tokens whose embeddings point most nearly where its does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NeighboursReport {
    /// The token: of a word in several, the last.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Tokens of the word, with what the tokenizer adds.
    pub pieces: usize,
    /// Id, text and cosine of the others, nearest first.
    pub near: Vec<(u32, String, f32)>,
}
