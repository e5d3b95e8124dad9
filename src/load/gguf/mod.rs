//! GGUF: the format of llama.cpp and its kin, which keeps settings, tokenizer and weights in one file or a few.
//!
//! `header` reads what stands before the weights, `parts` finds the other files of a model in several.

mod config;
mod cursor;
mod family;
mod header;
#[cfg(test)]
mod hostile_tests;
mod metadata;
#[cfg(test)]
mod models_tests;
mod names;
mod parts;
mod place;
mod rope;
mod source;
mod tensor_kind;
mod tokens;
mod weights;
mod write;

pub(in crate::load) use family::Family;
pub(in crate::load) use names::Names;
pub(in crate::load) use place::place;
pub(in crate::load) use tokens::{Purpose, way_of};
pub(in crate::load) use weights::GgufTensors;
pub(in crate::load) use write::{NewTensor, Setting, WrittenType, write};
