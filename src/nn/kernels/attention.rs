//! Causal attention from the projection to queries, keys and values, and its gradient, also that of attention which looks both
//! ways: one key-value head at a time, all that belongs to it in the cache.
//!
//! T tokens, H heads, G key-value heads, K head width.
#![expect(unsafe_code, reason = "tiles are written through pointers, results once and not after zeros")]

use super::inner::{self, Level};
use super::output::{Shared, written};
use super::panel::{Left, Onto, PANEL, TILE_ROWS};
use super::{scratch, team};
use std::ops::Range;

/// Queries whose patterns are kept at a time where a gradient needs them column by column.
const BLOCK: usize = 8 * TILE_ROWS;
const NOTHING: Onto<'static> = Onto::Bias(&[0.0; PANEL]);

/// Where queries, keys and values lie in a row of the projection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heads {
    heads: usize,
    groups: usize,
    width: usize,
    /// Of the first query, key and value head.
    offsets: [usize; 3],
    /// From one head to the next.
    step: usize,
    /// Multiplies q kᵀ.
    scale: f32,
}

impl Heads {
    /// All H queries, then all G keys, then all G values; scores are divided by √K.
    pub(crate) fn packed(heads: usize, groups: usize, width: usize) -> Self {
        let offsets = [0, heads * width, (heads + groups) * width];
        Self { heads, groups, width, offsets, step: width, scale: (width as f32).sqrt().recip() }
    }

    /// Query, key and value of each head together; scores are divided by √K.
    pub(crate) fn interleaved(heads: usize, width: usize) -> Self {
        let offsets = [0, width, 2 * width];
        Self { heads, groups: heads, width, offsets, step: 3 * width, scale: (width as f32).sqrt().recip() }
    }

    /// The same with q kᵀ multiplied by something else.
    pub(crate) fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// Key-value heads G.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// Head width K.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// What q kᵀ is multiplied by.
    pub(super) fn scale(&self) -> f32 {
        self.scale
    }

    /// Where the query of a head begins in a row of the projection.
    pub(super) fn query(&self, head: usize) -> usize {
        self.offsets[QUERY] + head * self.step
    }

    /// Where the key of a key-value head begins.
    pub(super) fn key(&self, group: usize) -> usize {
        self.offsets[KEY] + group * self.step
    }

    /// Where the value of a key-value head begins.
    pub(super) fn value(&self, group: usize) -> usize {
        self.offsets[VALUE] + group * self.step
    }

    /// Query heads H.
    pub(super) fn count(&self) -> usize {
        self.heads
    }

    /// Numbers in a row of the projection.
    pub(super) fn row(&self) -> usize {
        (self.heads + 2 * self.groups) * self.width
    }

    /// Numbers in a row of the result.
    pub(super) fn joined(&self) -> usize {
        self.heads * self.width
    }
}

/// Cosines and sines of every position, `[T][R/2]` both: the first R values of queries and keys are rotated by them.
pub(super) type Rotation<'a> = Option<(&'a [f32], &'a [f32])>;

/// softmax(scale · q kᵀ) v, each query seeing the keys up to its own: `[B][T][(H + 2·G)·K]` → `[B][T][H·K]`.
pub(super) fn attend(level: Level, qkv: &[f32], rotation: Rotation<'_>, heads: Heads, tokens: usize) -> Vec<f32> {
    let sequences = sequences(qkv, heads, tokens);
    let rows = |sequence| QkvRows::new(level, qkv, rotation, heads, tokens, sequence);
    // SAFETY: each key-value head of each sequence writes the heads that share it, whole.
    unsafe {
        written(sequences * tokens * heads.joined(), |z| {
            let z = Shared::new(z);
            team::for_each(sequences * heads.groups, |i| rows(i / heads.groups).attend(i % heads.groups, &z, None));
        })
    }
}

