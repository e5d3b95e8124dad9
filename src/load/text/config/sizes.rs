//! Sizes every architecture has, each with a ceiling: a number far beyond any model is a damaged file, and products of sizes
//! must not overflow.

use crate::load::error::LoadError;
use crate::load::fields::Fields;
use crate::load::text::family;
use crate::nn::{SlidingWindow, TextConfig};

/// Far above the largest models of 2026 in every direction, and small enough that a product of three fits in 64 bits.
const MOST_TOKENS: usize = 1 << 26;
const MOST_LAYERS: usize = 1 << 14;
const MOST_HEADS: usize = 1 << 14;
const MOST_WIDTH: usize = 1 << 22;

pub(super) fn vocabulary(fields: &Fields, name: &str) -> Result<usize, LoadError> {
    fields.count_up_to(name, MOST_TOKENS)
}

pub(super) fn context(fields: &Fields, name: &str) -> Result<usize, LoadError> {
    fields.count_up_to(name, MOST_TOKENS)
}

pub(super) fn layers(fields: &Fields, name: &str) -> Result<usize, LoadError> {
    fields.count_up_to(name, MOST_LAYERS)
}

pub(super) fn width(fields: &Fields, name: &str) -> Result<usize, LoadError> {
    fields.count_up_to(name, MOST_WIDTH)
}

/// Attention heads, which divide the model's width.
pub(super) fn heads_of(fields: &Fields, name: &str, hidden_name: &str, hidden: usize) -> Result<usize, LoadError> {
    let heads = heads(fields, name)?;
    if !hidden.is_multiple_of(heads) {
        return Err(fields.wrong(name, format!("is {heads}, which does not divide {hidden_name} = {hidden}")));
    }
    Ok(heads)
}

pub(super) fn heads(fields: &Fields, name: &str) -> Result<usize, LoadError> {
    fields.count_up_to(name, MOST_HEADS)
}

/// Key-value heads, which divide the heads. `null` stands for as many as heads; so does an absent field if `optional`.
pub(super) fn kv_heads(fields: &Fields, heads: usize, optional: bool) -> Result<usize, LoadError> {
    const NAME: &str = "num_key_value_heads";
    let kv_heads = if fields.value(NAME).is_none() && (optional || fields.is_null(NAME)) {
        heads
    } else {
        fields.count_up_to(NAME, MOST_HEADS)?
    };
    if !heads.is_multiple_of(kv_heads) {
        let problem = format!("is {kv_heads}, which does not divide num_attention_heads = {heads}");
        return Err(fields.wrong(NAME, problem));
    }
    Ok(kv_heads)
}

/// The width of a head: what `head_dim` says, else the model's width divided among the heads.
pub(super) fn head_dim(fields: &Fields, hidden: usize, heads: usize) -> Result<usize, LoadError> {
    let width = if fields.value("head_dim").is_some() {
        width(fields, "head_dim")?
    } else if hidden.is_multiple_of(heads) {
        hidden / heads
    } else {
        let problem = format!("is {heads}, which does not divide hidden_size = {hidden}");
        return Err(fields.wrong("num_attention_heads", problem));
    };
    if !width.is_multiple_of(2) {
        return Err(fields.wrong("head_dim", format!("is {width}; rotary positions need an even one")));
    }
    Ok(width)
}

/// transformers' window where config.json has no `sliding_window` at all.
const DEFAULT_WINDOW: usize = 4096;

/// `sliding_window` in tokens; `null` means none.
pub(super) fn sliding_window(fields: &Fields) -> Result<Option<usize>, LoadError> {
    const NAME: &str = "sliding_window";
    if fields.is_null(NAME) {
        return Ok(None);
    }
    if fields.value(NAME).is_none() {
        return Ok(Some(DEFAULT_WINDOW));
    }
    fields.count(NAME).map(Some)
}

/// `layer_types`, if it is there: true where a block slides.
pub(super) fn layer_types(fields: &Fields, layers: usize) -> Result<Option<Vec<bool>>, LoadError> {
    const NAME: &str = "layer_types";
    let Some(names) = fields.texts_if_any(NAME)? else { return Ok(None) };
    if names.len() != layers {
        return Err(fields.wrong(NAME, format!("has {} entries for {layers} blocks", names.len())));
    }
    let slides = |name: &&str| match *name {
        "sliding_attention" => Ok(true),
        "full_attention" => Ok(false),
        other => Err(fields.unsupported(NAME, &other, "full_attention, sliding_attention")),
    };
    names.iter().map(slides).collect::<Result<_, _>>().map(Some)
}

/// A window for these blocks; none when no block slides.
pub(super) fn sliding(
    fields: &Fields,
    width: Option<usize>,
    blocks: Vec<bool>,
) -> Result<Option<SlidingWindow>, LoadError> {
    let Some(first) = blocks.iter().position(|slides| *slides) else { return Ok(None) };
    match width {
        Some(width) => Ok(Some(SlidingWindow { width, blocks })),
        None => Err(fields.wrong("layer_types", format!("has block {first} slide, but there is no sliding_window"))),
    }
}

/// `layer_types` as it is written.
pub(super) fn layer_types_json(sliding: Option<&SlidingWindow>, layers: usize) -> serde_json::Value {
    let slides = |layer: usize| sliding.is_some_and(|sliding| sliding.blocks[layer]);
    (0..layers).map(|layer| if slides(layer) { "sliding_attention" } else { "full_attention" }).collect()
}

/// Weights of a model of this shape, give or take biases and gains.
pub(in crate::load) fn parameters(config: &TextConfig) -> u64 {
    family::family(config).parameters()
}

/// What the weights of a transformer follow from.
pub(in crate::load::text) struct Blocks {
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Matrices in the MLP of a block, and its width.
    pub mlp: usize,
    pub intermediate: usize,
}

impl Blocks {
    /// Weights with tables of so many tokens and positions.
    pub(in crate::load::text) fn parameters(&self, vocabulary: usize, tied: bool, positions: usize) -> u64 {
        let [v, d, f, l] = [vocabulary, self.hidden, self.intermediate, self.layers].map(|n| n as u64);
        let [h, g, k, mlp] = [self.heads, self.kv_heads, self.head_dim, self.mlp].map(|n| n as u64);
        let tables = v + if tied { 0 } else { v } + positions as u64;
        let block = (2 * h + 2 * g).saturating_mul(k).saturating_mul(d).saturating_add(mlp * f.saturating_mul(d));
        tables.saturating_mul(d).saturating_add(block.saturating_mul(l))
    }
}
