//! How the next token is drawn.

use serde::{Deserialize, Serialize};

/// Settings of one generation. `temperature` 0 is greedy. They take effect in transformers' order: bias, repetition, presence and
/// frequency (which transformers has not), then temperature, top-k, top-p and min-p.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Divides the logits; 0 takes the most likely token.
    pub temperature: f32,
    /// Keep only the k most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens whose probability reaches p (nucleus sampling, Holtzman et al. 2020); 1 keeps all.
    pub top_p: f32,
    /// Of those, keep the tokens at least this share as likely as the likeliest (min-p, Nguyen et al. 2024); 0 keeps all.
    pub min_p: f32,
    /// Divides the positive logits of tokens that stand in the prompt or were generated, and multiplies the negative ones
    /// (Keskar et al. 2019); 1 changes nothing.
    pub repetition_penalty: f32,
    /// Taken off the logit of every token that was generated.
    pub presence_penalty: f32,
    /// Taken off the logit of a token for each time it was generated.
    pub frequency_penalty: f32,
    /// Added to the logits of chosen tokens, as typed: see [`crate::types::LogitBias`].
    pub bias: String,
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
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            bias: String::new(),
            seed: 1,
            max_new_tokens: 64,
            stop: Vec::new(),
            candidates: 10,
        }
    }
}
