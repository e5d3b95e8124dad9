//! One card: a prompt with so many examples, what the model says, and every answer.

use super::super::desk::Desk;
use super::super::scoring::Shown;
use super::super::setup::Card;
use super::CompareTab;
use super::row::{self, Row};
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{RADIUS, Type, space};
use crate::ui::widgets::closable_error;
use crate::ui::widgets::{caption, percent, share_bar};
use egui::{Align, Frame, Layout, Rect, RichText, Role, Sense, Stroke, Ui, Vec2, WidgetInfo};
use lucide_icons::Icon;

pub(super) fn show(tab: &mut CompareTab, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>, side: usize, card: usize) {
    let theme = ui.theme();
    let is_picked = tab.picked.card == (side, card);
    let edge = if is_picked { theme.line() } else { theme.grid() };
    let frame = Frame::new().fill(theme.surface()).stroke(Stroke::new(1.0, edge)).corner_radius(RADIUS);
    frame.inner_margin(space::M).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = space::XS;
        if title(tab, desk, ui, side, card) {
            tab.picked.card = (side, card);
        }
        let slot = &tab.scoring.slots[side][card];
        if let Some((job, error)) = tab.scoring.problem(desk.plan.as_ref(), (side, card), cx.state) {
            if closable_error(ui, error) {
                tab.scoring.closed.insert(job);
            }
            return;
        }
        let Some(shown) = &slot.shown else {
            let busy = tab.scoring.is_busy(cx.state);
            caption(ui, if busy { "Scoring…" } else { "Not scored yet." });
            return;
        };
        ui.scope(|ui| {
            let is_current = desk.plan.as_ref().is_some_and(|plan| tab.scoring.is_current(plan, side, card));
            if !is_current || slot.running(cx.state).is_some() {
                // What is shown belongs to the question before.
                ui.set_opacity(0.5);
            }
            verdict(ui, shown, &desk.setup.expected);
            let mut clicked = None;
            for (place, score) in shown.report.candidates.iter().enumerate() {
                let answer = &shown.answers[place];
                let row = Row {
                    text: &score.text,
                    is_right: *answer == desk.setup.expected && !answer.is_empty(),
                    is_best: shown.report.best() == Some(place),
                    is_selected: tab.picked.answer == Some(place),
                    share: Shown::value(score),
                    log_prob: score.log_prob,
                    before: slot.value_before(answer),
                };
                if row::show(ui, &row).on_hover_text("Click to see its tokens at the right").clicked() {
                    clicked = Some(place);
                }
            }
            rest(ui, shown.report.other_mass());
            if let Some(place) = clicked {
                tab.picked.answer = if tab.picked.answer == Some(place) { None } else { Some(place) };
                tab.picked.card = (side, card);
            }
        });
    });
    ui.add_space(space::XS);
}

/// The card's name and the length of its prompt. True when it was clicked.
fn title(tab: &CompareTab, desk: &Desk, ui: &mut Ui, side: usize, card: usize) -> bool {
    let theme = ui.theme();
    let kind = Card::ALL[card];
    let plan = desk.plan.as_ref().and_then(|plan| plan.sides.get(side)?.cards.get(card));
    let shots = plan.map_or(0, |plan| plan.shots);
    let name = kind.title_of(shots);
    let tokens = tab.scoring.slots[side][card].shown.as_ref().map(|shown| shown.report.prompt_tokens);
    let clicked = ui
        .horizontal(|ui| {
            let text = RichText::new(&name).font(Type::Strong.bold()).color(theme.body());
            let label = ui.add(egui::Label::new(text).sense(Sense::click()));
            let picked = tab.picked.card == (side, card);
            label.widget_info(|| {
                WidgetInfo::selected(Role::Button, true, picked, format!("{}: {shots} examples", kind.title()))
            });
            let clicked = label.on_hover_cursor(egui::CursorIcon::PointingHand).clicked();
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(tokens) = tokens {
                    let words = RichText::new(format!("{tokens} tokens")).font(Type::Caption.mono());
                    ui.label(words.color(theme.caption())).on_hover_text("Length of the prompt.");
                }
            });
            clicked
        })
        .inner;
    if let Some(cut) = plan.map(|plan| plan.cut).filter(|cut| *cut > 0) {
        let words = format!("{cut} left out: too long for the context");
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(theme.warning()));
    }
    clicked
}

/// The likeliest answer, and whether it is right.
fn verdict(ui: &mut Ui, shown: &Shown, expected: &str) {
    let theme = ui.theme();
    let Some(best) = shown.report.best() else { return };
    let (text, is_right) = (&shown.report.candidates[best].text, shown.answers[best] == expected);
    let (icon, ink, name) = match (expected.is_empty(), is_right) {
        (true, _) => (Icon::ArrowRight, theme.caption(), "likeliest"),
        (false, true) => (Icon::Check, theme.success(), "right"),
        (false, false) => (Icon::X, theme.danger(), "wrong"),
    };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::XS;
        let mark = ui.label(RichText::new(char::from(icon)).font(Type::Strong.icon()).color(ink));
        mark.widget_info(|| WidgetInfo::labeled(Role::Label, true, name));
        let words = RichText::new(text).font(Type::Title.mono()).color(theme.body());
        ui.add(egui::Label::new(words).truncate());
    });
    ui.add_space(space::XS);
}

/// The probability of everything that is none of the answers.
fn rest(ui: &mut Ui, mass: f64) {
    let theme = ui.theme();
    let help = "The probability of everything else the model might have written: 1 − Σ P.";
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 22.0), Sense::hover());
    let share = percent(mass as f32);
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, format!("Anything else: P {share}")));
    let painter = ui.painter();
    let (font, ink) = (Type::Caption.sans(), theme.caption());
    painter.text(rect.left_center(), egui::Align2::LEFT_CENTER, "anything else", font, ink);
    let number = painter.text(rect.right_center(), egui::Align2::RIGHT_CENTER, &share, Type::Caption.mono(), ink);
    let bar = Rect::from_min_max(
        egui::pos2(rect.left() + 82.0, rect.center().y - 2.0),
        egui::pos2(number.left() - 8.0, rect.center().y + 2.0),
    );
    if bar.width() > 12.0 {
        share_bar(painter, theme, bar, mass as f32, theme.neutral(5));
    }
    response.on_hover_text(help);
}
