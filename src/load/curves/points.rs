//! Numbers under names, put together to the points of one curve.

use crate::types::TrainPoint;
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
    broken: Option<usize>,
}

impl Points {
    /// Takes up a number of a step, `elapsed_s` seconds after the beginning where that is known.
    pub(super) fn add(&mut self, step: usize, elapsed_s: Option<f64>, name: &str, value: f64) {
        let quantity = quantity(name);
        let is_taken = quantity.is_some_and(|q| *self.named.entry(q).or_insert_with(|| name.to_owned()) == name);
        let Some(quantity) = quantity.filter(|_| is_taken) else {
            self.others.insert(name.to_owned());
            return;
        };
        let empty =
            TrainPoint { step, elapsed_s: f64::NAN, loss: f64::NAN, learning_rate: f64::NAN, ..TrainPoint::default() };
        let point = self.by_step.entry(step).or_insert(empty);
        if let Some(elapsed_s) = elapsed_s.filter(|_| point.elapsed_s.is_nan()) {
            point.elapsed_s = elapsed_s;
        }
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

    /// Names that are on no curve.
    pub(super) fn left_out(&self) -> Vec<String> {
        self.others.iter().cloned().collect()
    }

    /// The first step whose loss was no number.
    pub(super) fn broken(&self) -> Option<usize> {
        self.broken
    }

    /// All points in the order of steps.
    pub(super) fn finish(self) -> Vec<TrainPoint> {
        self.by_step.into_values().collect()
    }
}

/// What a name stands for, as transformers, Lightning, Keras and people name things: `loss`, `eval_loss`, `train/loss`,
/// `Loss/validation`.
fn quantity(name: &str) -> Option<Quantity> {
    let name = name.to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |any: &[&str]| words.iter().any(|word| any.contains(word));
    let is_held_out = has(&["eval", "val", "valid", "validation", "test", "dev", "evaluation"]);
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
