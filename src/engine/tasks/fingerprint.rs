//! Names the weights of an open model by their SHA-256.

use super::{LoadedModel, ModelStore, Step, Task, TaskContext};
use crate::engine::{Event, Outcome};
use crate::load::{self, FileFingerprint};
use crate::types::{ModelId, UserError};

/// Hashes a model's files, or its weights in memory where they were changed.
pub(crate) struct Fingerprint(Hashing);

impl Fingerprint {
    /// To name the weights of `model`.
    pub(crate) fn new(model: ModelId) -> Self {
        Self(Hashing::new(model))
    }
}

impl Task for Fingerprint {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        if let Some(sha256) = self.0.step(cx.models)? {
            return Ok(Step::Done(Outcome::Fingerprinted(sha256)));
        }
        if let Some((done, total)) = self.0.progress() {
            (cx.emit)(Event::Progress { job: cx.job, label: "Hashing".to_owned(), done, total, unit: "bytes" });
        }
        Ok(Step::More)
    }
}

/// The same as a part of other tasks.
pub(super) struct Hashing {
    model: ModelId,
    files: Option<FileFingerprint>,
}

impl Hashing {
    pub(super) fn new(model: ModelId) -> Self {
        Self { model, files: None }
    }

    /// Hashes the next stretch; the digest once everything is read.
    ///
    /// # Errors
    /// When the model is not open, or its files cannot be read.
    pub(super) fn step(&mut self, models: &ModelStore) -> Result<Option<String>, UserError> {
        if let Some(files) = &mut self.files {
            return Ok(files.step()?);
        }
        // Only these kinds can be trained.
        match models.get(self.model) {
            None => Err(super::not_open()),
            Some(LoadedModel::Text(model)) if model.info.differs_from_files() => {
                Ok(Some(load::text_fingerprint(model)))
            }
            Some(LoadedModel::Classifier(model)) if model.info().modified => {
                Ok(Some(load::classifier_fingerprint(model)))
            }
            Some(LoadedModel::Vision(model)) if model.info.modified => Ok(Some(load::vision_fingerprint(model))),
            Some(LoadedModel::Digits(model)) if model.info.modified => Ok(Some(load::digit_fingerprint(model))),
            Some(other) => {
                self.files = Some(FileFingerprint::new(&other.info().path)?);
                Ok(None)
            }
        }
    }

    /// Bytes read, and all.
    fn progress(&self) -> Option<(u64, u64)> {
        self.files.as_ref().map(FileFingerprint::progress)
    }
}
