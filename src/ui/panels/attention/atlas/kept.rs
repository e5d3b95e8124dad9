//! What the atlas keeps for the next start.

use super::{AtlasView, Source};
use crate::analysis::AtlasScore;
use serde::{Deserialize, Serialize};

/// What survives a restart; scores by their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in super::super) struct Kept {
    source: Source,
    seed: u64,
    across: String,
    up: String,
    /// Empty where rows stand by layer and head.
    sort: String,
    is_falling: bool,
}

impl Default for Kept {
    fn default() -> Self {
        AtlasView::default().kept()
    }
}

impl AtlasView {
    /// What is to be kept.
    pub fn kept(&self) -> Kept {
        let [across, up] = self.plane.chosen();
        let (sort, is_falling) = self.table.sorting();
        Kept {
            source: self.source,
            seed: self.seed,
            across: across.id().to_owned(),
            up: up.id().to_owned(),
            sort: sort.map_or_else(String::new, |score| score.id().to_owned()),
            is_falling,
        }
    }

    /// Takes up what was kept; a score that nobody knows any more leaves what is there.
    pub fn take_up(&mut self, kept: &Kept) {
        (self.source, self.seed) = (kept.source, kept.seed.min(u64::from(u32::MAX)));
        let [across, up] = self.plane.chosen();
        let score = |id: &str, other| AtlasScore::from_id(id).unwrap_or(other);
        self.plane.choose([score(&kept.across, across), score(&kept.up, up)]);
        match (kept.sort.as_str(), AtlasScore::from_id(&kept.sort)) {
            ("", _) => self.table.sort_by(None, kept.is_falling),
            (_, Some(score)) => self.table.sort_by(Some(score), kept.is_falling),
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_taken_up_again_and_what_nobody_knows_is_left() {
        let mut view = AtlasView::default();
        (view.source, view.seed) = (Source::Probe, 7);
        view.plane.choose([AtlasScore::Entropy, AtlasScore::Sink]);
        view.table.sort_by(None, false);
        let kept: Kept = serde_json::from_value(serde_json::to_value(view.kept()).unwrap()).unwrap();
        let mut again = AtlasView::default();
        again.take_up(&kept);
        assert_eq!(again.kept(), view.kept());
        assert_ne!(again.kept(), Kept::default());

        let later = r#"{"across": "warmth", "sort": "warmth", "is_falling": false}"#;
        let mut view = AtlasView::default();
        view.take_up(&serde_json::from_str(later).unwrap());
        assert_eq!(view.kept(), Kept::default());
    }
}
