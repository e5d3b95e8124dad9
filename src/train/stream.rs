//! The streams of random numbers of a run.

use crate::types::Random;

/// What random numbers are drawn for. Every purpose has a stream of its own, so that what one draws leaves the others as they
/// are, and every place within it another.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(super) enum Stream {
    /// Which images are held out.
    Split = 1,
    /// The order of images, an epoch each.
    ImageOrder = 2,
    /// How images are distorted, a step each.
    Distortion = 3,
    /// The order and the cuts of passages, an epoch each.
    PassageOrder = 4,
    /// First weights, a parameter each.
    Weights = 5,
    /// Sequences of few-shot documents, a place of a batch of a step each.
    Sequences = 6,
    /// Those the learning curve is measured on.
    HeldOutSequences = 7,
    /// First weights that look back.
    LookBack = 8,
    /// First weights of low-rank changes, a matrix each.
    LowRank = 9,
    /// The order of labelled texts, an epoch each.
    ExampleOrder = 10,
    /// Which tokens are blanks, a batch each.
    Blanks = 11,
    /// Those the learning curve is measured on, a window each.
    HeldOutBlanks = 12,
    /// The order of pairs of texts, an epoch each.
    PairOrder = 13,
    /// How the texts of pairs are made, a batch each.
    Views = 14,
    /// Those the learning curve is measured on, a slice each.
    HeldOutViews = 15,
    /// First weights of encoders that look around.
    LookAround = 16,
    /// Questions about what stood before, a place of a batch of a step each.
    MemorySequences = 17,
    /// Those the learning curve is measured on.
    HeldOutMemory = 18,
    /// What is dropped out, a batch each.
    Dropout = 19,
}

/// What draws what a network drops out in a batch, counted from 1 over the run.
pub(super) fn dropout(seed: u64, batch: usize) -> Random {
    Random::new(seed, Stream::Dropout.at(batch as u64))
}

impl Stream {
    /// The stream of one place.
    pub(super) fn at(self, place: u64) -> u64 {
        ((self as u64) << 40) + place
    }
}
