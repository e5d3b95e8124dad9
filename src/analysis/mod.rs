//! Maths on values that are on the host: what attention says, what a drawing looks like to a
//! network, and which prompts a curve of accuracy is made of.
//!
//! Must not know: tensors, windows, threads or files.

mod kshot_prompt;
mod prompt_attention;
mod raster;
mod rollout;

pub use prompt_attention::{
    HeadScore, PartSums, PromptPart, attention_from, head_scores, induction_score, prompt_parts, sum_parts,
};
pub use raster::Ink;
pub use rollout::{mean_of_heads, rollout};
