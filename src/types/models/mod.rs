//! What is known of a model.

pub(super) mod adapter;
pub(super) mod card;
pub(super) mod cell;
pub(super) mod classifier;
pub(super) mod convert;
pub(super) mod encoder;
pub(super) mod gguf_name;
pub(super) mod held_out;
pub(super) mod hidden_layers;
pub(super) mod model;
pub(super) mod name;
pub(super) mod shape;
pub(super) mod size;
pub(super) mod tensor;
pub(super) mod traffic;
