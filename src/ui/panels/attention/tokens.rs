//! What only a sequence of tokens needs: its map, its strip, and the text that an encoder reads.

use super::atlas::AtlasView;
use super::causes::CausesView;
use super::head_search::HeadSearch;
use super::large::View;
use super::layers::LayersView;
use super::lines::Lines;
use super::look::{Direction, Look};
use super::order::OrderView;
use super::parts::PartsView;
use super::pins::Pins;
use super::plane::{Plane, PlaneKey, Planes};
use super::sharp::Sharp;
use super::steps::StepsView;
use super::ways::Way;
use crate::types::{Ability, JobId, PromptToken, WeightScale};
use crate::ui::Cx;
use crate::ui::widgets::{TextArea, TextureCache, caption, secondary_button, section};
use egui::Ui;
use lucide_icons::Icon;
use std::ops::Range;
use std::rc::Rc;

/// What is read when there is nothing else.
pub(super) const EXAMPLE: &str = "The bank of the river was steep.";

/// A plane of a report in its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct HeadKey {
    pub plane: PlaneKey,
    pub look: Look,
    /// Cells on a side of one pixel.
    pub pool: usize,
}

/// A plane on one scale.
type HeadScale = (PlaneKey, WeightScale);

/// The view of tokens.
#[derive(Default)]
pub(super) struct TokensView {
    pub way: Way,
    pub planes: Planes,
    pub pins: Pins,
    pub lines: Lines,
    /// The last token of several that are chosen, from the selected one on.
    pub until: Option<usize>,
    /// The ids of what is shown.
    sequence: Vec<u32>,
    pub atlas: AtlasView,
    pub search: HeadSearch,
    pub steps: StepsView,
    pub order: OrderView,
    pub layers: LayersView,
    pub parts: PartsView,
    pub causes: CausesView,
    pub direction: Direction,
    /// The text for an encoder as typed, and the one it read last.
    pub text: String,
    read: Option<String>,
    pub textures: TextureCache<HeadKey>,
    pub sharp: Sharp,
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
    /// What was pinned and named belongs to a sequence, and goes with it.
    pub fn begin(&mut self, tokens: &[PromptToken]) {
        if self.sequence.len() != tokens.len() || self.sequence.iter().zip(tokens).any(|(id, token)| *id != token.id) {
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            self.begin_with(&ids);
        }
    }

    /// The same for a sequence that is to come.
    pub fn begin_with(&mut self, ids: &[u32]) {
        self.sequence = ids.to_vec();
        (self.pins, self.until, self.hovered) = (Pins::default(), None, None);
        self.planes.forget_names();
    }

    /// The units in focus: the one under the pointer, else those that are chosen.
    pub fn focus(&self, plane: &Plane, selected: Option<usize>) -> Option<Range<usize>> {
        let chosen = self.chosen(plane, selected);
        match self.hovered.filter(|unit| *unit < plane.side()) {
            // Over what is chosen the pointer changes nothing.
            Some(hovered) if chosen.as_ref().is_none_or(|chosen| !chosen.contains(&hovered)) => {
                Some(hovered..hovered + 1)
            }
            _ => chosen,
        }
    }

    /// The units that are chosen.
    pub fn chosen(&self, plane: &Plane, selected: Option<usize>) -> Option<Range<usize>> {
        let first = plane.unit_of(selected?)?;
        let last = self.until.and_then(|until| plane.unit_of(until)).unwrap_or(first);
        Some(first.min(last)..first.max(last) + 1)
    }

    /// What a click on a unit chooses: it, or with Shift all from the one that is chosen up to it; once more, nothing.
    pub fn choose(&mut self, plane: &Plane, unit: usize, shift: bool, selected: &mut Option<usize>) {
        let token = plane.units[unit].tokens.start;
        match selected {
            Some(first) if shift => self.until = (*first != token).then_some(token),
            Some(first) if plane.unit_of(*first) == Some(unit) && self.until.is_none() => *selected = None,
            _ => (*selected, self.until) = (Some(token), None),
        }
    }

    /// The weight at the end of the scale for each query of a `[count, count]` pattern, found once.
    pub(super) fn ends(&mut self, head: HeadScale, pattern: &[f32], count: usize) -> Rc<[f32]> {
        match &self.ends {
            Some((of, ends)) if *of == head => ends.clone(),
            _ => {
                let ends: Rc<[f32]> = head.1.ends(pattern, count).into();
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
            let area = TextArea::new(&mut self.text, 2).hint("What should the model read?");
            let _ = ui.add(area).accessible_name("Text for the encoder");
            ui.add_enabled_ui(!self.text.trim().is_empty(), |ui| {
                if secondary_button(ui, Some(Icon::BookOpen), "Read it").clicked() {
                    self.read_text(cx);
                }
            });
            let is_causal = cx.state.active(Ability::Attend).is_some_and(|model| model.info.shape.is_causal());
            let sees = if is_causal {
                "Each token looks at those before it."
            } else {
                "Every token may look at every other, before and behind it."
            };
            caption(ui, format!("Ctrl+Enter reads it. {sees}"));
        });
    }

    /// Has the model in use, one that reads a text at once, read what is typed, or the example.
    pub fn read_text(&mut self, cx: &mut Cx<'_>) {
        let Some(model) = cx.state.active(Ability::Attend).map(|m| m.info.id) else { return };
        if self.text.trim().is_empty() {
            EXAMPLE.clone_into(&mut self.text);
        }
        self.read = Some(self.text.clone());
        cx.selection.inspection = None;
        cx.selection.text = Some((model, self.text.clone()));
    }
}
