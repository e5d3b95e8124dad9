//! The right column: one token's weights as bars, both ways.

use super::plane::{Measure, Plane};
use super::tokens::TokensView;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, explain, icon_button, share_bar};
use egui::{Align2, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo, pos2};
use lucide_icons::Icon;

/// Bars shown each way.
const BARS: usize = 10;
const ROW: f32 = 22.0;

pub(super) fn show(view: &mut TokensView, ui: &mut Ui, cx: &Cx<'_>) {
    let theme = ui.theme();
    let Some(plane) = view.planes.last().cloned() else {
        ui.add_space(space::S);
        caption(ui, "After a run, this shows what one token attends to, and which tokens attend to it.");
        return;
    };
    let Some(focus) = view.focus(&plane, cx.selection.token) else {
        ui.add_space(space::S);
        caption(
            ui,
            "Hover over a token or a row of the map; click to keep it here, and with Shift held down all up to another.",
        );
        pinned(view, &plane, ui);
        spans(view, ui);
        return;
    };
    let text = plane.name_of(focus.clone());
    ui.add_space(space::XS);
    let size = if text.chars().count() > 24 { Type::Body } else { Type::Figure };
    ui.label(RichText::new(&text).font(size.mono()).color(theme.body()));
    let (first, last) = (plane.units[focus.start].tokens.start, plane.units[focus.end - 1].tokens.end - 1);
    let place = if first == last { format!("position {first}") } else { format!("positions {first} to {last}") };
    caption(ui, format!("{place} · {}", plane.title()));
    ui.add_space(space::M);
    let several = focus.len() > 1 || first != last;

    let help = if several {
        "Its rows of the pattern, as the mean over its tokens."
    } else {
        "Its row of the pattern: weights over all tokens it may look at, which add up to 1."
    };
    explain(ui, "Attends to", help);
    bars(ui, &plane, plane.looks_at(focus.clone()), "the rest");
    ui.add_space(space::M);

    let help = if several {
        "Its columns, added up: how much each other token looks at any of it."
    } else {
        "Its column: how much each other token looks at it. Columns add up to anything."
    };
    explain(ui, "Is attended to by", help);
    bars(ui, &plane, plane.looked_at_by(focus.clone()), "");
    if several && ui.button("Name these tokens").clicked() {
        view.planes.name(plane.text_of(focus).trim().to_owned(), first..last + 1);
    }
    pinned(view, &plane, ui);
    spans(view, ui);
}

/// The pinned cells with their values under what is shown now.
fn pinned(view: &mut TokensView, plane: &Plane, ui: &mut Ui) {
    if view.pins.cells.is_empty() {
        return;
    }
    ui.add_space(space::M);
    explain(
        ui,
        "Pinned",
        "Cells that stay marked whatever head is shown. A click on one with Ctrl held down pins it or lets it go.",
    );
    let mut dropped = None;
    for (query, key) in view.pins.cells.clone() {
        let (Some(from), Some(to)) = (plane.unit_of(query), plane.unit_of(key)) else { continue };
        let names = (plane.name_of(from..from + 1), plane.name_of(to..to + 1));
        ui.horizontal(|ui| {
            let words = format!("{} → {}  {}", names.0, names.1, plane.number(plane.at(from, to)));
            ui.add(egui::Label::new(RichText::new(words).font(Type::Body.mono()).color(ui.theme().body())).truncate());
            if icon_button(ui, Icon::X, &format!("Let go of {} → {}", names.0, names.1)).clicked() {
                dropped = Some((query, key));
            }
        });
    }
    if let Some(cell) = dropped {
        view.pins.toggle(cell);
    }
}

/// The spans that have names of their own.
fn spans(view: &mut TokensView, ui: &mut Ui) {
    if view.planes.named.is_empty() {
        return;
    }
    ui.add_space(space::M);
    explain(ui, "Named", "Tokens that are shown as one, under a name of your own.");
    let mut dropped = None;
    let mut renamed = false;
    for (place, span) in view.planes.named.iter_mut().enumerate() {
        ui.horizontal(|ui| {
            let width = ui.available_width() - 36.0;
            let field = ui.add(egui::TextEdit::singleline(&mut span.name).desired_width(width));
            renamed |= field.changed();
            let _ = field.accessible_name(format!("Name of tokens {} to {}", span.tokens.start, span.tokens.end - 1));
            if icon_button(ui, Icon::X, &format!("Forget the name {}", span.name)).clicked() {
                dropped = Some(place);
            }
        });
    }
    if let Some(place) = dropped {
        view.planes.drop_name(place);
    } else if renamed {
        view.planes.seen.version += 1;
    }
}

/// The largest weights, in order of size, and what the others add up to.
fn bars(ui: &mut Ui, plane: &Plane, values: Vec<f32>, rest: &str) {
    let theme = ui.theme();
    let mut weights: Vec<(usize, f32)> = values.into_iter().enumerate().collect();
    // Weights are shares of 1; lengths have no end but their largest.
    let end = if plane.key.seen.measure == Measure::Weights { 1.0 } else { plane.largest.max(f32::MIN_POSITIVE) };
    weights.sort_by(|a, b| b.1.total_cmp(&a.1));
    let others: f32 = weights.iter().skip(BARS).map(|(_, w)| w).sum();
    let others_exist = weights.len() > BARS;
    ui.spacing_mut().item_spacing.y = 0.0;
    for (token, weight) in weights.into_iter().take(BARS).filter(|(_, w)| *w > 0.0) {
        let (text, number) = (plane.name_of(token..token + 1), plane.number(weight));
        bar(ui, Some(token), &text, (weight / end, &number), theme.accent());
    }
    if others_exist && !rest.is_empty() {
        bar(ui, None, rest, (others / end, &plane.number(others)), theme.neutral(6));
    }
    ui.spacing_mut().item_spacing.y = space::S;
}

fn bar(ui: &mut Ui, token: Option<usize>, text: &str, (share, number): (f32, &str), colour: egui::Color32) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{text} {number}")));
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    if let Some(token) = token {
        let at = pos2(rect.left() + 26.0, rect.center().y);
        painter.text(at, Align2::RIGHT_CENTER, token, Type::Caption.mono(), theme.caption());
    }
    let text_left = rect.left() + 34.0;
    let clip = Rect::from_min_max(pos2(text_left, rect.top()), pos2(text_left + 84.0, rect.bottom()));
    let name = painter.with_clip_rect(painter.clip_rect().intersect(clip));
    name.text(pos2(text_left, rect.center().y), Align2::LEFT_CENTER, text, Type::Body.mono(), theme.body());
    let bar = Rect::from_min_max(
        pos2(text_left + 90.0, rect.center().y - 4.0),
        pos2(rect.right() - 48.0, rect.center().y + 4.0),
    );
    share_bar(&painter, theme, bar, share.clamp(0.0, 1.0), colour);
    let at = pos2(rect.right(), rect.center().y);
    painter.text(at, Align2::RIGHT_CENTER, number, Type::Caption.mono(), theme.caption());
}
