//! Word order: a text read as written, without positions, with two of them swapped, and with its words in other places.

mod answers;
mod choosing;
mod heads;
mod layers;
mod readings;
mod words;

use super::look::Colours;
use super::tokens::TokensView;
use super::{Shown, export};
use crate::analysis::{Order, content_words, followed, shuffled};
use crate::chart::{Format, WordOrderFigure, word_order_figure};
use crate::engine::{PromptInput, WordOrderSpec, Work};
use crate::types::{JobId, ModelId, PromptToken, Reordering, UserError, WordOrderReport, excerpt};
use crate::ui::files::FileRequest;
use crate::ui::theme::{Theme, Type, space};
use crate::ui::widgets::{Stamp, caption, job_error, job_progress};
use crate::ui::{Answer, Ask, Cx, Prompting, State, Themed};
use choosing::Picks;
use egui::{Color32, Layout, RichText, ScrollArea, Ui, vec2};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds that a choice rests before the text is read anew.
const REST_S: f64 = 0.15;
/// Width from which answers and layers stand beside each other.
const BESIDE: f32 = 680.0;
/// Height of a plot.
const PLOT: f32 = 208.0;

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// What the order of the words is drawn from.
    pub seed: u64,
    /// Two tokens to swap: where they stand, and what they are. Of another text they mean nothing.
    pub swap: Option<[(usize, u32); 2]>,
    /// Which change is looked at closely.
    pub focus: Reordering,
    /// True where layers are a table of numbers.
    pub is_table: bool,
}

impl Default for Kept {
    fn default() -> Self {
        Self { seed: 1, swap: None, focus: Reordering::default(), is_table: false }
    }
}

/// What the view remembers.
#[derive(Default)]
pub(super) struct OrderView {
    pub kept: Kept,
    /// Of which inspection, and what.
    ask: Ask<(JobId, WordOrderSpec)>,
    picks: Picks,
    /// What was worked out last, and of what: of a long text, that is done once.
    made: Option<(Choice, WordOrderSpec)>,
}

/// What is chosen of a text.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    inspection: JobId,
    seed: u64,
    token: Option<usize>,
    swap: Option<[(usize, u32); 2]>,
}

impl OrderView {
    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.ask.shows(shown);
    }

    /// The job of what is on show.
    pub fn job(&self) -> Option<JobId> {
        self.ask.job()
    }

    /// With what the readings on show were made.
    pub fn stamp(&self, state: &State) -> Option<Stamp> {
        Some(Stamp::of(state, self.ask.job()?)?.with(format!("seed {}", self.kept.seed)))
    }

    /// What is on show as a figure; `None` until the readings are there.
    pub fn figure(&self, cx: &Cx<'_>, shown: &Shown) -> Option<WordOrderFigure> {
        let Answer::New(report) = self.ask.answer::<WordOrderReport>(cx.state) else { return None };
        let caption = format!("{}; seed {}", excerpt(&report.tokens), self.kept.seed);
        Some(WordOrderFigure {
            title: format!("{}, word order", model_of(cx, shown)),
            caption,
            report: Arc::clone(report),
        })
    }

    /// Asks where to, and writes the lines as a picture or all numbers as a table.
    pub fn export(&self, cx: &mut Cx<'_>, shown: &Shown, format: Format) {
        let Some(figure) = self.figure(cx, shown) else {
            cx.toast("The readings are not there yet");
            return;
        };
        let file = format!("word-order-{}.{}", model_of(cx, shown), format.extension());
        let request = FileRequest::save(format!("Export {}", format.name()), file);
        cx.save_as(request.filter(format.name(), &[format.extension()]), move |path| {
            export::write(path, &word_order_figure(&figure, format).map_err(UserError::from)?)
        });
    }

    /// What is to be read.
    fn spec(&mut self, cx: &Cx<'_>, shown: &Shown, order: Order) -> WordOrderSpec {
        let Kept { seed, swap, .. } = self.kept;
        let choice = Choice { inspection: shown.job, seed, token: cx.selection.token, swap };
        if let Some((_, spec)) = self.made.as_ref().filter(|(of, _)| *of == choice) {
            return spec.clone();
        }
        let tokens = &shown.report.tokens;
        let usual = || followed(tokens, order);
        let token = choice.token.filter(|token| *token < tokens.len()).unwrap_or_else(usual);
        let is_there = |(at, id): &(usize, u32)| tokens.get(*at).is_some_and(|token| token.id == *id);
        let chosen = swap.filter(|swap| swap.iter().all(is_there)).map(|swap| swap.map(|(at, _)| at));
        let swap = chosen.or_else(|| content_words(tokens, token));
        let ids = tokens.iter().map(|token| token.id).collect();
        let order = shuffled(tokens, order, seed);
        let spec = WordOrderSpec { prompt: PromptInput::Ids(ids), token, swap, order };
        self.made = Some((choice, spec.clone()));
        spec
    }

    fn follow(&mut self, cx: &mut Cx<'_>, shown: &Shown, model: ModelId, spec: WordOrderSpec) {
        self.ask.follow((shown.job, spec), REST_S, cx, |(_, spec)| (model, Work::ChangeOrder(spec.clone())));
    }
}

