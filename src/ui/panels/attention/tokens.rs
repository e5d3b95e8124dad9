//! What only a sequence of tokens needs: its map, its strip, and the text that an encoder reads.

use super::large::View;
use super::look::{Direction, Look};
use super::steps::StepsView;
use super::ways::Way;
use crate::types::{Ability, JobId, WeightScale};
use crate::ui::Cx;
use crate::ui::widgets::{TextArea, TextureCache, caption, secondary_button, section};
use egui::Ui;
use lucide_icons::Icon;
use std::rc::Rc;

/// What is read when there is nothing else.
pub(super) const EXAMPLE: &str = "The bank of the river was steep.";

/// One head of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HeadKey {
    pub job: JobId,
    pub layer: usize,
    pub head: usize,
    pub look: Look,
    /// Cells on a side of one pixel.
    pub pool: usize,
}

/// One head of one report on one scale.
type HeadScale = (JobId, usize, usize, WeightScale);

/// The view of tokens.
#[derive(Default)]
pub(super) struct TokensView {
    pub way: Way,
    pub steps: StepsView,
    pub direction: Direction,
    /// The text for an encoder as typed, and the one it read last.
    pub text: String,
    read: Option<String>,
    pub textures: TextureCache<HeadKey>,
    /// What the large head showed in the last frame. Small pictures wait until it is there.
    pub painted: Option<(JobId, Look)>,
    /// Which part of the large head is in sight.
    pub sight: View,
    /// The ends of the scale by query, of the head that the strip shows.
    ends: Option<(HeadScale, Rc<[f32]>)>,
    /// The chosen token that the strip, and the large head, brought into sight last.
    pub strip_at: Option<usize>,
    pub map_at: Option<usize>,
    /// Token under the pointer, as of the last frame.
    pub hovered: Option<usize>,
}

impl TokensView {
    /// The weight at the end of the scale for each query of a `[count, count]` pattern, found once.
    pub(super) fn ends(&mut self, head: HeadScale, pattern: &[f32], count: usize) -> Rc<[f32]> {
        match &self.ends {
            Some((of, ends)) if *of == head => ends.clone(),
            _ => {
                let ends: Rc<[f32]> = head.3.ends(pattern, count).into();
                self.ends = Some((head, ends.clone()));
                ends
            }
        }
    }

    /// The text an encoder reads, typed here or taken from the prompt panel.
    pub fn typing(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        // A text that came from elsewhere takes the place of what was typed.
        if let Some((_, text)) = &cx.selection.text
            && self.read.as_ref() != Some(text)
        {
            self.text.clone_from(text);
            self.read = Some(text.clone());
        }
        section(ui, "Text", |ui| {
            let area = TextArea::new(&mut self.text, 2).hint("What should the encoder read?");
            let _ = ui.add(area).accessible_name("Text for the encoder");
            ui.add_enabled_ui(!self.text.trim().is_empty(), |ui| {
                if secondary_button(ui, Some(Icon::BookOpen), "Read it").clicked() {
                    self.read_text(cx);
                }
            });
            caption(ui, "Ctrl+Enter reads it. Every token may look at every other, before and behind it.");
        });
    }

    /// Has the encoder in use read what is typed, or the example.
    pub fn read_text(&mut self, cx: &mut Cx<'_>) {
        let Some(model) = cx.state.active(Ability::Embed).map(|m| m.info.id) else { return };
        if self.text.trim().is_empty() {
            EXAMPLE.clone_into(&mut self.text);
        }
        self.read = Some(self.text.clone());
        cx.selection.text = Some((model, self.text.clone()));
    }
}
