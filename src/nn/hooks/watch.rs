//! Where in a pass values stop being numbers.

use crate::types::Site;
use burn::tensor::Tensor;

/// Waits for the first value that is not a finite number.
#[derive(Default)]
pub(super) struct Watch {
    found: Option<Site>,
}

impl Watch {
    pub(super) fn found(&self) -> Option<Site> {
        self.found
    }

    pub(super) fn look_at<const D: usize>(&mut self, site: Site, x: &Tensor<D>) {
        if self.found.is_none() && !x.clone().inner().is_finite().all().into_scalar::<bool>() {
            self.found = Some(site);
        }
    }
}
