//! What a run writes of itself as it goes: its curve as a table, the same for TensorBoard and as transformers' Trainer has it, and
//! what it has written. Whatever ends the program, a step that was taken is in these files.

mod files;
pub(super) mod table;

pub(super) use files::{Growing, RunLogs, RunScale, read_samples};
