//! What each part of the panel does by itself.

use crate::types::JobId;
use crate::ui::{Action, Cx, State};
use egui::Ui;
use std::collections::BTreeSet;
use std::path::Path;

/// A part of the panel: it owns what is filled in and looked at there. Its names mean what they mean of a [`crate::ui::Panel`].
pub(super) trait Tab {
    fn controls(&mut self, ui: &mut Ui, cx: &mut Cx<'_>);
    fn footer(&mut self, ui: &mut Ui, cx: &mut Cx<'_>);
    /// The stage below the names of the parts, with margins.
    fn stage(&mut self, ui: &mut Ui, cx: &mut Cx<'_>);
    /// Called once a frame for every part, shown or not.
    fn tick(&mut self, _cx: &mut Cx<'_>) {}
    /// Title of the right column; none where there is none at the moment.
    fn inspector_title(&self) -> Option<&'static str> {
        None
    }
    fn inspector(&mut self, _ui: &mut Ui, _cx: &mut Cx<'_>) {}
    fn current_job(&self) -> Option<JobId>;
    fn shows(&self, shown: &mut BTreeSet<JobId>);
    fn run(&mut self, cx: &mut Cx<'_>);
    /// True when the path was asked for by this part: tags are told apart by it.
    fn picked(&mut self, _tag: &'static str, _path: &Path, _cx: &mut Cx<'_>) -> bool {
        false
    }
    fn dropped(&mut self, _path: &Path, _cx: &mut Cx<'_>) -> bool {
        false
    }
    /// Entries of the command palette; their ids differ from those of other parts.
    fn actions(&self, _state: &State) -> Vec<Action> {
        Vec::new()
    }
    /// True when the entry was one of this part's.
    fn act(&mut self, _id: &'static str, _cx: &mut Cx<'_>) -> bool {
        false
    }
    fn save(&self) -> serde_json::Value;
    /// False when something was not understood.
    fn restore(&mut self, value: &serde_json::Value) -> bool;
}
