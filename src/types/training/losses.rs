//! What single examples cost two models: the one a run began with, and the one it made.

use crate::types::{DataPart, ModelId, RunRecord, TrainSpec, TrainTask};
use serde::Serialize;
use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

/// Examples whose losses under two models are asked for. The model of the command is the one after.
#[derive(Clone, Debug, PartialEq)]
pub struct LossesSpec {
    /// The model before.
    pub before: BeforeModel,
    /// Where examples are from.
    pub data: LossesData,
    /// Examples that are measured at most, spread evenly over all; at least 1.
    pub most: usize,
}

/// The model that another is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum BeforeModel {
    /// The same without its adapter.
    Base,
    /// Another one that is open.
    Open(ModelId),
    /// The one that a run began with, read or drawn once more.
    Run(Box<RunRecord>),
}

/// Where examples come from.
#[derive(Clone, Debug, PartialEq)]
pub enum LossesData {
    /// A part of what a run was given, split as it was.
    Run(Box<TrainSpec>, DataPart),
    /// A file of one's own: text for a causal model, labelled texts or a folder with a folder of pictures for each class for a classifier,
    /// a folder of IDX files for a digit network.
    File {
        /// It.
        path: PathBuf,
        /// The columns of texts and labels, where they are not those with the usual names.
        columns: [Option<String>; 2],
        /// Tokens of a passage of text; unless told 512, or what the model reads.
        context: Option<usize>,
    },
}

impl TrainTask {
    /// The parts its data has, where a share for validation is held out.
    #[must_use]
    pub fn parts(&self) -> &'static [DataPart] {
        match self {
            // What is not held out for validation is learned from.
            Self::Text(_) | Self::FewShot(_) | Self::Masked(_) | Self::Contrastive(_) => {
                &[DataPart::Train, DataPart::Validation]
            }
            Self::Digits(_) | Self::Classify(_) => &DataPart::ALL,
            // Drawn for each step.
            Self::Memory(_) => &[],
        }
    }
}

/// What examples cost before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct LossesReport {
    /// The models' names, before and after, with what was done to their weights.
    pub models: [String; 2],
    /// What the examples are of, in words.
    pub data: String,
    /// Names of the classes; none where tokens are predicted.
    pub labels: Vec<String>,
    /// Those measured, in the order of the data. Shared, so that telling what there is so far costs little.
    pub rows: Vec<Arc<LossRow>>,
    /// How many were to be measured.
    pub asked: usize,
    /// How many there are.
    pub of: usize,
    /// Texts that one of the models does not read to their end.
    pub cut: usize,
}

/// An example.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossRow {
    /// Its place in the data, from 0.
    pub place: usize,
    /// What it says; of a picture its path.
    pub text: String,
    /// Tokens predicted; 1 where a class is told.
    pub count: usize,
    /// Nats a token or of the class, before and after. NaN where a model gave scores that are no numbers.
    pub losses: [f64; 2],
    /// The class that is right, and what was said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<ToldClass>,
    /// The tokens, of a text that is predicted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<LossToken>,
    /// The pixels of a digit, row-major.
    #[serde(skip)]
    pub pixels: Vec<u8>,
}

/// What two models say of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldClass {
    /// The class that is right.
    pub label: usize,
    /// Its probability, before and after.
    pub probabilities: [f64; 2],
    /// The likeliest class, before and after; none where there are no numbers.
    pub predictions: [Option<usize>; 2],
}

/// A token of an example.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossToken {
    /// Index into the vocabulary.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Nats, before and after; none for a token that is not predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub losses: Option<[f32; 2]>,
}

impl LossRow {
    /// How many nats more the example costs after: below zero where training helped.
    #[must_use]
    pub fn change(&self) -> f64 {
        self.losses[1] - self.losses[0]
    }
}

/// Which examples stand first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LossOrder {
    /// Those that cost less by most.
    #[default]
    Help,
    /// Those that cost more by most.
    Harm,
    /// In the order of the data.
    Place,
    /// What cost most before.
    Before,
    /// What costs most after.
    After,
}

impl LossOrder {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Help, Self::Harm, Self::Place, Self::Before, Self::After];

    /// The places of rows in this order. What is no number stands last; what is equal stands as in the data.
    #[must_use]
    pub fn sorted(self, rows: &[Arc<LossRow>]) -> Vec<usize> {
        let key = |row: &LossRow| match self {
            Self::Help => row.change(),
            Self::Harm => -row.change(),
            Self::Place => row.place as f64,
            Self::Before => -row.losses[0],
            Self::After => -row.losses[1],
        };
        let keys: Vec<f64> = rows.iter().map(|row| key(row)).collect();
        let mut places: Vec<usize> = (0..rows.len()).collect();
        places.sort_by(|a, b| match (keys[*a].is_nan(), keys[*b].is_nan()) {
            (false, false) => keys[*a].total_cmp(&keys[*b]).then(a.cmp(b)),
            (true, true) => a.cmp(b),
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
        });
        places
    }
}

