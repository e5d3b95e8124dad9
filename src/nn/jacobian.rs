//! How the end of the stream depends on what each block leaves, by one backward pass for many numbers of the end at once.
//!
//! C sequences, T tokens, D model width, L blocks.

use crate::nn::{CausalLm, Hooks};
use crate::types::{Site, SiteSet};
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// A copy of a model through which gradients pass, though its weights get none.
pub struct Jacobian {
    net: CausalLm,
}

impl Jacobian {
    /// Of a model as it is now.
    #[must_use]
    pub fn new(lm: &CausalLm) -> Self {
        Self { net: lm.clone().no_grad().train() }
    }

    /// For some of the numbers of the end, C of D: Σ ∂(Σ end[p'] over the positions) / ∂state[p] over the positions, of the states that
    /// leave each block but the last: `[C, D]` each. `first` is the stream that leaves the first block, `[1, T, D]`; the passes of all C
    /// part from it. Nothing acts on what stands before it, so this is the sum over p' ≥ p.
    ///
    /// # Panics
    /// When the model has fewer than two blocks.
    #[must_use]
    pub fn rows(&self, first: &Tensor<3>, numbers: Range<usize>, positions: &Range<usize>) -> Vec<Tensor<2>> {
        let layers = self.net.layers();
        assert!(layers > 1, "the only block's Jacobian is the identity");
        let [_, t, d] = first.dims();
        let count = numbers.len();
        let entering = Tensor::from_inner(first.clone().inner().expand([count, t, d]));
        let sites: Vec<Site> = (1..layers).map(Site::ResidPre).collect();
        let mut hooks = Hooks::off().with_gradients(sites.iter().copied().collect::<SiteSet>());
        let end = self.net.resume(1, entering, count, &mut hooks); // [C, T, D]
        // Each sequence asks for one number of the end, at all positions.
        let mut asked = vec![0.0f32; count * d];
        numbers.enumerate().for_each(|(sequence, number)| asked[sequence * d + number] = 1.0);
        let asked = Tensor::<3>::from_data(TensorData::new(asked, [count, 1, d]), &end.device());
        let sum = (end.narrow(1, positions.start, positions.len()) * asked).sum();
        let gradients = hooks.gradients(&sum);
        let row = |site: &Site| match gradients.of(*site) {
            Some((_, gradient)) => {
                let gradient = gradient.reshape([count, t, d]).narrow(1, positions.start, positions.len());
                gradient.sum_dim(1).squeeze_dim::<2>(1)
            }
            None => Tensor::zeros([count, d], &first.device()),
        };
        sites.iter().map(row).collect()
    }
}
