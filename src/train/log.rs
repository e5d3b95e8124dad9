//! The learning curve as a CSV file beside the model.

use super::checkpoint::cannot_write;
use crate::disk::{self, Appending};
use crate::types::{TrainPoint, UserError};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// The file's name in the output folder.
const FILE: &str = "training-log.csv";
const HEADER: &str = "step,elapsed_s,loss,learning_rate,validation_loss,validation_accuracy";

/// Writes points as they come.
pub(super) struct TrainingLog {
    folder: PathBuf,
    file: Appending,
    /// Those that are not in the file yet.
    waiting: VecDeque<String>,
}

/// The points of the log in a folder; none where there is no log.
pub(super) fn read(out: &Path) -> Vec<TrainPoint> {
    let text = std::fs::read_to_string(out.join(FILE)).unwrap_or_default();
    text.lines().skip(1).filter_map(parse).collect()
}

impl TrainingLog {
    /// Begins the log in `out`, keeping the points up to `step` of a run that is resumed; they are returned.
    pub(super) fn begin(out: &Path, step: usize) -> Result<(Self, Vec<TrainPoint>), UserError> {
        let path = out.join(FILE);
        let mut kept = if step > 0 { read(out) } else { Vec::new() };
        kept.retain(|point| point.step <= step);
        let lines: String = kept.iter().map(|point| line(point) + "\n").collect();
        let written = disk::write(&path, format!("{HEADER}\n{lines}").as_bytes());
        let file = written.and_then(|()| Appending::open(&path)).map_err(|error| cannot_write(out, &error))?;
        Ok((Self { folder: out.to_owned(), file, waiting: VecDeque::new() }, kept))
    }

    /// Adds one point; it waits for [`Self::flush`].
    pub(super) fn add(&mut self, point: &TrainPoint) {
        self.waiting.push_back(line(point));
    }

    /// Makes sure everything is on disk. What could not be written waits for the next time.
    pub(super) fn flush(&mut self) -> Result<(), UserError> {
        let failed = |error| cannot_write(&self.folder, &error);
        while let Some(line) = self.waiting.front() {
            self.file.line(line).map_err(failed)?;
            self.waiting.pop_front();
        }
        self.file.sync().map_err(failed)
    }
}

fn line(point: &TrainPoint) -> String {
    let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    format!(
        "{},{:.3},{},{},{},{}",
        point.step,
        point.elapsed_s,
        point.loss,
        point.learning_rate,
        optional(point.validation_loss),
        optional(point.validation_accuracy)
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_log_keeps_what_was_before_the_checkpoint() {
        let dir = tempfile::tempdir().unwrap();
        let point = |step| TrainPoint {
            step,
            elapsed_s: step as f64,
            loss: 1.0 / step as f64,
            learning_rate: 0.1,
            validation_loss: (step == 2).then_some(0.5),
            validation_accuracy: None,
        };
        let (mut log, kept) = TrainingLog::begin(dir.path(), 0).unwrap();
        assert_eq!(kept, []);
        for step in 1..=3 {
            log.add(&point(step));
        }
        log.flush().unwrap();
        let (_, kept) = TrainingLog::begin(dir.path(), 2).unwrap();
        assert_eq!(kept, [point(1), point(2)]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(TrainingLog::begin(&file, 0).is_err());
    }
}
