//! The one error a person sees.

use serde::{Deserialize, Serialize};

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
    /// An error without technical detail.
    pub fn new(what: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), next: next.into(), detail: String::new() }
    }

    /// The same error with technical detail to unfold.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
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
