//! Notes values and reads them back at once.

use crate::types::{Capture, Site, SiteSet};
use burn::tensor::{Tensor, Transaction};

/// What was noted of a pass.
pub(super) struct Recorder {
    sites: SiteSet,
    budget_bytes: usize,
    used_bytes: usize,
    taken: Vec<(Site, Vec<usize>)>,
    left_out: Vec<Site>,
    /// Holds the noted tensors on their device until the one read-back.
    pending: Transaction,
}

impl Recorder {
    pub(super) fn new(sites: SiteSet, budget_bytes: Option<usize>) -> Self {
        Self {
            sites,
            budget_bytes: budget_bytes.unwrap_or(usize::MAX),
            used_bytes: 0,
            taken: Vec::new(),
            left_out: Vec::new(),
            pending: Transaction::default(),
        }
    }

    pub(super) fn sites(&self) -> &SiteSet {
        &self.sites
    }

    pub(super) fn wants(&self, site: Site) -> bool {
        self.sites.contains(site)
    }

    pub(super) fn note<const D: usize>(&mut self, site: Site, x: &Tensor<D>) {
        if !self.wants(site) {
            return;
        }
        let dims = x.dims();
        let bytes = dims.iter().product::<usize>() * size_of::<f32>();
        if self.used_bytes + bytes > self.budget_bytes {
            self.left_out.push(site);
            return;
        }
        self.used_bytes += bytes;
        self.taken.push((site, super::change::without_batch_of_one(&dims)));
        self.pending = std::mem::take(&mut self.pending).register(x.clone().inner());
    }

    pub(super) fn into_captures(self) -> (Vec<Capture>, Option<String>) {
        let left_out = self.describe_left_out();
        let values = self.pending.execute().into_iter();
        let captures = self.taken.into_iter().zip(values).map(|((site, shape), data)| {
            let values = data.try_into_vec::<f32>().expect("models compute in F32");
            Capture { site, shape, values: values.into() }
        });
        (captures.collect(), left_out)
    }

    fn describe_left_out(&self) -> Option<String> {
        let (first, last) = (self.left_out.first()?, self.left_out.last()?);
        let range = if self.left_out.len() == 1 { first.to_string() } else { format!("{first} to {last}") };
        Some(format!(
            "{} of {} sites did not fit in {} MiB and were left out ({range}). Choose fewer layers or a shorter prompt.",
            self.left_out.len(),
            self.left_out.len() + self.taken.len(),
            self.budget_bytes >> 20,
        ))
    }
}
