//! Characters that none of Fovea's own typefaces has: found in the system's, and written as code points where no face has them.

mod code_point;
mod installed;
pub mod right_to_left;
mod system_fonts;

pub use code_point::code_points;
pub use system_fonts::SystemFonts;
