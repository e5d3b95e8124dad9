//! Low-rank adapters (LoRA, Hu et al. 2021): what is known of one on an open model, and what a run learns of one.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Factors by which the change of an adapter may be multiplied.
pub const ADAPTER_FACTORS: std::ops::RangeInclusive<f32> = 0.0..=2.0;

/// An adapter on an open model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// Its folder's name, for display.
    pub name: String,
    /// The folder; empty for one that was trained here and not yet written.
    pub path: PathBuf,
    /// The model it says it was made for.
    pub base: Option<String>,
    /// The rank of its matrices, where none has another one.
    pub rank: usize,
    /// What its change is multiplied with, before it is divided by the rank or its root.
    pub alpha: f64,
    /// The change is divided by the root of the rank (Kalajdzievski 2023).
    pub rank_stabilised: bool,
    /// Some matrices have ranks or an alpha of their own.
    pub is_varied: bool,
    /// Tensors in its file. All of them are applied, or it is not opened.
    pub tensors: usize,
    /// Matrices of the model that it changes.
    pub matrices: usize,
    /// Numbers it holds.
    pub parameters: u64,
    /// Its change is zero throughout: it was saved before it learned anything.
    pub is_identity: bool,
    /// The head for classes is its own, since its base has none: switched off, what is left of it is that head on the body as it was.
    #[serde(default)]
    pub holds_head: bool,
    /// Neither it nor its base names its classes, so they have numbers.
    #[serde(default)]
    pub numbers_classes: bool,
    /// How it is used.
    pub setting: AdapterSetting,
}

/// How an adapter is used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdapterSetting {
    /// Off, the model is its base to the last bit.
    pub on: bool,
    /// What its change is multiplied with, from 0 to 2.
    pub factor: f32,
}

impl Default for AdapterSetting {
    fn default() -> Self {
        Self { on: true, factor: 1.0 }
    }
}

impl AdapterInfo {
    /// Its sizes in a few words.
    #[must_use]
    pub fn sizes(&self) -> String {
        let and_others = if self.is_varied { ", others of their own" } else { "" };
        let stabilised = if self.rank_stabilised { " (rank-stabilised)" } else { "" };
        format!("rank {}, alpha {}{stabilised}{and_others}", self.rank, self.alpha)
    }

    /// How many of its tensors are in use: all.
    #[must_use]
    pub fn applied(&self) -> String {
        format!("applied {0} of {0} tensors", self.tensors)
    }

    /// What a result says of it behind the name of its model; nothing while it is off.
    #[must_use]
    pub fn stamp(&self) -> Option<String> {
        let AdapterSetting { on, factor } = self.setting;
        let by = if factor == 1.0 { String::new() } else { format!(" × {factor}") };
        on.then(|| format!("{}{by}", self.name))
    }
}

/// What a run learns in place of all weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraSpec {
    /// Rows of A and columns of B.
    #[serde(default = "usual_rank")]
    pub rank: usize,
    /// The change is multiplied with this and divided by the rank.
    #[serde(default = "usual_alpha")]
    pub alpha: f64,
    /// Divided by the root of the rank in place of the rank.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rank_stabilised: bool,
    /// Modules of transformers that are changed, by the ends of their paths, such as `q_proj`; `all-linear` stands for every matrix of
    /// every block.
    pub targets: Vec<String>,
}

fn usual_rank() -> usize {
    8
}

fn usual_alpha() -> f64 {
    16.0
}

impl LoraSpec {
    /// All matrices of all blocks.
    pub const ALL_LINEAR: &str = "all-linear";

    /// What the product of B and A is multiplied with.
    #[must_use]
    pub fn scale(&self) -> f64 {
        lora_scale(self.alpha, self.rank, self.rank_stabilised)
    }
}

/// alpha / rank, or alpha / √rank.
#[must_use]
pub fn lora_scale(alpha: f64, rank: usize, rank_stabilised: bool) -> f64 {
    let rank = rank as f64;
    alpha / if rank_stabilised { rank.sqrt() } else { rank }
}
