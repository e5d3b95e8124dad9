//! The runs of a prompt: the one on show, its siblings from the same text, and those of before.

use super::beside;
use super::output::Shown;
use crate::types::JobId;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{Stamp, caption, one_line, section};
use crate::ui::{Cx, State, Themed};
use egui::{Sense, Ui, Vec2, WidgetInfo};
use std::collections::BTreeSet;

/// Runs that are kept beside the one on show.
const KEPT: usize = 20;

/// Runs, oldest first.
#[derive(Default)]
pub(super) struct Past {
    runs: Vec<Shown>,
}

impl Past {
    /// Adds a run.
    pub fn push(&mut self, shown: Shown) {
        self.runs.push(shown);
        if self.runs.len() > KEPT {
            self.runs.remove(0);
        }
    }

    /// A run by its job.
    pub fn find(&self, job: JobId) -> Option<&Shown> {
        self.runs.iter().find(|run| run.job == job)
    }

    /// The runs from the same text as this one, itself among them, and its place.
    pub fn siblings(&self, of: &Shown) -> (usize, Vec<JobId>) {
        let jobs: Vec<JobId> = self.runs.iter().filter(|run| run.text == of.text).map(|run| run.job).collect();
        (jobs.iter().position(|job| *job == of.job).unwrap_or(0), jobs)
    }

    /// True when there is more than the run on show.
    pub fn has_several(&self) -> bool {
        self.runs.len() > 1
    }

    /// The jobs whose results must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.runs.iter().for_each(|run| beside::keep(run, shown));
    }

    /// The list, newest first. Gives the run that is to be looked at.
    pub fn list(&self, on_show: JobId, ui: &mut Ui, cx: &Cx<'_>) -> Option<JobId> {
        if !self.has_several() {
            return None;
        }
        let mut chosen = None;
        let list = |ui: &mut Ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            for run in self.runs.iter().rev() {
                if row(run, run.job == on_show, ui, cx.state) {
                    chosen = Some(run.job);
                }
            }
            caption(ui, format!("The last {KEPT} are kept until Fovea is closed."));
        };
        section(ui, "Last runs", |ui| ui.scope(list));
        chosen
    }
}

fn row(run: &Shown, on: bool, ui: &mut Ui, state: &State) -> bool {
    let theme = ui.theme();
    let text: String = run.tokens(state).take(40).map(|token| token.text.as_str()).collect();
    let text = if text.trim().is_empty() { "Nothing".to_owned() } else { text.trim().to_owned() };
    let stamp = Stamp::of(state, run.job);
    let made = match (&stamp, state.run(run.job)) {
        (Some(stamp), Some(told)) => stamp.short(&told.spec().sampling),
        _ => String::new(),
    };
    let size = Vec2::new(ui.available_width(), 40.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let name = format!("Run: {text}");
    response.widget_info(|| WidgetInfo::selected(egui::Role::Button, true, on, &name));
    let fill = match (on, response.hovered() || response.has_focus()) {
        (true, _) => theme.neutral(4),
        (_, true) => theme.neutral(3),
        _ => theme.surface(),
    };
    ui.painter().rect_filled(rect, crate::ui::theme::CHIP_RADIUS, fill);
    let inner = rect.shrink2(Vec2::new(space::S, space::XS));
    let first = one_line(ui.painter(), &text, Type::Body.sans(), theme.body(), inner.width());
    ui.painter().galley(inner.left_top(), first, theme.body());
    let second = one_line(ui.painter(), &made, Type::Caption.sans(), theme.caption(), inner.width());
    let at = inner.left_bottom() - Vec2::new(0.0, second.size().y);
    ui.painter().galley(at, second, theme.caption());
    response.clicked()
}
