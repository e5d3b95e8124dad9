//! Drawings, pictures and colours.

pub(super) mod colormap;
pub(super) mod digit;
pub(super) mod picture;
pub(super) mod weight_scale;
