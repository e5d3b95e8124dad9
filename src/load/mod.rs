//! Files to values and back.
//!
//! Must not know: the engine, windows, the command line. What is wrong with a file is a [`LoadError`] that names it; it
//! becomes a [`crate::types::UserError`] in one place, `error.rs`.

pub mod byte_bpe;
mod card;
mod chat;
mod config;
mod container;
mod data_error;
pub mod digit_image;
mod digit_model;
mod elements;
mod encoder_config;
mod encoder_model;
mod encoder_weights;
mod error;
mod few_shot_file;
mod fields;
mod fingerprint;
mod gemma2_weights;
mod gpt2_weights;
mod gpt_neox_weights;
pub mod idx;
mod llama_weights;
mod picture_file;
mod preprocessor;
mod resize;
mod sentence_files;
mod shards;
mod shipped;
mod shipped_tasks;
mod special_tokens;
mod task_file;
mod tensor_stats;
mod tensor_table;
pub mod text_data;
mod text_model;
mod token_bytes;
mod tokenizer;
mod tokenizer_files;
mod vision_config;
mod vision_model;
mod vision_weights;
mod weights;
pub mod word_bpe;

#[cfg(test)]
mod config_tests;
#[cfg(test)]
mod encoder_tests;
#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod shard_tests;
#[cfg(test)]
mod torch_tests;

pub use card::read_card;
pub use chat::{ChatError, ChatTemplate, Place, render_chat};
pub use config::{peek_architecture, read_text_config};
pub use data_error::DataError;
pub use digit_model::{DigitModel, open_digit_model, save_digit_model};
pub use encoder_model::{EncoderModel, open_encoder_model};
pub use error::LoadError;
pub use few_shot_file::write_held_out;
pub use fingerprint::{FileFingerprint, digit_fingerprint, text_fingerprint};
pub use picture_file::read_picture;
pub use preprocessor::Preprocessor;
pub use shipped::shipped_models_dir;
pub use shipped_tasks::shipped_tasks;
pub use task_file::read_task_table;
pub use tensor_stats::tensor_stats;
pub use tensor_table::list_tensors;
pub use text_model::{TextModel, open_text_model, random_text_model, save_text_model};
pub use tokenizer::{StreamDecoder, Tokenizer};
pub use vision_model::{VisionModel, open_vision_model};

use crate::nn::Linear;
use burn::tensor::Tensor;
use std::path::Path;
use weights::Weights;

/// The output projection's name in files of most architectures.
const HEAD: &str = "lm_head.weight";

/// The token embedding `[V, D]` and the head, which is `None` when it is tied. Tied models may store the one matrix under
/// either name.
fn read_embeddings(
    weights: &mut Weights<'_>,
    name: &str,
    head: &str,
    shape: [usize; 2],
    tied: bool,
) -> Result<(Tensor<2>, Option<Linear>), LoadError> {
    if !tied {
        let embedding = weights.matrix(name, shape)?;
        return Ok((embedding, Some(Linear::new(weights.matrix(head, shape)?, None))));
    }
    let stored = if !weights.has(name) && weights.has(head) { head } else { name };
    Ok((weights.matrix(stored, shape)?, None))
}

/// A folder's own name, for display.
fn folder_name(dir: &Path) -> String {
    crate::types::model_name(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned()))
}

fn write_json(path: &Path, value: &serde_json::Value) -> Result<(), LoadError> {
    let text = format!("{value:#}\n");
    std::fs::write(path, text).map_err(|source| LoadError::Write { path: path.to_owned(), source })
}