fn model_of<'a>(cx: &'a Cx<'_>, shown: &Shown) -> &'a str {
    let made = cx.state.job(shown.job).and_then(|job| job.made.as_ref());
    made.map_or("model", |made| made.model.as_str())
}

/// Shows the view. True when the chosen head is to be looked at.
pub(super) fn show(view: &mut TokensView, colours: &Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) -> bool {
    // The small pictures wait for the large one, of which there is none here.
    view.painted = Some((shown.job, colours.look(ui.theme())));
    let Some(model) = cx.state.job(shown.job).and_then(|job| job.model) else { return false };
    if !cx.state.models.contains_key(&model) {
        caption(ui, "The model of this text is closed. Open it again to have it read the text in other orders.");
        return false;
    }
    let order = match cx.state.prompting() {
        Prompting::Encodes => Order::BothWays,
        Prompting::Continues | Prompting::Sees => Order::LeftToRight,
    };
    let view = &mut view.order;
    ScrollArea::vertical()
        .id_salt("word order")
        .auto_shrink(false)
        .show(ui, |ui| {
            // The bar of the stage lies over what is at its edge.
            ui.set_max_width(ui.available_width() - space::S);
            let spec = view.spec(cx, shown, order);
            choosing::show(view, ui, cx, &shown.report.tokens, &spec, order);
            view.follow(cx, shown, model, spec);
            let is_running = view.ask.running(cx.state).is_some();
            if let Some(job) = view.ask.job()
                && !job_error(ui, cx, job)
                && is_running
            {
                job_progress(ui, cx, job);
            }
            let report = match view.ask.answer::<WordOrderReport>(cx.state) {
                Answer::New(report) | Answer::Old(report) => Arc::clone(report),
                Answer::Nothing | Answer::Waiting | Answer::Failed(_) => return false,
            };
            result(view, ui, cx, &report, order)
        })
        .inner
}

