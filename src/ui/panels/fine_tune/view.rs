//! How curves are looked at, and what a run is called.

use super::kept::Listed;
use super::runs::Order;
use crate::chart::{CurveFigure, Metric, RunCurve, RunMarks, StepSize, TimeAxis, number, number_grouped};
use crate::types::{
    DigitNetwork, ImportedCurve, JobId, KeptRun, LossKind, RunRecord, RunSample, RunSnapshot, RunState, StartFrom,
    TrainPoint, TrainSpec, TrainTask, best_validation, broken_step,
};
use crate::ui::widgets::seconds;
use crate::ui::{Phase, State, Training};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Choices above the plot. They survive a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct View {
    pub accuracy: bool,
    /// How sessions of before say that the axis is seconds; written so for programs of before.
    seconds: bool,
    pub time: Time,
    /// Learning rate and gradient norm are drawn below.
    pub below: bool,
    pub log_x: bool,
    pub log_y: bool,
    /// Weight of the past in the moving average, `0..1`.
    pub smoothing: f64,
    /// Runs of this session that are not drawn.
    #[serde(skip)]
    pub hidden: BTreeSet<RunKey>,
    /// Older runs that are drawn.
    #[serde(skip)]
    pub shown: BTreeSet<RunKey>,
    /// The order of the table; the newest first without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// The horizontal axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Time {
    #[default]
    Steps,
    Examples,
    Seconds,
    Operations,
}

impl Time {
    fn axis(self) -> TimeAxis {
        match self {
            Self::Steps => TimeAxis::Steps,
            Self::Examples => TimeAxis::Examples,
            Self::Seconds => TimeAxis::Seconds,
            Self::Operations => TimeAxis::Operations,
        }
    }
}

impl Default for View {
    fn default() -> Self {
        Self {
            accuracy: false,
            seconds: false,
            time: Time::Steps,
            below: false,
            log_x: false,
            log_y: false,
            smoothing: 0.9,
            hidden: BTreeSet::new(),
            shown: BTreeSet::new(),
            order: None,
        }
    }
}

/// What a run is known by, also after a restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum RunKey {
    /// One that is not kept.
    Job(JobId),
    /// One that has a folder.
    Folder(PathBuf),
    /// One of another program, by its file.
    File(PathBuf),
}

/// A run with its name and hue.
pub(super) struct NamedRun<'a> {
    pub key: RunKey,
    pub name: String,
    pub hue: usize,
    /// Its settings; none where another program wrote it.
    pub spec: Option<&'a TrainSpec>,
    pub points: &'a [TrainPoint],
    /// What it wrote.
    pub samples: &'a [RunSample],
    /// What was noted at the steps that were chosen.
    pub snapshots: &'a [RunSnapshot],
    /// What the engine told of it, once it had begun.
    pub record: Option<&'a RunRecord>,
    /// It in this session.
    pub training: Option<&'a Training>,
    /// It on the disk.
    pub kept: Option<&'a KeptRun>,
    /// What another program wrote.
    pub imported: Option<&'a ImportedCurve>,
}

