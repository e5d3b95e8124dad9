//! Attention of new tokens to all before them, whose keys and values are remembered.
//!
//! T new tokens behind P older ones, S = P + T, H heads, G key-value heads, K head width.

use super::{BlockWeights, Pass, Remembered, bound};
use crate::nn::kernels::attention::Heads;
use crate::nn::kernels::inner;
use crate::nn::kernels::panel::{Left, Onto, PANEL, TILE_ROWS};
use crate::nn::kernels::scratch;
use crate::nn::kernels::team::Member;
use std::ops::Range;

/// Queries a thread takes at a time.
const QUERIES: usize = 2 * TILE_ROWS;
const NOTHING: Onto<'static> = Onto::Bias(&[0.0; PANEL]);

/// Numbers of all keys in panels, `[G][S / 32][K][32]`, and of all values, `[G][K / 32][S][32]`. A single query needs none.
pub(super) fn panels(heads: &Heads, seen: usize, tokens: usize) -> [usize; 2] {
    if tokens == 1 {
        return [0, 0];
    }
    let (groups, width) = (heads.groups(), heads.width());
    [groups * seen.next_multiple_of(PANEL) * width, groups * width.next_multiple_of(PANEL) * seen]
}

impl Pass<'_> {
    /// Writes z of some rows, and remembers keys and values of all new tokens.
    pub(super) fn attend(
        &self,
        member: &Member<'_>,
        block: &BlockWeights<'_>,
        remembered: &Remembered<'_>,
        rows: Range<usize>,
    ) {
        let heads = &block.heads;
        if self.sizes.tokens == 1 {
            return member.share(heads.count(), |head| self.attend_one(block, remembered, head));
        }
        let seen = self.sizes.past + self.sizes.tokens;
        let panels = seen.div_ceil(PANEL);
        member.share(heads.groups() * panels, |i| {
            self.lay_out(block, remembered, i / panels, i % panels);
        });
        let stretches = rows.len().div_ceil(QUERIES);
        // The last queries see most, so they come first: what is left over at the end is short.
        member.share(heads.count() * stretches, |i| {
            let (stretch, head) = (stretches - 1 - i / heads.count(), i % heads.count());
            let first = rows.start + stretch * QUERIES;
            self.attend_some(block, head, first..(first + QUERIES).min(rows.end));
        });
    }

    /// Rotates and normalises a query or key.
    fn turn(&self, block: &BlockWeights<'_>, token: usize, part: usize, x: &mut [f32], scale: f32) {
        if let Some(norms) = &block.head_norms {
            scratch::with([x.len()], |[normed]| {
                norms[part].apply(self.level, x, normed);
                x.copy_from_slice(normed);
            });
        }
        let (cosines, sines) = self.tokens.rotation;
        let half = if block.is_rotated { cosines.len() / self.sizes.tokens } else { 0 };
        let of = token * half..(token + 1) * half;
        inner::rotate(self.level, x, &cosines[of.clone()], &sines[of], 1.0, scale);
    }

    /// One head of the only new token.
    #[expect(unsafe_code, reason = "threads write parts of common buffers")]
    fn attend_one(&self, block: &BlockWeights<'_>, Remembered { keys, values }: &Remembered<'_>, head: usize) {
        let (heads, past, width) = (&block.heads, self.sizes.past, block.heads.width());
        let sharing = heads.count() / heads.groups();
        let group = head / sharing;
        let start = block.window.map_or(0, |window| (past + 1).saturating_sub(window));
        // SAFETY: written before the last barrier.
        let qkv = unsafe { self.qkv.row(0, heads.row()) };
        let mut query = qkv[heads.query(head)..][..width].to_vec();
        let mut key = qkv[heads.key(group)..][..width].to_vec();
        let value = &qkv[heads.value(group)..][..width];
        self.turn(block, 0, 0, &mut query, heads.scale());
        self.turn(block, 0, 1, &mut key, 1.0);
        let at = |token: usize| (group * keys.size + token) * width;
        if head.is_multiple_of(sharing) {
            // SAFETY: the first of the heads that share it writes it; the others have their own copy.
            unsafe {
                keys.part_mut(at(past), width).copy_from_slice(&key);
                values.part_mut(at(past), width).copy_from_slice(value);
            }
        }
        scratch::with([past + 1 - start, width], |[pattern, sum]| {
            let (older, own) = pattern.split_at_mut(past - start);
            // SAFETY: of older tokens, which nobody writes.
            let (keys, values) =
                unsafe { (keys.part(at(start), older.len() * width), values.part(at(start), older.len() * width)) };
            inner::scores_of_query(self.level, &query, keys, older);
            inner::scores_of_query(self.level, &query, &key, own);
            if let Some(cap) = block.cap {
                bound(pattern, cap);
            }
            let seen = pattern.len();
            inner::softmax(self.level, pattern, seen, 1.0);
            inner::weighted_sum(self.level, &pattern[..seen - 1], values, sum);
            // SAFETY: this head is written here alone.
            let z = unsafe { self.z.part_mut(head * width, width) };
            let own = pattern[seen - 1];
            let mut i = 0;
            while i < width {
                z[i] = sum[i] + own * value[i];
                i += 1;
            }
        });
    }

    /// Keys and values of as many tokens as a panel has columns: new ones are remembered first, then all are laid out.
    #[expect(unsafe_code, reason = "threads write parts of common buffers")]
    fn lay_out(
        &self,
        block: &BlockWeights<'_>,
        Remembered { keys, values }: &Remembered<'_>,
        group: usize,
        panel: usize,
    ) {
        let (heads, past, width) = (&block.heads, self.sizes.past, block.heads.width());
        let seen = past + self.sizes.tokens;
        let tokens = panel * PANEL..((panel + 1) * PANEL).min(seen);
        let at = |token: usize| (group * keys.size + token) * width;
        for token in tokens.start.max(past)..tokens.end {
            // SAFETY: the projection was written before the last barrier; this token of this group is remembered here alone.
            unsafe {
                let qkv = self.qkv.row(token - past, heads.row());
                let key = keys.part_mut(at(token), width);
                key.copy_from_slice(&qkv[heads.key(group)..][..width]);
                self.turn(block, token - past, 1, key, 1.0);
                values.part_mut(at(token), width).copy_from_slice(&qkv[heads.value(group)..][..width]);
            }
        }
        let wide = width.next_multiple_of(PANEL);
        // SAFETY: of this stretch of tokens, which is this thread's.
        unsafe {
            let rows = keys.part(at(tokens.start), tokens.len() * width);
            let size = PANEL * width;
            let to = self.keys.part_mut((group * seen.div_ceil(PANEL) + panel) * size, size);
            inner::transpose_rows(self.level, rows, width, width, to);
            let rows = values.part(at(tokens.start), tokens.len() * width);
            for column in (0..width).step_by(PANEL) {
                let to = self
                    .values
                    .part_mut(group * wide * seen + column * seen + tokens.start * PANEL, tokens.len() * PANEL);
                inner::copy_columns(self.level, &rows[column..], width, PANEL.min(width - column), to);
            }
        }
    }

    /// Some queries of one head.
    #[expect(unsafe_code, reason = "threads write parts of common buffers")]
    fn attend_some(&self, block: &BlockWeights<'_>, head: usize, queries: Range<usize>) {
        let (heads, past, width) = (&block.heads, self.sizes.past, block.heads.width());
        let (seen, group) = (past + self.sizes.tokens, head * heads.groups() / heads.count());
        let (padded, wide) = (seen.next_multiple_of(PANEL), width.next_multiple_of(PANEL));
        // SAFETY: written before the last barrier.
        let (keys, values) = unsafe {
            (self.keys.part(group * padded * width, padded * width), self.values.part(group * wide * seen, wide * seen))
        };
        let mut rotated = Vec::with_capacity(queries.len() * width);
        for query in queries.clone() {
            // SAFETY: as above.
            let qkv = unsafe { self.qkv.row(query, heads.row()) };
            let first = rotated.len();
            rotated.extend_from_slice(&qkv[heads.query(head)..][..width]);
            self.turn(block, query, 0, &mut rotated[first..], heads.scale());
        }
        scratch::with([TILE_ROWS * padded, TILE_ROWS * wide], |[patterns, sums]| {
            for first in (0..queries.len()).step_by(TILE_ROWS) {
                let rows = TILE_ROWS.min(queries.len() - first);
                let visible = past + queries.start + first + rows;
                let oldest = past + queries.start + first + 1;
                let begin = block.window.map_or(0, |window| oldest.saturating_sub(window)) / PANEL;
                let left = Left::Rows { values: &rotated[first * width..], rows, stride: width };
                for panel in begin..visible.div_ceil(PANEL) {
                    let keys = &keys[panel * PANEL * width..(panel + 1) * PANEL * width];
                    // SAFETY: a row has room for all panels.
                    unsafe {
                        inner::tile(self.level, left, keys, NOTHING, patterns[panel * PANEL..].as_mut_ptr(), padded);
                    }
                }
                let begin = begin * PANEL;
                for row in 0..rows {
                    let last = past + queries.start + first + row + 1;
                    let from = block.window.map_or(0, |window| last.saturating_sub(window));
                    let pattern = &mut patterns[row * padded..(row + 1) * padded];
                    if let Some(cap) = block.cap {
                        bound(&mut pattern[from..last], cap);
                    }
                    pattern[begin..from].fill(0.0);
                    inner::softmax(self.level, &mut pattern[from..visible], last - from, 1.0);
                }
                let left = Left::Rows { values: &patterns[begin..], rows, stride: padded };
                for (i, values) in values.chunks_exact(seen * PANEL).enumerate() {
                    let values = &values[begin * PANEL..visible * PANEL];
                    // SAFETY: a row has room for all panels.
                    unsafe { inner::tile(self.level, left, values, NOTHING, sums[i * PANEL..].as_mut_ptr(), wide) };
                }
                for row in 0..rows {
                    let at = (queries.start + first + row) * heads.joined() + head * width;
                    // SAFETY: this head of this token is written here alone.
                    unsafe { self.z.part_mut(at, width) }.copy_from_slice(&sums[row * wide..row * wide + width]);
                }
            }
        });
    }
}
