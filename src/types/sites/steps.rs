//! The arithmetic of one token in one head, step by step, as plain numbers; and the sum that made any one of them.
//!
//! T tokens, S tokens attended to, D model width, H heads, K head width, F MLP width, V vocabulary.

use crate::types::{Candidate, PromptToken, Site};
use std::fmt;
use std::sync::Arc;

/// One step from a token to the next, in the order of the pass. A model has those that its family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StepKind {
    /// The pixels of a patch, as the model reads them, `[U·P·P]` with U colour channels.
    Pixels,
    /// The token's vector, `[D]`.
    Embed,
    /// The vector of its token type, `[D]`.
    TokenType,
    /// The vector of its position, `[D]`.
    Position,
    /// Their sum where a normalisation follows, `[D]`.
    EmbedSum,
    /// The residual stream entering the first block, `[D]`.
    Entered,
    /// The residual stream entering the block that is looked at, `[D]`; the same as [`Self::Entered`] in the first.
    Stream,
    /// The stream, normalised for attention, `[D]`.
    NormAttn,
    /// The query as projected, before its normalisation and rotation, `[K]`.
    QueryProjected,
    /// The query, normalised in its head, `[K]`.
    QueryNormed,
    /// The query as it meets the keys, `[K]`.
    Query,
    /// The stream of the chosen key's token, `[D]`.
    KeyStream,
    /// The same, normalised, `[D]`.
    KeyNormAttn,
    /// The chosen key as projected, `[K]`.
    KeyProjected,
    /// The chosen key, normalised in its head, `[K]`.
    KeyNormed,
    /// The chosen key as the query meets it, `[K]`.
    Key,
    /// The value of the chosen key's token, `[K]`.
    Value,
    /// q·k for every key, `[S]`.
    Product,
    /// The products, scaled, `[S]`.
    Scaled,
    /// The scaled products, bounded, `[S]`.
    Capped,
    /// The scores, hidden keys as the lowest finite number, `[S]`.
    Scores,
    /// The attention weights, `[S]`.
    Pattern,
    /// The values, weighted and added, `[K]`.
    Weighted,
    /// What this head gives to the output of attention, `[D]`.
    HeadOutput,
    /// What all heads give, before a normalisation, `[D]`.
    AttnProj,
    /// What attention adds to the stream, `[D]`.
    AttnOut,
    /// Stream and attention, before the normalisation behind them, `[D]`.
    AttnSum,
    /// The stream between attention and MLP, `[D]`.
    Mid,
    /// The stream, normalised for the MLP, `[D]`.
    NormMlp,
    /// The neurons before their activation, `[F]`.
    MlpPre,
    /// What the activated neurons are multiplied with, `[F]`.
    MlpUp,
    /// The neurons, `[F]`.
    MlpPost,
    /// What all neurons give, before a normalisation, `[D]`.
    MlpProj,
    /// What the MLP adds to the stream, `[D]`.
    MlpOut,
    /// Stream and MLP, before the normalisation behind them, `[D]`.
    MlpSum,
    /// The stream leaving the block, `[D]`.
    Post,
    /// The stream leaving the last block, `[D]`; the same as [`Self::Post`] in the last.
    Last,
    /// The stream after the last normalisation, `[D]`.
    LnFinal,
    /// What the head of an encoder projects it to, `[D]`.
    HeadDense,
    /// The same, activated, `[D]`.
    HeadActivated,
    /// The same, normalised, `[D]`.
    HeadNorm,
    /// What the heads of an image classifier read: the special tokens after the last normalisation, `[S·D]`.
    ClassInput,
    /// The scores of every token of the vocabulary, or of every class, `[V]`.
    Logits,
}

impl StepKind {
    /// Its name, as a heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Pixels => "Pixels of the patch",
            Self::Embed => "Token embedding",
            Self::TokenType => "Token type",
            Self::Position => "Position",
            Self::EmbedSum => "Sum of embeddings",
            Self::Entered => "Into the first block",
            Self::Stream => "Into this block",
            Self::NormAttn => "Normalised",
            Self::QueryProjected => "Query, projected",
            Self::QueryNormed => "Query, normalised",
            Self::Query => "Query q",
            Self::KeyStream => "Stream of the key's token",
            Self::KeyNormAttn => "Normalised",
            Self::KeyProjected => "Key, projected",
            Self::KeyNormed => "Key, normalised",
            Self::Key => "Key k",
            Self::Value => "Value v",
            Self::Product => "Product q·k",
            Self::Scaled => "Scaled",
            Self::Capped => "Capped",
            Self::Scores => "Score",
            Self::Pattern => "Weight",
            Self::Weighted => "Weighted values z",
            Self::HeadOutput => "This head gives",
            Self::AttnProj => "All heads give",
            Self::AttnOut => "Attention adds",
            Self::AttnSum => "Stream + attention",
            Self::Mid => "Stream behind attention",
            Self::NormMlp => "Normalised",
            Self::MlpPre => "Neurons before activation",
            Self::MlpUp => "Factors of the neurons",
            Self::MlpPost => "Neurons",
            Self::MlpProj => "All neurons give",
            Self::MlpOut => "MLP adds",
            Self::MlpSum => "Stream + MLP",
            Self::Post => "Out of this block",
            Self::Last => "Out of the last block",
            Self::LnFinal => "Last norm",
            Self::HeadDense => "Head, projected",
            Self::HeadActivated => "Head, activated",
            Self::HeadNorm => "Head, normalised",
            Self::ClassInput => "What the classes read",
            Self::Logits => "Scores (logits)",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// The numbers of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepValues {
    /// Which.
    pub kind: StepKind,
    /// Where the pass had them; `None` for what the model's own layers make of the captured values before them.
    pub site: Option<Site>,
    /// The numbers.
    pub values: Arc<[f32]>,
}

