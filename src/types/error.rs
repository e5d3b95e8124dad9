//! The one error a person sees.

use crate::types::printable_lines;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Says what happened, why, and what to do next, in words for the person at the screen.
///
/// Every module has precise errors of its own; each is turned into a `UserError` exactly once, where it leaves the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserError {
    /// What happened: one sentence naming the file, field or job.
    pub what: String,
    /// Why it happened: the cause as far as it is known.
    pub why: String,
    /// What the person can do next.
    pub next: String,
    /// Technical detail, folded away until asked for. May be empty.
    pub detail: String,
}

impl UserError {
    /// An error without technical detail. Names and words from files and servers may stand in it: what cannot be seen of them is
    /// escaped.
    pub fn new(what: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: shown(what), why: shown(why), next: shown(next), detail: String::new() }
    }

    /// The same error with technical detail to unfold.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = shown(detail);
        self
    }
}

fn shown(text: impl Into<String>) -> String {
    let text = text.into();
    match printable_lines(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

impl std::fmt::Display for UserError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n  why: {}\n  next: {}", self.what, self.why, self.next)?;
        if !self.detail.is_empty() {
            write!(f, "\n  detail: {}", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for UserError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_do_nothing_to_a_terminal() {
        let error =
            UserError::new("No \u{1b}[2J tensor.", "\u{202e}Why.", "Next\u{9b}.").with_detail("line\n\u{7}line");
        assert!(!error.to_string().contains(|c| crate::types::is_unprintable(c) && c != '\n'), "{error:?}");
        assert!(error.what.contains("\\u{1b}[2J") && error.detail == "line\n\\u{7}line", "{error:?}");
    }
}
