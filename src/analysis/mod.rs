//! Maths on values that are on the host: what attention says, and what a drawing looks like to a network.
//!
//! Must not know: tensors, windows, threads or files.

mod prompt_attention;
mod raster;
mod rollout;

pub use prompt_attention::{
    HeadScore, PartSums, PromptPart, attention_from, head_scores, induction_score, prompt_parts, sum_parts,
};
pub use raster::Ink;
pub use rollout::{mean_of_heads, rollout};
