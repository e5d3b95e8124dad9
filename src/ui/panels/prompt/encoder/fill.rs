//! The stage while masks are filled: the text as tokens, the likeliest words for each mask.

use super::EncoderView;
use crate::types::{FillReport, FilledMask};
use crate::ui::Cx;
use crate::ui::PanelId;
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Theme, Type, mix, space};
use crate::ui::widgets::{
    self, Chip, Stamp, candidate_bars, caption, empty_state, secondary_button, token_strip, visible_text,
};
use egui::{Color32, Frame, RichText, ScrollArea, Stroke, Ui};
use lucide_icons::Icon;

/// Least width of one mask's candidates.
const COLUMN: f32 = 250.0;

pub(super) fn show(view: &mut EncoderView, ui: &mut Ui, cx: &mut Cx<'_>) {
    let report = view.job(cx.state).and_then(|job| cx.state.report::<FillReport>(job)).cloned();
    let Some(report) = report else {
        if view.running(cx.state).is_none() {
            let sentence = "An encoder reads a text in both directions and guesses the words that were masked.";
            let title = "See what fits into the gap";
            if empty_state(ui, Icon::TextCursorInput, title, sentence, Some("Fill masks")) {
                view.run(cx);
            }
        }
        return;
    };
    widgets::stage_header(ui, "What the model reads", &format!("{} tokens", report.tokens.len()), |ui| {
        if secondary_button(ui, Some(Icon::Grid3x3), "See its attention").clicked() {
            cx.go_to(PanelId::Attention);
        }
    });
    let stamp = view.stamp(cx.state);
    if let Some(stamp) = &stamp {
        stamp.show(ui);
    }
    Stamp::over(stamp.as_ref(), ui, |ui| guesses(ui, &report));
}

fn guesses(ui: &mut Ui, report: &FillReport) {
    let theme = ui.theme();
    card(theme).show(ui, |ui| {
        ui.set_width(ui.available_width());
        tokens(ui, report);
    });
    ui.add_space(space::M);
    widgets::stage_header(ui, "What it guesses", "", |_| ());
    ScrollArea::vertical().id_salt("masks").auto_shrink(false).show(ui, |ui| {
        ui.label(RichText::new(&report.filled).font(Type::Title.sans()).color(theme.body()));
        ui.add_space(space::S);
        let across =
            (((ui.available_width() + space::L) / (COLUMN + space::L)) as usize).clamp(1, report.masks.len().max(1));
        let width = (ui.available_width() - (across - 1) as f32 * space::L) / across as f32;
        for (row, masks) in report.masks.chunks(across).enumerate() {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = space::L;
                for (place, mask) in masks.iter().enumerate() {
                    mask_card(ui, row * across + place, mask, width);
                }
            });
            ui.add_space(space::M);
        }
    });
}

fn mask_card(ui: &mut Ui, place: usize, mask: &FilledMask, width: f32) {
    let theme = ui.theme();
    card(theme).show(ui, |ui| {
        // The card's own margins and edges.
        ui.set_width((width - 2.0 * space::M - 2.0).min(360.0));
        ui.vertical(|ui| {
            caption(ui, format!("Mask {} · token {}", place + 1, mask.position));
            let best = mask.candidates.first().map_or(u32::MAX, |c| c.id);
            candidate_bars(ui, &mask.candidates, best, false);
        });
    });
}

fn tokens(ui: &mut Ui, report: &FillReport) {
    let theme = ui.theme();
    let is_mask = |i: usize| report.masks.iter().any(|mask| mask.position == i);
    let chip = |i: usize| {
        let token = &report.tokens[i];
        let fill = if is_mask(i) {
            mix(theme.surface(), theme.accent(), 0.35)
        } else if token.span.is_empty() {
            mix(theme.surface(), theme.neutral(6), 0.5)
        } else {
            Color32::TRANSPARENT
        };
        Chip { text: if token.text.is_empty() { "∅" } else { &token.text }, fill, selected: false, underline: None }
    };
    token_strip(ui, "Tokens of the text", report.tokens.len(), chip, |ui, i| {
        let token = &report.tokens[i];
        ui.label(RichText::new(visible_text(&token.text)).font(Type::Strong.mono()).color(theme.body()));
        caption(ui, format!("id {} · position {i}", token.id));
        if is_mask(i) {
            caption(ui, "To be guessed");
        } else if token.span.is_empty() {
            caption(ui, "Added by the tokenizer");
        }
    });
}

pub(super) fn card(theme: &Theme) -> Frame {
    Frame::new()
        .fill(theme.surface())
        .stroke(Stroke::new(1.0, theme.grid()))
        .corner_radius(RADIUS)
        .inner_margin(space::M)
}
