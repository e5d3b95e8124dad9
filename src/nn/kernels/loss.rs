//! Cross-entropy over a vocabulary, with its gradient in the same pass.

use super::inner::{self, Level};
use super::output::{for_each_chunk, in_order};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Mean over the rows of −log softmax(x)ₜ, t the target of each row: `logits` `[rows][classes]`.
pub(super) fn cross_entropy(level: Level, logits: &[f32], targets: &[usize], classes: usize) -> f32 {
    check(logits, targets, classes);
    let costs = in_order(targets.len(), |i| {
        let row = &logits[i * classes..(i + 1) * classes];
        inner::log_sum_exp(level, row) - row[targets[i]]
    });
    mean(&costs)
}

/// As [`cross_entropy`], with its gradient (softmax(x) − one-hot) / rows in place of the logits.
pub(super) fn cross_entropy_with_gradient(level: Level, logits: &mut [f32], targets: &[usize], classes: usize) -> f32 {
    check(logits, targets, classes);
    let share = 1.0 / targets.len() as f32;
    let costs: Vec<AtomicU32> = targets.iter().map(|_| AtomicU32::new(0)).collect();
    for_each_chunk([logits], classes, |i, [row]| {
        costs[i].store(inner::cross_entropy(level, row, targets[i], share).to_bits(), Relaxed);
    });
    let costs: Vec<f32> = costs.into_iter().map(|cost| f32::from_bits(cost.into_inner())).collect();
    mean(&costs)
}

fn check(logits: &[f32], targets: &[usize], classes: usize) {
    assert!(logits.len() == targets.len() * classes && !targets.is_empty(), "one row of scores a target");
    assert!(targets.iter().all(|target| *target < classes), "a target that is no class");
}

/// Of the costs of all rows, always added in the same order.
fn mean(costs: &[f32]) -> f32 {
    (costs.iter().map(|cost| f64::from(*cost)).sum::<f64>() / costs.len() as f64) as f32
}
