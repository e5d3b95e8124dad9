//! `trainer_state.json`, as transformers' Trainer writes it beside a checkpoint: what a run has logged, and how far it is.

use crate::load::curves::points::Points;
use crate::load::json;
use crate::types::{ImportedCurve, SetLoss, TrainPoint};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The file's name.
pub(crate) const FILE: &str = "trainer_state.json";
/// Rows of training that a file has at most: of longer runs a row is the mean of several steps.
const ROWS: usize = 1000;

/// What a run says of itself in the file.
#[derive(Clone, Debug)]
pub(crate) struct TrainerState {
    /// Steps that are planned.
    pub max_steps: usize,
    /// Steps between validations, and between checkpoints.
    pub eval_steps: usize,
    /// Sequences or images a batch.
    pub batch_size: usize,
    /// Steps of one pass over the data, where it has an end.
    pub steps_per_epoch: Option<f64>,
    /// Tokens a step; none of a network that reads none.
    pub tokens_per_step: Option<u64>,
    /// Multiplications and additions a step.
    pub operations_per_step: f64,
    rows: Vec<Value>,
    /// The sum of losses since the last row, of how many steps, and the last of them.
    open: (f64, usize),
}

impl TrainerState {
    /// Of a run with nothing logged.
    pub(crate) fn new(max_steps: usize, eval_steps: usize, batch_size: usize) -> Self {
        Self {
            max_steps,
            eval_steps,
            batch_size,
            steps_per_epoch: None,
            tokens_per_step: None,
            operations_per_step: 0.0,
            rows: Vec::new(),
            open: (0.0, 0),
        }
    }

    /// Steps between two rows.
    fn logging_steps(&self) -> usize {
        self.max_steps.div_ceil(ROWS).max(1)
    }

    fn epoch(&self, step: usize) -> f64 {
        // Data without an end is gone through once.
        step as f64 / self.steps_per_epoch.unwrap_or(self.max_steps as f64)
    }

    /// Takes a point up.
    pub(crate) fn add(&mut self, point: &TrainPoint) {
        let (epoch, step) = (self.epoch(point.step), point.step);
        // What is no number has no place in JSON.
        if point.loss.is_finite() {
            self.open = (self.open.0 + point.loss, self.open.1 + 1);
        }
        if self.open.1 > 0 && (step.is_multiple_of(self.logging_steps()) || step == self.max_steps) {
            let (sum, count) = std::mem::take(&mut self.open);
            let mut row = json!({
                "epoch": epoch, "learning_rate": point.learning_rate, "loss": sum / count as f64, "step": step,
            });
            if let Some(norm) = point.gradient_norm {
                row["grad_norm"] = norm.into();
            }
            self.rows.push(row);
        }
        if let Some(loss) = point.validation_loss {
            let mut row = json!({ "epoch": epoch, "eval_loss": loss, "step": step });
            if let Some(accuracy) = point.validation_accuracy {
                row["eval_accuracy"] = accuracy.into();
            }
            self.rows.push(row);
            // Trainer writes a row for each data set of several.
            for SetLoss { set, loss } in &point.validation_sets {
                self.rows.push(json!({ "epoch": epoch, format!("eval_{set}_loss"): loss, "step": step }));
            }
        }
    }

    /// The file at a step: `best` is the step and the loss of the best validation.
    pub(crate) fn to_json(&self, step: usize, best: Option<(usize, f64)>) -> String {
        let value = json!({
            "best_global_step": best.map(|best| best.0),
            "best_metric": best.map(|best| best.1),
            "best_model_checkpoint": null,
            "epoch": self.epoch(step),
            "eval_steps": self.eval_steps,
            "global_step": step,
            "is_hyper_param_search": false,
            "is_local_process_zero": true,
            "is_world_process_zero": true,
            "log_history": self.rows,
            "logging_steps": self.logging_steps(),
            "max_steps": self.max_steps,
            "num_input_tokens_seen": self.tokens_per_step.unwrap_or(0) * step as u64,
            "num_train_epochs": (self.epoch(self.max_steps).ceil() as u64).max(1),
            "save_steps": self.eval_steps,
            "stateful_callbacks": {},
            "total_flos": self.operations_per_step * step as f64,
            "train_batch_size": self.batch_size,
            "trial_name": null,
            "trial_params": null,
        });
        format!("{value:#}\n")
    }
}

