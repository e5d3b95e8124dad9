//! Cells that stay marked whatever head is shown.

use crate::ui::Themed;
use egui::{Rect, Stroke, StrokeKind, Ui};

/// Pairs of tokens, query and key, in the order in which they were pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pins {
    pub cells: Vec<(usize, usize)>,
}

impl Pins {
    /// Pins a cell, or takes its pin out.
    pub fn toggle(&mut self, cell: (usize, usize)) {
        match self.cells.iter().position(|pinned| *pinned == cell) {
            Some(place) => drop(self.cells.remove(place)),
            None => self.cells.push(cell),
        }
    }

    /// Outlines the pinned cells where `place` says they are.
    pub fn outlines(&self, ui: &Ui, place: &dyn Fn((usize, usize)) -> Option<Rect>) {
        let line = Stroke::new(1.5, ui.theme().warning());
        for rect in self.cells.iter().filter_map(|cell| place(*cell)) {
            // A cell of a long sequence is smaller than its outline.
            let seen = Rect::from_center_size(rect.center(), rect.size().max(egui::Vec2::splat(5.0)));
            ui.painter().rect_stroke(seen, 0, line, StrokeKind::Outside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_pinned_once_and_let_go_by_the_next_click() {
        let mut pins = Pins::default();
        [(3, 1), (2, 0), (3, 1), (4, 4)].into_iter().for_each(|cell| pins.toggle(cell));
        assert_eq!(pins.cells, [(2, 0), (4, 4)]);
    }
}
