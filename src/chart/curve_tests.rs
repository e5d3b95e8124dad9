//! Learning curves, read back: markup, pixels and numbers.

use super::*;
use crate::chart::{CurveLevel, Metric, TimeAxis};
use crate::chart::{RunCurve, RunMarks, StepSize};
use crate::types::TrainPoint;

fn points(steps: usize) -> Vec<TrainPoint> {
    (1..=steps)
        .map(|step| TrainPoint {
            step,
            elapsed_s: step as f64 * 0.25,
            loss: 3.0 / (step as f64).sqrt(),
            learning_rate: 1e-3,
            validation_loss: (step % 10 == 0).then_some(3.2 / (step as f64).sqrt()),
            validation_accuracy: None,
            gradient_norm: Some(0.5 / step as f64),
            ..TrainPoint::default()
        })
        .collect()
}

fn figure(points: &[TrainPoint]) -> CurveFigure<'_> {
    CurveFigure {
        title: "A & B".to_owned(),
        runs: vec![RunCurve { name: "run 1", hue: 0, points, step: StepSize::default(), marks: RunMarks::default() }],
        metric: Metric::Loss,
        time: TimeAxis::Steps,
        log_x: false,
        log_y: false,
        smoothing: 0.6,
        below: Vec::new(),
        levels: Vec::new(),
    }
}

#[test]
fn svg_has_text_lines_and_a_summary() {
    let points = points(50);
    let svg = String::from_utf8(curve_figure(&figure(&points), Format::Svg).unwrap()).unwrap();
    for text in ["\nA &amp; B\n", "\ntraining\n", "\nvalidation\n", "\nstep\n", "\ncross-entropy loss in nats\n"] {
        assert!(svg.contains(text), "{text:?} is missing");
    }
    assert!(svg.contains("opacity=\"0.3\""), "the raw line is drawn at 30 %");
    assert!(svg.contains("<desc>training: from 3 to"), "the summary tells where the line starts");
    assert!(svg.starts_with("<svg xmlns") && svg.trim_end().ends_with("</svg>"));
}

#[test]
fn png_decodes_at_two_pixels_a_unit_and_is_not_blank() {
    let points = points(50);
    let png = curve_figure(&figure(&points), Format::Png).unwrap();
    let image = image::load_from_memory(&png).unwrap().to_rgb8();
    assert_eq!(image.dimensions(), (1920, 1120));
    let training = crate::types::category_colour(0, false);
    assert!(image.pixels().filter(|p| p.0 == training).count() > 500, "the training line has its hue");
}

#[test]
fn csv_round_trips() {
    let points = points(12);
    let csv = curve_figure(&figure(&points), Format::Csv).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 12);
    for (row, point) in rows.iter().zip(&points) {
        assert_eq!(&row[0], "run 1");
        assert_eq!(row[1].parse::<usize>().unwrap(), point.step);
        assert_eq!(row[3].parse::<f64>().unwrap(), point.loss);
        assert_eq!(row[5].parse::<f64>().ok(), point.validation_loss);
    }
}

#[test]
fn levels_are_rows_without_a_step_in_the_column_of_their_unit() {
    let points = points(10);
    let mut figure = figure(&points);
    figure.levels = vec![CurveLevel { name: "bigram".to_owned(), value: 2.25 }];
    for (metric, column) in [
        (Metric::Loss, "validation_loss"),
        (Metric::BitsPerByte, "validation_bits_per_byte"),
        (Metric::Accuracy, "validation_accuracy"),
    ] {
        figure.metric = metric;
        let csv = curve_figure(&figure, Format::Csv).unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_slice());
        let place = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
        let last = reader.records().last().unwrap().unwrap();
        let filled: Vec<(usize, &str)> = last.iter().enumerate().filter(|(_, field)| !field.is_empty()).collect();
        assert_eq!(filled, [(0, "bigram"), (place, "2.25")]);
    }
}

#[test]
fn nothing_to_draw_is_an_error() {
    assert!(matches!(curve_figure(&figure(&[]), Format::Svg), Err(ChartError::Empty(_))));
    let mut nan = points(3);
    nan.iter_mut().for_each(|p| (p.loss, p.validation_loss) = (f64::NAN, None));
    assert!(matches!(curve_figure(&figure(&nan), Format::Png), Err(ChartError::Empty(_))));
    let mut figure = figure(&nan);
    figure.metric = Metric::Accuracy;
    assert!(matches!(curve_figure(&figure, Format::Svg), Err(ChartError::Empty(_))));
}

#[test]
fn low_axes_marks_and_what_has_no_place_are_in_the_file() {
    let mut points = points(50);
    points[7].loss = -1.0;
    let mut figure = figure(&points);
    let marks = RunMarks { best: Some(40), settled: Some(50), broken: Some(51) };
    let height = |figure: &CurveFigure<'_>| {
        let png = curve_figure(figure, Format::Png).unwrap();
        image::load_from_memory(&png).unwrap().height()
    };
    let before = height(&figure);
    figure.runs[0].marks = marks;
    (figure.log_y, figure.below) = (true, vec![Metric::LearningRate, Metric::GradientNorm]);
    assert_eq!(height(&figure), before + 4 * LOW_STRIDE as u32);
    let svg = String::from_utf8(curve_figure(&figure, Format::Svg).unwrap()).unwrap();
    for text in ["best at 40", "ended early at 50", "no number at 51", "learning rate", "gradient norm (log scale)"] {
        assert!(svg.contains(&format!("\n{text}\n")), "{text:?} is missing");
    }
    assert!(svg.contains("Not drawn: 1 value at or below 0."));
}

#[test]
fn one_point_and_log_axes_draw() {
    let points = points(1);
    let mut figure = figure(&points);
    (figure.log_x, figure.log_y) = (true, true);
    let svg = String::from_utf8(curve_figure(&figure, Format::Svg).unwrap()).unwrap();
    assert!(svg.contains("step (log scale)") && !svg.contains("NaN"));
}
