//! What each layer would say: the logit lens as a table of states and tokens.

use super::Shown;
use super::export::{About, Kind, save};
use super::fitted::{self, Fitted};
use super::look::{Colours, Look};
use super::tokens::TokensView;
use crate::chart::{LensFigure, lens_arrays, lens_figure};
use crate::engine::{LensSpec, PromptInput, Work};
use crate::types::{JobId, LensCell, LensReport, PromptToken};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{Stamp, caption, hint, job_error, job_progress, legend, segmented, significant, visible_text};
use crate::ui::{Answer, Ask, Cx, Prompting, State, Themed};
use egui::{
    Align2, Color32, Painter, Rect, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Seconds that a text to follow rests before it is asked about.
const REST_S: f64 = 0.4;
const CELL: Vec2 = Vec2::new(76.0, 24.0);
/// Room for the names of the states, and for the tokens above.
const NAMES: f32 = 76.0;
const HEAD: f32 = 24.0;
const GAP: f32 = 1.0;

const HELP: &str = "The state of the residual stream after each layer goes through the last normalisation and the head, as if \
     no layer came behind it (the logit lens). The last row is what the model says.";
const FOLLOW_HELP: &str = "Rank and probability of this token are told in each cell; of a longer text, of its first token. \
     Empty, it is what the model says in the end, at each token.";

/// What the cells tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tells {
    /// The likeliest token, coloured by its probability.
    #[default]
    Likeliest,
    /// The probability of the token that is followed.
    Probability,
    /// Its rank.
    Rank,
    /// The entropy.
    Entropy,
    /// The divergence from what the model says in the end.
    Divergence,
}

const TELLS: [(Tells, &str); 5] = [
    (Tells::Likeliest, "Likeliest"),
    (Tells::Probability, "Followed"),
    (Tells::Rank, "Rank"),
    (Tells::Entropy, "Entropy"),
    (Tells::Divergence, "KL"),
];

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub tells: Tells,
    /// The text whose first token is followed.
    pub follow: String,
    pub lens: fitted::Kept,
}

/// What the view remembers.
#[derive(Default)]
pub(super) struct LayersView {
    pub kept: Kept,
    ask: Ask<Question>,
    pub fitted: Fitted,
}

/// Of which inspection, which token is followed, and which job opened the lens.
type Question = (JobId, Option<String>, Option<JobId>);

impl LayersView {
    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.ask.shows(shown);
        self.fitted.shows(shown);
    }

    /// A file of a lens was chosen.
    pub fn picked(&mut self, tag: &str, path: &Path, cx: &mut Cx<'_>) {
        self.fitted.picked(&mut self.kept.lens, tag, path, cx);
    }

    /// With what the table was made.
    pub fn stamp(&self, state: &State) -> Option<Stamp> {
        Stamp::of(state, self.ask.job()?)
    }

    /// The job of what is on show.
    pub fn job(&self) -> Option<JobId> {
        self.ask.job()
    }

    /// What is on show as a figure; `None` until the layers are read.
    pub fn figure(&self, colours: &Colours, cx: &Cx<'_>, about: &About) -> Option<LensFigure> {
        let Answer::New(report) = self.ask.answer::<LensReport>(cx.state) else { return None };
        Some(LensFigure {
            title: format!("{}, what each layer would say", about.model),
            caption: about.prompt.clone(),
            report: Arc::clone(report),
            map: colours.map,
            curve: colours.scale.curve,
        })
    }

    /// Asks where to, then draws or lists and writes on the dialog's thread.
    pub fn export(&self, colours: &Colours, cx: &mut Cx<'_>, shown: &Shown, kind: Kind) {
        let about = About::of(cx, shown);
        let Some(figure) = self.figure(colours, cx, &about) else {
            cx.toast("The layers are not read yet");
            return;
        };
        let pairs = about.pairs("what each layer would say", &figure.report.tokens);
        save(cx, kind, &format!("layers-{}", about.model), move |kind| match kind {
            Kind::Figure(format) => lens_figure(&figure, format),
            Kind::Arrays(format) => lens_arrays(&figure.report, &pairs, format),
        });
    }
}

