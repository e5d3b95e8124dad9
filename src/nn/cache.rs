//! Keys and values of the tokens already read. Belongs to the task that generates, never to the model.

use burn::tensor::Tensor;

/// Positions added at a time: growing is rare, and a short prompt does not take the memory of the whole context.
const CHUNK: usize = 256;

/// Keys and values of one sequence (or one batch of equally long ones), for every layer.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    /// Tokens at the beginning that the sequences of a batch share.
    shared: usize,
    /// Sequences that may follow a shared beginning.
    batch: Option<usize>,
    len: usize,
    context: usize,
}

#[derive(Debug, Default)]
struct LayerCache {
    keys: Store,
    values: Store,
}

#[derive(Debug, Default)]
struct Store {
    /// What a batch shares, kept once: `[1, G, shared, K]`.
    shared: Option<Tensor<4>>,
    /// What follows: `[B, G, capacity, K]`, of which the first positions are filled.
    own: Option<Tensor<4>>,
}

impl KvCache {
    /// An empty cache for a model of `layers` blocks that reads at most `context` tokens.
    #[must_use]
    pub fn new(layers: usize, context: usize) -> Self {
        let layers = (0..layers).map(|_| LayerCache::default()).collect();
        Self { layers, shared: 0, batch: None, len: 0, context }
    }

    /// Tokens read so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True before the first token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets everything after the first `len` tokens, so that another continuation can start there.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        if self.len < self.shared {
            self.shared = self.len;
            for layer in &mut self.layers {
                layer.keys.forget_shared(len);
                layer.values.forget_shared(len);
            }
        }
    }

    /// The same tokens as the common beginning of `batch` sequences. They stay in memory once, shared with this cache; a
    /// pass copies those of one layer at a time.
    ///
    /// # Panics
    /// When this cache holds more than one sequence.
    #[must_use]
    pub fn repeated(&self, batch: usize) -> Self {
        let store = |store: &Store| Store { shared: store.filled(self.shared, self.len), own: None };
        let layer = |layer: &LayerCache| LayerCache { keys: store(&layer.keys), values: store(&layer.values) };
        let layers = self.layers.iter().map(layer).collect();
        Self { layers, shared: self.len, batch: Some(batch), len: self.len, context: self.context }
    }

    /// Adds the keys and values of T new tokens to one layer, both `[B, G, T, K]`, and returns those of all tokens,
    /// `[B, G, len + T, K]`. [`Self::advance`] closes the step once every layer has had its turn.
    pub(super) fn append(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let ([b, _, t, _], end) = (keys.dims(), self.len + keys.dims()[2]);
        assert!(end <= self.context, "{end} tokens do not fit in a context of {}", self.context);
        assert!(self.batch.is_none_or(|batch| batch == b), "{b} sequences after a beginning repeated for others");
        let (start, most) = (end - t - self.shared, self.context - self.shared);
        let cache = &mut self.layers[layer];
        (cache.keys.append(start, keys, most), cache.values.append(start, values, most))
    }

    /// Counts the T tokens that every layer has appended.
    pub(super) fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }
}

impl Store {
    /// Adds T new tokens after the first `start` of its own, of which there are never more than `most`.
    fn append(&mut self, start: usize, new: Tensor<4>, most: usize) -> Tensor<4> {
        let [b, g, t, k] = new.dims();
        let end = start + t;
        // Nothing else holds the store here, so the backend writes in place.
        let own = match self.own.take() {
            Some(own) if own.dims()[2] >= end => own.slice_assign([0..b, 0..g, start..end, 0..k], new),
            // What follows a shared beginning is mostly read in one pass.
            None if self.shared.is_some() => new,
            old => {
                let capacity = end.next_multiple_of(CHUNK).min(most);
                let grown = Tensor::zeros([b, g, capacity, k], &new.device());
                let grown = match old {
                    Some(old) => {
                        let filled = old.slice([0..b, 0..g, 0..start, 0..k]);
                        grown.slice_assign([0..b, 0..g, 0..start, 0..k], filled)
                    }
                    None => grown,
                };
                grown.slice_assign([0..b, 0..g, start..end, 0..k], new)
            }
        };
        let filled = own.clone().slice([0..b, 0..g, 0..end, 0..k]); // [B, G, start + T, K]
        self.own = Some(own);
        match &self.shared {
            Some(shared) => Tensor::cat(vec![shared.clone().expand([b as i64, -1, -1, -1]), filled], 2),
            None => filled,
        }
    }

    /// All `len` tokens of one sequence, of which the first `shared` lie apart: `[1, G, len, K]`.
    fn filled(&self, shared: usize, len: usize) -> Option<Tensor<4>> {
        let own = self.own.clone().filter(|_| len > shared).map(|own| own.narrow(2, 0, len - shared));
        let parts: Vec<Tensor<4>> = self.shared.iter().cloned().chain(own).collect();
        assert!(parts.iter().all(|part| part.dims()[0] == 1), "a cache of several sequences cannot be repeated");
        (!parts.is_empty()).then(|| Tensor::cat(parts, 2))
    }

    fn forget_shared(&mut self, len: usize) {
        self.own = None;
        self.shared = self.shared.take().filter(|_| len > 0).map(|shared| shared.narrow(2, 0, len));
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

    #[test]
    fn a_repeated_beginning_is_the_same_for_every_sequence_and_leaves_the_first_cache_alone() {
        let mut one = KvCache::new(1, 10);
        let beginning = Tensor::cat(vec![token(1.0), token(2.0)], 2);
        one.append(0, beginning.clone(), beginning);
        one.advance(2);
        let mut many = one.repeated(3);
        let own = Tensor::cat(vec![token(5.0), token(6.0), token(7.0)], 0); // [3, 2, 1, 3]
        let values = |keys: &Tensor<4>| -> Vec<f32> {
            keys.clone().narrow(1, 0, 1).narrow(3, 0, 1).into_data().iter().collect()
        };
        let (keys, _) = many.append(0, own.clone(), own.clone());
        many.advance(1);
        assert_eq!((many.len(), keys.dims()), (3, [3, 2, 3, 3]));
        assert_eq!(values(&keys), [1.0, 2.0, 5.0, 1.0, 2.0, 6.0, 1.0, 2.0, 7.0]);
        let (keys, _) = many.append(0, own.clone(), own.clone());
        assert_eq!(values(&keys)[..4], [1.0, 2.0, 5.0, 5.0]);
        many.truncate(1);
        let (keys, _) = many.append(0, own.clone(), own);
        assert_eq!(values(&keys), [1.0, 5.0, 1.0, 6.0, 1.0, 7.0]);
        let (keys, _) = one.append(0, token(9.0), token(9.0));
        assert_eq!(values(&keys), [1.0, 2.0, 9.0]);
    }
}
