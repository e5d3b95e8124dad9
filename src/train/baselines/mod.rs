//! What counting alone reaches on a text: what a network must be better than before it has learned anything worth learning.

mod ngrams;
mod reading;
mod words_around;

pub(in crate::train) use reading::HeldOutBlank;
pub(crate) use reading::{CountBaselines, CountedFor};
