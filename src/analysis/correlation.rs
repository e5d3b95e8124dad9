//! How two lists of numbers go together.

/// Pearson's correlation; none for fewer than two numbers, or where all of one list are the same.
///
/// # Panics
/// When the lists differ in length.
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "as many of both");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (of_a, of_b) = (mean(a), mean(b));
    let (mut both, mut only_a, mut only_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - of_a, b - of_b);
        (both, only_a, only_b) = (both + a * b, only_a + a * a, only_b + b * b);
    }
    (only_a > 0.0 && only_b > 0.0).then(|| both / (only_a * only_b).sqrt())
}

/// Spearman's: Pearson's of the ranks, where equal numbers share the mean of theirs.
///
/// # Panics
/// As [`pearson`].
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    pearson(&ranks(a), &ranks(b))
}

/// The rank of each number, from 1; those that are equal share the mean of their ranks.
#[must_use]
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for run in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let mean = first as f64 + (run.len() as f64 + 1.0) / 2.0;
        run.iter().for_each(|place| ranks[*place] = mean);
        first += run.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_share_the_mean_of_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(ranks(&[5.0; 3]), [2.0; 3]);
    }

    #[test]
    fn correlations_by_hand() {
        let near = |x: Option<f64>, y: f64| assert!((x.unwrap() - y).abs() < 1e-12, "{x:?} instead of {y}");
        near(pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), 1.0);
        near(pearson(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]), 0.5);
        near(spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 100.0, 1000.0, 1001.0]), 1.0);
        near(spearman(&[1.0, 2.0, 3.0, 4.0], &[4.0, 3.0, 2.0, -1.0]), -1.0);
        // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4 (scipy.stats.spearmanr: 0.9486832980505138).
        near(spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]), 0.948_683_298_050_513_8);
        assert_eq!((pearson(&[1.0], &[1.0]), spearman(&[1.0, 1.0], &[1.0, 2.0])), (None, None));
    }
}
