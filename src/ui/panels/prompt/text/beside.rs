//! Two answers to one prompt beside each other, with their differences marked: with edits and without, where the next token of both is
//! told, too; or of two models.

use super::Wish;
use super::differences::Differences;
use super::output::{self, Output, Shown, probability_fill};
use super::second::Target;
use crate::engine::{Command, EditedNextSpec, GenerateSpec, Work};
use crate::types::{Edit, EditedNext, GeneratedToken, JobId, ModelId, NextToken};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Chip, Distribution, Stamp, caption, closable_error, explain, job_error, job_progress, one_line, percent, share_bar,
    significant, token_bars, token_strip, visible_text,
};
use crate::ui::{Cx, State, Themed};
use egui::{Align2, Label, Rect, RichText, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2};
use std::collections::BTreeSet;

/// Likeliest tokens that are told of each.
const TOP: usize = 6;
const ROW: f32 = 24.0;
const NAME: f32 = 96.0;
const NUMBER: f32 = 60.0;
const POINTS: f32 = 52.0;

const KL_HELP: &str = "KL(unedited ‖ edited) = Σ p ln(p / q) over the whole vocabulary: how much the edits change what is said next. 0 \
     is nothing.";

/// The other run of an output: the same with edits, or without, or by another model.
#[derive(Clone, Debug)]
pub(super) struct Other {
    job: JobId,
    /// The next token of both, where edits are compared.
    next: Option<JobId>,
    /// The edits that the output was made with, on one side or on both.
    pub edits: Vec<Edit>,
    /// True where the output itself was made with the edits or by the model in use, and this one without or by the other.
    is_main: bool,
}

impl Other {
    /// Begins what stands beside a run of the same prompt, which is made with the edits where it `is_main`.
    pub fn with_edits(model: ModelId, plain: &GenerateSpec, edits: Vec<Edit>, is_main: bool, cx: &mut Cx<'_>) -> Self {
        let (job, next) = (JobId::next(), JobId::next());
        let spec = EditedNextSpec { prompt: plain.prompt.clone(), top: TOP, edits: edits.clone() };
        cx.send(Command::start(next, model, Work::CompareNext(spec)));
        let made_with = if is_main { Vec::new() } else { edits.clone() };
        let spec = GenerateSpec { edits: made_with, ..plain.clone() };
        cx.send(Command::start(job, model, Work::Generate(spec)));
        Self { job, next: Some(next), edits, is_main }
    }

    /// Begins the same with another model.
    pub fn by_model(target: Target, spec: GenerateSpec, cx: &mut Cx<'_>) -> Self {
        let (job, edits) = (JobId::next(), spec.edits.clone());
        cx.send(target.start(job, Work::Generate(spec)));
        Self { job, next: None, edits, is_main: true }
    }

    /// True where it is another model's.
    pub fn is_of_model(&self) -> bool {
        self.next.is_none()
    }

    /// Both runs of an output: without edits or by the other model, then with them or by the one in use.
    fn both(&self, main: JobId) -> [JobId; 2] {
        if self.is_main { [self.job, main] } else { [main, self.job] }
    }

    /// The jobs whose results must be kept.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        [self.job].into_iter().chain(self.next)
    }
}

/// Both texts and the table. Gives what the person wants to go on from.
pub(super) fn show(output: &mut Output, ui: &mut Ui, cx: &mut Cx<'_>, height: f32) -> Option<Wish> {
    let shown = output.shown.clone()?;
    let other = shown.other.clone()?;
    // What is wrong with all of them is said once, over the output; what is wrong with another model stands in its column.
    if !other.is_of_model() && cx.state.error(shown.job).is_none() {
        let _ = other.jobs().any(|job| job_error(ui, cx, job));
    }
    let state: &State = cx.state;
    let (jobs, main) = (other.both(shown.job), usize::from(other.is_main));
    let texts = jobs.map(|job| shown.tokens_of(job, state).collect::<Vec<&GeneratedToken>>());
    let (mut wish, mut closed) = (None, None);
    output.differences.update(jobs, [&texts[0], &texts[1]], other.is_of_model());
    let area = ScrollArea::vertical().id_salt("edited beside unedited").auto_shrink(false);
    area.max_height((height - 2.0 * space::M).max(80.0)).show(ui, |ui| {
        let is_running = jobs.iter().any(|job| state.is_active(*job));
        let has_failed = jobs.iter().any(|job| state.error(*job).is_some());
        if !has_failed {
            told(&output.differences, &texts, is_running, other.is_of_model(), ui);
        }
        if let Some(report) = other.next.and_then(|next| state.report::<EditedNext>(next)) {
            in_short(report, ui);
        }
        ui.add_space(space::XS);
        let mut hovered = None;
        let names = names(&other, jobs, state);
        ui.columns(2, |columns| {
            for (side, ui) in columns.iter_mut().enumerate() {
                ui.add(
                    Label::new(RichText::new(&names[side]).font(Type::Body.bold()).color(ui.theme().body())).truncate(),
                );
                if other.is_of_model() {
                    made(jobs[side], ui, cx);
                }
                if let Some(error) = state.error(jobs[side]).filter(|_| side != main && other.is_of_model())
                    && closable_error(ui, error)
                {
                    closed = Some(jobs[side]);
                }
                let marks = &output.differences.marks[side];
                let text = Text { name: &names[side], tokens: &texts[side], marks, is_main: side == main };
                let branch = shown.kept.len().checked_sub(1).filter(|_| side == main || !other.is_of_model());
                let done = text.show(output.selected.filter(|_| side == main), branch, ui);
                if side == main {
                    hovered = done.hovered;
                    wish = done.branch.map(|(token, place)| Wish::Branch(token, place));
                    if let Some(token) = done.clicked {
                        output.selected = if output.selected == Some(token) { None } else { Some(token) };
                        cx.selection.token = output.selected.map(|token| shown.prompt(state).len() + token);
                    }
                }
                if texts[side].is_empty() && state.error(jobs[side]).is_none() {
                    caption(
                        ui,
                        if state.is_active(jobs[side]) { "Reading the prompt…" } else { "Nothing was generated." },
                    );
                }
            }
        });
        output.hovered = hovered;
        ui.add_space(space::M);
        if let Some(job) = other.next {
            next(job, ui, cx);
        }
    });
    if let Some(job) = closed {
        cx.dismiss(job);
    }
    wish
}

