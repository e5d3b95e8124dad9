//! What the attention panel keeps for the next start.

use super::AttentionPanel;
use super::atlas;
use super::causes;
use super::contexts;
use super::layers;
use super::look::Direction;
use super::order;
use super::parts;
use super::picture;
use super::plane::{Measure, Over};
use super::ways::Way;
use crate::types::{ColorMap, Grouping, ScaleCurve, ScaleEnd, WeightScale};
use crate::ui::paths;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What survives a restart.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    pub map: ColorMap,
    pub contrast: ScaleCurve,
    pub ends_at: ScaleEnd,
    pub without_first: bool,
    pub way: Way,
    pub over: Over,
    pub measure: Measure,
    pub grouping: Grouping,
    pub direction: Direction,
    pub text: String,
    pub contexts: contexts::Typed,
    pub order: order::Kept,
    pub layers: layers::Kept,
    pub parts: parts::Kept,
    pub causes: causes::Kept,
    pub atlas: atlas::Kept,
    #[serde(with = "paths::one")]
    pub picture: Option<PathBuf>,
    pub source: picture::Source,
    pub covering: f32,
}

impl Default for Saved {
    fn default() -> Self {
        let picture = picture::PictureView::default();
        Self {
            map: ColorMap::default(),
            contrast: ScaleCurve::default(),
            ends_at: ScaleEnd::default(),
            without_first: false,
            way: Way::default(),
            over: Over::default(),
            measure: Measure::default(),
            grouping: Grouping::default(),
            direction: Direction::default(),
            text: String::new(),
            contexts: contexts::Typed::default(),
            order: order::Kept::default(),
            layers: layers::Kept::default(),
            parts: parts::Kept::default(),
            causes: causes::Kept::default(),
            atlas: atlas::Kept::default(),
            picture: None,
            source: picture.source,
            covering: picture.strength,
        }
    }
}

impl Saved {
    pub fn of(panel: &AttentionPanel) -> Self {
        let (tokens, colours, picture) = (&panel.tokens, &panel.colours, &panel.picture);
        let seen = tokens.planes.seen;
        Self {
            map: colours.map,
            contrast: colours.scale.curve,
            ends_at: colours.scale.end,
            without_first: colours.scale.without_first,
            way: tokens.way,
            over: seen.over,
            measure: seen.measure,
            grouping: seen.grouping,
            direction: tokens.direction,
            text: tokens.text.clone(),
            contexts: panel.contexts.typed.clone(),
            order: tokens.order.kept.clone(),
            layers: tokens.layers.kept.clone(),
            parts: tokens.parts.kept.clone(),
            causes: tokens.causes.kept.clone(),
            atlas: tokens.atlas.kept(),
            picture: picture.path.clone(),
            source: picture.source,
            covering: picture.strength,
        }
    }

    pub fn apply(self, panel: &mut AttentionPanel) {
        let Self { contrast: curve, ends_at: end, without_first, .. } = self;
        let (tokens, picture) = (&mut panel.tokens, &mut panel.picture);
        (panel.colours.map, panel.colours.scale) = (self.map, WeightScale { curve, end, without_first });
        (tokens.way, tokens.direction, tokens.text) = (self.way, self.direction, self.text);
        (panel.contexts.typed, tokens.order.kept, tokens.layers.kept) = (self.contexts, self.order, self.layers);
        (tokens.parts.kept, tokens.causes.kept) = (self.parts, self.causes);
        tokens.atlas.take_up(&self.atlas);
        let seen = &mut tokens.planes.seen;
        (seen.over, seen.measure, seen.grouping) = (self.over, self.measure, self.grouping);
        (picture.to_read, picture.source) = (self.picture, self.source);
        if (0.0..=1.0).contains(&self.covering) {
            picture.strength = self.covering;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ui::Panel;
    use crate::ui::panels::attention::AttentionPanel;
    use serde_json::json;

    #[test]
    fn how_the_atlas_was_looked_at_survives_a_restart() {
        let kept = json!({
            "source": "probe", "seed": 9, "across": "entropy", "up": "self", "sort": "", "is_falling": false
        });
        let mut panel = AttentionPanel::default();
        assert!(panel.restore(&json!({ "way": "atlas", "atlas": kept })));
        assert_eq!(panel.save()["atlas"], kept);
        assert!(panel.restore(&json!({})), "an older session has no atlas");
        assert_eq!(panel.save()["atlas"]["seed"], 1);
    }
}
