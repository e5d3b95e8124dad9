//! What the frozen model makes of each text, computed once and kept.

use crate::engine::device::TRY_THE_CPU;
use crate::engine::tasks::classify_texts::{ReadText, longest, read, tokens_a_step};
use crate::engine::tasks::embed::{embed, pool};
use crate::load::{ClassifierBody, ClassifierModel};
use crate::train::linear::Vectors;
use crate::types::{Pooling, UserError};
use burn::tensor::Tensor;
use std::time::Instant;

/// Which vector stands for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// As the encoder pools by itself.
    Pooled,
    /// The mean over a decoder's tokens.
    Mean,
    /// What a head for classes reads: a decoder's last token, an encoder's first.
    OfHead,
}

/// Vectors on their way.
pub(super) struct Making {
    read: Read,
    /// Examples of the data, each of which has a row.
    rows: usize,
    places: Vec<usize>,
    texts: Vec<String>,
    /// Nothing until texts are tokens; the shortest last.
    waiting: Option<Vec<ReadText>>,
    vectors: Vectors,
    /// Tokens of each example, as far as they are read.
    tokens: Vec<usize>,
    seconds: f64,
    cut: usize,
}

impl Making {
    /// Of the texts at some places of `rows` examples.
    pub(super) fn new(read: Read, rows: usize, places: Vec<usize>, texts: Vec<String>) -> Self {
        let (tokens, vectors) = (vec![0; rows], Vectors::default());
        Self { read, rows, places, texts, waiting: None, vectors, tokens, seconds: 0.0, cut: 0 }
    }

    /// True once every text has its vector.
    pub(super) fn is_done(&self) -> bool {
        self.places.is_empty() || self.waiting.as_ref().is_some_and(Vec::is_empty)
    }

    /// Texts that have theirs, and all.
    pub(super) fn progress(&self) -> (u64, u64) {
        let waiting = self.waiting.as_ref().map_or(self.places.len(), Vec::len);
        ((self.places.len() - waiting) as u64, self.places.len() as u64)
    }

    /// Reads some texts.
    ///
    /// # Errors
    /// When a text cannot be split, or its vector not be read back or is none.
    pub(super) fn step(&mut self, model: &ClassifierModel) -> Result<(), UserError> {
        let begun = Instant::now();
        let Some(waiting) = &mut self.waiting else {
            let texts = self.places.iter().copied().zip(self.texts.iter().map(String::as_str));
            let texts = read(model, texts)?;
            self.cut = texts.iter().filter(|text| text.left_out > 0).count();
            self.waiting = Some(texts);
            self.seconds += begun.elapsed().as_secs_f64();
            return Ok(());
        };
        let batch = longest(waiting, tokens_a_step(model));
        let ids: Vec<&[u32]> = batch.iter().map(|text| &text.ids[..]).collect();
        for (text, vector) in batch.iter().zip(vectors_of(model, self.read, &ids)?) {
            if self.vectors.width == 0 {
                self.vectors = Vectors { width: vector.len(), numbers: vec![0.0; self.rows * vector.len()] };
            }
            if vector.iter().any(|x| !x.is_finite()) {
                return Err(no_numbers(&model.info().name));
            }
            let width = self.vectors.width;
            self.vectors.numbers[text.place * width..(text.place + 1) * width].copy_from_slice(&vector);
            self.tokens[text.place] = text.ids.len();
        }
        self.seconds += begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// A row for each example of the data; zeros for those that were not asked for.
    pub(super) fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// Seconds that a text took.
    pub(super) fn seconds_a_text(&self) -> f64 {
        self.seconds / self.places.len().max(1) as f64
    }

    /// Mean of the tokens of some texts.
    pub(super) fn tokens_a_text(&self, places: &[usize]) -> f64 {
        places.iter().map(|place| self.tokens[*place] as f64).sum::<f64>() / places.len().max(1) as f64
    }

    /// Texts that did not fit.
    pub(super) fn cut(&self) -> usize {
        self.cut
    }
}

fn vectors_of(model: &ClassifierModel, read: Read, ids: &[&[u32]]) -> Result<Vec<Vec<f32>>, UserError> {
    match (&model.body, read) {
        (ClassifierBody::Encoder(encoder), Read::Pooled) => embed(encoder, ids),
        (ClassifierBody::Decoder(decoder), Read::Mean) => {
            let numbers = host(&decoder.lm.vectors(ids))?; // [N, D]
            let width = numbers.len() / ids.iter().map(|ids| ids.len()).sum::<usize>();
            let mut rest = &numbers[..];
            let pooled = ids.iter().map(|ids| {
                let (rows, behind) = rest.split_at(ids.len() * width);
                rest = behind;
                pool(rows, ids.len(), width, Pooling::Mean)
            });
            Ok(pooled.collect())
        }
        _ => {
            let numbers = host(&model.net().vectors(ids, model.padding_id))?; // [B, D]
            let width = numbers.len() / ids.len();
            Ok(numbers.chunks_exact(width).map(<[f32]>::to_vec).collect())
        }
    }
}

fn host(tensor: &Tensor<2>) -> Result<Vec<f32>, UserError> {
    tensor.try_to_vec_as::<f32>().map_err(|error| {
        UserError::new("The vectors could not be read from the device.", format!("{error:?}"), TRY_THE_CPU)
    })
}

fn no_numbers(name: &str) -> UserError {
    UserError::new(
        format!("{name} makes vectors that are no numbers."),
        "Its weights or a computation on this device went wrong.",
        "Look inside the model: the first place where it happens is named there.",
    )
}
