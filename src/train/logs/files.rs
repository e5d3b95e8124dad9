//! The files of a run that grow, and the one that is written anew with every checkpoint.

use super::table;
use crate::disk::{self, Appending};
use crate::load::curves::event_file;
use crate::load::curves::trainer_state::{self, TrainerState};
use crate::train::checkpoint::cannot_write;
use crate::types::{RunSample, SetLoss, TrainPoint, TrainSpec, UserError};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a text model wrote, a line each time.
const SAMPLES: &str = "samples.jsonl";
/// Event files of TensorBoard have this in their names, with the time they were begun behind it.
const EVENTS: &str = "events.out.tfevents.";
/// The last part of the name: which program wrote it.
const OURS: &str = ".fovea";

/// How much of data and work a step is.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::train) struct RunScale {
    /// Steps of one pass over the data, where it has an end.
    pub steps_per_epoch: Option<f64>,
    /// Tokens a step, where there are tokens.
    pub tokens_per_step: Option<u64>,
    /// Additions and multiplications a step.
    pub operations_per_step: f64,
}

/// The files of one run.
pub(in crate::train) struct RunLogs {
    folder: PathBuf,
    table: Growing,
    events: Growing,
    samples: Growing,
    /// Data sets whose validation is told by itself.
    sets: Vec<String>,
    /// When the run was begun, in seconds since 1970.
    begun_s: f64,
    state: TrainerState,
}

impl RunLogs {
    /// Begins the files in the run's folder, keeping points up to one step and samples up to another of a run that is resumed; its points
    /// are returned. `sets` are the data sets whose validation is told by itself.
    pub(in crate::train) fn begin(
        out: &Path,
        spec: &TrainSpec,
        scale: RunScale,
        [step, sampled]: [usize; 2],
        sets: Vec<String>,
    ) -> Result<(Self, Vec<TrainPoint>), UserError> {
        let failed = |error: std::io::Error| cannot_write(out, &error);
        let mut kept = if step > 0 { table::read(out) } else { Vec::new() };
        kept.retain(|point| point.step <= step);
        let lines: String = kept.iter().map(|point| table::line(point, &sets) + "\n").collect();
        let table = Growing::begin(&out.join(table::FILE), format!("{}\n{lines}", table::header(&sets)).as_bytes());

        let (path, begun_s) = events_file(out);
        let mut events = event_file::first_record(begun_s);
        kept.iter().for_each(|point| events.extend(event_record(begun_s, point)));
        let events = if path.exists() { Growing::begin(&path, &events) } else { Growing::begin_new(&path, events) };

        let samples = if sampled > 0 { read_samples(out) } else { Vec::new() };
        let lines: String = samples.iter().filter(|sample| sample.step <= sampled).map(sample_line).collect();
        let samples = Growing::begin(&out.join(SAMPLES), lines.as_bytes());

        let mut state = TrainerState::new(spec.steps, spec.eval_every, spec.batch_size);
        let RunScale { steps_per_epoch, tokens_per_step, operations_per_step } = scale;
        (state.steps_per_epoch, state.tokens_per_step, state.operations_per_step) =
            (steps_per_epoch, tokens_per_step, operations_per_step);
        kept.iter().for_each(|point| state.add(point));
        let (table, events, samples) = (table.map_err(failed)?, events.map_err(failed)?, samples.map_err(failed)?);
        Ok((Self { folder: out.to_owned(), table, events, samples, sets, begun_s, state }, kept))
    }

    /// Adds a point. What cannot be written waits for [`Self::flush`], which tells.
    pub(in crate::train) fn add(&mut self, point: &TrainPoint) {
        self.table.add((table::line(point, &self.sets) + "\n").into_bytes());
        self.events.add(event_record(self.begun_s, point));
        self.state.add(point);
    }

    /// Adds what the model wrote after a prompt.
    pub(in crate::train) fn sample(&mut self, sample: &RunSample) {
        self.samples.add(sample_line(sample).into_bytes());
    }

    /// Makes sure that everything is on disk.
    pub(in crate::train) fn flush(&mut self) -> Result<(), UserError> {
        let flushed = [&mut self.table, &mut self.events, &mut self.samples].into_iter().try_for_each(Growing::sync);
        flushed.map_err(|error| cannot_write(&self.folder, &error))
    }

    /// The same, and writes how far the run is; `best` is the step and the loss of the best validation.
    pub(in crate::train) fn write_state(&mut self, step: usize, best: Option<(usize, f64)>) -> Result<(), UserError> {
        self.flush()?;
        let text = self.state.to_json(step, best);
        disk::write(&self.folder.join(trainer_state::FILE), text.as_bytes())
            .map_err(|error| cannot_write(&self.folder, &error))
    }
}

/// A file that is added to.
pub(in crate::train) struct Growing {
    file: Appending,
    /// What is not in the file yet.
    waiting: VecDeque<Vec<u8>>,
}

impl Growing {
    /// Begins it with what it has so far.
    pub(in crate::train) fn begin(path: &Path, content: &[u8]) -> std::io::Result<Self> {
        disk::write(path, content)?;
        Ok(Self { file: Appending::open(path)?, waiting: VecDeque::new() })
    }

    /// The same for a file whose name is new each time: it is filled where it is, so that a run which is ended here leaves nothing
    /// under another name.
    fn begin_new(path: &Path, content: Vec<u8>) -> std::io::Result<Self> {
        let mut file = Self { file: Appending::open(path)?, waiting: VecDeque::from([content]) };
        file.write()?;
        Ok(file)
    }

