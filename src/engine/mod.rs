//! The worker that owns device, models and caches, and the conversation with it.
//!
//! Everyone else sees [`EngineHandle`], [`Command`] and [`Event`], plain values all; no tensor leaves this module. It must
//! not know: windows, the command line, or how a figure is drawn.

mod device;
mod events;
mod guard;
mod handle;
mod protocol;
mod scheduler;
mod tasks;
mod tokenizer;
mod work;
mod worker;

pub use events::Wake;
pub use handle::{EngineHandle, EngineOptions};
pub use protocol::{Command, Event, Outcome, PromptInput};
pub use work::{
    AdaptWork, AdapterSpec, AttributeSpec, ContextsSpec, EditedNextSpec, FillSpec, ForgetSpec, GenerateSpec,
    InspectSpec, Kept, LensSpec, NeighboursSpec, PatchHow, PatchSpec, RandomModel, SamplesSpec, SaveSpec, SnapshotSpec,
    StepsSpec, SurpriseSpec, SweepSpec, TermsSpec, Turn, WordOrderSpec, Work, WorkFacts, WritesSpec,
};

pub use crate::load::{ListedText, TextFormat, TextList};

use crate::types::{
    ChatPrompt, ConvertSpec, Converted, DigitImage, ImportedCurve, KeptRun, ModelCard, Picture, RenderedChat,
    RunRecord, RunSample, RunSnapshot, TaskTable, TensorEntry, TensorStats, TrainPoint, UserError,
};
use std::path::{Path, PathBuf};

/// The folder that holds the shipped models, if it can be found.
#[must_use]
pub fn shipped_models_dir() -> Option<PathBuf> {
    crate::load::shipped_models_dir()
}

/// The folders that are looked at for shipped models, in this order.
#[must_use]
pub fn shipped_places() -> Vec<PathBuf> {
    crate::load::shipped_places()
}

/// The folder for what Fovea keeps: sessions, and the shipped models of a program that has none beside it.
#[must_use]
pub fn data_dir() -> Option<PathBuf> {
    crate::load::data_dir()
}

/// True for a path that names tables of tasks which the program carries: a recipe's `assets/tasks` is found in any folder.
#[must_use]
pub fn carries_tables(path: &Path) -> bool {
    crate::load::carried_tables(path).is_some()
}

/// Converts a model to another format.
///
/// # Errors
/// When the model cannot be read, the format has no place for something of it, or the result cannot be written.
pub fn convert(spec: &ConvertSpec) -> Result<Converted, UserError> {
    Ok(crate::load::convert(spec)?)
}

/// The few-shot tasks that come with Fovea, by name.
#[must_use]
pub fn shipped_tasks() -> &'static [TaskTable] {
    crate::load::shipped_tasks()
}

/// The text of a file a person brings, in UTF-8 or UTF-16, without its byte order mark. Reads a file: not for the UI thread.
///
/// # Errors
/// When the file cannot be read or is no text; the byte is named.
pub fn read_text(path: &Path) -> Result<String, UserError> {
    crate::load::read_decoded(path).map_err(UserError::from)
}

/// Writes a conversation with the chat template of a model folder. Needs no weights and no tokenizer. Reads files: not for
/// the UI thread.
///
/// # Errors
/// When the folder has no template, or the template gives no text.
pub fn render_chat(dir: &Path, prompt: &ChatPrompt) -> Result<RenderedChat, UserError> {
    crate::load::render_chat(&crate::load::ChatTemplate::read(dir), prompt).map_err(UserError::from)
}

/// Reads a PNG, JPEG or WebP of a digit, dark on light or light on dark, and centres it as MNIST does. Reads a file: not for the
/// UI thread.
///
/// # Errors
/// When the file cannot be read, is no image, or shows nothing.
pub fn read_digit_image(path: &Path) -> Result<DigitImage, UserError> {
    crate::load::digit::digit_image::from_file(path).map_err(UserError::from)
}

/// Describes a model folder by its configuration and the headers of its weights. Reads files: not for the UI thread.
///
/// # Errors
/// When the folder has no readable config.json.
pub fn read_card(dir: &Path) -> Result<ModelCard, UserError> {
    careful("Describing the model", || crate::load::read_card(dir).map_err(UserError::from))
}

/// Lists the tensors of a model folder. Reads files: not for the UI thread.
///
/// # Errors
/// When the weights are not in safetensors files, or a header is damaged.
pub fn list_tensors(dir: &Path) -> Result<Vec<TensorEntry>, UserError> {
    careful("Listing the tensors", || crate::load::list_tensors(dir).map_err(UserError::from))
}

