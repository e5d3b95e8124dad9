//! Runs as they lie on the disk: `run.json` beside each, the list of them, their curves, and how one is deleted.

use super::checkpoint::{Checkpoint, cannot_write};
use super::logs::table;
use super::place;
use crate::disk;
use crate::types::{KeptRun, RunRecord, RunSample, RunState, TrainPoint, UserError};
use std::path::Path;

const FILE: &str = "run.json";
/// A copy of the weights a run begins with, where no other folder holds them.
pub(crate) const START_FOLDER: &str = "start";

/// Writes what is known of a run beside it.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_record(out: &Path, record: &RunRecord) -> Result<(), UserError> {
    let text = serde_json::to_vec_pretty(record).map_err(|error| cannot_write(out, &error))?;
    disk::write(&out.join(FILE), &text).map_err(|error| cannot_write(out, &error))
}

/// What is known of the run in a folder, if there is one.
pub(crate) fn read_record(out: &Path) -> Option<RunRecord> {
    serde_json::from_slice(&std::fs::read(out.join(FILE)).ok()?).ok()
}

/// Removes what only a run that goes on needs: its checkpoint, and the copy of the weights it began with.
pub(crate) fn remove_means(out: &Path) {
    Checkpoint::remove(out);
    if let Err(error) = disk::remove_folder(&out.join(START_FOLDER)) {
        ::log::warn!("{} was not removed: {error}", out.join(START_FOLDER).display());
    }
}

/// The runs in a folder of runs, the newest first. Folders that hold none are left out; what is left of one that was ended before
/// its first step is removed, and what one that is done needs no more.
pub(crate) fn kept_runs(runs: &Path) -> Vec<KeptRun> {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let mut found: Vec<KeptRun> = entries.filter_map(|entry| kept_run(&entry.path())).collect();
    found.sort_by_key(|run| std::cmp::Reverse((run.record.begun_s, run.folder.clone())));
    found
}

fn kept_run(folder: &Path) -> Option<KeptRun> {
    let Some(record) = read_record(folder) else {
        if place::is_unbegun(folder) && !folder.join(FILE).exists() {
            let removed = disk::remove_folder(folder);
            let _ = removed.inspect_err(|error| ::log::warn!("{} was not removed: {error}", folder.display()));
        }
        return None;
    };
    let is_held = place::is_held(folder);
    if record.state == RunState::Done && !is_held {
        remove_means(folder);
    }
    Some(KeptRun {
        checkpoint: Checkpoint::step_in(folder),
        has_model: crate::load::holds_model(folder) || crate::load::holds_adapter(folder),
        is_held,
        bytes: bytes_in(folder),
        folder: folder.to_owned(),
        record,
    })
}

/// Bytes of all files below a folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_in(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |found| found.len()),
        _ => 0,
    });
    bytes.sum()
}

/// The learning curve of the run in a folder.
pub(crate) fn read_curve(folder: &Path) -> Vec<TrainPoint> {
    table::read(folder)
}

/// What its model wrote after its validations.
pub(crate) fn read_samples(folder: &Path) -> Vec<RunSample> {
    super::logs::read_samples(folder)
}

/// Deletes a run with all its files.
///
/// # Errors
/// When the folder holds no run, a program trains it, or it cannot be deleted.
pub(crate) fn delete_run(folder: &Path) -> Result<(), UserError> {
    let not_deleted = |why: String, next: &str| {
        Err(UserError::new(format!("The run in {} was not deleted.", folder.display()), why, next))
    };
    if read_record(folder).is_none() {
        return not_deleted(format!("It holds no {FILE}, so it may be something else."), "Delete it by hand.");
    }
    if place::is_held(folder) {
        return not_deleted("It is being trained.".to_owned(), "Stop the run first.");
    }
    match disk::remove_folder(folder) {
        Ok(()) => Ok(()),
        Err(error) => not_deleted(error.to_string(), "Close what uses the folder, and try again."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(begun_s: u64) -> RunRecord {
        let spec = "learning_rate = 0.1\nbatch_size = 1\nsteps = 5\n[task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"\n";
        RunRecord {
            spec: toml::from_str(spec).unwrap(),
            begun_s,
            version: "0.1.0".into(),
            start: None,
            parameters: 10,
            tokenizer: None,
            state: RunState::Stopped,
            summary: None,
        }
    }

    #[test]
    fn runs_are_listed_newest_first_and_nothing_else_is() {
        let runs = tempfile::tempdir().unwrap();
        assert_eq!(kept_runs(&runs.path().join("not there")), []);
        for (name, begun_s) in [("a", 5), ("b", 9)] {
            std::fs::create_dir(runs.path().join(name)).unwrap();
            write_record(&runs.path().join(name), &record(begun_s)).unwrap();
        }
        std::fs::create_dir(runs.path().join("something else")).unwrap();
        let unbegun = crate::types::TrainSpec { out: Some(runs.path().join("unbegun")), ..record(1).spec };
        let held = super::super::Place::take(&unbegun).unwrap();
        kept_runs(runs.path());
        assert!(runs.path().join("unbegun").exists(), "somebody is about to begin it");
        drop(held);
        let found = kept_runs(runs.path());
        assert_eq!(found.iter().map(|run| run.record.begun_s).collect::<Vec<_>>(), [9, 5]);
        assert_eq!(found[0].record, record(9));
        assert!(runs.path().join("something else").exists() && !runs.path().join("unbegun").exists());
        assert!(found[0].bytes > 100 && found[0].can_go_on() && found[0].checkpoint.is_none());
    }

    #[test]
    fn a_run_is_deleted_unless_it_is_in_training_or_none_at_all() {
        let runs = tempfile::tempdir().unwrap();
        let folder = runs.path().join("run");
        std::fs::create_dir(&folder).unwrap();
        let error = delete_run(&folder).unwrap_err();
        assert!(error.why.contains("run.json"), "{error}");
        let record = record(1);
        write_record(&folder, &record).unwrap();
        let spec = crate::types::TrainSpec { out: Some(folder.clone()), ..record.spec };
        let held = super::super::Place::take(&spec).unwrap();
        assert!(kept_runs(runs.path())[0].is_held);
        let error = delete_run(&folder).unwrap_err();
        assert!(error.why.contains("being trained"), "{error}");
        drop(held);
        delete_run(&folder).unwrap();
        assert!(!folder.exists());
    }
}
