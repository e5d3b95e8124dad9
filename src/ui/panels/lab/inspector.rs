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
const ROW: f32 = 60.0;
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
        .on_hover_text("Natural logarithm of each token's probability over the whole vocabulary, given all that stands before it, in nats.");
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
                    let label = mono(ui, &token.map_or_else(dash, |token| nats(token.log_prob)));
                    if let Some(token) = token {
                        label.on_hover_text(format!("P {}", probability(token.log_prob)));
                    }
                }
                ui.end_row();
            }
            caption(ui, "ln P")
                .on_hover_text("The sum over the tokens: the logarithm of the probability of the whole answer.");
            for column in &columns {
                let label = mono(ui, &column.map_or_else(dash, |score| nats(score.log_prob)));
                if let Some(score) = column {
                    label.on_hover_text(format!("P {}", probability(score.log_prob)));
                }
            }
            ui.end_row();
        },
    );
    ui.add_space(space::M);
}

/// A logarithm with two decimals, all of a table alike.
fn nats(log_prob: f64) -> String {
    format!("{:>5}", format!("{log_prob:.2}").replace('-', "−"))
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
        let setup = tab.past.entries[number].recall(&desk.setup.table, cx.state);
        desk.take(setup, cx);
    }
}

/// One run: the model and when, what was changed, the likeliest answer of the few-shot prompt.
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
    let models = entry.models();
    let name = format!("Run {}: {models}: {what} {few}, {ago}", number + 1);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    if !ui.is_rect_visible(rect) {
        return response.clicked();
    }
    let fill = if response.hovered() || response.has_focus() { theme.hover() } else { theme.raised() };
    let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
    painter.rect_filled(rect, CHIP_RADIUS, fill);
    let inner = rect.shrink2(Vec2::new(space::S, 6.0));
    let line = |text: &str, font, ink, width: f32| one_line(&painter, text, font, ink, width);
    let when = painter.layout_no_wrap(ago, Type::Caption.sans(), theme.caption());
    let room = inner.width() - when.size().x - space::S;
    let (left, top) = (inner.left(), inner.top());
    painter.galley(egui::pos2(inner.right() - when.size().x, top), when, theme.caption());
    let title = line(&models, Type::Caption.bold(), theme.caption(), room);
    painter.galley(egui::pos2(left, top), title, theme.caption());
    let words = line(&what, Type::Body.sans(), theme.body(), inner.width());
    painter.galley(egui::pos2(left, top + 16.0), words, theme.body());
    let best = line(&few, Type::Caption.mono(), theme.accent_text(), inner.width());
    painter.galley(egui::pos2(left, inner.bottom() - best.size().y), best, theme.accent_text());
    response
        .on_hover_ui(|ui| {
            ui.label(RichText::new(&what).font(Type::Body.bold()).color(theme.body()));
            caption(ui, format!("{} · {}", entry.setup.title(), entry.date()));
            for model in entry.models.iter().filter(|model| !model.name.is_empty()) {
                let hash = model.short_hash().map_or_else(String::new, |hash| format!(" · weights {hash}…"));
                let place = model.path.as_ref().map_or_else(String::new, |path| format!(" · {}", path.display()));
                caption(ui, format!("{}{hash}{place}", model.title()));
            }
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
