//! The same query zero-, one- and few-shot side by side, with the exact probability of every answer.

mod card;
mod row;
mod sent;
mod table;

pub(super) use row::probability;

use super::desk::Desk;
use super::past::Past;
use super::scoring::Scoring;
use super::setup::Card;
use crate::ui::Cx;
use crate::ui::Themed;
use crate::ui::edits::all_words;
use crate::ui::theme::{Type, space};
use crate::ui::widgets::closable_error;
use crate::ui::widgets::{self, Stamp, caption, empty_state, job_progress, stage_header};
use egui::{CollapsingHeader, RichText, ScrollArea, Ui};
use lucide_icons::Icon;

/// Least width of a card beside others.
const CARD_WIDTH: f32 = 172.0;

/// What is picked out in this tab.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Picked {
    /// The answer whose tokens the inspector shows, by place.
    pub answer: Option<usize>,
    /// Column and card whose prompt is shown.
    pub card: (usize, usize),
    /// Which of the setups that were begun with it belongs to.
    of: u64,
}

/// The tab.
pub(super) struct CompareTab {
    pub scoring: Scoring,
    pub past: Past,
    pub picked: Picked,
    /// Runs listed at most.
    pub runs_shown: usize,
}

impl Default for CompareTab {
    fn default() -> Self {
        let picked = Picked { answer: None, card: (0, 2), of: 0 };
        Self { scoring: Scoring::default(), past: Past::default(), picked, runs_shown: 0 }
    }
}

impl CompareTab {
    /// Scores the cards that are out of date, or all.
    pub fn score(&mut self, desk: &Desk, everything: bool, cx: &mut Cx<'_>) {
        let Some(plan) = &desk.plan else { return };
        match plan.missing {
            Some(missing) => cx.toast(missing.words()),
            None => self.scoring.ask(plan, &desk.setup, everything, cx),
        }
    }

    /// Takes in scores while the tab is on show; asks for those of what was changed.
    pub fn tick(&mut self, desk: &Desk, changed: bool, cx: &mut Cx<'_>) {
        self.scoring.tick(desk.plan.as_ref(), changed, &desk.setup, &mut self.past, cx);
    }

    /// Drops what was picked out of the answers of another task or setup.
    pub fn keep_picked(&mut self, desk: &Desk) {
        if self.picked.of != desk.begun {
            (self.picked.answer, self.picked.of) = (None, desk.begun);
        }
    }

    /// Milliseconds the cards on show took together.
    fn took_ms(&self) -> Option<f64> {
        let shown = self.scoring.slots.iter().flatten().filter_map(|slot| slot.shown.as_ref());
        shown.map(|shown| shown.report.elapsed_ms).reduce(|a, b| a + b)
    }
}

pub(super) fn stage(tab: &mut CompareTab, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    if let Some(left_s) = tab.scoring.due_in_s(cx.state.now_s) {
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(left_s));
    }
    let has_scores = tab.scoring.slots.iter().flatten().any(|slot| slot.shown.is_some());
    let missing = desk.missing();
    if !has_scores && !tab.scoring.is_busy(cx.state) && !errors(tab, desk, ui, cx) {
        return empty(tab, desk, ui, cx);
    }
    header(tab, desk, ui, cx);
    let stamp = |side: usize| {
        let stamp = Stamp::of(cx.state, tab.scoring.job(side, cx.state)?)?;
        let edits = tab.scoring.slots[side].iter().rev().find_map(|slot| Some(&slot.shown.as_ref()?.request.edits));
        Some(match edits.filter(|edits| !edits.is_empty()) {
            Some(edits) => stamp.with(format!("edited: {}", all_words(edits))),
            None => stamp,
        })
    };
    let stamps: Vec<Stamp> = (0..desk.setup.sides().len()).filter_map(stamp).collect();
    for (place, stamp) in stamps.iter().enumerate() {
        // Two columns that ask one model are said once.
        if stamps[..place].iter().all(|other| other.text() != stamp.text()) {
            stamp.show(ui);
        }
    }
    if let Some(job) = tab.scoring.running(cx.state) {
        job_progress(ui, cx, job);
    }
    if let Some(missing) = missing {
        ui.label(RichText::new(missing.words()).font(Type::Body.sans()).color(theme.warning()));
    }
    let sides = desk.setup.sides().len();
    let side_by_side = sides == 1 && ui.available_width() >= 3.0 * CARD_WIDTH + 2.0 * space::S;
    ScrollArea::vertical().id_salt("compare").auto_shrink(false).show(ui, |ui| {
        changed(tab, ui);
        if sides == 2 {
            table::show(tab, desk, ui, cx);
        } else if side_by_side {
            ui.columns(3, |columns| {
                for (card, ui) in columns.iter_mut().enumerate() {
                    card::show(tab, desk, ui, cx, 0, card);
                }
            });
        } else {
            for card in 0..Card::ALL.len() {
                card::show(tab, desk, ui, cx, 0, card);
            }
        }
        legend(desk, ui);
        prompt_as_sent(tab, desk, ui);
    });
}

