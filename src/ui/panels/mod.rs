//! The panels, one file or folder each.

use super::Panel;

/// Every panel, in the order of the rail. A new panel is one line here.
#[must_use]
pub fn all() -> Vec<Box<dyn Panel>> {
    vec![]
}
