//! What a text encoder gives: vectors of whole texts, and guesses for masked tokens.

use crate::types::{Candidate, PromptToken};
use serde::{Deserialize, Serialize};

/// How the vectors of a text's tokens become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean, padding left out.
    Mean,
    /// That of the first token.
    Cls,
    /// Their largest value, dimension by dimension, padding left out.
    Max,
}

impl std::fmt::Display for Pooling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mean => "mean of the tokens",
            Self::Cls => "first token",
            Self::Max => "maximum over the tokens",
        })
    }
}

/// What only a text encoder has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderInfo {
    /// The text that stands for a masked token, such as `[MASK]`; `None` when the model has no head that guesses it.
    pub mask: Option<String>,
    /// How a text becomes one vector.
    pub pooling: Pooling,
    /// True when that vector is scaled to length 1.
    pub normalised: bool,
    /// True when pooling and length come from the folder's sentence-transformers files, false when they are the default.
    pub is_sentence_model: bool,
    /// Texts to embed are cut off behind this many tokens, special ones included.
    pub longest: usize,
}

/// The vector of one text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// One value a dimension.
    pub vector: Vec<f32>,
    /// Tokens that were read, special ones included.
    pub tokens: usize,
    /// Tokens at the end of the text that did not fit and were left out.
    pub left_out: usize,
}

/// The vectors of several texts, in the order of the texts.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingReport {
    /// The texts as they were given.
    pub texts: Vec<String>,
    /// One a text.
    pub embeddings: Vec<Embedding>,
}

impl EmbeddingReport {
    /// Cosine of the angle between each two vectors, in `-1..=1`; a vector of zeros has similarity 0 with everything.
    #[must_use]
    pub fn similarities(&self) -> Vec<Vec<f32>> {
        let all = || self.embeddings.iter().map(|e| e.vector.as_slice());
        all().map(|a| all().map(|b| cosine(a, b)).collect()).collect()
    }
}

/// Cosine of the angle between two vectors, in `-1..=1`; a vector of zeros has 0 with everything.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0) as f32 } else { 0.0 }
}

/// What a model puts in the place of one mask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilledMask {
    /// Position of the mask in the sequence of tokens.
    pub position: usize,
    /// The likeliest tokens, most likely first.
    pub candidates: Vec<Candidate>,
}

/// A text with masks, and what a model puts in their place. Each mask is guessed with all the others in sight as masks.
#[derive(Clone, Debug, PartialEq)]
pub struct FillReport {
    /// The text as it was given.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<PromptToken>,
    /// One a mask, from left to right.
    pub masks: Vec<FilledMask>,
    /// The text with the likeliest token in the place of every mask.
    pub filled: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarities_are_cosines() {
        let embedding = |vector: &[f32]| Embedding { vector: vector.to_vec(), tokens: 1, left_out: 0 };
        let embeddings =
            vec![embedding(&[3.0, 0.0]), embedding(&[0.0, 2.0]), embedding(&[-1.0, 0.0]), embedding(&[0.0, 0.0])];
        let report = EmbeddingReport { texts: Vec::new(), embeddings };
        let similarities = report.similarities();
        assert_eq!(similarities[0], [1.0, 0.0, -1.0, 0.0]);
        assert_eq!(similarities[3], [0.0; 4]);
    }
}
