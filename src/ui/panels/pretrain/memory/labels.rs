//! Names of tokens under what is painted above them: upright where they fit, else turned, else every so many.

use crate::types::PromptToken;
use crate::ui::theme::Theme;
use crate::ui::widgets::visible_text;
use egui::epaint::TextShape;
use egui::{Align2, Color32, FontFamily, FontId, Painter, Rect, pos2};

const SIZE: f32 = 11.0;
/// Width of a character.
const ADVANCE: f32 = 6.7;
/// Least distance from name to name where they are turned.
const STEP: f32 = 13.0;
/// Characters of a name.
const LONGEST: usize = 12;

/// Short names of tokens, spaces shown.
pub(super) fn names(tokens: &[PromptToken]) -> Vec<String> {
    let short = |token: &PromptToken| {
        let text = visible_text(&token.text);
        if text.chars().count() > LONGEST { text.chars().take(LONGEST - 1).chain(['…']).collect() } else { text }
    };
    tokens.iter().map(short).collect()
}

fn longest(names: &[String]) -> usize {
    names.iter().map(|name| name.chars().count()).max().unwrap_or(0)
}

fn is_upright(names: &[String], step: f32) -> bool {
    longest(names) as f32 * ADVANCE + 2.0 <= step
}

/// Height that names take where tokens stand `step` points apart.
pub(super) fn height(names: &[String], step: f32) -> f32 {
    if is_upright(names, step) { 18.0 } else { longest(names) as f32 * ADVANCE + 8.0 }
}

/// Writes the names of the tokens in sight below `band`'s top edge; `ink` gives a token's colour.
pub(super) fn paint(
    painter: &Painter,
    theme: &Theme,
    band: Rect,
    names: &[String],
    step: f32,
    ink: impl Fn(usize) -> Option<Color32>,
) {
    let upright = is_upright(names, step);
    let every = if upright { 1 } else { (STEP / step).ceil().max(1.0) as usize };
    let font = FontId::new(SIZE, FontFamily::Monospace);
    let clip = painter.clip_rect();
    for (place, name) in names.iter().enumerate() {
        let x = band.left() + (place as f32 + 0.5) * step;
        let own = ink(place);
        if x < clip.left() - step || x > clip.right() + step || (place % every != 0 && own.is_none()) {
            continue;
        }
        let colour = own.unwrap_or_else(|| theme.caption());
        if upright {
            painter.text(pos2(x, band.top() + 3.0), Align2::CENTER_TOP, name, font.clone(), colour);
        } else {
            let galley = painter.layout_no_wrap(name.clone(), font.clone(), colour);
            // Turned to be read from below; its end stands at what it belongs to.
            let at = pos2(x - galley.size().y / 2.0, band.top() + 4.0 + galley.size().x);
            painter.add(TextShape::new(at, galley, colour).with_angle(-std::f32::consts::FRAC_PI_2));
        }
    }
}
