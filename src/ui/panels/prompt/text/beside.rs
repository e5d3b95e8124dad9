//! What was written with edits beside what was written without: both texts with their differences, and the next token of both.

use super::Wish;
use super::output::{Output, Shown, probability_fill};
use crate::analysis::align;
use crate::engine::{Command, EditedNextSpec, GenerateSpec, Work};
use crate::types::{Edit, EditedNext, GeneratedToken, JobId, ModelId, NextToken};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{
    Chip, Distribution, caption, explain, job_error, job_progress, one_line, percent, share_bar, significant,
    token_bars, token_strip, visible_text,
};
use crate::ui::{Cx, State, Themed};
use egui::{Align2, Rect, RichText, Role, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2};
use std::collections::BTreeSet;

/// Likeliest tokens that are told of each.
const TOP: usize = 6;
const ROW: f32 = 24.0;
const NAME: f32 = 96.0;
const NUMBER: f32 = 60.0;
const POINTS: f32 = 52.0;

const KL_HELP: &str = "KL(unedited ‖ edited) = Σ p ln(p / q) over the whole vocabulary: how much the edits change what is said next. 0 \
     is nothing.";

/// The other run of an output: the same with edits, or without.
#[derive(Clone, Debug)]
pub(super) struct Edited {
    job: JobId,
    /// The next token of both.
    next: JobId,
    pub edits: Vec<Edit>,
    /// True where the output itself was made with the edits, and this one without.
    is_main: bool,
}

impl Edited {
    /// Begins what stands beside a run of the same prompt, which is made with the edits where it `is_main`.
    pub fn begin(model: ModelId, plain: &GenerateSpec, edits: Vec<Edit>, is_main: bool, cx: &mut Cx<'_>) -> Self {
        let (job, next) = (JobId::next(), JobId::next());
        let spec = EditedNextSpec { prompt: plain.prompt.clone(), top: TOP, edits: edits.clone() };
        cx.send(Command::start(next, model, Work::CompareNext(spec)));
        let made_with = if is_main { Vec::new() } else { edits.clone() };
        let spec = GenerateSpec { edits: made_with, ..plain.clone() };
        cx.send(Command::start(job, model, Work::Generate(spec)));
        Self { job, next, edits, is_main }
    }

    /// Both runs of an output: without edits, then with them.
    fn both(&self, main: JobId) -> [JobId; 2] {
        if self.is_main { [self.job, main] } else { [main, self.job] }
    }

    /// The jobs whose results must be kept.
    pub fn jobs(&self) -> [JobId; 2] {
        [self.job, self.next]
    }
}

/// How the tokens of two texts stand to each other.
#[derive(Default)]
pub(super) struct Differences {
    /// Of which jobs, and how many tokens they had.
    of: Option<([JobId; 2], [usize; 2])>,
    /// By text, which tokens have no equal in the other.
    marks: [Vec<bool>; 2],
    /// The first place where they differ.
    first: Option<usize>,
}

impl Differences {
    /// Brings them up to date; aligned anew only where there are more tokens.
    fn update(&mut self, jobs: [JobId; 2], tokens: [&[&GeneratedToken]; 2]) {
        let of = Some((jobs, tokens.map(<[_]>::len)));
        if self.of == of {
            return;
        }
        let ids = tokens.map(|tokens| tokens.iter().map(|token| token.id).collect::<Vec<_>>());
        (self.of, self.first, self.marks) = (of, parting(&ids[0], &ids[1]), marks(&ids[0], &ids[1]));
    }
}

/// The first place at which two texts differ, as far as both go.
fn parting(a: &[u32], b: &[u32]) -> Option<usize> {
    a.iter().zip(b).position(|(a, b)| a != b)
}

/// By text, which tokens have no equal in the other.
fn marks(a: &[u32], b: &[u32]) -> [Vec<bool>; 2] {
    let mut marks = [vec![true; a.len()], vec![true; b.len()]];
    for (in_a, in_b) in align(a, b) {
        if let (Some(in_a), Some(in_b)) = (in_a, in_b)
            && a[in_a] == b[in_b]
        {
            (marks[0][in_a], marks[1][in_b]) = (false, false);
        }
    }
    marks
}