/// Examples taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LossesSummary {
    /// Examples that cost less after.
    pub better: usize,
    /// Those that cost more.
    pub worse: usize,
    /// Those that cost the same to the last bit.
    pub same: usize,
    /// Those of which a loss is no number; the means leave them out.
    pub broken: usize,
    /// Mean nats a token or an example, before and after. NaN where nothing has numbers.
    pub losses: [f64; 2],
    /// How many of the classes were told rightly, before and after.
    pub right: [usize; 2],
    /// Examples with classes.
    pub told: usize,
}

impl LossesReport {
    /// All examples together: tokens weigh alike, so of a run's validation part the means are what its curve has.
    #[must_use]
    pub fn summary(&self) -> LossesSummary {
        let mut summary = LossesSummary::default();
        let (mut sums, mut count) = ([0.0; 2], 0.0);
        for row in &self.rows {
            if let Some(told) = &row.told {
                summary.told += 1;
                for (right, said) in summary.right.iter_mut().zip(told.predictions) {
                    *right += usize::from(said == Some(told.label));
                }
            }
            match row.change() {
                change if change.is_nan() => {
                    summary.broken += 1;
                    continue;
                }
                change if change < 0.0 => summary.better += 1,
                change if change > 0.0 => summary.worse += 1,
                _ => summary.same += 1,
            }
            let weight = row.count as f64;
            count += weight;
            for (sum, loss) in sums.iter_mut().zip(row.losses) {
                *sum += loss * weight;
            }
        }
        summary.losses = sums.map(|sum| sum / count);
        summary
    }

    /// What a loss is counted in.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        if self.labels.is_empty() { "nats a token" } else { "nats" }
    }

    /// All examples together, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        let summary = self.summary();
        let signed = |value: f64| format!("{value:+.3}").replace('-', "−");
        let LossesSummary { better, worse, same, broken, losses, right, told } = summary;
        let mut words = format!("Better on {better} of {}, worse on {worse}", self.rows.len());
        if same > 0 {
            words += &format!(", the same on {same}");
        }
        if losses.iter().all(|loss| !loss.is_nan()) {
            let [before, after] = losses;
            words += &format!("; mean {} {} ({before:.3} → {after:.3})", signed(after - before), self.unit());
        }
        if told > 0 {
            words += &format!("; {} of {told} right before, {} after", right[0], right[1]);
        }
        if broken > 0 {
            let have = if broken == 1 { "has" } else { "have" };
            words += &format!("; {broken} {have} a loss that is no number");
        }
        words + "."
    }

    /// How many texts were cut off, in words; nothing where none was.
    #[must_use]
    pub fn cut_in_words(&self) -> Option<String> {
        match self.cut {
            0 => None,
            1 => Some("1 text was longer than is read and cut off.".to_owned()),
            cut => Some(format!("{cut} texts were longer than is read and cut off.")),
        }
    }

    /// A class's name.
    #[must_use]
    pub fn label(&self, class: usize) -> &str {
        self.labels.get(class).map_or("", String::as_str)
    }

    /// Memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.text.len() + row.pixels.len() + row.tokens.len() * 64 + 160).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(place: usize, losses: [f64; 2], count: usize) -> Arc<LossRow> {
        let (text, tokens, pixels) = (String::new(), Vec::new(), Vec::new());
        Arc::new(LossRow { place, text, count, losses, told: None, tokens, pixels })
    }

    fn report(rows: Vec<Arc<LossRow>>) -> LossesReport {
        let (asked, of) = (rows.len(), rows.len());
        let models = ["a", "b"].map(str::to_owned);
        LossesReport { models, data: String::new(), labels: Vec::new(), rows, asked, of, cut: 0 }
    }

    #[test]
    fn what_is_no_number_stands_last_in_every_order_and_is_told() {
        let nan = f64::NAN;
        let rows = vec![row(0, [nan, 1.0], 1), row(1, [2.0, 1.5], 1), row(2, [1.0, 3.0], 3), row(3, [4.0, 4.0], 1)];
        assert_eq!(LossOrder::Help.sorted(&rows), [1, 3, 2, 0]);
        assert_eq!(LossOrder::Harm.sorted(&rows), [2, 3, 1, 0]);
        assert_eq!(LossOrder::Before.sorted(&rows), [3, 1, 2, 0]);
        assert_eq!(LossOrder::After.sorted(&rows), [3, 2, 1, 0]);
        assert_eq!(LossOrder::Place.sorted(&rows), [0, 1, 2, 3]);
        let report = report(rows);
        let summary = report.summary();
        assert_eq!((summary.better, summary.worse, summary.same, summary.broken), (1, 1, 1, 1));
        assert_eq!(summary.losses, [9.0 / 5.0, 14.5 / 5.0], "every token weighs alike");
        assert_eq!(
            report.in_words(),
            "Better on 1 of 4, worse on 1, the same on 1; mean +1.100 nats a token (1.800 → 2.900); 1 has a loss that \
             is no number."
        );
    }

    #[test]
    fn without_numbers_no_mean_is_told() {
        let words = report(vec![row(0, [f64::NAN; 2], 2)]).in_words();
        assert_eq!(words, "Better on 0 of 1, worse on 0; 1 has a loss that is no number.");
    }
}
