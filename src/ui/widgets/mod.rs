//! Pieces that every panel is made of.

mod button;
mod candidates;
mod class_bars;
mod dialog;
mod fields;
mod heat_map;
mod large_field;
mod layout;
mod menu;
mod plot;
mod reorder;
mod stamp;
mod status;
mod stepper;
mod text_area;
mod token_strip;
pub mod unit_picture;

pub use button::{danger_button, ghost_button, icon_button, primary_button, secondary_button, segmented};
pub use candidates::{Distribution, candidate_bars, token_bars};
pub use class_bars::class_bars;
pub use dialog::dialog;
pub use fields::{integer_field, path_field, percent_field, real_field};
pub use heat_map::{ColorTable, TextureCache, pooled_image};
pub use large_field::enlarge;
pub use layout::{
    caption, click_modifiers, empty_state, explain, field, figure, hint, in_the_middle, keyed, one_line, row, section,
    slider, stage_header,
};
pub use menu::menu;
pub use plot::{MarkedPlot, labelled, plot, still_plot};
pub use reorder::{Reorder, RowMove, pasted_rows};
pub use stamp::Stamp;
pub use status::{
    closable_error, error_card, job_error, job_progress, legend, percent, progress_bar, seconds, share_bar, significant,
};
pub use stepper::stepper;
pub use text_area::TextArea;
pub use token_strip::{Chip, StripResponse, token_strip, visible_text};
