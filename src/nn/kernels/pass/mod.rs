//! A decoder's pass over tokens that follow each other, from their embeddings to scores, as one computation of the whole team:
//! nobody sleeps between its parts, and nothing but what the parts need is written.
//!
//! T new tokens behind P older ones, D model width, F MLP width, V vocabulary.
#![expect(unsafe_code, reason = "threads write parts of common buffers, from barrier to barrier")]

mod attention;
mod costs;
mod workspace;

pub(in crate::nn) use costs::costs;

use super::activation::Gate;
use super::attention::Heads;
use super::block_product::{self, BlockProduct};
use super::eights;
use super::inner::{self, Level};
use super::norm::Norm;
use super::product::{LeftMatrix, Product, RightMatrix, stretch};
use super::rows::WeightRows;
use super::team::{self, Member};
use std::ops::Range;
use workspace::Buffer;

/// Rows that a thread takes at a time of what costs little for each.
const ROWS: usize = 4;

/// A normalisation.
pub(in crate::nn) struct NormWeights<'a> {
    norm: Norm,
    gain: &'a [f32],
    bias: Option<&'a [f32]>,
}

impl<'a> NormWeights<'a> {
    /// By mean and variance.
    pub(in crate::nn) fn layer(gain: &'a [f32], bias: &'a [f32], epsilon: f64) -> Self {
        Self { norm: Norm { epsilon: epsilon as f32, shift: 0.0, is_centred: true }, gain, bias: Some(bias) }
    }

    /// By the root mean square, with what is added to the gain.
    pub(in crate::nn) fn rms(gain: &'a [f32], epsilon: f64, shift: f64) -> Self {
        Self { norm: Norm { epsilon: epsilon as f32, shift: shift as f32, is_centred: false }, gain, bias: None }
    }

    fn apply(&self, level: Level, x: &[f32], out: &mut [f32]) {
        // SAFETY: numbers are written over numbers.
        let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [std::mem::MaybeUninit<f32>]) };
        inner::normalise(level, self.norm, x, self.gain, self.bias, out);
    }
}

/// A projection.
pub(in crate::nn) struct LinearWeights<'a> {
    /// `[out, in]`.
    pub weight: WeightRows<'a>,
    /// `[out]`.
    pub bias: Option<&'a [f32]>,
}

/// Between the projections of an MLP.
#[derive(Clone, Copy)]
pub(in crate::nn) enum Between {
    /// GELU by the error function.
    Gelu,
    /// GELU by its tanh approximation.
    GeluTanh,
    /// SiLU.
    Silu,
}

/// One block.
pub(in crate::nn) struct BlockWeights<'a> {
    pub norm_attn: Option<NormWeights<'a>>,
    pub qkv: LinearWeights<'a>,
    pub heads: Heads,
    /// Over each head of queries and keys.
    pub head_norms: Option<[NormWeights<'a>; 2]>,
    /// Queries and keys are rotated.
    pub is_rotated: bool,
    /// Scores s become c · tanh(s / c).
    pub cap: Option<f32>,
    /// A query sees so many tokens, itself among them.
    pub window: Option<usize>,
    pub attn_out: LinearWeights<'a>,
    pub norm_attn_out: Option<NormWeights<'a>>,
    /// Attention and MLP read the same stream.
    pub is_parallel: bool,
    pub norm_mlp: Option<NormWeights<'a>>,
    pub mlp_in: LinearWeights<'a>,
    pub between: Between,
    /// The second half of the projection multiplies the activated first.
    pub is_gated: bool,
    pub mlp_out: LinearWeights<'a>,
    pub norm_mlp_out: Option<NormWeights<'a>>,
}

/// All of a decoder behind its embeddings.
pub(in crate::nn) struct DecoderWeights<'a> {
    pub blocks: Vec<BlockWeights<'a>>,
    pub norm: Option<NormWeights<'a>>,
    /// `[V, D]`.
    pub unembedding: WeightRows<'a>,
    /// Scores s become c · tanh(s / c).
    pub cap: Option<f32>,
}

