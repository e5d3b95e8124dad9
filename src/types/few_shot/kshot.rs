//! Running whole tables of queries, and accuracy against the number of examples.

use crate::types::{Draw, Edit, FewShotPrompt, TaskTable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A prompt and the queries it is to be asked with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchSpec {
    /// Instruction, examples and template; its own query is not used.
    pub prompt: FewShotPrompt,
    /// Input and expected output of every query.
    pub queries: Vec<[String; 2]>,
    /// The possible answers. Where there are none, an answer is right when greedy decoding writes it, and then its end.
    pub labels: Vec<String>,
    /// Use contextual calibration (Zhao et al. 2021) to choose among labels; without labels there is nothing to choose.
    pub calibrate: bool,
    /// Changes inside the model while it reads each prompt and its answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
}

/// What a model says to one query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The query.
    pub input: String,
    /// The right answer.
    pub expected: String,
    /// The model's: the likeliest label, or what greedy decoding writes, at least up to where it leaves the right answer.
    pub predicted: String,
    /// True when it is right.
    pub correct: bool,
    /// ln P(right answer and its end | prompt), over the whole vocabulary.
    pub log_prob: f64,
    /// Each label's share of the probability, calibrated if asked for; empty without labels.
    pub shares: Vec<f64>,
}

/// Every answer of a batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchReport {
    /// In the order of the queries; fewer when it was stopped.
    pub answers: Vec<Answer>,
    /// Examples left out at the front because the prompt would not fit in the context.
    pub cut: usize,
    /// Milliseconds it took.
    pub elapsed_ms: f64,
}

impl BatchReport {
    /// Share of right answers, in `0..=1`; 0 of none.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right = self.answers.iter().filter(|answer| answer.correct).count();
        right as f64 / self.answers.len().max(1) as f64
    }

    /// `counts[i][j]`: how often the right label was i and the model said j, in the order of `labels`.
    #[must_use]
    pub fn confusion(&self, labels: &[String]) -> Vec<Vec<usize>> {
        let place = |text: &str| labels.iter().position(|label| label == text);
        let mut counts = vec![vec![0; labels.len()]; labels.len()];
        for answer in &self.answers {
            if let (Some(right), Some(said)) = (place(&answer.expected), place(&answer.predicted)) {
                counts[right][said] += 1;
            }
        }
        counts
    }
}

/// What is done to the answers of the examples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum LabelTreatment {
    /// Nothing.
    #[default]
    True,
    /// The examples' answers change places among them, none keeping its own, so that most are wrong (Min et al. 2022).
    Shuffled,
    /// Every example gets a random label, or without labels the answer of a random row (Min et al. 2022).
    Random,
    /// Labels get other names, in examples and in what is right.
    Renamed {
        /// Old name to new name.
        names: BTreeMap<String, String>,
    },
}

/// How the prompts of a curve differ from the plain ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variant {
    /// What is done to the examples' answers.
    pub labels: LabelTreatment,
    /// Leave the instruction out.
    pub without_instruction: bool,
    /// Put the same examples in another order (Lu et al. 2022), drawn from this seed.
    pub reorder: Option<u64>,
    /// Use contextual calibration.
    pub calibrate: bool,
}

/// A curve of accuracy against the number of examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KShotSpec {
    /// The task.
    pub table: TaskTable,
    /// Numbers of examples k.
    pub ks: Vec<usize>,
    /// Each seed draws other examples and other queries.
    pub seeds: Vec<u64>,
    /// Queries a seed, from the rows that are no examples even at the largest k; fewer where the table has no more.
    pub queries: usize,
    /// How the prompts differ from the plain ones.
    pub variant: Variant,
    /// How the examples are drawn; as they fall where nothing is said of it.
    #[serde(default)]
    pub draw: Draw,
    /// Changes inside the model while it reads each prompt and its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
}

/// One point of the curve: one seed, one k.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KShotPoint {
    /// Examples.
    pub k: usize,
    /// The seed.
    pub seed: u64,
    /// Queries asked.
    pub queries: usize,
    /// Right answers.
    pub correct: usize,
    /// Mean of ln P(right answer).
    pub mean_log_prob: f64,
}

impl KShotPoint {
    /// Share of right answers, in `0..=1`.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.queries.max(1) as f64
    }
}

/// A measured curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KShotReport {
    /// What was measured.
    pub spec: KShotSpec,
    /// By seed, then k; not all of them when it was stopped.
    pub points: Vec<KShotPoint>,
    /// The answers behind each point, in the same order.
    pub answers: Vec<Vec<Answer>>,
    /// Examples that did not fit in the context, and what else should be known before the figures are trusted.
    pub notes: Vec<String>,
    /// Milliseconds it took.
    pub elapsed_ms: f64,
}

impl KShotReport {
    /// Of every k: the mean accuracy over seeds, and the lowest and highest, in `0..=1`.
    #[must_use]
    pub fn band(points: &[KShotPoint]) -> Vec<(usize, f64, f64, f64)> {
        let mut by_k: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for point in points {
            by_k.entry(point.k).or_default().push(point.accuracy());
        }
        let summary = |(k, values): (usize, Vec<f64>)| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = values.iter().copied().fold(0.0, f64::max);
            (k, mean, lowest, highest)
        };
        by_k.into_iter().map(summary).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_has_mean_lowest_and_highest_of_every_k() {
        let point = |k, seed, correct| KShotPoint { k, seed, queries: 4, correct, mean_log_prob: 0.0 };
        let band = KShotReport::band(&[point(0, 1, 1), point(2, 1, 2), point(2, 2, 4)]);
        assert_eq!(band, [(0, 0.25, 0.25, 0.25), (2, 0.75, 0.5, 1.0)]);
    }

    #[test]
    fn confusion_counts_right_against_said() {
        let answer = |expected: &str, predicted: &str| Answer {
            input: String::new(),
            expected: expected.into(),
            predicted: predicted.into(),
            correct: expected == predicted,
            log_prob: 0.0,
            shares: Vec::new(),
        };
        let answers = vec![answer("a", "a"), answer("a", "b"), answer("b", "b"), answer("b", "else")];
        let report = BatchReport { answers, ..BatchReport::default() };
        assert_eq!(report.confusion(&["a".into(), "b".into()]), [[1, 1], [0, 1]]);
        assert_eq!(report.accuracy(), 0.5);
    }
}
