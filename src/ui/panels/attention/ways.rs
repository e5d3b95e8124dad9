//! The ways in which the stage shows a sequence of tokens.

use crate::ui::widgets::segmented;
use egui::Ui;
use serde::{Deserialize, Serialize};

/// One way of looking at a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// One head as a map of query by key, with the tokens as a strip.
    #[default]
    Map,
    /// The arithmetic of one token in one head, from its embedding to the scores.
    Steps,
}

/// The names of all ways, in the order in which they stand beside each other.
const WAYS: &[(Way, &str)] = &[(Way::Map, "Map"), (Way::Steps, "Steps")];

/// The choice of a way.
pub(super) fn choose(way: &mut Way, ui: &mut Ui) {
    if WAYS.len() > 1 {
        segmented(ui, way, WAYS);
    }
}
