//! Digit networks and MNIST-format images.

pub mod digit_image;
pub(super) mod digit_model;
pub mod idx;
mod paper;
