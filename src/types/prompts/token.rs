//! Tokens as they are shown.

use crate::types::{ChatFailure, RenderedChat};
use serde::{Deserialize, Serialize};

/// One token of a prompt, with the bytes of the text it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptToken {
    /// Index into the vocabulary.
    pub id: u32,
    /// The token's own text; where a character is spread over several tokens, its bytes as numbers, `<E4B8>`.
    pub text: String,
    /// Byte range in the rendered prompt; empty for tokens the tokenizer adds (such as a beginning-of-sequence token).
    pub span: std::ops::Range<usize>,
}

impl PromptToken {
    /// Its text where it goes on a word: without the mark that WordPiece puts before such pieces, which stands in no text.
    #[must_use]
    pub fn piece(&self) -> &str {
        let rest = self.text.strip_prefix("##").filter(|rest| !rest.is_empty() && self.span.len() < self.text.len());
        rest.unwrap_or(&self.text)
    }

    /// True where a blank stands before it that is in its place and not in its text, as some tokenizers have it.
    #[must_use]
    pub fn has_blank_before(&self) -> bool {
        self.span.len() > self.text.len()
    }
}

/// The beginning of what tokens say, in quotes, and how many there are: what a caption has room for.
#[must_use]
pub fn excerpt(tokens: &[PromptToken]) -> String {
    const LETTERS: usize = 60;
    let parts = tokens.iter().flat_map(|token| [if token.has_blank_before() { " " } else { "" }, token.piece()]);
    let text: String = parts.collect();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = words.chars().take(LETTERS).collect();
    let more = if cut.len() < words.len() { "…" } else { "" };
    let unit = if tokens.len() == 1 { "token" } else { "tokens" };
    format!("“{cut}{more}”, {} {unit}", tokens.len())
}

/// What tokens are taken together to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Each stands alone.
    #[default]
    Tokens,
    /// The pieces of a word.
    Words,
    /// Up to a full stop, a question or exclamation mark, or the end of a line.
    Sentences,
    /// Up to the end of a line: with most templates, an example each.
    Lines,
}

/// A span of tokens with a name, which stays one unit whatever the others are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedSpan {
    /// What it is called.
    pub name: String,
    /// Its tokens.
    pub tokens: std::ops::Range<usize>,
}

/// One entry of the next-token distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Index into the vocabulary.
    pub id: u32,
    /// The token's own text.
    pub text: String,
    /// Probability in `0..=1`: under the model at temperature 1, before any truncation, unless the list says otherwise.
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
    /// The token's own text, whatever stands around it: a line break that is given with the word behind it is its own here. Where
    /// a character is spread over several tokens, its bytes as numbers, `<E4B8>`.
    #[serde(default)]
    pub own: String,
    /// Natural log of the probability under the model at temperature 1, before any truncation.
    pub logprob: f32,
    /// Its place among all tokens by probability under the model, from 1; of equally likely ones the lower id stands first.
    /// `None` where nobody counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// The most likely tokens at this position, most likely first.
    pub top: Vec<Candidate>,
    /// What it was drawn from: the most likely tokens after bias, penalties, temperature and cuts, with their probabilities then,
    /// most likely first. Holds the token itself and, of [`Self::top`], those and only those that could be drawn. Empty where
    /// nobody drew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drawn: Vec<Candidate>,
}

impl GeneratedToken {
    /// What to call the token: its own text, or what it adds where that is not known.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.own.is_empty() { &self.text } else { &self.own }
    }

    /// The place of a token among all by probability, from 1, where it is known: of the token itself, and of the most likely.
    #[must_use]
    pub fn rank_of(&self, id: u32) -> Option<u32> {
        let place = self.top.iter().position(|candidate| candidate.id == id).map(|place| place as u32 + 1);
        place.or(self.rank.filter(|_| id == self.id))
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
    fn an_excerpt_has_blanks_where_the_text_has_them() {
        let token = |(text, span): (&str, std::ops::Range<usize>)| PromptToken { id: 0, text: text.into(), span };
        let pieces = [("[CLS]", 0..0), ("we", 0..2), ("sat", 2..6), ("##ting", 6..10), ("[SEP]", 10..10)].map(token);
        assert_eq!(excerpt(&pieces), "“[CLS]we satting[SEP]”, 5 tokens");
        let own = [("By", 0..2), (" the", 2..6)].map(token);
        assert_eq!(excerpt(&own), "“By the”, 2 tokens");
    }

    #[test]
    fn a_token_is_called_by_its_own_text() {
        let token = |own: &str, text: &str| GeneratedToken {
            id: 4,
            text: text.into(),
            own: own.into(),
            logprob: -1.0,
            rank: None,
            top: Vec::new(),
            drawn: Vec::new(),
        };
        assert_eq!(token("\n", "").name(), "\n", "the text of a line break may come with the next token");
        assert_eq!(token(" 4", "\n4").name(), " 4");
        assert_eq!(token("", " Dog").name(), " Dog");
    }
}
