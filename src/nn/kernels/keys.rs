//! Attention of queries to keys that were made before them, mostly those of a cache: a block of keys at a time, all queries that share
//! them, with a running softmax (Milakov and Gimelshein 2018; Dao et al. 2022), so that scores stay in the cache of the processor
//! however long the past is.
//!
//! B batch, T queries, S keys (S ≥ T, the last T are the queries' own), H heads, G key-value heads, K head width.
#![expect(unsafe_code, reason = "tiles are written through pointers, results once and not after zeros")]

use super::inner::{self, Level};
use super::output::{Shared, written};
use super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::{scratch, team};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Keys of a block.
const BLOCK: usize = 256;
/// Queries that a thread takes at a time.
const ROWS: usize = 8 * TILE_ROWS;
const NOTHING: Onto<'static> = Onto::Bias(&[0.0; PANEL]);

/// Sizes of an attention layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Sequences B.
    pub(super) batch: usize,
    /// Key-value heads G.
    pub(super) groups: usize,
    /// Query heads H / G that share a key-value head.
    pub(super) shared_by: usize,
    /// Queries T of a head.
    pub(super) queries: usize,
    /// Keys S of a head.
    pub(super) keys: usize,
    /// Head width K.
    pub(super) width: usize,
}

/// How scores are made of q kᵀ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scores {
    /// Multiplies it.
    pub(crate) scale: f32,
    /// Scores s become c · tanh(s / c).
    pub(crate) cap: Option<f32>,
}

/// Keys or values where they lie, `[B, G, S, K]`: K numbers stand together, and what else is how far apart is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strided<'a> {
    /// From the first one on.
    pub(super) values: &'a [f32],
    /// From one sequence, head and key to the next.
    pub(super) steps: [usize; 3],
}

impl Strided<'_> {
    /// The rows of some keys of a head, from the first to the end of the last.
    fn rows(&self, sequence: usize, group: usize, keys: Range<usize>, width: usize) -> &[f32] {
        let [of_sequence, of_group, of_key] = self.steps;
        let start = sequence * of_sequence + group * of_group + keys.start * of_key;
        &self.values[start..start + (keys.len() - 1) * of_key + width]
    }

    /// From one key to the next.
    fn step(&self) -> usize {
        self.steps[2]
    }
}

