//! Where an answer comes from: values of one prompt put into the pass over another (activation patching).

use crate::types::{LensTarget, PromptToken, Site};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which value of a block is taken from the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchSite {
    /// The stream that enters the block.
    #[default]
    ResidPre,
    /// The stream between attention and MLP.
    ResidMid,
    /// What attention adds.
    AttnOut,
    /// What the MLP adds.
    MlpOut,
    /// What each head gives to the projection behind it.
    Z,
    /// Queries.
    Q,
    /// Keys; by key-value head.
    K,
    /// Values; by key-value head.
    V,
    /// Attention weights.
    Pattern,
}

impl PatchSite {
    /// Every one, in the order a pass meets them.
    pub const ALL: [Self; 9] = [
        Self::ResidPre,
        Self::Q,
        Self::K,
        Self::V,
        Self::Pattern,
        Self::Z,
        Self::AttnOut,
        Self::ResidMid,
        Self::MlpOut,
    ];

    /// As the site is called behind `blocks.L.`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ResidPre => "resid_pre",
            Self::ResidMid => "resid_mid",
            Self::AttnOut => "attn_out",
            Self::MlpOut => "mlp_out",
            Self::Z => "attn.z",
            Self::Q => "attn.q",
            Self::K => "attn.k",
            Self::V => "attn.v",
            Self::Pattern => "attn.pattern",
        }
    }

    /// The site in a block.
    #[must_use]
    pub fn of(self, layer: usize) -> Site {
        match self {
            Self::ResidPre => Site::ResidPre(layer),
            Self::ResidMid => Site::ResidMid(layer),
            Self::AttnOut => Site::AttnOut(layer),
            Self::MlpOut => Site::MlpOut(layer),
            Self::Z => Site::Z(layer),
            Self::Q => Site::Q(layer),
            Self::K => Site::K(layer),
            Self::V => Site::V(layer),
            Self::Pattern => Site::Pattern(layer),
        }
    }

    /// True where its heads can be told apart.
    #[must_use]
    pub fn has_heads(self) -> bool {
        matches!(self, Self::Z | Self::Q | Self::K | Self::V | Self::Pattern)
    }

    /// True where other tokens of the same block look at it.
    #[must_use]
    pub fn is_looked_at(self) -> bool {
        matches!(self, Self::ResidPre | Self::K | Self::V)
    }
}

impl fmt::Display for PatchSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PatchSite {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let found =
            Self::ALL.into_iter().find(|site| site.name() == text || site.name().strip_prefix("attn.") == Some(text));
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|site| site.name()).collect();
            format!("is none of {}", names.join(", "))
        })
    }
}

/// What the columns of a patching map are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchAlong {
    /// Tokens: the value of all heads at one of them.
    #[default]
    Positions,
    /// Heads: the value of one of them at all tokens.
    Heads,
}

/// What is known of one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PatchCell {
    /// What was found by patching: 0 is the destination, 1 the source.
    pub measured: Option<f64>,
    /// What attribution patching says: the change along the gradient.
    pub estimated: Option<f64>,
    /// True where nothing can come of it, so that it is the destination's value exactly: both prompts have the same value there, or
    /// nothing leads from there to the answer.
    pub is_idle: bool,
}

impl PatchCell {
    /// The best that is known.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.measured.or(self.estimated)
    }
}

/// What becomes of an answer when a value of the source prompt stands in the pass over the destination (activation patching, Vig et al.
/// 2020, Meng et al. 2022; attribution patching, Nanda 2023).
#[derive(Clone, Debug, PartialEq)]
pub struct PatchReport {
    /// The tokens of the prompt that values are taken from.
    pub source: Vec<PromptToken>,
    /// The tokens of the prompt that is read.
    pub destination: Vec<PromptToken>,
    /// The token behind which the answer is told.
    pub position: usize,
    /// The source's answer, and the destination's.
    pub answers: [LensTarget; 2],
    /// By how much the score of the first answer is above that of the second: in the destination, and in the source.
    pub ends: [f64; 2],
    /// What is taken over.
    pub site: PatchSite,
    /// What a column is.
    pub along: PatchAlong,
    /// By layer and column.
    pub cells: Vec<Vec<PatchCell>>,
}

