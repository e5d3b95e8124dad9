//! Words that rules and lookups are shown on.

use crate::nn::Random;
use std::collections::BTreeSet;

/// How often a document is written with strings of random letters in place of words.
const INVENTED: f32 = 0.05;

/// Words to write documents with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

/// What one document is written with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Supply<'a> {
    Words(&'a [String]),
    /// Strings of letters nobody has seen: what they mean cannot help.
    Invented,
}

impl Words {
    /// Of these words.
    ///
    /// # Panics
    /// Without a single word.
    pub(super) fn new(words: Vec<String>) -> Self {
        assert!(!words.is_empty(), "rules need words");
        Self(words)
    }

    /// Takes in more words; each stands once.
    pub(super) fn extend(&mut self, more: impl Iterator<Item = String>) {
        let all: BTreeSet<String> = std::mem::take(&mut self.0).into_iter().chain(more).collect();
        self.0 = all.into_iter().collect();
    }

    #[cfg(test)]
    pub(super) fn has(&self, word: &str) -> bool {
        self.0.iter().any(|known| known == word)
    }

    /// The words, or now and then invented ones.
    pub(super) fn supply(&self, random: &mut Random) -> Supply<'_> {
        if random.uniform() < INVENTED { Supply::Invented } else { Supply::Words(&self.0) }
    }
}

impl Supply<'_> {
    /// A word.
    pub(super) fn any(self, random: &mut Random) -> String {
        match self {
            Self::Words(words) => words[random.below(words.len())].clone(),
            Self::Invented => (0..3 + random.below(4)).map(|_| char::from(b'a' + random.below(26) as u8)).collect(),
        }
    }
}
