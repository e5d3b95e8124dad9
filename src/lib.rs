//! Fovea: a playground for foundation models.
//!
//! `ARCHITECTURE.md` has the map. Modules know only what the table there allows; `tests/tidy.rs` checks it.

pub mod analysis;
pub mod chart;
pub mod cli;
mod disk;
pub mod engine;
pub mod hub;
pub mod load;
pub mod nn;
mod train;
pub mod types;
pub mod ui;
