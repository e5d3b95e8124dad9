//! What the products work on: elements of weights, and stretches of two matrices laid out for the innermost loop.

use super::rows::Format;
use half::{bf16, f16};

/// Columns side by side in a panel: two vectors of AVX-512, four of AVX2.
pub(super) const PANEL: usize = 32;
/// Rows that one tile takes: 12 × 2 accumulators of the 32 registers of AVX-512.
pub(super) const TILE_ROWS: usize = 12;

/// An element type weights are kept in.
pub(super) trait Element: Copy + Send + Sync {
    const FORMAT: Format;

    /// Its value; exact for every type here.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    const FORMAT: Format = Format::F32;

    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for f16 {
    const FORMAT: Format = Format::F16;

    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
}

impl Element for bf16 {
    const FORMAT: Format = Format::Bf16;

    fn to_f32(self) -> f32 {
        Self::to_f32(self)
    }
}

/// Up to [`TILE_ROWS`] rows of the left matrix, `depth` columns of each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left<'a> {
    /// As they lie in a row-major matrix: the rows begin `stride` numbers apart.
    Rows { values: &'a [f32], rows: usize, stride: usize },
    /// As columns of a row-major matrix, whose rows begin `stride` numbers apart: `[depth][stride]`, of which the first `rows` of each
    /// count. They are read where they lie: copied, they would be read once more for no more than a few panels.
    Columns { values: &'a [f32], rows: usize, stride: usize },
}

/// What the products of a tile are added to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Onto<'a> {
    /// A number for each column.
    Bias(&'a [f32; PANEL]),
    /// What stands where they are written.
    Output,
}
