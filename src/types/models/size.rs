//! Numbers of bytes and of things, in words for a person. Decimal units, as disks and networks have them.

/// Such as `551 MB` or `1.52 GB`.
#[must_use]
pub fn bytes_in_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = "B";
    for next in UNITS {
        // What would be rounded to a thousand belongs to the next unit.
        if size < 999.5 {
            break;
        }
        (size, unit) = (size / 1000.0, next);
    }
    format!("{} {unit}", three_digits(size))
}

/// Such as `124 M` or `656 k`.
#[must_use]
pub fn count_in_words(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..999_500 => format!("{} k", three_digits(count as f64 / 1e3)),
        999_500..999_500_000 => format!("{} M", three_digits(count as f64 / 1e6)),
        999_500_000..999_500_000_000 => format!("{} B", three_digits(count as f64 / 1e9)),
        _ => format!("{} T", three_digits(count as f64 / 1e12)),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        let words: Vec<_> =
            [0, 999, 1_000, 548_105_171, 999_499_999, 999_999_999, 1_503_300_000].map(bytes_in_words).into();
        assert_eq!(words, ["0 B", "999 B", "1.00 kB", "548 MB", "999 MB", "1.00 GB", "1.50 GB"]);
        let words: Vec<_> = [12, 656_000, 999_999, 124_439_808, 7_000_000_000].map(count_in_words).into();
        assert_eq!(words, ["12", "656 k", "1.00 M", "124 M", "7.00 B"]);
    }
}