/// As [`attend`], with the softmax of every head beside it: → `[B][T][H·K]` and `[B][H][T][T]`.
pub(super) fn attend_with_pattern(
    level: Level,
    qkv: &[f32],
    rotation: Rotation<'_>,
    heads: Heads,
    tokens: usize,
) -> [Vec<f32>; 2] {
    let sequences = sequences(qkv, heads, tokens);
    let rows = |sequence| QkvRows::new(level, qkv, rotation, heads, tokens, sequence);
    let mut pattern = Vec::new();
    // SAFETY: each key-value head of each sequence writes the heads that share it, whole, in both.
    let z = unsafe {
        written(sequences * tokens * heads.joined(), |z| {
            let z = Shared::new(z);
            pattern = written(sequences * heads.heads * tokens * tokens, |pattern| {
                let pattern = Shared::new(pattern);
                team::for_each(sequences * heads.groups, |i| {
                    rows(i / heads.groups).attend(i % heads.groups, &z, Some(&pattern));
                });
            });
        })
    };
    [z, pattern]
}

/// How many sequences of so many tokens a projection holds.
fn sequences(qkv: &[f32], heads: Heads, tokens: usize) -> usize {
    let sequences = qkv.len() / (tokens * heads.row());
    assert_eq!(qkv.len(), sequences * tokens * heads.row());
    sequences
}

/// The gradient of [`attend`] from that of its value: `[B][T][H·K]` → `[B][T][(H + 2·G)·K]`.
pub(super) fn attend_gradient(
    level: Level,
    qkv: &[f32],
    rotation: Rotation<'_>,
    heads: Heads,
    tokens: usize,
    of_z: &[f32],
) -> Vec<f32> {
    let sequences = sequences(qkv, heads, tokens);
    assert_eq!(of_z.len(), sequences * tokens * heads.joined());
    // SAFETY: each key-value head of each sequence writes its own part and that of the heads that share it, whole.
    unsafe {
        written(qkv.len(), |out| {
            let out = Shared::new(out);
            team::for_each(sequences * heads.groups, |i| {
                let (sequence, group) = (i / heads.groups, i % heads.groups);
                QkvRows::new(level, qkv, rotation, heads, tokens, sequence).gradient(group, of_z, &out);
            });
        })
    }
}

/// The gradient of attention that looks both ways, of N tokens of texts behind each other, from that of its value: `[N][H·K]` →
/// `[N][(H + 2·G)·K]`. Each text sees itself alone.
pub(super) fn both_ways_gradient(level: Level, qkv: &[f32], lengths: &[usize], heads: Heads, of_z: &[f32]) -> Vec<f32> {
    let tokens: usize = lengths.iter().sum();
    assert!(qkv.len() == tokens * heads.row() && of_z.len() == tokens * heads.joined(), "a projection of these texts");
    let starts = lengths.iter().scan(0, |next, length| {
        let start = *next;
        *next += length;
        Some(start)
    });
    let texts: Vec<(usize, usize)> = starts.zip(lengths.iter().copied()).filter(|(_, length)| *length > 0).collect();
    // SAFETY: each key-value head of each text writes its own part and that of the heads that share it, whole.
    unsafe {
        written(qkv.len(), |out| {
            let out = Shared::new(out);
            team::for_each(texts.len() * heads.groups, |i| {
                let (start, tokens) = texts[i / heads.groups];
                let qkv = &qkv[start * heads.row()..][..tokens * heads.row()];
                let rows = QkvRows { level, heads, rotation: None, tokens, start, both_ways: true, qkv };
                rows.gradient(i % heads.groups, of_z, &out);
            });
        })
    }
}

/// One sequence of a batch.
struct QkvRows<'a> {
    level: Level,
    heads: Heads,
    rotation: Rotation<'a>,
    tokens: usize,
    /// Its first token among those of all sequences.
    start: usize,
    /// Every query sees every key.
    both_ways: bool,
    /// `[T][(H + 2·G)·K]`.
    qkv: &'a [f32],
}

const QUERY: usize = 0;
const KEY: usize = 1;
const VALUE: usize = 2;

impl<'a> QkvRows<'a> {
    fn new(level: Level, qkv: &'a [f32], rotation: Rotation<'a>, heads: Heads, tokens: usize, index: usize) -> Self {
        let size = tokens * heads.row();
        let whole = rotation.is_none_or(|(cosines, sines)| {
            cosines.len() == sines.len()
                && cosines.len().is_multiple_of(tokens)
                && 2 * cosines.len() <= tokens * heads.width
        });
        assert!(whole, "a rotation for each token");
        let qkv = &qkv[index * size..(index + 1) * size];
        Self { level, heads, rotation, tokens, start: index * tokens, both_ways: false, qkv }
    }