/// Reads a file; nothing where it is another one.
pub(super) fn read(path: &Path, text: &[u8]) -> Result<ImportedCurve, String> {
    let value: Value = json::parse(text).map_err(|error| error.to_string())?;
    let Some(rows) = value.get("log_history").and_then(Value::as_array) else {
        return Err("it has no list log_history, in which a run's losses stand".to_owned());
    };
    let mut points = Points::default();
    for (place, row) in rows.iter().enumerate() {
        let row = row.as_object().ok_or_else(|| format!("row {} of log_history is no object", place + 1))?;
        let step = row.get("step").and_then(Value::as_u64);
        let step = step.ok_or_else(|| format!("row {} of log_history has no step", place + 1))?;
        take(row, step as usize, &mut points);
    }
    let whole = |field: &str| value.get(field).and_then(Value::as_u64);
    Ok(ImportedCurve {
        path: path.to_owned(),
        format: FILE,
        tokens: whole("num_input_tokens_seen").filter(|tokens| *tokens > 0),
        planned: whole("max_steps").map(|steps| steps as usize).filter(|steps| *steps > 0),
        left_out: points.left_out(),
        broken: points.broken(),
        points: points.finish(),
    })
}

/// One row. What Trainer says of times and rates is of a whole run or validation, and no curve.
fn take(row: &Map<String, Value>, step: usize, points: &mut Points) {
    for (name, value) in row {
        let number = match value.as_f64() {
            Some(number) => number,
            None if json::is_not_finite(value) => f64::NAN,
            None => continue,
        };
        let is_of_whole = name.ends_with("_runtime") || name.ends_with("_per_second") || name.starts_with("train_");
        if !is_of_whole && !matches!(name.as_str(), "step" | "epoch" | "total_flos") {
            points.add(step, None, name, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(step: usize) -> TrainPoint {
        TrainPoint {
            step,
            elapsed_s: step as f64,
            loss: 4.0 / step as f64,
            learning_rate: 1e-3,
            validation_loss: step.is_multiple_of(4).then_some(2.0),
            validation_accuracy: step.is_multiple_of(4).then_some(0.75),
            gradient_norm: Some(0.5),
            validation_sets: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut state = TrainerState::new(8, 4, 2);
        (state.tokens_per_step, state.steps_per_epoch) = (Some(128), Some(4.0));
        (1..=8).for_each(|step| state.add(&point(step)));
        let text = state.to_json(8, Some((4, 2.0)));
        let curve = read(Path::new("x"), text.as_bytes()).unwrap();
        assert_eq!((curve.tokens, curve.planned, curve.points.len()), (Some(1024), Some(8), 8));
        for (read, step) in curve.points.iter().zip(1..) {
            // Nobody wrote the time down.
            assert!(read.elapsed_s.is_nan());
            assert_eq!(TrainPoint { elapsed_s: step as f64, ..read.clone() }, point(step));
        }
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["epoch"], &value["best_global_step"], &value["num_train_epochs"]),
            (&json!(2.0), &json!(4), &json!(2))
        );
    }

    #[test]
    fn a_row_of_a_long_run_is_the_mean_of_its_steps() {
        let mut state = TrainerState::new(3000, 1000, 2);
        (1..=6).for_each(|step| state.add(&point(step)));
        let curve = read(Path::new("x"), state.to_json(6, None).as_bytes()).unwrap();
        let told: Vec<(usize, f64)> = curve.points.iter().map(|p| (p.step, p.loss)).collect();
        assert!((told[0].1 - (4.0 + 2.0 + 4.0 / 3.0) / 3.0).abs() < 1e-12, "{told:?}");
        // At step 4 there is a validation, and no row of training.
        assert!(told[1].0 == 4 && told[1].1.is_nan() && told[2].0 == 6, "{told:?}");
    }

    #[test]
    fn rows_of_others_are_read_with_what_is_no_number_and_what_has_no_curve() {
        let text = br#"{"log_history": [
            {"loss": 2.5, "grad_norm": NaN, "learning_rate": 5e-05, "epoch": 0.1, "step": 10},
            {"eval_loss": 2.25, "eval_runtime": 3.5, "eval_f1": 0.5, "eval_samples_per_second": 9, "epoch": 0.1, "step": 10},
            {"loss": NaN, "learning_rate": 4e-05, "epoch": 0.2, "step": 20},
            {"train_runtime": 9.0, "train_loss": 2.0, "total_flos": 1e9, "step": 20}]}"#;
        let curve = read(Path::new("x"), text).unwrap();
        assert_eq!(curve.points.len(), 2);
        assert_eq!((curve.points[0].loss, curve.points[0].validation_loss), (2.5, Some(2.25)));
        assert!(curve.points[1].loss.is_nan() && curve.points[0].gradient_norm.is_some_and(f64::is_nan));
        assert_eq!((curve.left_out, curve.broken), (vec!["eval_f1".to_owned()], Some(20)));
        assert!(read(Path::new("x"), b"{}").unwrap_err().contains("log_history"));
        assert!(read(Path::new("x"), br#"{"log_history": [{"loss": 1}]}"#).unwrap_err().contains("row 1"));
    }
}
