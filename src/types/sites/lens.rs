//! What the residual stream would say after each layer: the logit lens.

use crate::types::PromptToken;
use std::collections::BTreeMap;

/// What a model would say after each of its layers, if it were the last (the logit lens, nostalgebraist 2020): the state of the
/// residual stream goes through the last normalisation, computed anew for it, and through the head.
#[derive(Clone, Debug, PartialEq)]
pub struct LensReport {
    /// The tokens that were read, from the first on.
    pub tokens: Vec<PromptToken>,
    /// How many the text has: more where it is not read to its end.
    pub total: usize,
    /// The states: as they enter the first block, then as they leave each. A cell for each token in every one.
    pub states: Vec<Vec<LensCell>>,
    /// The token whose rank and probability are told; `None` where it is, for each token read, the one that the model says in
    /// the end.
    pub target: Option<LensTarget>,
    /// The fitted lens that states were read through, in words; `None` for the logit lens.
    pub lens: Option<String>,
    /// The texts of all tokens that cells name.
    pub names: BTreeMap<u32, String>,
    /// The largest difference, over the vocabulary, between the probabilities of the last cell and those that the model gives
    /// at the last token when it generates; infinite until that one is read.
    pub off: f32,
}

/// A token that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LensTarget {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// How many tokens the text has that was asked for; all but the first are left out.
    pub of: usize,
}

/// What one state says at one token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LensCell {
    /// The likeliest tokens, likeliest first, with the natural logs of their probabilities.
    pub top: Vec<(u32, f32)>,
    /// In nats.
    pub entropy: f32,
    /// KL(what the model says in the end ‖ this), in nats.
    pub divergence: f32,
    /// The token that is followed: the target, or what the model says in the end.
    pub followed: u32,
    /// Its rank among all, from 1.
    pub rank: u32,
    /// The natural log of its probability.
    pub log_prob: f32,
}

impl LensCell {
    /// The probability that the likeliest tokens leave to all others.
    #[must_use]
    pub fn rest(&self) -> f32 {
        (1.0 - self.top.iter().map(|(_, log_prob)| log_prob.exp()).sum::<f32>()).max(0.0)
    }
}

impl LensReport {
    /// How far the last cell may be off the model's own probabilities for the report to count as checked.
    pub const EXACT: f32 = 1e-6;

    /// True where the text is read to its end.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.tokens.len() == self.total
    }

    /// True where the last row says what the model says.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        self.off <= Self::EXACT
    }

    /// The text of a token that a cell names.
    #[must_use]
    pub fn name(&self, id: u32) -> &str {
        self.names.get(&id).map_or("", String::as_str)
    }

    /// What a state is called: `embedding`, or the layer it leaves.
    #[must_use]
    pub fn state_name(state: usize) -> String {
        match state.checked_sub(1) {
            None => "embedding".to_owned(),
            Some(layer) => format!("layer {layer}"),
        }
    }
}