/// The distribution of one tensor's values; `None` once `wanted` says no. May take seconds: not for the UI thread.
///
/// # Errors
/// When the tensor is not there, or its elements are no single numbers.
pub fn tensor_stats(dir: &Path, name: &str, wanted: &dyn Fn() -> bool) -> Result<Option<TensorStats>, UserError> {
    careful("Measuring the tensor", || crate::load::tensor_stats(dir, name, wanted).map_err(UserError::from))
}

/// Files of any program are looked at: one that makes a reader panic is one error, and not the end of a thread.
fn careful<T>(what: &str, read: impl FnOnce() -> Result<T, UserError>) -> Result<T, UserError> {
    guard::guarded(read).unwrap_or_else(|panicked| Err(panicked.user_error(what)))
}

/// The training runs that are kept in a folder, the newest first. Reads files: not for the UI thread.
#[must_use]
pub fn kept_runs(dir: &Path) -> Vec<KeptRun> {
    crate::train::kept_runs(dir)
}

/// What is known of the training run in a folder, if there is one. Reads a file: not for the UI thread.
#[must_use]
pub fn read_run_record(folder: &Path) -> Option<RunRecord> {
    crate::train::read_record(folder)
}

/// The learning curve of a kept run. Reads a file: not for the UI thread.
#[must_use]
pub fn read_curve(run: &Path) -> Vec<TrainPoint> {
    crate::train::read_curve(run)
}

/// What the model of the run in a folder wrote after its validations.
#[must_use]
pub fn read_samples(run: &Path) -> Vec<RunSample> {
    crate::train::read_samples(run)
}

/// What was noted of a run at the steps that were chosen, and where its weights of then are. Reads a file: not for the UI thread.
#[must_use]
pub fn read_snapshots(run: &Path) -> Vec<RunSnapshot> {
    crate::train::read_snapshots(run)
}

/// True for a file or folder that [`read_imported`] may read, by the names in it.
#[must_use]
pub fn may_hold_curve(path: &Path) -> bool {
    crate::load::may_hold_curve(path)
}

/// Reads a learning curve that another program wrote: `trainer_state.json` of transformers, event files of TensorBoard, or a folder
/// that holds either. Takes as long as its disk: not for the UI thread.
///
/// # Errors
/// When there is none, or it is broken.
pub fn read_imported(path: &Path) -> Result<ImportedCurve, UserError> {
    Ok(crate::load::read_imported(path)?)
}

/// Deletes a kept run with its checkpoint and its result. Not for the UI thread.
///
/// # Errors
/// When the folder holds no run, a program trains it, or it cannot be deleted.
pub fn delete_run(run: &Path) -> Result<(), UserError> {
    crate::train::delete_run(run)
}

/// Reads a PNG, JPEG or WebP in colour, for a vision transformer. Reads a file: not for the UI thread.
///
/// # Errors
/// When the file cannot be read or is no image.
pub fn read_picture(path: &Path) -> Result<Picture, UserError> {
    crate::load::read_picture(path).map_err(UserError::from)
}

/// A picture by the name that labelled data has for it, for a vision transformer. Reads a file: not for the UI thread.
///
/// # Errors
/// When the file cannot be read or is no image.
pub fn read_named_picture(name: &str) -> Result<Picture, UserError> {
    Ok(crate::load::NamedPictures::of([name])?.picture(name)?)
}

/// The same for a digit network.
///
/// # Errors
/// When the file cannot be read, is no image, or shows nothing.
pub fn read_named_digit(name: &str) -> Result<DigitImage, UserError> {
    Ok(crate::load::NamedPictures::of([name])?.digit(name)?)
}

/// Some of them, no larger than `side` pixels on their longer sides; none where one cannot be read. Reads files: not for the UI thread.
#[must_use]
pub fn read_thumbnails(names: &[String], side: u32) -> Vec<Option<Picture>> {
    let pictures = crate::load::NamedPictures::of(names.iter().map(String::as_str));
    let pictures = pictures.unwrap_or_default();
    names.iter().map(|name| pictures.thumbnail(name, side).ok()).collect()
}

/// True for a folder that holds an adapter in PEFT's layout.
#[must_use]
pub fn holds_adapter(dir: &Path) -> bool {
    crate::load::holds_adapter(dir)
}

/// What an adapter says it was made for, where it says so. Reads a small file.
#[must_use]
pub fn adapter_base(dir: &Path) -> Option<String> {
    crate::load::adapter_base(dir)
}
