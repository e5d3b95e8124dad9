//! Axis marks and the way numbers are written.

/// One mark on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where, in data units.
    pub value: f64,
    /// The number to write, empty for a mark without one.
    pub label: String,
}

/// Round marks (1, 2 or 5 times a power of ten) within `lo..=hi`, about `target` of them and two at least: one number alone tells no
/// scale.
#[must_use]
pub fn linear_ticks(lo: f64, hi: f64, target: usize) -> Vec<Tick> {
    if !(lo.is_finite() && hi.is_finite() && hi > lo) {
        return Vec::new();
    }
    let rough = (hi - lo) / target.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let steps = [10.0, 5.0, 2.0, 1.0, 0.5, 0.2].map(|multiple| multiple * power);
    let widest = steps.iter().rposition(|step| *step >= rough * 0.999).unwrap_or(0);
    let places = |step: f64| ((lo / step - 1e-9).ceil() as i64, (hi / step + 1e-9).floor() as i64);
    let fits = |step: &&f64| {
        let (first, last) = places(**step);
        last > first
    };
    let step = *steps[widest..].iter().find(fits).unwrap_or(&steps[widest]);
    let decimals = (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize;
    let (first, last) = places(step);
    (first..=last)
        .map(|i| {
            let value = i as f64 * step;
            Tick { value, label: fixed(value, decimals) }
        })
        .collect()
}

/// Marks for a logarithmic axis within `lo..=hi` (both above zero): powers of ten are numbered, and where fewer than two
/// of them fit, so are 2 and 5 times a power; where not even a whole decade is shown, round linear marks.
#[must_use]
pub fn log_ticks(lo: f64, hi: f64, target: usize) -> Vec<Tick> {
    if !(lo.is_finite() && hi.is_finite() && lo > 0.0 && hi > lo) {
        return Vec::new();
    }
    let decades = (hi / lo).log10();
    if decades < 0.8 {
        return linear_ticks(lo, hi, target).into_iter().filter(|t| t.value > 0.0).collect();
    }
    let every = (decades / target.max(1) as f64).ceil().max(1.0) as i32;
    let (first, last) = (lo.log10().floor() as i32, hi.log10().ceil() as i32);
    let mut ticks = Vec::new();
    for power in first..=last {
        for multiple in 1..=9 {
            let value = f64::from(multiple) * 10f64.powi(power);
            if value < lo * 0.999_999 || value > hi * 1.000_001 {
                continue;
            }
            let named = match multiple {
                1 => power.rem_euclid(every) == 0,
                2 | 5 => decades < 2.5,
                _ => false,
            };
            if named || every == 1 {
                ticks.push(Tick { value, label: if named { number(value) } else { String::new() } });
            }
        }
    }
    ticks
}

/// A number with three significant digits.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN".to_owned() } else { format!("{}∞", if value < 0.0 { "−" } else { "" }) };
    }
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e7).contains(&size) {
        let text = format!("{value:.2e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trimmed(mantissa));
    }
    let decimals = (2 - size.log10().floor() as i32).max(0) as usize;
    trimmed(&fixed(value, decimals)).to_owned()
}

/// A whole number with its thousands apart.
#[must_use]
pub fn number_grouped(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A fixed number of decimals, thousands apart by commas, a true minus sign never: files are read by programs too.
fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(w, f)| (w, f));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |d| ("-", d));
    let grouped = grouped(digits);
    let sign = if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) { "" } else { sign };
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|t| t.label.as_str()).filter(|l| !l.is_empty()).collect()
    }

    #[test]
    fn linear_marks_are_round() {
        assert_eq!(labels(&linear_ticks(0.0, 1.0, 5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&linear_ticks(0.0, 2600.0, 5)), ["0", "1,000", "2,000"]);
        assert_eq!(labels(&linear_ticks(-1.0, 1.0, 4)), ["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(&linear_ticks(4.1, 7.2, 2)), ["5", "6", "7"], "steps of two would leave one");
        assert_eq!(labels(&linear_ticks(0.991, 0.9999, 1)), ["0.992", "0.994", "0.996", "0.998"]);
        assert!(linear_ticks(1.0, 1.0, 5).is_empty());
        assert!(linear_ticks(f64::NAN, 1.0, 5).is_empty());
    }

    #[test]
    fn log_marks_name_powers_of_ten() {
        assert_eq!(labels(&log_ticks(1.0, 10_000.0, 6)), ["1", "10", "100", "1,000", "10,000"]);
        assert_eq!(labels(&log_ticks(0.1, 3.0, 6)), ["0.1", "0.2", "0.5", "1", "2"]);
        assert!(log_ticks(0.0, 3.0, 6).is_empty());
    }

    #[test]
    fn numbers_keep_three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (2.3456, "2.35"),
            (23.456, "23.5"),
            (0.0123456, "0.0123"),
            (12_345.6, "12,346"),
            (0.000_123_4, "1.23e-4"),
            (-0.5, "-0.5"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
