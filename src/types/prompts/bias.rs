//! Logit bias as it is typed: a token and a number a line.

use crate::types::UserError;
use serde::{Deserialize, Serialize};

/// What is added to the logit of one token. Written `" the" = -5`, with the token's text in quotes as in JSON (`"\n"` is a line
/// break), or `262 = -5`, with its id; `-inf` keeps the token from ever being drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct LogitBias {
    /// Which token.
    pub token: BiasedToken,
    /// What is added.
    pub bias: f32,
    /// The line it stands in, from 1.
    pub line: usize,
}

/// A token, as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BiasedToken {
    /// By its id.
    Id(u32),
    /// By its text.
    Text(String),
}

/// A token that a line of logit bias means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BiasHit {
    /// The token.
    pub id: u32,
    /// Its own text.
    pub text: String,
    /// What is added to its logit.
    pub bias: f32,
}

/// What every line of logit bias means to a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BiasReport {
    /// In the order of the lines.
    pub hits: Vec<BiasHit>,
    /// Why a line means nothing.
    pub error: Option<UserError>,
}

impl LogitBias {
    /// Reads lines; empty ones say nothing.
    ///
    /// # Errors
    /// When a line names no token or no number.
    pub fn read(lines: &str) -> Result<Vec<Self>, UserError> {
        let lines = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(place, line)| Self::read_line(line.trim(), place + 1)).collect()
    }

    fn read_line(text: &str, line: usize) -> Result<Self, UserError> {
        let (token, bias) = text.rsplit_once('=').ok_or_else(|| wrong(line, text, "It has no = sign."))?;
        let (token, number) = (token.trim(), bias.trim());
        let token = if token.starts_with('"') {
            let text_of = |_| wrong(line, text, "The text before the = sign is not one text in quotes.");
            BiasedToken::Text(serde_json::from_str(token).map_err(text_of)?)
        } else {
            let id_of = |_| wrong(line, text, "What stands before the = sign is neither a text in quotes nor an id.");
            BiasedToken::Id(token.parse().map_err(id_of)?)
        };
        let bias = number.parse::<f32>().ok().filter(|bias| *bias < f32::INFINITY);
        let bias = bias.ok_or_else(|| wrong(line, text, "What stands behind the = sign is not a number."))?;
        Ok(Self { token, bias, line })
    }
}

fn wrong(line: usize, text: &str, why: &str) -> UserError {
    UserError::new(
        format!("Line {line} of the logit bias, {text:?}, cannot be read."),
        why,
        "Write a token and a number, as in \" the\" = -5 or 262 = -5.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_token_by_its_text_or_id() {
        let read = LogitBias::read("\" the\" = -5\n\n262=2.5\n \"\\n\" = -inf \n\"a=b\" = 1").unwrap();
        let text = |text: &str| BiasedToken::Text(text.to_owned());
        assert_eq!(
            read,
            [
                LogitBias { token: text(" the"), bias: -5.0, line: 1 },
                LogitBias { token: BiasedToken::Id(262), bias: 2.5, line: 3 },
                LogitBias { token: text("\n"), bias: f32::NEG_INFINITY, line: 4 },
                LogitBias { token: text("a=b"), bias: 1.0, line: 5 },
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (lines, place, why) in [
            ("5 = 1\n the = 2", "Line 2", "neither a text in quotes nor an id"),
            ("\" the = 2", "Line 1", "not one text in quotes"),
            ("\n\" the\"", "Line 2", "no = sign"),
            ("7 = much", "Line 1", "not a number"),
            ("7 = NaN", "Line 1", "not a number"),
            ("7 = inf", "Line 1", "not a number"),
        ] {
            let error = LogitBias::read(lines).unwrap_err();
            assert!(error.what.contains(place) && error.why.contains(why), "{lines:?}: {error}");
        }
    }
}
