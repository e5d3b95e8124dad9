//! Colours of exported figures: black on white paper, whatever theme the window has.

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

/// Hues for lines that stay apart for colour-blind eyes (Okabe and Ito 2008), darkened where needed for thin lines on
/// white.
const HUES: [RGBColor; 8] = [
    RGBColor(0, 90, 170),
    RGBColor(205, 84, 0),
    RGBColor(0, 138, 100),
    RGBColor(178, 82, 138),
    RGBColor(176, 122, 0),
    RGBColor(40, 140, 200),
    RGBColor(96, 96, 96),
    RGBColor(120, 70, 180),
];

/// The hue of line `index`; repeats after eight.
pub(super) fn hue(index: usize) -> RGBColor {
    HUES[index % HUES.len()]
}