impl NamedRun<'_> {
    /// What its losses are losses of; another program does not say.
    pub fn kind(&self) -> Option<LossKind> {
        Some(match (self.record, &self.spec?.task) {
            (Some(record), _) => record.loss_kind(),
            (None, TrainTask::Digits(_)) => LossKind::Digits,
            (None, TrainTask::Classify(task)) => LossKind::Classes(task.data.clone()),
            (None, TrainTask::Text(_) | TrainTask::FewShot(_) | TrainTask::Memory(_)) => {
                LossKind::Tokens(String::new())
            }
            (None, TrainTask::Masked(_)) => LossKind::Blanks(String::new()),
            (None, TrainTask::Contrastive(_)) => LossKind::Pairs(self.spec?.batch_size),
        })
    }

    /// Whether it may stand on one axis with losses of a kind.
    pub fn is_of(&self, kind: Option<&LossKind>) -> bool {
        match (self.kind(), kind) {
            (Some(own), Some(kind)) => own == *kind,
            _ => true,
        }
    }

    /// How much of data and work a step is.
    pub fn step_size(&self) -> StepSize {
        let examples = match (self.imported, self.spec) {
            (Some(imported), _) => imported.tokens_per_step(),
            (None, spec) => spec.map(|spec| spec.examples_per_step() as f64),
        };
        StepSize { examples, operations: self.record.and_then(RunRecord::operations_per_step) }
    }

    /// What is marked on its curve.
    pub fn marks(&self) -> RunMarks {
        let kept = || self.kept?.record.summary.as_ref();
        let summary = self.training.and_then(|training| training.summary.as_ref()).or_else(kept);
        RunMarks {
            best: self.best().map(|best| best.0),
            settled: summary.and_then(|summary| summary.settled.map(|_| summary.steps)),
            // A run of ours ends with such a step.
            broken: match self.imported {
                Some(imported) => imported.broken,
                None => self.points.last().and_then(|last| broken_step(std::slice::from_ref(last))),
            },
        }
    }

    /// What it began with.
    pub fn model(&self) -> String {
        match self.record.and_then(|record| record.start.as_ref()) {
            Some(start) => start.name.clone(),
            None if self.spec.is_some_and(|spec| spec.start == StartFrom::Scratch) => "random weights".to_owned(),
            None => "–".to_owned(),
        }
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        let told = self.kept.map_or(0, |kept| {
            let summary = kept.record.summary.as_ref().map(|summary| summary.steps);
            summary.or(kept.checkpoint).unwrap_or(0)
        });
        self.points.last().map_or(told, |point| point.step)
    }

    /// The lowest validation loss and its step.
    pub fn best(&self) -> Option<(usize, f64)> {
        best_validation(self.points).or_else(|| self.kept?.record.summary.as_ref()?.best)
    }

    /// Seconds of training.
    pub fn seconds(&self) -> Option<f64> {
        let told = || Some(self.kept?.record.summary.as_ref()?.elapsed_s);
        self.points.last().map(|point| point.elapsed_s).or_else(told).filter(|seconds| seconds.is_finite())
    }

    /// True for one that is over, has not done all its steps, and can be taken up again.
    pub fn can_go_on(&self, state: &State) -> bool {
        let is_active = self.training.is_some_and(|training| state.is_active(training.job));
        !is_active && self.kept.is_some_and(KeptRun::can_go_on)
    }
}

/// All runs, oldest first: those on the disk, and those of this session. One that was taken up again is one run; one that was deleted is
/// none.
pub(super) fn runs<'a>(state: &'a State, kept: &'a Listed) -> Vec<NamedRun<'a>> {
    let mut found: Vec<NamedRun<'a>> = Vec::new();
    for run in kept.runs.iter().rev().filter(|run| !kept.is_deleted(&run.folder)) {
        found.push(NamedRun {
            key: RunKey::Folder(run.folder.clone()),
            name: what(state, &run.record.spec, Some(&run.record), None),
            hue: 0,
            spec: Some(&run.record.spec),
            points: kept.curve(&run.folder),
            samples: kept.samples(&run.folder),
            snapshots: kept.snapshots(&run.folder),
            record: Some(&run.record),
            training: None,
            kept: Some(run),
            imported: None,
        });
    }
    for training in state.trainings() {
        let spec = training.spec();
        if spec.out.as_ref().is_some_and(|folder| kept.is_deleted(folder)) {
            continue;
        }
        let key = spec.out.clone().map_or(RunKey::Job(training.job), RunKey::Folder);
        let record = training.record.as_deref();
        let name = what(state, spec, record, Some(training));
        match found.iter_mut().find(|run| run.key == key) {
            Some(run) => {
                // What the latest job shows of it; one that has only begun shows what was there before.
                if !training.points.is_empty() || run.training.is_none() && !state.is_active(training.job) {
                    (run.points, run.samples) = (&training.points, &training.samples);
                }
                if !training.snapshots.is_empty() {
                    run.snapshots = &training.snapshots;
                }
                (run.training, run.record) = (Some(training), record.or(run.record));
            }
            None => found.push(NamedRun {
                key,
                name,
                hue: 0,
                spec: Some(spec),
                points: &training.points,
                samples: &training.samples,
                snapshots: &training.snapshots,
                record,
                training: Some(training),
                kept: None,
                imported: None,
            }),
        }
    }
    for curve in kept.imported.values() {
        let name = curve.path.file_name().unwrap_or(curve.path.as_os_str()).to_string_lossy();
        // The folder says more than the name that all of them have.
        let folder = curve.path.parent().and_then(|parent| parent.file_name()).filter(|_| !curve.path.is_dir());
        let name = folder.map_or(name.clone(), |folder| folder.to_string_lossy());
        found.push(NamedRun {
            key: RunKey::File(curve.path.clone()),
            name: name.into_owned(),
            hue: 0,
            spec: None,
            points: &curve.points,
            samples: &[],
            snapshots: &[],
            record: None,
            training: None,
            kept: None,
            imported: Some(curve),
        });
    }
    for (place, run) in found.iter_mut().enumerate() {
        (run.hue, run.name) = (place, format!("{} {}", run.name, place + 1));
    }
    found
}

