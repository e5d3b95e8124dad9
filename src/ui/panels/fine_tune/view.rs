//! How curves are looked at, and what a run is called.

use crate::chart::{CurveFigure, Metric, RunCurve, TimeAxis, number, number_grouped};
use crate::types::{DigitNetwork, JobId, StartFrom, TrainPoint, TrainTask};
use crate::ui::widgets::seconds;
use crate::ui::{Phase, State, Training};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Choices above the plot. They survive a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct View {
    pub accuracy: bool,
    pub seconds: bool,
    pub log_x: bool,
    pub log_y: bool,
    /// Weight of the past in the moving average, `0..1`.
    pub smoothing: f64,
    /// Runs that are not drawn.
    #[serde(skip)]
    pub hidden: BTreeSet<JobId>,
}

impl Default for View {
    fn default() -> Self {
        Self { accuracy: false, seconds: false, log_x: false, log_y: false, smoothing: 0.9, hidden: BTreeSet::new() }
    }
}

/// A run with its name and hue.
pub(super) struct NamedRun<'a> {
    pub training: &'a Training,
    pub name: String,
    pub hue: usize,
}

/// All runs, oldest first.
pub(super) fn runs(state: &State) -> Vec<NamedRun<'_>> {
    state
        .trainings()
        .enumerate()
        .map(|(i, training)| NamedRun { training, name: format!("{} {}", what(state, training), i + 1), hue: i })
        .collect()
}

fn what(state: &State, training: &Training) -> String {
    match (&training.spec().task, &training.spec().start) {
        (TrainTask::Digits(task), StartFrom::Scratch | StartFrom::Folder { .. }) => match task.network {
            DigitNetwork::Mlp => "MLP".to_owned(),
            DigitNetwork::Cnn => "CNN".to_owned(),
        },
        _ => state.models.get(&training.model).map_or_else(|| "run".to_owned(), |m| m.info.name.clone()),
    }
}

