//! Fewer points for the same picture.

/// The points a plot of `columns` pixel columns over `lo..=hi` needs: of every column the first, lowest, highest and last
/// point, so that a single spike among a million points is still drawn, and one point beyond each edge, so that lines
/// leave the picture where they should. `points` must be sorted by x; non-finite values are left out.
#[must_use]
pub fn envelope(points: &[[f64; 2]], lo: f64, hi: f64, columns: usize) -> Vec<[f64; 2]> {
    let start = points.partition_point(|p| p[0] < lo).saturating_sub(1);
    let end = (points.partition_point(|p| p[0] <= hi) + 1).min(points.len());
    let window = &points[start.min(end)..end];
    if columns == 0 || hi.partial_cmp(&lo) != Some(std::cmp::Ordering::Greater) || window.len() <= columns * 4 {
        return window.iter().copied().filter(|p| p[1].is_finite()).collect();
    }
    let column_of = |p: &[f64; 2]| ((p[0] - lo) / (hi - lo) * columns as f64).floor() as i64;
    let mut kept = Vec::with_capacity(columns * 4 + 2);
    let mut rest = window.iter().enumerate().filter(|(_, p)| p[1].is_finite()).peekable();
    while let Some(first) = rest.next() {
        let column = column_of(first.1);
        let (mut low, mut high, mut last) = (first, first, first);
        while let Some(next) = rest.next_if(|(_, p)| column_of(p) == column) {
            if next.1[1] < low.1[1] {
                low = next;
            }
            if next.1[1] > high.1[1] {
                high = next;
            }
            last = next;
        }
        let mut four = [first, low, high, last];
        four.sort_by_key(|(i, _)| *i);
        let mut before = None;
        for (i, point) in four {
            if before != Some(i) {
                kept.push(*point);
            }
            before = Some(i);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_spike_survives() {
        let mut points: Vec<[f64; 2]> = (0..1_000_000).map(|i| [f64::from(i), 1.0]).collect();
        points[654_321][1] = 9.0;
        points[123_456][1] = -3.0;
        let kept = envelope(&points, 0.0, 999_999.0, 800);
        assert!(kept.len() <= 800 * 4 + 4, "{}", kept.len());
        assert!(kept.contains(&[654_321.0, 9.0]));
        assert!(kept.contains(&[123_456.0, -3.0]));
        assert!(kept.is_sorted_by(|a, b| a[0] < b[0]), "in order, none twice");
        assert_eq!(kept.first(), points.first());
        assert_eq!(kept.last(), points.last());
    }

    #[test]
    fn a_window_keeps_one_point_beyond_each_edge() {
        let points: Vec<[f64; 2]> = (0..10).map(|i| [f64::from(i), f64::from(i)]).collect();
        let kept = envelope(&points, 2.5, 4.5, 100);
        assert_eq!(kept, [[2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [5.0, 5.0]]);
        assert!(envelope(&[], 0.0, 1.0, 10).is_empty());
    }
}