/// What the readings say.
fn result(view: &mut OrderView, ui: &mut Ui, cx: &mut Cx<'_>, report: &WordOrderReport, order: Order) -> bool {
    if !report.changes.iter().any(|change| change.how == view.kept.focus)
        && let Some(first) = report.changes.first()
    {
        view.kept.focus = first.how;
    }
    ui.add_space(space::S);
    readings::show(&mut view.kept.focus, ui, report, order);
    if report.positions.is_none() {
        ui.label(RichText::new(words::NO_POSITIONS).font(Type::Body.sans()).color(ui.theme().warning()));
    }
    ui.add_space(space::M);
    let Some(change) = report.change(view.kept.focus) else { return false };
    cx.selection.words = words::brief(change);
    let title = RichText::new(change.how.name()).font(Type::Strong.bold());
    ui.label(title.color(ui.theme().body()));
    caption(ui, words::meaning(change.how, report.positions, order));
    read_as(ui, report, change.how);
    ui.add_space(space::S);
    let width = ui.available_width();
    if width < BESIDE {
        answers::show(ui, report, change);
        ui.add_space(space::S);
        layers::show(&mut view.kept.is_table, change.how, ui, report);
    } else {
        let down = Layout::top_down(egui::Align::Min);
        ui.horizontal_top(|ui| {
            let left = ((width - space::XL) * 0.46).min(420.0);
            ui.allocate_ui_with_layout(vec2(left, PLOT), down, |ui| {
                ui.set_width(left);
                answers::show(ui, report, change);
            });
            ui.add_space(space::L);
            let rest = vec2(ui.available_width(), PLOT);
            ui.allocate_ui_with_layout(rest, down, |ui| {
                layers::show(&mut view.kept.is_table, change.how, ui, report);
            });
        });
    }
    ui.add_space(space::S);
    let opened = heads::show(ui, report, change, order);
    if let Some((layer, head)) = opened {
        (cx.selection.layer, cx.selection.head) = (layer, head);
    }
    let learned = words::learned(report, order);
    if !learned.is_empty() {
        ui.add_space(space::S);
        ui.label(RichText::new("What this shows").font(Type::Body.bold()).color(ui.theme().body()));
        for sentence in learned {
            ui.label(RichText::new(sentence).font(Type::Body.sans()).color(ui.theme().body()));
        }
    }
    ui.add_space(space::M);
    opened.is_some()
}

/// The text as it is read under a change that moves words.
fn read_as(ui: &mut Ui, report: &WordOrderReport, how: Reordering) {
    /// Letters of it that are shown.
    const LETTERS: usize = 400;
    if !how.moves() {
        return;
    }
    let text = joined(report.read(how).take(LETTERS));
    let mut shown: String = text.chars().take(LETTERS).collect();
    if shown.len() < text.len() || report.tokens.len() > LETTERS {
        shown.push('…');
    }
    ui.label(RichText::new(format!("‘{}’", shown.replace('\n', "↵"))).font(Type::Body.mono()).color(ui.theme().body()));
}

/// Tokens as a text. Where no token carries a blank, as those of WordPiece do not, one stands before each that is no piece.
fn joined<'a>(tokens: impl Iterator<Item = &'a PromptToken> + Clone) -> String {
    let carry_blanks = tokens.clone().any(|token| token.text.starts_with(char::is_whitespace));
    let mut text = String::new();
    for token in tokens {
        match token.text.strip_prefix("##").filter(|rest| !rest.is_empty() && !carry_blanks) {
            Some(rest) => text.push_str(rest),
            None if carry_blanks || text.is_empty() => text.push_str(&token.text),
            None => {
                text.push(' ');
                text.push_str(&token.text);
            }
        }
    }
    text
}

/// The colour of a change: the same in the table, the plot and the bars.
fn colour(theme: &Theme, how: Reordering) -> Color32 {
    theme.category(Reordering::ALL.iter().position(|other| *other == how).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_tokens_read_like_a_text() {
        let said = |texts: &[&str]| {
            let token = |text: &&str| PromptToken { id: 0, text: (*text).into(), span: 0..0 };
            let tokens: Vec<PromptToken> = texts.iter().map(token).collect();
            joined(tokens.iter())
        };
        assert_eq!(
            said(&[" chased", "The", " foo", "lish"]),
            " chasedThe foolish",
            "a token keeps the blank it has, or has not"
        );
        assert_eq!(said(&["[CLS]", "em", "##bed", "the", "[SEP]"]), "[CLS] embed the [SEP]");
    }
}
