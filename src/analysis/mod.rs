//! Maths on values that are on the host: what attention says, what a drawing looks like to a
//! network, which prompts a curve of accuracy is made of, and which tokens of two texts stand for each other.
//!
//! Must not know: tensors, windows, threads or files.

mod align;
mod atlas_score;
mod contexts_words;
mod correlation;
mod first_head;
mod head_atlas;
mod head_filter;
mod head_words;
mod kshot_prompt;
mod probe;
mod prompt_attention;
mod raster;
mod rollout;
mod rotation;
mod shuffle;
mod step_words;
mod units;

pub use align::align;
pub use atlas_score::{AtlasScore, Order};
pub use contexts_words::contexts_words;
pub use correlation::{pearson, ranks, spearman};
pub use first_head::first_head;
pub use head_atlas::{AtlasHead, HeadAtlas, Sequence};
pub use head_filter::HeadFilter;
pub use head_words::{head_words, score_words};
pub use probe::{PROBE_HALF, Probe, Surroundings};
pub use prompt_attention::{
    HeadScore, PartSums, PromptPart, attention_from, head_scores, induction_score, prompt_parts, sum_parts,
};
pub use raster::Ink;
pub use rollout::{mean_of_heads, rollout, rollout_map};
pub use rotation::rotated_product;
pub use shuffle::{content_words, followed, shuffled};
pub use step_words::{answers_of, step_words};
pub use units::{Unit, over_units, units};
