//! Learning curves as files have them: read from those of other programs, and the parts of ours that others read.

pub(crate) mod event_file;
mod points;
pub(crate) mod trainer_state;

use crate::load::data::data_error::DataError;
use crate::types::ImportedCurve;
use event_file::NoEvents;
use points::Points;
use std::path::{Path, PathBuf};

/// What TensorBoard's files have in their names.
const EVENTS: &str = "tfevents";
const FORMAT_OF_EVENTS: &str = "TensorBoard event file";

/// Whether a name is that of a file, or of a folder that holds one, which [`read_imported`] reads.
#[must_use]
pub fn may_hold_curve(path: &Path) -> bool {
    let is_one = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name == trainer_state::FILE || name.contains(EVENTS)
    };
    is_one(path) || (path.is_dir() && entries(path).iter().any(|entry| is_one(entry)))
}

/// Reads a learning curve of another program: a `trainer_state.json`, an event file of TensorBoard, or a folder that holds
/// either. Of a folder's event files all are read, since a run that was taken up again has several.
///
/// # Errors
/// When nothing of the kind is there, or a file is broken.
pub fn read_imported(path: &Path) -> Result<ImportedCurve, DataError> {
    if !path.is_dir() {
        let bytes = bytes(path)?;
        return match path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".json")) {
            true => trainer_state::read(path, &bytes).map_err(|why| DataError::BadCurve { path: path.to_owned(), why }),
            false => read_events(path, &[path.to_owned()]),
        };
    }
    let state = path.join(trainer_state::FILE);
    if state.is_file() {
        return read_imported(&state);
    }
    let mut files = entries(path);
    files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().contains(EVENTS)));
    files.sort();
    if files.is_empty() {
        let why = format!("It holds no {} and no {FORMAT_OF_EVENTS}.", trainer_state::FILE);
        return Err(DataError::Empty { path: path.to_owned(), why });
    }
    read_events(path, &files)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    std::fs::read(path).map_err(|source| DataError::Read { path: path.to_owned(), source })
}

fn read_events(path: &Path, files: &[PathBuf]) -> Result<ImportedCurve, DataError> {
    let (mut points, mut begun, mut others) = (Points::default(), None, Vec::new());
    for file in files {
        let read = event_file::read(&bytes(file)?).map_err(|NoEvents { offset, problem }| {
            let why = format!("It is no whole {FORMAT_OF_EVENTS}: at byte {offset}, {problem}.");
            DataError::BadCurve { path: file.clone(), why }
        })?;
        for scalar in &read.found {
            let elapsed_s = scalar.wall_s - *begun.get_or_insert(scalar.wall_s);
            points.add(usize::try_from(scalar.step).unwrap_or(0), Some(elapsed_s), &scalar.tag, scalar.value);
        }
        others.extend(read.left_out.into_keys());
    }
    let mut left_out = points.left_out();
    left_out.extend(others);
    left_out.sort();
    left_out.dedup();
    let (broken, points) = (points.broken(), points.finish());
    if points.is_empty() {
        let why =
            format!("No loss, learning rate or length of a gradient is in it; there is: {}.", left_out.join(", "));
        return Err(DataError::BadCurve { path: path.to_owned(), why });
    }
    Ok(ImportedCurve {
        path: path.to_owned(),
        format: FORMAT_OF_EVENTS,
        points,
        tokens: None,
        planned: None,
        broken,
        left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_event_files_is_one_curve() {
        let dir = tempfile::tempdir().unwrap();
        for (name, steps) in [("events.out.tfevents.1.b.0", 3..5u64), ("events.out.tfevents.0.a.0", 1..3)] {
            let mut file = event_file::first_record(10.0);
            for step in steps {
                let values = [("train/loss", step as f64), ("train/epoch", 0.5)];
                file.extend(event_file::scalars_record(10.0 + step as f64, step, &values));
            }
            std::fs::write(dir.path().join(name), file).unwrap();
        }
        assert!(may_hold_curve(dir.path()) && !may_hold_curve(&dir.path().join("other")));
        let curve = read_imported(dir.path()).unwrap();
        let told: Vec<(usize, f64, f64)> = curve.points.iter().map(|p| (p.step, p.elapsed_s, p.loss)).collect();
        assert_eq!(told, [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 2.0, 3.0), (4, 3.0, 4.0)]);
        assert_eq!(curve.left_out, ["train/epoch"]);
    }

    #[test]
    fn what_holds_no_curve_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = crate::types::UserError::from(read_imported(dir.path()).unwrap_err());
        assert!(error.why.contains("trainer_state.json"), "{error}");
        let file = dir.path().join("trainer_state.json");
        std::fs::write(&file, "{}").unwrap();
        let error = crate::types::UserError::from(read_imported(dir.path()).unwrap_err());
        assert!(error.why.contains("log_history"), "{error}");
        let file = dir.path().join("x.tfevents.1");
        std::fs::write(&file, "words").unwrap();
        assert!(read_imported(&file).is_err());
        assert!(read_imported(Path::new("no such file")).is_err());
    }
}