/// The query as a heading, and whether something is being scored.
fn header(tab: &CompareTab, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let sub = match desk.setup.expected.as_str() {
        "" => String::new(),
        expected => format!("right answer: {expected}"),
    };
    let title = desk.setup.query.replace('\n', " ");
    let busy = tab.scoring.is_busy(cx.state);
    let took = tab.took_ms();
    stage_header(ui, &title, &sub, |ui| {
        if busy {
            caption(ui, "scoring");
        } else if let Some(ms) = took {
            let words = RichText::new(format!("{ms:.0} ms")).font(Type::Caption.mono()).color(theme.caption());
            ui.label(words).on_hover_text("Time the engine took to score all the cards that were scored last.");
        }
    });
}

/// What the last run changed.
fn changed(tab: &CompareTab, ui: &mut Ui) {
    let theme = ui.theme();
    if tab.scoring.changed.is_empty() {
        caption(ui, "Change anything at the left: the answers are scored again by themselves.");
    }
    for words in &tab.scoring.changed {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = space::XS;
            let mark = RichText::new(char::from(Icon::GitCompareArrows)).font(Type::Caption.icon());
            ui.label(mark.color(theme.accent_text()));
            ui.label(RichText::new(words).font(Type::Body.sans()).color(theme.accent_text()));
        });
    }
    ui.add_space(space::XS);
}

fn legend(desk: &Desk, ui: &mut Ui) {
    let side = &desk.setup.sides[0];
    ui.add_space(space::XS);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        let what = if desk.setup.two { "Numbers" } else { "Bold" };
        let calibrated = if side.calibrate { ", calibrated" } else { "" };
        widgets::explain(
            ui,
            &format!("{what}: share among the answers{calibrated}"),
            "The probability of an answer divided by the sum over all answers that are compared.",
        );
        if desk.setup.two {
            widgets::explain(
                ui,
                "B − A: difference in points",
                "Percentage points that B gives an answer more than A.",
            );
            return;
        }
        let help = "The product of the probabilities of the answer's tokens over the whole vocabulary.";
        widgets::explain(ui, "P: probability of exactly this answer", help);
        let help = "Percentage points since the run before. The thin mark on a bar is where it ended then.";
        widgets::explain(ui, "Arrow: change in points", help);
    });
}

fn prompt_as_sent(tab: &CompareTab, desk: &Desk, ui: &mut Ui) {
    let (side, card) = tab.picked.card;
    let Some(plan) = desk.plan.as_ref().and_then(|plan| plan.sides.get(side)?.cards.get(card)) else { return };
    let title = format!("Prompt as sent · {}", Card::ALL[card].title_of(plan.shots));
    CollapsingHeader::new(RichText::new(title).font(Type::Body.bold()))
        .id_salt("prompt as sent")
        .default_open(true)
        .show(ui, |ui| {
            sent::show(ui, &plan.rendered);
            let what = if desk.setup.two { "heading" } else { "card" };
            caption(ui, format!("Click another {what} to see its prompt."));
        });
}

/// Errors of the newest questions. True when there was one.
fn errors(tab: &mut CompareTab, desk: &Desk, ui: &mut Ui, cx: &Cx<'_>) -> bool {
    let places = (0..2).flat_map(|side| (0..Card::ALL.len()).map(move |card| (side, card)));
    let plan = desk.plan.as_ref();
    let mut problems: Vec<_> = places.filter_map(|place| tab.scoring.problem(plan, place, cx.state)).collect();
    let jobs: Vec<_> = problems.iter().map(|(job, _)| *job).collect();
    problems.dedup_by(|a, b| a.1 == b.1);
    let mut is_closed = false;
    for (_, error) in &problems {
        is_closed |= closable_error(ui, error);
        ui.add_space(space::S);
    }
    if is_closed {
        tab.scoring.closed.extend(jobs);
    }
    !problems.is_empty()
}

fn empty(tab: &mut CompareTab, desk: &Desk, ui: &mut Ui, cx: &mut Cx<'_>) {
    let missing = desk.missing();
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
        tab.score(desk, true, cx);
    }
}
