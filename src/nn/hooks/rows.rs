//! Which token of which sequence each row of a value belongs to.

/// The tokens of a pass.
#[derive(Clone, Debug, Default)]
pub(in crate::nn) struct Rows {
    /// Row-major over [`Self::shape`].
    tokens: Vec<Row>,
    /// Sequences B and tokens T in each.
    shape: [usize; 2],
    /// Older tokens that a cache holds; they stand at positions 0 and on.
    past: usize,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    sequence: usize,
    /// `None` for padding.
    position: Option<usize>,
}

impl Rows {
    /// From the position of each of `[B, T]` tokens, row-major; `is_real` tells padding apart.
    pub(in crate::nn) fn new(
        positions: &[usize],
        shape: [usize; 2],
        past: usize,
        is_real: impl Fn(usize) -> bool,
    ) -> Self {
        let [b, t] = shape;
        assert_eq!(positions.len(), b * t, "one position a token");
        let row = |(i, &position): (usize, &usize)| Row { sequence: i / t, position: is_real(i).then_some(position) };
        Self { tokens: positions.iter().enumerate().map(row).collect(), shape, past }
    }

    /// B sequences of T tokens that begin at position 0, padding counted.
    pub(in crate::nn) fn whole(shape: [usize; 2], is_real: impl Fn(usize) -> bool) -> Self {
        let [b, t] = shape;
        let positions: Vec<usize> = (0..b).flat_map(|_| 0..t).collect();
        Self::new(&positions, shape, 0, is_real)
    }

    pub(super) fn shape(&self) -> [usize; 2] {
        self.shape
    }

    pub(super) fn choose(&mut self, chosen: &[usize], batch: usize) {
        self.tokens = chosen.iter().map(|&i| self.tokens[i]).collect();
        self.shape = [batch, chosen.len() / batch];
    }

    /// The sequence of a row.
    pub(super) fn sequence(&self, b: usize, t: usize) -> usize {
        self.tokens[b * self.shape[1] + t].sequence
    }

    /// The position of a row's token in its sequence; `None` for padding.
    pub(super) fn position(&self, b: usize, t: usize) -> Option<usize> {
        self.tokens[b * self.shape[1] + t].position
    }

    /// The position of a token that is looked at.
    pub(super) fn key_position(&self, b: usize, key: usize) -> Option<usize> {
        if key < self.past { Some(key) } else { self.position(b, key - self.past) }
    }
}