pub(super) fn show(view: &mut TokensView, colours: &Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    // The small pictures wait for the large one, of which there is none here.
    let look = colours.look(ui.theme());
    view.painted = Some((shown.job, look));
    let asked = cx.state.job(shown.job).map(|job| (job.model, job.work.clone()));
    let Some((Some(model), Work::Inspect(spec))) = asked.as_ref().map(|(model, work)| (model, &**work)) else { return };
    let view = &mut view.layers;
    view.choices(ui);
    if cx.state.models.contains_key(model) {
        let follow = Some(view.kept.follow.clone()).filter(|text| !text.is_empty());
        let ids = shown.report.tokens.iter().map(|token| token.id).collect();
        if cx.state.prompting() == Prompting::Continues {
            view.fitted.show(&mut view.kept.lens, ui, cx, *model);
        }
        if !view.fitted.is_awaited(&view.kept.lens, cx.state) {
            let lens = view.fitted.lens(&view.kept.lens, cx.state);
            let (opened, fitted) = lens.unzip();
            view.ask.follow((shown.job, follow, opened), REST_S, cx, |(_, follow, _)| {
                let (prompt, target) = (PromptInput::Ids(ids), follow.clone());
                (*model, Work::Lens(LensSpec { prompt, target, fitted, edits: spec.edits.clone() }))
            });
        }
    }
    if let Some(job) = view.ask.job()
        && !job_error(ui, cx, job)
        && view.ask.running(cx.state).is_some()
    {
        job_progress(ui, cx, job);
    }
    let report = match (view.ask.so_far::<LensReport>(cx.state), view.ask.answer(cx.state)) {
        (Some(report), _) | (None, Answer::New(report) | Answer::Old(report)) => Arc::clone(report),
        (None, Answer::Nothing | Answer::Waiting | Answer::Failed(_)) => return,
    };
    said(ui, &report);
    let (tells, text) = (view.kept.tells, &shown.report.tokens);
    let table = Table { report: &report, text, tells, look, most: most(&report, tells) };
    table.show(ui, &mut cx.selection.token);
    let Some(last) = report.tokens.len().checked_sub(1) else { return };
    cx.selection.words = table.words(report.states.len() - 1, cx.selection.token.unwrap_or(last).min(last));
}

impl LayersView {
    fn choices(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            segmented(ui, &mut self.kept.tells, &TELLS);
            caption(ui, "Follow").on_hover_text(FOLLOW_HELP);
            let edit = TextEdit::singleline(&mut self.kept.follow)
                .hint_text(hint("what it says in the end"))
                .desired_width(160.0);
            let _ = ui.add(edit).accessible_name("Token to follow");
        });
    }
}

/// Whether the last row is what the model says, and what the colours mean.
fn said(ui: &mut Ui, report: &LensReport) {
    let theme = ui.theme();
    let (words, colour) = if !report.is_whole() {
        (format!("Read: the first {} of {} tokens.", report.tokens.len(), report.total), theme.caption())
    } else if report.is_checked() {
        let exactly = if report.off == 0.0 { ", exactly".to_owned() } else { format!(" (to {:.0e})", report.off) };
        (format!("Checked: the last row says what the model says{exactly}."), theme.success())
    } else {
        let words = format!("The last row is off what the model says by up to {:.1e}.", report.off);
        (words, theme.warning())
    };
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(words).font(Type::Caption.sans()).color(colour)).on_hover_text(HELP);
        if let Some(target) = report.target.as_ref().filter(|target| target.of > 1) {
            let name = visible_text(&target.text);
            caption(ui, format!("Of {} tokens, ‘{name}’, the first, is followed.", target.of));
        }
    });
}

/// The value at the end of the scale.
fn most(report: &LensReport, tells: Tells) -> f32 {
    let cells = report.states.iter().flatten();
    match tells {
        Tells::Likeliest | Tells::Probability => 1.0,
        Tells::Rank => cells.map(|cell| cell.rank).max().unwrap_or(1) as f32,
        Tells::Entropy => cells.map(|cell| cell.entropy).fold(0.0, f32::max),
        Tells::Divergence => cells.map(|cell| cell.divergence).fold(0.0, f32::max),
    }
}

struct Table<'a> {
    report: &'a LensReport,
    /// All tokens of the text, of which some may not be read yet.
    text: &'a [PromptToken],
    tells: Tells,
    look: Look,
    most: f32,
}

