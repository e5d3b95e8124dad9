//! Files to values and back.

mod data_error;
pub mod digit_image;
pub mod idx;

pub use data_error::DataError;
