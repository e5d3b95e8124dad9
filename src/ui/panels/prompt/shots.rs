//! The table of few-shot examples: input → output, one row each.

use crate::types::{FewShotPrompt, Shot};
use crate::ui::theme::{Theme, Type, space};
use crate::ui::widgets::{self, icon_button};
use egui::{Align, Event, Id, Key, Layout, Rect, RichText, Role, Sense, Stroke, TextEdit, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;

const HELP: &str = "Examples shown to the model before the query. From a few pairs a model can pick up a task without any \
     training (in-context learning, Brown et al. 2020).";
const HANDLE: f32 = 16.0;
const SWITCH: f32 = 18.0;
const BIN: f32 = 24.0;

/// What to do to the rows after they are painted.
enum Edit {
    Delete(usize),
    Move { from: usize, to: usize },
}

/// The table. Owns only which row is being dragged.
#[derive(Default)]
pub(super) struct ShotTable {
    dragged: Option<usize>,
}

impl ShotTable {
    pub(super) fn show(&mut self, ui: &mut Ui, theme: &Theme, shots: &mut Vec<Shot>) {
        let base = ui.scope_id().with("shots");
        paste_rows(ui, base, shots);
        ui.horizontal(|ui| {
            let on = shots.iter().filter(|s| s.on).count();
            let title =
                if shots.is_empty() { "Examples".to_owned() } else { format!("Examples · {on} of {}", shots.len()) };
            widgets::explain(ui, theme, &title, HELP);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if icon_button(ui, theme, Icon::Plus, "Add an example").clicked() {
                    shots.push(Shot { input: String::new(), output: String::new(), on: true });
                    ui.memory_mut(|m| m.request_focus(cell_id(base, shots.len() - 1, 0)));
                }
            });
        });
        if shots.is_empty() {
            widgets::caption(ui, theme, "None. Add a row, or paste rows from a spreadsheet into one.");
            return;
        }
        let mut edit = None;
        let mut rows = Vec::new();
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = Vec2::new(space::XS, space::XS);
            for (row, shot) in shots.iter_mut().enumerate() {
                let shown = ui.horizontal(|ui| self.row(ui, theme, base, row, shot, &mut edit));
                rows.push(shown.response.rect);
            }
        });
        if let Some(moved) = self.drop_target(ui, theme, &rows) {
            edit = Some(moved);
        }
        match edit {
            Some(Edit::Delete(row)) => drop(shots.remove(row)),
            Some(Edit::Move { from, to }) if to < shots.len() => {
                let shot = shots.remove(from);
                shots.insert(to, shot);
                ui.memory_mut(|m| m.request_focus(base.with(("handle", to))));
            }
            _ => {}
        }
    }

    fn row(&mut self, ui: &mut Ui, theme: &Theme, base: Id, row: usize, shot: &mut Shot, edit: &mut Option<Edit>) {
        let number = row + 1;
        if let Some(moved) = self.handle(ui, theme, base, row) {
            *edit = Some(moved);
        }
        ui.scope(|ui| {
            ui.spacing_mut().icon_width = SWITCH - 2.0;
            ui.spacing_mut().interact_size.x = SWITCH;
            let response = ui.add_sized([SWITCH, 20.0], egui::Checkbox::without_text(&mut shot.on));
            let _ = response.accessible_name(format!("Use example {number}")).on_hover_text("Use this example");
        });
        let cells = ui.available_width() - BIN - 2.0 * space::XS;
        // Questions tend to be longer than answers.
        let columns = [(&mut shot.input, "input", 0.58), (&mut shot.output, "output", 0.42)];
        for (column, (text, hint, share)) in columns.into_iter().enumerate() {
            let ink = if shot.on { theme.body() } else { theme.neutral(6) };
            let edit = TextEdit::singleline(text)
                .id(cell_id(base, row, column))
                .hint_text(hint)
                .text_color(ink)
                .margin(egui::Margin::symmetric(6, 4))
                .desired_width(cells * share - 12.0);
            let response = ui.add(edit).accessible_name(format!("Example {number} {hint}"));
            if !response.has_focus() && text.chars().count() > 12 {
                let _ = response.on_hover_text(text.as_str());
            }
        }
        if icon_button(ui, theme, Icon::Trash2, &format!("Delete example {number}")).clicked() {
            *edit = Some(Edit::Delete(row));
        }
    }

    /// The grip at the left: dragged with the pointer, or moved with the arrow keys once it has the focus.
    fn handle(&mut self, ui: &mut Ui, theme: &Theme, base: Id, row: usize) -> Option<Edit> {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(HANDLE, 26.0), Sense::hover());
        let id = base.with(("handle", row));
        let response = ui.interact(rect, id, Sense::click_and_drag());
        let name = format!("Move example {}", row + 1);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
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
        step.map(|to| Edit::Move { from: row, to })
    }

    /// Shows where a dragged row would land, and gives the move when it is let go.
    fn drop_target(&mut self, ui: &Ui, theme: &Theme, rows: &[Rect]) -> Option<Edit> {
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
        (to != from).then_some(Edit::Move { from, to })
    }
}

fn cell_id(base: Id, row: usize, column: usize) -> Id {
    base.with((row, column))
}

/// Several lines, or cells parted by tabs, pasted into a cell become rows.
fn paste_rows(ui: &Ui, base: Id, shots: &mut Vec<Shot>) {
    let Some(focus) = ui.memory(egui::Memory::focused) else { return };
    let Some(row) = (0..shots.len()).find(|r| (0..2).any(|c| cell_id(base, *r, c) == focus)) else { return };
    let pasted = ui.input_mut(|i| {
        let place =
            i.events.iter().position(|e| matches!(e, Event::Paste(t) if t.trim_end().contains(['\n', '\t'])))?;
        match i.events.remove(place) {
            Event::Paste(text) => Some(text),
            _ => None,
        }
    });
    let Some(text) = pasted else { return };
    let rows = FewShotPrompt::parse_rows(&text);
    let is_empty = shots[row].input.is_empty() && shots[row].output.is_empty();
    let at = if is_empty { row } else { row + 1 };
    if is_empty {
        shots.remove(row);
    }
    shots.splice(at..at, rows);
}
