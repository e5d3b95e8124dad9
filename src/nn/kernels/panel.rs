//! What the kernels work on: elements of weights, and stretches of a weight matrix turned so that outputs lie side by side.

use half::{bf16, f16};

/// Outputs side by side in a panel: two vectors of AVX-512, four of AVX2.
pub(super) const PANEL: usize = 32;
/// Rows of `x` that one tile takes: 12 × 2 accumulators of the 32 registers of AVX-512.
pub(super) const TILE_ROWS: usize = 12;

/// Up to [`PANEL`] rows of a weight matrix `[out, in]` in F32, turned to `[in][PANEL]`.
pub(super) struct Panel(pub(super) Vec<f32>);

impl Panel {
    /// For rows of this many inputs.
    pub(super) fn new(inputs: usize) -> Self {
        Self(vec![0.0; inputs * PANEL])
    }
}

/// How the bits of an element are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    Bf16,
}

/// An element type weights are kept in.
pub(super) trait Element: Copy + Send + Sync {
    const KIND: Kind;

    /// Its value; exact for every type here.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    const KIND: Kind = Kind::F32;

    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for f16 {
    const KIND: Kind = Kind::F16;

    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
}

impl Element for bf16 {
    const KIND: Kind = Kind::Bf16;

    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
}
