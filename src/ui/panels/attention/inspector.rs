//! The right column: one token's weights as bars, both ways.

use super::Shown;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{caption, explain, share_bar, visible_text};
use egui::{Align2, Rect, RichText, Role, Sense, Ui, Vec2, WidgetInfo, pos2};

/// Bars shown each way.
const BARS: usize = 10;
const ROW: f32 = 22.0;

/// `hovered` is the token under the pointer.
pub(super) fn show(shown: Option<&Shown>, hovered: Option<usize>, ui: &mut Ui, cx: &Cx<'_>) {
    let theme = ui.theme();
    let pattern = shown.and_then(|s| s.report.pattern(cx.selection.layer, cx.selection.head));
    let (Some(shown), Some(pattern)) = (shown, pattern) else {
        ui.add_space(space::S);
        caption(ui, "After a run, this shows what one token attends to, and which tokens attend to it.");
        return;
    };
    let count = shown.report.tokens.len();
    let Some(token) = hovered.or(cx.selection.token).filter(|t| *t < count) else {
        ui.add_space(space::S);
        caption(ui, "Hover over a token or a row of the map; click to keep it here.");
        return;
    };
    let text = visible_text(&shown.report.tokens[token].text);
    ui.add_space(space::XS);
    ui.label(RichText::new(&text).font(Type::Figure.mono()).color(theme.body()));
    caption(ui, format!("position {token} · layer {} · head {}", cx.selection.layer, cx.selection.head));
    ui.add_space(space::M);

    let row: Vec<(usize, f32)> = (0..count).map(|key| (key, pattern[token * count + key])).collect();
    explain(ui, "Attends to", "Its row of the pattern: weights over all tokens it may look at, which add up to 1.");
    bars(ui, shown, row, "the rest");
    ui.add_space(space::M);

    let column: Vec<(usize, f32)> = (0..count).map(|query| (query, pattern[query * count + token])).collect();
    explain(ui, "Is attended to by", "Its column: how much each other token looks at it. Columns add up to anything.");
    bars(ui, shown, column, "");
}

/// The largest weights, in order of size, and what the others add up to.
fn bars(ui: &mut Ui, shown: &Shown, mut weights: Vec<(usize, f32)>, rest: &str) {
    let theme = ui.theme();
    weights.sort_by(|a, b| b.1.total_cmp(&a.1));
    let others: f32 = weights.iter().skip(BARS).map(|(_, w)| w).sum();
    let others_exist = weights.len() > BARS;
    ui.spacing_mut().item_spacing.y = 0.0;
    for (token, weight) in weights.into_iter().take(BARS).filter(|(_, w)| *w > 0.0) {
        let text = visible_text(&shown.report.tokens[token].text);
        bar(ui, Some(token), &text, weight, theme.accent());
    }
    if others_exist && !rest.is_empty() {
        bar(ui, None, rest, others, theme.neutral(6));
    }
    ui.spacing_mut().item_spacing.y = space::S;
}

fn bar(ui: &mut Ui, token: Option<usize>, text: &str, weight: f32, colour: egui::Color32) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("{text} {weight:.3}")));
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
    share_bar(&painter, theme, bar, weight, colour);
    let at = pos2(rect.right(), rect.center().y);
    painter.text(at, Align2::RIGHT_CENTER, format!("{weight:.3}"), Type::Caption.mono(), theme.caption());
}
