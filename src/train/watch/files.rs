//! Snapshots on the disk: `snapshots.jsonl`, a line for each, and a folder of weights for each in `snapshots`.

use crate::disk;
use crate::train::checkpoint::cannot_write;
use crate::train::logs::Growing;
use crate::types::{RunSnapshot, UserError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FOLDER: &str = "snapshots";
const FILE: &str = "snapshots.jsonl";
/// Behind the name of a folder that is not whole.
const UNFINISHED: &str = ".unfinished";

/// Where the weights of a step are, in the folder of a run.
#[must_use]
pub(crate) fn snapshot_folder(run: &Path, step: usize) -> PathBuf {
    run.join(FOLDER).join(name(step))
}

fn name(step: usize) -> String {
    format!("step-{step:06}")
}

/// What was noted of the run in a folder, in the order of its steps; lines that are none are left out. Weights that were taken away
/// by hand are not there.
pub(crate) fn read_snapshots(run: &Path) -> Vec<RunSnapshot> {
    let mut found: Vec<RunSnapshot> = lines(run).into_iter().map(|(snapshot, _)| snapshot).collect();
    for snapshot in &mut found {
        let folder = snapshot_folder(run, snapshot.step);
        snapshot.weights = (crate::load::holds_model(&folder) || crate::load::holds_adapter(&folder)).then_some(folder);
    }
    found
}

/// Each snapshot with its line, in the order of their steps.
fn lines(run: &Path) -> Vec<(RunSnapshot, String)> {
    let text = std::fs::read_to_string(run.join(FILE)).unwrap_or_default();
    let read = |line: &str| Some((serde_json::from_str(line).ok()?, line.to_owned()));
    let mut found: Vec<(RunSnapshot, String)> = text.lines().filter_map(read).collect();
    found.sort_by_key(|(snapshot, _)| snapshot.step);
    found.dedup_by_key(|(snapshot, _)| snapshot.step);
    found
}

/// Writes the weights of a step, whole or not at all; `write` fills the folder it is given.
///
/// # Errors
/// When they cannot be written. The run needs none of them.
pub(crate) fn write_weights(
    run: &Path,
    step: usize,
    write: impl FnOnce(&Path) -> Result<(), UserError>,
) -> Result<PathBuf, UserError> {
    let place = snapshot_folder(run, step);
    let unfinished = run.join(FOLDER).join(name(step) + UNFINISHED);
    let failed = |error: &dyn std::fmt::Display| cannot_write(&place, error);
    disk::remove_folder(&unfinished).map_err(|error| failed(&error))?;
    std::fs::create_dir_all(&unfinished).map_err(|error| failed(&error))?;
    let written =
        write(&unfinished).and_then(|()| disk::put_folder(&unfinished, &place).map_err(|error| failed(&error)));
    if let Err(error) = written {
        // What there is of it takes room that the run may need.
        let removed = disk::remove_folder(&unfinished);
        let _ = removed.inspect_err(|error| log::warn!("{} was not removed: {error}", unfinished.display()));
        return Err(error);
    }
    Ok(place)
}

/// The lines of a run.
pub(in crate::train) struct SnapshotLog {
    run: PathBuf,
    file: Growing,
}

impl SnapshotLog {
    /// Begins the lines, keeping those up to a step of a run that goes on behind it, which are returned. All other folders are taken away.
    /// A run that `wants` none has no lines.
    ///
    /// # Errors
    /// When nothing can be written.
    pub(super) fn begin(
        run: &Path,
        done: Option<usize>,
        wants: bool,
    ) -> Result<(Option<Self>, Vec<RunSnapshot>), UserError> {
        let failed = |error: std::io::Error| cannot_write(run, &error);
        let mut kept = lines(run);
        kept.retain(|(snapshot, _)| wants && done.is_some_and(|done| snapshot.step <= done));
        let steps: BTreeSet<String> = kept.iter().map(|(snapshot, _)| name(snapshot.step)).collect();
        let folders = std::fs::read_dir(run.join(FOLDER)).into_iter().flatten().flatten();
        for folder in folders.filter(|entry| !steps.contains(&*entry.file_name().to_string_lossy())) {
            if folder.path().is_dir() {
                disk::remove_folder(&folder.path()).map_err(failed)?;
            }
        }
        if !wants {
            if run.join(FILE).exists() {
                disk::write(&run.join(FILE), b"").map_err(failed)?;
            }
            return Ok((None, Vec::new()));
        }
        let (kept, text): (Vec<RunSnapshot>, Vec<String>) = kept.into_iter().unzip();
        let text: String = text.iter().map(|line| format!("{line}\n")).collect();
        let file = Growing::begin(&run.join(FILE), text.as_bytes()).map_err(failed)?;
        let with_weights = |mut snapshot: RunSnapshot| {
            let folder = snapshot_folder(run, snapshot.step);
            snapshot.weights = folder.is_dir().then_some(folder);
            snapshot
        };
        Ok((Some(Self { run: run.to_owned(), file }), kept.into_iter().map(with_weights).collect()))
    }

    pub(super) fn add(&mut self, snapshot: &RunSnapshot) {
        self.file.add((serde_json::to_string(snapshot).unwrap_or_default() + "\n").into_bytes());
    }

    pub(super) fn flush(&mut self) -> Result<(), UserError> {
        self.file.sync().map_err(|error| cannot_write(&self.run, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(run: &Path, step: usize) -> Result<PathBuf, UserError> {
        write_weights(run, step, |folder| {
            std::fs::write(folder.join("config.json"), "{}").map_err(|error| cannot_write(folder, &error))
        })
    }

    fn names(run: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(run.join(FOLDER)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_that_goes_on_keeps_what_was_before_and_nothing_later_or_half() {
        let home = tempfile::tempdir().unwrap();
        let run = home.path();
        let (mut log, kept) = SnapshotLog::begin(run, None, true).unwrap();
        assert_eq!(kept, []);
        for step in [0, 2, 4] {
            weights(run, step).unwrap();
            log.as_mut().unwrap().add(&RunSnapshot { step, loss: Some(f64::NAN), ..RunSnapshot::default() });
        }
        // Weights whose line was not written any more, and some that were not whole.
        weights(run, 6).unwrap();
        std::fs::create_dir(run.join(FOLDER).join("step-000007.unfinished")).unwrap();
        drop(log);
        assert_eq!(
            read_snapshots(run).iter().map(|s| (s.step, s.loss)).collect::<Vec<_>>(),
            [0, 2, 4].map(|s| (s, None))
        );
        let before = std::fs::read_to_string(run.join(FILE)).unwrap();
        let (_, kept) = SnapshotLog::begin(run, Some(3), true).unwrap();
        assert_eq!(kept.iter().map(|snapshot| snapshot.step).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(names(run), ["step-000000", "step-000002"]);
        assert!(before.starts_with(&std::fs::read_to_string(run.join(FILE)).unwrap()), "lines stay as they were");
        // Taken away by hand: what was noted stays.
        std::fs::remove_dir_all(snapshot_folder(run, 2)).unwrap();
        let read = read_snapshots(run);
        assert_eq!(read.iter().map(|s| s.weights.is_some()).collect::<Vec<_>>(), [true, false]);
        // Another run in the folder has nothing of it.
        SnapshotLog::begin(run, None, false).unwrap();
        assert_eq!((names(run), read_snapshots(run).len()), (Vec::new(), 0));
    }

    #[test]
    fn weights_that_cannot_be_written_leave_nothing() {
        let home = tempfile::tempdir().unwrap();
        let error = write_weights(home.path(), 5, |folder| Err(cannot_write(folder, &"no room"))).unwrap_err();
        assert!(error.why.contains("no room"), "{error}");
        assert_eq!(names(home.path()), [""; 0]);
    }

    #[test]
    fn ended_at_any_step_weights_are_whole_or_not_there() {
        for steps in 0.. {
            let home = tempfile::tempdir().unwrap();
            let (_, ended) = disk::stop::after(steps, || weights(home.path(), 5));
            let is_whole = snapshot_folder(home.path(), 5).join("config.json").exists();
            assert_eq!(is_whole, snapshot_folder(home.path(), 5).exists(), "after {steps} steps");
            if !ended {
                assert!(is_whole && steps > 0);
                return;
            }
        }
    }
}
