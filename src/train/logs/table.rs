//! The learning curve as a CSV file beside the model.

use crate::types::TrainPoint;
use std::path::Path;

/// The file's name in the output folder.
pub(super) const FILE: &str = "training-log.csv";
/// The newest columns stand last, so that logs of before are read, too.
pub(super) const HEADER: &str = "step,elapsed_s,loss,learning_rate,validation_loss,validation_accuracy,gradient_norm";

/// The points of the log in a folder; none where there is no log.
pub(in crate::train) fn read(out: &Path) -> Vec<TrainPoint> {
    let text = std::fs::read_to_string(out.join(FILE)).unwrap_or_default();
    text.lines().skip(1).filter_map(parse).collect()
}

/// A point's line.
pub(super) fn line(point: &TrainPoint) -> String {
    let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    format!(
        "{},{:.3},{},{},{},{},{}",
        point.step,
        point.elapsed_s,
        point.loss,
        point.learning_rate,
        optional(point.validation_loss),
        optional(point.validation_accuracy),
        optional(point.gradient_norm)
    )
}

fn parse(line: &str) -> Option<TrainPoint> {
    let mut fields = line.split(',');
    let mut number = || fields.next()?.parse::<f64>().ok();
    Some(TrainPoint {
        step: number()? as usize,
        elapsed_s: number()?,
        loss: number()?,
        learning_rate: number()?,
        validation_loss: number(),
        validation_accuracy: number(),
        gradient_norm: number(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_one_of_before_too() {
        let point =
            TrainPoint { step: 3, elapsed_s: 1.5, loss: 0.1, gradient_norm: Some(2.5), ..TrainPoint::default() };
        assert_eq!(parse(&line(&point)), Some(point));
        let validated = TrainPoint { validation_loss: Some(0.25), validation_accuracy: Some(0.5), ..point };
        assert_eq!(parse(&line(&validated)), Some(validated));
        assert_eq!(parse("3,1.5,0.1,0,,"), Some(TrainPoint { gradient_norm: None, ..point }));
        assert_eq!(parse("3,1.5,0."), None, "a line that was cut short");
    }
}
