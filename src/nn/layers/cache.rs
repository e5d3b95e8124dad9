//! Keys and values of the tokens already read. Belongs to the task that generates, never to the model.

use crate::nn::kernels::pass::Remembered;
use crate::nn::layers::linear::on_plain_cpu;
use crate::nn::models::decoder::State;
use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::{Device, Tensor};

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

    /// Calls `work` with what each layer remembers and room for T new tokens behind it, `[G, K]` a layer. Nothing where this is
    /// a batch, or not in the memory of the CPU. [`State::advance`] closes the step.
    pub(in crate::nn) fn lend<R>(
        &mut self,
        tokens: usize,
        shapes: &[[usize; 2]],
        work: impl FnOnce(&[Remembered<'_>]) -> R,
    ) -> Option<R> {
        let (start, context) = (self.len, self.context);
        let stores = self.layers.iter_mut().flat_map(|layer| [&mut layer.keys, &mut layer.values]);
        if stores.zip(shapes.iter().flat_map(|shape| [shape, shape])).any(|(store, [g, k])| !store.fits([1, *g, *k])) {
            return None;
        }
        let mut taken = Vec::with_capacity(2 * self.layers.len());
        for (layer, [g, k]) in self.layers.iter_mut().zip(shapes) {
            for store in [&mut layer.keys, &mut layer.values] {
                store.make_room(start, [1, *g, tokens, *k], context, &Device::flex());
                let tensor = store.0.take().expect("made above");
                taken.push(tensor.try_into_primitive::<Flex>().expect("on plain Flex, by the check above"));
            }
        }
        let capacity = |tensor: &FlexTensor| tensor.layout().shape()[2];
        let (pairs, _) = taken.as_chunks_mut::<2>();
        let remembered: Vec<Remembered<'_>> = pairs
            .iter_mut()
            .map(|[keys, values]| {
                let capacity = capacity(keys);
                Remembered::new(keys.storage_mut(), values.storage_mut(), capacity)
            })
            .collect();
        let result = work(&remembered);
        drop(remembered);
        let stores = self.layers.iter_mut().flat_map(|layer| [&mut layer.keys, &mut layer.values]);
        for (store, tensor) in stores.zip(taken) {
            store.0 = Some(Tensor::from_primitive::<Flex>(tensor));
        }
        Some(result)
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
        self.make_room(start, [b, g, t, k], context, &new.device());
        let store = self.0.take().expect("made above");
        // Nothing else holds the store here, so the backend writes in place.
        let store = store.slice_assign([0..b, 0..g, start..end, 0..k], new);
        let filled = store.clone().slice([0..b, 0..g, 0..end, 0..k]); // [B, G, len + T, K]
        self.0 = Some(store);
        filled
    }

    /// True when a batch of this size, with so many heads of this width, is what it holds or can hold.
    fn fits(&self, [b, g, k]: [usize; 3]) -> bool {
        self.0.as_ref().is_none_or(|store| {
            let [of_b, of_g, _, of_k] = store.dims();
            [of_b, of_g, of_k] == [b, g, k] && on_plain_cpu(store)
        })
    }

    /// Makes it long enough for T tokens behind `start` older ones, `[B, G, T, K]`.
    fn make_room(&mut self, start: usize, [b, g, t, k]: [usize; 4], context: usize, device: &Device) {
        let end = start + t;
        self.0 = Some(match self.0.take() {
            Some(store) if store.dims()[2] >= end => store,
            old => {
                // The tokens of a tree may be more than fit in one sequence.
                let capacity = end.next_multiple_of(CHUNK).min(context).max(end);
                let grown = Tensor::zeros([b, g, capacity, k], device);
                match old {
                    Some(old) => {
                        let filled = old.slice([0..b, 0..g, 0..start, 0..k]);
                        grown.slice_assign([0..b, 0..g, 0..start, 0..k], filled)
                    }
                    None => grown,
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
