//! The arithmetic of one token in one head: the values of a pass, step by step, and the terms of each of them.

pub(super) mod functions;
pub(super) mod parts;
mod terms;
mod trace;

pub use parts::Transformer;
pub use terms::terms;
pub use trace::{StepsInput, StepsReads, steps, steps_bytes};
