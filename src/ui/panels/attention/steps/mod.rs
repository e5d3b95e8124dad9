//! The arithmetic of one token in one head, from left to right: a picture of the whole pass, of which one part is open, and
//! beside it the terms of the number that is pointed at.

mod export;
mod flow;
mod group;
mod keys;
mod next;
mod part;
mod position;
mod sum;
mod vector;

pub(super) use export::{export, figure};

use super::look::Colours;
use super::tokens::TokensView;
use super::{Shown, strip};
use crate::engine::{PromptInput, StepsSpec, TermsSpec, Work};
use crate::types::{JobId, ModelId, StepKind, StepsReport, TermsReport};
use crate::ui::theme::space;
use crate::ui::widgets::{caption, job_error, job_progress, segmented};
use crate::ui::{Answer, Ask, Cx, State, Themed};
use egui::{ScrollArea, Ui};
use group::Group;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Seconds that the pointer rests on a number before its terms are asked for.
const REST_S: f64 = 0.05;
/// Seconds after which steps of before are dimmed while new ones are on their way.
const LONG_S: f64 = 0.3;
/// Least width of a part with the terms beside it, and theirs.
const BESIDE: [f32; 2] = [300.0, 224.0];

/// One number of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pick {
    kind: StepKind,
    index: usize,
}

/// Whose steps are followed: in which inspection, in which layer and head, from which token to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    inspection: JobId,
    layer: usize,
    head: usize,
    query: usize,
    key: usize,
}

/// What the view of steps remembers.
#[derive(Default)]
pub(super) struct StepsView {
    steps: Ask<Place>,
    terms: Ask<(JobId, Pick)>,
    open: Group,
    /// True where the page of position is open instead of the numbers.
    position: bool,
    /// The number that was clicked.
    picked: Option<Pick>,
    /// The number under the pointer, as of the last frame.
    hovered: Option<Pick>,
    /// The key that was chosen for a query, and of which inspection.
    key: Option<(JobId, usize, usize)>,
    /// The key that the table brought into sight last.
    in_sight: Option<Place>,
    next: next::NextTokens,
    /// True where the inspector shows the terms in this frame.
    in_inspector: bool,
}

impl StepsView {
    /// The jobs whose answers must be kept.
    pub(super) fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.steps.shows(shown);
        self.terms.shows(shown);
    }

    /// The steps that were asked for last, once they are there.
    fn report(&self, state: &State) -> Option<Arc<StepsReport>> {
        match self.steps.answer::<StepsReport>(state) {
            Answer::New(report) => Some(Arc::clone(report)),
            _ => None,
        }
    }
}

/// What one part gives back: the number under the pointer, the one that was clicked, and a key that was chosen.
#[derive(Clone, Copy, Default)]
struct Pointed {
    hovered: Option<Pick>,
    clicked: Option<Pick>,
    key: Option<usize>,
}

impl Pointed {
    fn and(self, other: Self) -> Self {
        Self {
            hovered: other.hovered.or(self.hovered),
            clicked: other.clicked.or(self.clicked),
            key: other.key.or(self.key),
        }
    }
}