/// What the columns are called: by the models that made them, or by the edits.
fn names(other: &Other, jobs: [JobId; 2], state: &State) -> [String; 2] {
    if !other.is_of_model() {
        return ["Unedited", "Edited"].map(str::to_owned);
    }
    jobs.map(|job| {
        let made = state.job(job).and_then(|job| job.made.as_ref());
        made.map_or_else(|| "The other model".to_owned(), |made| made.model.clone())
    })
}

/// How long a column took, and whether its model is still the same.
fn made(job: JobId, ui: &mut Ui, cx: &Cx<'_>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        ui.spacing_mut().item_spacing.x = space::XS;
        output::figures_of(ui, cx, job);
    });
    if let Some(stamp) = Stamp::of(cx.state, job).filter(Stamp::is_old) {
        stamp.show(ui);
    }
}

/// Where the texts part, in a sentence.
fn told(differences: &Differences, texts: &[Vec<&GeneratedToken>; 2], is_running: bool, of_models: bool, ui: &mut Ui) {
    let name = |side: usize, at: usize| visible_text(texts[side].get(at).map_or("", |token| token.name()));
    let words = match differences.first {
        Some([a, b]) => {
            let differ = differences.marks[1].iter().filter(|mark| **mark).count();
            let what = if of_models { "tokens at the right" } else { "edited tokens" };
            let at = if a == b { format!("token {a}") } else { format!("tokens {a} and {b}") };
            format!(
                "They part at {at}: {} and {}. {differ} of {} {what} have no equal.",
                name(0, a),
                name(1, b),
                texts[1].len()
            )
        }
        None if is_running => "Writing both texts, with the same seed…".to_owned(),
        None if differences.is_same => "Both texts are the same.".to_owned(),
        None => "They are the same as far as the shorter goes.".to_owned(),
    };
    caption(ui, words);
}

/// The likeliest next token and how far the two are apart, in a line that is seen without scrolling.
fn in_short(report: &EditedNext, ui: &mut Ui) {
    let Some(first) = report.likeliest.iter().max_by(|a, b| a.before.total_cmp(&b.before)) else { return };
    let text = visible_text(&first.text);
    let [before, after] = [first.before, first.after].map(|share| percent(share as f32));
    let kl = significant(report.divergence);
    caption(ui, format!("Right behind the prompt: {text} {before} → {after} · KL {kl} nats")).on_hover_text(KL_HELP);
}

/// One of the texts.
struct Text<'a> {
    name: &'a str,
    tokens: &'a [&'a GeneratedToken],
    marks: &'a [bool],
    /// True for the one that can be branched from.
    is_main: bool,
}

/// What was done to a text.
#[derive(Default)]
struct Done {
    hovered: Option<usize>,
    clicked: Option<usize>,
    branch: Option<(usize, usize)>,
}

