//! The tab of pairs: every row of the task, edited in place, typed or pasted.

use super::desk::Desk;
use super::setup::Example;
use crate::types::{FewShotPrompt, TaskTable};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, icon_button, pasted_rows, secondary_button, stage_header};
use egui::{Align, Id, Layout, RichText, ScrollArea, TextEdit, Ui, Vec2};
use lucide_icons::Icon;
use std::sync::Arc;

const ROW: f32 = 28.0;
const NUMBER: f32 = 40.0;
const TOOLS: f32 = 3.0 * 26.0;

/// What the tab itself remembers.
#[derive(Default)]
pub(super) struct Pairs {
    filter: String,
    /// The rows that pass the filter, of which table and which filter.
    found: Option<(Arc<TaskTable>, String, Vec<usize>)>,
}

/// What to do to the rows after they are painted.
enum Edit {
    Write(usize, [String; 2]),
    Delete(usize),
    Ask(usize),
    Show(usize),
}

/// True when the pairs are to be taken to training.
pub(super) fn stage(pairs: &mut Pairs, desk: &mut Desk, ui: &mut Ui, cx: &mut Cx<'_>) -> bool {
    let theme = ui.theme();
    let base = ui.scope_id().with("lab pairs");
    let sub = format!("{} pairs", desk.setup.table.rows.len());
    let title = desk.setup.table.title.clone();
    let (mut added, mut trains) = (false, false);
    stage_header(ui, &title, &sub, |ui| {
        added = secondary_button(ui, Some(Icon::Plus), "Add a pair").clicked();
        if secondary_button(ui, Some(Icon::FilePlus2), "New task").clicked() {
            desk.new_task(cx);
        }
        let help = "Writes the pairs as a text and takes it to Fine-tune.";
        trains = icon_button(ui, Icon::TrendingDown, "Train on these pairs").on_hover_text(help).clicked();
    });
    ui.horizontal(|ui| {
        let field =
            TextEdit::singleline(&mut pairs.filter).hint_text(crate::ui::widgets::hint("Filter")).desired_width(200.0);
        let _ = ui.add(field).accessible_name("Filter pairs");
        let words = "Paste rows of a spreadsheet into a cell; input and output in two columns.";
        ui.add(egui::Label::new(RichText::new(words).font(Type::Caption.sans()).color(theme.caption())).truncate());
    });
    ui.add_space(space::XS);
    paste(desk, ui, base);
    if added {
        Arc::make_mut(&mut desk.setup.table).rows.insert(0, Default::default());
        pairs.filter.clear();
        ui.memory_mut(|m| m.request_focus(cell_id(base, 0, 0)));
    }
    let found = pairs.found(&desk.setup.table);
    if found.is_empty() {
        let words = if desk.setup.table.rows.is_empty() {
            "No pairs yet. Add one, paste rows, or open a TSV, CSV or JSONL file."
        } else {
            "No pair has these words."
        };
        caption(ui, words);
        return trains;
    }
    head(ui);
    let mut edit = None;
    ui.spacing_mut().item_spacing.y = space::XS;
    let area = ScrollArea::vertical().id_salt("pairs").auto_shrink(false);
    area.show_rows(ui, ROW, found.len(), |ui, shown| {
        for row in shown.filter_map(|place| found.get(place)) {
            if let Some(wanted) = one(desk, ui, base, *row) {
                edit = Some(wanted);
            }
        }
    });
    if let Some(edit) = edit {
        apply(desk, edit);
    }
    trains
}

impl Pairs {
    /// Places of the rows that pass the filter.
    fn found(&mut self, table: &Arc<TaskTable>) -> Vec<usize> {
        let is_known =
            |(of, filter, _): &(Arc<TaskTable>, String, Vec<usize>)| Arc::ptr_eq(of, table) && *filter == self.filter;
        if let Some((.., found)) = self.found.as_ref().filter(|found| is_known(found)) {
            return found.clone();
        }
        let wanted = self.filter.to_lowercase();
        let fits =
            |row: &[String; 2]| wanted.is_empty() || row.iter().any(|cell| cell.to_lowercase().contains(&wanted));
        let found: Vec<usize> = (0..table.rows.len()).filter(|row| fits(&table.rows[*row])).collect();
        self.found = Some((table.clone(), self.filter.clone(), found.clone()));
        found
    }
}

fn widths(ui: &Ui) -> [f32; 2] {
    let cells = ui.available_width() - NUMBER - TOOLS - 4.0 * space::XS - 8.0;
    [cells * 0.58, cells * 0.42]
}

