//! Turns texts into vectors, a few texts a step.

use super::{Step, Task, TaskContext};
use crate::engine::device::TRY_THE_CPU;
use crate::engine::{Event, Outcome};
use crate::load::EncoderModel;
use crate::nn::{EncoderBatch, Hooks};
use crate::types::{Embedding, EmbeddingReport, ModelId, Pooling, UserError};
use std::sync::Arc;

/// Tokens read in one step, padding included, unless a single text has more.
const TOKENS_A_STEP: usize = 1024;

/// Embeds texts.
pub(crate) struct Embed {
    model: ModelId,
    texts: Vec<String>,
    done: Vec<Embedding>,
}

/// One text's tokens.
struct Ready {
    ids: Vec<u32>,
    left_out: usize,
}

impl Embed {
    /// To embed `texts` with `model`.
    pub(crate) fn new(model: ModelId, texts: Vec<String>) -> Self {
        Self { model, texts, done: Vec::new() }
    }
}

impl Task for Embed {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let model = cx.models.encoder(self.model)?;
        if self.texts.is_empty() {
            return Err(UserError::new(
                "There is no text to embed.",
                "An embedding is the vector of a text.",
                "Give at least one text.",
            ));
        }
        let mut batch: Vec<Ready> = Vec::new();
        for text in &self.texts[self.done.len()..] {
            let ready = read(model, text)?;
            let longest = batch.iter().map(|r| r.ids.len()).max().unwrap_or(0).max(ready.ids.len());
            if !batch.is_empty() && longest * (batch.len() + 1) > TOKENS_A_STEP {
                break;
            }
            batch.push(ready);
        }
        self.done.extend(embed(model, batch)?);
        let (done, total) = (self.done.len() as u64, self.texts.len() as u64);
        (cx.emit)(Event::Progress { job: cx.job, label: "Embedding".to_owned(), done, total, unit: "texts" });
        if done < total {
            return Ok(Step::More);
        }
        let report =
            EmbeddingReport { texts: std::mem::take(&mut self.texts), embeddings: std::mem::take(&mut self.done) };
        Ok(Step::Done(Outcome::Embedded(Arc::new(report))))
    }
}

fn read(model: &EncoderModel, text: &str) -> Result<Ready, UserError> {
    let lower = model.lower_case.then(|| text.to_lowercase());
    let (tokens, left_out) = model.tokenizer.encode_at_most(lower.as_deref().unwrap_or(text), model.reads.longest)?;
    if tokens.is_empty() {
        return Err(UserError::new(
            "A text to embed is empty.",
            format!(
                "The tokenizer of {} adds nothing of its own, so there is no token to take a vector of.",
                model.info.name
            ),
            "Write something into every text.",
        ));
    }
    Ok(Ready { ids: tokens.iter().map(|token| token.id).collect(), left_out })
}

/// One vector a text, on the host.
fn embed(model: &EncoderModel, texts: Vec<Ready>) -> Result<Vec<Embedding>, UserError> {
    let facts = &model.reads;
    let ids: Vec<Vec<u32>> = texts.iter().map(|text| text.ids.clone()).collect();
    let batch = EncoderBatch::padded(&ids, model.padding_id);
    let hidden = model.encoder.forward(&batch, &mut Hooks::off()).hidden; // [B, T, D]
    let [_, t, d] = hidden.dims();
    let values = hidden.try_to_vec_as::<f32>().map_err(unreadable)?;
    let rows = values.chunks_exact(t * d).zip(texts);
    Ok(rows
        .map(|(row, text)| {
            let mut vector = pool(row, text.ids.len(), d, facts.pooling);
            if facts.normalised {
                normalise(&mut vector);
            }
            Embedding { vector, tokens: text.ids.len(), left_out: text.left_out }
        })
        .collect())
}

pub(super) fn unreadable(error: impl std::fmt::Display) -> UserError {
    UserError::new("The answer could not be read from the device.", error.to_string(), TRY_THE_CPU)
}

/// Pools the first `tokens` rows of `[T, D]`; those behind are padding.
pub(super) fn pool(row: &[f32], tokens: usize, width: usize, pooling: Pooling) -> Vec<f32> {
    let vectors = || row.chunks_exact(width).take(tokens);
    match pooling {
        Pooling::Cls => row[..width].to_vec(),
        Pooling::Mean => {
            let sum = |i: usize| vectors().map(|vector| f64::from(vector[i])).sum::<f64>();
            (0..width).map(|i| (sum(i) / tokens as f64) as f32).collect()
        }
        Pooling::Max => {
            (0..width).map(|i| vectors().map(|vector| vector[i]).fold(f32::NEG_INFINITY, f32::max)).collect()
        }
    }
}

/// To length 1. The floor is PyTorch's, for a vector of zeros.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt().max(1e-12);
    for x in vector {
        *x = (f64::from(*x) / length) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_takes_no_part_in_pooling() {
        let row = [1.0, 5.0, 3.0, -1.0, 100.0, 100.0];
        assert_eq!(pool(&row, 2, 2, Pooling::Mean), [2.0, 2.0]);
        assert_eq!(pool(&row, 2, 2, Pooling::Max), [3.0, 5.0]);
        assert_eq!(pool(&row, 2, 2, Pooling::Cls), [1.0, 5.0]);
    }

    #[test]
    fn a_vector_of_zeros_stays_one() {
        let mut vector = [0.0, 0.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.0, 0.0]);
        let mut vector = [3.0, 4.0];
        normalise(&mut vector);
        assert_eq!(vector, [0.6, 0.8]);
    }
}
