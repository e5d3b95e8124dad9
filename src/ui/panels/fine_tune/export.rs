//! The learning curves as a file.

use super::FineTunePanel;
use super::view::NamedRun;
use crate::chart::Format;
use crate::ui::Cx;
use crate::ui::panels::curves;

impl FineTunePanel {
    /// Asks where the curves that are drawn are to be written.
    pub(super) fn export(&self, cx: &mut Cx<'_>, format: Format, runs: &[NamedRun<'_>]) {
        let kind = self.kind(runs);
        curves::export(cx, self.view.figure(runs, kind.as_ref()), "learning-curves", format);
    }
}
