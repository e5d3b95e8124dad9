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
    /// Two columns of tokens with lines between them.
    Lines,
    /// All heads by what they do.
    Atlas,
    /// One word in two texts.
    Contexts,
}

impl Way {
    /// True where it shows what heads are seen together, and in which units.
    pub fn is_of_planes(self) -> bool {
        matches!(self, Self::Map | Self::Lines)
    }
}

/// The names of all ways, in the order in which they stand beside each other.
const WAYS: &[(Way, &str)] =
    &[(Way::Map, "Map"), (Way::Lines, "Lines"), (Way::Atlas, "Atlas"), (Way::Contexts, "Contexts")];

/// The choice of a way.
pub(super) fn choose(way: &mut Way, ui: &mut Ui) {
    if WAYS.len() > 1 {
        segmented(ui, way, WAYS);
    }
}
