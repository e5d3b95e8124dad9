//! What text encoders read: sequences of one length, or behind each other.
//!
//! B batch, T tokens, D model width.

use crate::nn::hooks::Hooks;
use crate::nn::kernels::Lengths;
use crate::nn::layers::linear::{embedding, in_f32};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Sequences of one length. Shorter ones are filled up with padding, at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderBatch {
    rows: Vec<Vec<u32>>,
    types: Option<Vec<Vec<u32>>>,
    is_token: Vec<Vec<bool>>,
    /// Of the texts that lie behind each other in each row; one text in most.
    lengths: Vec<Vec<usize>>,
}

impl EncoderBatch {
    /// One sequence, all of it tokens of type 0.
    #[must_use]
    pub fn one(ids: &[u32]) -> Self {
        Self::joined(&[ids])
    }

    /// One row in which sequences lie behind each other, all of it tokens of type 0.
    pub(in crate::nn) fn joined(sequences: &[&[u32]]) -> Self {
        let ids = sequences.concat();
        let lengths = sequences.iter().map(|ids| ids.len()).collect();
        Self { is_token: vec![vec![true; ids.len()]], rows: vec![ids], types: None, lengths: vec![lengths] }
    }

    /// Sequences of any lengths, filled up at their end with `padding_id`.
    ///
    /// # Panics
    /// When there is no sequence.
    #[must_use]
    pub fn padded(sequences: &[&[u32]], padding_id: u32) -> Self {
        let longest = sequences.iter().map(|ids| ids.len()).max().expect("a batch has a sequence");
        let fill = |ids: &&[u32]| ids.iter().copied().chain(std::iter::repeat(padding_id)).take(longest).collect();
        let flags = |ids: &&[u32]| (0..longest).map(|i| i < ids.len()).collect();
        Self::with_mask(sequences.iter().map(fill).collect(), sequences.iter().map(flags).collect())
    }

    /// Rows as they are, with flags that are true for tokens and false for padding.
    ///
    /// # Panics
    /// When rows or flags differ in length.
    #[must_use]
    pub fn with_mask(rows: Vec<Vec<u32>>, is_token: Vec<Vec<bool>>) -> Self {
        let lengths = rows.iter().map(Vec::len).chain(is_token.iter().map(Vec::len));
        assert!(rows.len() == is_token.len() && lengths.collect::<std::collections::BTreeSet<_>>().len() == 1);
        let lengths = rows.iter().map(|row| vec![row.len()]).collect();
        Self { rows, types: None, is_token, lengths }
    }

    /// The same with a type for every token.
    ///
    /// # Panics
    /// When the shape is another.
    #[must_use]
    pub fn with_types(mut self, types: Vec<Vec<u32>>) -> Self {
        assert!(types.iter().map(Vec::len).eq(self.rows.iter().map(Vec::len)), "one type for every token");
        self.types = Some(types);
        self
    }

    /// B and T.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.rows.first().map_or(0, Vec::len))
    }

    /// For each row, true for tokens and false for padding.
    #[must_use]
    pub fn is_token(&self) -> &[Vec<bool>] {
        &self.is_token
    }

    /// `[B, T]`.
    pub(in crate::nn) fn ids(&self, device: &Device) -> Tensor<2, Int> {
        self.tensor(self.rows.iter().flatten().copied(), device)
    }

    /// `[B, T]`.
    pub(in crate::nn) fn types(&self, device: &Device) -> Tensor<2, Int> {
        match &self.types {
            Some(types) => self.tensor(types.iter().flatten().copied(), device),
            None => self.tensor(self.rows.iter().flatten().map(|_| 0), device),
        }
    }

    /// The lengths of all texts.
    pub(in crate::nn) fn lengths(&self) -> Lengths {
        self.lengths.iter().flatten().copied().collect()
    }

    /// Positions counted from 0 in each text, padding included, out of a table `[N, D]`: `[1 or B, T, D]`.
    pub(in crate::nn) fn positions(&self, table: Tensor<2>, hooks: &mut Hooks) -> Tensor<3> {
        if self.lengths.iter().all(|texts| texts.len() == 1) {
            return hooks.at_positions(in_f32(table.narrow(0, 0, self.size().1)).unsqueeze());
        }
        let places = self.lengths.iter().flatten().flat_map(|length| 0..*length as u32);
        let places = self.tensor(places, &table.device());
        hooks.at_positions(embedding(table, places))
    }

    /// Positions counted from behind `padding_id` over the tokens of each text that have another id; those with it have that very
    /// position. `[B, T]`.
    pub(in crate::nn) fn positions_behind(&self, padding_id: u32, device: &Device) -> Tensor<2, Int> {
        let places = self.texts().flat_map(|text| {
            text.iter().scan(padding_id, move |last, &id| {
                let is_padding = id == padding_id;
                *last += u32::from(!is_padding);
                Some(if is_padding { padding_id } else { *last })
            })
        });
        self.tensor(places, device)
    }

    fn texts(&self) -> impl Iterator<Item = &[u32]> {
        self.rows.iter().zip(&self.lengths).flat_map(|(row, lengths)| {
            lengths.iter().scan(&row[..], |rest, length| {
                let (text, behind) = rest.split_at(*length);
                *rest = behind;
                Some(text)
            })
        })
    }

    fn tensor(&self, values: impl Iterator<Item = u32>, device: &Device) -> Tensor<2, Int> {
        let (b, t) = self.size();
        let values: Vec<i32> = values.map(|value| value as i32).collect();
        Tensor::from_data(TensorData::new(values, [b, t]), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(batch: &EncoderBatch) -> Vec<i32> {
        batch.positions_behind(1, &Device::flex()).into_data().iter::<i32>().collect()
    }

    #[test]
    fn positions_are_counted_over_tokens_that_are_no_padding() {
        let batch = EncoderBatch::with_mask(vec![vec![1, 1, 0, 7, 2], vec![0, 7, 2, 1, 1]], vec![vec![true; 5]; 2]);
        assert_eq!(places(&batch), [1, 1, 2, 3, 4, 2, 3, 4, 1, 1]);
    }

    #[test]
    fn positions_begin_again_in_each_text() {
        let batch = EncoderBatch::joined(&[&[0, 7, 2], &[], &[0, 2]]);
        assert_eq!(places(&batch), [2, 3, 4, 2, 3]);
        let table = Tensor::from_data([[0.0], [1.0], [2.0], [3.0]], &Device::flex());
        let positions = batch.positions(table, &mut Hooks::off());
        assert_eq!(positions.into_data().iter::<f32>().collect::<Vec<_>>(), [0.0, 1.0, 2.0, 0.0, 1.0]);
    }

    #[test]
    fn shorter_sequences_are_filled_up_at_their_end() {
        let batch = EncoderBatch::padded(&[&[5, 6, 7], &[8]], 9);
        assert_eq!(batch.size(), (2, 3));
        assert_eq!(batch.rows[1], [8, 9, 9]);
        assert_eq!(batch.is_token()[1], [true, false, false]);
    }
}
