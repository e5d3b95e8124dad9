//! Cross-entropy over a vocabulary, with its gradient in the same pass.

use super::inner::{self, Level};
use rayon::prelude::*;

/// Mean over the rows of −log softmax(x)ₜ, t the target of each row: `logits` `[rows][classes]`.
pub(super) fn cross_entropy(level: Level, logits: &[f32], targets: &[usize], classes: usize) -> f32 {
    check(logits, targets, classes);
    let rows = logits.par_chunks_exact(classes).zip(targets);
    let costs: Vec<f32> = rows.map(|(row, target)| inner::log_sum_exp(level, row) - row[*target]).collect();
    mean(&costs)
}

/// As [`cross_entropy`], with its gradient (softmax(x) − one-hot) / rows in place of the logits.
pub(super) fn cross_entropy_with_gradient(level: Level, logits: &mut [f32], targets: &[usize], classes: usize) -> f32 {
    check(logits, targets, classes);
    let share = 1.0 / targets.len() as f32;
    let rows = logits.par_chunks_exact_mut(classes).zip(targets);
    let costs: Vec<f32> = rows.map(|(row, target)| inner::cross_entropy(level, row, *target, share)).collect();
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