impl View {
    /// The figure of the runs that are drawn: the same one on screen and in a file.
    pub fn figure<'a>(&self, runs: &'a [NamedRun<'a>]) -> CurveFigure<'a> {
        let shown: Vec<RunCurve<'a>> = runs
            .iter()
            .filter(|r| self.shows(r) && !r.training.points.is_empty())
            .map(|r| RunCurve { name: &r.name, hue: r.hue, points: &r.training.points })
            .collect();
        let names: Vec<&str> = shown.iter().map(|r| r.name).collect();
        let what = if self.accuracy { "validation accuracy" } else { "training and validation loss" };
        CurveFigure {
            title: format!("{}: {what}", names.join(", ")),
            runs: shown,
            metric: if self.accuracy { Metric::Accuracy } else { Metric::Loss },
            time: if self.seconds { TimeAxis::Seconds } else { TimeAxis::Steps },
            log_x: self.log_x,
            log_y: self.log_y && !self.accuracy,
            smoothing: self.smoothing,
        }
    }

    /// True when a run is drawn.
    pub fn shows(&self, run: &NamedRun<'_>) -> bool {
        !self.hidden.contains(&run.training.job)
    }
}

/// The lowest validation loss and its step.
pub(super) fn best(points: &[TrainPoint]) -> Option<(usize, f64)> {
    points
        .iter()
        .filter_map(|p| p.validation_loss.filter(|v| v.is_finite()).map(|v| (p.step, v)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The highest validation accuracy.
pub(super) fn best_accuracy(points: &[TrainPoint]) -> Option<f64> {
    points.iter().filter_map(|p| p.validation_accuracy).max_by(f64::total_cmp)
}

/// Where a run stands, in a word.
pub(super) fn standing(state: &State, training: &Training) -> &'static str {
    let stopped = training.summary.as_ref().is_some_and(|s| s.stopped_early);
    match state.job(training.job).map(|j| (&j.phase, j.stopping)) {
        Some((Phase::Running | Phase::Waiting, true)) => "stopping",
        Some((Phase::Waiting, _)) => "waiting",
        Some((Phase::Running, _)) if training.points.is_empty() => "preparing",
        Some((Phase::Running, _)) => "running",
        Some((Phase::Paused, _)) => "paused",
        Some((Phase::Failed(_), _)) => "failed",
        Some((Phase::Cancelled, _)) => "stopped",
        Some((Phase::Done, _)) | None if stopped => "stopped",
        Some((Phase::Done, _)) | None => "done",
    }
}

/// The curve in words, for those who cannot see it.
pub(super) fn summary(run: &NamedRun<'_>) -> String {
    let points = &run.training.points;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return format!("{}: nothing measured yet.", run.name);
    };
    // Single batches jump about: the end is the mean of the last twentieth. The start falls too fast for that.
    let span = (points.len() / 20).max(1);
    let tail = &points[points.len() - span..];
    let (start, end) = (first.loss, tail.iter().map(|p| p.loss).sum::<f64>() / span as f64);
    let verb = if end < start * 0.99 {
        "fell"
    } else if end > start * 1.01 {
        "rose"
    } else {
        "stayed"
    };
    let steps = last.step + 1 - first.step;
    let mut words = format!(
        "{}: training loss {verb} from {} to {} in {} steps ({}).",
        run.name,
        number(start),
        number(end),
        number_grouped(steps as u64),
        seconds(last.elapsed_s)
    );
    if let Some((step, loss)) = best(points) {
        words += &format!(" Lowest validation loss {} at step {}.", number(loss), number_grouped(step as u64));
    }
    if let Some(accuracy) = best_accuracy(points) {
        words += &format!(" Highest validation accuracy {:.2} %.", accuracy * 100.0);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Command, Event, Work};
    use crate::types::{DigitTask, ModelId, Precision, TrainSpec};
    use std::path::PathBuf;

    fn training(points: Vec<TrainPoint>) -> Training {
        let spec: TrainSpec = TrainSpec {
            task: TrainTask::Digits(DigitTask { data: PathBuf::new(), network: DigitNetwork::Mlp, augment: false }),
            start: StartFrom::Scratch,
            out: None,
            precision: Precision::F32,
            groups: Vec::new(),
            learning_rate: 1e-3,
            schedule: crate::types::LrSchedule::Constant,
            warmup_steps: 0,
            weight_decay: 0.0,
            clip_norm: 0.0,
            batch_size: 1,
            steps: 40,
            validation_share: 0.1,
            eval_every: 10,
            seed: 0,
        };
        let mut state = State::default();
        state.sent(&Command::start(JobId(5), ModelId(1), Work::Train(spec)));
        state.apply(Event::Trained { job: JobId(5), points });
        state.training(JobId(5)).unwrap().clone()
    }

    fn falling() -> Vec<TrainPoint> {
        (1..=40)
            .map(|step| TrainPoint {
                step,
                elapsed_s: step as f64,
                loss: 4.0 - step as f64 / 20.0,
                validation_loss: (step % 10 == 0).then_some(3.0 - step as f64 / 100.0),
                ..TrainPoint::default()
            })
            .collect()
    }

    #[test]
    fn the_summary_tells_what_the_curve_shows() {
        let training = training(falling());
        let run = NamedRun { training: &training, name: "MLP 1".to_owned(), hue: 0 };
        assert_eq!(
            summary(&run),
            "MLP 1: training loss fell from 3.95 to 2.02 in 40 steps (40 s). Lowest validation loss 2.6 at step 40."
        );
    }

    #[test]
    fn hidden_runs_and_runs_without_points_are_not_drawn() {
        let (full, empty) = (training(falling()), training(Vec::new()));
        let runs = vec![
            NamedRun { training: &full, name: "a".to_owned(), hue: 0 },
            NamedRun { training: &empty, name: "b".to_owned(), hue: 1 },
        ];
        let mut view = View::default();
        assert_eq!(view.figure(&runs).runs.len(), 1);
        view.hidden.insert(JobId(5));
        assert!(view.figure(&runs).runs.is_empty());
    }
}