pub(super) fn show(view: &mut TokensView, colours: &mut Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    let asked = cx.state.job(shown.job).map(|job| (job.model, job.work.clone()));
    let Some((Some(model), Work::Inspect(spec))) = asked.as_ref().map(|(model, work)| (model, &**work)) else { return };
    // The small pictures wait for the large one, of which there is none here.
    view.painted = Some((shown.job, colours.look(ui.theme())));
    ui.add_space(space::XS);
    if !spec.edits.is_empty() {
        let edits = spec.edits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        caption(ui, format!("The maps are of a changed model ({edits}). The steps are of the model as it is."));
    }
    if let Some(plane) = view.planes.plain(&ui.ctx().clone(), cx, shown) {
        view.hovered = strip::show(view, colours, ui, cx, &plane, 52.0);
    }
    let count = shown.report.tokens.len();
    // The last token says what comes next; of a picture, the first is what classes are read from.
    let usual = if shown.report.picture.is_some() { 0 } else { count.saturating_sub(1) };
    let query = cx.selection.token.filter(|token| *token < count).unwrap_or(usual);
    let place = place(&view.steps, cx, shown, query);
    view.steps.follow(cx, shown, place, *model, &spec.prompt);
    let steps = &mut view.steps;
    let (report, asked_of) = match (steps.steps.answer::<StepsReport>(cx.state), steps.steps.job()) {
        (Answer::New(report), Some(job)) => (Arc::clone(report), Some((job, *model))),
        (Answer::Old(report), Some(job)) => {
            await_new(ui, cx, job);
            (Arc::clone(report), None)
        }
        (Answer::Failed(_), Some(job)) => {
            job_error(ui, cx, job);
            return;
        }
        (_, Some(job)) => return job_progress(ui, cx, job),
        (_, None) => return,
    };
    cx.selection.words = words(&report);
    ui.add_space(space::XS);
    flow::show(steps, ui, &report);
    ui.add_space(space::S);
    let pointed = steps.parts(ui, cx, &report, asked_of);
    if pointed.hovered != steps.hovered || pointed.clicked.is_some() || pointed.key.is_some() {
        // What was pointed at shows in the next frame.
        ui.ctx().request_repaint();
    }
    steps.hovered = pointed.hovered;
    if pointed.clicked.is_some() {
        steps.picked = pointed.clicked;
    }
    if let Some(key) = pointed.key {
        steps.key = Some((shown.job, query, key));
    }
}

/// Dims the steps of before once the new ones take longer than a moment.
fn await_new(ui: &mut Ui, cx: &Cx<'_>, job: JobId) {
    let since = cx.state.job(job).map_or(0.0, |job| cx.state.now_s - job.started_s);
    if since > LONG_S {
        ui.multiply_opacity(0.6);
    } else {
        ui.ctx().request_repaint_after(Duration::from_secs_f64(LONG_S));
    }
}

fn words(report: &StepsReport) -> String {
    let text = |token: usize| report.tokens.get(token).map_or("", |token| token.text.as_str());
    format!("layer {} · head {} · {:?} looks at {:?}", report.layer, report.head, text(report.query), text(report.key))
}

/// The key that was chosen for this query, else the one that it looks at most.
fn place(view: &StepsView, cx: &Cx<'_>, shown: &Shown, query: usize) -> Place {
    let (layer, head, count) = (cx.selection.layer, cx.selection.head, shown.report.tokens.len());
    let chosen = view.key.filter(|(job, of, key)| *job == shown.job && *of == query && *key < count);
    let most = || {
        let pattern = shown.report.pattern(layer, head)?;
        let row = pattern[query * count..(query + 1) * count].iter().enumerate();
        row.max_by(|a, b| a.1.total_cmp(b.1)).map(|(key, _)| key)
    };
    let key = chosen.map(|(.., key)| key).or_else(most).unwrap_or(query);
    Place { inspection: shown.job, layer, head, query, key }
}

impl StepsView {
    fn follow(&mut self, cx: &mut Cx<'_>, shown: &Shown, place: Place, model: ModelId, prompt: &PromptInput) {
        if shown.report.tokens.is_empty() {
            return;
        }
        self.steps.follow(place, 0.0, cx, |place| {
            let Place { layer, head, query, key, .. } = *place;
            (model, Work::Steps(StepsSpec { prompt: prompt.clone(), layer, head, query, key }))
        });
    }

