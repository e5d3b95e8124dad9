//! Token ids of texts as long as a library: two bytes each as long as all fit, in blocks, so that growing copies nothing.

use std::ops::Range;
use std::sync::Arc;

/// Ids in a block.
const BLOCK: usize = 1 << 18;

/// Ids one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenIds {
    /// All below 2^16.
    Narrow(Blocks<u16>),
    /// Some not.
    Wide(Blocks<u32>),
}

/// Blocks, all but the last of them full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocks<T>(Vec<Vec<T>>);

impl<T: Copy> Blocks<T> {
    fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * BLOCK + last.len())
    }

    fn push(&mut self, id: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < BLOCK => last.push(id),
            _ => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(id);
                self.0.push(block);
            }
        }
    }

    fn get(&self, i: usize) -> T {
        self.0[i / BLOCK][i % BLOCK]
    }
}

impl Default for TokenIds {
    fn default() -> Self {
        Self::Narrow(Blocks(Vec::new()))
    }
}

impl TokenIds {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Narrow(ids) => ids.len(),
            Self::Wide(ids) => ids.len(),
        }
    }

    /// Adds one.
    pub(crate) fn push(&mut self, id: u32) {
        match (&mut *self, u16::try_from(id)) {
            (Self::Wide(ids), _) => ids.push(id),
            (Self::Narrow(ids), Ok(narrow)) => ids.push(narrow),
            (Self::Narrow(ids), Err(_)) => {
                // Block by block, so that there is never more than one of them twice.
                let widened = ids.0.drain(..).map(|block| {
                    let mut wide = Vec::with_capacity(BLOCK);
                    wide.extend(block.into_iter().map(u32::from));
                    wide
                });
                let mut wide = Blocks(widened.collect());
                wide.push(id);
                *self = Self::Wide(wide);
            }
        }
    }

    fn get(&self, i: usize) -> u32 {
        match self {
            Self::Narrow(ids) => ids.get(i).into(),
            Self::Wide(ids) => ids.get(i),
        }
    }
}

/// Parts of ids, read as if they stood one after the other.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenParts {
    ids: Arc<TokenIds>,
    /// Each with the number of ids before it.
    parts: Vec<(usize, Range<usize>)>,
    len: usize,
}

impl TokenParts {
    /// These parts of the ids; empty ones are left out.
    pub(crate) fn new(ids: &Arc<TokenIds>, parts: impl IntoIterator<Item = Range<usize>>) -> Self {
        let mut len = 0;
        let place = |part: Range<usize>| {
            let before = len;
            len += part.len();
            (before, part)
        };
        let parts = parts.into_iter().filter(|part| !part.is_empty()).map(place).collect();
        Self { ids: Arc::clone(ids), parts, len }
    }

    /// How many ids there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A copy of some of them.
    ///
    /// # Panics
    /// When the range goes beyond the end.
    pub(crate) fn copy(&self, range: Range<usize>) -> Vec<u32> {
        assert!(range.end <= self.len, "{range:?} of {} tokens", self.len);
        let mut copy = Vec::with_capacity(range.len());
        let first = self.parts.partition_point(|(before, part)| before + part.len() <= range.start);
        for (before, part) in &self.parts[first..] {
            if *before >= range.end {
                break;
            }
            let from = part.start + range.start.saturating_sub(*before);
            let to = part.start + (range.end - before).min(part.len());
            copy.extend((from..to).map(|i| self.ids.get(i)));
        }
        copy
    }
}

impl FromIterator<u32> for TokenParts {
    fn from_iter<I: IntoIterator<Item = u32>>(all: I) -> Self {
        let mut ids = TokenIds::default();
        all.into_iter().for_each(|id| ids.push(id));
        let len = ids.len();
        Self::new(&Arc::new(ids), std::iter::once(0..len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_take_two_bytes_until_one_needs_four() {
        let many = 2 * BLOCK + 5;
        let mut ids = TokenIds::default();
        (0..many).for_each(|i| ids.push(i as u32 % 65_536));
        assert!(matches!(ids, TokenIds::Narrow(_)));
        ids.push(70_000);
        ids.push(1);
        assert!(matches!(ids, TokenIds::Wide(_)));
        assert_eq!(ids.len(), many + 2);
        let parts = TokenParts::new(&Arc::new(ids), std::iter::once(0..many + 2));
        let expected: Vec<u32> = (0..many).map(|i| i as u32 % 65_536).chain([70_000, 1]).collect();
        assert_eq!(parts.copy(0..many + 2), expected);
    }

    #[test]
    fn parts_are_read_as_one() {
        let ids: TokenIds = {
            let mut ids = TokenIds::default();
            (0..100).for_each(|i| ids.push(i));
            ids
        };
        let parts = TokenParts::new(&Arc::new(ids), [3..6, 10..10, 20..21, 50..60]);
        let all = [3, 4, 5, 20, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59];
        assert_eq!(parts.len(), all.len());
        for start in 0..all.len() {
            for end in start..=all.len() {
                assert_eq!(parts.copy(start..end), all[start..end]);
            }
        }
    }
}
