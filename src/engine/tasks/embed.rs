//! Turns texts into vectors, as many a step as are worth a pass: those of nearly one length together.

use super::{Step, Task, TaskContext};
use crate::engine::device::TRY_THE_CPU;
use crate::engine::{Event, Outcome};
use crate::load::EncoderModel;
use crate::types::{Embedding, EmbeddingReport, ModelId, Pooling, UserError};
use rayon::prelude::*;
use std::sync::Arc;

/// Texts that are sorted by length together. They are turned into tokens by all threads at once.
const TEXTS_SORTED: usize = 1024;
/// Tokens a step may read, padding included, unless a single text has more: what comes of them fits in memory that is used again.
const MOST_TOKENS: usize = 1024;
/// Tokens that a step may read however large the model is: fewer would not be worth laying out its weights.
const LEAST_TOKENS: usize = 512;
/// Multiplications a step is meant to take; some tenths of a second on a few cores.
const MULTIPLICATIONS: u64 = 1 << 35;

/// Embeds texts.
pub(crate) struct Embed {
    model: ModelId,
    texts: Vec<String>,
    /// Of the texts that are tokens so far; those still waiting stand in `waiting`.
    done: Vec<Option<Embedding>>,
    /// The shortest last.
    waiting: Vec<Waiting>,
}

/// A text that is still to be read.
struct Waiting {
    place: usize,
    ids: Vec<u32>,
    left_out: usize,
}

impl Embed {
    /// To embed `texts` with `model`.
    pub(crate) fn new(model: ModelId, texts: Vec<String>) -> Self {
        Self { model, texts, done: Vec::new(), waiting: Vec::new() }
    }

    /// Turns the next texts into tokens.
    fn take_in(&mut self, model: &EncoderModel) -> Result<(), UserError> {
        let first = self.done.len();
        let texts = &self.texts[first..self.texts.len().min(first + TEXTS_SORTED)];
        let read = |(i, text): (usize, &String)| read(model, text, first + i);
        self.waiting = match texts {
            [text] => vec![read((0, text))?],
            texts => texts.par_iter().enumerate().map(read).collect::<Result<_, _>>()?,
        };
        self.done.resize(first + texts.len(), None);
        self.waiting.sort_by_key(|text| std::cmp::Reverse(text.ids.len()));
        Ok(())
    }

    /// Takes out the longest texts that wait, as many as are read in one step.
    fn longest(&mut self, tokens: usize) -> Vec<Waiting> {
        let longest = self.waiting.first().map_or(1, |text| text.ids.len());
        let rest = self.waiting.split_off(self.waiting.len().min((tokens / longest).max(1)));
        std::mem::replace(&mut self.waiting, rest)
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
        if self.waiting.is_empty() {
            self.take_in(model)?;
        }
        let batch = self.longest(tokens_a_step(model));
        let ids: Vec<&[u32]> = batch.iter().map(|text| &text.ids[..]).collect();
        for (text, vector) in batch.iter().zip(embed(model, &ids)?) {
            let (tokens, left_out) = (text.ids.len(), text.left_out);
            self.done[text.place] = Some(Embedding { vector, tokens, left_out });
        }
        let (done, total) = ((self.done.len() - self.waiting.len()) as u64, self.texts.len() as u64);
        (cx.emit)(Event::Progress { job: cx.job, label: "Embedding".to_owned(), done, total, unit: "texts" });
        if done < total {
            return Ok(Step::More);
        }
        let embeddings = std::mem::take(&mut self.done).into_iter().flatten().collect();
        let report = EmbeddingReport { texts: std::mem::take(&mut self.texts), embeddings };
        Ok(Step::Done(Outcome::Embedded(Arc::new(report))))
    }
}

fn tokens_a_step(model: &EncoderModel) -> usize {
    // A token meets every weight once but for the embedding of all others.
    let shape = model.config.shape();
    let embeddings = (shape.vocabulary + shape.positions) * shape.hidden;
    let weights = model.info.parameters.saturating_sub(embeddings as u64).max(1);
    usize::try_from(MULTIPLICATIONS / weights).unwrap_or(MOST_TOKENS).clamp(LEAST_TOKENS, MOST_TOKENS)
}

fn read(model: &EncoderModel, text: &str, place: usize) -> Result<Waiting, UserError> {
    let lower = model.lower_case.then(|| text.to_lowercase());
    let (ids, left_out) = model.tokenizer.ids_at_most(lower.as_deref().unwrap_or(text), model.reads.longest)?;
    if ids.is_empty() {
        return Err(UserError::new(
            "A text to embed is empty.",
            format!(
                "The tokenizer of {} adds nothing of its own, so there is no token to take a vector of.",
                model.info.name
            ),
            "Write something into every text.",
        ));
    }
    Ok(Waiting { place, ids, left_out })
}

/// One vector a text, on the host.
///
/// # Errors
/// When they cannot be read back.
pub(super) fn embed(model: &EncoderModel, ids: &[&[u32]]) -> Result<Vec<Vec<f32>>, UserError> {
    let facts = &model.reads;
    let hidden = model.encoder.read(ids, model.padding_id); // [N, D]
    let [_, d] = hidden.dims();
    let values = hidden.try_to_vec_as::<f32>().map_err(unreadable)?;
    let mut rest = &values[..];
    let vectors = ids.iter().map(|ids| {
        let (rows, behind) = rest.split_at(ids.len() * d);
        rest = behind;
        let mut vector = pool(rows, ids.len(), d, facts.pooling);
        if facts.normalised {
            normalise(&mut vector);
        }
        vector
    });
    Ok(vectors.collect())
}

pub(super) fn unreadable(error: impl std::fmt::Display) -> UserError {
    UserError::new("The answer could not be read from the device.", error.to_string(), TRY_THE_CPU)
}

/// Pools the first `tokens` rows of `[T, D]`; those behind are padding.
pub(super) fn pool(rows: &[f32], tokens: usize, width: usize, pooling: Pooling) -> Vec<f32> {
    let vectors = rows.chunks_exact(width).take(tokens);
    match pooling {
        Pooling::Cls => rows[..width].to_vec(),
        Pooling::Mean => {
            let mut sums = vec![0.0; width];
            for vector in vectors {
                sums.iter_mut().zip(vector).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            sums.into_iter().map(|sum: f64| (sum / tokens as f64) as f32).collect()
        }
        Pooling::Max => {
            let mut largest = vec![f32::NEG_INFINITY; width];
            for vector in vectors {
                largest.iter_mut().zip(vector).for_each(|(largest, x)| *largest = largest.max(*x));
            }
            largest
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
