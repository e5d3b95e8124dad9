//! Reads and changes values inside a forward pass without cluttering it.
//!
//! Every model calls `x = hooks.at(site, x)` where a value has a name and goes on with what it gets back. With hooks off
//! that is one test of a pointer. The rules of what a change means are written at [`Site`].

mod change;
mod dropout;
mod gradient;
mod record;
mod rows;
mod scope;
mod watch;

pub use change::{Change, SiteEdit, SiteValue};
pub use gradient::SiteGradients;

use crate::types::{Capture, Random, Site, SiteSet};
use burn::tensor::{Tensor, TensorData};
use gradient::Probes;
use record::Recorder;
use rows::Rows;
use watch::Watch;

/// What is wanted of the values of a pass: to be noted, kept, changed, or their gradient.
#[derive(Default)]
pub struct Hooks {
    wishes: Option<Box<Wishes>>,
    /// See [`Self::alone`].
    is_alone: bool,
    /// See [`Self::learning`].
    dropping: Option<Random>,
}

#[derive(Default)]
struct Wishes {
    recorder: Option<Recorder>,
    kept_sites: SiteSet,
    kept: Vec<(Site, SiteValue)>,
    edits: Vec<SiteEdit>,
    edited_sites: SiteSet,
    /// What each edit to the mean has found.
    means: Vec<Option<SiteValue>>,
    gradients: Option<Probes>,
    watch: Option<Watch>,
    rows: Rows,
}

impl Hooks {
    /// Wants nothing; `at` is the identity.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// True when nothing is wanted of a pass but its scores.
    pub(super) fn are_off(&self) -> bool {
        self.wishes.is_none() && !self.is_alone && self.dropping.is_none()
    }

    /// Notes every one of these sites. Values that would take the total above `budget_bytes` are left out, so that deep
    /// models keep their first layers rather than none; [`Self::into_captures`] says which.
    #[must_use]
    pub fn recording(mut self, sites: SiteSet, budget_bytes: Option<usize>) -> Self {
        self.wishes().recorder = Some(Recorder::new(sites, budget_bytes));
        self
    }

    /// Keeps the values at these sites on their device, for [`Self::take_kept`].
    #[must_use]
    pub fn keeping(mut self, sites: SiteSet) -> Self {
        self.wishes().kept_sites = sites;
        self
    }

    /// Changes values, in this order where several edits meet at a site.
    #[must_use]
    pub fn editing(mut self, edits: Vec<SiteEdit>) -> Self {
        if !edits.is_empty() {
            let wishes = self.wishes();
            wishes.edited_sites = edits.iter().map(|edit| edit.site).collect();
            wishes.means = vec![None; edits.len()];
            wishes.edits = edits;
        }
        self
    }

    /// Makes the gradient with respect to the values at these sites readable by [`Self::gradients`]. The pass must be on an
    /// autodiff device; its weights need no gradient. [`Site::Rotary`] has none.
    #[must_use]
    pub fn with_gradients(mut self, sites: SiteSet) -> Self {
        self.wishes().gradients = Some(Probes::new(sites));
        self
    }

    /// Looks for the first site with a value that is not a finite number, for [`Self::first_broken`].
    #[must_use]
    pub fn looking_for_broken(mut self) -> Self {
        self.wishes().watch = Some(Watch::default());
        self
    }

    /// The first site of the pass with a value that is not a finite number, if that was looked for and there is one.
    #[must_use]
    pub fn first_broken(&self) -> Option<Site> {
        self.wishes.as_deref()?.watch.as_ref()?.found()
    }

    fn wishes(&mut self) -> &mut Wishes {
        self.wishes.get_or_insert_default()
    }

    /// True when the value at this site is wanted in any way, so a shortcut that never computes it must not be taken.
    #[must_use]
    pub fn needs(&self, site: Site) -> bool {
        self.wishes.as_deref().is_some_and(|wishes| wishes.needs(site))
    }

