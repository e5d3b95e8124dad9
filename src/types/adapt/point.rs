//! What was measured.

use super::interval::mean_interval;
use super::spec::{AdaptSpec, LabelNoise};
use super::way::Way;
use crate::types::LabelledKind;
use serde::{Deserialize, Serialize};

/// One way, learned from so many examples of one seed and measured on all texts or pictures of the test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptPoint {
    /// The way.
    pub way: Way,
    /// What was done to the labels.
    #[serde(default)]
    pub noise: LabelNoise,
    /// Examples.
    pub size: usize,
    /// The seed.
    pub seed: u64,
    /// Examples that were of use: of those in a prompt, what fits into the context.
    pub used: usize,
    /// The class said of each text of the test.
    pub said: Vec<u32>,
    /// How many are right.
    pub correct: usize,
    /// Mean of the F1 of all classes, in `0..=1`.
    pub macro_f1: f64,
    /// Mean of ln P(right class), of the classes alone.
    pub log_prob: f64,
    /// Seconds it took to adapt: to learn, and to make vectors of the examples. A prompt takes none.
    pub adapt_s: f64,
    /// Milliseconds a text or picture of the test took.
    pub query_ms: f64,
    /// Tokens read for a text of the test, examples in the prompt among them; of a picture its patches and what stands before them. 0
    /// where no tokens are read.
    pub tokens_a_query: f64,
    /// Numbers that were learned.
    pub learned: u64,
    /// Bytes of what was learned, to hand on: F32; of a prompt its text.
    pub bytes: u64,
    /// The most memory that the program had while it adapted, in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
}

impl AdaptPoint {
    /// Share of right answers, in `0..=1`.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.said.len().max(1) as f64
    }

    /// True where both are the same measurement.
    #[must_use]
    pub fn is_of(&self, (way, noise, size, seed): (Way, LabelNoise, usize, u64)) -> bool {
        self.way == way && self.noise == noise && self.size == size && self.seed == seed
    }
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdaptReport {
    /// What was compared.
    pub spec: AdaptSpec,
    /// What was compared on.
    #[serde(default)]
    pub kind: LabelledKind,
    /// Names of the classes.
    pub labels: Vec<String>,
    /// Parameters of the model.
    pub parameters: u64,
    /// Operations of one query where the model reads no tokens: two for each multiplication with a weight, which a convolution uses once for
    /// each place of a picture. `None` where tokens tell.
    #[serde(default)]
    pub operations: Option<f64>,
    /// Examples there are to learn from.
    pub examples: usize,
    /// The texts, or names of pictures, that were measured on, with their classes.
    pub test: Vec<(String, u32)>,
    /// Accuracy of always saying the class that is most common among the examples.
    pub base_rate: f64,
    /// Bits that the model, as it is, needs for a byte of these texts: how far they are from what it has read. Of a decoder.
    pub bits_per_byte: Option<f64>,
    /// In the order they were measured; not all where it was stopped.
    pub points: Vec<AdaptPoint>,
    /// What should be known before the figures are trusted.
    pub notes: Vec<String>,
    /// Seconds it took.
    pub elapsed_s: f64,
}

/// What is drawn of the seeds of one way and one number of examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdaptMetric {
    /// Share of right answers.
    #[default]
    Accuracy,
    /// Mean of the F1 of all classes.
    MacroF1,
    /// Mean of ln P(right class).
    LogProb,
}

impl AdaptMetric {
    /// Its value at a point.
    #[must_use]
    pub fn of(self, point: &AdaptPoint) -> f64 {
        match self {
            Self::Accuracy => point.accuracy(),
            Self::MacroF1 => point.macro_f1,
            Self::LogProb => point.log_prob,
        }
    }

    /// What it can be: the least and the most.
    fn bounds(self) -> [f64; 2] {
        match self {
            Self::Accuracy | Self::MacroF1 => [0.0, 1.0],
            Self::LogProb => [f64::NEG_INFINITY, 0.0],
        }
    }
}

/// The seeds of one way, one treatment of labels and one number of examples together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptCell {
    /// Examples.
    pub size: usize,
    /// Mean over the seeds.
    pub mean: f64,
    /// Half the width of the 95 % interval; none of one seed.
    pub half: Option<f64>,
    /// Seeds.
    pub seeds: usize,
}

impl AdaptCell {
    /// The low and the high end of the interval as it is drawn: Student's t knows nothing of what a share can be, and beyond that there
    /// is nothing to show. The mean itself where there is one seed.
    #[must_use]
    pub fn ends(&self, metric: AdaptMetric) -> [f64; 2] {
        let (half, [least, most]) = (self.half.unwrap_or(0.0), metric.bounds());
        [self.mean - half, self.mean + half].map(|end| end.clamp(least, most))
    }
}

/// A curve: by rising number of examples. Values that are no finite number are left out.
#[must_use]
pub fn adapt_curve(points: &[AdaptPoint], way: Way, noise: LabelNoise, metric: AdaptMetric) -> Vec<AdaptCell> {
    let of = || points.iter().filter(|point| point.way == way && point.noise == noise);
    let mut sizes: Vec<usize> = of().map(|point| point.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let cell = |size: usize| {
        let values = of().filter(|point| point.size == size).map(|point| metric.of(point));
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let (mean, half) = mean_interval(&values)?;
        Some(AdaptCell { size, mean, half, seeds: values.len() })
    };
    sizes.into_iter().filter_map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_drawn_as_far_as_the_metric_reaches() {
        let cell = |mean, half| AdaptCell { size: 8, mean, half, seeds: 3 };
        assert_eq!(cell(0.9, Some(0.25)).ends(AdaptMetric::Accuracy), [0.65, 1.0]);
        assert_eq!(cell(0.125, Some(0.25)).ends(AdaptMetric::MacroF1), [0.0, 0.375]);
        assert_eq!(cell(-0.25, Some(0.5)).ends(AdaptMetric::LogProb), [-0.75, 0.0]);
        assert_eq!(cell(0.5, None).ends(AdaptMetric::Accuracy), [0.5; 2]);
    }
}
