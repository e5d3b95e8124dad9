//! Colours of exported figures: black on white paper, whatever theme the window has.

use crate::types::category_colour;
use plotters::style::RGBColor;

/// The page.
pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Text.
pub(super) const TEXT: RGBColor = RGBColor(28, 31, 36);
/// Captions and axis numbers; 5.9:1 on paper.
pub(super) const MUTED: RGBColor = RGBColor(92, 98, 108);
/// Axes.
pub(super) const AXIS: RGBColor = RGBColor(150, 156, 166);
/// Grid.
pub(super) const GRID: RGBColor = RGBColor(230, 232, 236);

/// What went wrong; 5.6:1 on paper.
pub(super) const TROUBLE: RGBColor = RGBColor(190, 40, 40);

/// The hue of line `index`, as in the window's light theme; repeats after eight.
pub(super) fn hue(index: usize) -> RGBColor {
    let [r, g, b] = category_colour(index, false);
    RGBColor(r, g, b)
}
