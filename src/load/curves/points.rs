//! Numbers under names, put together to the points of one curve.

use crate::types::{SetLoss, TrainPoint};
use std::collections::{BTreeMap, BTreeSet};

/// What a number is on a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Quantity {
    Loss,
    ValidationLoss,
    ValidationAccuracy,
    LearningRate,
    GradientNorm,
}

/// Points that are being read.
#[derive(Default)]
pub(super) struct Points {
    by_step: BTreeMap<usize, TrainPoint>,
    /// The name that gives each quantity: the first one that was met.
    named: BTreeMap<Quantity, String>,
    others: BTreeSet<String>,
    /// Losses on what is held out of data sets that a name tells apart, by the name, in the order they were met.
    sets: Vec<(String, BTreeMap<usize, f64>)>,
    broken: Option<usize>,
}

impl Points {
    /// Takes up a number of a step, `elapsed_s` seconds after the beginning where that is known.
    pub(super) fn add(&mut self, step: usize, elapsed_s: Option<f64>, name: &str, value: f64) {
        let quantity = quantity(name);
        if quantity == Some(Quantity::ValidationLoss) && set_name(name).is_some() {
            self.point(step, elapsed_s);
            let place = self.sets.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                self.sets.push((name.to_owned(), BTreeMap::new()));
                self.sets.len() - 1
            });
            self.sets[place].1.insert(step, value);
            return;
        }
        let is_taken = quantity.is_some_and(|q| *self.named.entry(q).or_insert_with(|| name.to_owned()) == name);
        let Some(quantity) = quantity.filter(|_| is_taken) else {
            self.others.insert(name.to_owned());
            return;
        };
        let point = self.point(step, elapsed_s);
        match quantity {
            Quantity::Loss => {
                point.loss = value;
                if !value.is_finite() {
                    self.broken = Some(self.broken.map_or(step, |before| before.min(step)));
                }
            }
            Quantity::ValidationLoss => point.validation_loss = Some(value),
            Quantity::ValidationAccuracy => point.validation_accuracy = Some(value),
            Quantity::LearningRate => point.learning_rate = value,
            Quantity::GradientNorm => point.gradient_norm = Some(value),
        }
    }

    /// The point of a step, a new one where there was none.
    fn point(&mut self, step: usize, elapsed_s: Option<f64>) -> &mut TrainPoint {
        let point = self.by_step.entry(step).or_insert_with(|| TrainPoint {
            step,
            elapsed_s: f64::NAN,
            loss: f64::NAN,
            learning_rate: f64::NAN,
            ..TrainPoint::default()
        });
        if let Some(elapsed_s) = elapsed_s.filter(|_| point.elapsed_s.is_nan()) {
            point.elapsed_s = elapsed_s;
        }
        point
    }

    /// Names that are on no curve.
    pub(super) fn left_out(&self) -> Vec<String> {
        self.others.iter().cloned().collect()
    }

    /// The first step whose loss was no number.
    pub(super) fn broken(&self) -> Option<usize> {
        self.broken
    }

    /// All points in the order of steps. Where the only loss on held-out data is that of one set, it is the run's.
    pub(super) fn finish(mut self) -> Vec<TrainPoint> {
        let is_only = self.sets.len() == 1 && !self.named.contains_key(&Quantity::ValidationLoss);
        for (name, losses) in std::mem::take(&mut self.sets) {
            let set = set_name(&name).unwrap_or(name);
            for (step, loss) in losses {
                let point = self.point(step, None);
                if is_only {
                    point.validation_loss = Some(loss);
                } else {
                    point.validation_sets.push(SetLoss { set: set.clone(), loss });
                }
            }
        }
        self.by_step.into_values().collect()
    }
}

/// The data set that the name of a loss on held-out data tells of, as transformers' Trainer puts it (`eval_plays_loss`) and others do;
/// none where nothing is named but what it is.
fn set_name(name: &str) -> Option<String> {
    /// Words that say how a loss was taken.
    const PLAIN: [&str; 12] =
        ["loss", "step", "epoch", "total", "mean", "avg", "average", "cross", "entropy", "ce", "nll", "lm"];
    let written = ["eval_", "eval/"].iter().find_map(|before| name.strip_prefix(before)?.strip_suffix("_loss"));
    if let Some(set) = written.filter(|set| !PLAIN.contains(set)) {
        return Some(set.to_owned());
    }
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut own = words.filter(|word| {
        let word = word.to_ascii_lowercase();
        !HELD_OUT.contains(&word.as_str()) && !PLAIN.contains(&word.as_str())
    });
    // Words are parts of the name: where one begins and ends is told by where it lies.
    let first = own.next()?;
    let last = own.next_back().unwrap_or(first);
    let at = |word: &str| word.as_ptr() as usize - name.as_ptr() as usize;
    Some(name[at(first)..at(last) + last.len()].to_owned())
}

