//! The model that another is compared with: itself without its adapter, another open one, or what a run began with, made once more.
//!
//! What a run began with is read from the folder that its record names, and held against the hash that stands there; a new head for
//! classes and weights from scratch are drawn from the run's seed, so they are those of step 0 to the last bit.

use super::{LoadedModel, ModelStore, TaskContext, not_open, open};
use crate::engine::Event;
use crate::load::{ClassifierBody, ClassifierModel, DigitModel, FileFingerprint};
use crate::nn::DigitConfig;
use crate::train::drawn_model;
use crate::types::{BeforeModel, ModelId, ModelKind, Problem, RunRecord, RunStart, TrainTask, UserError};

/// The model before, once it is there.
pub(super) enum Before {
    /// The model after, without its adapter.
    Base,
    /// Another open one.
    Open(ModelId),
    /// One that is there for the comparison alone.
    Own(Box<LoadedModel>),
}

/// Makes it, a stretch at a time.
pub(super) enum Finding {
    New(BeforeModel),
    /// Reads the weights a run began with, to see that they are still those.
    Hashing(Box<RunRecord>, Box<FileFingerprint>),
    Making(Box<RunRecord>),
}

impl Finding {
    /// Goes on; the model once it is there.
    ///
    /// # Errors
    /// When it is gone, is another one than the run began with, or cannot be read.
    pub(super) fn step(&mut self, after: ModelId, cx: &mut TaskContext<'_>) -> Result<Option<Before>, UserError> {
        match self {
            Self::New(BeforeModel::Base) => return Ok(Some(Before::Base)),
            Self::New(BeforeModel::Open(id)) => return Ok(Some(Before::Open(*id))),
            Self::New(BeforeModel::Run(record)) => {
                let record = record.clone();
                let Some(start) = &record.start else {
                    *self = Self::Making(record);
                    return Ok(None);
                };
                if !start.weights.exists() {
                    return Err(gone(start));
                }
                if start.trained_steps > 0 && start.weights == start.path {
                    return Err(never_written(start));
                }
                let files = start.sha256.as_ref().and_then(|_| FileFingerprint::new(&start.weights).ok());
                *self = match files {
                    Some(files) => Self::Hashing(record, Box::new(files)),
                    None => Self::Making(record),
                };
            }
            Self::Hashing(record, files) => {
                let Some(start) = &record.start else { return Ok(None) };
                let Some(sha256) = files.step()? else {
                    let (done, total) = files.progress();
                    let label = format!("Reading {}", start.name);
                    (cx.emit)(Event::Progress { job: cx.job, label, done, total, unit: "bytes" });
                    return Ok(None);
                };
                if start.sha256.as_ref() != Some(&sha256) {
                    return Err(other_weights(start));
                }
                *self = Self::Making(record.clone());
            }
            Self::Making(record) => return made(record, after, cx).map(|model| Some(Before::Own(Box::new(model)))),
        }
        Ok(None)
    }
}

/// The model a run began with.
fn made(record: &RunRecord, after: ModelId, cx: &mut TaskContext<'_>) -> Result<LoadedModel, UserError> {
    let Some(start) = &record.start else { return drawn(record, after, cx) };
    let (job, label) = (cx.job, format!("Opening {}", start.name));
    let read = open::read(ModelId::next(), &start.weights, cx.device, &mut |done, total| {
        (cx.emit)(Event::Progress { job, label: label.clone(), done, total, unit: "bytes" });
    })?;
    let (mut model, has_new_head) = match &record.spec.task {
        TrainTask::Classify(_) => with_head(read, record, after, cx)?,
        TrainTask::Text(_)
        | TrainTask::FewShot(_)
        | TrainTask::Digits(_)
        | TrainTask::Memory(_)
        | TrainTask::Masked(_)
        | TrainTask::Contrastive(_) => (read, false),
    };
    let info = model.info_mut();
    info.name = if has_new_head { format!("{} with the new head", start.name) } else { start.name.clone() };
    info.trained_steps = start.trained_steps;
    info.modified |= start.trained_steps > 0;
    Ok(model)
}

