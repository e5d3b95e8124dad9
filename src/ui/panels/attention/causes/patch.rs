//! Values of another prompt in the pass over this one: the map, both ends, and the cell that is chosen.

use super::super::choices::menu;
use super::grid::Grid;
use super::{Kept, beside};
use crate::chart::{patch_columns, patch_map, patch_words};
use crate::types::{PatchAlong, PatchReport, PatchSite, printable};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, hint, segmented};
use crate::ui::{Cx, Themed};
use egui::{RichText, Role, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2};

/// Cells that are listed.
const LISTED: usize = 12;
const ROW: f32 = 20.0;

const SOURCE_HELP: &str = "Values are taken from the pass over this text and put into the pass over the one above, which is the destination. \
     Both must be split into equally many tokens.";
const ANSWER_HELP: &str = "The source's answer and the destination's: first tokens of texts. Empty, each is what the model makes likeliest there.";

/// What values are taken from.
pub(super) fn source(kept: &mut Kept, ui: &mut Ui) {
    caption(ui, "Source").on_hover_text(SOURCE_HELP);
    let width = (ui.available_width() - space::S).clamp(160.0, 420.0);
    let edit =
        TextEdit::singleline(&mut kept.source).hint_text(hint("a text with another answer")).desired_width(width);
    let _ = ui.add(edit).on_hover_text(SOURCE_HELP).accessible_name("Source text");
}

/// Which answers, and what is taken over.
pub(super) fn choices(kept: &mut Kept, ui: &mut Ui) {
    let labels = [("Its answer", "Answer of the source"), ("against", "Answer of the destination")];
    for ((label, name), text) in labels.into_iter().zip(&mut kept.answers) {
        caption(ui, label).on_hover_text(ANSWER_HELP);
        let edit = TextEdit::singleline(text).hint_text(hint("likeliest")).desired_width(84.0);
        let _ = ui.add(edit).on_hover_text(ANSWER_HELP).accessible_name(name);
    }
    menu(ui, "What is taken over", 150.0, &mut kept.site, &SITES);
    if kept.site.has_heads() {
        segmented(ui, &mut kept.along, &[(PatchAlong::Positions, "By token"), (PatchAlong::Heads, "By head")]);
    }
}

/// Names of what can be taken over, and what they are called in files and on the command line.
const SITES: [(PatchSite, &str, &str); 9] = [
    (PatchSite::ResidPre, "Stream before a block", "resid_pre"),
    (PatchSite::Q, "Queries", "attn.q"),
    (PatchSite::K, "Keys", "attn.k, by key-value head"),
    (PatchSite::V, "Values", "attn.v, by key-value head"),
    (PatchSite::Pattern, "Attention weights", "attn.pattern"),
    (PatchSite::Z, "Weighted values", "attn.z, before the projection behind attention"),
    (PatchSite::AttnOut, "What attention adds", "attn_out"),
    (PatchSite::ResidMid, "Stream before the MLP", "resid_mid"),
    (PatchSite::MlpOut, "What the MLP adds", "mlp_out"),
];

/// What was found.
pub(super) fn show(kept: &mut Kept, ui: &mut Ui, cx: &mut Cx<'_>, model: &str, report: &PatchReport) {
    let sentences = patch_words(report);
    if let [what, ends, ..] = &sentences[..] {
        caption(ui, ends.as_str()).on_hover_text(what.as_str());
    }
    let (figure, columns) = (patch_map(model, report), patch_columns(report));
    let words = |layer: usize, column: usize| told(report, &columns, layer, column);
    let before = kept.cell;
    if let Some((layer, column)) = before.or_else(|| ranked(report).first().copied()) {
        cx.selection.words = words(layer, column);
    }
    let grid = Grid { figure: &figure, words: &words, parts_last: false };
    let mut clicked = None;
    beside(
        ui,
        grid.most_width(),
        |ui, height| clicked = grid.show(ui, before, height),
        |ui| {
            match before.filter(|(layer, column)| report.cells.get(*layer).is_some_and(|cells| *column < cells.len())) {
                Some((layer, column)) => details(ui, report, &columns, layer, column),
                None => drop(caption(ui, "0 is the destination, 1 the source: a cell of 1 carries the whole answer.")),
            }
            for words in sentences.iter().skip(2) {
                caption(ui, words.as_str());
            }
            ui.add_space(space::S);
            list(ui, report, &columns, before)
        },
    )
    .inspect(|cell| clicked = Some(*cell));
    if let Some((layer, column)) = clicked {
        if report.along == PatchAlong::Heads {
            (cx.selection.layer, cx.selection.head) = (layer, column);
        } else {
            cx.selection.layer = layer;
        }
        kept.cell = if before == clicked { None } else { clicked };
    }
}

