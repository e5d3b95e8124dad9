//! What is asked of a language model, and what it answers.

pub(super) mod chat;
pub(super) mod prompt;
pub(super) mod run;
pub(super) mod sampling;
pub(super) mod score;
pub(super) mod token;