/// A model that tells the classes of the run: with its own head where that tells them, else with the one that the run drew, which is
/// told.
fn with_head(
    read: LoadedModel,
    record: &RunRecord,
    after: ModelId,
    cx: &TaskContext<'_>,
) -> Result<(LoadedModel, bool), UserError> {
    let (seed, labels) = (record.spec.seed, labels_of(cx.models, after)?);
    let body = match read {
        LoadedModel::Classifier(model) => {
            if model.tells.problem == Problem::OneClass && fit(&model.tells.labels, &labels) {
                return Ok((LoadedModel::Classifier(model), false));
            }
            model.body
        }
        LoadedModel::Text(model) => ClassifierBody::Decoder(model),
        LoadedModel::Encoder(model) => ClassifierBody::Encoder(model),
        LoadedModel::Vision(model) if fit(&model.labels, &labels) => return Ok((LoadedModel::Vision(model), false)),
        LoadedModel::Vision(model) => {
            return Ok((LoadedModel::Vision(model.with_new_head(labels, seed, cx.device)?), true));
        }
        digits @ LoadedModel::Digits(_) => return Ok((digits, false)),
    };
    let model = ClassifierModel::with_new_head(body, labels, seed, cx.device)?;
    Ok((LoadedModel::Classifier(model), true))
}

/// The classes of the model that a run made.
fn labels_of(models: &ModelStore, after: ModelId) -> Result<Vec<String>, UserError> {
    match models.get(after) {
        Some(LoadedModel::Vision(model)) => Ok(model.labels.clone()),
        _ => Ok(models.classifier(after)?.tells.labels.clone()),
    }
}

fn fit(labels: &[String], others: &[String]) -> bool {
    labels.len() == others.len() && labels.iter().all(|label| others.contains(label))
}

/// The random weights a run began with.
fn drawn(record: &RunRecord, after: ModelId, cx: &TaskContext<'_>) -> Result<LoadedModel, UserError> {
    let spec = &record.spec;
    let mut model = match &spec.task {
        TrainTask::Digits(task) => {
            let config = DigitConfig::of(task.network);
            let net = config.init(spec.seed, cx.device);
            LoadedModel::Digits(DigitModel::new("", config, net))
        }
        TrainTask::Text(_) | TrainTask::FewShot(_) | TrainTask::Memory(_) => {
            let tokenizer = cx.models.text(after)?.tokenizer.clone();
            LoadedModel::Text(drawn_model(spec, tokenizer, cx.device).ok_or_else(not_open)?)
        }
        // A classifier has a body, and losses of encoders are not compared.
        TrainTask::Classify(_) | TrainTask::Masked(_) | TrainTask::Contrastive(_) => return Err(not_open()),
    };
    "random weights".clone_into(&mut model.info_mut().name);
    model.info_mut().modified = false;
    Ok(model)
}

fn gone(start: &RunStart) -> UserError {
    let is_copy = start.weights != start.path;
    UserError::new(
        format!("{}, with which the run began, is not there any more.", start.name),
        match is_copy {
            true => "It began with weights that no file held, and the copy of them is kept only until the run is done."
                .to_owned(),
            false => format!("There is nothing at {}.", start.path.display()),
        },
        match is_copy {
            true => "Choose an open model to compare with; one that was saved stays.",
            false => "Put the folder back, or choose an open model to compare with.",
        },
    )
}

fn never_written(start: &RunStart) -> UserError {
    UserError::new(
        format!("No file holds the weights of {} with which the run began.", start.name),
        format!("They were {} steps of training away from its folder, and the run was not kept.", start.trained_steps),
        "Choose an open model to compare with; keep the next run, or save the model before it.",
    )
}

fn other_weights(start: &RunStart) -> UserError {
    UserError::new(
        format!("The weights at {} are not those the run began with.", start.weights.display()),
        "The folder was written anew since, and what it costs would be another model's.",
        "Put the model back as it was, or choose an open model to compare with.",
    )
}

/// A model of another kind than the one it is compared with.
pub(super) fn other_kind(before: (&str, ModelKind), after: (&str, ModelKind)) -> UserError {
    let words = |kind| match kind {
        ModelKind::CausalLm => "predicts tokens",
        ModelKind::TextEncoder => "gives vectors of texts",
        ModelKind::TextClassifier => "tells classes of texts",
        ModelKind::ImageClassifier => "tells classes of pictures",
        ModelKind::DigitClassifier => "reads digits",
    };
    UserError::new(
        format!("{} and {} are models of different kinds.", before.0, after.0),
        format!("One {}, the other {}, so no example is one for both.", words(before.1), words(after.1)),
        "Choose two models of one kind.",
    )
}
