//! Text that is held out, by the data set it is of: what a validation reads of it.

use super::passages::Passages;
use super::token_ids::TokenParts;
use std::ops::Range;

/// Tokens in one slice of a validation.
const SLICE: usize = 2048;
/// Tokens the learning curve is measured on, spread over all that is held out; the finished model is measured on all.
const VALIDATION: usize = 32 * 1024;

/// What is held out, set by set.
#[derive(Default)]
pub(in crate::train) struct HeldOut {
    sets: Vec<HeldOutSet>,
}

struct HeldOutSet {
    name: String,
    passages: Passages,
    /// Windows that a validation reads, of all there are.
    measured: usize,
}

impl HeldOutSet {
    fn per_slice(&self) -> usize {
        (SLICE / self.passages.context()).max(1)
    }

    fn slices(&self) -> usize {
        self.measured.div_ceil(self.per_slice())
    }
}

/// Windows of one slice.
pub(in crate::train) struct Slice {
    /// Tokens, one more than are predicted each.
    pub sequences: Vec<Vec<u32>>,
    /// Tokens predicted in each.
    pub context: usize,
}

impl HeldOut {
    /// Of sets by their names, in windows of `context` tokens; of a set shorter than that one shorter window is read. Each set has
    /// the share of a validation that it has of the text, at least one window.
    pub(in crate::train) fn new(sets: Vec<(String, TokenParts)>, context: usize, seed: u64) -> Self {
        let all: usize = sets.iter().map(|(_, ids)| ids.len()).sum();
        let set = |(name, ids): (String, TokenParts)| {
            let share = ids.len() as f64 / all.max(1) as f64;
            let context = context.min(ids.len().saturating_sub(1)).max(1);
            let most = ((VALIDATION as f64 * share) as usize / context).max(1);
            let passages = Passages::new(ids, context, seed);
            HeldOutSet { name, measured: passages.windows().min(most), passages }
        };
        Self { sets: sets.into_iter().map(set).collect() }
    }

    /// Names of the sets, where they are several.
    pub(in crate::train) fn names(&self) -> Vec<String> {
        let several = if self.sets.len() > 1 { self.sets.as_slice() } else { &[] };
        several.iter().map(|set| set.name.clone()).collect()
    }

    /// How many slices a validation has.
    pub(in crate::train) fn slices(&self) -> usize {
        self.sets.iter().map(HeldOutSet::slices).sum()
    }

    /// The set a slice is of, and its place there.
    fn place(&self, slice: usize) -> (usize, usize) {
        let mut left = slice;
        for (place, set) in self.sets.iter().enumerate() {
            if left < set.slices() {
                return (place, left);
            }
            left -= set.slices();
        }
        (self.sets.len(), left)
    }

    /// The set a slice is of.
    pub(in crate::train) fn set_of_slice(&self, slice: usize) -> usize {
        self.place(slice).0
    }

    /// One slice.
    ///
    /// # Panics
    /// When there is none at that place.
    pub(in crate::train) fn slice(&self, slice: usize) -> Slice {
        let (place, slice) = self.place(slice);
        let set = &self.sets[place];
        let (per_slice, all) = (set.per_slice(), set.passages.windows());
        let chosen = slice * per_slice..((slice + 1) * per_slice).min(set.measured);
        let sequences = chosen.map(|i| set.passages.window(i * all / set.measured)).collect();
        Slice { sequences, context: set.passages.context() }
    }

    /// Where the windows that a validation reads lie in all of it, each with the token before what is predicted.
    pub(in crate::train) fn measured(&self) -> Vec<Range<usize>> {
        let (mut windows, mut begin) = (Vec::new(), 0);
        for set in &self.sets {
            let (all, context) = (set.passages.windows(), set.passages.context());
            let starts = (0..set.measured).map(|i| begin + i * all / set.measured * context);
            windows.extend(starts.map(|start| start..start + context + 1));
            begin += set.passages.ids().len();
        }
        windows
    }

    /// How many passages all of it is, side by side.
    pub(in crate::train) fn passages(&self) -> usize {
        self.sets.iter().map(|set| set.passages.passages()).sum()
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none at that place.
    pub(in crate::train) fn passage(&self, mut i: usize) -> Vec<u32> {
        for set in &self.sets {
            if i < set.passages.passages() {
                return set.passages.passage(i);
            }
            i -= set.passages.passages();
        }
        panic!("passage {i} behind the last one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(lengths: &[u32]) -> HeldOut {
        let set = |length: &u32| (format!("{length}"), (length * 1000..length * 1000 + length).collect());
        HeldOut::new(lengths.iter().map(set).collect(), 8, 1)
    }

    #[test]
    fn a_slice_is_of_one_set_and_every_set_that_can_be_read_has_one() {
        let held_out = sets(&[5000, 3, 1, 41]);
        assert_eq!(held_out.names(), ["5000", "3", "1", "41"]);
        let slices: Vec<Slice> = (0..held_out.slices()).map(|slice| held_out.slice(slice)).collect();
        let of = |set: usize| {
            let own = slices.iter().enumerate().filter(|(place, _)| held_out.set_of_slice(*place) == set);
            own.flat_map(|(_, slice)| &slice.sequences).count()
        };
        assert_eq!([of(0), of(1), of(2), of(3)], [624, 1, 0, 5], "nothing can be predicted in one token");
        let measured = held_out.measured();
        let all: Vec<u32> = [5000, 3, 1, 41].into_iter().flat_map(|n: u32| n * 1000..n * 1000 + n).collect();
        let told: Vec<&[u32]> = measured.into_iter().map(|window| &all[window]).collect();
        assert!(slices.iter().flat_map(|slice| &slice.sequences).eq(told));
        assert!(slices.iter().all(|slice| slice.sequences.iter().all(|ids| ids.len() == slice.context + 1)));
        let short = (0..slices.len()).find(|place| held_out.set_of_slice(*place) == 1).unwrap();
        assert_eq!(slices[short].context, 2);
    }

    #[test]
    fn a_text_alone_has_no_name_and_all_passages_follow_each_other() {
        assert!(sets(&[100]).names().is_empty());
        let held_out = sets(&[20, 11]);
        let all: Vec<Vec<u32>> = (0..held_out.passages()).map(|i| held_out.passage(i)).collect();
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [9, 9, 4, 9, 3]);
        assert_eq!((all[3][0], sets(&[]).slices(), sets(&[]).passages()), (11_000, 0, 0));
    }
}
