//! What counting alone reaches on a text.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is counted, and what it is scored on.
#[derive(Clone, Debug, PartialEq)]
pub struct BaselinesSpec {
    /// UTF-8 text files, or folders searched for `.txt` files.
    pub data: Vec<PathBuf>,
    /// Tokens of a sequence; unless told, 128 or what the model reads.
    pub context: Option<usize>,
    /// Share of every file, at its end, that is held out.
    pub validation_share: f64,
    /// Of the blanks that are drawn.
    pub seed: u64,
    /// Size of the vocabularies that are learned where there is no model.
    pub vocabulary: usize,
    /// The model is measured as well, where there is one.
    pub of_model: bool,
}

/// What counting reaches: the next token, blanks, or both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BaselinesReport {
    /// Of the next token; none for an encoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NextBaselines>,
    /// Of blanks; none for a model that continues text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blanks: Option<BlankBaselines>,
}

/// The next token, by what followed others in the part that is learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextBaselines {
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Tokens that were counted.
    pub counted: usize,
    /// Held-out tokens that are predicted, and bytes of their text.
    pub tokens: usize,
    /// Bytes of the text of those tokens.
    pub bytes: usize,
    /// From the simplest on; the model itself last, where it was measured.
    pub rows: Vec<NextRow>,
    /// What gzip makes of all of the held-out text.
    pub gzip: GzipSize,
}

/// One way to predict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextRow {
    /// What it is called.
    pub name: String,
    /// Mean cross-entropy.
    pub nats_per_token: f64,
    /// The same, of the bytes that the tokens stand for.
    pub bits_per_byte: f64,
}

/// Bytes before and after gzip at its best level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GzipSize {
    /// Of the text.
    pub bytes: usize,
    /// Compressed.
    pub compressed: usize,
    /// Eight times their proportion.
    pub bits_per_byte: f64,
}

/// Blanks, by what stood between others in the part that is learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlankBaselines {
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Tokens that were counted.
    pub counted: usize,
    /// Blanks that are filled: those a learning curve is measured on.
    pub blanks: usize,
    /// From the simplest on; the model itself last, where it was measured.
    pub rows: Vec<BlankRow>,
}

/// One way to fill blanks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlankRow {
    /// What it is called.
    pub name: String,
    /// Share of the blanks that it fills rightly.
    pub right: f64,
}
