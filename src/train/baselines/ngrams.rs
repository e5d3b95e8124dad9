//! The next token by counting what followed: interpolated Kneser-Ney (Kneser and Ney 1995; the interpolated form and the estimate of the
//! discount are those of Chen and Goodman 1999, equations 24 and 13).
//!
//! The longest sequences are counted as often as they come; of shorter ones counts how many different tokens stand before them. What a
//! discount takes from each goes to the next shorter context, and at the end to all tokens alike, so that the probabilities of all tokens
//! sum to one.

use crate::train::data::token_ids::TokenParts;
use rayon::prelude::*;

/// Tokens that are read at a time.
const STRETCH: usize = 1 << 18;
/// The discount where too little was seen to estimate one.
const USUAL_DISCOUNT: f64 = 0.5;

/// Counts of sequences of up to so many tokens.
pub(super) struct KneserNey {
    vocabulary: usize,
    /// Of sequences of one token, of two, and so on.
    orders: Vec<Order>,
}

/// Counts of sequences of one length.
struct Order {
    discount: f64,
    /// By the key of the sequence, in rising order.
    counts: Vec<(u64, u32)>,
    /// By the key of all tokens but the last: the sum of the counts, and how many sequences there are.
    contexts: Vec<(u64, [u32; 2])>,
}

/// A sequence where it stands in a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Gram {
    key: u64,
    /// Of all tokens but the first.
    behind: u64,
    /// Of all tokens but the last.
    before: u64,
}

impl KneserNey {
    /// Counts sequences of up to `longest` tokens.
    ///
    /// # Panics
    /// When `longest` is 0.
    pub(super) fn count(text: &TokenParts, longest: usize, vocabulary: usize) -> Self {
        assert!(longest > 0, "a sequence has a token");
        let mut orders = Vec::new();
        // How many different sequences one token longer each sequence is the end of.
        let mut ends: Option<Vec<(u64, u32)>> = None;
        for length in (1..=longest).rev() {
            let (grams, times) = distinct(grams(text, length));
            let counted: Vec<(Gram, u32)> = match &ends {
                None => grams.iter().copied().zip(times).collect(),
                Some(ends) => {
                    let known = grams.par_iter().filter_map(|gram| Some((*gram, of(ends, gram.key)?)));
                    known.collect()
                }
            };
            let mut behind: Vec<u64> = grams.iter().map(|gram| gram.behind).collect();
            behind.par_sort_unstable();
            ends = Some(runs(&behind));
            orders.push(Order::of(&counted));
        }
        orders.reverse();
        Self { vocabulary, orders }
    }

    /// The probability of a token behind others, of which the last ones count.
    pub(super) fn probability(&self, before: &[u32], token: u32) -> f64 {
        let mut probability = 1.0 / self.vocabulary as f64;
        let mut sequence = before[before.len().saturating_sub(self.orders.len() - 1)..].to_vec();
        sequence.push(token);
        for (length, order) in (1..=sequence.len()).zip(&self.orders) {
            let sequence = &sequence[sequence.len() - length..];
            let Some([total, kinds]) = of(&order.contexts, key(&sequence[..length - 1])) else { break };
            let count = f64::from(of(&order.counts, key(sequence)).unwrap_or(0));
            let total = f64::from(total);
            let left = order.discount * f64::from(kinds) / total;
            probability = (count - order.discount).max(0.0) / total + left * probability;
        }
        probability
    }
}

impl Order {
    fn of(counted: &[(Gram, u32)]) -> Self {
        let times = |n: u32| counted.iter().filter(|(_, count)| *count == n).count() as f64;
        let (once, twice) = (times(1), times(2));
        let discount = if once > 0.0 { once / (once + 2.0 * twice) } else { USUAL_DISCOUNT };
        // Where everything came once alone, nothing would be left of it.
        let discount = if discount < 1.0 { discount } else { USUAL_DISCOUNT };
        let mut of_contexts: Vec<(u64, u32)> = counted.iter().map(|(gram, count)| (gram.before, *count)).collect();
        of_contexts.par_sort_unstable();
        let mut contexts: Vec<(u64, [u32; 2])> = Vec::new();
        for (key, count) in of_contexts {
            match contexts.last_mut().filter(|(last, _)| *last == key) {
                Some((_, [total, kinds])) => (*total, *kinds) = (*total + count, *kinds + 1),
                None => contexts.push((key, [count, 1])),
            }
        }
        Self { discount, counts: counted.iter().map(|(gram, count)| (gram.key, *count)).collect(), contexts }
    }
}

/// What stands under a key, in a list in rising order of keys.
fn of<T: Copy>(list: &[(u64, T)], key: u64) -> Option<T> {
    list.binary_search_by_key(&key, |(key, _)| *key).ok().map(|place| list[place].1)
}

