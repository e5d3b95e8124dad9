//! What stands out on learning curves, and what they have no place for.

use super::lines::{CurveFigure, Metric, RunMarks};
use super::number_grouped;
use crate::types::TrainPoint;

/// A marked place of a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Which run.
    pub run: usize,
    /// On the horizontal axis.
    pub x: f64,
    /// On the vertical one; `None` for what has no value there.
    pub y: Option<f64>,
    /// What it is.
    pub label: String,
    /// True for what went wrong.
    pub is_trouble: bool,
}

/// The marks of a figure's runs.
#[must_use]
pub fn curve_marks(figure: &CurveFigure<'_>) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (run, curve) in figure.runs.iter().enumerate() {
        let value = |point: &TrainPoint| match figure.metric {
            Metric::Loss | Metric::BitsPerByte => point.validation_loss.or(Some(point.loss)),
            Metric::Accuracy => point.validation_accuracy,
            Metric::LearningRate => Some(point.learning_rate),
            Metric::GradientNorm => point.gradient_norm,
        };
        let name = |words: String| if figure.runs.len() == 1 { words } else { format!("{}: {words}", curve.name) };
        let mut push = |step: usize, words: String, is_trouble: bool| {
            // A step that was not logged lies where the one before it does.
            let before = curve.points.iter().rev().find(|point| point.step <= step);
            let Some(point) = before.map(|before| TrainPoint { step, ..before.clone() }) else { return };
            let x = curve.x(figure.time, &point);
            if !x.is_finite() || (figure.log_x && x <= 0.0) {
                return;
            }
            let y = value(&point).filter(|y| !is_trouble && y.is_finite() && (!figure.log_y || *y > 0.0));
            marks.push(Mark { run, x, y, label: name(words), is_trouble });
        };
        let RunMarks { best, settled, broken } = curve.marks;
        if let Some(step) = best {
            push(step, format!("best at {}", number_grouped(step as u64)), false);
        }
        if let Some(step) = settled {
            push(step, format!("ended early at {}", number_grouped(step as u64)), false);
        }
        if let Some(step) = broken {
            push(step, format!("no number at {}", number_grouped(step as u64)), true);
        }
    }
    marks
}

/// How many measured values a figure has no place for: at or below zero on a logarithmic axis, and no numbers.
#[must_use]
pub fn left_out(figure: &CurveFigure<'_>) -> [usize; 2] {
    let mut counts = [0; 2];
    for point in figure.runs.iter().flat_map(|run| run.points) {
        // A loss that nobody measured is no value.
        let loss = Some(point.loss).filter(|loss| !loss.is_nan() || !point.is_validated());
        let values = match figure.metric {
            Metric::Loss | Metric::BitsPerByte => [loss, point.validation_loss],
            Metric::Accuracy => [point.validation_accuracy, None],
            Metric::LearningRate => [Some(point.learning_rate), None],
            Metric::GradientNorm => [point.gradient_norm, None],
        };
        let is_loss = matches!(figure.metric, Metric::Loss | Metric::BitsPerByte);
        let sets = point.validation_sets.iter().filter(|_| is_loss).map(|of_set| of_set.loss);
        for value in values.into_iter().flatten().chain(sets) {
            if !value.is_finite() {
                counts[1] += 1;
            } else if figure.log_y && value <= 0.0 {
                counts[0] += 1;
            }
        }
    }
    counts
}

/// The same in words; nothing where all have their place.
#[must_use]
pub fn left_out_words(figure: &CurveFigure<'_>) -> Option<String> {
    let count = |n: usize, what: &str| match n {
        0 => None,
        1 => Some(format!("1 value {what}")),
        n => Some(format!("{} values {what}", number_grouped(n as u64))),
    };
    let [low, none] = left_out(figure);
    let parts =
        [count(low, "at or below 0"), count(none, if none == 1 { "that is no number" } else { "that are no numbers" })];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("Not drawn: {}.", parts.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::super::lines::{RunCurve, StepSize, TimeAxis};
    use super::*;

    fn run() -> Vec<TrainPoint> {
        let validation_loss = |step: usize| step.is_multiple_of(2).then_some(2.0);
        let point = |step| TrainPoint {
            step,
            loss: 4.0 / step as f64,
            validation_loss: validation_loss(step),
            ..TrainPoint::default()
        };
        (1..=4).map(point).collect()
    }

    fn figure(points: &[TrainPoint], marks: RunMarks, log_y: bool) -> CurveFigure<'_> {
        CurveFigure {
            title: String::new(),
            runs: vec![RunCurve { name: "a", hue: 0, points, step: StepSize::default(), marks }],
            metric: Metric::Loss,
            time: TimeAxis::Steps,
            log_x: false,
            log_y,
            smoothing: 0.5,
            below: Vec::new(),
            levels: Vec::new(),
        }
    }

    #[test]
    fn marks_lie_on_the_values_and_trouble_has_none() {
        let points = run();
        let marks = curve_marks(&figure(&points, RunMarks { best: Some(2), settled: Some(4), broken: Some(5) }, false));
        let told: Vec<_> = marks.iter().map(|mark| (mark.x, mark.y, mark.label.as_str())).collect();
        let wanted =
            [(2.0, Some(2.0), "best at 2"), (4.0, Some(2.0), "ended early at 4"), (5.0, None, "no number at 5")];
        assert_eq!(told, wanted);
        assert!(marks[2].is_trouble && !marks[0].is_trouble);
        let before = RunMarks { best: Some(0), ..RunMarks::default() };
        assert_eq!(curve_marks(&figure(&points, before, false)), [], "before the first point there is no place");
    }

    #[test]
    fn values_without_a_place_are_counted() {
        let mut points = run();
        (points[0].loss, points[1].loss) = (0.0, f64::NAN);
        let figure_of = |points: &[TrainPoint], log_y| left_out(&figure(points, RunMarks::default(), log_y));
        assert_eq!(figure_of(&points, true), [1, 0], "a step that was only validated has no loss that is left out");
        assert_eq!(figure_of(&points, false), [0, 0]);
        points[2].loss = f64::INFINITY;
        assert_eq!(figure_of(&points, true), [1, 1]);
        let words = left_out_words(&figure(&points, RunMarks::default(), true));
        assert_eq!(words.unwrap(), "Not drawn: 1 value at or below 0 and 1 value that is no number.");
        assert_eq!(left_out_words(&figure(&run(), RunMarks::default(), true)), None);
    }
}
