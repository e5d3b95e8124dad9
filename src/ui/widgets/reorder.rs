//! Rows that change places: by dragging a grip, or with the arrow keys once the grip has the focus.

use crate::ui::Themed;
use crate::ui::theme::Type;
use egui::{Event, Id, Key, Rect, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;

/// A row that goes to another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowMove {
    /// Where it was.
    pub from: usize,
    /// Where it goes; may be one past the last row when it came from a key.
    pub to: usize,
}

/// The row that is being dragged, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reorder {
    dragged: Option<usize>,
}

impl Reorder {
    /// The grip of a row. `name` is what a screen reader tells. Gives a move by key.
    pub fn handle(&mut self, ui: &mut Ui, id: Id, row: usize, width: f32, name: &str) -> Option<RowMove> {
        let theme = ui.theme();
        let (rect, _) = ui.allocate_exact_size(Vec2::new(width, 26.0), Sense::hover());
        let response = ui.interact(rect, id, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
        let ink = if response.hovered() || response.has_focus() { theme.body() } else { theme.neutral(6) };
        let icon = RichText::new(char::from(Icon::GripVertical)).font(Type::Caption.icon()).color(ink);
        ui.put(rect, egui::Label::new(icon).selectable(false).sense(Sense::empty()));
        if response.drag_started() {
            self.dragged = Some(row);
        }
        let step = if response.has_focus() {
            let filter = egui::EventFilter { vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(id, filter));
            if response.gained_focus() {
                // The keys are locked to a widget from its second frame with the focus on.
                ui.ctx().request_repaint();
            }
            // Consumed, so that the next row does not see it too.
            let pressed = |key| ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, key));
            if pressed(Key::ArrowUp) {
                row.checked_sub(1)
            } else if pressed(Key::ArrowDown) {
                Some(row + 1)
            } else {
                None
            }
        } else {
            None
        };
        let hint = "Drag to another place, or focus it and press the up and down keys";
        let _ = response.on_hover_cursor(egui::CursorIcon::Grab).on_hover_text(hint);
        step.map(|to| RowMove { from: row, to })
    }

    /// Shows where a dragged row would land among the painted rows, and gives the move when it is let go.
    pub fn drop_target(&mut self, ui: &Ui, rows: &[Rect]) -> Option<RowMove> {
        let theme = ui.theme();
        let from = self.dragged?;
        let at = ui.input(|i| i.pointer.interact_pos())?;
        let gap = rows.iter().filter(|r| r.center().y < at.y).count();
        let y = rows.get(gap).map_or_else(|| rows.last().map_or(at.y, |r| r.bottom() + 2.0), |r| r.top() - 2.0);
        ui.painter().hline(ui.max_rect().x_range(), y, Stroke::new(2.0, theme.accent()));
        if ui.input(|i| i.pointer.any_down()) {
            return None;
        }
        self.dragged = None;
        let to = if gap > from { gap - 1 } else { gap };
        (to != from).then_some(RowMove { from, to })
    }
}

/// Takes a pasted text of several lines or cells out of the frame's events.
pub fn pasted_rows(ui: &Ui) -> Option<String> {
    ui.input_mut(|i| {
        let is_rows = |e: &Event| matches!(e, Event::Paste(t) if t.trim_end().contains(['\n', '\t']));
        let place = i.events.iter().position(is_rows)?;
        match i.events.remove(place) {
            Event::Paste(text) => Some(text),
            _ => None,
        }
    })
}
