//! Every head and every MLP removed by itself: the map, what changes the answer most, and the part that is chosen.

use super::grid::Grid;
use super::{Kept, beside};
use crate::chart::{number, sweep_map, sweep_words};
use crate::types::{Effect, Part, Removal, SweepReport};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, hint, percent, secondary_button, segmented};
use crate::ui::{Cx, Themed};
use egui::{RichText, Role, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2};
use lucide_icons::Icon;

/// Parts that are listed.
const LISTED: usize = 14;
const ROW: f32 = 20.0;

const ANSWER_HELP: &str = "The token whose probability is followed; of a longer text, its first. Empty, it is what the model makes likeliest.";
const REMOVAL_HELP: &str = "Zero: the part writes nothing. Mean: it writes its mean over the prompt at every token, so that what it always \
     writes stays.";

/// What is asked.
pub(super) fn choices(kept: &mut Kept, ui: &mut Ui) {
    caption(ui, "Answer").on_hover_text(ANSWER_HELP);
    let edit = TextEdit::singleline(&mut kept.target).hint_text(hint("what it says")).desired_width(120.0);
    let _ = ui.add(edit).on_hover_text(ANSWER_HELP).accessible_name("Answer that is followed");
    caption(ui, "Each part writes").on_hover_text(REMOVAL_HELP);
    segmented(ui, &mut kept.removal, &[(Removal::Zero, "Zero"), (Removal::Mean, "Mean")]);
}

/// What was found.
pub(super) fn show(kept: &mut Kept, ui: &mut Ui, cx: &mut Cx<'_>, model: &str, report: &SweepReport) {
    // What changes it most is listed beside the map.
    caption(ui, sweep_words(report).into_iter().next().unwrap_or_default());
    cx.selection.words = brief(report);
    let figure = sweep_map(model, report);
    let heads = report.heads.first().map_or(0, Vec::len);
    let part = |layer: usize, column: usize| {
        if column < heads { Part::Head { layer, head: column } } else { Part::Mlp(layer) }
    };
    let effect = |part: Part| match part {
        Part::Head { layer, head } => report.heads.get(layer).and_then(|heads| *heads.get(head)?),
        Part::Mlp(layer) => *report.mlps.get(layer)?,
    };
    let words = |layer, column| told(report, part(layer, column), effect(part(layer, column)));
    let column = |part: Part| match part {
        Part::Head { layer, head } => (layer, head),
        Part::Mlp(layer) => (layer, heads),
    };
    let before = kept.part;
    let chosen = before.map(column);
    let grid = Grid { figure: &figure, words: &words, parts_last: true };
    let mut clicked = None;
    beside(
        ui,
        grid.most_width(),
        |ui, height| clicked = grid.show(ui, chosen, height).map(|(layer, at)| part(layer, at)),
        |ui| {
            if let Some((part, effect)) = before.and_then(|part| Some((part, effect(part)?))) {
                details(ui, cx, report, part, effect);
                ui.add_space(space::S);
            } else {
                caption(ui, "Click a part to read what becomes of the answer, and to switch it off.");
            }
            list(ui, report, before)
        },
    )
    .inspect(|part| clicked = Some(*part));
    if let Some(part) = clicked {
        if let Part::Head { layer, head } = part {
            (cx.selection.layer, cx.selection.head) = (layer, head);
        }
        kept.part = if before == Some(part) { None } else { Some(part) };
    }
}

/// The part that is chosen.
fn details(ui: &mut Ui, cx: &mut Cx<'_>, report: &SweepReport, part: Part, effect: Effect) {
    let body = ui.theme().body();
    ui.label(RichText::new(format!("Without {part}")).font(Type::Strong.bold()).color(body));
    let [before, after] = [report.log_prob, report.log_prob + effect.log_prob].map(|log| percent(log.exp() as f32));
    let name = crate::types::printable(&report.target.text).into_owned();
    ui.label(RichText::new(format!("‘{name}’ {before} → {after}")).font(Type::Body.sans()).color(body));
    caption(ui, format!("{:+.3} nats; all scores move by {} nats (KL)", effect.log_prob, number(effect.divergence)));
    if let Ok(edit) = part.edit(report.removal).parse() {
        let help = "Adds this as an edit, so that every panel asks the model without it, beside the model as it is.";
        if secondary_button(ui, Some(Icon::PowerOff), "Switch it off").on_hover_text(help).clicked() {
            cx.edits.add(edit, cx.state.now_s);
            cx.toast(format!("Switched off: {part}"));
        }
    }
}

/// What changes the answer most; the one that was clicked.
fn list(ui: &mut Ui, report: &SweepReport, chosen: Option<Part>) -> Option<Part> {
    let theme = ui.theme();
    ui.label(RichText::new("What changes it most").font(Type::Body.bold()).color(theme.body()));
    let mut clicked = None;
    ui.spacing_mut().item_spacing.y = 0.0;
    for (part, effect) in report.ranked().into_iter().take(LISTED) {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
        let words = told(report, part, Some(effect));
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen == Some(part), &words));
        if chosen == Some(part) || response.hovered() || response.has_focus() {
            ui.painter().rect_filled(rect, 2, theme.hover());
        }
        let y = rect.center().y;
        let after = (report.log_prob + effect.log_prob).exp() as f32;
        let text = |x: f32, align, words: String, font| {
            ui.painter().text(pos2(x, y), align, words, font, theme.body());
        };
        text(rect.left() + space::XS, egui::Align2::LEFT_CENTER, part.to_string(), Type::Caption.sans());
        let numbers = [(0.66, format!("{:+.3}", effect.log_prob)), (0.98, percent(after))];
        for (share, words) in numbers {
            text(rect.left() + share * rect.width(), egui::Align2::RIGHT_CENTER, words, Type::Caption.mono());
        }
        if response.on_hover_text(words).clicked() {
            clicked = Some(part);
        }
    }
    clicked
}

fn told(report: &SweepReport, part: Part, effect: Option<Effect>) -> String {
    let name = crate::types::printable(&report.target.text);
    match effect {
        None => format!("{part}: not tried yet"),
        Some(effect) => {
            let [before, after] =
                [report.log_prob, report.log_prob + effect.log_prob].map(|log| percent(log.exp() as f32));
            format!("Without {part}: ‘{name}’ {before} → {after} ({:+.3} nats)", effect.log_prob)
        }
    }
}

/// The same for somebody who does not see it.
fn brief(report: &SweepReport) -> String {
    report.ranked().first().map_or_else(String::new, |(part, effect)| told(report, *part, Some(*effect)))
}
