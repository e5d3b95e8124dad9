//! The examples of a column: how many, which, in what order; each can be switched off or given a wrong answer.

use super::super::desk::Desk;
use super::super::setup::{Example, Setup};
use super::fresh_seed;
use crate::types::{Draw, FewShotPrompt};
use crate::ui::Themed;
use crate::ui::theme::{CONTROL_HEIGHT, Type, space};
use crate::ui::widgets::{self, Reorder, RowMove, caption, icon_button, pasted_rows};
use egui::{Align, DragValue, Id, Layout, RichText, Slider, Stroke, TextEdit, Ui, Vec2};
use lucide_icons::Icon;

const HELP: &str = "Examples shown to the model before the query. From a few pairs a model can pick up a task without any \
     training (in-context learning, Brown et al. 2020).";
const K_HELP: &str =
    "How many examples the few-shot prompt shows. More of the same draw are added; fewer are taken from the end.";
const SEED_HELP: &str = "Start of the random numbers the examples are drawn with: the same seed draws the same pairs.";
const DRAW_HELP: &str = "On: in rounds, each of one row of every label, the labels of a round in an order drawn with the seed; so no label is \
     left out where k allows. Off: rows as they fall, as results of before were drawn.";
/// Most examples the slider gives.
const MOST: usize = 32;
const HANDLE: f32 = 14.0;
const SWITCH: f32 = 18.0;
const BUTTON: f32 = 24.0;
/// Height of a cell of one line.
const CELL: f32 = 26.0;

/// What to do to the rows after they are painted.
#[derive(Clone, Copy)]
enum Edit {
    Delete(usize),
    Move(RowMove),
    Corrupt(usize),
}

pub(super) fn show(desk: &mut Desk, order: &mut Reorder, ui: &mut Ui) {
    let theme = ui.theme();
    let side = desk.side;
    let base = ui.scope_id().with("lab examples");
    paste_rows(ui, base, &mut desk.setup.sides[side].examples);
    head(desk, ui, base);
    draw_again(desk, ui);
    let cut = desk.plan.as_ref().and_then(|plan| plan.sides.get(side)).map_or(0, |side| side.cards[2].cut);
    let edit = rows(desk, order, ui, base, cut);
    if cut > 0 {
        let words = match cut {
            1 => "The first example does not fit into the context and is left out.".to_owned(),
            n => format!("The first {n} examples do not fit into the context and are left out."),
        };
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
    }
    if let Some(edit) = edit {
        apply(&mut desk.setup, side, edit, ui, base);
    }
}

fn head(desk: &mut Desk, ui: &mut Ui, base: Id) {
    let side = desk.side;
    ui.horizontal(|ui| {
        let examples = &desk.setup.sides[side].examples;
        let on = desk.setup.sides[side].on();
        let title =
            if examples.is_empty() { "Examples".to_owned() } else { format!("Examples · {on} of {}", examples.len()) };
        widgets::explain(ui, &title, HELP);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, Icon::Plus, "Add an example").clicked() {
                let examples = &mut desk.setup.sides[side].examples;
                examples.push(Example { on: true, ..Example::default() });
                ui.memory_mut(|m| m.request_focus(cell_id(base, examples.len() - 1, 0)));
            }
        });
    });
}

/// The number of examples, the seed, and the button that draws others.
fn draw_again(desk: &mut Desk, ui: &mut Ui) {
    let side = desk.side;
    let rows = desk.setup.table.rows.len();
    let mut k = desk.setup.sides[side].examples.len();
    let most = MOST.min(rows.saturating_sub(1)).max(k);
    ui.horizontal(|ui| {
        let name = widgets::explain(ui, "k", K_HELP);
        let slider = Slider::new(&mut k, 0..=most).integer();
        let slider = widgets::slider(ui, slider).labelled_by(name.id).on_hover_text(K_HELP);
        if slider.changed() {
            desk.setup.resize(side, k);
        }
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let again = widgets::secondary_button(ui, Some(Icon::Dices), "Draw other examples").clicked();
        let mut seed = desk.setup.sides[side].seed;
        let size = egui::vec2(ui.available_width().clamp(60.0, 96.0), CONTROL_HEIGHT);
        let drag = ui.add_sized(size, DragValue::new(&mut seed).speed(0.2).prefix("seed "));
        let drag = drag.accessible_name("Seed").on_hover_text(SEED_HELP);
        if again {
            seed = fresh_seed();
        }
        if drag.changed() || again {
            desk.setup.draw(side, k, seed);
        }
    });
    if !desk.setup.table.labels.is_empty() {
        let mut is_balanced = desk.setup.sides[side].draw == Draw::Balanced;
        if ui.checkbox(&mut is_balanced, "Draw every label").on_hover_text(DRAW_HELP).changed() {
            let seed = desk.setup.sides[side].seed;
            desk.setup.sides[side].draw = if is_balanced { Draw::Balanced } else { Draw::Plain };
            desk.setup.draw(side, k, seed);
        }
    }
}

