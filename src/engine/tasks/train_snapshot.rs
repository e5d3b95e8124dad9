//! The weights of a step, written beside the run that learns them, in the layout in which the run's result is.

use super::ModelStore;
use super::trained::{Changes, Learned, Trained};
use crate::train::write_weights;
use crate::types::{LoraSpec, ModelId, Precision, UserError};
use burn::tensor::Device;
use std::path::{Path, PathBuf};

/// What is written.
pub(super) struct Kept<'a, N> {
    /// The network in training, without autodiff.
    pub net: &'a N,
    /// The network before the first step.
    pub start: &'a N,
    /// An adapter is learned.
    pub lora: Option<&'a LoraSpec>,
    /// Of the weights the run began with.
    pub before: Changes,
    pub step: usize,
    pub precision: Precision,
    /// Where it is, without autodiff.
    pub device: &'a Device,
}

/// Writes it into the folder of its step: a model, or the adapter that is learned. The open model is afterwards the network in training.
///
/// # Errors
/// When a file cannot be written; nothing of the folder is there then.
pub(super) fn keep<M: Trained>(
    models: &mut ModelStore,
    id: ModelId,
    kept: &Kept<'_, M::Net>,
    run: &Path,
    beside: impl FnOnce(&Path) -> Result<(), UserError>,
) -> Result<PathBuf, UserError>
where
    M::Net: Clone,
{
    let Kept { net, start, lora, before, step, precision, device } = kept;
    let back = |models: &mut ModelStore| M::put(models, id, (*net).clone(), before.and(*step));
    let written = write_weights(run, *step, |folder| {
        match lora {
            None => {
                back(models)?;
                M::in_store(models, id)?.save(folder, *precision)?;
            }
            Some(lora) => {
                // At step 0 an adapter is still nothing, and is written all the same.
                let (before, step) = (*before, (*step).max(1));
                M::put_adapter(models, id, Learned { net: *net, start, lora, before, step, device })?;
                M::save_adapter(models, id, lora, folder, *precision)?;
            }
        }
        beside(folder)
    });
    back(models)?;
    written
}
