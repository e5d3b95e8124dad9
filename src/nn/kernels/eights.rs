//! Activations as whole numbers of eight bits: 32 of them share a scale, the largest magnitude / 127, as in ggml.

use super::inner::{self, Level};

/// Numbers that share a scale.
pub(super) const GROUP: usize = 32;
/// Numbers of a stretch: two groups.
pub(super) const STRETCH: usize = 2 * GROUP;
/// Sums of four neighbours in a stretch.
const FOURS: usize = STRETCH / 4;

/// Two groups, with all that a product with weights of few bits needs of them, in the order in which vectors hold it.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) numbers: [i8; STRETCH],
    /// Of each four neighbours, the scale of their group.
    pub(super) scales: [f32; FOURS],
    /// Of each four neighbours, their sum.
    pub(super) sums: [i32; FOURS],
    /// The sums times the scales.
    pub(super) scaled_sums: [f32; FOURS],
}

impl Stretch {
    const EMPTY: Self =
        Self { numbers: [0; STRETCH], scales: [0.0; FOURS], sums: [0; FOURS], scaled_sums: [0.0; FOURS] };
}

/// A vector of activations.
pub(super) struct Eights(Vec<Stretch>);

impl Eights {
    /// These activations, whole groups of them; zeros behind them fill the last stretch.
    pub(super) fn of(level: Level, x: &[f32]) -> Self {
        let mut stretches = vec![Stretch::EMPTY; x.len().div_ceil(STRETCH)];
        for (i, x) in x.as_chunks::<GROUP>().0.iter().enumerate() {
            let (to, half, group) = (&mut stretches[i / 2], i % 2, Group::of(level, x));
            to.numbers[half * GROUP..(half + 1) * GROUP].copy_from_slice(&group.numbers);
            let fours = half * FOURS / 2..(half + 1) * FOURS / 2;
            to.scales[fours.clone()].fill(group.scale);
            to.sums[fours.clone()].copy_from_slice(&group.fours);
            for (scaled, sum) in to.scaled_sums[fours].iter_mut().zip(group.fours) {
                *scaled = group.scale * sum as f32;
            }
        }
        Self(stretches)
    }

    pub(super) fn stretches(&self) -> &[Stretch] {
        &self.0
    }
}

/// A group as whole numbers.
pub(super) struct Group {
    pub(super) numbers: [i8; GROUP],
    /// Sums of four neighbours.
    pub(super) fours: [i32; GROUP / 4],
    pub(super) scale: f32,
}

impl Group {
    fn of(level: Level, x: &[f32; GROUP]) -> Self {
        inner::round_group(level, x).unwrap_or_else(|| Self::plainly(x))
    }

    fn plainly(x: &[f32; GROUP]) -> Self {
        let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
        // Adding and taking away 1.5 · 2²³ rounds to a whole number, halves to even ones.
        const ROUNDING: f32 = 12_582_912.0;
        let numbers = x.map(|x| ((x * inverse + ROUNDING) - ROUNDING) as i8);
        let fours = std::array::from_fn(|i| numbers[4 * i..4 * i + 4].iter().map(|x| i32::from(*x)).sum());
        Self { numbers, fours, scale: largest / 127.0 }
    }
}

/// Words of four bytes that a row of so many activations takes in [`Rows`].
pub(super) fn words(inputs: usize) -> usize {
    inputs / 4 + inputs / GROUP * 4
}

/// Writes a row of activations, whole groups of them: numbers, four in a word, then of each group the scale, the scaled sum, and
/// the sums of either half.
pub(super) fn write_row(level: Level, x: &[f32], row: &mut [f32]) {
    let groups = x.len() / GROUP;
    let (words, rest) = row.split_at_mut(x.len() / 4);
    let (scales, rest) = rest.split_at_mut(groups);
    let (scaled_sums, sums) = rest.split_at_mut(groups);
    let (words, sums) = (words.as_chunks_mut::<{ GROUP / 4 }>().0, sums.as_chunks_mut::<2>().0);
    for (i, x) in x.as_chunks::<GROUP>().0.iter().enumerate() {
        let group = Group::of(level, x);
        let halves = [0, 4].map(|at| group.fours[at..at + 4].iter().sum::<i32>());
        words[i] = as_words(&group.numbers);
        sums[i] = halves.map(|sum| f32::from_bits(sum.cast_unsigned()));
        (scales[i], scaled_sums[i]) = (group.scale, group.scale * (halves[0] + halves[1]) as f32);
    }
}

/// Four numbers in the bits of one.
fn as_words(numbers: &[i8; GROUP]) -> [f32; GROUP / 4] {
    // SAFETY: as many bits, and any of them are a number.
    #[expect(unsafe_code, reason = "bytes moved as words")]
    unsafe {
        std::mem::transmute(*numbers)
    }
}

/// Some rows as [`write_row`] writes them.
pub(super) struct Rows<'a> {
    words: &'a [f32],
    inputs: usize,
}

/// Where the parts of a row are.
#[derive(Clone, Copy)]
pub(super) struct RowParts {
    /// Four numbers each.
    pub(super) numbers: *const i32,
    /// Of each group.
    pub(super) scales: *const f32,
    pub(super) scaled_sums: *const f32,
    /// Of each half of a group.
    pub(super) sums: *const i32,
}

impl<'a> Rows<'a> {
    /// Rows of so many activations.
    pub(super) fn new(words: &'a [f32], inputs: usize) -> Self {
        assert!(words.len().is_multiple_of(self::words(inputs)));
        Self { words, inputs }
    }

    pub(super) fn count(&self) -> usize {
        self.words.len() / words(self.inputs)
    }

    pub(super) fn groups(&self) -> usize {
        self.inputs / GROUP
    }

    pub(super) fn parts(&self, row: usize) -> RowParts {
        let (row, groups) = (&self.words[row * words(self.inputs)..(row + 1) * words(self.inputs)], self.groups());
        let (numbers, rest) = row.split_at(self.inputs / 4);
        let (scales, rest) = rest.split_at(groups);
        let (scaled_sums, sums) = rest.split_at(groups);
        RowParts {
            numbers: numbers.as_ptr().cast(),
            scales: scales.as_ptr(),
            scaled_sums: scaled_sums.as_ptr(),
            sums: sums.as_ptr().cast(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn numbers_times_scales_are_as_near_as_eight_bits_can_be() {
        let x: Vec<f32> = (0..96).map(|i| ((i * 37 % 101) as f32 - 50.0) * 0.03).collect();
        let Some(level) = Level::detect() else { return };
        let eights = Eights::of(level, &x);
        assert_eq!(eights.stretches().len(), 2);
        for x in x.as_chunks().0 {
            let (one, other) = (Group::of(level, x), Group::plainly(x));
            assert_eq!((one.numbers, one.fours, one.scale), (other.numbers, other.fours, other.scale));
        }
        for (i, x) in x.iter().enumerate() {
            let (stretch, at) = (&eights.stretches()[i / STRETCH], i % STRETCH);
            let scale = stretch.scales[at / 4];
            assert!((f32::from(stretch.numbers[at]) * scale - x).abs() <= scale / 2.0 * 1.0001, "number {i}");
        }
        for stretch in eights.stretches() {
            for (i, four) in stretch.numbers.chunks(4).enumerate() {
                let sum: i32 = four.iter().map(|x| i32::from(*x)).sum();
                assert_eq!((stretch.sums[i], stretch.scaled_sums[i]), (sum, stretch.scales[i] * sum as f32));
            }
        }
        assert!(Eights::of(level, &[0.0; 32]).stretches()[0].numbers.iter().all(|x| *x == 0));
    }
}