/// Words for data that nothing is learned from.
const HELD_OUT: [&str; 7] = ["eval", "val", "valid", "validation", "test", "dev", "evaluation"];

/// What a name stands for, as transformers, Lightning, Keras and people name things: `loss`, `eval_loss`, `train/loss`,
/// `Loss/validation`.
fn quantity(name: &str) -> Option<Quantity> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |any: &[&str]| words.iter().any(|word| any.contains(word));
    let is_held_out = has(&HELD_OUT);
    if has(&["norm", "gradnorm"]) && has(&["grad", "gradient", "gradients", "gradnorm"]) {
        return Some(Quantity::GradientNorm);
    }
    if has(&["lr"]) || (has(&["learning"]) && has(&["rate"])) {
        return Some(Quantity::LearningRate);
    }
    if has(&["loss"]) {
        return Some(if is_held_out { Quantity::ValidationLoss } else { Quantity::Loss });
    }
    (has(&["accuracy", "acc"]) && is_held_out).then_some(Quantity::ValidationAccuracy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_many_spellings() {
        for (name, wanted) in [
            ("loss", Some(Quantity::Loss)),
            ("train/loss", Some(Quantity::Loss)),
            ("Loss/Train", Some(Quantity::Loss)),
            ("eval_loss", Some(Quantity::ValidationLoss)),
            ("Loss/validation", Some(Quantity::ValidationLoss)),
            ("val_acc", Some(Quantity::ValidationAccuracy)),
            ("train/learning_rate", Some(Quantity::LearningRate)),
            ("lr-AdamW", Some(Quantity::LearningRate)),
            ("train/grad_norm", Some(Quantity::GradientNorm)),
            ("weight norm", None),
            ("epoch", None),
            ("accuracy", None),
        ] {
            assert_eq!(quantity(name), wanted, "{name}");
        }
    }

    #[test]
    fn losses_of_several_data_sets_are_told_apart() {
        for (name, wanted) in [
            ("eval_loss", None),
            ("val_loss_epoch", None),
            ("Loss/validation", None),
            ("eval_tiny-stories_loss", Some("tiny-stories")),
            ("eval/test_loss", Some("test")),
            ("Loss/val/plays 2", Some("plays 2")),
        ] {
            assert_eq!(set_name(name).as_deref(), wanted, "{name}");
        }
        let mut points = Points::default();
        points.add(4, None, "eval_plays_loss", 1.0);
        assert_eq!(points.finish()[0].validation_loss, Some(1.0), "the only one");
        let mut points = Points::default();
        points.add(4, Some(2.0), "eval_plays_loss", 1.0);
        points.add(4, None, "eval_stories_loss", 0.5);
        points.add(8, None, "eval_stories_loss", 0.25);
        let told = points.finish();
        let sets =
            |point: &TrainPoint| point.validation_sets.iter().map(|s| (s.set.clone(), s.loss)).collect::<Vec<_>>();
        assert_eq!(sets(&told[0]), [("plays".to_owned(), 1.0), ("stories".to_owned(), 0.5)]);
        assert_eq!((sets(&told[1]), told[0].elapsed_s), (vec![("stories".to_owned(), 0.25)], 2.0));
        assert!(told.iter().all(|point| point.validation_loss.is_none() && point.loss.is_nan()));
    }

    #[test]
    fn the_first_of_two_names_for_one_thing_is_taken() {
        let mut points = Points::default();
        points.add(2, None, "loss/a", 1.0);
        points.add(2, Some(9.0), "loss/b", 5.0);
        points.add(1, Some(0.5), "loss/a", 2.0);
        assert_eq!(points.left_out(), ["loss/b"]);
        let told: Vec<(usize, f64)> = points.finish().iter().map(|point| (point.step, point.loss)).collect();
        assert_eq!(told, [(1, 2.0), (2, 1.0)]);
    }
}
