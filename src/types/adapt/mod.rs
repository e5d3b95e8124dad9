//! Ways to adapt one model to one task, side by side: what is compared, what was measured, and what it costs.

pub(super) mod interval;
pub(super) mod point;
pub(super) mod price;
pub(super) mod spec;
pub(super) mod way;