    /// Adds to it. What cannot be written waits for [`Self::sync`], which tells.
    pub(in crate::train) fn add(&mut self, bytes: Vec<u8>) {
        self.waiting.push_back(bytes);
        let _ = self.write();
    }

    /// Gives everything to the system, which has it even when this program is killed.
    fn write(&mut self) -> std::io::Result<()> {
        while let Some(bytes) = self.waiting.front() {
            self.file.add(bytes)?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Makes sure that all of it is on disk.
    pub(in crate::train) fn sync(&mut self) -> std::io::Result<()> {
        self.write()?;
        self.file.sync()
    }
}

/// The path of the run's event file, and when it was begun.
fn events_file(out: &Path) -> (PathBuf, f64) {
    let names = std::fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let begun = names.filter_map(|name| {
        let name = name.to_string_lossy().into_owned();
        name.strip_prefix(EVENTS)?.strip_suffix(OURS)?.parse::<u64>().ok()
    });
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let begun_s = begun.min().unwrap_or_else(now);
    (out.join(format!("{EVENTS}{begun_s:010}{OURS}")), begun_s as f64)
}

/// What TensorBoard is told of a point, under the names that transformers gives.
fn event_record(begun_s: f64, point: &TrainPoint) -> Vec<u8> {
    let values = [
        ("train/loss", Some(point.loss)),
        ("train/learning_rate", Some(point.learning_rate)),
        ("train/grad_norm", point.gradient_norm),
        ("eval/loss", point.validation_loss),
        ("eval/accuracy", point.validation_accuracy),
    ];
    let sets: Vec<(String, f64)> =
        point.validation_sets.iter().map(|SetLoss { set, loss }| (format!("eval/{set}_loss"), *loss)).collect();
    let mut values: Vec<(&str, f64)> = values.into_iter().filter_map(|(tag, value)| Some((tag, value?))).collect();
    values.extend(sets.iter().map(|(tag, loss)| (tag.as_str(), *loss)));
    event_file::scalars_record(begun_s + point.elapsed_s, point.step as u64, &values)
}

fn sample_line(sample: &RunSample) -> String {
    serde_json::to_string(sample).unwrap_or_default() + "\n"
}

/// What the model of the run in a folder wrote; lines that are none are left out.
pub(in crate::train) fn read_samples(out: &Path) -> Vec<RunSample> {
    let text = std::fs::read_to_string(out.join(SAMPLES)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{may_hold_curve, read_imported};

    fn spec() -> TrainSpec {
        toml::from_str("learning_rate = 0.1\nbatch_size = 4\nsteps = 8\neval_every = 2\n[task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"\n").unwrap()
    }

    fn sets_of(step: usize) -> Vec<SetLoss> {
        let loss = |set: &str, share: f64| SetLoss { set: set.to_owned(), loss: share / step as f64 };
        vec![loss("tiny-stories", 0.25), loss("test", 0.5)]
    }

    fn point(step: usize) -> TrainPoint {
        TrainPoint {
            step,
            elapsed_s: step as f64,
            loss: 1.0 / step as f64,
            learning_rate: 0.125,
            validation_loss: step.is_multiple_of(2).then_some(0.5),
            validation_accuracy: None,
            gradient_norm: Some(3.0),
            validation_sets: if step.is_multiple_of(2) { sets_of(step) } else { Vec::new() },
        }
    }

    fn names() -> Vec<String> {
        sets_of(1).into_iter().map(|loss| loss.set).collect()
    }

    #[test]
    fn resumed_logs_keep_what_was_before_the_checkpoint_and_all_files_say_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (mut logs, kept) = RunLogs::begin(dir.path(), &spec(), RunScale::default(), [0, 0], names()).unwrap();
        assert_eq!(kept, []);
        for step in 1..=3 {
            logs.add(&point(step));
            let (prompt, text) = ("Once".to_owned(), format!("Once upon {step}\n"));
            logs.sample(&RunSample { step, prompt, seed: 1, text });
        }
        // Nothing was flushed: a program that is killed here has written its steps all the same.
        assert_eq!(table::read(dir.path()).len(), 3);
        drop(logs);
        let (mut logs, kept) = RunLogs::begin(dir.path(), &spec(), RunScale::default(), [2, 1], names()).unwrap();
        assert_eq!(kept, [point(1), point(2)]);
        logs.add(&point(3));
        logs.write_state(3, Some((2, 0.5))).unwrap();
        assert_eq!(read_samples(dir.path()).iter().map(|sample| sample.step).collect::<Vec<_>>(), [1]);
        assert!(may_hold_curve(dir.path()));
        let (events, _) = events_file(dir.path());
        for file in [events, dir.path().join(trainer_state::FILE)] {
            let curve = read_imported(&file).unwrap();
            let part = |p: TrainPoint| (p.step, p.loss as f32, p.validation_loss, p.gradient_norm, p.validation_sets);
            let told: Vec<_> = curve.points.iter().cloned().map(part).collect();
            let wanted: Vec<_> = (1..=3).map(point).map(part).collect();
            assert!(told == wanted && curve.left_out.is_empty(), "{}: {curve:?}", file.display());
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "a resumed run goes on in the files it had");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(RunLogs::begin(&file, &spec(), RunScale::default(), [0, 0], names()).is_err());
    }
}
