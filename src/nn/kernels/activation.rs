//! The activations of gated and plain MLPs, in one pass and shared among threads.

use super::inner::{self, Level};
use rayon::prelude::*;

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 14;

/// x · σ(slope · x + cubic · x³), times y where there is one.
pub(super) fn gate(level: Level, mut x: Vec<f32>, y: Option<&[f32]>, slope: f32, cubic: f32) -> Vec<f32> {
    match y {
        Some(y) => {
            let chunks = x.par_chunks_mut(CHUNK).zip(y.par_chunks(CHUNK));
            chunks.for_each(|(x, y)| inner::gate(level, x, Some(y), slope, cubic));
        }
        None => x.par_chunks_mut(CHUNK).for_each(|x| inner::gate(level, x, None, slope, cubic)),
    }
    x
}