/// What one block remembers: keys and values, `[G, capacity, K]` both.
pub(in crate::nn) struct Remembered<'a> {
    keys: Buffer<'a>,
    values: Buffer<'a>,
}

impl<'a> Remembered<'a> {
    /// What has room for `capacity` tokens.
    pub(in crate::nn) fn new(keys: &'a mut [f32], values: &'a mut [f32], capacity: usize) -> Self {
        Self { keys: Buffer::of(keys, capacity), values: Buffer::of(values, capacity) }
    }
}

/// The tokens of a pass.
pub(in crate::nn) struct PassTokens<'a> {
    /// Their embeddings, `[T, D]`.
    pub embedded: &'a [f32],
    /// Older tokens P.
    pub past: usize,
    /// Cosines and sines of their positions, `[T, R/2]` both.
    pub rotation: (&'a [f32], &'a [f32]),
    /// At which of them scores are wanted, in rising order.
    pub wanted: &'a [usize],
}

/// The scores at the N wanted tokens, `[N, V]`. Keys and values of all new tokens are remembered.
///
/// # Panics
/// When something has another size than the weights say, or what is remembered has no room.
pub(in crate::nn) fn logits(
    weights: &DecoderWeights<'_>,
    tokens: &PassTokens<'_>,
    remembered: &[Remembered<'_>],
) -> Vec<f32> {
    let [vocabulary, _] = weights.unembedding.shape();
    let mut logits = vec![0.0; tokens.wanted.len() * vocabulary];
    let scores = Buffer::of(&mut logits, vocabulary);
    run(weights, tokens, remembered, |pass, member| pass.unembed(member, weights, &scores));
    logits
}

/// Goes through the blocks, and then through `end`, which finds the wanted rows of the stream where it was.
fn run(
    weights: &DecoderWeights<'_>,
    tokens: &PassTokens<'_>,
    remembered: &[Remembered<'_>],
    end: impl Fn(&Pass<'_>, &Member<'_>) + Sync,
) {
    let level = super::extension::level();
    let [_, d] = weights.unembedding.shape();
    let t = tokens.embedded.len() / d;
    assert!(tokens.embedded.len() == t * d && remembered.len() == weights.blocks.len() && !tokens.wanted.is_empty());
    assert!(tokens.wanted.is_sorted() && tokens.wanted.iter().all(|row| *row < t));
    let sizes = Sizes::of(weights, tokens, t, d);
    workspace::with(sizes.buffers(), |buffers| {
        let [x, mid, normed, qkv, z, y, inner, hidden, eights, keys, values] = buffers;
        let pass = Pass { level, tokens, sizes, x, mid, normed, qkv, z, y, inner, hidden, eights, keys, values };
        team::region(|member| {
            pass.begin(member);
            for (layer, (block, remembered)) in weights.blocks.iter().zip(remembered).enumerate() {
                let is_last = layer + 1 == weights.blocks.len();
                // Behind the last attention only those rows matter that are scored.
                let rows = if is_last { tokens.wanted[0]..t } else { 0..t };
                pass.block(member, block, remembered, rows);
            }
            end(&pass, member);
        });
    });
}

/// Calls `work` with room of `size` numbers for keys and as much for values, which all `blocks` share: for a pass after which
/// nothing is remembered.
pub(in crate::nn) fn forgotten<R>(
    size: usize,
    tokens: usize,
    blocks: usize,
    work: impl FnOnce(&[Remembered<'_>]) -> R,
) -> R {
    workspace::with([[1, size], [1, size]], |[keys, values]| {
        // One block after the other uses it, each thread its own part between two barriers.
        let shared = (0..blocks).map(|_| Remembered { keys: keys.again(tokens), values: values.again(tokens) });
        work(&shared.collect::<Vec<_>>())
    })
}

/// Sizes of a pass.
#[derive(Clone, Copy)]
struct Sizes {
    tokens: usize,
    past: usize,
    width: usize,
    qkv: usize,
    z: usize,
    inner: usize,
    hidden: usize,
    /// Words of a row as numbers of eight bits, where weights are in blocks.
    eights: usize,
    /// Numbers of all keys in panels, and of all values.
    panels: [usize; 2],
}

impl Sizes {
    fn of(weights: &DecoderWeights<'_>, tokens: &PassTokens<'_>, t: usize, d: usize) -> Self {
        let most = |size: &dyn Fn(&BlockWeights<'_>) -> usize| weights.blocks.iter().map(size).max().unwrap_or(0);
        Self {
            tokens: t,
            past: tokens.past,
            width: d,
            qkv: most(&|block| block.heads.row()),
            z: most(&|block| block.heads.joined()),
            inner: most(&|block| block.mlp_in.weight.shape()[0]),
            hidden: most(&|block| block.mlp_out.weight.shape()[1]),
            eights: most(&|block| block.linears().map(most_words).into_iter().max().unwrap_or(0))
                .max(if weights.unembedding.has_blocks() { eights::words(d) } else { 0 }),
            panels: [0, 1].map(|part| most(&|block| attention::panels(&block.heads, tokens.past + t, t)[part])),
        }
    }

    fn buffers(self) -> [[usize; 2]; 11] {
        let Self { tokens: t, width, qkv, z, inner, hidden, eights, panels, .. } = self;
        let wide = [t, width];
        [wide, wide, wide, [t, qkv], [t, z], wide, [t, inner], [t, hidden], [t, eights], [1, panels[0]], [1, panels[1]]]
    }
}

/// A pass under way.
struct Pass<'a> {
    level: Level,
    tokens: &'a PassTokens<'a>,
    sizes: Sizes,
    /// The stream before a block, and behind its attention.
    x: Buffer<'a>,
    mid: Buffer<'a>,
    normed: Buffer<'a>,
    qkv: Buffer<'a>,
    z: Buffer<'a>,
    /// What attention or the MLP adds.
    y: Buffer<'a>,
    inner: Buffer<'a>,
    hidden: Buffer<'a>,
    eights: Buffer<'a>,
    /// Keys and values in the order in which tiles read them.
    keys: Buffer<'a>,
    values: Buffer<'a>,
}

impl Pass<'_> {
    /// Calls `work` for all of these rows, each on one thread.
    fn each_row(member: &Member<'_>, rows: Range<usize>, mut work: impl FnMut(usize)) {
        member.share(rows.len().div_ceil(ROWS), |i| {
            let first = rows.start + i * ROWS;
            (first..(first + ROWS).min(rows.end)).for_each(&mut work);
        });
    }

    fn begin(&self, member: &Member<'_>) {
        let d = self.sizes.width;
        Self::each_row(member, 0..self.sizes.tokens, |row| {
            // SAFETY: a row is one thread's, and others read it behind the barrier alone.
            unsafe { self.x.row_mut(row, d) }.copy_from_slice(&self.tokens.embedded[row * d..(row + 1) * d]);
        });
    }

    /// One block. What attention needs is made for all tokens, what follows for some rows.
    fn block(&self, member: &Member<'_>, block: &BlockWeights<'_>, remembered: &Remembered<'_>, rows: Range<usize>) {
        let (level, all, d) = (self.level, 0..self.sizes.tokens, self.sizes.width);
        // SAFETY (of this function): between two barriers each buffer is either read by all, or written by all, each thread its
        // own rows or stretches.
        Self::each_row(member, all.clone(), |row| {
            let (x, normed) = unsafe { (self.x.row(row, d), self.normed.row_mut(row, d)) };
            normalise(level, block.norm_attn.as_ref(), x, normed);
        });
        self.project(member, &block.qkv, &self.normed, &self.qkv, all);
        self.attend(member, block, remembered, rows.clone());
        self.project(member, &block.attn_out, &self.z, &self.y, rows.clone());
        Self::each_row(member, rows.clone(), |row| {
            let (x, y) = unsafe { (self.x.row(row, d), self.y.row_mut(row, d)) };
            let (mid, normed) = unsafe { (self.mid.row_mut(row, d), self.normed.row_mut(row, d)) };
            add(level, x, y, block.norm_attn_out.as_ref(), mid, normed);
            normalise(level, block.norm_mlp.as_ref(), if block.is_parallel { x } else { mid }, normed);
        });
        self.project(member, &block.mlp_in, &self.normed, &self.inner, rows.clone());
        let [width, wide] = [block.mlp_out.weight.shape()[1], block.mlp_in.weight.shape()[0]];
        Self::each_row(member, rows.clone(), |row| {
            let (x, out) = unsafe { (self.inner.row(row, wide), self.hidden.row_mut(row, width)) };
            block.activate(level, x, out);
        });
        self.project(member, &block.mlp_out, &self.hidden, &self.y, rows.clone());
        Self::each_row(member, rows, |row| {
            let (mid, y) = unsafe { (self.mid.row(row, d), self.y.row_mut(row, d)) };
            let (x, spare) = unsafe { (self.x.row_mut(row, d), self.normed.row_mut(row, d)) };
            add(level, mid, y, block.norm_mlp_out.as_ref(), x, spare);
        });
    }

    /// Some rows through a projection.
    fn project(
        &self,
        member: &Member<'_>,
        linear: &LinearWeights<'_>,
        from: &Buffer<'_>,
        to: &Buffer<'_>,
        rows: Range<usize>,
    ) {
        let [outputs, inputs] = linear.weight.shape();
        // SAFETY: written before the last barrier, and by nobody before the next.
        let left = unsafe { from.rows(rows.clone(), inputs) };
        if rows.len() == 1 {
            return self.one_row(member, linear, left, to, rows.start);
        }
        if block_product::serves(self.level, &linear.weight) {
            return self.project_blocks(member, linear, left, to, rows);
        }
        let (left, right) = (LeftMatrix::Rows(left), RightMatrix::Columns(&linear.weight));
        let (sizes, out) = ([rows.len(), inputs, outputs], to.pointer(rows, outputs));
        // SAFETY: every thread writes pieces of its own, and others read them behind the barrier.
        let product = unsafe { Product::new(self.level, left, right, linear.bias, sizes, out) };
        member.share(product.pieces(), |i| product.piece(i));
    }

    /// Rows as numbers of eight bits, where weights are in blocks; nothing where they are not.
    fn rounded(&self, member: &Member<'_>, weight: &WeightRows<'_>, x: &[f32]) -> &[f32] {
        if !weight.has_blocks() {
            return &[];
        }
        let [_, inputs] = weight.shape();
        let (rows, words) = (x.len() / inputs, eights::words(inputs));
        Self::each_row(member, 0..rows, |row| {
            // SAFETY: a row is one thread's.
            let to = unsafe { self.eights.row_mut(row, words) };
            eights::write_row(self.level, &x[row * inputs..(row + 1) * inputs], to);
        });
        // SAFETY: written before the last barrier.
        unsafe { self.eights.rows(0..rows, words) }
    }

    /// Some rows through a projection whose weights are in blocks.
    fn project_blocks(
        &self,
        member: &Member<'_>,
        linear: &LinearWeights<'_>,
        x: &[f32],
        to: &Buffer<'_>,
        rows: Range<usize>,
    ) {
        let [outputs, _] = linear.weight.shape();
        let eights = self.rounded(member, &linear.weight, x);
        let product = BlockProduct { level: self.level, x, eights, weight: &linear.weight, bias: linear.bias };
        member.share(product.pieces(), |i| {
            product.piece(i, &mut |at, numbers| {
                // SAFETY: every piece is one thread's.
                unsafe { to.part_mut(rows.start * outputs + at, numbers.len()) }.copy_from_slice(numbers);
            });
        });
    }

    /// One row through a projection: every weight is read once.
    fn one_row(&self, member: &Member<'_>, linear: &LinearWeights<'_>, x: &[f32], to: &Buffer<'_>, row: usize) {
        let [outputs, _] = linear.weight.shape();
        let (share, x) = (stretch(&linear.weight), linear.weight.factor(self.level, x));
        member.share(outputs.div_ceil(share), |i| {
            let of = i * share..((i + 1) * share).min(outputs);
            // SAFETY: every stretch is one thread's.
            let y = unsafe { to.part_mut(row * outputs + of.start, of.len()) };
            linear.weight.times(self.level, of.clone(), &x, y);
            if let Some(bias) = linear.bias {
                inner::add(self.level, y, &bias[of]);
            }
        });
    }

    /// The wanted rows behind the last normalisation, `[N, D]`.
    fn normed_end(&self, member: &Member<'_>, weights: &DecoderWeights<'_>) -> &[f32] {
        let (wanted, d) = (self.tokens.wanted, self.sizes.width);
        Self::each_row(member, 0..wanted.len(), |i| {
            // SAFETY: a row is written by one thread, and the stream by none.
            let (x, normed) = unsafe { (self.x.row(wanted[i], d), self.normed.row_mut(i, d)) };
            normalise(self.level, weights.norm.as_ref(), x, normed);
        });
        // SAFETY: written before the last barrier.
        unsafe { self.normed.rows(0..wanted.len(), d) }
    }

    fn unembed(&self, member: &Member<'_>, weights: &DecoderWeights<'_>, logits: &Buffer<'_>) {
        let (wanted, left) = (self.tokens.wanted, self.normed_end(member, weights));
        let [vocabulary, _] = weights.unembedding.shape();
        let unembedding = LinearWeights { weight: weights.unembedding.clone(), bias: None };
        if wanted.len() == 1 {
            self.one_row(member, &unembedding, left, logits, 0);
        } else {
            self.project(member, &unembedding, &self.normed, logits, 0..wanted.len());
        }
        if let Some(cap) = weights.cap {
            Self::each_row(member, 0..wanted.len(), |row| {
                // SAFETY: a row is one thread's.
                bound(unsafe { logits.row_mut(row, vocabulary) }, cap);
            });
        }
    }
}

/// Words that a row takes as numbers of eight bits before a projection that wants them.
fn most_words(linear: &LinearWeights<'_>) -> usize {
    if linear.weight.has_blocks() { eights::words(linear.weight.shape()[1]) } else { 0 }
}

impl BlockWeights<'_> {
    fn linears(&self) -> [&LinearWeights<'_>; 4] {
        [&self.qkv, &self.attn_out, &self.mlp_in, &self.mlp_out]
    }

    fn activate(&self, level: Level, x: &[f32], out: &mut [f32]) {
        let (gated, other) = if self.is_gated { x.split_at(out.len()) } else { (x, &[][..]) };
        let other = self.is_gated.then_some(other);
        // SAFETY: numbers are written over numbers.
        let out = unsafe { &mut *(std::ptr::from_mut(out) as *mut [std::mem::MaybeUninit<f32>]) };
        match self.between {
            Between::Gelu => inner::gelu(level, gated, out),
            Between::GeluTanh => inner::gate(level, Gate::GELU_TANH, gated, other, out),
            Between::Silu => inner::gate(level, Gate::SILU, gated, other, out),
        }
    }
}

fn normalise(level: Level, norm: Option<&NormWeights<'_>>, x: &[f32], out: &mut [f32]) {
    match norm {
        Some(norm) => norm.apply(level, x, out),
        None => out.copy_from_slice(x),
    }
}

/// x + y, y normalised first where it is so.
fn add(level: Level, x: &[f32], y: &mut [f32], norm: Option<&NormWeights<'_>>, out: &mut [f32], spare: &mut [f32]) {
    out.copy_from_slice(x);
    match norm {
        Some(norm) => {
            norm.apply(level, y, spare);
            inner::add(level, out, spare);
        }
        None => inner::add(level, out, y),
    }
}

/// c · tanh(x / c).
fn bound(x: &mut [f32], cap: f32) {
    for x in x {
        *x = cap * (*x / cap).tanh();
    }
}
