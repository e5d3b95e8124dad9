//! The name of a model on the hub.

use super::HubError;
use std::fmt;

/// `owner/name`, checked: it can stand in an address and in a folder's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoId(String);

impl RepoId {
    /// Longest name of an owner or a model that the hub gives.
    const LONGEST_PART: usize = 96;

    /// Reads `owner/name`, or the address of a model's page.
    ///
    /// # Errors
    /// [`HubError::BadId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        let wrong = || HubError::BadId { id: text.trim().to_owned() };
        let mut rest = text.trim();
        if let Some((_, after)) = rest.split_once("://") {
            // An address copied from a browser: host first, and perhaps a page of the model at the end.
            rest = after.split_once('/').ok_or_else(wrong)?.1;
            rest = rest.split(['?', '#']).next().unwrap_or_default();
            let mut parts = rest.splitn(3, '/');
            let (owner, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            rest = &rest[..(owner.len() + 1 + name.len()).min(rest.len())];
        }
        let (owner, name) = rest.split_once('/').ok_or_else(wrong)?;
        if is_part(owner) && is_part(name) { Ok(Self(format!("{owner}/{name}"))) } else { Err(wrong()) }
    }

    /// `owner/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_part(part: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: char| matches!(c, '-' | '.');
    (1..=RepoId::LONGEST_PART).contains(&part.len())
        && part.chars().all(fine)
        && !part.starts_with(edge)
        && !part.ends_with(edge)
        && !part.contains("--")
        && !part.contains("..")
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read() {
        for text in [
            "openai-community/gpt2",
            "  openai-community/gpt2 ",
            "https://huggingface.co/openai-community/gpt2",
            "https://huggingface.co/openai-community/gpt2/tree/main?x=1",
        ] {
            assert_eq!(RepoId::parse(text).unwrap().as_str(), "openai-community/gpt2", "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["gpt2", "", "a/b/c", "../etc/passwd", "a/..", "a b/c", "a/b--c", "https://huggingface.co/", "/x"] {
            assert!(matches!(RepoId::parse(text), Err(HubError::BadId { .. })), "{text}");
        }
    }
}
