//! Attention patterns in one pass: scores, mask and softmax of a row while it is in the cache.

use super::inner::{self, Level};
use super::output::for_each_chunk;
use super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::scratch;

/// Sizes of an attention layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Sequences times key-value heads.
    pub(super) groups: usize,
    /// Query heads that share a key-value head.
    pub(super) shared_by: usize,
    /// Queries T of a head.
    pub(super) queries: usize,
    /// Keys S of a head.
    pub(super) keys: usize,
    /// Head width K.
    pub(super) width: usize,
}

/// softmax(scale · q kᵀ), each query seeing the keys up to its own position (the last query sees all), the others at 0.
///
/// `q` is `[groups, shared_by, T, K]`, `k` `[groups, S, K]` → `[groups, shared_by, T, S]`.
pub(super) fn causal_pattern(level: Level, q: &[f32], k: &[f32], scale: f32, sizes: Sizes) -> Vec<f32> {
    let Sizes { groups, shared_by, queries, keys, width } = sizes;
    assert!(q.len() == groups * shared_by * queries * width && k.len() == groups * keys * width && queries <= keys);
    let mut out = vec![0.0; groups * shared_by * queries * keys];
    for_each_chunk([&mut out], queries * keys, |head, [out]| {
        let (group, q) = (head / shared_by, &q[head * queries * width..(head + 1) * queries * width]);
        one_head(level, q, &k[group * keys * width..(group + 1) * keys * width], scale, sizes, out);
    });
    out
}

fn one_head(level: Level, q: &[f32], k: &[f32], scale: f32, sizes: Sizes, out: &mut [f32]) {
    let Sizes { queries, keys, width, .. } = sizes;
    let past = keys - queries;
    scratch::with([keys.div_ceil(PANEL) * PANEL * width], |[panels]| {
        for (keys, panel) in k.chunks(PANEL * width).zip(panels.chunks_exact_mut(PANEL * width)) {
            inner::transpose_rows(level, keys, width, width, panel);
        }
        let mut tile = [[0.0f32; PANEL]; TILE_ROWS];
        for (block, q) in q.chunks(TILE_ROWS * width).enumerate() {
            let (first, rows) = (block * TILE_ROWS, q.len() / width);
            let left = Left::Rows { values: q, rows, stride: width };
            let visible_to_last = past + first + rows;
            let panels = panels.chunks_exact(PANEL * width).take(visible_to_last.div_ceil(PANEL));
            for (index, panel) in panels.enumerate() {
                let onto = Onto::Bias(&[0.0; PANEL]);
                // SAFETY: the tile has room for as many rows as one call makes.
                #[expect(unsafe_code, reason = "a tile is written through a pointer")]
                unsafe {
                    inner::tile(level, left, panel, onto, tile.as_mut_ptr().cast(), PANEL);
                };
                for (row, values) in tile[..rows].iter().enumerate() {
                    let visible = past + first + row + 1;
                    let (start, end) = (index * PANEL, visible.min((index + 1) * PANEL));
                    if start < end {
                        let row = (first + row) * keys;
                        out[row + start..row + end].copy_from_slice(&values[..end - start]);
                    }
                }
            }
            for row in first..first + rows {
                inner::softmax(level, &mut out[row * keys..(row + 1) * keys], past + row + 1, scale);
            }
        }
    });
}
