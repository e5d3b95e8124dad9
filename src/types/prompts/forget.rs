//! How much what a model says at the end still depends on each token before, and what a recurrent model keeps of them.

use crate::types::PromptToken;
use serde::{Deserialize, Serialize};

/// The gradient of the last token's loss with respect to what the model reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForgetReport {
    /// All tokens; the last is the one that is predicted.
    pub tokens: Vec<PromptToken>,
    /// Of each token but the last, the length ‖∂L/∂x‖ of the gradient of L = −ln P(last token) with respect to its embedding x, as the
    /// model reads it.
    pub norms: Vec<f64>,
    /// L in nats.
    pub loss: f64,
}

impl ForgetReport {
    /// Each length in proportion to the largest.
    #[must_use]
    pub fn shares(&self) -> Vec<f64> {
        let largest = self.norms.iter().copied().fold(0.0, f64::max);
        self.norms.iter().map(|norm| if largest > 0.0 { norm / largest } else { 0.0 }).collect()
    }
}

/// A value that a recurrent layer has at each token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatePart {
    /// How much of what is new enters the cell: σ(i).
    InputGate,
    /// How much of the cell stays: σ(f).
    ForgetGate,
    /// What is new: tanh(g).
    Candidate,
    /// How much of the cell is handed on: σ(o).
    OutputGate,
    /// The cell c.
    Cell,
    /// What is handed on: h.
    Hidden,
}

impl StatePart {
    /// Its letter in PyTorch's documentation of `nn.LSTM`.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::InputGate => "i",
            Self::ForgetGate => "f",
            Self::Candidate => "g",
            Self::OutputGate => "o",
            Self::Cell => "c",
            Self::Hidden => "h",
        }
    }
}

/// What one layer has at each token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerStates {
    /// Units H.
    pub units: usize,
    /// Values of each part, `[T, H]` row-major: i, f, g, o, c and h of an LSTM, h of a tanh network.
    pub parts: Vec<(StatePart, Vec<f32>)>,
}

/// What a recurrent model keeps of a text, token by token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatesReport {
    /// All tokens T.
    pub tokens: Vec<PromptToken>,
    /// From input to output.
    pub layers: Vec<LayerStates>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_largest_and_of_nothing_zero() {
        let report = |norms: &[f64]| ForgetReport { norms: norms.to_vec(), ..ForgetReport::default() }.shares();
        assert_eq!(report(&[1.0, 4.0, 2.0]), [0.25, 1.0, 0.5]);
        assert_eq!(report(&[0.0, 0.0]), [0.0, 0.0]);
    }
}
