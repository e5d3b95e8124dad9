//! The table of few-shot examples: input → output, one row each.

use crate::types::{FewShotPrompt, Shot};
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, Reorder, RowMove, icon_button, pasted_rows};
use egui::{Align, Id, Layout, TextEdit, Ui, Vec2};
use lucide_icons::Icon;

const HELP: &str = "Examples shown to the model before the query. From a few pairs a model can pick up a task without any \
     training (in-context learning, Brown et al. 2020).";
const HANDLE: f32 = 16.0;
const SWITCH: f32 = 18.0;
const BIN: f32 = 24.0;
/// Height of a cell of one line.
const CELL: f32 = 28.0;

/// What to do to the rows after they are painted.
enum Edit {
    Delete(usize),
    Move(RowMove),
}

/// The table. Owns only which row is being dragged.
#[derive(Default)]
pub(super) struct ShotTable {
    order: Reorder,
}

impl ShotTable {
    pub(super) fn show(&mut self, ui: &mut Ui, shots: &mut Vec<Shot>) {
        let base = ui.scope_id().with("shots");
        paste_rows(ui, base, shots);
        ui.horizontal(|ui| {
            let on = shots.iter().filter(|s| s.on).count();
            let title =
                if shots.is_empty() { "Examples".to_owned() } else { format!("Examples · {on} of {}", shots.len()) };
            widgets::explain(ui, &title, HELP);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if icon_button(ui, Icon::Plus, "Add an example").clicked() {
                    shots.push(Shot { input: String::new(), output: String::new(), on: true });
                    ui.memory_mut(|m| m.request_focus(cell_id(base, shots.len() - 1, 0)));
                }
            });
        });
        if shots.is_empty() {
            widgets::caption(ui, "None. Add a row, or paste rows from a spreadsheet into one.");
            return;
        }
        let mut edit = None;
        let mut rows = Vec::new();
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = Vec2::new(space::XS, space::XS);
            for (row, shot) in shots.iter_mut().enumerate() {
                let shown = ui.horizontal_top(|ui| self.row(ui, base, row, shot, &mut edit));
                rows.push(shown.response.rect);
            }
        });
        if let Some(moved) = self.order.drop_target(ui, &rows) {
            edit = Some(Edit::Move(moved));
        }
        match edit {
            Some(Edit::Delete(row)) => drop(shots.remove(row)),
            Some(Edit::Move(RowMove { from, to })) if to < shots.len() => {
                let shot = shots.remove(from);
                shots.insert(to, shot);
                ui.memory_mut(|m| m.request_focus(base.with(("handle", to))));
            }
            _ => {}
        }
    }

    fn row(&mut self, ui: &mut Ui, base: Id, row: usize, shot: &mut Shot, edit: &mut Option<Edit>) {
        let theme = ui.theme();
        let number = row + 1;
        // Beside the first line of the cells, however many there are.
        let beside = |ui: &mut Ui, width: f32, add: &mut dyn FnMut(&mut Ui)| {
            let size = Vec2::new(width, CELL);
            ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_size(size);
                add(ui);
            });
        };
        let (id, name) = (base.with(("handle", row)), format!("Move example {number}"));
        beside(ui, HANDLE, &mut |ui| {
            if let Some(moved) = self.order.handle(ui, id, row, HANDLE, &name) {
                *edit = Some(Edit::Move(moved));
            }
        });
        beside(ui, SWITCH, &mut |ui| {
            ui.spacing_mut().icon_width = SWITCH - 2.0;
            ui.spacing_mut().interact_size = Vec2::new(SWITCH, 20.0);
            let response = ui.add_sized([SWITCH, 20.0], egui::Checkbox::without_text(&mut shot.on));
            let _ = response.accessible_name(format!("Use example {number}")).on_hover_text("Use this example");
        });
        let cells = ui.available_width() - BIN - 2.0 * space::XS;
        // Questions tend to be longer than answers.
        let columns = [(&mut shot.input, "input", 0.58), (&mut shot.output, "output", 0.42)];
        for (column, (text, hint, share)) in columns.into_iter().enumerate() {
            let ink = if shot.on { theme.body() } else { theme.neutral(6) };
            // A long text wraps, so that it can be read whole; lines of its own it gets by pasting alone.
            let cell = TextEdit::multiline(text)
                .id(cell_id(base, row, column))
                .return_key(None)
                .desired_rows(1)
                .hint_text(widgets::hint(hint))
                .text_color(ink)
                .margin(egui::Margin::symmetric(6, 4))
                .desired_width(cells * share - 12.0);
            let cell = ui.add(cell);
            let title = format!("Example {number}, {hint}");
            widgets::enlarge(ui, &cell, text, &title, &Type::Body.sans());
            let _ = cell.accessible_name(format!("Example {number} {hint}"));
        }
        beside(ui, BIN, &mut |ui| {
            if icon_button(ui, Icon::Trash2, &format!("Delete example {number}")).clicked() {
                *edit = Some(Edit::Delete(row));
            }
        });
    }
}

fn cell_id(base: Id, row: usize, column: usize) -> Id {
    base.with((row, column))
}

/// Several lines, or cells parted by tabs, pasted into a cell become rows.
fn paste_rows(ui: &Ui, base: Id, shots: &mut Vec<Shot>) {
    let Some(focus) = ui.memory(egui::Memory::focused) else { return };
    let Some(row) = (0..shots.len()).find(|r| (0..2).any(|c| cell_id(base, *r, c) == focus)) else { return };
    let Some(text) = pasted_rows(ui) else { return };
    let rows = FewShotPrompt::parse_rows(&text);
    let is_empty = shots[row].input.is_empty() && shots[row].output.is_empty();
    let at = if is_empty { row } else { row + 1 };
    if is_empty {
        shots.remove(row);
    }
    shots.splice(at..at, rows);
}