/// Both texts and the table. Gives what the person wants to go on from.
pub(super) fn show(output: &mut Output, ui: &mut Ui, cx: &mut Cx<'_>, height: f32) -> Option<Wish> {
    let shown = output.shown.clone()?;
    let edited = shown.edited.clone()?;
    // What is wrong with all of them is said once, over the output.
    if cx.state.error(shown.job).is_none() {
        let _ = edited.jobs().into_iter().any(|job| job_error(ui, cx, job));
    }
    let state: &State = cx.state;
    let (jobs, main) = (edited.both(shown.job), usize::from(edited.is_main));
    let texts = jobs.map(|job| shown.tokens_of(job, state).collect::<Vec<&GeneratedToken>>());
    let mut wish = None;
    output.differences.update(jobs, [&texts[0], &texts[1]]);
    let area = ScrollArea::vertical().id_salt("edited beside unedited").auto_shrink(false);
    area.max_height((height - 2.0 * space::M).max(80.0)).show(ui, |ui| {
        told(&output.differences, &texts, jobs.iter().any(|job| state.is_active(*job)), ui);
        if let Some(report) = state.report::<EditedNext>(edited.next) {
            in_short(report, ui);
        }
        ui.add_space(space::XS);
        let mut hovered = None;
        ui.columns(2, |columns| {
            for (side, (ui, name)) in columns.iter_mut().zip(["Unedited", "Edited"]).enumerate() {
                ui.label(RichText::new(name).font(Type::Body.bold()).color(ui.theme().body()));
                let text =
                    Text { name, tokens: &texts[side], marks: &output.differences.marks[side], is_main: side == main };
                let branch = shown.kept.len().checked_sub(1);
                let done = text.show(output.selected.filter(|_| side == main), branch, ui);
                if side == main {
                    hovered = done.hovered;
                    wish = done.branch.map(|(token, place)| Wish::Branch(token, place));
                    if let Some(token) = done.clicked {
                        output.selected = if output.selected == Some(token) { None } else { Some(token) };
                        cx.selection.token = output.selected.map(|token| shown.prompt(state).len() + token);
                    }
                }
                if texts[side].is_empty() {
                    caption(
                        ui,
                        if state.is_active(jobs[side]) { "Reading the prompt…" } else { "Nothing was generated." },
                    );
                }
            }
        });
        output.hovered = hovered;
        ui.add_space(space::M);
        next(&edited, ui, cx);
    });
    wish
}

/// Where the texts part, in a sentence.
fn told(differences: &Differences, texts: &[Vec<&GeneratedToken>; 2], is_running: bool, ui: &mut Ui) {
    let name = |side: usize, at: usize| visible_text(texts[side][at].name());
    let words = match differences.first {
        Some(at) => {
            let differ = differences.marks[1].iter().filter(|mark| **mark).count();
            format!(
                "They part at token {at}: {} and {}. {differ} of {} edited tokens have no equal.",
                name(0, at),
                name(1, at),
                texts[1].len()
            )
        }
        None if is_running => "Writing both texts, with the same seed…".to_owned(),
        None if texts[0].len() == texts[1].len() => "Both texts are the same, token by token.".to_owned(),
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
fn next(edited: &Edited, ui: &mut Ui, cx: &mut Cx<'_>) {
    let theme = ui.theme();
    let Some(report) = cx.state.report::<EditedNext>(edited.next).cloned() else {
        if cx.state.is_active(edited.next) {
            job_progress(ui, cx, edited.next);
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
    [shown.job].into_iter().chain(shown.edited.iter().flat_map(Edited::jobs))
}

/// Adds them to those that must be kept.
pub(super) fn keep(shown: &Shown, kept: &mut BTreeSet<JobId>) {
    kept.extend(jobs(shown));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_equal_is_marked_and_the_first_difference_is_by_place() {
        let (a, b) = ([1, 2, 3, 4, 5], [1, 9, 3, 5, 6]);
        assert_eq!(parting(&a, &b), Some(1));
        assert_eq!(marks(&a, &b), [vec![false, true, false, true, false], vec![false, true, false, false, true]]);
        assert_eq!((parting(&a, &a[..3]), marks(&a[..1], &a[..1])), (None, [vec![false], vec![false]]));
    }
}
