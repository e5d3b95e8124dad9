//! The nearest mean of a class.

use super::{Vectors, log_shares, seen};

/// Means of the vectors of each class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prototypes {
    seen: Vec<usize>,
    classes: usize,
    examples: usize,
    /// Of each class seen, in F64.
    means: Vec<Vec<f64>>,
}

impl Prototypes {
    /// Of rows of `vectors`, each with its class.
    pub(crate) fn learn(vectors: &Vectors, rows: &[(usize, usize)], classes: usize) -> Self {
        let of_rows: Vec<usize> = rows.iter().map(|(_, class)| *class).collect();
        let seen = seen(&of_rows);
        let mean = |class: &usize| {
            let (mut sum, mut count) = (vec![0.0; vectors.width], 0.0);
            for (row, _) in rows.iter().filter(|(_, of)| of == class) {
                sum.iter_mut().zip(vectors.row(*row)).for_each(|(sum, x)| *sum += f64::from(*x));
                count += 1.0;
            }
            sum.iter_mut().for_each(|sum| *sum /= count);
            sum
        };
        let means = seen.iter().map(mean).collect();
        Self { seen, classes, examples: rows.len(), means }
    }

    /// Numbers it learned.
    pub(crate) fn learned(&self) -> usize {
        self.means.iter().map(Vec::len).sum()
    }

    /// ln of each class's share: the softmax of the cosines, which say which is nearest and not how sure that is.
    pub(crate) fn log_shares(&self, vector: &[f32]) -> Vec<f64> {
        let cosines: Vec<f64> = self.means.iter().map(|mean| cosine(mean, vector)).collect();
        log_shares(&cosines, &self.seen, self.classes, self.examples)
    }
}

/// The cosine of two vectors; 0 where one of them is zero.
fn cosine(mean: &[f64], vector: &[f32]) -> f64 {
    let (mut product, mut squares) = (0.0, [0.0, 0.0]);
    for (a, b) in mean.iter().zip(vector) {
        let b = f64::from(*b);
        product += a * b;
        squares[0] += a * a;
        squares[1] += b * b;
    }
    let lengths = (squares[0] * squares[1]).sqrt();
    if lengths > 0.0 { product / lengths } else { 0.0 }
}