fn details(ui: &mut Ui, report: &PatchReport, columns: &[String], layer: usize, column: usize) {
    let (body, cell) = (ui.theme().body(), &report.cells[layer][column]);
    let what = match report.along {
        PatchAlong::Heads => format!("Layer {layer}, head {column}"),
        PatchAlong::Positions => format!("Layer {layer}, ‘{}’", printable(&columns[column])),
    };
    ui.label(RichText::new(what).font(Type::Strong.bold()).color(body));
    if cell.is_idle {
        caption(
            ui,
            "Nothing can come of it: both prompts have the same value here, or nothing leads from here to the answer.",
        );
        return;
    }
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:+.3}"));
    let line = format!("measured {} · estimated {}", number(cell.measured), number(cell.estimated));
    ui.label(RichText::new(line).font(Type::Caption.mono()).color(body));
    if let Some(value) = cell.measured {
        let score = report.ends[0] + value * (report.ends[1] - report.ends[0]);
        let [first, second] = report.answers.each_ref().map(|answer| printable(&answer.text));
        caption(ui, format!("The score of ‘{first}’ is then {score:+.2} above that of ‘{second}’."));
    }
}

/// The largest cells; the one that was clicked.
fn list(
    ui: &mut Ui,
    report: &PatchReport,
    columns: &[String],
    chosen: Option<(usize, usize)>,
) -> Option<(usize, usize)> {
    let theme = ui.theme();
    ui.label(RichText::new("What carries most").font(Type::Body.bold()).color(theme.body()));
    let mut clicked = None;
    ui.spacing_mut().item_spacing.y = 0.0;
    for place in ranked(report).into_iter().take(LISTED) {
        let cell = &report.cells[place.0][place.1];
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
        let words = told(report, columns, place.0, place.1);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen == Some(place), &words));
        if chosen == Some(place) || response.hovered() || response.has_focus() {
            ui.painter().rect_filled(rect, 2, theme.hover());
        }
        let name = match report.along {
            PatchAlong::Heads => format!("head {}.{}", place.0, place.1),
            PatchAlong::Positions => format!("layer {}, ‘{}’", place.0, printable(columns[place.1].trim())),
        };
        let y = rect.center().y;
        let galley =
            crate::ui::widgets::one_line(ui.painter(), &name, Type::Caption.sans(), theme.body(), rect.width() - 64.0);
        ui.painter().galley(pos2(rect.left() + space::XS, y - galley.size().y / 2.0), galley, theme.body());
        let sign = if cell.measured.is_none() { "≈" } else { "" };
        let number = format!("{sign}{:+.3}", cell.value().unwrap_or(0.0));
        let at = pos2(rect.right() - space::XS, y);
        ui.painter().text(at, egui::Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.body());
        if response.on_hover_text(words).clicked() {
            clicked = Some(place);
        }
    }
    clicked
}

/// Cells in which something happens, the largest first.
fn ranked(report: &PatchReport) -> Vec<(usize, usize)> {
    let cells = report.cells.iter().enumerate().flat_map(|(layer, cells)| {
        let live = cells.iter().enumerate().filter(|(_, cell)| !cell.is_idle);
        live.filter_map(move |(column, cell)| Some(((layer, column), cell.value()?)))
    });
    let mut cells: Vec<((usize, usize), f64)> = cells.collect();
    cells.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    cells.into_iter().map(|(place, _)| place).collect()
}

fn told(report: &PatchReport, columns: &[String], layer: usize, column: usize) -> String {
    let place = match report.along {
        PatchAlong::Heads => format!("Head {layer}.{column}"),
        PatchAlong::Positions => format!("Layer {layer}, ‘{}’", printable(&columns[column])),
    };
    let cell = &report.cells[layer][column];
    match (cell.is_idle, cell.measured, cell.estimated) {
        (true, ..) => format!("{place}: nothing can come of it"),
        (false, Some(measured), Some(estimated)) => format!("{place}: {measured:+.3}, estimated {estimated:+.3}"),
        (false, Some(measured), None) => format!("{place}: {measured:+.3}"),
        (false, None, Some(estimated)) => format!("{place}: about {estimated:+.3}, estimated"),
        (false, None, None) => format!("{place}: not known yet"),
    }
}
