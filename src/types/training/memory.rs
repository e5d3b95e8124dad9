//! What a model remembers: tasks that ask for what stood some tokens before, and how well it answers.

use crate::types::TextShape;
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    /// The letter behind the mark `>`, among letters that do not matter, at `?`.
    #[default]
    Copy,
    /// The value of a key, among other keys with values, at `?` and the key.
    Recall,
}

impl MemoryKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Copy, Self::Recall];
    /// Letters that an answer can be.
    pub const ANSWERS: usize = 8;

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Recall => "recall",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The least distance at which something can be asked for.
    #[must_use]
    pub fn least(self) -> usize {
        match self {
            Self::Copy => 2,
            Self::Recall => 3,
        }
    }

    /// The largest distance, at most so many tokens, at which something can be asked for: keys and their values come in twos.
    #[must_use]
    pub fn at_most(self, distance: usize) -> Option<usize> {
        let found = match self {
            Self::Copy => distance,
            Self::Recall => distance - usize::from(distance.is_multiple_of(2)).min(distance),
        };
        (found >= self.least()).then_some(found)
    }

    /// The share of right answers of somebody who knows the task and remembers nothing.
    #[must_use]
    pub fn chance() -> f64 {
        1.0 / Self::ANSWERS as f64
    }
}

/// Learning to remember. A distance is how many tokens the answer stands behind what it repeats. Data is drawn from the run's seed and the
/// step; of a sequence the answers alone are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryTask {
    /// What is asked for.
    pub of: MemoryKind,
    /// The largest distance that is asked for.
    #[serde(default = "thirty_two")]
    pub longest: usize,
    /// Sequence length T in tokens.
    pub context: usize,
    /// The model to build; needed only from scratch. It has one token a byte.
    #[serde(default)]
    pub shape: Option<TextShape>,
}

fn thirty_two() -> usize {
    32
}

/// How well a model remembers is to be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySpec {
    /// What is asked for.
    pub of: MemoryKind,
    /// At which distances.
    pub distances: Vec<usize>,
    /// Questions at each.
    pub questions: usize,
    /// Of the questions.
    pub seed: u64,
}

/// Answers at one distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPoint {
    /// Tokens between what is asked for and the answer.
    pub distance: usize,
    /// Answers whose letter the model held likeliest among all tokens.
    pub right: usize,
    /// Questions.
    pub asked: usize,
}

impl MemoryPoint {
    /// Share of right answers.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.asked.max(1) as f64
    }

    /// The ends of the 95 % interval of that share (Wilson 1927): everything where nothing was asked.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        const Z: f64 = 1.959_964;
        if self.asked == 0 {
            return [0.0, 1.0];
        }
        let (n, share) = (self.asked as f64, self.accuracy());
        let middle = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        [(middle - half).max(0.0), (middle + half).min(1.0)]
    }
}

/// How well a model remembers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryReport {
    /// What was asked for.
    pub of: MemoryKind,
    /// By distance.
    pub points: Vec<MemoryPoint>,
    /// Right answers of somebody who remembers nothing.
    pub chance: f64,
    /// Distances that were left out, since so many tokens do not fit into what the model reads at once.
    pub too_far: Vec<usize>,
    /// The first question, in full, and what the answer to it is.
    pub example: Option<(String, char)>,
}

impl MemoryReport {
    /// The largest distance up to which at least this share of the answers is right at every distance that was asked at.
    #[must_use]
    pub fn reach(&self, share: f64) -> Option<usize> {
        self.points.iter().take_while(|point| point.accuracy() >= share).last().map(|point| point.distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_stay_shares() {
        let interval = |right, asked| MemoryPoint { distance: 2, right, asked }.interval();
        // Wilson's for 0 of 10 and 5 of 10, as statsmodels gives them.
        let [low, high] = interval(0, 10);
        assert!(low == 0.0 && (high - 0.2775).abs() < 1e-4, "{low} {high}");
        let [low, high] = interval(5, 10);
        assert!((low - 0.2366).abs() < 1e-4 && (high - 0.7634).abs() < 1e-4, "{low} {high}");
        assert_eq!(interval(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn a_reach_ends_where_answers_are_wrong_first() {
        let point = |distance, right| MemoryPoint { distance, right, asked: 10 };
        let report = |points: &[MemoryPoint]| MemoryReport { points: points.to_vec(), ..MemoryReport::default() };
        assert_eq!(report(&[point(2, 10), point(4, 9), point(8, 3), point(16, 9)]).reach(0.9), Some(4));
        assert_eq!(report(&[point(2, 8), point(4, 9)]).reach(0.9), None);
    }

    #[test]
    fn keys_and_values_come_in_twos() {
        assert_eq!(
            [0, 1, 2, 3, 4, 31, 32].map(|d| MemoryKind::Recall.at_most(d)),
            [None, None, None, Some(3), Some(3), Some(31), Some(31)]
        );
        assert_eq!([0, 1, 2, 32].map(|d| MemoryKind::Copy.at_most(d)), [None, None, Some(2), Some(32)]);
        assert_eq!(MemoryKind::ALL.map(|kind| MemoryKind::from_name(kind.name())), MemoryKind::ALL.map(Some));
    }
}
