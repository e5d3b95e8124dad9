//! How the weights of a head become places on a colour scale, in the window and in figures.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// How a weight's share of the end of the scale becomes a place on it. All rise from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleCurve {
    /// As it is.
    Linear,
    /// By its square root, so that small weights can be seen beside one that takes nearly all.
    #[default]
    SquareRoot,
    /// By its logarithm over the last [`ScaleCurve::DECADES`] powers of ten; what is smaller is 0.
    Log,
}

impl ScaleCurve {
    /// Powers of ten that a logarithmic scale covers.
    pub const DECADES: f32 = 4.0;

    /// The place of a share, both in `0..=1`. NaN is 0.
    #[must_use]
    pub fn place(self, share: f32) -> f32 {
        let share = share.clamp(0.0, 1.0);
        match self {
            _ if share.is_nan() => 0.0,
            Self::Linear => share,
            Self::SquareRoot => share.sqrt(),
            Self::Log => (1.0 + share.log10() / Self::DECADES).max(0.0),
        }
    }

    /// The share at a place, both in `0..=1`; 0 for 0 on any curve.
    #[must_use]
    pub fn share_at(self, place: f32) -> f32 {
        match self {
            Self::Linear => place,
            Self::SquareRoot => place * place,
            Self::Log if place <= 0.0 => 0.0,
            Self::Log => 10f32.powf((place - 1.0) * Self::DECADES),
        }
    }

    /// What stands before the name of what is coloured.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Linear => "",
            Self::SquareRoot => "square root of the ",
            Self::Log => "logarithm of the ",
        }
    }

    /// Shares that a legend has room to name.
    #[must_use]
    pub fn marks(self) -> &'static [f32] {
        match self {
            Self::Linear => &[0.0, 0.25, 0.5, 0.75, 1.0],
            Self::SquareRoot => &[0.0, 0.1, 0.25, 0.5, 1.0],
            Self::Log => &[0.0, 0.001, 0.01, 0.1, 1.0],
        }
    }
}

/// What the end of the colour scale stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleEnd {
    /// A weight of 1: colours can be compared between heads.
    #[default]
    Whole,
    /// The largest weight of the head.
    Head,
    /// The largest weight of each row: what a token looks at most, however evenly it looks.
    Row,
}

/// Everything that turns weights into places on the scale.
///
/// The first token is an attention sink in many heads (Xiao et al. 2024, arXiv:2309.17453): they look at it when they look
/// at nothing. Its weight would leave the others in the dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WeightScale {
    /// From a share to a place.
    pub curve: ScaleCurve,
    /// What a share is of.
    pub end: ScaleEnd,
    /// Leaves the weights of the first token out of what is largest; they are shown at the end of the scale at most. Means
    /// nothing where the end is a weight of 1.
    pub without_first: bool,
}

impl WeightScale {
    /// Weights as they are.
    pub const LINEAR: Self = Self { curve: ScaleCurve::Linear, end: ScaleEnd::Whole, without_first: false };

    /// The weight at the end of the scale for each query of a `[side, side]` pattern, query by key; 1 where nothing is to
    /// be seen.
    #[must_use]
    pub fn ends(self, pattern: &[f32], side: usize) -> Vec<f32> {
        let largest = |row: &[f32]| row.iter().skip(usize::from(self.without_first)).copied().fold(0.0, f32::max);
        let or_one = |end: f32| if end > 0.0 { end } else { 1.0 };
        let rows = pattern.chunks_exact(side.max(1));
        match self.end {
            ScaleEnd::Whole => vec![1.0; side],
            ScaleEnd::Head => vec![or_one(rows.map(largest).fold(0.0, f32::max)); side],
            ScaleEnd::Row => rows.map(|row| or_one(largest(row))).collect(),
        }
    }

    /// Each weight of a `[side, side]` pattern as a share of the end of its row's scale; weights themselves, in
    /// `0..=1`, where that is 1.
    #[must_use]
    pub fn shares(self, pattern: &[f32], side: usize) -> Cow<'_, [f32]> {
        if self.end == ScaleEnd::Whole {
            return Cow::Borrowed(pattern);
        }
        let ends = self.ends(pattern, side);
        let rows = pattern.chunks_exact(side.max(1)).zip(ends);
        rows.flat_map(|(row, end)| row.iter().map(move |weight| (weight / end).min(1.0))).collect()
    }

    /// What the numbers of a legend are shares of; `None` where they are weights.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        match (self.end, self.without_first) {
            (ScaleEnd::Whole, _) => None,
            (ScaleEnd::Head, false) => Some("shares of the largest weight of the head"),
            (ScaleEnd::Head, true) => Some("shares of the largest weight of the head but for the first token's"),
            (ScaleEnd::Row, false) => Some("shares of the largest weight of each row"),
            (ScaleEnd::Row, true) => Some("shares of the largest weight of each row but for the first token's"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERN: [f32; 9] = [1.0, 0.0, 0.0, 0.75, 0.25, 0.0, 0.8, 0.1, 0.1];

    fn shares(end: ScaleEnd, without_first: bool) -> Vec<f32> {
        let scale = WeightScale { end, without_first, ..WeightScale::LINEAR };
        scale.shares(&PATTERN, 3).iter().map(|w| (w * 100.0).round() / 100.0).collect()
    }

    #[test]
    fn the_scale_ends_where_it_is_said() {
        assert_eq!(shares(ScaleEnd::Whole, true), PATTERN);
        assert_eq!(shares(ScaleEnd::Head, false), PATTERN);
        // The largest beside the first token is 0.25.
        assert_eq!(shares(ScaleEnd::Head, true), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.4, 0.4]);
        assert_eq!(shares(ScaleEnd::Row, false)[3..], [1.0, 0.33, 0.0, 1.0, 0.13, 0.13]);
        assert_eq!(shares(ScaleEnd::Row, true)[3..], [1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_row_with_the_first_token_alone_stays_as_it_is() {
        assert_eq!(shares(ScaleEnd::Row, true)[..3], [1.0, 0.0, 0.0]);
    }

    #[test]
    fn every_curve_rises_from_nothing_to_all_and_can_be_read_back() {
        for curve in [ScaleCurve::Linear, ScaleCurve::SquareRoot, ScaleCurve::Log] {
            assert_eq!((curve.place(0.0), curve.place(1.0)), (0.0, 1.0), "{curve:?}");
            assert_eq!((curve.place(f32::NAN), curve.share_at(0.0)), (0.0, 0.0), "{curve:?}");
            for share in [0.001, 0.03, 0.5, 0.9] {
                assert!((curve.share_at(curve.place(share)) - share).abs() < 1e-6, "{curve:?} at {share}");
            }
            assert!(curve.marks().windows(2).all(|m| curve.place(m[0]) < curve.place(m[1])), "{curve:?}");
        }
        assert!((ScaleCurve::Log.place(0.01) - 0.5).abs() < 1e-6, "two of four powers of ten");
    }
}
