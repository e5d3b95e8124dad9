//! What a word's embedding is near to.

use super::contexts::{directions, embeddings, floats, nearest, no_words};
use super::store::Body;
use super::{Step, Task, TaskContext};
use crate::engine::{NeighboursSpec, Outcome};
use crate::types::{ModelId, NeighboursReport, PromptToken, UserError};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Compares the embedding of a word's token with those of all others.
pub(crate) struct Neighbours {
    model: ModelId,
    spec: NeighboursSpec,
}

impl Neighbours {
    /// To look around the word of `spec` in the embeddings of `model`.
    pub(crate) fn new(model: ModelId, spec: NeighboursSpec) -> Self {
        Self { model, spec }
    }
}

impl Task for Neighbours {
    fn step(&mut self, cx: &mut TaskContext<'_>) -> Result<Step, UserError> {
        let tokenizer = match cx.models.body(self.model)? {
            Body::Text(model) => Arc::clone(&model.tokenizer),
            Body::Encoder(model) => Arc::clone(&model.tokenizer),
            Body::Vision(model) => return Err(no_words(model)),
        };
        let rows = embeddings(cx.models, self.model)?;
        let [vocabulary, _] = rows.dims();
        let tokens = tokenizer.encode(&self.spec.word)?;
        let is_of_word = |token: &&PromptToken| !token.span.is_empty() && (token.id as usize) < vocabulary;
        // Of a word in several tokens the last has the most to tell: the others begin other words, too.
        let token = tokens.iter().rfind(is_of_word).ok_or_else(|| {
            UserError::new(
                format!("{:?} is no word of the model.", self.spec.word),
                "Its tokenizer makes no token of it.",
                "Try another word.",
            )
        })?;
        let rows = directions(rows);
        let own: Tensor<2> = rows.clone().narrow(0, token.id as usize, 1);
        let cosines = floats(own.matmul(rows.transpose()))?; // [1, V]
        let found = nearest(&cosines, self.spec.count + 1).into_iter().filter(|(id, _)| *id != token.id as usize);
        let near = found.take(self.spec.count).map(|(id, cosine)| (id as u32, tokenizer.token_text(id as u32), cosine));
        let text = tokenizer.token_text(token.id);
        let report = NeighboursReport { id: token.id, text, pieces: tokens.len(), near: near.collect() };
        Ok(Step::Done(Outcome::NeighboursFound(Arc::new(report))))
    }
}
