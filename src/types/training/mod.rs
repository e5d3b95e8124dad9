//! What to train, and what training reports.

pub(super) mod baselines;
pub(super) mod classify;
pub(super) mod encode;
pub(super) mod glimpse;
pub(super) mod imported;
pub(super) mod labelled;
pub(super) mod losses;
pub(super) mod memory;
pub(super) mod pace;
pub(super) mod record;
pub(super) mod shape;
pub(super) mod snapshot;
pub(super) mod train;
pub(super) mod train_written;
pub(super) mod write_text;
