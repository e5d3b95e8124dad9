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
    /// The arithmetic of one token in one head, from its embedding to the scores.
    Steps,
    /// One word in two texts.
    Contexts,
    /// The text in other orders, and without one.
    Order,
    /// What each layer would say.
    Layers,
    /// What a score is made of.
    Parts,
    /// What becomes of an answer when something is changed.
    Causes,
}

impl Way {
    /// True where it shows what heads are seen together, and in which units.
    pub fn is_of_planes(self) -> bool {
        matches!(self, Self::Map | Self::Lines)
    }

    /// True where a picture is shown like a text, and not with weights over it.
    pub fn is_of_pictures(self) -> bool {
        matches!(self, Self::Steps | Self::Parts)
    }
}

/// The names of all ways, in the order in which they stand beside each other.
const WAYS: &[(Way, &str)] = &[
    (Way::Map, "Map"),
    (Way::Lines, "Lines"),
    (Way::Atlas, "Atlas"),
    (Way::Steps, "Steps"),
    (Way::Layers, "Layers"),
    (Way::Parts, "Parts"),
    (Way::Causes, "Causes"),
    (Way::Contexts, "Contexts"),
    (Way::Order, "Word order"),
];

/// The choice of a way.
pub(super) fn choose(way: &mut Way, ui: &mut Ui) {
    segmented(ui, way, WAYS);
}

/// The same for a picture, whose heads are seen over it.
pub(super) fn choose_for_picture(way: &mut Way, ui: &mut Ui) {
    let mut seen = if way.is_of_pictures() { *way } else { Way::Map };
    if segmented(ui, &mut seen, &[(Way::Map, "Map"), (Way::Steps, "Steps"), (Way::Parts, "Parts")]) {
        *way = seen;
    }
}
