//! The right column: the tokens of one answer, and every run so far.

use super::compare::{CompareTab, probability};
use super::desk::Desk;
use super::past::Entry;
use super::setup::Card;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{CHIP_RADIUS, Type, space};
use crate::ui::widgets::{caption, ghost_button, one_line, percent, visible_text};
use egui::{Grid, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

/// Runs shown at first, and more for each click.
const PAGE: usize = 40;
const ROW: f32 = 44.0;
/// Characters of a token's text there is room for beside its probabilities.
const TOKEN_LETTERS: usize = 9;

/// `has_tokens` where the cards are on show that the tokens are of.
pub(super) fn show(tab: &mut CompareTab, desk: &mut Desk, has_tokens: bool, ui: &mut Ui, cx: &mut Cx<'_>) {
    if has_tokens {
        tokens(tab, desk, ui);
    }
    runs(tab, desk, ui, cx);
}

/// Every token of the chosen answer with its probability in each card.
fn tokens(tab: &CompareTab, desk: &Desk, ui: &mut Ui) {
    let theme = ui.theme();
    let slots = &tab.scoring.slots[tab.picked.card.0];
    let right = |shown: &super::scoring::Shown| shown.answers.iter().position(|a| *a == desk.setup.expected);
    let first = slots.iter().find_map(|slot| slot.shown.as_ref());
    let Some(place) = tab.picked.answer.or_else(|| right(first?)) else { return };
    let columns: Vec<_> =
        slots.iter().map(|slot| slot.shown.as_ref().and_then(|s| s.report.candidates.get(place))).collect();
    let Some(score) = columns.iter().flatten().next() else { return };
    let title = format!("Tokens of ‘{}’", visible_text(&score.text));
    ui.add_space(space::XS);
    ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body()))
        .on_hover_text("Each token's probability over the whole vocabulary, given all that stands before it.");
    Grid::new("tokens").num_columns(4).min_row_height(22.0).spacing([space::XS, 2.0]).min_col_width(38.0).show(
        ui,
        |ui| {
            caption(ui, "");
            for card in Card::ALL {
                caption(ui, card.title().split('-').next().unwrap_or_default());
            }
            ui.end_row();
            for (at, token) in score.tokens.iter().enumerate() {
                mono(ui, &short_name(&token.text)).on_hover_text(visible_text(&token.text));
                for column in &columns {
                    let token = column.and_then(|score| score.tokens.get(at));
                    mono(ui, &token.map_or_else(dash, |token| short(token.log_prob)));
                }
                ui.end_row();
            }
            caption(ui, "product");
            for column in &columns {
                mono(ui, &column.map_or_else(dash, |score| short(score.log_prob)));
            }
            ui.end_row();
            caption(ui, "ln P").on_hover_text("Natural logarithm of the product: the sum over the tokens, in nats.");
            for column in &columns {
                mono(ui, &column.map_or_else(dash, |score| format!("{:.2}", score.log_prob)));
            }
            ui.end_row();
        },
    );
    ui.add_space(space::M);
}

/// A probability without the space that a narrow table has no room for.
fn short(log_prob: f64) -> String {
    probability(log_prob).replace(' ', "")
}

fn dash() -> String {
    "–".to_owned()
}

/// A token's text, cut where there is no room for it.
fn short_name(text: &str) -> String {
    let text = visible_text(text);
    match text.char_indices().nth(TOKEN_LETTERS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn mono(ui: &mut Ui, text: &str) -> egui::Response {
    let theme = ui.theme();
    ui.label(RichText::new(text).font(Type::Caption.mono()).color(theme.body()))
}

fn runs(tab: &mut CompareTab, desk: &mut Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let count = tab.past.entries.len();
    let title = if count == 0 { "Runs".to_owned() } else { format!("Runs · {count}") };
    ui.label(RichText::new(title).font(Type::Body.bold()).color(theme.body()));
    if count == 0 {
        caption(ui, "Every scored run is kept here: what was changed, and the likeliest answer.");
        return;
    }
    caption(ui, "Click one to have its prompt back; Ctrl+Z undoes that.");
    ui.add_space(space::XS);
    let mut chosen = None;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for (number, entry) in tab.past.entries.iter().enumerate().rev().take(tab.runs_shown.max(PAGE)) {
            if one(ui, number, entry) {
                chosen = Some(number);
            }
        }
    });
    let shown = tab.runs_shown.max(PAGE);
    if count > shown && ghost_button(ui, None, "Show earlier runs").clicked() {
        tab.runs_shown = shown + PAGE;
    }
    if let Some(number) = chosen {
        let setup = tab.past.entries[number].setup.whole(&desk.setup.table);
        desk.take(setup, cx);
    }
}

/// One run: what was changed, the likeliest answer of the few-shot prompt, when.
fn one(ui: &mut Ui, number: usize, entry: &Entry) -> bool {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::click());
    let what = if entry.changed.is_empty() {
        format!("{}: {}", entry.setup.title(), entry.setup.query())
    } else {
        entry.changed.clone()
    };
    let few = entry.best.iter().map(|cards| cards.last().cloned().flatten());
    let few: Vec<String> = few.flatten().map(|(answer, share)| format!("{answer} {}", percent(share as f32))).collect();
    let (few, ago) = (few.join(" · "), entry.ago());
    let name = format!("Run {}: {what} {few}, {ago}", number + 1);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    let fill = if response.hovered() || response.has_focus() { theme.hover() } else { theme.raised() };
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    painter.rect_filled(rect, CHIP_RADIUS, fill);
    let inner = rect.shrink2(Vec2::new(space::S, 6.0));
    let line = |text: &str, font, ink, width: f32| one_line(&painter, text, font, ink, width);
    painter.galley(inner.left_top(), line(&what, Type::Body.sans(), theme.body(), inner.width()), theme.body());
    let when = painter.layout_no_wrap(ago, Type::Caption.sans(), theme.caption());
    let bottom = inner.bottom() - when.size().y;
    let left = line(&few, Type::Caption.mono(), theme.accent_text(), inner.width() - when.size().x - space::S);
    painter.galley(egui::pos2(inner.left(), bottom), left, theme.body());
    painter.galley(egui::pos2(inner.right() - when.size().x, bottom), when, theme.caption());
    let models = entry.models.join(", ");
    response
        .on_hover_ui(|ui| {
            ui.label(RichText::new(&what).font(Type::Body.bold()).color(theme.body()));
            caption(ui, format!("{} · {} · {models}", entry.setup.title(), entry.date()));
            for (side, cards) in entry.best.iter().enumerate() {
                for (card, best) in Card::ALL.iter().zip(cards).filter_map(|(card, best)| Some((card, best.as_ref()?)))
                {
                    let column = if entry.best.len() > 1 { ["A ", "B "][side.min(1)] } else { "" };
                    let words = format!("{column}{}: {} {}", card.title(), best.0, percent(best.1 as f32));
                    ui.label(RichText::new(words).font(Type::Caption.mono()).color(theme.body()));
                }
            }
        })
        .clicked()
}
