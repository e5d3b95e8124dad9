//! Long documents to tokens, a stretch at a time: the tokens are those of the whole document, wherever it is cut.
//!
//! What a tokenizer does with a word does not depend on text far away. So most cuts are made before a word where the text around,
//! split at once, gives the same tokens as its two halves: the stretches on both sides are then split on their own. Where
//! there is no such place (no spaces, digits without end), two stretches share some text: near its ends a stretch may be split
//! otherwise than the document, but where both have the same tokens in the same places the first is left and the second gone on
//! with.

use crate::load::data::documents::cut;
use crate::load::tokens::tokenizer::PlacedToken;
use crate::load::{LoadError, Tokenizer};

/// Bytes of text in a stretch, those it shares left out. A thread encodes so many in some hundredths of a second.
pub(super) const STRETCH: usize = 32 << 10;
/// Bytes on each side of a cut that are looked at.
const AROUND: usize = 256;
/// Bytes shared on each side of a cut that cannot be made clean.
const SHARED: usize = 512;
/// Tokens that must be the same in both stretches.
const AGREE: usize = 8;
/// Stretches that agree nowhere are encoded as one, up to so many bytes.
const LONGEST: usize = 1 << 20;

/// Some text of a document.
pub(super) struct Stretch {
    pub text: String,
    /// Bytes at its beginning that the stretch before it ends with.
    pub shared: usize,
    pub begins: bool,
    /// What follows.
    pub end: End,
}

/// Where a stretch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With its document.
    Document,
    /// Between two tokens; the next stretch begins there.
    Clean,
    /// Somewhere in the text of the next.
    Shared,
}

/// A document that is read, as far as it is not cut yet.
#[derive(Default)]
pub(super) struct OpenDocument {
    text: String,
    shared: usize,
    is_begun: bool,
}

impl OpenDocument {
    /// Adds text behind what is there.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The next stretch, once there is enough text for it and what it may share with the one after.
    ///
    /// # Errors
    /// When the tokenizer has no token for a part of it.
    pub(super) fn next(&mut self, tokenizer: &Tokenizer) -> Result<Option<Stretch>, LoadError> {
        if self.text.len() < self.shared + STRETCH + 2 * SHARED {
            return Ok(None);
        }
        let own = &self.text[self.shared..];
        if let Some(at) = cut(own, STRETCH).map(|at| self.shared + at)
            && is_clean(&self.text, at, tokenizer)?
        {
            return Ok(Some(self.cut(at, at, End::Clean)));
        }
        let at = self.shared + own.floor_char_boundary(STRETCH);
        let (from, to) = (self.text.floor_char_boundary(at - SHARED), self.text.ceil_char_boundary(at + SHARED));
        Ok(Some(self.cut(from, to, End::Shared)))
    }

    /// The text before `to`; what is left begins at `from`.
    fn cut(&mut self, from: usize, to: usize, end: End) -> Stretch {
        let rest = self.text[from..].to_owned();
        let mut text = std::mem::replace(&mut self.text, rest);
        text.truncate(to);
        let shared = std::mem::replace(&mut self.shared, to - from);
        Stretch { text, shared, begins: !std::mem::replace(&mut self.is_begun, true), end }
    }

    /// The last stretch of the document.
    pub(super) fn finish(&mut self) -> Stretch {
        let Self { text, shared, is_begun } = std::mem::take(self);
        Stretch { text, shared, begins: !is_begun, end: End::Document }
    }
}

/// True where a token ends and the next begins, whether the text before or behind is there or not.
fn is_clean(text: &str, at: usize, tokenizer: &Tokenizer) -> Result<bool, LoadError> {
    let (from, to) = (text.floor_char_boundary(at.saturating_sub(AROUND)), text.ceil_char_boundary(at + AROUND));
    let ids = |range: std::ops::Range<usize>| tokenizer.continuation_ids(&text[range]);
    let (mut halves, behind) = (ids(from..at)?, ids(at..to)?);
    halves.extend(behind);
    Ok(halves == ids(from..to)?)
}

/// The ids of a stretch that shares nothing; what a tokenizer adds behind a document is left out.
///
/// # Errors
/// When the tokenizer has no token for a part of it.
pub(super) fn ids_alone(stretch: &Stretch, tokenizer: &Tokenizer) -> Result<Vec<u32>, LoadError> {
    if !stretch.begins {
        return tokenizer.continuation_ids(&stretch.text);
    }
    let mut ids = tokenizer.ids(&stretch.text)?;
    ids.truncate(ids.len().saturating_sub(tokenizer.added_behind()?.len()));
    Ok(ids)
}

/// A stretch with its tokens.
pub(super) struct Encoded {
    stretch: Stretch,
    tokens: Vec<PlacedToken>,
    /// Tokens before this one are those of the stretch before.
    from: usize,
}

