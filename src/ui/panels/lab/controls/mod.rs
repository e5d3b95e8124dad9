//! The left column: the task, the query and the answers that are compared, the examples, and how a prompt is written.

mod answers;
mod examples;
mod suggestion;
mod task;
mod wording;

pub(super) use task::table_file;

use super::plan::Missing;
use super::{LabPanel, Tab};
use crate::ui::Cx;
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
    /// The column whose prompt is edited.
    pub side: usize,
    /// The example that is being dragged.
    order: Reorder,
    /// The labels as they are being typed.
    labels: Option<String>,
}

pub(super) fn show(panel: &mut LabPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.add_space(space::S);
    suggestion::show(ui, cx);
    task::show(panel, ui, cx);
    ui.add_space(space::XS);
    answers::query(panel, ui);
    if panel.setup.two {
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            caption(ui, "Edit column").on_hover_text("Both columns ask the same query. Below is what may differ.");
            widgets::segmented(ui, &mut panel.controls.side, &[(0, "A"), (1, "B")]);
            let other = 1 - panel.controls.side;
            let name = if other == 0 { "Copy from A" } else { "Copy from B" };
            if widgets::icon_button(ui, Icon::Copy, name).clicked() {
                panel.setup.sides[panel.controls.side] = panel.setup.sides[other].clone();
            }
        });
    } else {
        panel.controls.side = 0;
    }
    ui.add_space(space::XS);
    examples::show(panel, ui);
    ui.add_space(space::XS);
    wording::show(panel, ui, cx);
    answers::compared(panel, ui);
}

/// The button that does what the tab on show is for, or the one that stops it.
pub(super) fn footer(panel: &mut LabPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let running = panel.job_of(panel.tab, cx.state);
    let (icon, name) = match panel.tab {
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
    let asks_table = matches!(panel.tab, Tab::Curve | Tab::Batch);
    let missing = panel.plan.as_ref().and_then(|plan| plan.missing);
    let missing = missing.filter(|missing| !asks_table || matches!(missing, Missing::Model | Missing::Place));
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
                crate::ui::Panel::run(panel, cx);
            }
        });
    });
}

/// A seed nobody chose: the clock's fast digits.
pub(super) fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_micros()) % 10_000
}
