//! Probabilities of a few answers compared with each other alone, and contextual calibration (Zhao et al. 2021).

/// Each answer's share of the probability of all, from ln P: they sum to 1.
pub(super) fn shares(log_probs: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let max = log_probs.clone().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = log_probs.map(|log_prob| (log_prob - max).exp()).collect();
    scaled_to_one(weights)
}

/// The mean of several lists of shares, one value an answer.
pub(super) fn mean(lists: &[Vec<f64>]) -> Vec<f64> {
    let answers = lists.first().map_or(0, Vec::len);
    let sum = |answer: usize| lists.iter().map(|shares| shares[answer]).sum::<f64>();
    (0..answers).map(|answer| sum(answer) / lists.len() as f64).collect()
}

/// Shares divided by what they are for queries that say nothing, scaled to sum 1 again: an answer the prompt favours whatever
/// is asked loses that favour.
pub(super) fn calibrated(shares: &[f64], prior: &[f64]) -> Vec<f64> {
    scaled_to_one(shares.iter().zip(prior).map(|(share, prior)| share / prior.max(f64::MIN_POSITIVE)).collect())
}

/// The first of the largest; 0 of none.
pub(super) fn likeliest(shares: &[f64]) -> usize {
    (0..shares.len()).reduce(|best, i| if shares[i] > shares[best] { i } else { best }).unwrap_or(0)
}

fn scaled_to_one(mut values: Vec<f64>) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_compare_probabilities_however_small() {
        let shares = shares([0.3f64.ln() - 2000.0, 0.1f64.ln() - 2000.0].into_iter());
        assert!((shares[0] - 0.75).abs() < 1e-9 && (shares[1] - 0.25).abs() < 1e-9, "{shares:?}");
        assert_eq!(likeliest(&[0.2, 0.4, 0.4]), 1);
    }

    #[test]
    fn calibration_takes_away_what_is_said_whatever_is_asked() {
        let prior = mean(&[vec![0.9, 0.1], vec![0.7, 0.3]]);
        assert!((prior[0] - 0.8).abs() < 1e-12);
        // 0.7 / 0.8 against 0.3 / 0.2.
        let calibrated = calibrated(&[0.7, 0.3], &prior);
        assert!((calibrated[0] - 0.875 / 2.375).abs() < 1e-12, "{calibrated:?}");
        assert_eq!((likeliest(&[0.7, 0.3]), likeliest(&calibrated)), (0, 1));
    }
}
