//! What is on the canvas, and the way back.

use crate::types::{DIGIT_SIDE, DigitImage, Drawing, Stroke};
use serde::{Deserialize, Serialize};

/// Sheets that can be gone back to.
const UNDO_DEPTH: usize = 200;

/// One sheet: strokes, or a picture that was opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sheet {
    /// The strokes.
    pub drawing: Drawing,
    /// Intensities of an opened picture, already centred and scaled; it takes the place of the strokes.
    pub opened: Option<Vec<f32>>,
}

impl Sheet {
    /// True when there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.opened.is_none() && self.drawing.strokes.is_empty()
    }

    /// The image a network reads; `None` without ink.
    pub fn image(&self) -> Option<DigitImage> {
        match &self.opened {
            Some(values) => Some(DigitImage(values.as_slice().into())),
            None => self.drawing.to_digit_image(),
        }
    }

    fn is_sound(&self) -> bool {
        let in_range = |v: &f32| v.is_finite() && v.abs() <= 1e4;
        let opened = self.opened.as_ref().is_none_or(|v| v.len() == DIGIT_SIDE * DIGIT_SIDE && v.iter().all(in_range));
        let strokes = self.drawing.strokes.iter().all(|s| {
            s.width.is_finite() && (0.5..=200.0).contains(&s.width) && s.points.iter().flatten().all(in_range)
        });
        opened && strokes
    }
}

/// The sheet with everything that was on it before.
#[derive(Default)]
pub(super) struct Sketch {
    sheet: Sheet,
    past: Vec<Sheet>,
    future: Vec<Sheet>,
    revision: u64,
}

impl Sketch {
    /// The sheet as it is.
    pub fn sheet(&self) -> &Sheet {
        &self.sheet
    }

    /// Grows with every change, so that pictures of the sheet know when they are stale.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Puts the pen or the eraser down. An opened picture gives way to the first stroke of the pen; the eraser leaves it
    /// alone. Returns true when a stroke has begun.
    pub fn begin(&mut self, at: [f32; 2], width: f32, eraser: bool) -> bool {
        if eraser && (self.sheet.opened.is_some() || self.sheet.is_empty()) {
            return false;
        }
        self.remember();
        self.sheet.opened = None;
        self.sheet.drawing.strokes.push(Stroke { points: vec![at], width, eraser });
        true
    }

    /// Moves what was put down.
    pub fn extend(&mut self, to: [f32; 2]) {
        let Some(stroke) = self.sheet.drawing.strokes.last_mut() else { return };
        if stroke.points.last() != Some(&to) {
            stroke.points.push(to);
            self.revision += 1;
        }
    }

    /// Takes a new sheet.
    pub fn clear(&mut self) {
        if !self.sheet.is_empty() {
            self.replace(Sheet::default());
        }
    }

    /// Shows a picture or another drawing instead.
    pub fn replace(&mut self, sheet: Sheet) {
        self.remember();
        self.sheet = sheet;
    }

    /// True when there is something to undo.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// True when there is something to redo.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }

    /// Goes back by one stroke, clearing or opening.
    pub fn undo(&mut self) {
        if let Some(sheet) = self.past.pop() {
            self.future.push(std::mem::replace(&mut self.sheet, sheet));
            self.revision += 1;
        }
    }

    /// Takes an undo back.
    pub fn redo(&mut self) {
        if let Some(sheet) = self.future.pop() {
            self.past.push(std::mem::replace(&mut self.sheet, sheet));
            self.revision += 1;
        }
    }

    /// Takes over a sheet from an earlier session. A damaged one is left out.
    pub fn restore(&mut self, sheet: Sheet) {
        if sheet.is_sound() {
            *self = Self { sheet, revision: self.revision + 1, ..Self::default() };
        }
    }

    fn remember(&mut self) {
        self.past.push(self.sheet.clone());
        if self.past.len() > UNDO_DEPTH {
            self.past.remove(0);
        }
        self.future.clear();
        self.revision += 1;
    }
}

/// A three, drawn by hand once, for those who want to see something before they draw.
pub(super) fn example() -> Sheet {
    let curve = |centre: [f32; 2], radii: [f32; 2], from: f32, to: f32| {
        (0..=20).map(move |i| {
            let angle = (from + (to - from) * i as f32 / 20.0).to_radians();
            [centre[0] + radii[0] * angle.cos(), centre[1] + radii[1] * angle.sin()]
        })
    };
    let points =
        curve([134.0, 92.0], [50.0, 42.0], 205.0, 445.0).chain(curve([134.0, 186.0], [60.0, 52.0], 280.0, 515.0));
    let stroke = Stroke { points: points.collect(), width: 22.0, eraser: false };
    Sheet { drawing: Drawing { strokes: vec![stroke] }, opened: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn() -> Sketch {
        let mut sketch = Sketch::default();
        assert!(sketch.begin([100.0, 100.0], 20.0, false));
        sketch.extend([100.0, 180.0]);
        sketch
    }

    #[test]
    fn strokes_become_a_drawing() {
        let mut sketch = drawn();
        assert!(sketch.begin([50.0, 60.0], 30.0, true));
        let strokes = &sketch.sheet().drawing.strokes;
        assert_eq!(strokes[0], Stroke { points: vec![[100.0, 100.0], [100.0, 180.0]], width: 20.0, eraser: false });
        assert_eq!((strokes[1].eraser, strokes[1].width), (true, 30.0));
        assert!(sketch.sheet().image().is_some());
    }

    #[test]
    fn undo_and_redo_walk_the_same_way() {
        let mut sketch = drawn();
        sketch.clear();
        sketch.clear();
        assert!(sketch.sheet().is_empty());
        sketch.undo();
        assert_eq!(sketch.sheet().drawing.strokes.len(), 1, "clearing an empty sheet is no step");
        sketch.undo();
        assert!(sketch.sheet().is_empty() && !sketch.can_undo());
        sketch.redo();
        assert_eq!(sketch.sheet().drawing.strokes.len(), 1);
        sketch.begin([0.0, 0.0], 10.0, false);
        assert!(!sketch.can_redo(), "a new stroke forgets what was undone");
    }

    #[test]
    fn an_opened_picture_gives_way_to_the_pen_and_comes_back() {
        let mut sketch = Sketch::default();
        let mut values = vec![0.0; 784];
        values[14 * 28 + 14] = 1.0;
        sketch.replace(Sheet { opened: Some(values.clone()), ..Sheet::default() });
        assert_eq!(sketch.sheet().image().unwrap().0.as_ref(), values);
        assert!(!sketch.begin([1.0, 1.0], 20.0, true), "the eraser leaves a picture alone");
        assert!(sketch.begin([1.0, 1.0], 20.0, false));
        assert!(sketch.sheet().opened.is_none());
        sketch.undo();
        assert!(sketch.sheet().opened.is_some());
    }

    #[test]
    fn the_sheet_survives_a_restart_and_a_damaged_one_does_not() {
        let sketch = drawn();
        let json = serde_json::to_value(sketch.sheet()).unwrap();
        let mut again = Sketch::default();
        again.restore(serde_json::from_value(json).unwrap());
        assert_eq!(again.sheet(), sketch.sheet());
        again.restore(Sheet { opened: Some(vec![0.0; 3]), ..Sheet::default() });
        assert_eq!(again.sheet(), sketch.sheet());
    }

    #[test]
    fn the_example_has_ink_within_the_sheet() {
        let sheet = example();
        assert!(sheet.is_sound() && sheet.image().is_some());
        assert!(sheet.drawing.strokes[0].points.iter().flatten().all(|v| (20.0..260.0).contains(v)));
    }
}
