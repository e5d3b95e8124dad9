//! Sequences that begin alike, read as one tree of tokens: what they share is read once.
//!
//! T tokens of the tree, S = tokens in the cache + T.

/// Tokens of which each follows an earlier one of them, or what the cache holds.
///
/// A token sees the cache and the tokens on its way to the root, and stands at the position it has in its own sequence; so
/// the model says at it what it says at the end of that sequence alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenTree {
    parents: Vec<Option<usize>>,
    /// Tokens of the tree before each one in its sequence.
    depths: Vec<usize>,
}

impl TokenTree {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a token that follows the token `parent`, or what the cache holds, and gives its index.
    ///
    /// # Panics
    /// When there is no such token.
    pub fn push(&mut self, parent: Option<usize>) -> usize {
        self.depths.push(parent.map_or(0, |parent| self.depths[parent] + 1));
        self.parents.push(parent);
        self.parents.len() - 1
    }

    /// Tokens T.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// True without any token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Tokens of its longest sequence.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depths.iter().max().map_or(0, |depth| depth + 1)
    }

    /// The token that a token follows; `None` for what the cache holds.
    #[must_use]
    pub fn parent(&self, token: usize) -> Option<usize> {
        self.parents[token]
    }

    /// The position of each token after `past` tokens in the cache.
    pub(in crate::nn) fn positions(&self, past: usize) -> Vec<usize> {
        self.depths.iter().map(|depth| past + depth).collect()
    }

    /// Which keys each token may not see, `[T, S]` row-major. With a window of W, a token sees itself and the W − 1 before
    /// it in its own sequence.
    pub(in crate::nn) fn hidden(&self, past: usize, window: Option<usize>) -> Vec<bool> {
        let (t, window) = (self.len(), window.unwrap_or(usize::MAX));
        let mut hidden = vec![true; t * (past + t)];
        for (token, row) in hidden.chunks_exact_mut(past + t).enumerate() {
            let position = past + self.depths[token];
            let first = (position + 1).saturating_sub(window);
            row[first.min(past)..past].fill(false);
            let mut next = Some(token);
            while let Some(seen) = next.filter(|seen| past + self.depths[*seen] >= first) {
                row[past + seen] = false;
                next = self.parents[seen];
            }
        }
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a – b – c, and d after a.
    fn tree() -> TokenTree {
        let mut tree = TokenTree::new();
        let a = tree.push(None);
        let b = tree.push(Some(a));
        tree.push(Some(b));
        tree.push(Some(a));
        tree
    }

    fn seen(tree: &TokenTree, past: usize, window: Option<usize>) -> Vec<Vec<usize>> {
        let rows = tree.hidden(past, window);
        let row = |row: &[bool]| (0..row.len()).filter(|key| !row[*key]).collect();
        rows.chunks_exact(past + tree.len()).map(row).collect()
    }

    #[test]
    fn a_token_sees_the_cache_and_its_way_to_the_root() {
        assert_eq!((tree().positions(2), tree().depth()), (vec![2, 3, 4, 3], 3));
        let expected = vec![vec![0, 1, 2], vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4], vec![0, 1, 2, 5]];
        assert_eq!(seen(&tree(), 2, None), expected);
    }

    #[test]
    fn a_window_counts_positions_in_the_tokens_own_sequence() {
        assert_eq!(seen(&tree(), 2, Some(2)), [vec![1, 2], vec![2, 3], vec![3, 4], vec![2, 5]]);
        assert_eq!(seen(&tree(), 2, Some(3)), [vec![0, 1, 2], vec![1, 2, 3], vec![2, 3, 4], vec![1, 2, 5]]);
        assert_eq!(seen(&tree(), 0, Some(1)), [[0], [1], [2], [3]]);
    }
}
