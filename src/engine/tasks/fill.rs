//! Guesses the masked tokens of a text.

use super::embed::unreadable;
use super::{Step, Task, TaskContext, prompt};
use crate::engine::{FillSpec, Outcome, PromptInput};
use crate::load::EncoderModel;
use crate::nn::output::sample::{log_softmax, top_candidates};
use crate::nn::{EncoderBatch, Hooks};
use crate::types::{Candidate, FillReport, FilledMask, ModelId, PromptToken, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Fills the masks of one text in one step.
pub(crate) struct Fill {
    model: ModelId,
    spec: FillSpec,
}

impl Fill {
    /// To guess every mask of a text with `model`.
    pub(crate) fn new(model: ModelId, spec: FillSpec) -> Self {
        Self { model, spec }
    }
}

impl Task for Fill {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.encoder(self.model)?;
        let (Some(mask_id), Some(mask)) = (model.mask_id, model.reads.mask.as_deref()) else {
            return Err(no_head(model));
        };
        let tokens = prompt::read_encoder(model, &PromptInput::Text(self.spec.text.clone()))?;
        let places: Vec<usize> = (0..tokens.len()).filter(|&place| tokens[place].id == mask_id).collect();
        if places.is_empty() {
            return Err(no_mask(&model.info.name, mask));
        }
        let masks = guess(model, &tokens, &places, self.spec.top.max(1))?;
        let filled = model.tokenizer.decode(&filled_ids(&tokens, &masks));
        let report = FillReport { text: self.spec.text.clone(), tokens, masks, filled };
        Ok(Step::Done(Outcome::Filled(Arc::new(report))))
    }
}

/// The likeliest tokens at each of `places`.
fn guess(
    model: &EncoderModel,
    tokens: &[PromptToken],
    places: &[usize],
    top: usize,
) -> Result<Vec<FilledMask>, UserError> {
    let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
    let mut hooks = Hooks::off();
    let hidden = model.encoder.forward(&EncoderBatch::one(&ids), &mut hooks).hidden; // [1, T, D]
    // Only what stands at a mask is compared with the whole vocabulary.
    let rows = places.iter().map(|&place| hidden.clone().narrow(1, place, 1)).collect();
    let logits = model.encoder.logits(Tensor::cat(rows, 1), &mut hooks).ok_or_else(|| no_head(model))?; // [1, M, V]
    let [_, _, v] = logits.dims();
    let logits = logits.try_to_vec_as::<f32>().map_err(unreadable)?;
    let masks = places.iter().zip(logits.chunks_exact(v)).map(|(&position, logits)| {
        let log_probabilities = log_softmax(logits);
        let candidates = top_candidates(&log_probabilities, top).into_iter().map(|(id, log)| Candidate {
            id,
            text: model.tokenizer.token_text(id),
            probability: log.exp() as f32,
        });
        FilledMask { position, candidates: candidates.collect() }
    });
    Ok(masks.collect())
}

/// The tokens of the text itself, each mask replaced by its likeliest token; what the tokenizer added is left out.
fn filled_ids(tokens: &[PromptToken], masks: &[FilledMask]) -> Vec<u32> {
    let best = |place: usize| masks.iter().find(|mask| mask.position == place)?.candidates.first().map(|c| c.id);
    let of_the_text = tokens.iter().enumerate().filter(|(_, token)| !token.span.is_empty());
    of_the_text.map(|(place, token)| best(place).unwrap_or(token.id)).collect()
}

fn no_head(model: &EncoderModel) -> UserError {
    let name = &model.info.name;
    UserError::new(
        format!("{name} cannot fill masks."),
        "Its folder holds the encoder without the head that guesses masked tokens.",
        format!(
            "Use it to compare texts (`fovea embed`), or choose a folder with {} in its config.json.",
            model.info.architecture.config_name().replace("Model", "ForMaskedLM")
        ),
    )
}

fn no_mask(name: &str, mask: &str) -> UserError {
    UserError::new(
        "There is no mask in the text.",
        format!("{name} guesses the tokens that {mask} stands for."),
        format!("Write {mask} where a word is to be guessed, as in ‘The {mask} is blue.’"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_tokens_take_the_places_of_the_masks() {
        let token = |id, span| PromptToken { id, text: String::new(), span };
        let tokens = [token(2, 0..0), token(7, 0..3), token(4, 4..10), token(9, 11..12), token(3, 0..0)];
        let candidate = |id| Candidate { id, text: String::new(), probability: 0.5 };
        let masks = [FilledMask { position: 2, candidates: vec![candidate(30), candidate(31)] }];
        assert_eq!(filled_ids(&tokens, &masks), [7, 30, 9]);
    }
}
