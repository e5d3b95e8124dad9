//! The folder a run writes to, taken by one run at a time and never from another model.

use super::checkpoint::{Checkpoint, cannot_write};
use crate::disk::{self, Lock};
use crate::types::{TrainSpec, UserError};
use std::path::{Path, PathBuf};

/// Says which run a folder is of, beside the model that came of it.
const SPEC_FILE: &str = "training.json";
/// Held while a run writes.
const LOCK_FILE: &str = ".training.lock";

/// A run's output folder, held until this is dropped; nothing for a run that writes none.
#[derive(Debug, Default)]
pub(crate) struct Place {
    lock: Option<Lock>,
    /// The folder, where it was not there before and holds nothing of a run that has taken a step.
    new: Option<PathBuf>,
}

impl Place {
    /// Gives the folder back; one that a run made and never wrote a step to is removed.
    pub(crate) fn leave(&mut self) {
        self.lock = None;
        if let Some(out) = self.new.take()
            && let Err(error) = disk::remove_folder(&out)
        {
            log::warn!("{} was not removed: {error}", out.display());
        }
    }

    /// The run has begun: what is in its folder stays.
    pub(crate) fn keep(&mut self) {
        self.new = None;
    }

    /// Takes the folder of a run, and gives its checkpoint where it is to go on.
    ///
    /// # Errors
    /// When another run writes there, it holds the checkpoint of another run or a model that did not come of this one, or
    /// nothing can be written.
    pub(crate) fn take(spec: &TrainSpec) -> Result<(Self, Option<Checkpoint>), UserError> {
        let Some(out) = &spec.out else { return Ok((Self::default(), None)) };
        let is_new = !out.exists();
        std::fs::create_dir_all(out).map_err(|error| cannot_write(out, &error))?;
        let lock = Lock::take(&out.join(LOCK_FILE)).map_err(|error| cannot_write(out, &error))?;
        let Some(lock) = lock else { return Err(busy(out)) };
        let place = Self { lock: Some(lock), new: is_new.then(|| out.clone()) };
        if let Some(checkpoint) = Checkpoint::find(out)? {
            return if checkpoint.run.spec == *spec {
                Ok((place, Some(checkpoint)))
            } else {
                Err(other_run(&checkpoint))
            };
        }
        let written = serde_json::to_string_pretty(spec).map_err(|error| cannot_write(out, &error))?;
        let is_own = std::fs::read_to_string(out.join(SPEC_FILE)).is_ok_and(|text| text == written);
        if !is_own && (crate::load::holds_model(out) || crate::load::holds_adapter(out)) {
            return Err(other_model(out));
        }
        if !is_own {
            disk::write(&out.join(SPEC_FILE), written.as_bytes()).map_err(|error| cannot_write(out, &error))?;
        }
        Ok((place, None))
    }
}

/// The spec of the run that a folder is of, if it says.
pub(crate) fn written_spec(out: &Path) -> Option<TrainSpec> {
    serde_json::from_slice(&std::fs::read(out.join(SPEC_FILE)).ok()?).ok()
}

/// True while a program writes a run to the folder.
pub(super) fn is_held(out: &Path) -> bool {
    let path = out.join(LOCK_FILE);
    path.exists() && Lock::take(&path).is_ok_and(|lock| lock.is_none())
}

/// True for the folder of a run that was taken and given back before anything was learned.
pub(super) fn is_unbegun(out: &Path) -> bool {
    let is_empty = !crate::load::holds_model(out) && !crate::load::holds_adapter(out);
    out.join(SPEC_FILE).is_file() && is_empty && !is_held(out)
}

fn busy(out: &Path) -> UserError {
    UserError::new(
        format!("Another run writes to {}.", out.display()),
        "Two runs in one folder would overwrite each other's checkpoint and model.",
        "Choose another output folder, or wait until the other run has ended.",
    )
}

fn other_run(checkpoint: &Checkpoint) -> UserError {
    UserError::new(
        format!("{} holds the checkpoint of another run.", checkpoint.folder.display()),
        "Its settings differ from the ones asked for, so going on would mix two runs.",
        "Use the same settings to resume it, choose another output folder, or delete that folder.",
    )
}

fn other_model(out: &Path) -> UserError {
    UserError::new(
        format!("{} holds another model.", out.display()),
        "Training there would overwrite its weights, and what stands beside them would describe a model that is gone.",
        "Choose a new output folder, or delete that one.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(out: &Path, more: &str) -> TrainSpec {
        let text = format!(
            "learning_rate = 0.1\nbatch_size = 1\nsteps = 5\nout = {out:?}\n{more}\n[task]\nkind = \"digits\"\ndata = \"none\"\nnetwork = \"mlp\"\n"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_folder_is_taken_by_one_run_at_a_time() {
        let out = tempfile::tempdir().unwrap();
        let held = Place::take(&spec(out.path(), "")).unwrap();
        let error = Place::take(&spec(out.path(), "")).unwrap_err();
        assert!(error.what.contains("Another run writes to"), "{error}");
        drop(held);
        Place::take(&spec(out.path(), "")).unwrap();
    }

    #[test]
    fn the_folder_of_another_model_is_refused_and_that_of_the_same_run_taken() {
        let out = tempfile::tempdir().unwrap();
        drop(Place::take(&spec(out.path(), "")).unwrap());
        std::fs::write(out.path().join("config.json"), "{}").unwrap();
        drop(Place::take(&spec(out.path(), "")).unwrap());
        let error = Place::take(&spec(out.path(), "seed = 9")).unwrap_err();
        assert!(error.what.contains("holds another model") && error.next.contains("new output folder"), "{error}");
        assert_eq!(std::fs::read_to_string(out.path().join("config.json")).unwrap(), "{}");
    }
}
