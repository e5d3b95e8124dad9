//! What a run was at steps of a person's choice: which steps, and what is noted of each.

use crate::types::RunSample;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The steps at which a run keeps its weights and notes what is inside. The weights it begins with (step 0) are always among them, and
/// where steps follow a rule, those of the last step are, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum SnapshotSteps {
    /// Every so many.
    Every(usize),
    /// These, in rising order.
    At(Vec<usize>),
    /// 1, 2, 4, 8 and so on: most happens at the beginning.
    Doubling,
}

/// As a recipe has it: `"every 50"`, `"doubling"` or `[0, 1, 10, 100]`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Words(String),
    Steps(Vec<usize>),
}

impl TryFrom<Written> for SnapshotSteps {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Words(words) => Self::read(&words),
            Written::Steps(steps) => Ok(Self::at(steps)),
        }
    }
}

impl From<SnapshotSteps> for Written {
    fn from(steps: SnapshotSteps) -> Self {
        match steps {
            SnapshotSteps::At(steps) => Self::Steps(steps),
            rule => Self::Words(rule.words()),
        }
    }
}

impl SnapshotSteps {
    /// Those, each once and in order.
    fn at(mut steps: Vec<usize>) -> Self {
        steps.sort_unstable();
        steps.dedup();
        Self::At(steps)
    }

    /// What a person wrote: `every 50`, `doubling`, or steps with commas or spaces between.
    ///
    /// # Errors
    /// When it is none of these, as a sentence.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("“{text}” names no steps: write “every 50”, “doubling”, or numbers such as 1, 10, 100.");
        if text.eq_ignore_ascii_case("doubling") {
            return Ok(Self::Doubling);
        }
        let lower = text.to_ascii_lowercase();
        if let Some(count) = lower.strip_prefix("every") {
            let count = count.trim().parse().map_err(|_| wrong())?;
            return if count == 0 { Err(wrong()) } else { Ok(Self::Every(count)) };
        }
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let steps: Vec<usize> = parts.map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        if steps.is_empty() { Err(wrong()) } else { Ok(Self::at(steps)) }
    }

    /// The same, as [`Self::read`] takes it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Every(count) => format!("every {count}"),
            Self::Doubling => "doubling".to_owned(),
            Self::At(steps) => steps.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
        }
    }

    /// True for a step of a run, perhaps its last.
    #[must_use]
    pub fn is_at(&self, step: usize, is_last: bool) -> bool {
        match self {
            Self::Every(count) => step.is_multiple_of(*count) || is_last,
            Self::Doubling => step == 0 || step.is_power_of_two() || is_last,
            Self::At(chosen) => step == 0 || chosen.binary_search(&step).is_ok(),
        }
    }

    /// How many there are in a run with so many steps.
    #[must_use]
    pub fn count(&self, steps: usize) -> usize {
        match self {
            Self::Every(count) => 1 + steps.div_ceil(*count),
            Self::Doubling => {
                (0..=steps.checked_ilog2().unwrap_or(0)).count() + 1 + usize::from(!steps.is_power_of_two())
            }
            Self::At(chosen) => 1 + chosen.iter().filter(|step| (1..=steps).contains(*step)).count(),
        }
    }
}

/// What a run noted at one of these steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunSnapshot {
    /// Optimiser steps done.
    pub step: usize,
    /// Tokens, texts or images learned from.
    pub examples: u64,
    /// Mean cross-entropy of the step's batch in nats; none before the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Mean cross-entropy on held-out data in nats, where some is held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Share of held-out images or texts classified rightly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// What a text model wrote from the run's prompts, with the same draws at each snapshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<RunSample>,
    /// Scores of a decoder's heads on random tokens said twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<HeadValues>,
    /// How far each parameter went from where the run began, in the order of the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
    /// What held-out examples were taken for, where there are classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// Why its weights were not kept, where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_kept: Option<String>,
    /// The folder of its weights, while it is there.
    #[serde(skip)]
    pub weights: Option<PathBuf>,
}

/// Scores of all heads on random tokens said twice, as `fovea heads` defines and measures them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeadValues {
    /// Of the random tokens.
    pub seed: u64,
    /// How many were said twice.
    pub half: usize,
    /// By the id of a score: values of each layer's heads; null where the pattern holds what is no number.
    pub scores: BTreeMap<String, Vec<Vec<Option<f32>>>>,
}

impl HeadValues {
    /// The highest value of a score in each layer, with its head; what is no number counts for nothing.
    #[must_use]
    pub fn highest(&self, score: &str) -> Vec<(usize, f32)> {
        let highest = |heads: &Vec<Option<f32>>| {
            let known = heads.iter().enumerate().filter_map(|(head, value)| Some((head, (*value)?)));
            known.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
        };
        self.scores.get(score).into_iter().flatten().map(highest).collect()
    }
}

/// How far a parameter went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// Names of the fields that lead to it: `blocks.0.mlp_out.weight`.
    pub path: String,
    /// ‖w − w₀‖, the square root of the summed squares; none where it is no number.
    pub by: Option<f64>,
    /// ‖w₀‖.
    pub from: Option<f64>,
}

