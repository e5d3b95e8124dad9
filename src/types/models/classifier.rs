//! What a classifier of texts tells apart, and what it says of texts.

use crate::types::ClassProbability;
use serde::{Deserialize, Serialize};

/// What the scores of a classifier's head mean: `problem_type` in config.json.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// One class is right: a softmax over the scores.
    #[default]
    OneClass,
    /// Any number of classes are right: a sigmoid of each score.
    SeveralClasses,
    /// The scores are numbers themselves.
    Numbers,
}

impl Problem {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::OneClass, Self::SeveralClasses, Self::Numbers];

    /// The name in config.json.
    #[must_use]
    pub fn config_name(self) -> &'static str {
        match self {
            Self::OneClass => "single_label_classification",
            Self::SeveralClasses => "multi_label_classification",
            Self::Numbers => "regression",
        }
    }

    /// The probabilities that scores stand for; none where they are numbers.
    #[must_use]
    pub fn probabilities(self, scores: &[f32]) -> Option<Vec<f32>> {
        match self {
            Self::OneClass => {
                let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let powers: Vec<f64> = scores.iter().map(|score| f64::from(score - largest).exp()).collect();
                let sum: f64 = powers.iter().sum();
                Some(powers.into_iter().map(|power| (power / sum) as f32).collect())
            }
            Self::SeveralClasses => {
                Some(scores.iter().map(|score| (1.0 / (1.0 + (-f64::from(*score)).exp())) as f32).collect())
            }
            Self::Numbers => None,
        }
    }
}

/// What a classifier of texts has that others have not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassifierInfo {
    /// Names of the classes, or of the numbers.
    pub labels: Vec<String>,
    /// What scores mean.
    pub problem: Problem,
    /// Texts are cut off behind this many tokens, special ones included.
    pub longest: usize,
    /// True where every token sees the whole text, false where it sees what comes before it.
    pub sees_both_ways: bool,
}

/// What a classifier says of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextClasses {
    /// The text as it was given.
    pub text: String,
    /// Tokens that were read, special ones included.
    pub tokens: usize,
    /// Tokens at the end of the text that did not fit and were left out.
    pub left_out: usize,
    /// What the head gave, one a class.
    pub scores: Vec<f32>,
}

/// What a classifier says of several texts, in the order of the texts.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifyReport {
    /// Names of the classes.
    pub labels: Vec<String>,
    /// What scores mean.
    pub problem: Problem,
    /// One a text.
    pub texts: Vec<TextClasses>,
}

impl ClassifyReport {
    /// The classes of a text with their probabilities, likeliest first; none where scores are numbers.
    #[must_use]
    pub fn ranked(&self, text: &TextClasses) -> Vec<ClassProbability> {
        let probabilities = self.problem.probabilities(&text.scores).unwrap_or_default();
        let named = probabilities.into_iter().zip(&self.labels).enumerate();
        let mut classes: Vec<ClassProbability> = named
            .map(|(class, (probability, label))| ClassProbability { class, label: label.clone(), probability })
            .collect();
        classes.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_become_what_they_mean() {
        let near = |found: Option<Vec<f32>>, expected: &[f32]| {
            found.unwrap().iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(near(Problem::OneClass.probabilities(&[1000.0, 1000.0]), &[0.5, 0.5]));
        assert!(near(Problem::OneClass.probabilities(&[0.0, f32::ln(3.0)]), &[0.25, 0.75]));
        assert!(near(Problem::SeveralClasses.probabilities(&[0.0, f32::ln(3.0)]), &[0.5, 0.75]));
        assert_eq!(Problem::Numbers.probabilities(&[2.5]), None);
    }

    #[test]
    fn classes_are_told_likeliest_first() {
        let text = TextClasses { text: "a".into(), tokens: 1, left_out: 0, scores: vec![0.0, 2.0, 1.0] };
        let labels = ["x", "y", "z"].map(String::from).to_vec();
        let report = ClassifyReport { labels, problem: Problem::OneClass, texts: vec![text] };
        let ranked = report.ranked(&report.texts[0]);
        assert_eq!(ranked.iter().map(|c| c.label.as_str()).collect::<Vec<_>>(), ["y", "z", "x"]);
    }
}