    /// Keys that are seen by some query before `end`.
    fn seen_before(&self, end: usize) -> usize {
        if self.both_ways { self.tokens } else { end }
    }

    /// Where a head's queries, keys or values begin.
    fn offset(&self, part: usize, head: usize) -> usize {
        self.heads.offsets[part] + head * self.heads.step
    }

    /// Rotates a query or key, `[K]`, by its position, or back with `sign` −1, and multiplies it by `scale`.
    fn rotate(&self, token: usize, x: &mut [f32], sign: f32, scale: f32) {
        let (cosines, sines) = self.rotation.map_or((&[][..], &[][..]), |(cosines, sines)| {
            let half = cosines.len() / self.tokens;
            (&cosines[token * half..(token + 1) * half], &sines[token * half..(token + 1) * half])
        });
        inner::rotate(self.level, x, cosines, sines, sign, scale);
    }

    /// Queries or keys of a head, rotated and scaled: → `[T][K]`.
    fn rotated(&self, part: usize, head: usize, scale: f32, out: &mut [f32]) {
        let (row, width, offset) = (self.heads.row(), self.heads.width, self.offset(part, head));
        for (token, out) in out.chunks_exact_mut(width).enumerate() {
            out.copy_from_slice(&self.qkv[token * row + offset..][..width]);
            self.rotate(token, out, 1.0, scale);
        }
    }

    /// Scores of some queries, `[rows][K]` from `first` on, with the keys they may see: patterns → `[rows][stride]`, with
    /// zeros behind what a query sees, up to `end`.
    fn patterns(&self, queries: &[f32], panels: &[f32], first: usize, end: usize, out: &mut [f32], stride: usize) {
        let width = self.heads.width;
        let rows = queries.len() / width;
        let left = Left::Rows { values: queries, rows, stride: width };
        self.against_keys(left, panels, self.seen_before(first + rows), out, stride);
        for row in 0..rows {
            let seen = self.seen_before(first + row + 1);
            inner::softmax(self.level, &mut out[row * stride..row * stride + end], seen, 1.0);
        }
    }

    /// Products of some rows with as many keys (or values) as `visible` says: → `[rows][stride]`. Up to a panel's end, more
    /// is written.
    fn against_keys(&self, left: Left<'_>, panels: &[f32], visible: usize, out: &mut [f32], stride: usize) {
        let size = self.heads.width * PANEL;
        for (i, panel) in panels.chunks_exact(size).take(visible.div_ceil(PANEL)).enumerate() {
            self.tile(left, panel, NOTHING, &mut out[i * PANEL..], stride);
        }
    }

    /// Products of some rows, as deep as `depth` says, with a matrix of width K in panels that are `whole` deep, from row
    /// `from` on: → `[rows][wide]`.
    fn against_rows(
        &self,
        left: Left<'_>,
        panels: &[f32],
        [whole, from, depth]: [usize; 3],
        onto: Onto<'_>,
        out: &mut [f32],
    ) {
        let wide = wide(self.heads.width);
        for (i, panel) in panels.chunks_exact(whole * PANEL).enumerate() {
            self.tile(left, &panel[from * PANEL..(from + depth) * PANEL], onto, &mut out[i * PANEL..], wide);
        }
    }

    fn tile(&self, left: Left<'_>, panel: &[f32], onto: Onto<'_>, out: &mut [f32], stride: usize) {
        let (Left::Rows { rows, .. } | Left::Columns { rows, .. }) = left;
        assert!(rows == 0 || out.len() >= (rows - 1) * stride + PANEL);
        // SAFETY: there is room for a row of a panel behind every row.
        unsafe { inner::tile(self.level, left, panel, onto, out.as_mut_ptr(), stride) };
    }

    /// Rows of width K that begin `stride` apart, in panels as [`Self::against_rows`] takes them.
    fn lay_out_rows(&self, rows: &[f32], stride: usize, panels: &mut [f32]) {
        let (width, count) = (self.heads.width, panels.len() / wide(self.heads.width));
        for (i, panel) in panels.chunks_exact_mut(count * PANEL).enumerate() {
            inner::copy_columns(self.level, &rows[i * PANEL..], stride, PANEL.min(width - i * PANEL), panel);
        }
    }

