//! The steps on show as a figure, as numbers and in words.

use super::StepsView;
use super::group::Group;
use super::part;
use crate::analysis::{answers_of, step_words};
use crate::chart::{StepsFigure, StepsPart, steps_arrays, steps_figure};
use crate::types::StepsReport;
use crate::ui::Cx;
use crate::ui::panels::attention::export::{About, Kind, save};
use std::sync::Arc;

/// The figure of the steps on show; `None` while they are on their way.
pub(in super::super) fn figure(view: &StepsView, cx: &Cx<'_>, about: &About) -> Option<StepsFigure> {
    Some(of(view.report(cx.state)?, about))
}

/// Asks where to, then draws or lists and writes on the dialog's thread.
pub(in super::super) fn export(view: &StepsView, cx: &mut Cx<'_>, about: &About, kind: Kind) {
    let Some(report) = view.report(cx.state) else {
        cx.toast("The steps are still being followed");
        return;
    };
    let (layer, head, query) = (report.layer, report.head, report.query);
    let file = format!("steps-{}-layer-{layer}-head-{head}-token-{query}", about.model);
    let figure = of(Arc::clone(&report), about);
    let pairs = about.pairs(&step_words(&report), &report.tokens);
    save(cx, kind, &file, move |kind| match kind {
        Kind::Figure(format) => steps_figure(&figure, format),
        Kind::Arrays(format) => steps_arrays(&report, &pairs, format),
    });
}

fn of(report: Arc<StepsReport>, about: &About) -> StepsFigure {
    // What is nothing but blanks is seen by its signs.
    let text = |token: usize| {
        let text = report.tokens.get(token).map_or("", |token| token.text.as_str());
        if text.trim().is_empty() { super::shown(text) } else { text.trim().to_owned() }
    };
    let (query, key) = (text(report.query), text(report.key));
    let (layer, head) = (report.layer, report.head);
    let places = format!("position {} looks at position {}", report.query, report.key);
    StepsFigure {
        title: format!("{}, layer {layer}, head {head}: ‘{query}’ looks at ‘{key}’", about.model),
        captions: vec![format!("{}; {places}, counted from 0", about.prompt)],
        words: step_words(&report),
        parts: Group::ALL.into_iter().map(|group| figured(group, &report)).collect(),
        answers: answers_of(&report),
        report,
    }
}

/// A part as it stands in a figure, which nobody can click.
fn figured(group: Group, report: &StepsReport) -> StepsPart {
    let words = match (group, report.rotated_by) {
        (Group::Scores, _) => {
            "q·k for every key, scaled, masked, and softmax over them: the keys with the largest weights.".to_owned()
        }
        (Group::QueryKey, Some([of_query, of_key])) => {
            format!("{} Rotated by positions {of_query} and {of_key}.", group.words(report))
        }
        _ => group.words(report),
    };
    StepsPart { name: group.name(), words, kinds: group.kinds().to_vec(), nothing: part::nothing(group, report) }
}