impl Table<'_> {
    fn show(&self, ui: &mut Ui, selected: &mut Option<usize>) {
        let (states, tokens, read) = (self.report.states.len(), self.report.total, self.report.tokens.len());
        self.legend(ui);
        let size = vec2(NAMES + CELL.x * tokens as f32, HEAD + CELL.y * states as f32);
        ScrollArea::both().id_salt("layers").auto_shrink(false).show_viewport(ui, |ui, sight| {
            let (area, _) = ui.allocate_exact_size(size, Sense::hover());
            let first = |from: f32, step: f32| (from.max(0.0) / step) as usize;
            let columns = first(sight.left(), CELL.x)..(first(sight.right() - NAMES, CELL.x) + 1).min(tokens);
            let rows = first(sight.top(), CELL.y)..(first(sight.bottom() - HEAD, CELL.y) + 1).min(states);
            // Cells that are under the names would be clicked through them.
            let inside = Rect::from_min_max(ui.clip_rect().min + vec2(NAMES, HEAD), ui.clip_rect().max);
            for state in rows.clone() {
                for token in columns.clone() {
                    let corner = area.min + vec2(NAMES + CELL.x * token as f32, HEAD + CELL.y * state as f32);
                    let rect = Rect::from_min_size(corner, CELL).shrink2(vec2(GAP, GAP) / 2.0).intersect(inside);
                    if token >= read {
                        ui.painter().rect_filled(rect, 2, ui.theme().surface());
                    } else if rect.is_positive() {
                        self.cell(ui, rect, Rect::from_min_size(corner, CELL), (state, token), selected);
                    }
                }
            }
            self.names(ui, area, (rows, columns), *selected);
        });
    }

    fn legend(&self, ui: &mut Ui) {
        let ground = ui.theme().ground();
        let nats = |share: f32| significant(f64::from(share * self.most));
        let marks = match self.tells {
            Tells::Likeliest | Tells::Probability => {
                [0.0, 0.25, 0.5, 1.0].map(|p: f32| (self.look.place(p), p.to_string()))
            }
            // From the last rank to the first.
            Tells::Rank => {
                [0.0f32, 1.0 / 3.0, 2.0 / 3.0, 1.0].map(|place| (place, format!("{:.0}", self.most.powf(1.0 - place))))
            }
            Tells::Entropy | Tells::Divergence => {
                [0.0, 0.1, 0.4, 1.0].map(|share| (self.look.place(share), nats(share)))
            }
        };
        legend(ui, 280.0, |place| self.look.at(place, ground), &marks);
    }

    /// Where a cell stands on the scale.
    fn place(&self, cell: &LensCell) -> f32 {
        let share = |value: f32| self.look.place(if self.most > 0.0 { value / self.most } else { 0.0 });
        match self.tells {
            Tells::Likeliest => self.look.place(cell.top.first().map_or(0.0, |(_, log_prob)| log_prob.exp())),
            Tells::Probability => self.look.place(cell.log_prob.exp()),
            Tells::Rank if self.most > 1.0 => 1.0 - (cell.rank as f32).ln() / self.most.ln(),
            Tells::Rank => 1.0,
            Tells::Entropy => share(cell.entropy),
            Tells::Divergence => share(cell.divergence),
        }
    }

    fn text(&self, cell: &LensCell) -> String {
        match self.tells {
            Tells::Likeliest => {
                cell.top.first().map_or_else(String::new, |(id, _)| visible_text(self.report.name(*id)))
            }
            Tells::Probability => significant(f64::from(cell.log_prob.exp())),
            Tells::Rank => cell.rank.to_string(),
            Tells::Entropy => significant(f64::from(cell.entropy)),
            Tells::Divergence => significant(f64::from(cell.divergence)),
        }
    }

    fn cell(&self, ui: &Ui, rect: Rect, whole: Rect, (state, token): (usize, usize), selected: &mut Option<usize>) {
        let theme = ui.theme();
        let cell = &self.report.states[state][token];
        let response = ui.interact(rect, ui.scope_id().with(("lens", state, token)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Cell, true, self.words(state, token)));
        if response.clicked() {
            *selected = if *selected == Some(token) { None } else { Some(token) };
        }
        let is_number = cell.entropy.is_finite() && cell.divergence.is_finite();
        let paper = if is_number { self.look.at(self.place(cell), theme.ground()) } else { theme.ground() };
        let painter = ui.painter().with_clip_rect(ui.clip_rect().intersect(rect));
        painter.rect_filled(rect, 2, paper);
        let text = if is_number { self.text(cell) } else { "NaN".to_owned() };
        in_middle(&painter, whole, &text, theme.ink_on(paper));
        if response.hovered() || response.has_focus() {
            painter.rect_stroke(rect, 2, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
        }
        response.on_hover_ui(|ui| self.tell(ui, state, token));
    }

    /// What a cell says, with the likeliest tokens.
    fn tell(&self, ui: &mut Ui, state: usize, token: usize) {
        let theme = ui.theme();
        let cell = &self.report.states[state][token];
        let name = |id: u32| visible_text(self.report.name(id));
        let title =
            format!("{} after ‘{}’", LensReport::state_name(state), visible_text(&self.report.tokens[token].text));
        ui.label(RichText::new(title).font(Type::Caption.bold()).color(theme.body()));
        for (id, log_prob) in &cell.top {
            ui.horizontal(|ui| {
                let number = format!("{:>6.2} %", 100.0 * log_prob.exp());
                ui.label(RichText::new(number).font(Type::Caption.mono()).color(theme.body()));
                ui.label(RichText::new(name(*id)).font(Type::Caption.mono()).color(theme.body()));
            });
        }
        caption(ui, format!("{:.2} % is left for all others", 100.0 * cell.rest()));
        let (rank, p) = (cell.rank, significant(100.0 * f64::from(cell.log_prob.exp())));
        caption(ui, format!("‘{}’ stands at {rank} with {p} %", name(cell.followed)));
        caption(ui, format!("Entropy {:.3} nats, KL from the end {:.3} nats", cell.entropy, cell.divergence));
    }

    /// The same for somebody who does not see it.
    fn words(&self, state: usize, token: usize) -> String {
        let cell = &self.report.states[state][token];
        let likeliest = cell.top.first().map_or_else(String::new, |(id, log_prob)| {
            format!("‘{}’ {:.0} %", visible_text(self.report.name(*id)), 100.0 * log_prob.exp())
        });
        let after = visible_text(&self.report.tokens[token].text);
        let followed = visible_text(self.report.name(cell.followed));
        format!("{} after ‘{after}’: {likeliest}; ‘{followed}’ at rank {}", LensReport::state_name(state), cell.rank)
    }

    /// The states at the left and the tokens above stay where they are.
    fn names(
        &self,
        ui: &Ui,
        area: Rect,
        (rows, columns): (std::ops::Range<usize>, std::ops::Range<usize>),
        selected: Option<usize>,
    ) {
        let theme = ui.theme();
        let sight = ui.clip_rect();
        let painter = ui.painter();
        let top = Rect::from_min_size(sight.min, vec2(sight.width(), HEAD));
        painter.rect_filled(top, 0, theme.ground());
        painter.rect_filled(Rect::from_min_size(sight.min, vec2(NAMES, sight.height())), 0, theme.ground());
        let above = painter.with_clip_rect(Rect::from_min_max(top.min + vec2(NAMES, 0.0), top.max));
        for token in columns {
            let left = area.left() + NAMES + CELL.x * token as f32;
            let rect = Rect::from_min_size(pos2(left, sight.top()), vec2(CELL.x, HEAD));
            let colour = if selected == Some(token) { theme.accent_text() } else { theme.caption() };
            let text = self.report.tokens.get(token).or(self.text.get(token)).map_or("", |token| token.text.as_str());
            in_middle(&above, rect.shrink2(vec2(GAP, 0.0)), &visible_text(text), colour);
            if selected == Some(token) {
                above.hline(rect.shrink(2.0).x_range(), rect.bottom() - 1.0, Stroke::new(2.0, theme.accent()));
            }
        }
        let beside = Rect::from_min_max(sight.min + vec2(0.0, HEAD), pos2(sight.left() + NAMES, sight.bottom()));
        let beside = painter.with_clip_rect(beside);
        for state in rows {
            let middle = area.top() + HEAD + CELL.y * (state as f32 + 0.5);
            let at = pos2(sight.left() + NAMES - space::S, middle);
            let font = Type::Caption.sans();
            beside.text(at, Align2::RIGHT_CENTER, LensReport::state_name(state), font, theme.caption());
        }
    }
}

/// Text in the middle of a cell; from its beginning on where it is too long.
fn in_middle(painter: &Painter, rect: Rect, text: &str, colour: Color32) {
    let inner = rect.shrink2(vec2(4.0, 0.0));
    let line = painter.layout_no_wrap(text.to_owned(), Type::Caption.mono(), colour);
    let left = if line.size().x <= inner.width() { inner.center().x - line.size().x / 2.0 } else { inner.left() };
    let at = pos2(left, inner.center().y - line.size().y / 2.0);
    painter.with_clip_rect(painter.clip_rect().intersect(inner)).galley(at, line, colour);
}