    /// True when the value at this site is wanted, but neither changed nor differentiated: it may be handed over after what
    /// follows from it was computed.
    pub(super) fn only_reads(&self, site: Site) -> bool {
        self.wishes.as_deref().is_some_and(|wishes| {
            let is_differentiated = wishes.gradients.as_ref().is_some_and(|probes| probes.want(site));
            wishes.needs(site) && !wishes.edited_sites.contains(site) && !is_differentiated
        })
    }

    /// Does a pass that is made for these hooks alone, so that it may end where they want nothing more.
    pub(super) fn alone(&mut self, pass: impl FnOnce(&mut Self)) {
        self.is_alone = true;
        pass(self);
        self.is_alone = false;
    }

    /// True when the pass is made for these hooks alone and they want nothing behind this site.
    pub(super) fn end_at(&self, site: Site) -> bool {
        self.is_alone && !self.wishes.as_deref().is_some_and(|wishes| wishes.need_behind(site))
    }

    /// As [`Self::end_at`], for all that comes from a block on.
    pub(super) fn end_before(&self, layer: usize) -> bool {
        self.end_at(Site::ResidPre(layer)) && !self.needs(Site::ResidPre(layer))
    }

    /// True when something behind the last block is wanted.
    pub(super) fn needs_output(&self) -> bool {
        self.needs(Site::LnFinal) || self.needs(Site::Logits)
    }

    /// Passes `x` on, changed and noted as is wanted. `x` `[B, ..]`, the dimensions behind the batch as [`Site::axes`] says.
    ///
    /// # Panics
    /// When an edit names positions and the value has none, or its gradient is wanted on a device without autodiff.
    pub fn at<const D: usize>(&mut self, site: Site, x: Tensor<D>) -> Tensor<D> {
        self.at_mended(site, x, |changed| changed)
    }

