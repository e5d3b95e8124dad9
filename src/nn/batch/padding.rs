//! Batches of sequences of different length: which tokens are real, and where each stands in its own sequence.

use burn::tensor::{Bool, Device, Tensor, TensorData};

/// The real tokens of a batch whose sequences are filled up to one length, before them or behind them.
///
/// A real token's position is the number of real tokens before it, on whichever side the padding is; padding has position 0
/// and no query looks at it. That is what transformers' `generate` makes of an `attention_mask`. What the model says at a
/// padded position means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Padding {
    /// `[B, T]` row-major.
    real: Vec<bool>,
    batch: usize,
}

impl Padding {
    /// From an attention mask `[B, T]`, row-major, true where a token is real.
    ///
    /// # Panics
    /// When the rows are not equally long.
    #[must_use]
    pub fn new(real: Vec<bool>, batch: usize) -> Self {
        assert!(batch > 0 && real.len().is_multiple_of(batch), "{} tokens in {batch} equal rows", real.len());
        Self { real, batch }
    }

    /// Sequences of these lengths that end together: the padding comes first.
    ///
    /// # Panics
    /// When there is none, or one is longer than `length`.
    #[must_use]
    pub fn left(lengths: &[usize], length: usize) -> Self {
        Self::filled(lengths, length, |i, own| i >= length - own)
    }

    /// Sequences of these lengths that start together: the padding comes last.
    ///
    /// # Panics
    /// When there is none, or one is longer than `length`.
    #[must_use]
    pub fn right(lengths: &[usize], length: usize) -> Self {
        Self::filled(lengths, length, |i, own| i < own)
    }

    fn filled(lengths: &[usize], length: usize, is_real: impl Fn(usize, usize) -> bool) -> Self {
        assert!(lengths.iter().all(|own| *own <= length), "{lengths:?} tokens do not fit in {length}");
        let row = |own: &usize| (0..length).map(|i| is_real(i, *own)).collect::<Vec<_>>();
        Self::new(lengths.iter().flat_map(row).collect(), lengths.len())
    }

    /// Sequences B and tokens T in each.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.batch, self.real.len() / self.batch]
    }

    /// The position of each token in its own sequence, `[B, T]` row-major.
    #[must_use]
    pub fn positions(&self) -> Vec<usize> {
        let [_, length] = self.shape();
        let of_row = |row: &[bool]| {
            let mut before = 0;
            let position = |&real: &bool| {
                let position = if real { before } else { 0 };
                before += usize::from(real);
                position
            };
            row.iter().map(position).collect::<Vec<_>>()
        };
        self.real.chunks(length.max(1)).flat_map(of_row).collect()
    }

    /// False for padding; tokens are counted row-major over `[B, T]`.
    pub(in crate::nn) fn is_real(&self, token: usize) -> bool {
        self.real[token]
    }

    /// True for keys no query may see, `[B, 1, 1, T]`.
    pub(in crate::nn) fn hidden_keys(&self, device: &Device) -> Tensor<4, Bool> {
        let [b, t] = self.shape();
        let hidden: Vec<bool> = self.real.iter().map(|real| !real).collect();
        Tensor::from_data(TensorData::new(hidden, [b, 1, 1, t]), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_real_tokens_on_either_side() {
        assert_eq!(Padding::left(&[2, 4], 4).positions(), [0, 0, 0, 1, 0, 1, 2, 3]);
        assert_eq!(Padding::right(&[2, 4], 4).positions(), [0, 1, 0, 0, 0, 1, 2, 3]);
        assert_eq!(Padding::new(vec![false, true, false, true], 1).positions(), [0, 0, 0, 1]);
    }
}
