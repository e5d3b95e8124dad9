//! What a job is made of: tasks that do one short step at a time.
//!
//! A step is one token, one optimiser step, one batch of a measurement or one stretch of a file. Between two steps the
//! worker reads its commands, so a task never looks at queues itself: pausing, cancelling and taking turns come from outside.
//! Must not know: queues, threads, guards or the window.

mod adapt;
mod adapter;
mod answers;
mod attends;
mod attribute;
mod baselines;
mod batch;
mod classify;
mod classify_texts;
mod compare_before;
mod compare_losses;
mod compare_side;
mod contexts;
mod continuations;
mod continuing;
mod edited_next;
mod edits;
mod embed;
mod evaluate;
mod evaluate_beside;
mod evaluate_classes;
mod fill;
mod fingerprint;
mod fit_lens;
mod fit_passages;
mod forget;
mod generate;
mod given;
mod head_writes;
mod inspect;
mod kshot;
mod lens;
mod loaded;
mod measure;
mod neighbours;
mod on_base;
pub(crate) mod open;
mod opening;
mod pace;
mod patch;
mod patch_cells;
mod picture;
mod prompt;
mod read_labelled;
mod read_table;
mod remember;
mod samples;
mod sampling;
mod save;
mod score;
mod score_each;
mod shares;
mod show_snapshot;
mod states;
mod steps;
mod stop;
mod store;
mod subject;
mod surprise;
mod sweep;
mod train;
#[cfg(test)]
mod train_kill_tests;
mod train_memory;
mod train_origin;
mod train_snapshot;
#[cfg(test)]
mod train_tests;
mod train_trial;
mod trained;
mod word_order;
mod write_text;
mod writing;
mod wrong_kind;

pub(crate) use loaded::LoadedModel;
pub(crate) use prompt::explain;
pub(crate) use sampling::bias_report;
pub(crate) use store::ModelStore;

use super::{Event, Outcome, Work};
use crate::types::{JobId, ModelId, UserError};
use burn::tensor::Device;
use std::path::PathBuf;
use store::not_open;
use wrong_kind::wrong_kind;

/// The task that does a piece of work.
///
/// # Errors
/// When it needs a model and none is named.
pub(crate) fn start(model: Option<ModelId>, work: &Work) -> Result<Box<dyn Task>, UserError> {
    if let Work::ReadTable(path) = work {
        return Ok(Box::new(read_table::ReadTable::new(path.clone())));
    }
    if let Work::WriteText(spec) = work {
        return Ok(Box::new(write_text::WriteText::new(spec.clone())));
    }
    if let Work::ReadLabelled(source) = work {
        return Ok(Box::new(read_labelled::ReadLabelled::new(source.clone())));
    }
    if let Work::Pace(spec) = work {
        return Ok(Box::new(pace::Pace::new((**spec).clone())));
    }
    let model = model.ok_or_else(not_open)?;
    let task = task(model, work)?;
    Ok(if needs_attention(work) { Box::new(attends::Attends::new(model, work.facts().name, task)) } else { task })
}

/// True for what looks at heads and blocks.
fn needs_attention(work: &Work) -> bool {
    matches!(
        work,
        Work::MeasureWrites(_)
            | Work::Lens(_)
            | Work::FitLens(_)
            | Work::OpenLens(_)
            | Work::Attribute(_)
            | Work::Sweep(_)
            | Work::Patch(_)
            | Work::CompareContexts(_)
            | Work::ChangeOrder(_)
            | Work::Steps(_)
            | Work::Terms(_)
    )
}