impl Text<'_> {
    fn show(&self, selected: Option<usize>, branch: Option<usize>, ui: &mut Ui) -> Done {
        let theme = ui.theme();
        let (tokens, paper) = (self.tokens, theme.surface());
        let chip = |i: usize| Chip {
            text: if tokens[i].name().is_empty() { "∅" } else { tokens[i].name() },
            fill: probability_fill(theme, tokens[i].logprob.exp(), paper),
            selected: selected == Some(i),
            underline: match (branch == Some(i), self.marks.get(i) == Some(&true)) {
                (true, _) => Some(theme.accent()),
                (_, true) => Some(theme.warning()),
                _ => None,
            },
        };
        let mut done = Done::default();
        let name = format!("{} tokens", self.name);
        let strip = token_strip(ui, &name, tokens.len(), chip, |ui, i| {
            ui.set_width(300.0);
            let text = visible_text(tokens[i].name());
            ui.label(RichText::new(text).font(Type::Strong.mono()).color(theme.body()));
            if self.marks.get(i) == Some(&true) {
                caption(ui, "The other text has no equal token here.");
            }
            if let Some(place) = token_bars(ui, tokens[i], Distribution::Model, self.is_main) {
                done.branch = Some((i, place));
            }
            if self.is_main {
                caption(ui, "Click an alternative to go on from it.");
            }
        });
        (done.hovered, done.clicked) = (strip.hovered, strip.clicked);
        done
    }
}

/// The next token after the prompt, before and after.
fn next(job: JobId, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let Some(report) = cx.state.report::<EditedNext>(job).cloned() else {
        if cx.state.is_active(job) {
            job_progress(ui, cx, job);
        }
        return;
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new("Next token after the prompt").font(Type::Body.bold()).color(theme.body()));
        let kl = format!("KL {} nats", significant(report.divergence));
        explain(ui, &kl, KL_HELP);
    });
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 18.0), Sense::hover());
    let columns = Columns::of(rect);
    let heads = [("unedited", columns.before), ("edited", columns.after)];
    for (name, place) in heads {
        ui.painter().text(place.left_center(), Align2::LEFT_CENTER, name, Type::Caption.sans(), theme.caption());
    }
    let at = columns.points.right_center();
    ui.painter().text(at, Align2::RIGHT_CENTER, "points", Type::Caption.sans(), theme.caption());
    ui.spacing_mut().item_spacing.y = 0.0;
    for token in report.likeliest.iter().take(2 * TOP) {
        one(token, ui);
    }
    ui.add_space(space::S);
}

/// Where the parts of a row stand.
struct Columns {
    name: Rect,
    before: Rect,
    after: Rect,
    points: Rect,
}

impl Columns {
    fn of(rect: Rect) -> Self {
        let part = |left: f32, width: f32| Rect::from_min_size(pos2(left, rect.top()), Vec2::new(width, rect.height()));
        // A scroll bar lies over what is at its edge.
        let half = ((rect.width() - NAME - POINTS - space::M) / 2.0).clamp(80.0, 280.0);
        let before = rect.left() + NAME;
        Self {
            name: part(rect.left(), NAME),
            before: part(before, half),
            after: part(before + half, half),
            points: part(before + 2.0 * half, POINTS),
        }
    }
}

fn one(token: &NextToken, ui: &mut Ui) {
    let theme = ui.theme();
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), ROW), Sense::hover());
    let text = visible_text(&token.text);
    let shares = [token.before as f32, token.after as f32];
    let [before, after] = shares.map(percent);
    let name = format!("Next {text}: {before} unedited, {after} edited");
    response.widget_info(|| WidgetInfo::labeled(Role::ListItem, true, &name));
    if !ui.is_rect_visible(rect) {
        return;
    }
    let columns = Columns::of(rect);
    let galley = one_line(ui.painter(), &text, Type::Body.mono(), theme.body(), columns.name.width() - space::S);
    ui.painter().galley(pos2(rect.left(), rect.center().y - galley.size().y / 2.0), galley, theme.body());
    let fills = [theme.neutral(6), theme.accent()];
    for ((place, share), (words, fill)) in
        [columns.before, columns.after].into_iter().zip(shares).zip([before, after].into_iter().zip(fills))
    {
        let y = place.center().y;
        let bar = Rect::from_min_max(pos2(place.left(), y - 4.0), pos2(place.right() - NUMBER, y + 4.0));
        if bar.width() > 8.0 {
            share_bar(ui.painter(), theme, bar, share, fill);
        }
        let at = pos2(place.right() - space::S, y);
        ui.painter().text(at, Align2::RIGHT_CENTER, words, Type::Caption.mono(), theme.body());
    }
    let points = (token.after - token.before) * 100.0;
    let words = if points.abs() < 0.05 { "±0.0".to_owned() } else { format!("{points:+.1}").replace('-', "−") };
    ui.painter().text(
        columns.points.right_center(),
        Align2::RIGHT_CENTER,
        words,
        Type::Caption.mono(),
        theme.caption(),
    );
}

/// The jobs of an output.
pub(super) fn jobs(shown: &Shown) -> impl Iterator<Item = JobId> {
    [shown.job].into_iter().chain(shown.other.iter().flat_map(Other::jobs))
}

/// Adds them to those that must be kept.
pub(super) fn keep(shown: &Shown, kept: &mut BTreeSet<JobId>) {
    kept.extend(jobs(shown));
}
