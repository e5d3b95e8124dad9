//! Text encoders: configuration, weights, and the files that say how sentences are pooled.

pub(super) mod encoder_config;
pub(super) mod encoder_model;
#[cfg(test)]
pub(super) mod encoder_tests;
pub(super) mod encoder_weights;
pub(super) mod save;
pub(super) mod sentence_files;
