//! One part of the pass, open: its steps below each other.

use super::group::Group;
use super::vector;
use super::{Pick, Pointed};
use crate::types::{StepKind, StepsReport};
use crate::ui::theme::space;
use crate::ui::widgets::caption;
use egui::Ui;

pub(super) fn show(ui: &mut Ui, group: Group, report: &StepsReport, focus: Option<Pick>) -> Pointed {
    let mut pointed = Pointed::default();
    let mut is_empty = true;
    for kind in group.kinds().iter().copied() {
        if let Some((_, words)) = report.absent.iter().find(|(absent, _)| *absent == kind) {
            caption(ui, *words);
            ui.add_space(space::XS);
            is_empty = false;
        }
        if let Some(step) = report.step(kind) {
            let note = match step.site {
                Some(site) => format!("Read back from the pass, at {site}."),
                None => "Made of the values before it by the model's own layer; the next value of the pass agrees."
                    .to_owned(),
            };
            pointed = pointed.and(vector::show(ui, kind, &note, &step.values, focus));
            is_empty = false;
        }
    }
    if is_empty {
        caption(ui, nothing(group, report));
    }
    pointed
}

/// Why a part has no steps.
pub(super) fn nothing(group: Group, report: &StepsReport) -> &'static str {
    match group {
        Group::Stream => "This is the first block: it reads what entered it, as it is.",
        Group::Final if report.step(StepKind::Logits).is_none() => "No head stands behind the last block.",
        _ => "This family has nothing here.",
    }
}