    /// As [`Self::at`], with something that is done to a value that was edited before anything else sees it.
    pub(super) fn at_mended<const D: usize>(
        &mut self,
        site: Site,
        x: Tensor<D>,
        mend: impl FnOnce(Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        match self.wishes.as_deref_mut() {
            Some(wishes) if wishes.needs(site) => wishes.at(site, x, mend),
            _ => x,
        }
    }

    /// Says where the tokens of the pass that begins stand: the position of each of `[B, T]`, row-major, which of them are
    /// real (all, unless told), and how many older tokens a cache holds.
    pub(super) fn begin(&mut self, rows: impl FnOnce() -> Rows) {
        if let Some(wishes) = self.wishes.as_deref_mut().filter(|wishes| !wishes.edits.is_empty()) {
            wishes.rows = rows();
        }
    }

    /// Says that the pass goes on with these of its `B·T` tokens only, as `[batch, chosen / batch]`.
    pub(super) fn go_on_with(&mut self, chosen: impl FnOnce() -> Vec<usize>, batch: usize) {
        if let Some(wishes) = self.wishes.as_deref_mut().filter(|wishes| !wishes.edits.is_empty()) {
            wishes.rows.choose(&chosen(), batch);
        }
    }

    /// True when tokens change places at this site.
    pub(super) fn swaps(&self, site: Site) -> bool {
        self.edits_at(site).any(|edit| matches!(edit.change, Change::Swap(..)))
    }

    /// [`Self::at`] for the learned positions of whole sequences, `[1 or B, T, D]`, those that change places where they then
    /// stand.
    pub(super) fn at_positions(&mut self, x: Tensor<3>) -> Tensor<3> {
        if !self.swaps(Site::PosEmbed) {
            return self.at(Site::PosEmbed, x);
        }
        let [_, t, _] = x.dims();
        let order: Vec<i32> = (0..t).map(|position| self.swapped(Site::PosEmbed, position) as i32).collect();
        let order = Tensor::from_data(TensorData::new(order, [t]), &x.device());
        self.at(Site::PosEmbed, x.select(1, order))
    }

    /// Whose position the token at `position` has at this site.
    pub(super) fn swapped(&self, site: Site, position: usize) -> usize {
        self.edits_at(site).fold(position, |position, edit| match edit.change {
            Change::Swap(a, b) if position == a => b,
            Change::Swap(a, b) if position == b => a,
            _ => position,
        })
    }

    fn edits_at(&self, site: Site) -> impl Iterator<Item = &SiteEdit> {
        let edits = self.wishes.as_deref().map_or(&[][..], |wishes| &wishes.edits);
        edits.iter().filter(move |edit| edit.site == site)
    }

    /// The positions of tokens, `[B, T]` row-major, as [`Site::Rotary`] has them: for rotations, which are computed on the
    /// host.
    pub(super) fn rotary(&mut self, positions: &[usize], shape: [usize; 2], device: &burn::tensor::Device) -> Vec<f64> {
        let placed = positions.iter().map(|position| self.swapped(Site::Rotary, *position) as f32).collect();
        let values = Tensor::<2>::from_data(TensorData::new(placed, shape), device);
        let values = self.at(Site::Rotary, values).into_data();
        values.iter::<f32>().map(f64::from).collect()
    }

    /// The edits, those to the mean now to the mean that the last pass found: what holds for further passes over the same
    /// prompt.
    #[must_use]
    pub fn fixed_edits(&self) -> Vec<SiteEdit> {
        let Some(wishes) = self.wishes.as_deref() else { return Vec::new() };
        let fixed = |(edit, mean): (&SiteEdit, &Option<SiteValue>)| match mean {
            Some(mean) => SiteEdit { change: Change::Set(Box::new(mean.clone())), ..edit.clone() },
            None => edit.clone(),
        };
        wishes.edits.iter().zip(&wishes.means).map(fixed).collect()
    }

    /// Takes out the value that was kept of a site, the last one where several passes met it; `None` where none did.
    pub fn take_kept(&mut self, site: Site) -> Option<SiteValue> {
        let kept = &mut self.wishes.as_deref_mut()?.kept;
        let place = kept.iter().rposition(|(of, _)| *of == site)?;
        Some(kept.swap_remove(place).1)
    }

    /// The gradients that were wanted, from those of a loss that follows from the pass.
    pub fn gradients(&mut self, loss: &Tensor<1>) -> SiteGradients {
        let probes = self.wishes.as_deref_mut().and_then(|wishes| wishes.gradients.take());
        probes.map_or_else(SiteGradients::default, |probes| probes.read(loss))
    }

    /// Reads everything that was noted back at once. The text, if any, says what the budget left out and what to do about
    /// it.
    #[must_use]
    pub fn into_captures(self) -> (Vec<Capture>, Option<String>) {
        self.wishes.and_then(|wishes| wishes.recorder).map_or((Vec::new(), None), Recorder::into_captures)
    }
}

impl Wishes {
    fn needs(&self, site: Site) -> bool {
        self.edited_sites.contains(site)
            || self.kept_sites.contains(site)
            || self.recorder.as_ref().is_some_and(|recorder| recorder.wants(site))
            || self.gradients.as_ref().is_some_and(|probes| probes.want(site))
            || self.is_watching()
    }

    fn is_watching(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.found().is_none())
    }

    fn need_behind(&self, site: Site) -> bool {
        let recorded = self.recorder.as_ref().map(Recorder::sites);
        let differentiated = self.gradients.as_ref().map(Probes::sites);
        let sets = [Some(&self.edited_sites), Some(&self.kept_sites), recorded, differentiated];
        self.is_watching() || sets.into_iter().flatten().any(|sites| sites.goes_behind(site))
    }

    fn at<const D: usize>(
        &mut self,
        site: Site,
        mut x: Tensor<D>,
        mend: impl FnOnce(Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        if self.edited_sites.contains(site) {
            for (edit, mean) in self.edits.iter().zip(&mut self.means).filter(|(edit, _)| edit.site == site) {
                x = edit.apply(x, &self.rows, mean);
            }
            x = mend(x);
        }
        if let Some(probes) = self.gradients.as_mut().filter(|probes| probes.want(site)) {
            x = probes.attach(site, x);
        }
        if self.kept_sites.contains(site) {
            self.kept.push((site, SiteValue::of_batch(x.clone())));
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.note(site, &x);
        }
        if let Some(watch) = &mut self.watch {
            watch.look_at(site, &x);
        }
        x
    }
}

pub(super) use rows::Rows as TokenRows;

#[cfg(test)]
mod tests;
