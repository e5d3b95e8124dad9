//! What each part of a model does for an answer: all heads and MLPs removed, one at a time.

use crate::types::{LensTarget, PromptToken};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is done to the part of a model that is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// It writes 0.
    #[default]
    Zero,
    /// It writes the same at every token: its mean over the prompt's.
    Mean,
}

impl Removal {
    /// The word of an edit.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Mean => "mean",
        }
    }
}

/// A part of a model that can be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What one head gives to the projection behind it (`attn.z`).
    Head {
        /// The block.
        layer: usize,
        /// The head.
        head: usize,
    },
    /// What the MLP of a block adds (`mlp_out`).
    Mlp(usize),
}

impl Part {
    /// The edit that removes it, as a person writes it.
    #[must_use]
    pub fn edit(self, removal: Removal) -> String {
        match self {
            Self::Head { layer, head } => format!("blocks.{layer}.attn.z[{head}] = {}", removal.name()),
            Self::Mlp(layer) => format!("blocks.{layer}.mlp_out = {}", removal.name()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head { layer, head } => write!(f, "head {layer}.{head}"),
            Self::Mlp(layer) => write!(f, "MLP {layer}"),
        }
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// By how much the natural log of its probability changed.
    pub log_prob: f64,
    /// KL(unedited ‖ edited) of all scores, in nats.
    pub divergence: f64,
}

/// What the probability of a token loses or gains when parts are removed, one at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepReport {
    /// The tokens that were read.
    pub tokens: Vec<PromptToken>,
    /// The token behind which the answer is told; 0 for a picture.
    pub position: usize,
    /// The answer.
    pub target: LensTarget,
    /// The natural log of its probability as the model is.
    pub log_prob: f64,
    /// What was done to each part.
    pub removal: Removal,
    /// By layer and head; `None` where it is not known yet.
    pub heads: Vec<Vec<Option<Effect>>>,
    /// By layer.
    pub mlps: Vec<Option<Effect>>,
}

impl SweepReport {
    /// Every part that was tried, in the order of the layers.
    pub fn effects(&self) -> impl Iterator<Item = (Part, Effect)> {
        self.heads.iter().zip(&self.mlps).enumerate().flat_map(|(layer, (heads, mlp))| {
            let of_heads = heads.iter().enumerate().map(move |(head, effect)| (Part::Head { layer, head }, *effect));
            of_heads.chain([(Part::Mlp(layer), *mlp)]).filter_map(|(part, effect)| Some((part, effect?)))
        })
    }

    /// The same, the largest change of the answer first.
    #[must_use]
    pub fn ranked(&self) -> Vec<(Part, Effect)> {
        let mut effects: Vec<_> = self.effects().collect();
        effects.sort_by(|a, b| b.1.log_prob.abs().total_cmp(&a.1.log_prob.abs()));
        effects
    }

    /// The largest change of the answer, without its sign.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.effects().fold(0.0, |most, (_, effect)| most.max(effect.log_prob.abs()))
    }

    /// Parts that were tried, and all there are.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.effects().count(), self.heads.iter().map(Vec::len).sum::<usize>() + self.mlps.len())
    }
}
