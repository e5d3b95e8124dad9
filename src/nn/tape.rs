//! Reads values out of a forward pass without cluttering it.
//!
//! Every model calls `x = tape.at(site, x)` where a value has a name. With the tape off that is one test of a pointer.
//! Because `at` returns the value, a later tape can also change it (scale a head, patch a residual) without any change in
//! a model.

use crate::types::{Capture, Site, SiteFilter};
use burn::tensor::{Tensor, Transaction};
use std::sync::Arc;

/// Notes the values a forward pass is asked for.
pub struct Tape {
    recorder: Option<Box<Recorder>>,
}

struct Recorder {
    filter: SiteFilter,
    budget_bytes: usize,
    used_bytes: usize,
    taken: Vec<(Site, Vec<usize>)>,
    left_out: Vec<Site>,
    /// Holds the noted tensors on their device until the one read-back.
    pending: Transaction,
}

impl Tape {
    /// Notes nothing; `at` is the identity.
    #[must_use]
    pub fn off() -> Self {
        Self { recorder: None }
    }

    /// Notes every site the filter chooses. Values that would take the total above `budget_bytes` are left out, so that
    /// deep models keep their first layers rather than none; [`Self::into_captures`] says which.
    #[must_use]
    pub fn capture(filter: SiteFilter, budget_bytes: Option<usize>) -> Self {
        let recorder = Recorder {
            filter,
            budget_bytes: budget_bytes.unwrap_or(usize::MAX),
            used_bytes: 0,
            taken: Vec::new(),
            left_out: Vec::new(),
            pending: Transaction::default(),
        };
        Self { recorder: Some(Box::new(recorder)) }
    }

    /// True when values may be asked for, so a shortcut that never computes some of them must not be taken.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.recorder.is_some()
    }

    /// True when the value at this site will be noted, so a shortcut that never computes it must not be taken.
    pub(super) fn asks_for(&self, site: Site) -> bool {
        self.recorder.as_deref().is_some_and(|recorder| recorder.filter.matches(site))
    }

    /// True when something behind the last block is asked for.
    pub(super) fn asks_for_output(&self) -> bool {
        self.asks_for(Site::LnFinal) || self.asks_for(Site::Logits)
    }

    /// Passes `x` on, noting it when it is asked for.
    ///
    /// # Panics
    /// While capturing, when `x` holds more than one sequence (its first dimension is the batch).
    pub fn at<const D: usize>(&mut self, site: Site, x: Tensor<D>) -> Tensor<D> {
        if let Some(recorder) = &mut self.recorder {
            recorder.note(site, &x);
        }
        x
    }

    /// Reads everything back at once. The text, if any, says what the budget left out and what to do about it.
    #[must_use]
    pub fn into_captures(self) -> (Vec<Capture>, Option<String>) {
        let Some(recorder) = self.recorder else { return (Vec::new(), None) };
        let left_out = recorder.describe_left_out();
        let values = recorder.pending.execute().into_iter();
        let captures = recorder.taken.into_iter().zip(values).map(|((site, shape), data)| {
            let values = data.try_into_vec::<f32>().expect("models compute in F32");
            Capture { site: site.to_string(), shape, values: Arc::from(values) }
        });
        (captures.collect(), left_out)
    }
}

impl Recorder {
    fn note<const D: usize>(&mut self, site: Site, x: &Tensor<D>) {
        if !self.filter.matches(site) {
            return;
        }
        let dims = x.dims();
        assert_eq!(dims[0], 1, "captures are of one sequence, {site} holds {}", dims[0]);
        let bytes = dims.iter().product::<usize>() * size_of::<f32>();
        if self.used_bytes + bytes > self.budget_bytes {
            self.left_out.push(site);
            return;
        }
        self.used_bytes += bytes;
        self.taken.push((site, dims[1..].to_vec()));
        self.pending = std::mem::take(&mut self.pending).register(x.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn capture(budget: Option<usize>) -> (Vec<Capture>, Option<String>) {
        let device = Device::flex();
        let mut tape = Tape::capture("blocks.*.resid_pre,logits".parse().unwrap(), budget);
        for layer in 0..3 {
            let x = Tensor::<3>::full([1, 2, 4], layer as f32, &device);
            let same = tape.at(Site::ResidPre(layer), x.clone());
            assert_eq!(same.to_data(), x.to_data());
            tape.at(Site::ResidPost(layer), x);
        }
        tape.at(Site::Logits, Tensor::<3>::from_data([[[1.0, 2.0]]], &device));
        tape.into_captures()
    }

    #[test]
    fn notes_what_was_asked_for_in_order() {
        let (captures, left_out) = capture(None);
        let names: Vec<_> = captures.iter().map(|c| c.site.as_str()).collect();
        assert_eq!(names, ["blocks.0.resid_pre", "blocks.1.resid_pre", "blocks.2.resid_pre", "logits"]);
        assert_eq!(captures[2].shape, [2, 4]);
        assert_eq!(&captures[2].values[..], &[2.0; 8]);
        assert_eq!(&captures[3].values[..], &[1.0, 2.0]);
        assert_eq!(left_out, None);
    }

    #[test]
    fn budget_keeps_the_first_layers_and_says_so() {
        let (captures, left_out) = capture(Some(40));
        let names: Vec<_> = captures.iter().map(|c| c.site.as_str()).collect();
        assert_eq!(names, ["blocks.0.resid_pre", "logits"]);
        let text = left_out.unwrap();
        assert!(text.contains("2 of 4") && text.contains("blocks.1.resid_pre to blocks.2.resid_pre"), "{text}");
    }
}
