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
/// Characters of a turned name.
const LONGEST: usize = 12;
/// Between upright names.
const BETWEEN: f32 = 2.0;

/// Short names of tokens that stand some points apart.
pub(super) struct Labels {
    names: Vec<String>,
    step: f32,
    is_upright: bool,
}

impl Labels {
    /// One name that is far longer than nearly all others, such as that of a special token, is cut rather than that all are turned for it.
    pub fn new(tokens: &[PromptToken], step: f32) -> Self {
        let names: Vec<String> = tokens.iter().map(|token| visible_text(&token.text)).collect();
        let mut lengths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
        lengths.sort_unstable();
        let usual = lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(0);
        let is_upright = usual as f32 * ADVANCE + BETWEEN <= step;
        let most = if is_upright { ((step - BETWEEN) / ADVANCE) as usize } else { usual.clamp(3, LONGEST) };
        let names = names.iter().map(|name| cut(name, most.max(1))).collect();
        Self { names, step, is_upright }
    }

    /// Height that they take.
    pub fn height(&self) -> f32 {
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        if self.is_upright { 18.0 } else { longest as f32 * ADVANCE + 8.0 }
    }

    /// Writes those in sight below `band`'s top edge; `ink` gives a token's colour, where it is to be told in any case.
    pub fn paint(&self, painter: &Painter, theme: &Theme, band: Rect, ink: impl Fn(usize) -> Option<Color32>) {
        let step = self.step;
        let least = if self.is_upright { ADVANCE } else { STEP };
        let every = (least / step).ceil().max(1.0) as usize;
        let font = FontId::new(SIZE, FontFamily::Monospace);
        let clip = painter.clip_rect();
        for (place, name) in self.names.iter().enumerate() {
            let x = band.left() + (place as f32 + 0.5) * step;
            let own = ink(place);
            if x < clip.left() - step || x > clip.right() + step || (place % every != 0 && own.is_none()) {
                continue;
            }
            let colour = own.unwrap_or_else(|| theme.caption());
            if self.is_upright {
                painter.text(pos2(x, band.top() + 3.0), Align2::CENTER_TOP, name, font.clone(), colour);
            } else {
                let galley = painter.layout_no_wrap(name.clone(), font.clone(), colour);
                // Turned to be read from below; its end stands at what it belongs to.
                let at = pos2(x - galley.size().y / 2.0, band.top() + 4.0 + galley.size().x);
                painter.add(TextShape::new(at, galley, colour).with_angle(-std::f32::consts::FRAC_PI_2));
            }
        }
    }
}

/// At most so many characters of a name.
fn cut(name: &str, most: usize) -> String {
    match name.chars().count() {
        count if count <= most => name.to_owned(),
        _ => name.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(texts: &[&str]) -> Vec<PromptToken> {
        texts.iter().map(|text| PromptToken { id: 0, text: (*text).to_owned(), span: 0..0 }).collect()
    }

    #[test]
    fn one_long_name_turns_nobody() {
        let mut texts = vec!["a"; 20];
        texts[0] = "<|endoftext|>";
        let labels = Labels::new(&tokens(&texts), 10.0);
        assert!(labels.is_upright && labels.height() < 20.0);
        assert_eq!((labels.names[0].as_str(), labels.names[1].as_str()), ("…", "a"));
        let words = Labels::new(&tokens(&["Once", " upon", " a", " time"]), 14.0);
        assert!(!words.is_upright);
        assert_eq!(words.names[1], "·upon");
        assert!(Labels::new(&tokens(&["Once", " upon", " a", " time"]), 48.0).is_upright);
    }
}
