//! Tensor maths on burn only.

mod digit;
mod digit_cnn;
mod digit_mlp;
mod loss;
mod random;

pub use digit::{DigitConfig, DigitNet};
pub use digit_cnn::{DigitCnn, DigitCnnConfig};
pub use digit_mlp::{DigitMlp, DigitMlpConfig};
pub use loss::cross_entropy;
pub use random::Random;
