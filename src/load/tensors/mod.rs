//! Weights in files, whatever the format and however many files: read, checked, listed.

pub(super) mod arrangement;
pub(super) mod container;
pub(super) mod element_type;
pub(super) mod elements;
#[cfg(test)]
pub(super) mod shard_tests;
pub(super) mod shards;
pub(super) mod tensor_stats;
pub(super) mod tensor_table;
#[cfg(test)]
pub(super) mod torch_tests;
pub(super) mod weights;
