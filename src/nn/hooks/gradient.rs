//! The gradient of a loss with respect to values inside a pass.

use super::change::without_batch_of_one;
use crate::types::{Site, SiteSet};
use burn::tensor::Tensor;

/// Zeros added to values: their gradient is that of the value, whatever stands before it.
pub(super) struct Probes {
    sites: SiteSet,
    attached: Vec<(Site, Vec<usize>, Tensor<1>)>,
}

impl Probes {
    pub(super) fn new(sites: SiteSet) -> Self {
        Self { sites, attached: Vec::new() }
    }

    pub(super) fn sites(&self) -> &SiteSet {
        &self.sites
    }

    pub(super) fn want(&self, site: Site) -> bool {
        self.sites.contains(site)
    }

    pub(super) fn attach<const D: usize>(&mut self, site: Site, x: Tensor<D>) -> Tensor<D> {
        let dims = x.dims();
        let zeros = Tensor::<1>::zeros([dims.iter().product::<usize>()], &x.device()).require_grad();
        self.attached.push((site, without_batch_of_one(&dims), zeros.clone()));
        x + zeros.reshape(dims)
    }

    pub(super) fn read(self, loss: &Tensor<1>) -> SiteGradients {
        let gradients = loss.backward();
        let read = |(site, shape, zeros): (Site, Vec<usize>, Tensor<1>)| Some((site, shape, zeros.grad(&gradients)?));
        SiteGradients(self.attached.into_iter().filter_map(read).collect())
    }
}

/// Gradients by site, on their device. A site the loss does not depend on is missing.
#[derive(Default)]
pub struct SiteGradients(Vec<(Site, Vec<usize>, Tensor<1>)>);

impl SiteGradients {
    /// The gradient with respect to the value at a site: its shape, that of the value without a batch of one, and its
    /// values, row-major.
    #[must_use]
    pub fn of(&self, site: Site) -> Option<(&[usize], Tensor<1>)> {
        let (_, shape, values) = self.0.iter().find(|(of, ..)| *of == site)?;
        Some((shape, values.clone()))
    }
}
