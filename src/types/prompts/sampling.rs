//! How the next token is drawn.

use serde::{Deserialize, Serialize};

/// Settings of one generation. `temperature` 0 is greedy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f32,
    /// Keep only the k most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens whose probability reaches p (nucleus sampling, Holtzman et al. 2020); 1 keeps all.
    pub top_p: f32,
    /// Seed of the random numbers: same seed, same device, same text.
    pub seed: u64,
    /// Stop after this many new tokens.
    pub max_new_tokens: usize,
    /// Stop as soon as the output holds one of these; the stop string itself is cut off.
    pub stop: Vec<String>,
    /// How many alternatives each token reports.
    pub candidates: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 1, max_new_tokens: 64, stop: Vec::new(), candidates: 10 }
    }
}
