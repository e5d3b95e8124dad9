//! What the attention panel keeps for the next start.

use super::atlas;
use super::contexts;
use super::look::Direction;
use super::picture;
use super::plane::{Measure, Over};
use super::ways::Way;
use crate::types::{ColorMap, Grouping, ScaleCurve, ScaleEnd};
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
            atlas: atlas::Kept::default(),
            picture: None,
            source: picture.source,
            covering: picture.strength,
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
