//! Names the weights of an open model by their SHA-256.

use super::{LoadedModel, Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::{self, FileFingerprint};
use crate::types::{ModelId, UserError};

/// Hashes a model's files, or its weights in memory where they were changed.
pub(crate) struct Fingerprint {
    model: ModelId,
    files: Option<FileFingerprint>,
}

impl Fingerprint {
    /// To name the weights of `model`.
    pub(crate) fn new(model: ModelId) -> Self {
        Self { model, files: None }
    }

    fn done(&self, sha256: String) -> Step {
        Step::Done(Outcome::Fingerprinted(sha256))
    }
}

impl Task for Fingerprint {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if let Some(files) = &mut self.files {
            if let Some(sha256) = files.step()? {
                return Ok(self.done(sha256));
            }
            let (done, total) = files.progress();
            (cx.emit)(Event::Progress { job: cx.job, label: "Hashing".to_owned(), done, total, unit: "bytes" });
            return Ok(Step::More);
        }
        // Only these two kinds can be trained.
        match cx.models.get(self.model) {
            None => return Err(super::not_open()),
            Some(LoadedModel::Text(model)) if model.info.modified => {
                return Ok(self.done(load::text_fingerprint(model)));
            }
            Some(LoadedModel::Digits(model)) if model.info.modified => {
                return Ok(self.done(load::digit_fingerprint(model)));
            }
            Some(other) => self.files = Some(FileFingerprint::new(&other.info().path)?),
        }
        Ok(Step::More)
    }
}
