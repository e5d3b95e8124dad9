//! Maths on values that are on the host: what attention says, what a drawing looks like to a
//! network, which prompts a curve of accuracy is made of, and which tokens of two texts stand for each other.
//!
//! Must not know: tensors, windows, threads or files.

mod align;
mod first_head;
mod kshot_prompt;
mod prompt_attention;
mod raster;
mod rollout;
mod rotation;

pub use align::align;
pub use first_head::first_head;
pub use prompt_attention::{
    HeadScore, PartSums, PromptPart, attention_from, head_scores, induction_score, prompt_parts, sum_parts,
};
pub use raster::Ink;
pub use rollout::{mean_of_heads, rollout};
pub use rotation::rotated_product;