    /// Rows of width K that begin `stride` apart, transposed, in panels as [`Self::against_keys`] takes them.
    fn lay_out_transposed(&self, rows: &[f32], stride: usize, panels: &mut [f32]) {
        let width = self.heads.width;
        for (i, panel) in panels.chunks_exact_mut(width * PANEL).enumerate() {
            let last = ((i + 1) * PANEL).min(self.tokens) - 1;
            inner::transpose_rows(self.level, &rows[i * PANEL * stride..last * stride + width], stride, width, panel);
        }
    }

    /// The heads that share a key-value head, and their patterns where somebody wants them.
    fn attend(&self, group: usize, z: &Shared<'_>, kept: Option<&Shared<'_>>) {
        let (tokens, width, row) = (self.tokens, self.heads.width, self.heads.row());
        let (padded, wide) = (tokens.next_multiple_of(PANEL), wide(width));
        let sizes = [tokens * width, padded * width, tokens * wide, TILE_ROWS * padded, TILE_ROWS * wide];
        scratch::with(sizes, |[rows, keys, values, patterns, tile]| {
            self.rotated(KEY, group, 1.0, rows);
            self.lay_out_transposed(rows, width, keys);
            self.lay_out_rows(&self.qkv[self.offset(VALUE, group)..], row, values);
            for head in self.sharing(group) {
                self.rotated(QUERY, head, self.heads.scale, rows);
                for first in (0..tokens).step_by(TILE_ROWS) {
                    let end = (first + TILE_ROWS).min(tokens);
                    self.patterns(&rows[first * width..end * width], keys, first, end, patterns, padded);
                    if let Some(kept) = kept {
                        self.keep_patterns(head, first..end, patterns, padded, kept);
                    }
                    let left = Left::Rows { values: patterns, rows: end - first, stride: padded };
                    self.against_rows(left, values, [tokens, 0, end], NOTHING, tile);
                    for (token, values) in (first..end).zip(tile.chunks_exact(wide)) {
                        let at = (self.start + token) * self.heads.joined() + head * width;
                        // SAFETY: this head of this sequence is written here alone.
                        unsafe { z.stretch(at, width) }.write_copy_of_slice(&values[..width]);
                    }
                }
            }
        });
    }

    /// Writes the patterns of some queries, `[rows][stride]`, with zeros for what comes after them.
    fn keep_patterns(&self, head: usize, queries: Range<usize>, patterns: &[f32], stride: usize, kept: &Shared<'_>) {
        let (tokens, end) = (self.tokens, queries.end);
        for (query, pattern) in queries.zip(patterns.chunks(stride)) {
            let at = (self.start * self.heads.heads + head * tokens + query) * tokens;
            // SAFETY: this row of this head of this sequence is written here alone.
            let row = unsafe { kept.stretch(at, tokens) };
            let (seen, hidden) = row.split_at_mut(end);
            seen.write_copy_of_slice(&pattern[..end]);
            // SAFETY: zero bits are the number 0.
            unsafe { hidden.as_mut_ptr().write_bytes(0, hidden.len()) };
        }
    }

    fn sharing(&self, group: usize) -> Range<usize> {
        let count = self.heads.heads / self.heads.groups;
        group * count..(group + 1) * count
    }

