//! A curve in words, for those who cannot see it.

use super::Curve;
use crate::chart::{KShotBand, KShotMetric, kshot_bands};
use crate::ui::edits::all_words;
use crate::ui::widgets::significant;

/// A value of a curve.
pub(super) fn value(value: f64, metric: KShotMetric) -> String {
    match metric {
        KShotMetric::Accuracy => format!("{:.0} %", value * 100.0),
        KShotMetric::LogProb => significant(value).replace('-', "−"),
    }
}

/// One sentence: where it begins, where it ends, how much was asked.
pub(super) fn summary(curve: &Curve, metric: KShotMetric) -> String {
    let bands = kshot_bands(&curve.points, metric);
    let what = match metric {
        KShotMetric::Accuracy => "accuracy",
        KShotMetric::LogProb => "mean ln P",
    };
    let (Some(first), Some(last)) = (bands.first(), bands.last()) else {
        return format!("{}: nothing measured yet.", curve.name);
    };
    let at = |band: &KShotBand| format!("{} at k = {}", value(band.mean, metric), band.k);
    let mut seeds: Vec<u64> = curve.points.iter().map(|point| point.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let queries = curve.points.first().map_or(0, |point| point.queries);
    let mut words = format!("{}: {what} {}", curve.name, at(first));
    if first.k != last.k {
        words += &format!(", {}", at(last));
        if metric == KShotMetric::Accuracy {
            words += &format!(" ({:+.0} points)", (last.mean - first.mean) * 100.0).replace('-', "−");
        }
    }
    words += &format!("; {} × {queries} queries a point.", count(seeds.len(), "seed"));
    if curve.points.len() < curve.wanted {
        words += &format!(" {} of {} points.", curve.points.len(), curve.wanted);
    }
    let edited = if curve.edits.is_empty() { String::new() } else { format!(", {}", all_words(&curve.edits)) };
    words += &format!(" Asked of {}{edited}.", curve.model);
    words
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::KShotPoint;

    pub fn curve(points: &[(usize, u64, usize)]) -> Curve {
        let point = |(k, seed, correct): &(usize, u64, usize)| KShotPoint {
            k: *k,
            seed: *seed,
            queries: 20,
            correct: *correct,
            mean_log_prob: -2.0 + *k as f64 / 16.0,
        };
        Curve {
            name: "True labels".into(),
            task: "T".into(),
            model: "m".into(),
            hue: 0,
            points: points.iter().map(point).collect(),
            notes: Vec::new(),
            hidden: false,
            wanted: 4,
            chance: None,
            edits: Vec::new(),
            job: None,
        }
    }

    #[test]
    fn the_summary_tells_the_ends_and_what_was_asked() {
        let curve = curve(&[(0, 1, 8), (16, 1, 14), (0, 2, 10), (16, 2, 18)]);
        assert_eq!(
            summary(&curve, KShotMetric::Accuracy),
            "True labels: accuracy 45 % at k = 0, 80 % at k = 16 (+35 points); 2 seeds × 20 queries a point. Asked of m."
        );
        assert_eq!(
            summary(&curve, KShotMetric::LogProb),
            "True labels: mean ln P −2.00 at k = 0, −1.00 at k = 16; 2 seeds × 20 queries a point. Asked of m."
        );
    }

    #[test]
    fn what_was_stopped_says_how_far_it_came() {
        let words = summary(&curve(&[(0, 1, 8)]), KShotMetric::Accuracy);
        assert_eq!(
            words,
            "True labels: accuracy 40 % at k = 0; 1 seed × 20 queries a point. 1 of 4 points. Asked of m."
        );
        assert_eq!(summary(&curve(&[]), KShotMetric::Accuracy), "True labels: nothing measured yet.");
    }
}
