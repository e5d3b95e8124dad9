//! What an encoder learns from text without labels: to fill blanks, and to tell which texts belong together.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Filling blanks: masked tokens (Devlin et al. 2019). Of the tokens of each sequence 15 % are chosen, unless told; of these 80 % are replaced
/// by the mask, 10 % by a random token, and 10 % kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskedTask {
    /// UTF-8 text files, or folders searched for `.txt` files.
    pub data: Vec<PathBuf>,
    /// Sequence length T in tokens, `[CLS]` and `[SEP]` among them.
    pub context: usize,
    /// Share of the tokens that are chosen in learning. A small network in a short time learns more from 40 % (Wettig et al. 2023); what is
    /// held out has 15 % always.
    #[serde(default = "usual_blanks")]
    pub blanks: f64,
    /// The model to build; needed only from scratch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<BertShape>,
}

/// Telling which texts belong together: of a batch of pairs, each first text is to be nearer to its second than to any other (InfoNCE, van
/// den Oord et al. 2018; as in Gao et al. 2021, SimCSE). A text's vector is the mean of its tokens' vectors; nearness is the cosine divided
/// by the temperature.
///
/// A pair is two neighbouring sentences, or the same passage twice with other words left out of each: the encoders here have no dropout,
/// which makes the two differ in SimCSE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveTask {
    /// UTF-8 text files, or folders searched for `.txt` files.
    pub data: Vec<PathBuf>,
    /// The longest text in tokens, `[CLS]` and `[SEP]` among them.
    pub context: usize,
    /// τ, by which cosines are divided.
    #[serde(default = "usual_temperature")]
    pub temperature: f64,
    /// Share of the pairs that are neighbouring sentences; the others are one sentence twice.
    #[serde(default = "half")]
    pub neighbours: f64,
    /// Share of the words that are left out of each text of a pair.
    #[serde(default = "usual_deletion")]
    pub deletion: f64,
    /// Weight of the loss of blanks that is added, so that filling them is not forgotten; 0 leaves it out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub masked: f64,
    /// Sequences with blanks a batch, beside the pairs, where that weight is not 0.
    #[serde(default = "usual_sequences")]
    pub masked_sequences: usize,
    /// Share of their tokens that are chosen.
    #[serde(default = "usual_blanks")]
    pub blanks: f64,
    /// The model to build; needed only from scratch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<BertShape>,
}

/// A model of BERT's architecture to build from scratch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BertShape {
    /// Width D of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width F of the feed-forward layer.
    pub intermediate: usize,
    /// Longest sequence the model will be used with.
    pub max_positions: usize,
    /// Vocabulary size of the WordPiece that is trained on the same text.
    pub vocabulary: usize,
    /// How weights are drawn.
    #[serde(default)]
    pub init: EncoderInit,
}

/// How the weights of a new encoder are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderInit {
    /// Every matrix from a normal distribution of standard deviation 0.02, cut off at two of them (Devlin et al. 2019).
    #[default]
    Normal,
    /// The same, but positions are sines and cosines (Vaswani et al. 2017), and up to four heads of the first block look at the words one
    /// and two places away, on both sides, as those of trained encoders do (mimetic initialisation, Trockman and Kolter 2023).
    LookAround,
    /// As before, and the vectors of tokens are not drawn but counted: their dot products tell which tokens stand near each other in what is
    /// learned from (PPMI; Levy and Goldberg 2014). The head begins with the tokens' shares. For vocabularies of at most 16,384.
    Counted,
}

/// The share of blanks that Devlin et al. (2019) chose, and that what is held out has.
pub const BLANKS: f64 = 0.15;

fn usual_blanks() -> f64 {
    BLANKS
}

fn usual_temperature() -> f64 {
    0.05
}

fn half() -> f64 {
    0.5
}

fn usual_deletion() -> f64 {
    0.2
}

fn usual_sequences() -> usize {
    8
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}
