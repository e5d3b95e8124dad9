//! What a network without attention remembers of the tokens it has read: vectors of each, the last of which it goes on from.

use crate::nn::models::decoder::State;
use burn::tensor::Tensor;

/// Vectors of every token read, in slots: hidden values and cells of each layer, or embeddings. Earlier ones are kept so that another
/// continuation can start behind any token.
#[derive(Clone, Debug)]
pub struct VectorCache {
    slots: Vec<Vec<Tensor<3>>>,
    len: usize,
}

impl VectorCache {
    /// Nothing yet, in so many slots.
    pub(in crate::nn) fn new(slots: usize) -> Self {
        Self { slots: vec![Vec::new(); slots], len: 0 }
    }

    /// Adds the vectors of new tokens, `[B, T, width]`.
    pub(in crate::nn) fn push(&mut self, slot: usize, vectors: Tensor<3>) {
        self.slots[slot].push(vectors);
    }

    /// The last vectors of a slot, at most `count`: `[B, up to count, width]`; `None` before the first token.
    pub(in crate::nn) fn last(&self, slot: usize, count: usize) -> Option<Tensor<3>> {
        let mut found = Vec::new();
        let mut left = count;
        for piece in self.slots[slot].iter().rev() {
            let length = piece.dims()[1];
            let taken = length.min(left);
            if taken == 0 {
                break;
            }
            found.push(piece.clone().narrow(1, length - taken, taken));
            left -= taken;
        }
        found.reverse();
        match found.len() {
            0 | 1 => found.pop(),
            _ => Some(Tensor::cat(found, 1)),
        }
    }

    /// Forgets everything after the first `len` tokens.
    pub(in crate::nn) fn truncate(&mut self, len: usize) {
        for slot in &mut self.slots {
            let mut end = 0;
            slot.retain_mut(|piece| {
                let length = piece.dims()[1];
                let kept = length.min(len.saturating_sub(end));
                end += length;
                if (1..length).contains(&kept) {
                    *piece = piece.clone().narrow(1, 0, kept);
                }
                kept > 0
            });
        }
        self.len = self.len.min(len);
    }
}

impl State for VectorCache {
    type Mark = usize;

    fn len(&self) -> usize {
        self.len
    }

    fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }

    fn mark(&self) -> usize {
        self.len
    }

    fn rewind(&mut self, mark: usize) {
        self.truncate(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn piece(values: &[f32]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len(), 1]), &Device::flex())
    }

    fn last(cache: &VectorCache, count: usize) -> Vec<f32> {
        cache.last(0, count).map_or(Vec::new(), |x| x.into_data().iter::<f32>().collect())
    }

    #[test]
    fn what_comes_behind_a_token_can_be_forgotten() {
        let mut cache = VectorCache::new(1);
        assert!(cache.last(0, 3).is_none());
        for values in [&[1.0, 2.0][..], &[3.0], &[4.0, 5.0, 6.0]] {
            cache.push(0, piece(values));
            cache.advance(values.len());
        }
        assert_eq!((last(&cache, 1), last(&cache, 4), last(&cache, 9).len()), (vec![6.0], vec![3.0, 4.0, 5.0, 6.0], 6));
        cache.truncate(4);
        assert_eq!((State::len(&cache), last(&cache, 3)), (4, vec![2.0, 3.0, 4.0]));
        cache.truncate(2);
        cache.push(0, piece(&[7.0]));
        assert_eq!(last(&cache, 2), [2.0, 7.0]);
        cache.truncate(0);
        assert!(cache.last(0, 1).is_none());
    }
}
