//! Causal language models: configuration and weights of every family.

pub(super) mod config;
#[cfg(test)]
pub(super) mod config_tests;
pub(super) mod family;
pub(super) mod gemma2_weights;
pub(super) mod gpt2_weights;
pub(super) mod gpt_neox_weights;
pub(super) mod llama_weights;
pub(super) mod recurrent_weights;
pub(super) mod text_model;
