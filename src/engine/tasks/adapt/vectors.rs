//! What the frozen model makes of each example, computed once and kept.

use super::subject::{Far, Subject};
use crate::engine::device::TRY_THE_CPU;
use crate::train::linear::Vectors;
use crate::types::{LabelledKind, UserError};
use burn::tensor::Tensor;
use std::time::Instant;

/// Which vector stands for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// As the encoder pools by itself.
    Pooled,
    /// The mean over a decoder's tokens.
    Mean,
    /// What a head for classes reads: a decoder's last token, an encoder's or a vision transformer's first, a digit network's last hidden
    /// layer.
    OfHead,
}

/// Vectors on their way.
pub(super) struct Making<S: Subject> {
    read: Read,
    /// Examples of the data, each of which has a row.
    rows: usize,
    places: Vec<usize>,
    /// Nothing until they stand in line.
    waiting: Option<Vec<S::Item>>,
    vectors: Vectors,
    /// Tokens of each example, as far as they are read.
    tokens: Vec<usize>,
    seconds: f64,
    cut: usize,
}

impl<S: Subject> Making<S> {
    /// Of the examples at some places of `rows`.
    pub(super) fn new(read: Read, rows: usize, places: Vec<usize>) -> Self {
        let (tokens, vectors) = (vec![0; rows], Vectors::default());
        Self { read, rows, places, waiting: None, vectors, tokens, seconds: 0.0, cut: 0 }
    }

    /// True once every example has its vector.
    pub(super) fn is_done(&self) -> bool {
        self.places.is_empty() || self.waiting.as_ref().is_some_and(Vec::is_empty)
    }

    /// How many have theirs.
    pub(super) fn far(&self) -> Far {
        let waiting = self.waiting.as_ref().map_or(self.places.len(), Vec::len);
        let label = match S::KIND {
            LabelledKind::Texts => "Making vectors of the texts",
            LabelledKind::Pictures => "Making vectors of the pictures",
        };
        Far { label, done: [self.places.len() - waiting, self.places.len()] }
    }

    /// Reads some.
    ///
    /// # Errors
    /// When one cannot be read, or its vector not be read back or is none.
    pub(super) fn step(&mut self, subject: &S) -> Result<(), UserError> {
        let begun = Instant::now();
        let Some(waiting) = &mut self.waiting else {
            let waiting = subject.queue(&self.places)?;
            self.cut = waiting.iter().filter(|item| subject.is_cut(item)).count();
            self.waiting = Some(waiting);
            self.seconds += begun.elapsed().as_secs_f64();
            return Ok(());
        };
        let batch = subject.take(waiting);
        for (item, vector) in batch.iter().zip(subject.vectors(self.read, &batch)?) {
            if self.vectors.width == 0 {
                self.vectors = Vectors { width: vector.len(), numbers: vec![0.0; self.rows * vector.len()] };
            }
            if vector.iter().any(|x| !x.is_finite()) {
                return Err(no_numbers(&subject.info().name));
            }
            let (place, width) = (subject.place(item), self.vectors.width);
            self.vectors.numbers[place * width..(place + 1) * width].copy_from_slice(&vector);
            self.tokens[place] = subject.tokens(item);
        }
        self.seconds += begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// A row for each example of the data; zeros for those that were not asked for.
    pub(super) fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// Seconds that an example took.
    pub(super) fn seconds_each(&self) -> f64 {
        self.seconds / self.places.len().max(1) as f64
    }

    /// Mean of the tokens of some.
    pub(super) fn tokens_each(&self, places: &[usize]) -> f64 {
        places.iter().map(|place| self.tokens[*place] as f64).sum::<f64>() / places.len().max(1) as f64
    }

    /// How many did not fit.
    pub(super) fn cut(&self) -> usize {
        self.cut
    }
}

/// Values on the host.
pub(super) fn host(tensor: &Tensor<2>) -> Result<Vec<f32>, UserError> {
    tensor.try_to_vec_as::<f32>().map_err(|error| {
        UserError::new("The vectors could not be read from the device.", format!("{error:?}"), TRY_THE_CPU)
    })
}

/// The same row by row, `[B, W]`.
pub(super) fn rows(tensor: &Tensor<2>) -> Result<Vec<Vec<f32>>, UserError> {
    let [_, width] = tensor.dims();
    Ok(host(tensor)?.chunks_exact(width).map(<[f32]>::to_vec).collect())
}

fn no_numbers(name: &str) -> UserError {
    UserError::new(
        format!("{name} makes vectors that are no numbers."),
        "Its weights or a computation on this device went wrong.",
        "Look inside the model: the first place where it happens is named there.",
    )
}