impl Moved {
    /// ‖w − w₀‖ / ‖w₀‖; nothing for a parameter that began at zero.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        share_moved(std::slice::from_ref(self))
    }

    /// The block it belongs to, or the layer of a digit network, and its name there; of what stands outside of these its whole path.
    #[must_use]
    pub fn place(&self) -> (Option<usize>, &str) {
        let within = |container: &str| {
            let (at, rest) = self.path.split_once(container)?.1.split_once('.')?;
            Some((Some(at.parse().ok()?), rest))
        };
        within("blocks.").or_else(|| within("layers.")).unwrap_or((None, &self.path))
    }
}

/// How far several parameters went together, as if they were one.
#[must_use]
pub fn share_moved<'a>(parameters: impl IntoIterator<Item = &'a Moved>) -> Option<f64> {
    let (mut by, mut from) = (0.0, 0.0);
    for moved in parameters {
        by += moved.by?.powi(2);
        from += moved.from?.powi(2);
    }
    (from > 0.0).then(|| (by / from).sqrt())
}

/// What held-out examples were taken for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Names of the classes.
    pub labels: Vec<String>,
    /// `counts[label][prediction]`.
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Of no example yet.
    #[must_use]
    pub fn new(labels: Vec<String>) -> Self {
        Self { counts: vec![vec![0; labels.len()]; labels.len()], labels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_from_words_and_numbers_and_written_the_same() {
        for (text, steps) in [
            ("every 50", SnapshotSteps::Every(50)),
            (" Every 3 ", SnapshotSteps::Every(3)),
            ("doubling", SnapshotSteps::Doubling),
            ("100, 1 10,1", SnapshotSteps::At(vec![1, 10, 100])),
        ] {
            let read = SnapshotSteps::read(text).unwrap();
            assert_eq!((&read, SnapshotSteps::read(&read.words())), (&steps, Ok(steps.clone())));
        }
        for text in ["", "every", "every 0", "often", "1, two"] {
            assert!(SnapshotSteps::read(text).unwrap_err().contains("every 50"), "{text}");
        }
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Holder {
            snapshots: SnapshotSteps,
        }
        let held: Holder = toml::from_str("snapshots = [100, 0, 1]").unwrap();
        assert_eq!(held.snapshots, SnapshotSteps::At(vec![0, 1, 100]));
        for text in ["snapshots = \"every 50\"\n", "snapshots = \"doubling\"\n", "snapshots = [0, 1, 100]\n"] {
            let held: Holder = toml::from_str(text).unwrap();
            assert_eq!(toml::from_str::<Holder>(&toml::to_string(&held).unwrap()).unwrap(), held);
        }
        assert!(toml::from_str::<Holder>("snapshots = \"now and then\"").unwrap_err().to_string().contains("every 50"));
    }

    #[test]
    fn as_many_steps_are_counted_as_there_are() {
        let rules = [
            SnapshotSteps::Every(3),
            SnapshotSteps::Every(7),
            SnapshotSteps::Doubling,
            SnapshotSteps::At(vec![0, 2, 900]),
            SnapshotSteps::At(vec![5]),
        ];
        for rule in rules {
            for steps in [1, 2, 6, 7, 8, 9, 100] {
                let at: Vec<usize> = (0..=steps).filter(|step| rule.is_at(*step, *step == steps)).collect();
                assert_eq!((at.len(), at[0]), (rule.count(steps), 0), "{rule:?} of {steps}: {at:?}");
            }
        }
    }

    #[test]
    fn parameters_are_placed_by_block_and_measured_together() {
        let moved = |path: &str, by, from| Moved { path: path.to_owned(), by: Some(by), from: Some(from) };
        let all = [moved("blocks.3.mlp_out.weight", 3.0, 6.0), moved("token_embedding", 4.0, 8.0)];
        assert_eq!(all[0].place(), (Some(3), "mlp_out.weight"));
        assert_eq!(all[1].place(), (None, "token_embedding"));
        assert_eq!(moved("layers.2.weight", 1.0, 1.0).place(), (Some(2), "weight"));
        assert_eq!(moved("body.blocks.0.qkv.bias", 1.0, 0.0).place(), (Some(0), "qkv.bias"));
        assert_eq!((all[0].share(), share_moved(&all)), (Some(0.5), Some(0.5)));
        assert_eq!(moved("bias", 1.0, 0.0).share(), None);
        assert_eq!(Moved { by: None, ..all[0].clone() }.share(), None);
    }

    #[test]
    fn the_highest_head_of_each_layer_is_found() {
        let values = HeadValues {
            scores: [("a".to_owned(), vec![vec![Some(0.1), Some(0.7)], vec![None, Some(0.2)]])].into(),
            ..HeadValues::default()
        };
        assert_eq!(values.highest("a"), [(1, 0.7), (1, 0.2)]);
        assert_eq!(values.highest("b"), []);
    }
}