fn head(ui: &mut Ui) {
    let [input, _] = widths(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        ui.add_space(NUMBER + space::XS);
        let at = ui.cursor().left();
        caption(ui, "Input");
        ui.add_space((at + input + space::XS - ui.cursor().left()).max(0.0));
        caption(ui, "Output");
    });
}

fn one(desk: &Desk, ui: &mut Ui, base: Id, row: usize) -> Option<Edit> {
    let theme = ui.theme();
    let [input, output] = &desk.setup.table.rows[row];
    let examples = &desk.asked().examples;
    let is_query = *input == desk.setup.query && !input.is_empty();
    let is_example = examples.iter().any(|example| example.input == *input && example.output == *output);
    let mut edit = None;
    let widths = widths(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let ink = if is_query || is_example { theme.accent_text() } else { theme.caption() };
        let number = RichText::new((row + 1).to_string()).font(Type::Caption.mono()).color(ink);
        let label = ui.add_sized([NUMBER, ROW], egui::Label::new(number));
        if is_query || is_example {
            label.on_hover_text(if is_query { "This is the query." } else { "This is an example." });
        }
        let mut cells = [input.clone(), output.clone()];
        let mut changed = false;
        for (column, (cell, name)) in cells.iter_mut().zip(["input", "output"]).enumerate() {
            let field = TextEdit::singleline(cell).id(cell_id(base, row, column)).margin(egui::Margin::symmetric(6, 3));
            let field = ui.add_sized([widths[column], ROW], field).accessible_name(format!("Pair {} {name}", row + 1));
            changed |= field.changed();
        }
        if changed {
            edit = Some(Edit::Write(row, cells));
        }
        ui.allocate_ui_with_layout(Vec2::new(TOOLS, ROW), Layout::left_to_right(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            ui.add_enabled_ui(!is_query, |ui| {
                if icon_button(ui, Icon::CircleQuestionMark, &format!("Ask pair {}", row + 1)).clicked() {
                    edit = Some(Edit::Ask(row));
                }
            });
            ui.add_enabled_ui(!is_example && !is_query, |ui| {
                if icon_button(ui, Icon::ListPlus, &format!("Use pair {} as an example", row + 1)).clicked() {
                    edit = Some(Edit::Show(row));
                }
            });
            if icon_button(ui, Icon::Trash2, &format!("Delete pair {}", row + 1)).clicked() {
                edit = Some(Edit::Delete(row));
            }
        });
    });
    edit
}

fn apply(desk: &mut Desk, edit: Edit) {
    let side = desk.side;
    match edit {
        Edit::Write(row, cells) => Arc::make_mut(&mut desk.setup.table).rows[row] = cells,
        Edit::Delete(row) => drop(Arc::make_mut(&mut desk.setup.table).rows.remove(row)),
        Edit::Ask(row) => {
            let [input, output] = desk.setup.table.rows[row].clone();
            // Asking for an example would give the answer away.
            for side in &mut desk.setup.sides {
                side.examples.retain(|example| example.input != input);
            }
            (desk.setup.query, desk.setup.expected) = (input, output);
        }
        Edit::Show(row) => {
            let [input, output] = desk.setup.table.rows[row].clone();
            desk.setup.sides[side].examples.push(Example { input, output, on: true, wrong: None });
        }
    }
}

/// Rows pasted into a cell stand below it.
fn paste(desk: &mut Desk, ui: &Ui, base: Id) {
    let has_paste = ui.input(|i| i.events.iter().any(|event| matches!(event, egui::Event::Paste(_))));
    let Some(focus) = ui.memory(egui::Memory::focused).filter(|_| has_paste) else { return };
    let rows = desk.setup.table.rows.len();
    let Some(row) = (0..rows).find(|r| (0..2).any(|c| cell_id(base, *r, c) == focus)) else { return };
    let Some(text) = pasted_rows(ui) else { return };
    let pairs = FewShotPrompt::parse_rows(&text).into_iter().map(|shot| [shot.input, shot.output]);
    let rows = &mut Arc::make_mut(&mut desk.setup.table).rows;
    let is_empty = rows[row].iter().all(String::is_empty);
    let at = if is_empty { row } else { row + 1 };
    if is_empty {
        rows.remove(row);
    }
    rows.splice(at..at, pairs);
}

fn cell_id(base: Id, row: usize, column: usize) -> Id {
    base.with((row, column))
}
