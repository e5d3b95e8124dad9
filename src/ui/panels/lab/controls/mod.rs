//! The left column: the task, the query and the answers that are compared, the examples, and how a prompt is written.

mod answers;
mod examples;
mod task;
mod wording;

pub(super) use task::table_file;

use super::Tab;
use super::desk::Desk;
use super::plan::Missing;
use crate::types::{Ability, JobId};
use crate::ui::Cx;
use crate::ui::edits::{self, all_words};
use crate::ui::panels::suggestion;
use crate::ui::theme::space;
use crate::ui::widgets::{self, Reorder, caption};
use egui::Ui;
use lucide_icons::Icon;

/// A job that is over sooner does not turn the button into one that stops it, in seconds.
const PATIENCE_S: f64 = 0.3;

/// What the column itself remembers.
#[derive(Default)]
pub(super) struct Controls {
    /// Words typed into the search of tasks.
    search: String,
    /// The example that is being dragged.
    order: Reorder,
    /// The labels as they are being typed.
    labels: Option<String>,
}

/// What the person wants that is not the column's to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To see the pairs.
    Pairs,
    /// To do what the tab on show is for.
    Run,
    /// To close the error of a table that was not read.
    CloseError,
}

impl Controls {
    /// `reading` is the job that reads a table.
    pub fn show(&mut self, desk: &mut Desk, reading: Option<JobId>, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Wish> {
        ui.add_space(space::S);
        suggestion::for_examples(ui, cx);
        let wish = task::show(desk, &mut self.search, reading, ui, cx);
        ui.add_space(space::XS);
        answers::query(desk, ui);
        if desk.setup.two {
            ui.add_space(space::S);
            ui.horizontal(|ui| {
                caption(ui, "Edit column").on_hover_text("Both columns ask the same query. Below is what may differ.");
                widgets::segmented(ui, &mut desk.side, &[(0, "A"), (1, "B")]);
                let other = 1 - desk.side;
                let name = if other == 0 { "Copy from A" } else { "Copy from B" };
                if widgets::icon_button(ui, Icon::Copy, name).clicked() {
                    desk.setup.sides[desk.side] = desk.setup.sides[other].clone();
                }
            });
        } else {
            desk.side = 0;
        }
        ui.add_space(space::XS);
        examples::show(desk, &mut self.order, ui);
        ui.add_space(space::XS);
        wording::show(desk, &mut self.labels, ui, cx);
        answers::compared(desk, ui);
        edited(desk, ui, cx);
        wish
    }
}

/// The edits, and whether the column asks with them.
fn edited(desk: &mut Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    edits::section(Ability::Continue, None, ui, cx);
    let on = cx.edits.on();
    let side = &desk.setup.sides[desk.side];
    if on.is_empty() && !side.edited {
        return;
    }
    let is_beside = desk.setup.two && desk.setup.sides[0].edited != desk.setup.sides[1].edited;
    if !is_beside {
        let help = "Shows two columns: A asks the model as it is, B the same with the edits. Their probabilities stand side by side.";
        if widgets::secondary_button(ui, Some(Icon::Columns2), "Edited beside unedited").on_hover_text(help).clicked() {
            desk.setup.show_edited();
            desk.side = 1;
        }
    }
    let name = if desk.setup.two {
        format!("Column {} asks the edited model", ["A", "B"][desk.side])
    } else {
        "Ask the edited model".to_owned()
    };
    let side = &mut desk.setup.sides[desk.side];
    ui.checkbox(&mut side.edited, name);
    if side.edited && on.is_empty() && side.edits.is_empty() {
        caption(ui, "No edit is on, so it is asked as it is.");
    }
    if side.edited && !side.edits.is_empty() && side.edits != on {
        // The edits of a run that was brought back.
        caption(ui, format!("It was asked with others: {}.", all_words(&side.edits)));
        if widgets::ghost_button(ui, None, "Ask with the list").clicked() {
            side.edits = on;
        }
    }
}

/// The button that does what the tab on show is for, or the one that stops its job.
pub(super) fn footer(tab: Tab, running: Option<JobId>, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) -> Option<Wish> {
    let (icon, name) = match tab {
        Tab::Compare | Tab::Pairs => (Icon::Play, "Score the answers"),
        Tab::Curve => (Icon::Play, "Measure"),
        Tab::Looked => (Icon::Play, "Read the prompt"),
        Tab::Batch => (Icon::Play, "Ask the rows"),
    };
    // What is over in a moment would only make the button flicker.
    let is_long =
        running.is_some_and(|job| cx.state.job(job).is_some_and(|job| cx.state.now_s - job.started_s > PATIENCE_S));
    if let Some(job) = running.filter(|_| !is_long) {
        let age_s = cx.state.job(job).map_or(0.0, |job| cx.state.now_s - job.started_s);
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64((PATIENCE_S - age_s).max(0.01)));
    }
    let asks_table = matches!(tab, Tab::Curve | Tab::Batch);
    let missing = desk.missing();
    let missing =
        missing.filter(|missing| !asks_table || matches!(missing, Missing::Model | Missing::RunModel | Missing::Place));
    let mut wish = None;
    ui.with_layout(egui::Layout::top_down_justified(egui::Align::Center), |ui| {
        if let Some(job) = running.filter(|_| is_long) {
            if widgets::danger_button(ui, Icon::Square, "Stop").on_hover_text("Esc").clicked() {
                cx.cancel(job);
            }
            return;
        }
        ui.add_enabled_ui(missing.is_none(), |ui| {
            let response = widgets::primary_button(ui, icon, name).on_hover_text("Ctrl+Enter");
            let why = missing.map_or("", Missing::words);
            if response.on_disabled_hover_text(why).clicked() {
                wish = Some(Wish::Run);
            }
        });
    });
    wish
}

/// A seed nobody chose: the clock's fast digits.
pub(super) fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_micros()) % 10_000
}
