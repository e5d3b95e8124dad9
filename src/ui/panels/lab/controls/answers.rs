//! What is asked, and the answers that are compared.

use super::super::desk::Desk;
use super::super::setup::Pool;
use crate::ui::theme::{CONTROL_HEIGHT, space};
use crate::ui::widgets::{self, TextArea, caption, field, icon_button, section};
use egui::{Align, DragValue, Layout, TextEdit, Ui};
use lucide_icons::Icon;

const QUERY_HELP: &str = "What the model is to answer. It stands last in the prompt, with nothing behind it.";
const EXPECTED_HELP: &str = "What the answer should be. It is marked, and never shown to the model.";
const POOL_HELP: &str = "The answers whose probability is computed. P(answer | prompt) is the product of the probabilities of \
     its tokens, each given all before it: exact, nothing is sampled.";
const CALIBRATE_HELP: &str = "Some answers are likely whatever is asked. Contextual calibration asks with queries that say \
     nothing (N/A, [MASK], an empty one), divides each answer's share by its share there, and scales the sum to 1 (Zhao et \
     al. 2021).";
const ENDING_HELP: &str = "Multiplies by the probability that the answer ends there: of what the template and the separator put \
     behind it. Without it ‘red’ also counts everything that goes on as ‘reddish’.";

pub(super) fn query(desk: &mut Desk, ui: &mut Ui) {
    ui.horizontal(|ui| {
        caption(ui, "Query").on_hover_text(QUERY_HELP);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if icon_button(ui, Icon::Dices, "Ask another").clicked() {
                desk.setup.ask_another(0);
            }
        });
    });
    let area = TextArea::new(&mut desk.setup.query, 1).hint("What should be answered?");
    let _ = ui.add(area).accessible_name("Query").on_hover_text(QUERY_HELP);
    field(ui, "Right answer", EXPECTED_HELP, |ui| {
        let edit = TextEdit::singleline(&mut desk.setup.expected).hint_text(widgets::hint("Not known"));
        ui.add(edit.desired_width(f32::INFINITY))
    });
}

pub(super) fn compared(desk: &mut Desk, ui: &mut Ui) {
    section(ui, "Answers that are compared", |ui| {
        let mut choices = vec![(Pool::Distractors, "Right and others"), (Pool::Typed, "Typed")];
        if !desk.setup.table.labels.is_empty() {
            choices.insert(0, (Pool::Labels, "Labels"));
        }
        let was = desk.setup.pool;
        widgets::segmented(ui, &mut desk.setup.pool, &choices);
        if desk.setup.pool == Pool::Typed && was != Pool::Typed && desk.setup.typed.is_empty() {
            // Begins with what was compared before, to be edited.
            desk.setup.pool = was;
            desk.setup.typed = desk.setup.answers().join("\n");
            desk.setup.pool = Pool::Typed;
        }
        match desk.setup.pool {
            Pool::Labels => {
                let words = desk.setup.table.labels.join(", ");
                caption(ui, words).on_hover_text(POOL_HELP);
            }
            Pool::Distractors => {
                let help = "Other answers of the table, drawn with the seed of the examples.";
                field(ui, "Other answers", help, |ui| {
                    let size = egui::vec2(96.0, CONTROL_HEIGHT);
                    ui.add_sized(size, DragValue::new(&mut desk.setup.distractors).range(1..=20).speed(0.1))
                });
            }
            Pool::Typed => {
                field(ui, "Answers, one a line", POOL_HELP, |ui| ui.add(TextArea::new(&mut desk.setup.typed, 3)));
            }
        }
        ui.add_space(space::XS);
        let side = &mut desk.setup.sides[desk.side];
        ui.checkbox(&mut side.calibrate, "Contextual calibration").on_hover_text(CALIBRATE_HELP);
        ui.checkbox(&mut side.ending, "Score the end of the answer").on_hover_text(ENDING_HELP);
    });
}
