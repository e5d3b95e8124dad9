//! The left column: the task, the query and the answers that are compared, the examples, and how a prompt is written.

mod answers;
mod examples;
mod task;
mod wording;

pub(super) use task::table_file;

use super::LabPanel;
use crate::ui::Cx;
use crate::ui::theme::space;
use crate::ui::widgets::{self, Reorder, caption};
use egui::Ui;
use lucide_icons::Icon;

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
    let theme = cx.theme.clone();
    ui.add_space(space::S);
    task::show(panel, ui, cx);
    ui.add_space(space::XS);
    answers::query(panel, ui, cx);
    if panel.setup.two {
        ui.add_space(space::S);
        ui.horizontal(|ui| {
            caption(ui, &theme, "Edit column")
                .on_hover_text("Both columns ask the same query. Below is what may differ.");
            widgets::segmented(ui, &theme, &mut panel.controls.side, &[(0, "A"), (1, "B")]);
            let other = 1 - panel.controls.side;
            let name = if other == 0 { "Copy from A" } else { "Copy from B" };
            if widgets::icon_button(ui, &theme, Icon::Copy, name).clicked() {
                panel.setup.sides[panel.controls.side] = panel.setup.sides[other].clone();
            }
        });
    } else {
        panel.controls.side = 0;
    }
    ui.add_space(space::XS);
    examples::show(panel, ui, cx);
    ui.add_space(space::XS);
    wording::show(panel, ui, cx);
    answers::compared(panel, ui, cx);
}

/// A seed nobody chose: the clock's fast digits.
pub(super) fn fresh_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_micros()) % 10_000
}
