//! The same word in two texts, layer by layer.

use crate::types::PromptToken;

/// What becomes of a word in each of two texts.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextsReport {
    /// The tokens of both texts.
    pub texts: [Vec<PromptToken>; 2],
    /// Where the word is in each: its last token, which has read the others.
    pub places: [usize; 2],
    /// The vectors as they enter the first block, and as they leave each.
    pub layers: Vec<ContextLayer>,
}

/// One state of the residual stream.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextLayer {
    /// Cosine of the angle between the two vectors of the word.
    pub cosine: f32,
    /// For each text, the tokens of the vocabulary whose embeddings are nearest to its vector, with their cosines.
    pub tokens: [Vec<(PromptToken, f32)>; 2],
    /// For each text, the positions of the other one that are nearest to its vector, with their cosines.
    pub positions: [Vec<(usize, f32)>; 2],
}

impl ContextsReport {
    /// How many tokens at the beginning of both texts are the same.
    #[must_use]
    pub fn common_beginning(&self) -> usize {
        let [first, second] = &self.texts;
        first.iter().zip(second).take_while(|(a, b)| a.id == b.id).count()
    }

    /// True where a model that reads from left to right cannot tell the two apart: nothing before the word differs.
    #[must_use]
    pub fn is_read_alike(&self) -> bool {
        self.places[0] == self.places[1] && self.common_beginning() > self.places[0]
    }
}
