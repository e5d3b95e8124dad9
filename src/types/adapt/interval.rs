//! How far a mean over a few seeds can be trusted.

/// The mean of some values, and half the width of its 95 % interval by Student's t with one degree of freedom less than there are
/// values; none of a single one. `None` of no value.
#[must_use]
pub fn mean_interval(values: &[f64]) -> Option<(f64, Option<f64>)> {
    let count = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / count;
    if values.len() == 1 {
        return Some((mean, None));
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Some((mean, Some(t_of_95(values.len() - 1) * (variance / count).sqrt())))
}

/// The t that 95 % of Student's distribution lie within, on both sides of zero.
fn t_of_95(degrees: usize) -> f64 {
    // With one degree it is 12.71, and falls from there to 1.96.
    let (mut low, mut high) = (1.0, 13.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if within(middle, degrees) < 0.95 { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The share of Student's distribution between -t and t: the finite sums for whole degrees of freedom (Abramowitz and Stegun 1964,
/// 26.7.3 and 26.7.4).
fn within(t: f64, degrees: usize) -> f64 {
    let angle = (t / (degrees as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let is_odd = degrees % 2 == 1;
    let (mut term, mut sum) = if is_odd { (cosine, 0.0) } else { (1.0, 0.0) };
    // Of odd degrees the powers of the cosine go up to degrees - 2, of even ones as well, from the first and from the zeroth.
    let mut power = usize::from(is_odd);
    while power + 2 <= degrees {
        sum += term;
        let [above, below] = [power + 1, power + 2].map(|n| n as f64);
        term *= above / below * cosine * cosine;
        power += 2;
    }
    if is_odd { (angle + sine * sum) * std::f64::consts::FRAC_2_PI } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_is_that_of_scipy() {
        // scipy.stats.t.ppf(0.975, n)
        for (degrees, expected) in [
            (1, 12.706_204_736_174_694),
            (2, 4.302_652_729_749_462),
            (3, 3.182_446_305_283_708),
            (4, 2.776_445_105_197_793),
            (9, 2.262_157_162_798_205),
            (30, 2.042_272_456_301_238),
            (99, 1.984_216_951_586_417_4),
        ] {
            let found = t_of_95(degrees);
            assert!((found - expected).abs() < 1e-9, "{degrees}: {found} and {expected}");
        }
    }

    #[test]
    fn an_interval_is_that_of_scipy() {
        // scipy.stats.t.interval(0.95, 4, loc = mean, scale = sem)
        let (mean, half) = mean_interval(&[0.5, 0.7, 0.6, 0.9, 0.8]).unwrap();
        assert!((mean - 0.7).abs() < 1e-12);
        assert!((half.unwrap() - 0.196_324_316_147_755_7).abs() < 1e-9, "{half:?}");
        assert_eq!(mean_interval(&[0.5]), Some((0.5, None)));
        assert_eq!(mean_interval(&[]), None);
    }
}
