//! Small models on vectors that a frozen network makes: a logistic regression, and the nearest mean of a class.

mod lbfgs;
mod logistic;
mod prototypes;

pub(crate) use logistic::Logistic;
pub(crate) use prototypes::Prototypes;

/// Vectors of one width, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Vectors {
    /// Numbers of a row.
    pub width: usize,
    /// The rows behind each other.
    pub numbers: Vec<f32>,
}

impl Vectors {
    /// One row.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.numbers[row * self.width..(row + 1) * self.width]
    }
}

/// ln of each class's share, of scores of those classes that there are examples of. A class without any is given what one example more
/// of each class would give it, 1 / (n + L), so that no answer is impossible.
fn log_shares(scores: &[f64], seen: &[usize], classes: usize, examples: usize) -> Vec<f64> {
    let unseen = ((examples + classes) as f64).recip();
    let rest = 1.0 - unseen * (classes - seen.len()) as f64;
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum = scores.iter().map(|score| (score - largest).exp()).sum::<f64>().ln() + largest;
    let mut shares = vec![unseen.ln(); classes];
    for (class, score) in seen.iter().zip(scores) {
        shares[*class] = score - sum + rest.ln();
    }
    shares
}

/// The classes that there are examples of, in rising order.
fn seen(classes: &[usize]) -> Vec<usize> {
    let mut seen = classes.to_vec();
    seen.sort_unstable();
    seen.dedup();
    seen
}
