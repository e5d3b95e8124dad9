//! Classifiers of texts: a decoder or an encoder with a head for classes, read and written in transformers' layout.

mod body;
pub(super) mod class_settings;
pub(super) mod classifier_model;
#[cfg(test)]
mod classifier_tests;
pub(super) mod drawing;
pub(super) mod head_weights;
pub(super) mod save;
