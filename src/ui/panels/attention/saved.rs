//! What the attention panel keeps for the next start.

use super::contexts;
use super::layers;
use super::look::Direction;
use super::order;
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
    pub order: order::Kept,
    pub layers: layers::Kept,
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
            picture: None,
            source: picture.source,
            covering: picture.strength,
        }
    }
}