/// 64 bits for a sequence. Two sequences of a text share one with a probability of about 10⁻⁵ for ten million of them, and that would
/// change one count.
fn key(sequence: &[u32]) -> u64 {
    sequence.iter().fold(0x9E37_79B9_7F4A_7C15 ^ sequence.len() as u64, |key, id| {
        let mut z = (key ^ (u64::from(*id) + 1)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^= z >> 29;
        z = z.wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 32)
    })
}

/// Every sequence of so many tokens, in rising order.
fn grams(text: &TokenParts, length: usize) -> Vec<Gram> {
    let count = (text.len() + 1).saturating_sub(length);
    let mut all = Vec::with_capacity(count);
    for first in (0..count).step_by(STRETCH) {
        let some = text.copy(first..(first + STRETCH).min(count) + length - 1);
        all.par_extend(some.par_windows(length).map(|gram| Gram {
            key: key(gram),
            behind: key(&gram[1..]),
            before: key(&gram[..length - 1]),
        }));
    }
    all.par_sort_unstable();
    all
}

/// Each once, with how often it came.
fn distinct(sorted: Vec<Gram>) -> (Vec<Gram>, Vec<u32>) {
    let (mut kept, mut times): (Vec<Gram>, Vec<u32>) = (Vec::new(), Vec::new());
    for gram in sorted {
        match times.last_mut().filter(|_| kept.last().is_some_and(|last| last.key == gram.key)) {
            Some(count) => *count += 1,
            None => {
                kept.push(gram);
                times.push(1);
            }
        }
    }
    (kept, times)
}

/// Each key with how often it came, of a list in rising order.
fn runs(sorted: &[u64]) -> Vec<(u64, u32)> {
    sorted.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &[u32], longest: usize, vocabulary: usize) -> KneserNey {
        KneserNey::count(&text.iter().copied().collect(), longest, vocabulary)
    }

    #[test]
    fn a_short_text_by_hand() {
        // a b a b a c, of four tokens a, b, c and d.
        let (a, b, c, d) = (0, 1, 2, 3);
        let bigrams = count(&[a, b, a, b, a, c], 2, 4);
        // Bigrams: ab twice, ba twice, ac once. Their discount is 1 / (1 + 2 · 2). One token: a stands behind b, b behind a, c behind a; of
        // three counts of 1 the discount would be 1, so it is a half.
        let near = |x: f64, y: f64| assert!((x - y).abs() < 1e-12, "{x} instead of {y}");
        let one = |is_known: f64| (is_known - 0.5_f64).max(0.0) / 3.0 + 0.5 * 3.0 / 3.0 / 4.0;
        near(bigrams.probability(&[], a), one(1.0));
        near(bigrams.probability(&[], d), one(0.0));
        // Behind a: b twice, c once.
        let left = 0.2 * 2.0 / 3.0;
        near(bigrams.probability(&[a], b), 1.8 / 3.0 + left * one(1.0));
        near(bigrams.probability(&[a], c), 0.8 / 3.0 + left * one(1.0));
        near(bigrams.probability(&[a], d), left * one(0.0));
        // Nothing ever stood behind d, so it tells nothing.
        near(bigrams.probability(&[d], b), one(1.0));
        // Of one token alone: how often it came, its discount 1 / (1 + 2 · 1) of a thrice, b twice and c once.
        let unigrams = count(&[a, b, a, b, a, c], 1, 4);
        near(unigrams.probability(&[b], a), (3.0 - 1.0 / 3.0) / 6.0 + 1.0 / 3.0 * 3.0 / 6.0 / 4.0);
    }

    #[test]
    fn probabilities_sum_to_one_behind_everything() {
        let mut random = crate::nn::Random::new(4, 0);
        let text: Vec<u32> = (0..3000).map(|_| random.below(6).pow(2) as u32 % 30).collect();
        let counted = count(&text, 5, 30);
        for context in [&[][..], &[1], &[25, 16], &[4, 4, 9], &[1, 0, 4, 9], &[29, 28, 27, 26], &[7, 1, 0, 4, 9, 16]] {
            let sum: f64 = (0..30).map(|token| counted.probability(context, token)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{context:?}: {sum}");
        }
        // More context helps where the text repeats itself.
        let text: Vec<u32> = (0..2000).map(|i| [1, 2, 3, 1, 4, 3][i % 6]).collect();
        let (two, five) = (count(&text, 2, 30), count(&text, 5, 30));
        assert!(five.probability(&[1, 2, 3, 1], 4) > 0.9 && two.probability(&[1, 2, 3, 1], 4) < 0.6);
    }
}
