//! Architectures, one a file, and the one face each kind of them has.

pub(super) mod bert;
pub(super) mod causal_lm;
pub(super) mod decoder;
pub(super) mod digit;
pub(super) mod digit_cnn;
pub(super) mod digit_mlp;
pub(super) mod distilbert;
pub(super) mod feed_forward;
pub(super) mod gemma2;
pub(super) mod gpt2;
pub(super) mod gpt_neox;
pub(super) mod llama;
pub(super) mod recurrent;
pub(super) mod roberta;
pub(super) mod text_classifier;
pub(super) mod text_config;
pub(super) mod text_encoder;
pub(super) mod vit;
