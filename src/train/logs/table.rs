//! The learning curve as a CSV file beside the model.

use crate::types::{SetLoss, TrainPoint};
use std::path::Path;

/// The file's name in the output folder.
pub(super) const FILE: &str = "training-log.csv";
/// The newest columns stand last, so that logs of before are read, too.
const HEADER: &str = "step,elapsed_s,loss,learning_rate,validation_loss,validation_accuracy,gradient_norm";
/// A column of a data set's own validation loss has this before the set's name.
const OF_SET: &str = "validation_loss:";

/// The points of the log in a folder; none where there is no log.
pub(in crate::train) fn read(out: &Path) -> Vec<TrainPoint> {
    let text = std::fs::read_to_string(out.join(FILE)).unwrap_or_default();
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let sets: Vec<&str> = header.split(',').filter_map(|name| name.strip_prefix(OF_SET)).collect();
    lines.filter_map(|line| parse(line, &sets)).collect()
}

/// The first line, for a run whose validation tells of these data sets.
pub(super) fn header(sets: &[String]) -> String {
    sets.iter().fold(HEADER.to_owned(), |header, set| header + "," + OF_SET + set)
}

/// A point's line under that header.
pub(super) fn line(point: &TrainPoint, sets: &[String]) -> String {
    let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    let begun = format!(
        "{},{:.3},{},{},{},{},{}",
        point.step,
        point.elapsed_s,
        point.loss,
        point.learning_rate,
        optional(point.validation_loss),
        optional(point.validation_accuracy),
        optional(point.gradient_norm)
    );
    let of_set = |set: &String| point.validation_sets.iter().find(|loss| loss.set == *set).map(|loss| loss.loss);
    sets.iter().fold(begun, |line, set| line + "," + &optional(of_set(set)))
}

fn parse(line: &str, sets: &[&str]) -> Option<TrainPoint> {
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
        validation_sets: sets
            .iter()
            .filter_map(|set| Some(SetLoss { set: (*set).to_owned(), loss: number()? }))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_one_of_before_too() {
        let point =
            TrainPoint { step: 3, elapsed_s: 1.5, loss: 0.1, gradient_norm: Some(2.5), ..TrainPoint::default() };
        assert_eq!(parse(&line(&point, &[]), &[]), Some(point.clone()));
        let validated = TrainPoint { validation_loss: Some(0.25), validation_accuracy: Some(0.5), ..point.clone() };
        assert_eq!(parse(&line(&validated, &[]), &[]), Some(validated.clone()));
        assert_eq!(parse("3,1.5,0.1,0,,", &[]), Some(TrainPoint { gradient_norm: None, ..point.clone() }));
        assert_eq!(parse("3,1.5,0.", &[]), None, "a line that was cut short");
        let sets = ["plays".to_owned(), "stories".to_owned()];
        let both = sets.iter().zip([0.5, 0.125]).map(|(set, loss)| SetLoss { set: set.clone(), loss }).collect();
        let told = TrainPoint { validation_sets: both, ..validated };
        let dir = tempfile::tempdir().unwrap();
        let text = [header(&sets), line(&point, &sets), line(&told, &sets)].join("\n");
        std::fs::write(dir.path().join(FILE), text).unwrap();
        assert_eq!(read(dir.path()), [point, told]);
    }
}