fn rows(desk: &mut Desk, order: &mut Reorder, ui: &mut Ui, base: Id, cut: usize) -> Option<Edit> {
    let examples = &mut desk.setup.sides[desk.side].examples;
    if examples.is_empty() {
        caption(ui, "None. Move the slider, add a row, or paste rows from a spreadsheet into one.");
        return None;
    }
    let (mut edit, mut rects, mut on) = (None, Vec::new(), 0);
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = Vec2::new(3.0, space::XS);
        for (row, example) in examples.iter_mut().enumerate() {
            on += usize::from(example.on);
            let is_cut = example.on && on <= cut;
            let shown = ui.horizontal_top(|ui| one(ui, base, row, example, is_cut, order, &mut edit));
            rects.push(shown.response.rect);
        }
    });
    order.drop_target(ui, &rects).map(Edit::Move).or(edit)
}

fn one(
    ui: &mut Ui,
    base: Id,
    row: usize,
    example: &mut Example,
    is_cut: bool,
    order: &mut Reorder,
    edit: &mut Option<Edit>,
) {
    let theme = ui.theme();
    let number = row + 1;
    let (id, name) = (base.with(("handle", row)), format!("Move example {number}"));
    beside(ui, HANDLE, |ui| {
        if let Some(moved) = order.handle(ui, id, row, HANDLE, &name) {
            *edit = Some(Edit::Move(moved));
        }
    });
    beside(ui, SWITCH, |ui| {
        ui.spacing_mut().icon_width = SWITCH - 2.0;
        ui.spacing_mut().interact_size = Vec2::new(SWITCH, 20.0);
        let response = ui.add_sized([SWITCH, 20.0], egui::Checkbox::without_text(&mut example.on));
        let _ = response.accessible_name(format!("Use example {number}")).on_hover_text("Use this example");
    });
    let cells = ui.available_width() - 2.0 * BUTTON - 3.0 * 3.0;
    let is_wrong = example.wrong.is_some();
    let ink = if example.on && !is_cut { theme.body() } else { theme.neutral(6) };
    let right = example.output.clone();
    let output = example.wrong.as_mut().unwrap_or(&mut example.output);
    for (column, (text, hint, share)) in
        [(&mut example.input, "input", 0.58), (output, "output", 0.42)].into_iter().enumerate()
    {
        let marked = column == 1 && is_wrong;
        // A long text wraps, so that it can be read whole; lines of its own it gets by pasting alone.
        let edit = TextEdit::multiline(text)
            .id(cell_id(base, row, column))
            .return_key(None)
            .desired_rows(1)
            .hint_text(widgets::hint(hint))
            .text_color(if marked { theme.warning() } else { ink })
            .margin(egui::Margin::symmetric(5, 4))
            .desired_width(cells * share);
        let response = ui.add(edit).accessible_name(format!("Example {number} {hint}"));
        if marked {
            ui.painter().hline(response.rect.x_range(), response.rect.bottom(), Stroke::new(2.0, theme.warning()));
            let _ = response.on_hover_text(format!("A wrong answer. The right one is {right:?}."));
        }
    }
    let (icon, name) = if is_wrong {
        (Icon::Undo2, format!("Give example {number} its right answer back"))
    } else {
        (Icon::Replace, format!("Give example {number} a wrong answer"))
    };
    beside(ui, 2.0 * BUTTON + 3.0, |ui| {
        if icon_button(ui, icon, &name).clicked() {
            *edit = Some(Edit::Corrupt(row));
        }
        if icon_button(ui, Icon::Trash2, &format!("Delete example {number}")).clicked() {
            *edit = Some(Edit::Delete(row));
        }
    });
}

/// Something that stands beside the first line of the cells, however many they have.
fn beside(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui)) {
    let size = Vec2::new(width, CELL);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_size(size);
        add(ui);
    });
}

fn apply(setup: &mut Setup, side: usize, edit: Edit, ui: &Ui, base: Id) {
    let seed = setup.sides[side].seed;
    match edit {
        Edit::Delete(row) => drop(setup.sides[side].examples.remove(row)),
        Edit::Move(RowMove { from, to }) if to < setup.sides[side].examples.len() => {
            let example = setup.sides[side].examples.remove(from);
            setup.sides[side].examples.insert(to, example);
            ui.memory_mut(|m| m.request_focus(base.with(("handle", to))));
        }
        Edit::Move(_) => {}
        Edit::Corrupt(row) => {
            let example = &setup.sides[side].examples[row];
            let wrong = match example.wrong {
                Some(_) => None,
                None => setup.wrong_answer(example, seed.wrapping_add(row as u64)),
            };
            setup.sides[side].examples[row].wrong = wrong;
        }
    }
}

fn cell_id(base: Id, row: usize, column: usize) -> Id {
    base.with((row, column))
}

/// Several lines, or cells parted by tabs, pasted into a cell become rows.
fn paste_rows(ui: &Ui, base: Id, examples: &mut Vec<Example>) {
    let Some(focus) = ui.memory(egui::Memory::focused) else { return };
    let Some(row) = (0..examples.len()).find(|r| (0..2).any(|c| cell_id(base, *r, c) == focus)) else { return };
    let Some(text) = pasted_rows(ui) else { return };
    let rows = FewShotPrompt::parse_rows(&text);
    let rows = rows.into_iter().map(|s| Example { input: s.input, output: s.output, on: true, wrong: None });
    let is_empty = examples[row].input.is_empty() && examples[row].output.is_empty();
    let at = if is_empty { row } else { row + 1 };
    if is_empty {
        examples.remove(row);
    }
    examples.splice(at..at, rows);
}
