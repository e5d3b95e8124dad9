//! The sheet one draws on, with the pointer at its full rate or with the keyboard.

use super::sketch::Sketch;
use crate::analysis::Ink;
use crate::types::{CANVAS_SIDE, DIGIT_SIDE};
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Type};
use crate::ui::widgets::unit_picture::{Picture, image, ink, paint};
use egui::{
    Align2, CornerRadius, Event, EventFilter, Key, PointerButton, Pos2, Rect, Response, Role, Sense, Stroke,
    StrokeKind, TextureOptions, Ui, Vec2, WidgetInfo, pos2,
};
use serde::{Deserialize, Serialize};

/// Narrowest and widest pen, in canvas units.
pub(super) const PEN_WIDTHS: std::ops::RangeInclusive<f32> = 8.0..=48.0;
/// Canvas units one arrow key moves.
const KEY_STEP: f32 = 6.0;

/// What draws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pen {
    /// Diameter in canvas units.
    pub width: f32,
    /// Removes ink.
    pub eraser: bool,
}

impl Default for Pen {
    fn default() -> Self {
        // Strokes of MNIST digits are two to three pixels of 28 wide.
        Self { width: 22.0, eraser: false }
    }
}

/// The canvas widget's own state: nothing of it outlives a stroke.
pub(super) struct Canvas {
    picture: Picture,
    held: Option<PointerButton>,
    keyboard: Keyboard,
}

/// Drawing without a pointer.
struct Keyboard {
    at: [f32; 2],
    down: bool,
}

impl Default for Canvas {
    fn default() -> Self {
        let middle = CANVAS_SIDE / 2.0;
        Self { picture: Picture::default(), held: None, keyboard: Keyboard { at: [middle, middle], down: false } }
    }
}

impl Canvas {
    /// Shows the sheet, `side` points wide, and takes what is drawn on it.
    pub fn show(&mut self, ui: &mut Ui, sketch: &mut Sketch, pen: Pen, side: f32) -> Response {
        let (rect, mut response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click_and_drag());
        let before = sketch.revision();
        self.pointer(ui, &response, rect, sketch, pen);
        self.keys(ui, &response, sketch, pen);
        if sketch.revision() != before {
            response.mark_changed();
        }
        self.paint(ui, rect, &response, sketch, pen);
        let strokes = sketch.sheet().drawing.strokes.len();
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Canvas, true, "Drawing canvas");
            info.current_text_value = Some(match (&sketch.sheet().opened, strokes) {
                (Some(_), _) => "an opened picture".to_owned(),
                (None, 0) => "empty".to_owned(),
                (None, 1) => "1 stroke".to_owned(),
                (None, n) => format!("{n} strokes"),
            });
            info
        });
        response
    }

    /// Follows every pointer event of the frame, not only the last position.
    fn pointer(&mut self, ui: &Ui, response: &Response, rect: Rect, sketch: &mut Sketch, pen: Pen) {
        let (events, any_down) = ui.input(|i| (i.events.clone(), i.pointer.any_down()));
        for event in &events {
            match event {
                Event::PointerButton { pos, button, pressed: true, .. }
                    if self.held.is_none() && rect.contains(*pos) && response.contains_pointer() =>
                {
                    let eraser = match button {
                        PointerButton::Primary => pen.eraser,
                        PointerButton::Secondary => true,
                        _ => continue,
                    };
                    response.request_focus();
                    self.keyboard.down = false;
                    if sketch.begin(to_canvas(rect, *pos), pen.width, eraser) {
                        self.held = Some(*button);
                    }
                }
                Event::PointerMoved(pos) if self.held.is_some() => sketch.extend(to_canvas(rect, *pos)),
                Event::PointerButton { pos, button, pressed: false, .. } if self.held == Some(*button) => {
                    sketch.extend(to_canvas(rect, *pos));
                    self.held = None;
                }
                _ => {}
            }
        }
        if !any_down {
            // The release happened where the window could not see it.
            self.held = None;
        }
    }

    /// Arrow keys move, the space bar lowers and lifts.
    fn keys(&mut self, ui: &Ui, response: &Response, sketch: &mut Sketch, pen: Pen) {
        if !response.has_focus() {
            self.keyboard.down = false;
            return;
        }
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(response.id, arrows));
        let keys = [
            (Key::ArrowLeft, [-KEY_STEP, 0.0]),
            (Key::ArrowRight, [KEY_STEP, 0.0]),
            (Key::ArrowUp, [0.0, -KEY_STEP]),
            (Key::ArrowDown, [0.0, KEY_STEP]),
        ];
        let (space, moves) = ui.input(|i| {
            let moves: Vec<[f32; 2]> =
                keys.iter().flat_map(|(key, by)| std::iter::repeat_n(*by, i.num_presses(*key))).collect();
            (i.key_pressed(Key::Space), moves)
        });
        if space {
            self.keyboard.down = !self.keyboard.down && sketch.begin(self.keyboard.at, pen.width, pen.eraser);
        }
        for by in moves {
            for (at, by) in self.keyboard.at.iter_mut().zip(by) {
                *at = (*at + by).clamp(0.0, CANVAS_SIDE);
            }
            if self.keyboard.down {
                sketch.extend(self.keyboard.at);
            }
        }
    }

    fn paint(&mut self, ui: &Ui, rect: Rect, response: &Response, sketch: &Sketch, pen: Pen) {
        let theme = ui.theme();
        let round = CornerRadius::same(RADIUS);
        let painter = ui.painter_at(rect.expand(1.0));
        painter.rect_filled(rect, round, theme.ground());
        if sketch.sheet().is_empty() {
            painter.text(
                rect.center(),
                Align2::CENTER_CENTER,
                "Draw a digit here",
                Type::Strong.sans(),
                theme.caption(),
            );
        } else {
            let sheet = sketch.sheet();
            let options = if sheet.opened.is_some() { TextureOptions::NEAREST } else { TextureOptions::LINEAR };
            let texture = self.picture.texture(ui.ctx(), sketch.revision(), options, || match &sheet.opened {
                Some(values) => image(DIGIT_SIDE, values, |v| ink(theme, v)),
                None => {
                    let ink_grid = Ink::rasterise(&sheet.drawing);
                    image(ink_grid.size().0, ink_grid.values(), |v| ink(theme, v))
                }
            });
            paint(&painter, texture, rect, None);
        }
        let edge = if response.has_focus() { theme.accent() } else { theme.line() };
        painter.rect_stroke(rect, round, Stroke::new(1.0, edge), StrokeKind::Outside);
        let radius = pen.width / 2.0 * rect.width() / CANVAS_SIDE;
        if let Some(at) = response.hover_pos() {
            // The pen's own outline shows where ink will go better than an arrow.
            ui.ctx().set_cursor_icon(egui::CursorIcon::Crosshair);
            painter.circle_stroke(at, radius, Stroke::new(1.0, theme.caption()));
        } else if response.has_focus() {
            let at = from_canvas(rect, self.keyboard.at);
            let stroke = Stroke::new(if self.keyboard.down { 2.0 } else { 1.0 }, theme.accent());
            painter.circle_stroke(at, radius, stroke);
        }
    }
}

fn to_canvas(rect: Rect, at: Pos2) -> [f32; 2] {
    let scale = CANVAS_SIDE / rect.width();
    [(at.x - rect.left()) * scale, (at.y - rect.top()) * scale]
}

fn from_canvas(rect: Rect, at: [f32; 2]) -> Pos2 {
    let scale = rect.width() / CANVAS_SIDE;
    pos2(rect.left() + at[0] * scale, rect.top() + at[1] * scale)
}
