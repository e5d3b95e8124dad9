//! What recurrent networks are made of.

use serde::{Deserialize, Serialize};

/// What a unit of a recurrent layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecurrentCell {
    /// Long short-term memory (Hochreiter and Schmidhuber 1997), with a forget gate (Gers et al. 2000), as in PyTorch's `nn.LSTM`:
    /// c′ = σ(f)·c + σ(i)·tanh(g), h′ = σ(o)·tanh(c′).
    Lstm,
    /// h′ = tanh(x + W h) (Elman 1990), as in PyTorch's `nn.RNN`.
    Tanh,
}

impl RecurrentCell {
    /// Numbers G of a unit before its activation.
    #[must_use]
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Tanh => 1,
        }
    }
}
