//! Curves against the number of examples, read back: markup, pixels and numbers.

use super::*;

/// Three seeds at each k, the accuracy rising by k, a tenth of it between lowest and mean.
fn points(ks: &[usize]) -> Vec<KShotPoint> {
    let point = |k: usize, seed: u64| KShotPoint {
        k,
        seed,
        queries: 40,
        correct: (k + 4 * seed as usize).min(40),
        mean_log_prob: -3.0 + k as f64 / 10.0,
    };
    (1..=3).flat_map(|seed| ks.iter().map(move |&k| point(k, seed))).collect()
}

fn figure<'a>(series: &[(&'a str, &'a [KShotPoint])]) -> KShotFigure<'a> {
    let series = series.iter().enumerate().map(|(hue, &(name, points))| KShotSeries { name, hue, points }).collect();
    KShotFigure { title: "A & B".to_owned(), series, metric: KShotMetric::Accuracy }
}

#[test]
fn bands_hold_every_seed() {
    let bands = kshot_bands(&points(&[8, 0]), KShotMetric::Accuracy);
    assert_eq!(
        bands,
        [KShotBand { k: 0, mean: 0.2, low: 0.1, high: 0.3 }, KShotBand { k: 8, mean: 0.4, low: 0.3, high: 0.5 },]
    );
    let mut odd = points(&[0]);
    odd[1].mean_log_prob = f64::NAN;
    let [band] = kshot_bands(&odd, KShotMetric::LogProb)[..] else { panic!() };
    assert_eq!((band.mean, band.low, band.high), (-3.0, -3.0, -3.0));
}

#[test]
fn svg_has_names_bands_every_k_and_a_summary() {
    let (one, other) = (points(&[0, 1, 4, 16]), points(&[0, 2]));
    let svg = kshot_figure(&figure(&[("copy", &one), ("spell", &other)]), Format::Svg).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    for text in ["\nA &amp; B\n", "\ncopy\n", "\nspell\n", "\n16\n", "\n100 %\n", "\nright answers\n"] {
        assert!(svg.contains(text), "{text:?} is missing");
    }
    assert_eq!(svg.matches("<polygon").count(), 2, "a band for each");
    assert!(svg.contains("<desc>copy: k = 0: 20 % (10 % to 30 %), k = 1:"), "the summary tells every point");
}

#[test]
fn png_shows_line_and_band() {
    let points = points(&[0, 1, 2, 4, 8]);
    let png = kshot_figure(&figure(&[("copy", &points)]), Format::Png).unwrap();
    let image = image::load_from_memory(&png).unwrap().to_rgb8();
    assert_eq!(image.dimensions(), (1600, 960));
    let line = crate::types::category_colour(0, false);
    let mixed = |channel: usize| (255.0 + (f64::from(line[channel]) - 255.0) * 0.16).round() as i32;
    let count = |wanted: [i32; 3]| {
        let near = |pixel: &&image::Rgb<u8>| (0..3).all(|c| (i32::from(pixel.0[c]) - wanted[c]).abs() <= 2);
        image.pixels().filter(near).count()
    };
    assert!(count(line.map(i32::from)) > 500, "the mean has its hue");
    // 0.2 of an axis of 378 units high and about 650 wide, less what grid and line cover.
    assert!(count([mixed(0), mixed(1), mixed(2)]) > 100_000, "the band has one even colour");
}

#[test]
fn csv_has_every_point() {
    let points = points(&[0, 4]);
    let csv = kshot_figure(&figure(&[("copy", &points)]), Format::Csv).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    for (row, point) in rows.iter().zip(&points) {
        assert_eq!((&row[0], row[1].parse(), row[2].parse()), ("copy", Ok(point.k), Ok(point.seed)));
        assert_eq!((row[3].parse(), row[4].parse()), (Ok(40_usize), Ok(point.correct)));
        assert_eq!(row[5].parse::<f64>(), Ok(point.accuracy()));
        assert_eq!(row[6].parse::<f64>(), Ok(point.mean_log_prob));
    }
}

#[test]
fn one_k_and_log_probabilities_draw_and_nothing_does_not() {
    let points = points(&[3]);
    let mut figure = figure(&[("copy", &points)]);
    for metric in [KShotMetric::Accuracy, KShotMetric::LogProb] {
        figure.metric = metric;
        let svg = String::from_utf8(kshot_figure(&figure, Format::Svg).unwrap()).unwrap();
        assert!(svg.contains("\n3\n") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
    figure.series[0].points = &[];
    assert!(matches!(kshot_figure(&figure, Format::Csv), Err(ChartError::Empty(_))));
}
