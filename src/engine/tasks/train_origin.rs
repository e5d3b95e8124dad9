//! Where a run's weights come from, and the record of it that is written beside it.

use super::trained::Trained;
use super::{LoadedModel, ModelStore, TaskContext, not_open};
use crate::engine::Event;
use crate::load::{self, FileFingerprint};
use crate::train::{START_FOLDER, read_record, write_record};
use crate::types::{ModelId, ModelInfo, Precision, RunRecord, RunStart, RunState, StartFrom, TrainSpec, UserError};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The origin of a run, from its first moment on.
pub(super) struct Origin {
    /// What the weights are made of or read from. Not what the spec says where a run of an open model is taken up again: then they
    /// are read from the folder that holds what it began with.
    pub from: StartFrom,
    /// What is known of the run.
    pub record: RunRecord,
    /// The digest that the weight files had when the run began.
    wanted: Option<String>,
    files: Option<FileFingerprint>,
}

impl Origin {
    /// That of a run which begins, or of the one whose record stands in its folder. Weights that no file holds are written beside
    /// a run that is kept, so that it can be taken up again.
    ///
    /// # Errors
    /// When the model is not open, or a file cannot be written.
    pub(super) fn of<M: Trained>(spec: &TrainSpec, model: ModelId, models: &ModelStore) -> Result<Self, UserError> {
        let known = spec.out.as_deref().and_then(read_record).filter(|record| record.spec == *spec);
        if let Some(record) = known {
            let from = match (&spec.start, &record.start) {
                (StartFrom::OpenModel, Some(start)) => StartFrom::Folder { path: start.weights.clone() },
                (other, _) => other.clone(),
            };
            let wanted = record.start.as_ref().and_then(|start| start.sha256.clone());
            let record = RunRecord { state: RunState::Running, summary: None, ..record };
            return Ok(Self { files: files_of(&record), from, record, wanted });
        }
        let start = match &spec.start {
            StartFrom::Scratch => None,
            StartFrom::Folder { path } => Some(RunStart {
                name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                path: path.clone(),
                weights: path.clone(),
                sha256: None,
                trained_steps: 0,
            }),
            StartFrom::OpenModel => Some(open_start(M::in_store(models, model)?, spec.out.as_deref())?),
        };
        let begun_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let record = RunRecord {
            spec: spec.clone(),
            begun_s,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start,
            parameters: 0,
            tokenizer: None,
            state: RunState::Running,
            summary: None,
        };
        let files = if spec.out.is_some() { files_of(&record) } else { None };
        Ok(Self { from: spec.start.clone(), record, wanted: None, files })
    }

    /// Hashes the next stretch of the weights the run begins with; true once they have their name.
    ///
    /// # Errors
    /// When they are not those the run began with the first time, or cannot be read.
    pub(super) fn name_weights(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, UserError> {
        let (Some(files), Some(start)) = (&mut self.files, &mut self.record.start) else { return Ok(true) };
        let Some(sha256) = files.step()? else {
            let (done, total) = files.progress();
            let label = format!("Reading {}", start.name);
            (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "bytes" });
            return Ok(false);
        };
        if self.wanted.as_ref().is_some_and(|wanted| *wanted != sha256) {
            return Err(UserError::new(
                format!("The run cannot go on from {}.", start.weights.display()),
                "The weights there are not those it began with, so it would end with another result.",
                "Put the model back as it was, or train anew.",
            ));
        }
        start.sha256 = Some(sha256);
        self.files = None;
        Ok(true)
    }

    /// Takes note of the model that will be trained, and announces the run.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(super) fn begin(
        &mut self,
        info: &ModelInfo,
        tokenizer: Option<String>,
        cx: &mut TaskContext<'_>,
    ) -> Result<(), UserError> {
        (self.record.parameters, self.record.tokenizer) = (info.parameters, tokenizer);
        self.write()?;
        (cx.emit)(Event::Begun { job: cx.job, record: Box::new(self.record.clone()) });
        Ok(())
    }

    /// What a model that was read for the run is called: not by the folder of a copy.
    pub(super) fn name(&self, info: &mut ModelInfo) {
        if let Some(start) = self.record.start.as_ref().filter(|start| start.weights == info.path) {
            info.path.clone_from(&start.path);
            info.name.clone_from(&start.name);
            info.trained_steps = start.trained_steps;
            info.modified |= start.weights != start.path;
        }
    }

    /// Writes the record, where the run is kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self) -> Result<(), UserError> {
        self.record.spec.out.as_deref().map_or(Ok(()), |out| write_record(out, &self.record))
    }
}

/// The weight files the run begins with, where they can be named.
fn files_of(record: &RunRecord) -> Option<FileFingerprint> {
    let start = record.start.as_ref().filter(|start| start.weights == start.path)?;
    FileFingerprint::new(&start.weights).ok()
}

fn open_start<M: Trained>(model: &M, out: Option<&Path>) -> Result<RunStart, UserError> {
    let info = model.info();
    let mut weights = info.path.clone();
    if let Some(out) = out.filter(|_| info.differs_from_files() || !load::holds_model(&info.path)) {
        weights = out.join(START_FOLDER);
        model.save(&weights, Precision::F32)?;
    }
    let (name, path) = (info.name.clone(), info.path.clone());
    Ok(RunStart { name, path, weights, sha256: None, trained_steps: info.trained_steps })
}

/// What is known of an open model.
///
/// # Errors
/// When it is not open.
pub(super) fn info_of(models: &ModelStore, id: ModelId) -> Result<&ModelInfo, UserError> {
    models.get(id).map(LoadedModel::info).ok_or_else(not_open)
}
