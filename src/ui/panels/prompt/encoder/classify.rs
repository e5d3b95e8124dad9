//! The stage while a text is put into a class: the classes with their probabilities.

use super::EncoderView;
use super::fill::card;
use crate::types::{ClassifyReport, Problem, TextClasses};
use crate::ui::Cx;
use crate::ui::PanelId;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, Stamp, caption, class_bars, empty_state, secondary_button};
use egui::{RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// Bars are no wider than this: their ends must be read together with their names.
const WIDEST: f32 = 640.0;

pub(super) fn show(view: &mut EncoderView, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let report = view.job(cx.state).and_then(|job| cx.state.report::<ClassifyReport>(job)).cloned();
    let Some(report) = report else {
        if view.running(cx.state).is_none() {
            let sentence = "This model reads a whole text and tells how likely it takes each of its classes to be.";
            if empty_state(ui, Icon::Tags, "See what a text is taken for", sentence, Some("Classify")) {
                view.run(cx);
            }
        }
        return;
    };
    let Some(text) = report.texts.first() else { return };
    widgets::stage_header(ui, "What it takes the text for", &format!("{} tokens", text.tokens), |ui| {
        if secondary_button(ui, Some(Icon::Grid3x3), "See its attention").clicked() {
            cx.go_to(PanelId::Attention);
        }
    });
    let stamp = view.stamp(cx.state);
    if let Some(stamp) = &stamp {
        stamp.show(ui);
    }
    if text.left_out > 0 {
        let words =
            format!("The text was cut off behind {} tokens; {} more were left out.", text.tokens, text.left_out);
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
    }
    ui.add_space(space::S);
    Stamp::over(stamp.as_ref(), ui, |ui| {
        ScrollArea::vertical().id_salt("classes").auto_shrink(false).show(ui, |ui| {
            card(theme).show(ui, |ui| {
                // The card's own margins and edges.
                ui.set_width((ui.available_width() - 2.0 * space::M - 2.0).min(WIDEST));
                ui.label(RichText::new(&text.text).font(Type::Body.sans()).color(theme.body()));
                ui.add_space(space::M);
                answer(ui, &report, text);
            });
        });
    });
}

fn answer(ui: &mut Ui, report: &ClassifyReport, text: &TextClasses) {
    let theme = ui.theme();
    if report.problem == Problem::Numbers {
        for (label, score) in report.labels.iter().zip(&text.scores) {
            ui.label(RichText::new(format!("{score:.4}")).font(Type::Title.mono()).color(theme.accent_text()));
            caption(ui, label.clone());
        }
        return;
    }
    class_bars(ui, &report.ranked(text));
}

/// The right column.
pub(super) fn inspector(ui: &mut Ui, cx: &Cx<'_>) {
    let Some(classes) = EncoderView::classes(cx.state) else { return };
    ui.add_space(space::S);
    let reads = if classes.sees_both_ways {
        "The head reads the vector of the first token, which has seen the whole text."
    } else {
        "The head reads the vector of the last token, which has seen all tokens before it."
    };
    caption(ui, reads);
    ui.add_space(space::XS);
    let means = match classes.problem {
        Problem::OneClass => "One class is right: the probabilities add up to 100 % (softmax).",
        Problem::SeveralClasses => "Each class is right or wrong by itself: probabilities do not add up (sigmoid).",
        Problem::Numbers => "The head gives a number, not classes (regression).",
    };
    caption(ui, means);
}