fn what(state: &State, spec: &TrainSpec, record: Option<&RunRecord>, training: Option<&Training>) -> String {
    let open = || training.and_then(|training| Some(state.models.get(&training.model)?.info.name.clone()));
    match (&spec.task, &spec.start) {
        (TrainTask::Digits(task), StartFrom::Scratch | StartFrom::Folder { .. }) => match task.network {
            DigitNetwork::Mlp => "MLP".to_owned(),
            DigitNetwork::Cnn => "CNN".to_owned(),
        },
        _ => match record.and_then(|record| record.start.as_ref()) {
            Some(start) => start.name.clone(),
            None => open().unwrap_or_else(|| "run".to_owned()),
        },
    }
}

impl View {
    /// As it is written into a session.
    pub fn saved(&self) -> Self {
        Self { seconds: self.time == Time::Seconds, ..self.clone() }
    }

    /// As it was in a session, perhaps one of before.
    pub fn restored(self) -> Self {
        let time = if self.seconds { Time::Seconds } else { self.time };
        Self { time, smoothing: self.smoothing.clamp(0.0, 0.999), ..self }
    }

    /// The figure of the runs that are drawn, which are of one kind: the same one on screen and in a file.
    pub fn figure<'a>(&self, runs: &'a [NamedRun<'a>], kind: Option<&LossKind>) -> CurveFigure<'a> {
        let shown: Vec<RunCurve<'a>> = runs
            .iter()
            .filter(|r| self.shows(r) && r.is_of(kind) && !r.points.is_empty())
            .map(|r| RunCurve { name: &r.name, hue: r.hue, points: r.points, step: r.step_size(), marks: r.marks() })
            .collect();
        let names: Vec<&str> = shown.iter().map(|r| r.name).collect();
        let what = if self.accuracy { "validation accuracy" } else { "training and validation loss" };
        CurveFigure {
            title: format!("{}: {what}", names.join(", ")),
            runs: shown,
            metric: if self.accuracy { Metric::Accuracy } else { Metric::Loss },
            time: self.time.axis(),
            log_x: self.log_x,
            log_y: self.log_y && !self.accuracy,
            smoothing: self.smoothing,
            below: if self.below { vec![Metric::LearningRate, Metric::GradientNorm] } else { Vec::new() },
            levels: Vec::new(),
        }
    }

    /// True when a run is drawn among those of its kind.
    pub fn shows(&self, run: &NamedRun<'_>) -> bool {
        let at_once = run.training.is_some() || run.imported.is_some();
        if at_once { !self.hidden.contains(&run.key) } else { self.shown.contains(&run.key) }
    }

    /// Draws a run, or leaves it out.
    pub fn set_shown(&mut self, run: &NamedRun<'_>, is_shown: bool) {
        if is_shown {
            self.hidden.remove(&run.key);
            self.shown.insert(run.key.clone());
        } else {
            self.shown.remove(&run.key);
            self.hidden.insert(run.key.clone());
        }
    }
}

/// The highest validation accuracy.
pub(super) fn best_accuracy(points: &[TrainPoint]) -> Option<f64> {
    points.iter().filter_map(|p| p.validation_accuracy).max_by(f64::total_cmp)
}

/// Where a run stands, in a word.
pub(super) fn standing(state: &State, run: &NamedRun<'_>) -> &'static str {
    let kept = || match run.kept.map(|kept| (kept.record.state, kept.is_held)) {
        Some((RunState::Running, true)) => "runs elsewhere",
        Some((RunState::Running, false)) => "interrupted",
        Some((RunState::Stopped, _)) => "stopped",
        Some((RunState::Diverged, _)) => "failed",
        Some((RunState::Done, _)) | None if run.marks().settled.is_some() => "ended early",
        Some((RunState::Done, _)) | None => "done",
    };
    if run.imported.is_some() {
        return "imported";
    }
    let Some(training) = run.training else { return kept() };
    let stopped = training.summary.as_ref().is_some_and(|s| s.stopped_early);
    let job = state.job(training.job);
    if job.is_some_and(|job| job.trouble.is_some()) {
        return "held";
    }
    match job.map(|j| (&j.phase, j.stopping)) {
        Some((Phase::Running | Phase::Waiting, true)) => "stopping",
        Some((Phase::Waiting, _)) => "waiting",
        Some((Phase::Running, _)) if training.points.is_empty() => "preparing",
        Some((Phase::Running, _)) => "running",
        Some((Phase::Paused, _)) => "paused",
        Some((Phase::Failed(_), _)) => "failed",
        Some((Phase::Cancelled, _)) => "stopped",
        Some((Phase::Done, _)) | None if stopped => "stopped",
        Some((Phase::Done, _)) | None if run.marks().settled.is_some() => "ended early",
        Some((Phase::Done, _)) | None => "done",
    }
}

/// The curve in words, for those who cannot see it.
pub(super) fn summary(run: &NamedRun<'_>) -> String {
    let points = run.points;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return format!("{}: nothing measured yet.", run.name);
    };
    // Single batches jump about: the end is the mean of the last twentieth. The start falls too fast for that.
    let measured: Vec<f64> = points.iter().map(|p| p.loss).filter(|loss| loss.is_finite()).collect();
    let span = (measured.len() / 20).max(1);
    let tail = &measured[measured.len().saturating_sub(span)..];
    let start = measured.first().copied().unwrap_or(f64::NAN);
    let end = tail.iter().sum::<f64>() / tail.len() as f64;
    let verb = if end < start * 0.99 {
        "fell"
    } else if end > start * 1.01 {
        "rose"
    } else {
        "stayed"
    };
    let steps = last.step + 1 - first.step;
    let took = run.seconds().map(|length| format!(" ({})", seconds(length))).unwrap_or_default();
    let steps = format!("{} step{}", number_grouped(steps as u64), if steps == 1 { "" } else { "s" });
    let told = match measured.len() {
        0 => format!("no training loss was measured in {steps}"),
        1 => format!("training loss {} in {steps}", number(start)),
        _ => format!("training loss {verb} from {} to {} in {steps}", number(start), number(end)),
    };
    let mut words = format!("{}: {told}{took}.", run.name);
    if let Some((step, loss)) = best_validation(points) {
        words += &format!(" Lowest validation loss {} at step {}.", number(loss), number_grouped(step as u64));
    }
    if let Some(told) = points.iter().rev().find(|point| !point.validation_sets.is_empty()) {
        let sets = told.validation_sets.iter().map(|of_set| format!("{} {}", of_set.set, number(of_set.loss)));
        let sets: Vec<String> = sets.collect();
        words += &format!(" Validation by data set at step {}: {}.", number_grouped(told.step as u64), sets.join(", "));
    }
    if let Some(accuracy) = best_accuracy(points) {
        words += &format!(" Highest validation accuracy {:.2} %.", accuracy * 100.0);
    }
    if let Some(rule) = early_stop(run) {
        words += &format!(" {rule}");
    }
    if let Some(step) = run.marks().broken {
        words += &format!(" At step {} the loss was no number.", number_grouped(step as u64));
    }
    words
}

/// Why a run ended before its steps were done, where nobody stopped it.
pub(super) fn early_stop(run: &NamedRun<'_>) -> Option<String> {
    let step = run.marks().settled?;
    let (best, loss) = run.best()?;
    Some(format!(
        "Ended early at step {}: no validation since step {} was below its {}.",
        number_grouped(step as u64),
        number_grouped(best as u64),
        number(loss)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Command, Event, Work};
    use crate::types::{DigitTask, ModelId, Precision, TrainSpec};
    use std::path::PathBuf;

    fn training(points: Vec<TrainPoint>) -> Training {
        let spec: TrainSpec = TrainSpec {
            task: TrainTask::Digits(DigitTask {
                data: PathBuf::new(),
                network: DigitNetwork::Mlp,
                layers: None,
                augment: false,
            }),
            start: StartFrom::Scratch,
            out: None,
            precision: Precision::F32,
            lora: None,
            groups: Vec::new(),
            learning_rate: 1e-3,
            schedule: crate::types::LrSchedule::Constant,
            warmup_steps: 0,
            weight_decay: 0.0,
            clip_norm: 0.0,
            batch_size: 1,
            accumulate: 1,
            steps: 40,
            validation_share: 0.1,
            learn_from: 1.0,
            eval_every: 10,
            patience: 0,
            seed: 0,
            sample_prompts: Vec::new(),
            snapshots: None,
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

    fn named<'a>(training: &'a Training, name: &str, hue: usize) -> NamedRun<'a> {
        NamedRun {
            key: RunKey::Job(training.job),
            name: name.to_owned(),
            hue,
            spec: Some(training.spec()),
            points: &training.points,
            samples: &training.samples,
            snapshots: &training.snapshots,
            record: None,
            training: Some(training),
            kept: None,
            imported: None,
        }
    }

    #[test]
    fn the_summary_tells_what_the_curve_shows() {
        let training = training(falling());
        assert_eq!(
            summary(&named(&training, "MLP 1", 0)),
            "MLP 1: training loss fell from 3.95 to 2.02 in 40 steps (40 s). Lowest validation loss 2.6 at step 40."
        );
        let told = |points: &[TrainPoint]| {
            let training = self::training(points.to_vec());
            summary(&named(&training, "MLP 1", 0))
        };
        assert_eq!(
            told(&falling()[..1]),
            "MLP 1: training loss 3.95 in 1 step (1 s).",
            "no change is told of one point"
        );
        let lost = TrainPoint { loss: f64::NAN, ..falling()[0].clone() };
        assert!(told(&[lost]).starts_with("MLP 1: no training loss was measured in 1 step (1 s)."));
    }

    #[test]
    fn hidden_runs_runs_without_points_and_runs_of_another_kind_are_not_drawn() {
        let (full, empty) = (training(falling()), training(Vec::new()));
        let runs = vec![named(&full, "a", 0), named(&empty, "b", 1)];
        let mut view = View::default();
        assert_eq!(view.figure(&runs, Some(&LossKind::Digits)).runs.len(), 1);
        assert!(view.figure(&runs, Some(&LossKind::Tokens(String::new()))).runs.is_empty());
        view.set_shown(&runs[0], false);
        assert!(view.figure(&runs, Some(&LossKind::Digits)).runs.is_empty());
    }
}
