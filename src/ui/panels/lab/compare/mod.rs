//! The same query zero-, one- and few-shot side by side, with the exact probability of every answer.

mod card;
mod row;
mod sent;

pub(super) use row::probability;

use super::LabPanel;
use super::setup::Card;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{self, caption, empty_state, error_card, job_progress, stage_header};
use egui::{CollapsingHeader, RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// Least width of a card beside others.
const CARD_WIDTH: f32 = 172.0;

/// What is picked out in this tab.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Picked {
    /// The answer whose tokens the inspector shows, by place.
    pub answer: Option<usize>,
    /// Column and card whose prompt is shown.
    pub card: (usize, usize),
}

pub(super) fn stage(panel: &mut LabPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    if let Some(left_s) = panel.scoring.due_in_s(cx.state.now_s) {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(left_s));
    }
    let has_scores = panel.scoring.slots.iter().flatten().any(|slot| slot.shown.is_some());
    let missing = panel.plan.as_ref().and_then(|plan| plan.missing);
    if !has_scores && !panel.scoring.is_busy(cx.state) && !errors(panel, ui, cx) {
        return empty(panel, ui, cx);
    }
    header(panel, ui, cx);
    if let Some(job) = panel.scoring.running(cx.state) {
        job_progress(ui, cx, job);
    }
    if let Some(missing) = missing {
        ui.label(RichText::new(missing.words()).font(Type::Body.sans()).color(theme.warning()));
    }
    let sides = panel.setup.sides().len();
    let side_by_side = sides == 1 && ui.available_width() >= 3.0 * CARD_WIDTH + 2.0 * space::S;
    ScrollArea::vertical().id_salt("compare").auto_shrink(false).show(ui, |ui| {
        changed(panel, ui);
        if sides == 2 {
            ui.columns(2, |columns| {
                for (side, ui) in columns.iter_mut().enumerate() {
                    column_title(panel, ui, cx, side);
                    for card in 0..Card::ALL.len() {
                        card::show(panel, ui, cx, side, card);
                    }
                }
            });
        } else {
            if side_by_side {
                ui.columns(3, |columns| {
                    for (card, ui) in columns.iter_mut().enumerate() {
                        card::show(panel, ui, cx, 0, card);
                    }
                });
            } else {
                for card in 0..Card::ALL.len() {
                    card::show(panel, ui, cx, 0, card);
                }
            }
        }
        legend(panel, ui);
        prompt_as_sent(panel, ui);
    });
}

/// The query as a heading, and whether something is being scored.
fn header(panel: &mut LabPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let sub = match panel.setup.expected.as_str() {
        "" => String::new(),
        expected => format!("right answer: {expected}"),
    };
    let title = panel.setup.query.replace('\n', " ");
    let busy = panel.scoring.is_busy(cx.state);
    let took = panel.took_ms();
    stage_header(ui, &title, &sub, |ui| {
        if busy {
            caption(ui, "scoring");
        } else if let Some(ms) = took {
            let words = RichText::new(format!("{ms:.0} ms")).font(Type::Caption.mono()).color(theme.caption());
            ui.label(words).on_hover_text("Time the engine took to score all the cards that were scored last.");
        }
    });
}

fn column_title(panel: &LabPanel, ui: &mut Ui, cx: &Cx<'_>, side: usize) {
    let model = super::plan::model_of(&panel.setup.sides[side], cx.state);
    let name = model.map_or("no model", |m| m.info.name.as_str());
    let letter = ["A", "B"][side];
    ui.horizontal(|ui| {
        ui.label(RichText::new(letter).font(Type::Strong.bold()).color(ui.theme().accent_text()));
        ui.add(egui::Label::new(RichText::new(name).font(Type::Strong.bold()).color(ui.theme().body())).truncate());
    });
}

/// What the last run changed.
fn changed(panel: &LabPanel, ui: &mut Ui) {
    let theme = ui.theme();
    if panel.scoring.changed.is_empty() {
        caption(ui, "Change anything at the left: the answers are scored again by themselves.");
    }
    for words in &panel.scoring.changed {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let mark = RichText::new(char::from(Icon::GitCompareArrows)).font(Type::Caption.icon());
            ui.label(mark.color(theme.accent_text()));
            ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.accent_text()));
        });
    }
    ui.add_space(space::XS);
}

fn legend(panel: &LabPanel, ui: &mut Ui) {
    let side = &panel.setup.sides[0];
    ui.add_space(space::XS);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        let share =
            if side.calibrate { "Bold: share among the answers, calibrated" } else { "Bold: share among the answers" };
        widgets::explain(
            ui,
            share,
            "The probability of an answer divided by the sum over all answers that are compared.",
        );
        let help = "The product of the probabilities of the answer's tokens over the whole vocabulary.";
        widgets::explain(ui, "P: probability of exactly this answer", help);
        let help = "Percentage points since the run before. The thin mark on a bar is where it ended then.";
        widgets::explain(ui, "Arrow: change in points", help);
    });
}

fn prompt_as_sent(panel: &mut LabPanel, ui: &mut Ui) {
    let (side, card) = panel.picked.card;
    let Some(plan) = panel.plan.as_ref().and_then(|plan| plan.sides.get(side)?.cards.get(card)) else { return };
    let title = format!("Prompt as sent · {}", Card::ALL[card].title());
    CollapsingHeader::new(RichText::new(title).font(Type::Body.bold()))
        .id_salt("prompt as sent")
        .default_open(true)
        .show(ui, |ui| {
            sent::show(ui, &plan.rendered);
            caption(ui, "Click another card to see its prompt.");
        });
}

/// Errors of the newest questions. True when there was one.
fn errors(panel: &LabPanel, ui: &mut Ui, cx: &Cx<'_>) -> bool {
    let mut errors: Vec<_> = panel.scoring.slots.iter().flatten().filter_map(|slot| slot.error(cx.state)).collect();
    errors.dedup();
    for error in &errors {
        error_card(ui, error);
        ui.add_space(space::S);
    }
    !errors.is_empty()
}

fn empty(panel: &mut LabPanel, ui: &mut Ui, cx: &mut Cx<'_>) {
    let missing = panel.plan.as_ref().and_then(|plan| plan.missing);
    let sentence = match missing {
        Some(missing) => missing.words().to_owned(),
        None => {
            "The same query is asked without examples, with one and with several, and the exact probability of every \
                 answer is compared."
                .to_owned()
        }
    };
    let action = if missing.is_none() { Some("Score the answers") } else { None };
    if empty_state(ui, Icon::FlaskConical, "See what a few examples do", &sentence, action) {
        panel.score(true, cx);
    }
}