impl Encoded {
    /// Encodes a stretch. What a tokenizer adds behind a document is left out.
    ///
    /// # Errors
    /// When the tokenizer has no token for a part of it.
    pub(super) fn new(stretch: Stretch, tokenizer: &Tokenizer) -> Result<Self, LoadError> {
        let tokens = if stretch.begins {
            let mut tokens = tokenizer.placed(&stretch.text)?;
            tokens.truncate(tokens.iter().rposition(|token| !token.is_added).map_or(0, |last| last + 1));
            tokens
        } else {
            tokenizer.placed_continuation(&stretch.text)?
        };
        Ok(Self { stretch, tokens, from: 0 })
    }

    /// The ids that are its own.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.tokens[self.from..].iter().map(|token| token.id)
    }

    /// What follows.
    pub(super) fn end(&self) -> End {
        self.stretch.end
    }

    /// Goes on with the next stretch: gives the ids that are sure by now.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn go_on(&mut self, mut next: Self, tokenizer: &Tokenizer) -> Result<Vec<u32>, LoadError> {
        let mut meeting = self.meet(&next);
        if meeting.is_none()
            && let Some(start) = self.a_beginning_for(&next)
        {
            // A grouping from the left, as of digits by threes, is the same from one of its own borders on.
            let Stretch { text, shared, end, .. } = &next.stretch;
            let stretch = Stretch { text: text[start..].to_owned(), shared: shared - start, begins: false, end: *end };
            let again = Self::new(stretch, tokenizer)?;
            meeting = self.meet(&again);
            if meeting.is_some() {
                next = again;
            }
        }
        let (left, taken_up) = match meeting {
            Some(meeting) => meeting,
            None if self.stretch.text.len() < LONGEST => {
                self.join(&next, tokenizer)?;
                return Ok(Vec::new());
            }
            None => self.cut_as_it_stands(&next),
        };
        let sure = self.tokens[self.from..left.max(self.from)].iter().map(|token| token.id).collect();
        next.from = taken_up;
        *self = next;
        Ok(sure)
    }

    /// Bytes of this stretch before the text of the next.
    fn before(&self, next: &Self) -> usize {
        self.stretch.text.len() - next.stretch.shared
    }

    /// In the middle of the longest row of tokens that both have in the same places: how many of this stretch are before it, and
    /// how many of the next.
    fn meet(&self, next: &Self) -> Option<(usize, usize)> {
        let before = self.before(next);
        let mine = |i: usize| self.tokens.get(i).map(|token| (token.start - before, token.end - before, token.id));
        let theirs = |j: usize| next.tokens.get(j).map(|token| (token.start, token.end, token.id));
        let mut i = self.tokens.partition_point(|token| token.start < before).max(self.from);
        let (mut j, mut row, mut longest) = (0, 0, (0, 0, 0));
        while let (Some(a), Some(b)) = (mine(i), theirs(j)) {
            if a == b {
                row += 1;
                if row > longest.0 {
                    longest = (row, i + 1, j + 1);
                }
                (i, j) = (i + 1, j + 1);
                continue;
            }
            row = 0;
            match (a.0, a.1).cmp(&(b.0, b.1)) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => (i, j) = (i + 1, j + 1),
            }
        }
        let (row, i, j) = longest;
        (row >= AGREE).then(|| (i - row / 2, j - row / 2))
    }

    /// Where in the next stretch one of this stretch's tokens begins, near the beginning of what they share.
    fn a_beginning_for(&self, next: &Self) -> Option<usize> {
        let before = self.before(next);
        let starts =
            self.tokens[self.from..].iter().filter(|token| token.start > before).map(|token| token.start - before);
        starts.into_iter().find(|&start| start < next.stretch.shared / 2 && next.stretch.text.is_char_boundary(start))
    }

    /// Becomes one with the next stretch.
    fn join(&mut self, next: &Self, tokenizer: &Tokenizer) -> Result<(), LoadError> {
        let text = self.stretch.text.clone() + &next.stretch.text[next.stretch.shared..];
        let Stretch { shared, begins, .. } = self.stretch;
        let joined = Self::new(Stretch { text, shared, begins, end: next.stretch.end }, tokenizer)?;
        // What was taken up from the stretch before stays where it was.
        *self = Self { from: self.from.min(joined.tokens.len()), ..joined };
        Ok(())
    }

    /// Where nothing agrees over a stretch as long as a book: this one's tokens to the middle of what is shared.
    fn cut_as_it_stands(&self, next: &Self) -> (usize, usize) {
        let middle = self.before(next) + next.stretch.shared / 2;
        let left = self.tokens.partition_point(|token| token.start < middle);
        let end = left.checked_sub(1).map_or(middle, |last| self.tokens[last].end) - self.before(next);
        (left, next.tokens.partition_point(|token| token.start < end))
    }
}

#[cfg(test)]
#[path = "stretch_tests.rs"]
mod tests;