/// The task by itself.
fn task(model: ModelId, work: &Work) -> Result<Box<dyn Task>, UserError> {
    Ok(match work {
        Work::Open(path) => Box::new(open::Open::new(model, path.clone())),
        Work::OpenRandom(spec) => Box::new(open::OpenRandom::new(model, spec.clone())),
        Work::OpenAdapter(spec) => Box::new(adapter::OpenAdapter::new(model, spec.clone())),
        Work::SetAdapter(setting) => Box::new(adapter::SetAdapter::new(model, *setting)),
        Work::Generate(spec) => Box::new(generate::Generate::new(model, spec.clone())),
        Work::Samples(spec) => Box::new(samples::Samples::new(model, spec.clone())),
        Work::FitLens(spec) => Box::new(fit_lens::FitLens::new(model, spec.clone())),
        Work::OpenLens(path) => Box::new(fit_lens::OpenLens::new(model, path.clone())),
        Work::Sweep(spec) => Box::new(sweep::Sweep::new(model, spec.clone())),
        Work::Patch(spec) => Box::new(patch::Patch::new(model, spec.clone())),
        Work::OnBase(work) => Box::new(on_base::OnBase::new(model, start(Some(model), work)?)),
        Work::Surprise(spec) => Box::new(surprise::Surprise::new(model, spec.clone())),
        Work::CompareNext(spec) => Box::new(edited_next::CompareNext::new(model, spec.clone())),
        Work::CheckEdits(edits) => Box::new(edited_next::CheckEdits::new(model, edits.clone())),
        Work::Inspect(spec) => Box::new(inspect::Inspect::new(model, spec.clone())),
        Work::FindBroken(spec) => Box::new(inspect::FindBroken::new(model, spec.clone())),
        Work::MeasureWrites(spec) => Box::new(head_writes::MeasureWrites::new(model, spec.clone())),
        Work::Lens(spec) => Box::new(lens::Lens::new(model, spec.clone())),
        Work::Attribute(spec) => Box::new(attribute::Attribute::new(model, spec.clone())),
        Work::CompareContexts(spec) => Box::new(contexts::Contexts::new(model, spec.clone())),
        Work::ChangeOrder(spec) => Box::new(word_order::ChangeOrder::new(model, spec.clone())),
        Work::Neighbours(spec) => Box::new(neighbours::Neighbours::new(model, spec.clone())),
        Work::Steps(spec) => Box::new(steps::Steps::new(model, spec.clone())),
        Work::Terms(spec) => Box::new(steps::Terms::new(model, spec.clone())),
        Work::Classify(image) => Box::new(classify::Classify::new(model, image.clone())),
        Work::Embed(texts) => Box::new(embed::Embed::new(model, texts.clone())),
        Work::Fill(spec) => Box::new(fill::Fill::new(model, spec.clone())),
        Work::ClassifyPicture(picture) => Box::new(picture::ClassifyPicture::new(model, picture.clone())),
        Work::ClassifyTexts(texts) => Box::new(classify_texts::ClassifyTexts::new(model, texts.clone())),
        Work::ScoreEach(request) => Box::new(score_each::ScoreEach::new(model, request.clone())),
        Work::Score(request) => Box::new(score::Score::new(model, request.clone())),
        Work::Batch(spec) => Box::new(batch::Batch::new(model, spec.clone())),
        Work::Adapt(spec) => Box::new(adapt::Adapt::new(model, spec.spec.clone(), spec.known.clone())),
        Work::KShot(spec) => Box::new(kshot::KShot::new(model, spec.clone())),
        Work::Fingerprint => Box::new(fingerprint::Fingerprint::new(model)),
        Work::Baselines(spec) => Box::new(baselines::Baselines::new(model, spec.clone())),
        Work::Evaluate(spec) => Box::new(evaluate::Evaluate::new(model, spec.clone())),
        Work::CompareLosses(spec) => Box::new(compare_losses::CompareLosses::new(model, spec.clone())),
        Work::Forget(spec) => Box::new(forget::Forget::new(model, spec.clone())),
        Work::WatchStates(prompt) => Box::new(states::WatchStates::new(model, prompt.clone())),
        Work::Remember(spec) => Box::new(remember::Remember::new(model, spec.clone())),
        Work::MeasureMemory => Box::new(measure::MeasureMemory::new(model)),
        Work::Train(spec) => train::task(model, spec.clone()),
        Work::TryTraining(spec) => train_trial::task(model, spec.clone()),
        Work::ShowSnapshot(spec) => Box::new(show_snapshot::ShowSnapshot::new(model, spec.clone())),
        Work::Save(spec) => Box::new(save::Save::new(model, spec.clone())),
        Work::Pace(_)
        | Work::ReadTable(_)
        | Work::ReadLabelled(_)
        | Work::WriteText(_)
        | Work::Tokenize(_)
        | Work::ReadBias(_) => {
            unreachable!("{} is done elsewhere", work.facts().name)
        }
    })
}

/// What a task may touch during a step.
pub(crate) struct TaskContext<'a> {
    /// The job the task works for; every event carries it.
    pub job: JobId,
    /// The device in use, without autodiff. It does not change while a job lives: a change of device ends all jobs.
    pub device: &'a Device,
    /// The open models.
    pub models: &'a mut ModelStore,
    /// Sends an event. Waits while the event queue is full. [`Event::Done`] and [`Event::Failed`] are not sent here: they
    /// follow from what the step returns.
    pub emit: &'a mut dyn FnMut(Event),
}

/// How a step ended.
pub(crate) enum Step {
    /// There is more to do.
    More,
    /// The job cannot go on as things are, and is held for a person to decide: the next step tries again.
    Held(UserError),
    /// The job is done.
    Done(Outcome),
}

/// A job's work, cut into steps. A task counts time inside its steps only, so that pauses and other jobs' steps do not
/// count as its own work (a generation's first-token time, which a person waits for, is the exception).
pub(crate) trait Task {
    /// Does the next short piece of work (aim below 100 ms on a CPU). A panic inside ends this job with an error and is
    /// caught outside.
    ///
    /// # Errors
    /// Ends the job with this error.
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError>;

    /// Ends early, with what there is: text generated so far, the best weights so far. Called instead of the next step.
    ///
    /// # Errors
    /// Ends the job with this error, when ending well is impossible (a checkpoint cannot be written).
    fn cancel(&mut self, _cx: &mut TaskContext<'_>) -> Result<Outcome, UserError> {
        Ok(Outcome::Cancelled)
    }

    /// Tells at its next step what is learned from at this moment, where it is a training run.
    fn glimpse(&mut self) {}

    /// Goes on without what could not be done when the job was held.
    fn let_go(&mut self) {}

    /// The folder to read again when the device changes before the task is done; `None` ends the job instead.
    fn reads_again(&self) -> Option<PathBuf> {
        None
    }
}
