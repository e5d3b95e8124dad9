//! What a finished piece of work reports.

use crate::types::{DataPart, PictureReport, PromptToken, Site};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a generation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The model produced its end-of-sequence token.
    EndOfSequence,
    /// `max_new_tokens` was reached.
    MaxNewTokens,
    /// The context is full.
    ContextFull,
    /// The output held this stop string.
    StopString(String),
    /// The person stopped it.
    Cancelled,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndOfSequence => f.write_str("end of sequence"),
            Self::MaxNewTokens => f.write_str("token limit"),
            Self::ContextFull => f.write_str("context full"),
            Self::StopString(s) => write!(f, "stop string {s:?}"),
            Self::Cancelled => f.write_str("stopped"),
        }
    }
}

/// Timing of one generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerationStats {
    /// Why it ended.
    pub stop: StopReason,
    /// Tokens in the prompt.
    pub prompt_tokens: usize,
    /// Tokens generated.
    pub new_tokens: usize,
    /// Milliseconds from the request to the first token.
    pub ttft_ms: f64,
    /// Tokens per second after the first one; 0 when fewer than two were generated.
    pub tokens_per_s: f64,
}

/// Values that are shared, and were never copied from where they were read back.
#[derive(Clone, Default, PartialEq)]
pub struct Values(Arc<Vec<f32>>);

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self(Arc::new(values))
    }
}

impl<const N: usize> From<[f32; N]> for Values {
    fn from(values: [f32; N]) -> Self {
        values.to_vec().into()
    }
}

impl FromIterator<f32> for Values {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        values.into_iter().collect::<Vec<_>>().into()
    }
}

/// The values at one site, read back from the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Where.
    pub site: Site,
    /// Its shape; the letters are explained at [`Site`]. The batch comes first where it holds more than one sequence.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Values,
}

/// One uncached forward pass over a finished sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectReport {
    /// The tokens that went in; spans refer to their joined text.
    pub tokens: Vec<PromptToken>,
    /// The requested sites in the order the forward pass met them.
    pub captures: Vec<Capture>,
    /// Of an image classifier: the picture it read, whose patches the tokens are, and its answer.
    pub picture: Option<PictureReport>,
    /// Set when a memory budget left some sites out; says which and why.
    pub left_out: Option<String>,
}

impl InspectReport {
    /// The attention pattern of one head, `[T, T]` row-major: row = query (the token that looks), column = key.
    #[must_use]
    pub fn pattern(&self, layer: usize, head: usize) -> Option<&[f32]> {
        let capture = self.captures.iter().find(|c| c.site == Site::Pattern(layer))?;
        let [heads, rows, columns] = *capture.shape.as_slice() else { return None };
        (head < heads).then(|| &capture.values[head * rows * columns..(head + 1) * rows * columns])
    }
}

/// Where in a pass values stop being numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenReport {
    /// The first site, in the order of the pass, with a value that is not finite; `None` where there is none.
    pub site: Option<Site>,
}

/// How well a model does on data it is measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EvaluationReport {
    /// A digit network on labelled images.
    Digits {
        /// Images measured.
        images: usize,
        /// Share of images whose most likely class is the label, in `0..=1`.
        accuracy: f64,
        /// Mean cross-entropy in nats.
        loss: f64,
        /// `confusion[label][prediction]` counts.
        confusion: Vec<Vec<usize>>,
    },
    /// A classifier on labelled texts or pictures.
    Classes {
        /// Those measured.
        examples: usize,
        /// Share of them whose most likely class is the label, in `0..=1`.
        accuracy: f64,
        /// Mean of the classes' F1.
        macro_f1: f64,
        /// Mean cross-entropy in nats.
        loss: f64,
        /// Names of the classes.
        labels: Vec<String>,
        /// The harmonic mean of precision and recall of each class, in `0..=1`.
        f1: Vec<f64>,
        /// `confusion[label][prediction]` counts.
        confusion: Vec<Vec<usize>>,
        /// Texts that were longer than what is read, and cut off.
        cut: usize,
    },
    /// A causal model on text.
    Text {
        /// Tokens predicted.
        tokens: usize,
        /// Bytes of text those tokens stand for.
        bytes: usize,
        /// Mean cross-entropy per token in nats.
        loss: f64,
        /// exp(loss).
        perplexity: f64,
        /// Cross-entropy per byte in bits: comparable across tokenizers.
        bits_per_byte: f64,
        /// The same text with all weights in F32, where that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full: Option<FullPrecision>,
    },
}

/// What a model is measured on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluateSpec {
    /// A folder of IDX files for a digit network, a text file or a folder of text files for a causal model, labelled texts or
    /// a folder with a folder of pictures for each class for a classifier.
    pub data: PathBuf,
    /// True to read a text once more with all weights in F32.
    pub beside_full: bool,
    /// The part of labelled texts that is measured, as the run split them that trained the model; else all of them.
    #[serde(default)]
    pub part: Option<DataPart>,
    /// The columns of texts and of labels, each by its name or its number from 1.
    #[serde(default)]
    pub columns: [Option<String>; 2],
}

/// How a causal model does with the values that its weights stand for, and how far its scores are from those it has then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FullPrecision {
    /// Mean cross-entropy per token in nats.
    pub loss: f64,
    /// exp(loss).
    pub perplexity: f64,
    /// Mean of KL(full ‖ as it is) over the predicted tokens, in nats.
    pub divergence: f64,
    /// The largest of them.
    pub most: f64,
    /// Share of tokens at which both have the same likeliest token, in `0..=1`.
    pub same: f64,
}
