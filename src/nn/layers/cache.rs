//! Keys and values of the tokens already read. Belongs to the task that generates, never to the model.

use crate::nn::models::decoder::State;
use burn::tensor::Tensor;

/// Positions added at a time: growing is rare, and a short prompt does not take the memory of the whole context.
const CHUNK: usize = 256;

/// Keys and values of one sequence (or one batch of equally long ones), for every layer.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    len: usize,
    context: usize,
}

#[derive(Debug, Default)]
struct LayerCache {
    keys: Store,
    values: Store,
}

/// `[B, G, capacity, K]`, of which the first positions are filled.
#[derive(Debug, Default)]
struct Store(Option<Tensor<4>>);

impl KvCache {
    /// An empty cache for a model of `layers` blocks that reads at most `context` tokens.
    #[must_use]
    pub fn new(layers: usize, context: usize) -> Self {
        Self { layers: (0..layers).map(|_| LayerCache::default()).collect(), len: 0, context }
    }

    /// Forgets everything after the first `len` tokens, so that another continuation can start there.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Adds the keys and values of T new tokens to one layer, both `[B, G, T, K]`, and returns those of all tokens,
    /// `[B, G, len + T, K]`. [`State::advance`] closes the step once every layer has had its turn.
    pub(in crate::nn) fn append(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let (start, context) = (self.len, self.context);
        let cache = &mut self.layers[layer];
        (cache.keys.append(start, keys, context), cache.values.append(start, values, context))
    }
}

impl State for KvCache {
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

impl Store {
    fn append(&mut self, start: usize, new: Tensor<4>, context: usize) -> Tensor<4> {
        let [b, g, t, k] = new.dims();
        let end = start + t;
        let store = match self.0.take() {
            Some(store) if store.dims()[2] >= end => store,
            old => {
                // The tokens of a tree may be more than fit in one sequence.
                let capacity = end.next_multiple_of(CHUNK).min(context).max(end);
                let grown = Tensor::zeros([b, g, capacity, k], &new.device());
                match old {
                    Some(old) => {
                        let filled = old.slice([0..b, 0..g, 0..start, 0..k]);
                        grown.slice_assign([0..b, 0..g, 0..start, 0..k], filled)
                    }
                    None => grown,
                }
            }
        };
        // Nothing else holds the store here, so the backend writes in place.
        let store = store.slice_assign([0..b, 0..g, start..end, 0..k], new);
        let filled = store.clone().slice([0..b, 0..g, 0..end, 0..k]); // [B, G, len + T, K]
        self.0 = Some(store);
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn token(value: f32) -> Tensor<4> {
        Tensor::full([1, 2, 1, 3], value, &Device::flex())
    }

    #[test]
    fn keeps_order_across_growth_and_truncation() {
        let mut cache = KvCache::new(1, 600);
        for i in 0..300 {
            cache.append(0, token(i as f32), token(-(i as f32)));
            cache.advance(1);
        }
        cache.truncate(280);
        let (keys, values) = cache.append(0, token(7.0), token(8.0));
        assert_eq!(keys.dims(), [1, 2, 281, 3]);
        let keys: Vec<f32> = keys.narrow(1, 1, 1).narrow(3, 2, 1).into_data().iter().collect();
        let expected: Vec<f32> = (0..280).map(|i| i as f32).chain([7.0]).collect();
        assert_eq!(keys, expected);
        let last: Vec<f32> = values.narrow(2, 279, 2).narrow(1, 0, 1).narrow(3, 0, 1).into_data().iter().collect();
        assert_eq!(last, [-279.0, 8.0]);
    }
}
