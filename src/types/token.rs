//! Tokens as they are shown.

use serde::{Deserialize, Serialize};

/// One token of a prompt, with the bytes of the text it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptToken {
    /// Index into the vocabulary.
    pub id: u32,
    /// The token's own text; may hold U+FFFD where a character is spread over several tokens.
    pub text: String,
    /// Byte range in the rendered prompt; empty for tokens the tokenizer adds (such as a beginning-of-sequence token).
    pub span: std::ops::Range<usize>,
}

/// One entry of the next-token distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Index into the vocabulary.
    pub id: u32,
    /// The token's own text.
    pub text: String,
    /// Probability under the model at temperature 1, before any truncation, in `0..=1`.
    #[serde(rename = "prob")]
    pub probability: f32,
}

/// One generated token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratedToken {
    /// Index into the vocabulary.
    pub id: u32,
    /// Text that this token adds to the output. Bytes that do not yet make a whole character are held back and come with
    /// the token that completes it, so joining all texts gives the exact decoded string.
    pub text: String,
    /// Natural log of the probability under the model at temperature 1, before any truncation.
    pub logprob: f32,
    /// The most likely tokens at this position, most likely first.
    pub top: Vec<Candidate>,
}