/// What a block gave to the residual stream of the query's token.
#[derive(Clone, Debug, PartialEq)]
pub struct AddedByBlock {
    /// By attention, `[D]`.
    pub attn: Vec<f32>,
    /// By the MLP, `[D]`.
    pub mlp: Vec<f32>,
    /// The stream between the two, `[D]`; kept where the normalisation of a block stands behind it.
    pub mid: Vec<f32>,
}

/// The arithmetic of one query in one head.
#[derive(Clone, Debug, PartialEq)]
pub struct StepsReport {
    /// The tokens that went in.
    pub tokens: Vec<PromptToken>,
    /// The block.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// The key-value head that serves it.
    pub kv_head: usize,
    /// Heads that share that one.
    pub group: usize,
    /// Blocks of the model.
    pub layers: usize,
    /// The token that looks.
    pub query: usize,
    /// The token that is looked at.
    pub key: usize,
    /// The steps, in order.
    pub steps: Vec<StepValues>,
    /// Steps that other models have and this one has not, each with the sentence that says why.
    pub absent: Vec<(StepKind, &'static str)>,
    /// The keys of the head, as queries meet them, `[S, K]`.
    pub keys: Arc<[f32]>,
    /// The values of the head, `[S, K]`.
    pub values: Arc<[f32]>,
    /// The weighted values of every head at the query, `[H·K]`.
    pub z: Arc<[f32]>,
    /// What each block gave to the stream of the query's token.
    pub added: Vec<AddedByBlock>,
    /// The positions by which query and key are rotated, where they are.
    pub rotated_by: Option<[f32; 2]>,
    /// Radians a position of each pair that is rotated; empty where none is.
    pub frequencies: Vec<f64>,
    /// The learned vectors of the positions of all tokens, `[T, D]`; empty where there are none.
    pub positions: Arc<[f32]>,
    /// Multiplies the products.
    pub scale: f64,
    /// The likeliest next tokens, or classes, most likely first, at temperature 1.
    pub top: Vec<Candidate>,
}

impl StepsReport {
    /// The numbers of a step, if the model has it.
    #[must_use]
    pub fn step(&self, kind: StepKind) -> Option<&StepValues> {
        self.steps.iter().find(|step| step.kind == kind)
    }

    /// The same, as numbers alone; empty where the model has no such step.
    #[must_use]
    pub fn values_of(&self, kind: StepKind) -> &[f32] {
        self.step(kind).map_or(&[], |step| &step.values)
    }
}

/// One term of a sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What it comes of.
    pub name: String,
    /// What is multiplied to give it: the number that comes in, and its weight. `None` where it is one number.
    pub factors: Option<[f64; 2]>,
    /// How large it is.
    pub value: f64,
    /// The number of the steps that it comes of, where it is one.
    pub from: Option<(StepKind, usize)>,
}

/// How one number was made.
#[derive(Clone, Debug, PartialEq)]
pub struct TermsReport {
    /// Of which step.
    pub kind: StepKind,
    /// Which of its numbers.
    pub index: usize,
    /// The number that the model has.
    pub value: f32,
    /// How it is made, as a formula.
    pub formula: String,
    /// The terms, largest first, at most [`Self::MOST`].
    pub terms: Vec<Term>,
    /// How many terms the sum has.
    pub count: usize,
    /// Sum of all terms, in F64.
    pub sum: f64,
    /// Sum of their magnitudes.
    pub magnitude: f64,
    /// The number that follows from the sum.
    pub made: f64,
    /// Numbers that the formula names.
    pub facts: Vec<(&'static str, f64)>,
}

impl TermsReport {
    /// Terms that are told one by one.
    pub const MOST: usize = 512;

    /// What is missing between the number that the model has, which sums in 24 bits and an order of its own, and the one that
    /// follows from the terms.
    #[must_use]
    pub fn remainder(&self) -> f64 {
        f64::from(self.value) - self.made
    }

    /// The sum of the terms that are not told one by one.
    #[must_use]
    pub fn rest(&self) -> f64 {
        self.sum - self.terms.iter().map(|term| term.value).sum::<f64>()
    }
}
