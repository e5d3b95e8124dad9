//! Tokens as they are shown.

use crate::types::{ChatFailure, RenderedChat};
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

impl GeneratedToken {
    /// What to call the token: the text it adds, or its own where it adds none, such as a mark for a capital letter. White
    /// space that is held back comes with the next token and is not told twice; such a token has no name.
    #[must_use]
    pub fn name(&self) -> &str {
        if !self.text.is_empty() {
            return &self.text;
        }
        let own = self.top.iter().find(|candidate| candidate.id == self.id);
        own.map(|own| own.text.as_str()).filter(|own| !own.trim().is_empty()).unwrap_or_default()
    }
}

/// The tokens of a prompt as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenizeReport {
    /// The tokens.
    pub tokens: Vec<PromptToken>,
    /// Places of the special ones, rising.
    pub special: Vec<usize>,
    /// What a conversation was written as, or why it could not be; `None` for anything else.
    pub chat: Option<Result<RenderedChat, ChatFailure>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_adds_no_text_is_called_by_its_own() {
        let top = vec![
            Candidate { id: 4, text: " dog".into(), probability: 0.6 },
            Candidate { id: 7, text: "\u{E}".into(), probability: 0.3 },
            Candidate { id: 8, text: "\n".into(), probability: 0.1 },
        ];
        let token = |id: u32, text: &str| GeneratedToken { id, text: text.into(), logprob: -1.0, top: top.clone() };
        assert_eq!(token(7, "").name(), "\u{E}");
        assert_eq!(token(4, " Dog").name(), " Dog", "what it adds counts");
        assert_eq!(token(8, "").name(), "", "the line break comes with the next token");
        assert_eq!(token(9, "").name(), "", "not among the likeliest");
    }
}
