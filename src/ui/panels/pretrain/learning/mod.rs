//! Learning from text without labels, watched.

use super::tab::Tab;
use crate::types::JobId;
use crate::ui::Cx;
use egui::Ui;
use std::collections::BTreeSet;

/// The part of the panel in which networks learn from text.
#[derive(Default)]
pub(super) struct Learning {}

impl Tab for Learning {
    fn controls(&mut self, _ui: &mut Ui, _cx: &mut Cx<'_>) {}

    fn footer(&mut self, _ui: &mut Ui, _cx: &mut Cx<'_>) {}

    fn stage(&mut self, _ui: &mut Ui, _cx: &mut Cx<'_>) {}

    fn current_job(&self) -> Option<JobId> {
        None
    }

    fn shows(&self, _shown: &mut BTreeSet<JobId>) {}

    fn run(&mut self, _cx: &mut Cx<'_>) {}

    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _value: &serde_json::Value) -> bool {
        true
    }
}