impl PatchReport {
    /// Two prompts whose answers are nearer than this cannot be told apart.
    pub const LEAST_DIFFERENCE: f64 = 1e-6;
    /// Below this difference of scores the values of a map are that much less certain.
    pub const SMALL_DIFFERENCE: f64 = 0.2;

    /// A difference of scores on the scale of the map: 0 is the destination, 1 the source.
    #[must_use]
    pub fn normalised(ends: [f64; 2], score: f64) -> f64 {
        (score - ends[0]) / (ends[1] - ends[0])
    }

    /// Pearson's correlation between what was estimated and what was measured, and over how many cells; those where nothing can happen
    /// are left out. `None` for fewer than three cells or without any variance.
    #[must_use]
    pub fn correlation(&self) -> Option<(f64, usize)> {
        let cells = self.cells.iter().flatten().filter(|cell| !cell.is_idle);
        let pairs: Vec<(f64, f64)> = cells.filter_map(|cell| cell.measured.zip(cell.estimated)).collect();
        let count = pairs.len() as f64;
        let (sum_a, sum_b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0, b + pair.1));
        let (mean_a, mean_b) = (sum_a / count, sum_b / count);
        let moments = pairs.iter().fold([0.0; 3], |[aa, bb, ab], (a, b)| {
            let (a, b) = (a - mean_a, b - mean_b);
            [aa + a * a, bb + b * b, ab + a * b]
        });
        let scale = (moments[0] * moments[1]).sqrt();
        (pairs.len() > 2 && scale > 0.0).then(|| (moments[2] / scale, pairs.len()))
    }

    /// Cells in which something can happen, by how much is known of them: measured, and all.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let live = || self.cells.iter().flatten().filter(|cell| !cell.is_idle);
        (live().filter(|cell| cell.measured.is_some()).count(), live().count())
    }

    /// The largest value of the map, without its sign; at least 1, where the source is.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.cells.iter().flatten().filter_map(PatchCell::value).fold(1.0, |most, value| most.max(value.abs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(cells: Vec<PatchCell>) -> PatchReport {
        let target = || LensTarget { id: 0, text: String::new(), of: 1 };
        PatchReport {
            source: Vec::new(),
            destination: Vec::new(),
            position: 0,
            answers: [target(), target()],
            ends: [-1.0, 3.0],
            site: PatchSite::Z,
            along: PatchAlong::Heads,
            cells: vec![cells],
        }
    }

    #[test]
    fn the_correlation_is_of_cells_that_were_measured_and_can_matter() {
        let cell =
            |measured, estimated| PatchCell { measured: Some(measured), estimated: Some(estimated), is_idle: false };
        let idle = PatchCell { is_idle: true, ..cell(0.0, 9.0) };
        let unmeasured = PatchCell { measured: None, ..cell(0.0, 5.0) };
        let of = |cells: Vec<PatchCell>| report(cells).correlation();
        let (found, count) = of(vec![cell(1.0, 2.0), cell(2.0, 4.0), cell(3.0, 6.0), idle, unmeasured]).unwrap();
        assert!((found - 1.0).abs() < 1e-12 && count == 3, "{found} of {count}");
        let (found, _) = of(vec![cell(1.0, 1.0), cell(2.0, 3.0), cell(3.0, 2.0)]).unwrap();
        assert!((found - 0.5).abs() < 1e-12, "{found}");
        assert_eq!(of(vec![cell(1.0, 2.0), cell(2.0, 4.0)]), None, "a line goes through any two points");
        assert_eq!(of(vec![cell(1.0, 2.0), cell(1.0, 4.0), cell(1.0, 4.0)]), None, "no variance");
    }

    #[test]
    fn ends_are_0_and_1() {
        assert_eq!(
            [-1.0, 3.0, 1.0, 7.0].map(|score| PatchReport::normalised([-1.0, 3.0], score)),
            [0.0, 1.0, 0.5, 2.0]
        );
    }

    #[test]
    fn sites_are_named_as_everywhere_and_their_heads_for_short() {
        for site in PatchSite::ALL {
            assert_eq!(site.of(3).to_string(), format!("blocks.3.{site}"));
            assert_eq!(site.name().parse(), Ok(site));
        }
        assert_eq!("z".parse(), Ok(PatchSite::Z));
        assert!("resid".parse::<PatchSite>().unwrap_err().contains("resid_pre"));
    }
}
