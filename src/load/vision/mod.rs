//! Vision transformers, and pictures on their way to them.

pub(super) mod picture_file;
pub(super) mod preprocessor;
pub(super) mod resize;
pub(super) mod save;
pub(super) mod vision_config;
pub(super) mod vision_model;
pub(super) mod vision_weights;
