//! A blank by counting: the likeliest token between the same two neighbours.

use crate::train::data::token_ids::TokenParts;
use std::collections::{HashMap, HashSet};

/// Tokens that are read at a time.
const STRETCH: usize = 1 << 18;

/// The two tokens beside a blank; none where there is none, or it is not known.
pub(in crate::train) type Sides = [Option<u32>; 2];

/// What stood most often between neighbours.
pub(in crate::train) struct WordsAround {
    between: HashMap<[u32; 2], u32>,
    behind: HashMap<u32, u32>,
    before: HashMap<u32, u32>,
    /// The most frequent token of all.
    pub most_frequent: u32,
}

impl WordsAround {
    /// Counts what stood beside and between the tokens that are asked for.
    pub(in crate::train) fn count(text: &TokenParts, asked: impl Iterator<Item = Sides>) -> Self {
        let (mut pairs, mut lefts, mut rights) = (HashSet::new(), HashSet::new(), HashSet::new());
        for [left, right] in asked {
            lefts.extend(left);
            rights.extend(right);
            pairs.extend(left.zip(right).map(|(left, right)| [left, right]));
        }
        let (mut between, mut behind, mut before) = (Counts::default(), Counts::default(), Counts::default());
        let mut all: HashMap<u32, u32> = HashMap::new();
        for first in (0..text.len()).step_by(STRETCH) {
            // Two tokens more, so that each that begins here is seen whole.
            let some = text.copy(first..(first + STRETCH + 2).min(text.len()));
            some.iter().take(STRETCH).for_each(|id| *all.entry(*id).or_default() += 1);
            for pair in some.windows(2).take(STRETCH) {
                let [left, right] = *pair else { continue };
                if lefts.contains(&left) {
                    behind.add(left, right);
                }
                if rights.contains(&right) {
                    before.add(right, left);
                }
            }
            for three in some.windows(3).take(STRETCH) {
                let [left, middle, right] = *three else { continue };
                if pairs.contains(&[left, right]) {
                    between.add([left, right], middle);
                }
            }
        }
        let most_frequent = all.into_iter().max_by_key(|(id, count)| (*count, std::cmp::Reverse(*id)));
        Self {
            between: between.likeliest(),
            behind: behind.likeliest(),
            before: before.likeliest(),
            most_frequent: most_frequent.map_or(0, |(id, _)| id),
        }
    }

    /// What is guessed: what stood most often between both neighbours; where they never stood so, behind the left one, then before the right
    /// one, and else the most frequent token.
    pub(in crate::train) fn guess(&self, [left, right]: Sides) -> u32 {
        let between = left.zip(right).and_then(|(left, right)| self.between.get(&[left, right]));
        let behind = || left.and_then(|left| self.behind.get(&left));
        let before = || right.and_then(|right| self.before.get(&right));
        between.or_else(behind).or_else(before).copied().unwrap_or(self.most_frequent)
    }
}

/// How often each token stood in a place.
struct Counts<K>(HashMap<(K, u32), u32>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + std::hash::Hash> Counts<K> {
    fn add(&mut self, place: K, token: u32) {
        *self.0.entry((place, token)).or_default() += 1;
    }

    /// The token that stood most often in each place; of equals the first of the vocabulary.
    fn likeliest(self) -> HashMap<K, u32> {
        let mut best: HashMap<K, (u32, u32)> = HashMap::new();
        for ((place, token), count) in self.0 {
            let (most, of) = best.entry(place).or_insert((count, token));
            if count > *most || (count == *most && token < *of) {
                (*most, *of) = (count, token);
            }
        }
        best.into_iter().map(|(place, (_, token))| (place, token)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_most_often_between_is_guessed_and_else_what_stood_beside() {
        // the cat sat . the dog sat . the cat ran . a cat ran .
        let (the, a, cat, dog, sat, ran, end) = (0, 1, 2, 3, 4, 5, 6);
        let text = [the, cat, sat, end, the, dog, sat, end, the, cat, ran, end, a, cat, ran, end];
        let asked = [
            ([Some(the), Some(sat)], cat), // cat and dog once each: the first of the vocabulary
            ([Some(cat), Some(end)], ran), // twice, and sat once
            ([Some(a), Some(sat)], cat),   // never so; cat behind a
            ([Some(end), None], the),      // twice, and a once
            ([None, Some(ran)], cat),
            ([Some(99), Some(98)], end), // the most frequent, four times
            ([None, None], end),
        ];
        let counted = WordsAround::count(&text.into_iter().collect(), asked.iter().map(|(sides, _)| *sides));
        for (sides, expected) in asked {
            assert_eq!(counted.guess(sides), expected, "{sides:?}");
        }
        assert_eq!(counted.guess([Some(the), Some(sat)]), cat, "{dog} came as often");
    }
}
