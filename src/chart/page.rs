//! What every figure begins with: the paper, its title, and frames.

use super::ChartError;
use super::ink::{AXIS, MUTED, PAPER, TEXT};
use super::sheet::{Align, Sheet, TextLook};
use super::text::visible;
use plotters::prelude::DrawingBackend;

/// Distance of everything from the edge of the page.
pub(super) const MARGIN: f64 = 24.0;
/// Size of the title.
pub(super) const TITLE: f64 = 16.0;
/// Size of what stands below it, and of the names of axes.
pub(super) const CAPTION: f64 = 11.0;

/// Lays the paper of `size` and writes the title on it.
pub(super) fn begin<B: DrawingBackend>(
    sheet: &mut Sheet<'_, B>,
    size: (f64, f64),
    title: &str,
) -> Result<(), ChartError> {
    sheet.rect(0.0, 0.0, size.0, size.1, PAPER)?;
    let look = TextLook { size: TITLE, bold: true, color: TEXT, align: Align::Start, upward: false };
    sheet.text(&visible_title(title), MARGIN, MARGIN + TITLE / 2.0, look)
}

/// Writes the line below the title.
pub(super) fn caption<B: DrawingBackend>(sheet: &mut Sheet<'_, B>, words: &str) -> Result<(), ChartError> {
    let look = TextLook { size: CAPTION, bold: false, color: MUTED, align: Align::Start, upward: false };
    sheet.text(&visible_title(words), MARGIN, MARGIN + TITLE + 6.0 + CAPTION / 2.0, look)
}

/// A hairline just outside a rectangle, so that it takes nothing from the cells.
pub(super) fn frame<B: DrawingBackend>(
    sheet: &mut Sheet<'_, B>,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
) -> Result<(), ChartError> {
    const HAIR: f64 = 0.5;
    for (x, y, width, height) in [
        (x - HAIR, y - HAIR, width + 2.0 * HAIR, HAIR),
        (x - HAIR, y + height, width + 2.0 * HAIR, HAIR),
        (x - HAIR, y, HAIR, height),
        (x + width, y, HAIR, height),
    ] {
        sheet.rect(x, y, width, height, AXIS)?;
    }
    Ok(())
}

/// A title keeps its blanks, but may hold no control characters.
pub(super) fn visible_title(title: &str) -> String {
    title
        .chars()
        .map(|c| if c == ' ' { ' ' } else { visible(c.encode_utf8(&mut [0; 4])).chars().next().unwrap_or(c) })
        .collect()
}
