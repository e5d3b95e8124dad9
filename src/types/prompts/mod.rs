//! What is asked of a language model, and what it answers.

pub(super) mod bias;
pub(super) mod chat;
pub(super) mod forget;
pub(super) mod own_sampling;
pub(super) mod prompt;
pub(super) mod run;
pub(super) mod samples;
pub(super) mod sampling;
pub(super) mod score;
pub(super) mod surprise;
pub(super) mod token;
