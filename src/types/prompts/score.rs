//! The probability of chosen answers.

use crate::types::Edit;
use serde::{Deserialize, Serialize};

/// Queries that say nothing, for contextual calibration: those of Zhao et al. 2021.
pub const CONTENT_FREE: [&str; 3] = ["N/A", "[MASK]", ""];

/// A prompt and the answers whose probability is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScoreRequest {
    /// The prompt, up to where an answer would begin. White space at its end is split with the answers.
    pub prompt: String,
    /// The answers. Where neither the prompt ends nor the answer begins with white space, a space is put between them.
    pub candidates: Vec<String>,
    /// What follows an answer, scored with it unless empty: the separator of a few-shot prompt. With it an answer that is the
    /// beginning of another one is told apart from it.
    pub ending: String,
    /// The same prompt with queries that say nothing ([`CONTENT_FREE`]), for contextual calibration. Empty for none.
    pub content_free: Vec<String>,
    /// Changes inside the model while it reads each of the prompts and the answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
}

/// Many prompts, and the answers whose probability is asked for after each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreEachRequest {
    /// As [`ScoreRequest::prompt`].
    pub prompts: Vec<String>,
    /// The same for all.
    pub candidates: Vec<String>,
    /// As [`ScoreRequest::ending`].
    pub ending: String,
    /// Changes inside the model while it reads each of the prompts and the answers.
    pub edits: Vec<Edit>,
}

/// What was scored of many prompts: the first of them, or all.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreEachReport {
    /// In the order of the prompts.
    pub prompts: Vec<ScoreReport>,
}

/// One token of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoredToken {
    /// Its id.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// Natural logarithm of its probability over the whole vocabulary, given all that stands before it.
    pub log_prob: f64,
}

/// How likely one answer is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CandidateScore {
    /// The answer as asked.
    pub text: String,
    /// Its tokens, the ending's among them.
    pub tokens: Vec<ScoredToken>,
    /// ln P(answer | prompt): the sum over its tokens.
    pub log_prob: f64,
    /// The same divided by the number of tokens, so that long answers are not at a disadvantage.
    pub mean_log_prob: f64,
    /// Its share of the probability of all candidates, in `0..=1`.
    pub share: f64,
    /// The share after contextual calibration: shares divided by what they are for content-free queries, scaled to sum 1.
    pub calibrated: Option<f64>,
}

/// How likely every answer is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreReport {
    /// In the order asked.
    pub candidates: Vec<CandidateScore>,
    /// Tokens of the prompt, without white space at its end that belongs to tokens of the answers.
    pub prompt_tokens: usize,
    /// Milliseconds it took.
    pub elapsed_ms: f64,
}

impl ScoreReport {
    /// The index of the likeliest answer, by calibrated shares where there are any.
    #[must_use]
    pub fn best(&self) -> Option<usize> {
        let value = |score: &CandidateScore| score.calibrated.unwrap_or(score.share);
        (0..self.candidates.len())
            .reduce(|best, i| if value(&self.candidates[i]) > value(&self.candidates[best]) { i } else { best })
    }

    /// Probability of everything that is no candidate: 1 − Σ P. Candidates that begin with one another are counted twice
    /// unless their ending is scored; never below 0.
    #[must_use]
    pub fn other_mass(&self) -> f64 {
        (1.0 - self.candidates.iter().map(|c| c.log_prob.exp()).sum::<f64>()).max(0.0)
    }
}
