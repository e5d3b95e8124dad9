//! The text as a strip of tokens, of which one is chosen: the one behind which an answer or a score is told.

use super::Shown;
use crate::types::{JobId, PromptToken};
use crate::ui::Cx;
use crate::ui::widgets::{Chip, caption, token_strip};
use egui::{Color32, ScrollArea, Ui};

/// Height of the tokens.
const STRIP: f32 = 52.0;

/// What is remembered of it.
#[derive(Default)]
pub(super) struct Place {
    /// The chosen token that the strip brought into sight last.
    in_sight: Option<(JobId, usize)>,
}

impl Place {
    /// Shows the strip; a click chooses a token.
    pub fn show(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown, place: usize, name: &str) {
        let tokens: &[PromptToken] = &shown.report.tokens;
        let chip = |index: usize| Chip {
            text: &tokens[index].text,
            fill: Color32::TRANSPARENT,
            selected: index == place,
            underline: None,
        };
        let tooltip = |ui: &mut Ui, index: usize| drop(caption(ui, format!("position {index}")));
        let clicked = ScrollArea::vertical()
            .id_salt(name)
            .max_height(STRIP)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                let strip = token_strip(ui, name, tokens.len(), chip, tooltip);
                // The outline of the last row.
                ui.add_space(2.0);
                let at = Some((shown.job, place));
                if let Some(rect) = strip.places.get(place).filter(|_| self.in_sight != at) {
                    ui.scroll_to_rect(rect.expand(2.0), None);
                    self.in_sight = at;
                }
                strip.clicked
            })
            .inner;
        if let Some(token) = clicked {
            cx.selection.token = Some(token);
        }
    }
}
