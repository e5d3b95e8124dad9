//! Data on its way into batches.

pub(super) mod augment;
pub(crate) mod corpus;
pub(super) mod held_out;
pub(crate) mod memory;
pub(super) mod passages;
mod stretch;
pub(crate) mod token_ids;
pub(crate) mod vocabulary;
