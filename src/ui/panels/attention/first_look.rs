//! Which head is shown where nobody has chosen one.

use super::Shown;
use crate::analysis;
use crate::types::{JobId, ModelId};
use crate::ui::Selection;
use std::collections::BTreeSet;

/// Shows a head with structure first, once a report, until the person chooses a head of that model.
#[derive(Default)]
pub(super) struct FirstLook {
    /// The report looked at last, and its model.
    of: Option<(JobId, Option<ModelId>)>,
    /// The layer and head it left in the selection: another one there is somebody's choice.
    left: (usize, usize),
    /// Models of which somebody chose a head.
    chosen: BTreeSet<ModelId>,
}

impl FirstLook {
    /// To be called when a report is about to be shown: the selection is one of its heads then. `was_asked_for` is true of one that another panel handed over,
    /// together with the head it is about.
    pub(super) fn of(&mut self, shown: &Shown, model: Option<ModelId>, was_asked_for: bool, selection: &mut Selection) {
        if (selection.layer, selection.head) != self.left {
            self.chosen.extend(self.of.map_or(model, |(_, before)| before));
        }
        selection.layer = selection.layer.min(shown.layers.saturating_sub(1));
        selection.head = selection.head.min(shown.heads.saturating_sub(1));
        if self.of.map(|(job, _)| job) != Some(shown.job) {
            self.of = Some((shown.job, model));
            let is_free = !was_asked_for && model.is_none_or(|m| !self.chosen.contains(&m));
            // Of a picture the first token is all there is to look from, and no sink.
            if is_free
                && shown.report.picture.is_none()
                && let Some(found) = analysis::first_head(&shown.report, shown.layers, shown.heads)
            {
                (selection.layer, selection.head) = found;
            }
        }
        self.left = (selection.layer, selection.head);
    }
}