/// softmax(scores + bias) v, each query seeing the keys up to its own, the last one all: q `[B][H][T][K]` → `[B][H][T][K]`. `bias` is
/// `[1 or B][T][S]`.
pub(super) fn attend(
    level: Level,
    q: &[f32],
    [k, v]: [Strided<'_>; 2],
    bias: Option<&[f32]>,
    scores: Scores,
    sizes: Sizes,
) -> Vec<f32> {
    let Sizes { batch, groups, shared_by, queries, keys, width } = sizes;
    assert!(
        q.len() == batch * groups * shared_by * queries * width && 0 < queries && queries <= keys,
        "sizes of these"
    );
    let of_bias = bias.map_or(0, |bias| if bias.len() == queries * keys { 0 } else { queries * keys });
    assert!(
        bias.is_none_or(|bias| bias.len() == if of_bias == 0 { 1 } else { batch } * queries * keys),
        "a bias for each"
    );
    let blocks = keys.div_ceil(BLOCK);
    let laid = Laid { width, keys, wide: width.next_multiple_of(PANEL) };
    // SAFETY: every block of every key-value head is laid out by one thread, whole.
    let panels = unsafe {
        written(batch * groups * laid.of_head(), |out| {
            let out = Shared::new(out);
            team::for_each(batch * groups * blocks, |i| {
                let (head, block) = (i / blocks, i % blocks);
                laid.lay_out(level, [k, v], [head / groups, head % groups, head], block, &out);
            });
        })
    };
    let rows = shared_by * queries;
    let parts = rows.div_ceil(ROWS);
    // SAFETY: every query of every head is written by one thread, whole.
    unsafe {
        written(q.len(), |z| {
            let z = Shared::new(z);
            team::for_each(batch * groups * parts, |i| {
                let (head, first) = (i / parts, i % parts * ROWS);
                let at = (head * rows + first) * width;
                let count = ROWS.min(rows - first);
                let part = Part {
                    level,
                    q: &q[at..at + count * width],
                    first,
                    bias: bias.map(|bias| &bias[head / groups * of_bias..][..queries * keys]),
                    scores,
                    laid,
                    queries,
                    panels: &panels[head * laid.of_head()..][..laid.of_head()],
                };
                part.attend(z.stretch(at, count * width));
            });
        })
    }
}

/// How keys and values of a head are laid out for the products: blocks behind each other, of each the keys transposed in panels
/// `[K][PANEL]`, then the values in panels `[keys][PANEL]`.
#[derive(Clone, Copy)]
struct Laid {
    width: usize,
    keys: usize,
    /// K in whole panels.
    wide: usize,
}

impl Laid {
    fn of_head(self) -> usize {
        self.keys.next_multiple_of(PANEL) * self.width + self.keys * self.wide
    }

    /// The keys of a block, and where its panels lie: those of the keys up to where those of the values begin, and their end.
    fn block(self, block: usize) -> (Range<usize>, [usize; 3]) {
        let keys = block * BLOCK..((block + 1) * BLOCK).min(self.keys);
        let start = keys.start * (self.width + self.wide);
        let values = start + keys.len().next_multiple_of(PANEL) * self.width;
        (keys.clone(), [start, values, values + keys.len() * self.wide])
    }

    fn lay_out(self, level: Level, [k, v]: [Strided<'_>; 2], place: [usize; 3], block: usize, out: &Shared<'_>) {
        let ([sequence, group, head], (keys, [start, values, end])) = (place, self.block(block));
        let at = head * self.of_head();
        // SAFETY: this block of this head is this call's own, and zero bits are the number 0.
        let out = unsafe {
            out.stretch(at + start, end - start).as_mut_ptr().write_bytes(0, end - start);
            out.numbers(at + start, end - start)
        };
        let (key_panels, value_panels) = out.split_at_mut(values - start);
        for (i, panel) in key_panels.chunks_exact_mut(self.width * PANEL).enumerate() {
            let first = keys.start + i * PANEL;
            let rows = k.rows(sequence, group, first..keys.end.min(first + PANEL), self.width);
            inner::transpose_rows(level, rows, k.step(), self.width, panel);
        }
        let rows = v.rows(sequence, group, keys.clone(), self.width);
        for (i, panel) in value_panels.chunks_exact_mut(keys.len() * PANEL).enumerate() {
            inner::copy_columns(level, &rows[i * PANEL..], v.step(), PANEL.min(self.width - i * PANEL), panel);
        }
    }
}

/// Some of the queries that share a key-value head: those of its first query head, then those of its second.
struct Part<'a> {
    level: Level,
    /// `[rows][K]`.
    q: &'a [f32],
    /// The first one among all that share the head.
    first: usize,
    /// `[T][S]`.
    bias: Option<&'a [f32]>,
    scores: Scores,
    laid: Laid,
    /// T.
    queries: usize,
    panels: &'a [f32],
}

impl Part<'_> {
    fn attend(&self, z: &mut [MaybeUninit<f32>]) {
        let Laid { width, wide, keys } = self.laid;
        let rows = self.q.len() / width;
        let sizes = [rows * width, TILE_ROWS * BLOCK, rows * wide, rows, rows];
        scratch::with(sizes, |[queries, patterns, values, most, sums]| {
            queries.copy_from_slice(self.q);
            inner::scale(self.level, queries, self.scores.scale / self.scores.cap.unwrap_or(1.0));
            for block in 0..keys.div_ceil(BLOCK) {
                for first in (0..rows).step_by(TILE_ROWS) {
                    let tile = first..(first + TILE_ROWS).min(rows);
                    let queries = &queries[first * width..tile.end * width];
                    let running = Running {
                        values: &mut values[first * wide..tile.end * wide],
                        most: &mut most[tile.clone()],
                        sums: &mut sums[tile],
                    };
                    self.one_tile(block, first, queries, patterns, running);
                }
            }
            for ((z, values), sum) in z.chunks_exact_mut(width).zip(values.chunks_exact_mut(wide)).zip(sums) {
                inner::scale(self.level, values, sum.recip());
                z.write_copy_of_slice(&values[..width]);
            }
        });
    }

    /// Keys that a row sees.
    fn seen_by(&self, row: usize) -> usize {
        self.laid.keys - self.queries + (self.first + row) % self.queries + 1
    }

    /// What a tile's rows, scaled, from `first` on, make of a block.
    fn one_tile(&self, block: usize, first: usize, queries: &[f32], patterns: &mut [f32], running: Running<'_>) {
        let Laid { width, wide, .. } = self.laid;
        let (keys, [start, middle, end]) = self.laid.block(block);
        let rows = queries.len() / width;
        let seen = (first..first + rows).map(|row| self.seen_by(row)).max().unwrap_or(0).min(keys.end);
        let Some(depth) = seen.checked_sub(keys.start).filter(|depth| *depth > 0) else { return };
        let left = Left::Rows { values: queries, rows, stride: width };
        let panels = self.panels[start..middle].chunks_exact(width * PANEL).take(depth.div_ceil(PANEL));
        for (i, panel) in panels.enumerate() {
            // SAFETY: there is room for a block of keys behind every row.
            unsafe { inner::tile(self.level, left, panel, NOTHING, patterns[i * PANEL..].as_mut_ptr(), BLOCK) };
        }
        let Running { values, most, sums } = running;
        for row in 0..rows {
            let pattern = &mut patterns[row * BLOCK..row * BLOCK + depth];
            let seen = self.seen_by(first + row).saturating_sub(keys.start).min(depth);
            let (pattern, hidden) = pattern.split_at_mut(seen);
            hidden.fill(0.0);
            if seen == 0 {
                continue;
            }
            if let Some(cap) = self.scores.cap {
                inner::tanh_sum(self.level, &[0.0; BLOCK][..seen], pattern);
                inner::scale(self.level, pattern, cap);
            }
            if let Some(bias) = self.bias {
                let query = (self.first + first + row) % self.queries;
                inner::add(self.level, pattern, &bias[query * self.laid.keys + keys.start..][..seen]);
            }
            let largest = inner::maximum(self.level, pattern);
            if block == 0 {
                (most[row], sums[row]) = (largest, inner::exps_in_place(self.level, pattern, largest));
                continue;
            }
            let before = most[row];
            most[row] = before.max(largest);
            let factor = (before - most[row]).exp();
            sums[row] = sums[row] * factor + inner::exps_in_place(self.level, pattern, most[row]);
            if factor < 1.0 {
                inner::scale(self.level, &mut values[row * wide..(row + 1) * wide], factor);
            }
        }
        let left = Left::Rows { values: patterns, rows, stride: BLOCK };
        let onto = if block == 0 { NOTHING } else { Onto::Output };
        for (i, panel) in self.panels[middle..end].chunks_exact(keys.len() * PANEL).enumerate() {
            let panel = &panel[..depth * PANEL];
            // SAFETY: there is room for whole panels behind every row.
            unsafe { inner::tile(self.level, left, panel, onto, values[i * PANEL..].as_mut_ptr(), wide) };
        }
    }
}

/// What the keys so far have come to, a row of each for every query of a tile.
struct Running<'a> {
    /// Σ e to the power of scores, above the largest one, times values: `[rows][wide]`.
    values: &'a mut [f32],
    /// The largest score.
    most: &'a mut [f32],
    /// Σ e to the power of scores above it.
    sums: &'a mut [f32],
}
