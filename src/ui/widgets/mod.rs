//! Pieces that every panel is made of.

mod button;
mod layout;
mod status;

pub use button::{danger_button, ghost_button, icon_button, primary_button, secondary_button, segmented};
pub use layout::{caption, empty_state, explain, field, figure, row, section, stage_header};
pub use status::{error_card, job_progress, legend, seconds, significant};
