//! Files to values and back.
//!
//! Must not know: the engine, windows, the command line. What is wrong with a file is a [`LoadError`] that names it; it
//! becomes a [`crate::types::UserError`] in one place, `error.rs`.

mod adapter;
mod card;
mod chat;
mod classifier;
mod convert;
pub(crate) mod curves;
pub mod data;
pub mod digit;
mod encoder;
mod error;
mod fields;
mod file;
mod fingerprint;
mod gguf;
mod hidden_fields;
mod json;
mod lens_file;
mod shipped;
mod source;
mod tensors;
mod text;
pub mod tokens;
mod vision;

#[cfg(test)]
mod faults_tests;
#[cfg(test)]
mod folder_tests;

pub use adapter::{
    Adapter, Attached, Named, adapter_base, holds_adapter, learns_changes, lora_targets, merged, read_adapter,
    with_lora, write_adapter,
};
pub use card::read_card;
pub use chat::{ChatError, ChatTemplate, Place, Rendering, render_chat, start_chat};
pub use classifier::classifier_model::{ClassifierBody, ClassifierModel, open_classifier};
pub use classifier::save::save_classifier;
pub use convert::convert;
pub use curves::{may_hold_curve, read_imported};
pub use data::data_error::DataError;
pub use data::decoded::read_decoded;
pub use data::few_shot_file::write_held_out;
pub use data::gzip::gzipped;
pub use data::labelled::{read_labelled, read_labelled_rows};
pub use data::named_pictures::NamedPictures;
pub(crate) use data::shipped_tasks::carried_tables;
pub use data::shipped_tasks::shipped_tasks;
pub use data::task_file::read_task_table;
pub use data::text_list::{ListedText, TextFormat, TextList};
pub use digit::digit_model::{DigitModel, open_digit_model, save_digit_model};
pub use encoder::encoder_model::{EncoderModel, open_encoder_model};
pub use encoder::save::save_encoder_model;
pub(crate) use encoder::sentence_files::write_sentence_files;
pub use error::LoadError;
pub use fingerprint::{
    FileFingerprint, classifier_fingerprint, digit_fingerprint, text_fingerprint, tokenizer_fingerprint,
    vision_fingerprint,
};
pub use lens_file::{read_lens, write_lens};
pub use shipped::{data_dir, shipped_models_dir, shipped_places};
pub(crate) use source::holds_model;
pub use tensors::tensor_stats::tensor_stats;
pub use tensors::tensor_table::list_tensors;
pub use text::config::{peek_architecture, peek_kind, read_text_config};
pub use text::text_model::{TextModel, open_text_model, random_text_model, save_text_model};
pub use tokens::stream::StreamDecoder;
pub use tokens::tokenizer::Tokenizer;
pub use vision::picture_file::read_picture;
pub use vision::preprocessor::Preprocessor;
pub use vision::save::save_vision_model;
pub use vision::vision_model::{VisionModel, open_vision_model};

use crate::nn::{Linear, Weight};
use std::path::Path;
use tensors::weights::Weights;

/// The output projection's name in files of most architectures.
const HEAD: &str = "lm_head.weight";

/// The token embedding `[V, D]` and the head, which is `None` when it is tied. Tied models may store the one matrix under
/// either name. Where a file holds two that differ, config.json is wrong: both count, as in transformers 5.
fn read_embeddings(
    weights: &mut Weights<'_>,
    name: &str,
    head: &str,
    shape: [usize; 2],
    tied: bool,
) -> Result<(Weight, Option<Linear>), LoadError> {
    let both = weights.has(name) && weights.has(head);
    if !tied || (both && !weights.same(name, head)?) {
        let embedding = weights.matrix(name, shape)?;
        return Ok((embedding, Some(Linear::new(weights.matrix(head, shape)?, None))));
    }
    let stored = if !weights.has(name) && weights.has(head) { head } else { name };
    Ok((weights.matrix(stored, shape)?, None))
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), LoadError> {
    let text = format!("{value:#}\n");
    crate::disk::write(path, text.as_bytes()).map_err(|source| LoadError::Write { path: path.to_owned(), source })
}