    /// With pattern p, s = scale · q kᵀ and z = p v: dv = pᵀ dz, dp = dz vᵀ, ds the gradient of softmax, dq = scale · ds k,
    /// dk = scale · dsᵀ q; queries and keys rotated, their gradients rotated back.
    fn gradient(&self, group: usize, of_z: &[f32], out: &Shared<'_>) {
        let (tokens, width, row) = (self.tokens, self.heads.width, self.heads.row());
        let (padded, wide, block) = (tokens.next_multiple_of(PANEL), wide(width), BLOCK.min(tokens));
        let transposed = padded * width;
        let sizes = [tokens * width, transposed, tokens * wide, transposed, tokens * wide, tokens * wide];
        let of_block = [block * padded, block * padded, block * wide, block * wide, TILE_ROWS * wide];
        let [a, b, c, d, e, f] = sizes;
        let [g, h, i, j, k] = of_block;
        scratch::with([a, b, c, d, e, f, g, h, i, j, k], |buffers| {
            let [rows, key_columns, keys, value_columns, of_keys, of_values, patterns, slopes, more @ ..] = buffers;
            let [block_queries, block_of_z, products] = more;
            self.rotated(KEY, group, 1.0, rows);
            self.lay_out_transposed(rows, width, key_columns);
            self.lay_out_rows(rows, width, keys);
            self.lay_out_transposed(&self.qkv[self.offset(VALUE, group)..], row, value_columns);
            of_keys.fill(0.0);
            of_values.fill(0.0);
            for head in self.sharing(group) {
                self.rotated(QUERY, head, self.heads.scale, rows);
                let stride = self.heads.joined();
                let of_z = &of_z[self.start * stride + head * width..];
                for start in (0..tokens).step_by(BLOCK) {
                    let stop = (start + BLOCK).min(tokens);
                    let seen = self.seen_before(stop);
                    for first in (start..stop).step_by(TILE_ROWS) {
                        let end = (first + TILE_ROWS).min(stop);
                        let patterns = &mut patterns[(first - start) * padded..];
                        let slopes = &mut slopes[(first - start) * padded..];
                        self.patterns(&rows[first * width..end * width], key_columns, first, seen, patterns, padded);
                        let left = Left::Rows { values: &of_z[first * stride..], rows: end - first, stride };
                        self.against_keys(left, value_columns, self.seen_before(end), slopes, padded);
                        for (i, token) in (first..end).enumerate() {
                            let (pattern, slopes) = (&patterns[i * padded..], &mut slopes[i * padded..]);
                            let keys = self.seen_before(token + 1);
                            inner::softmax_gradient(self.level, pattern, &mut slopes[..seen], keys);
                        }
                        let left = Left::Rows { values: slopes, rows: end - first, stride: padded };
                        self.against_rows(left, keys, [tokens, 0, self.seen_before(end)], NOTHING, products);
                        self.write_rotated_back(QUERY, head, first..end, products, self.heads.scale, out);
                    }
                    let (count, of_z) = (stop - start, &of_z[start * stride..]);
                    self.lay_out_rows(&rows[start * width..], width, &mut block_queries[..count * wide]);
                    self.lay_out_rows(of_z, stride, &mut block_of_z[..count * wide]);
                    for first in (0..seen).step_by(TILE_ROWS) {
                        // Only queries from `first` on see these keys, where none looks ahead.
                        let from = if self.both_ways { 0 } else { first.saturating_sub(start) };
                        let keys = TILE_ROWS.min(seen - first);
                        let depth = count - from;
                        for (matrix, block, sums) in
                            [(&*slopes, &*block_queries, &mut *of_keys), (&*patterns, &*block_of_z, &mut *of_values)]
                        {
                            let left =
                                Left::Columns { values: &matrix[from * padded + first..], rows: keys, stride: padded };
                            let (block, sums) = (&block[..count * wide], &mut sums[first * wide..]);
                            self.against_rows(left, block, [count, from, depth], Onto::Output, sums);
                        }
                    }
                }
            }
            self.write_rotated_back(KEY, group, 0..tokens, of_keys, 1.0, out);
            for (token, values) in of_values.chunks_exact(wide).enumerate() {
                self.write(VALUE, group, token, &values[..width], out);
            }
        });
    }

    /// Writes gradients of rotated queries or keys, `[rows][wide]`.
    fn write_rotated_back(
        &self,
        part: usize,
        head: usize,
        tokens: Range<usize>,
        gradients: &mut [f32],
        scale: f32,
        out: &Shared<'_>,
    ) {
        let width = self.heads.width;
        for (token, gradient) in tokens.zip(gradients.chunks_exact_mut(wide(width))) {
            self.rotate(token, &mut gradient[..width], -1.0, scale);
            self.write(part, head, token, &gradient[..width], out);
        }
    }

    fn write(&self, part: usize, head: usize, token: usize, gradient: &[f32], out: &Shared<'_>) {
        let at = (self.start + token) * self.heads.row() + self.offset(part, head);
        // SAFETY: this part of this head of this sequence is written here alone.
        unsafe { out.stretch(at, gradient.len()) }.write_copy_of_slice(gradient);
    }
}

/// Room for a row of K numbers in whole panels.
fn wide(width: usize) -> usize {
    width.next_multiple_of(PANEL)
}
