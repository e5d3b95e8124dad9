//! How tokens lie in a batch: positions, padding, trees.

pub(super) mod encoder;
pub(super) mod padding;
pub(super) mod portions;
pub(super) mod tokens;
pub(super) mod tree;