    /// The part that is open, and the terms of the number in focus beside it, or below where there is no room.
    fn parts(
        &mut self,
        ui: &mut Ui,
        cx: &mut Cx<'_>,
        report: &Arc<StepsReport>,
        asked: Option<(JobId, ModelId)>,
    ) -> Pointed {
        let focus = self.focus(report);
        // The steps of before are not asked about: the new ones have another number there.
        if let Some((focus, (job, model))) = focus.zip(asked) {
            self.terms.follow((job, focus), REST_S, cx, |_| {
                let Pick { kind, index } = focus;
                (model, Work::Terms(TermsSpec { steps: report.clone(), kind, index }))
            });
        }
        if self.terms.is_due() {
            ui.ctx().request_repaint_after(Duration::from_secs_f64(REST_S));
        }
        let [least, beside] = BESIDE;
        let (width, height) = (ui.available_width(), ui.available_height());
        if std::mem::take(&mut self.in_inspector) {
            return self.part(ui, report, focus, height);
        }
        let terms = self.found(cx);
        if width < least + beside + space::L {
            // Both are in sight, one below the other; each scrolls.
            let upper = (height * 0.52).max(150.0);
            let mut pointed = Pointed::default();
            ui.allocate_ui(egui::vec2(width, upper), |ui| pointed = self.part(ui, report, focus, upper));
            let lower = ui.available_height();
            let area = ScrollArea::vertical().id_salt("sum");
            let source = area.show(ui, |ui| sum::card(ui, terms.as_deref(), lower)).inner;
            self.go_to(source, ui);
            return pointed;
        }
        let right = (width * 0.38).clamp(beside, 360.0);
        let (mut pointed, mut source) = (Pointed::default(), None);
        ui.horizontal_top(|ui| {
            ui.allocate_ui(egui::vec2(width - right - space::L, height), |ui| {
                pointed = self.part(ui, report, focus, height);
            });
            ui.add_space(space::S);
            ui.allocate_ui(egui::vec2(right, height), |ui| {
                source = ui.vertical(|ui| sum::card(ui, terms.as_deref(), height)).inner;
            });
        });
        self.go_to(source, ui);
        pointed
    }

    fn found(&self, cx: &Cx<'_>) -> Option<Arc<TermsReport>> {
        match self.terms.answer::<TermsReport>(cx.state) {
            Answer::New(terms) | Answer::Old(terms) => Some(Arc::clone(terms)),
            _ => None,
        }
    }

    /// The right column: the terms of the number in focus, which then have no place in the stage.
    pub(super) fn inspector(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        self.in_inspector = true;
        ui.add_space(space::XS);
        if let Some(job) = self.terms.job()
            && job_error(ui, cx, job)
        {
            return;
        }
        let source = sum::show(ui, self.found(cx).as_deref(), ui.available_height().clamp(240.0, 560.0));
        self.go_to(source, ui);
    }

    /// Opens the part of a number, whose terms are shown then.
    fn go_to(&mut self, number: Option<Pick>, ui: &Ui) {
        if let Some(number) = number {
            (self.open, self.picked, self.hovered) = (Group::of(number.kind), Some(number), None);
            self.position = false;
            ui.ctx().request_repaint();
        }
    }

    /// The number whose terms are shown: under the pointer, else the one that was clicked, else the largest of the open part.
    fn focus(&self, report: &StepsReport) -> Option<Pick> {
        let is_there = |pick: &Pick| pick.index < report.values_of(pick.kind).len();
        let in_part = |pick: &Pick| self.open.kinds().contains(&pick.kind);
        let pointed = self.hovered.filter(is_there).or_else(|| self.picked.filter(is_there).filter(in_part));
        pointed.or_else(|| self.open.first_number(report))
    }

    fn part(&mut self, ui: &mut Ui, report: &StepsReport, focus: Option<Pick>, height: f32) -> Pointed {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = space::XS;
            caption(ui, self.open.words(report));
            let mut height = (height - 28.0).max(100.0);
            let page: Option<fn(&mut Ui, &StepsReport)> = match self.open {
                Group::QueryKey if position::rotates(report) => Some(position::rotation),
                Group::Embedding if position::learned(report) => Some(position::table),
                _ => None,
            };
            if page.is_some() {
                segmented(ui, &mut self.position, &[(false, "Numbers"), (true, "What position does")]);
                height = (height - 40.0).max(100.0);
            }
            match (self.open, page.filter(|_| self.position)) {
                (_, Some(page)) => {
                    let area = ScrollArea::vertical().id_salt("position").max_height(height);
                    area.auto_shrink([false, false]).show(ui, |ui| page(ui, report));
                    Pointed::default()
                }
                (Group::Scores, None) => keys::show(&mut self.in_sight, ui, report, focus, height),
                (Group::Next, None) => self.next.show(ui, report, focus, height),
                _ => {
                    let area = ScrollArea::vertical().id_salt(("part", self.open)).max_height(height);
                    area.auto_shrink([false, false]).show(ui, |ui| part::show(ui, self.open, report, focus)).inner
                }
            }
        })
        .inner
    }
}

/// A token's text as it is shown, with its spaces and line ends.
fn shown(text: &str) -> String {
    crate::ui::widgets::visible_text(text)
}
