//! What architectures are made of.

pub(super) mod activation;
pub(super) mod attention;
pub(super) mod bidirectional;
pub(super) mod cache;
pub(super) mod encoder_block;
pub(super) mod hidden;
pub(super) mod linear;
pub(super) mod low_rank;
pub(super) mod mask;
pub(super) mod masked_lm;
pub(super) mod norm;
pub(super) mod recurrence;
pub(super) mod rope;
pub(super) mod vector_cache;
pub mod weight;
