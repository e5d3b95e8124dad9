//! How what a tensor's name stands for lies in a file that has rules of its own.

/// The way from the bytes of a file to the tensor that Hugging Face's files have under the same name. Rows are those of the
/// first axis, and move whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Arrangement {
    /// As it is.
    AsNamed,
    /// Within each head, the two values that rotary positions turn together lie beside each other, not half a head apart.
    PairedRows { heads: usize },
    /// All queries, then all keys, then all values, where the tensor has those of one head after the other.
    RowsByKind { heads: usize },
    /// Rows are columns.
    Turned,
    /// Gains themselves, where the tensor has how far they are from 1.
    AroundOne,
}

impl Arrangement {
    /// Which row of the file holds this row of the tensor. The heads divide the rows.
    pub(in crate::load) fn stored_row(self, row: usize, rows: usize) -> usize {
        match self {
            Self::AsNamed | Self::Turned | Self::AroundOne => row,
            Self::PairedRows { heads } => {
                let width = rows / heads;
                let (head, place) = (row / width, row % width);
                let (half, pair) = (place / (width / 2), place % (width / 2));
                head * width + 2 * pair + half
            }
            Self::RowsByKind { heads } => {
                let width = rows / (3 * heads);
                let (head, kind, place) = (row / (3 * width), row / width % 3, row % width);
                (kind * heads + head) * width + place
            }
        }
    }

    /// The values of a tensor of this shape as a file is to hold them: the way back.
    pub(in crate::load) fn put_back(self, values: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        let rows = shape.first().copied().unwrap_or(1);
        let columns = values.len() / rows.max(1);
        match self {
            Self::AsNamed => values,
            Self::AroundOne => values.into_iter().map(|gain| gain + 1.0).collect(),
            Self::Turned => {
                let at = |place: usize| values[place % rows * columns + place / rows];
                (0..values.len()).map(at).collect()
            }
            Self::PairedRows { .. } | Self::RowsByKind { .. } => {
                let mut stored = vec![0.0; values.len()];
                for (row, values) in values.chunks_exact(columns.max(1)).enumerate() {
                    stored[self.stored_row(row, rows) * columns..][..columns].copy_from_slice(values);
                }
                stored
            }
        }
    }

    /// True where rows of so many can be put in order.
    pub(in crate::load) fn fits(self, rows: usize) -> bool {
        match self {
            Self::AsNamed | Self::Turned | Self::AroundOne => true,
            Self::PairedRows { heads } => heads > 0 && rows.is_multiple_of(2 * heads),
            Self::RowsByKind { heads } => heads > 0 && rows.is_multiple_of(3 * heads),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(arrangement: Arrangement, rows: usize) -> Vec<usize> {
        (0..rows).map(|row| arrangement.stored_row(row, rows)).collect()
    }

    #[test]
    fn pairs_of_a_head_come_apart_and_heads_stay() {
        assert_eq!(order(Arrangement::PairedRows { heads: 2 }, 12), [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]);
        assert!(!Arrangement::PairedRows { heads: 2 }.fits(6) && !Arrangement::PairedRows { heads: 0 }.fits(6));
    }

    #[test]
    fn queries_keys_and_values_of_a_head_come_together() {
        // Two heads of two: q0 q1 | k0 k1 | v0 v1 in the file.
        assert_eq!(order(Arrangement::RowsByKind { heads: 2 }, 12), [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
    }

    #[test]
    fn every_row_is_used_once() {
        for arrangement in [Arrangement::PairedRows { heads: 3 }, Arrangement::RowsByKind { heads: 5 }] {
            let mut rows = order(arrangement, 60);
            rows.sort_unstable();
            assert_eq!(rows, (0..60).collect::<Vec<_>>(), "{arrangement:?}");
        }
    }
}
