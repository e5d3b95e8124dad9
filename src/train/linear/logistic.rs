//! Logistic regression as scikit-learn's: L2 with C = 1, an intercept that is free of it, vectors as they are given.

use super::{Vectors, lbfgs, log_shares, seen};
use rayon::prelude::*;

/// Largest component of the gradient at the end. The penalty alone curves by 1, so no coefficient is further than this from where it
/// would come to rest.
const TOLERANCE: f64 = 1e-7;
/// Rows whose sums one thread makes.
const ROWS: usize = 64;

/// A regression that has learned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Logistic {
    /// The classes there were examples of, in rising order.
    seen: Vec<usize>,
    /// All classes.
    classes: usize,
    /// What it learned from.
    examples: usize,
    /// For each class seen a row of weights and its intercept behind them; of two classes one row, for the second; of one class none.
    rows: Vec<f64>,
    width: usize,
}

impl Logistic {
    /// Learns from rows of `vectors`, each with its class.
    pub(crate) fn learn(vectors: &Vectors, rows: &[(usize, usize)], classes: usize) -> Self {
        let of_rows: Vec<usize> = rows.iter().map(|(_, class)| *class).collect();
        let (seen, width) = (seen(&of_rows), vectors.width);
        let outputs = match seen.len() {
            0 | 1 => 0,
            2 => 1,
            more => more,
        };
        let rows: Vec<(&[f32], usize)> = rows
            .iter()
            .map(|(row, class)| (vectors.row(*row), seen.binary_search(class).expect("it is among them")))
            .collect();
        let at = |x: &[f64]| loss(x, &rows, outputs, width);
        let learned =
            if outputs == 0 { Vec::new() } else { lbfgs::minimise(vec![0.0; outputs * (width + 1)], TOLERANCE, at) };
        Self { seen, classes, examples: rows.len(), rows: learned, width }
    }

    /// Numbers it learned.
    pub(crate) fn learned(&self) -> usize {
        self.rows.len()
    }

    /// ln of each class's share.
    pub(crate) fn log_shares(&self, vector: &[f32]) -> Vec<f64> {
        let mut scores: Vec<f64> = self.rows.chunks_exact(self.width + 1).map(|row| score(row, vector)).collect();
        match self.seen.len() {
            1 => scores = vec![0.0],
            2 => scores.insert(0, 0.0),
            _ => {}
        }
        log_shares(&scores, &self.seen, self.classes, self.examples)
    }

    /// Weights and intercept of each class as scikit-learn has them in `coef_` and `intercept_`.
    #[cfg(test)]
    fn coefficients(&self) -> Vec<&[f64]> {
        self.rows.chunks_exact(self.width + 1).collect()
    }
}

fn score(row: &[f64], vector: &[f32]) -> f64 {
    let (weights, intercept) = row.split_at(vector.len());
    // Four sums beside each other: one would wait for itself.
    let mut sums = [0.0; 4];
    let (fours, rest) = vector.as_chunks::<4>();
    for (i, x) in fours.iter().enumerate() {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += weights[4 * i + lane] * f64::from(x[lane]);
        }
    }
    let done = 4 * fours.len();
    let rest: f64 = rest.iter().zip(&weights[done..]).map(|(x, w)| w * f64::from(*x)).sum();
    sums.iter().sum::<f64>() + rest + intercept[0]
}

/// Sum of cross-entropies plus half the squares of all weights, and its gradient.
fn loss(x: &[f64], rows: &[(&[f32], usize)], outputs: usize, width: usize) -> (f64, Vec<f64>) {
    let of_rows = |rows: &[(&[f32], usize)]| {
        let (mut value, mut gradient) = (0.0, vec![0.0; x.len()]);
        let mut scores = vec![0.0; outputs];
        for (vector, class) in rows {
            for (score, row) in scores.iter_mut().zip(x.chunks_exact(width + 1)) {
                *score = self::score(row, vector);
            }
            // Of two classes the first has the score 0.
            let base = if outputs == 1 { 0.0 } else { f64::NEG_INFINITY };
            let largest = scores.iter().copied().fold(base, f64::max);
            let sum = scores.iter().map(|score| (score - largest).exp()).sum::<f64>() + (base - largest).exp();
            let right = match (outputs, class) {
                (1, 0) => None,
                (1, _) => Some(0),
                (_, class) => Some(*class),
            };
            value += sum.ln() + largest - right.map_or(0.0, |right| scores[right]);
            for (output, row) in gradient.chunks_exact_mut(width + 1).enumerate() {
                let share = (scores[output] - largest).exp() / sum;
                let error = share - if right == Some(output) { 1.0 } else { 0.0 };
                row.iter_mut().zip(*vector).for_each(|(g, x)| *g += error * f64::from(*x));
                row[width] += error;
            }
        }
        (value, gradient)
    };
    // Portions in a fixed order, so that the sums do not depend on the threads.
    let portions: Vec<(f64, Vec<f64>)> = rows.par_chunks(ROWS).map(of_rows).collect();
    let (mut value, mut gradient) = (0.0, vec![0.0; x.len()]);
    for (of_portion, part) in portions {
        value += of_portion;
        gradient.iter_mut().zip(part).for_each(|(g, part)| *g += part);
    }
    for (row, gradient) in x.chunks_exact(width + 1).zip(gradient.chunks_exact_mut(width + 1)) {
        for (weight, gradient) in row[..width].iter().zip(gradient) {
            value += weight * weight / 2.0;
            *gradient += weight;
        }
    }
    (value, gradient)
}

#[cfg(test)]
#[path = "linear_tests.rs"]
mod tests;
