//! What objectives of text models share: where model and tokenizer come from.

use crate::load::{self, Named, TextModel, Tokenizer};
use crate::nn::{CausalLm, Random, in_full_precision};
use crate::train::checkpoint::cannot_write;
use crate::train::objective::{Preparation, Progress, Setup};
use crate::train::stream::Stream;
use crate::types::{StartFrom, TrainSpec, UserError};
use std::path::Path;
use std::time::Duration;

/// The tokenizer in a checkpoint: learning it again must not be able to give another one.
const TOKENIZER_FILE: &str = "tokenizer.json";

/// How long a step waits for a vocabulary that is being learned.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How far the preparation of a text model is.
pub(super) type OpenedModel = Preparation<TextModel>;

/// The model of the folder the spec starts from, if it starts from one.
///
/// # Errors
/// When the folder holds no model that can be opened.
pub(super) fn folder_model(
    setup: &Setup<'_, TextModel>,
    tell: &mut dyn FnMut(Progress),
) -> Result<Option<TextModel>, UserError> {
    let StartFrom::Folder { path } = &setup.spec.start else { return Ok(None) };
    let label = format!("Opening {}", path.display());
    let mut progress = |done, total| tell(Progress { label: label.clone(), done, total, unit: "bytes" });
    Ok(Some(load::open_text_model(path, setup.device, &mut progress)?))
}

/// The tokenizer a checkpoint keeps, if there is one.
///
/// # Errors
/// When its file cannot be read.
pub(super) fn tokenizer_of(checkpoint: Option<&Path>) -> Result<Option<Tokenizer>, UserError> {
    let file = checkpoint.map(|folder| folder.join(TOKENIZER_FILE)).filter(|file| file.is_file());
    Ok(file.map(|file| Tokenizer::from_file(&file)).transpose()?)
}

/// Adds a tokenizer that was learned for the run, if one was, to its checkpoint.
pub(super) fn write_tokenizer(tokenizer: Option<&str>, folder: &Path) -> Result<(), UserError> {
    let Some(tokenizer) = tokenizer else { return Ok(()) };
    crate::disk::write(&folder.join(TOKENIZER_FILE), tokenizer.as_bytes()).map_err(|error| cannot_write(folder, &error))
}

/// The model's network in F32; where a run learns an adapter, the network with changes that are still nothing, its weights as they are.
///
/// # Errors
/// When a target of the adapter names no matrix.
pub(super) fn first_net(spec: &TrainSpec, model: &TextModel) -> Result<CausalLm, UserError> {
    Ok(in_full_precision(with_changes(spec, &model.lm, 0)?))
}

/// A network with changes that are still nothing where a run learns an adapter, in the blocks from `first` on; else the network by itself.
///
/// # Errors
/// When a target of the adapter names no matrix.
pub(super) fn with_changes<N: Named + Clone>(spec: &TrainSpec, net: &N, first: usize) -> Result<N, UserError> {
    let Some(lora) = &spec.lora else { return Ok(load::merged(net)) };
    let draw = |matrix: usize, count: usize| {
        let mut random = Random::new(spec.seed, Stream::LowRank.at(matrix as u64));
        (0..count).map(|_| random.between(-1.0, 1.0)).collect()
    };
    Ok(load::with_lora(net, lora, first, draw)?)
}

pub(super) fn no_shape() -> UserError {
    UserError::new(
        "A text model cannot be made from scratch without a shape.",
        "The spec has no [task.shape] with hidden, layers, heads and so on.",
        "Add the shape, or start from a model folder.",
    )
}

pub(super) fn check_context(asked: usize, longest: usize) -> Result<(), UserError> {
    if (1..=longest).contains(&asked) {
        return Ok(());
    }
    Err(UserError::new(
        format!("Sequences of {asked} tokens cannot be learned from."),
        format!("The model reads 1 to {longest} tokens."),
        "Change the context and start again.",
    ))
}
