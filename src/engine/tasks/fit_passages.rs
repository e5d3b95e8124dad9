//! The passages that a lens is fitted on, where they are taken from a file.

use crate::load::{TextModel, read_decoded};
use crate::types::{FitSpec, UserError};
use std::path::Path;

/// Letters of a file that are split into tokens for one passage: more than any tokenizer needs.
const LETTERS_A_TOKEN: usize = 16;

/// Passages spread evenly over a file; as many as it has, where it has fewer.
///
/// # Errors
/// When the file cannot be read or split, or holds not two passages.
pub(super) fn of_file(model: &TextModel, path: &Path, spec: &FitSpec) -> Result<Vec<Vec<u32>>, UserError> {
    let text = read_decoded(path)?;
    let window = spec.tokens * LETTERS_A_TOKEN;
    let passages: Vec<Vec<u32>> = if text.len() > window.saturating_mul(spec.count) {
        let from = |passage: usize| text.floor_char_boundary(passage * (text.len() - window) / spec.count.max(1));
        let piece = |passage| &text[from(passage)..text.floor_char_boundary(from(passage) + window)];
        let cut = |passage| {
            let ids = model.tokenizer.continuation_ids(piece(passage))?;
            Ok(ids.into_iter().take(spec.tokens).collect::<Vec<u32>>())
        };
        let all: Result<Vec<Vec<u32>>, UserError> = (0..spec.count).map(cut).collect();
        all?.into_iter().filter(|ids| ids.len() == spec.tokens).collect()
    } else {
        let ids = model.tokenizer.continuation_ids(&text)?;
        ids.chunks_exact(spec.tokens).take(spec.count).map(<[u32]>::to_vec).collect()
    };
    if passages.len() >= FitSpec::LEAST_PASSAGES {
        return Ok(passages);
    }
    Err(UserError::new(
        format!("{} is too short to fit a lens on.", path.display()),
        format!(
            "It holds {} passages of {} tokens, and the halves of at least {} are compared.",
            passages.len(),
            spec.tokens,
            FitSpec::LEAST_PASSAGES
        ),
        "Choose a longer text, or shorter passages, or let the model write them.",
    ))
}
