//! What the score of a token, or of a class of a picture, is made of: direct logit attribution, and beside it what is lost without a
//! part.

mod bars;
mod lists;
mod map;

use super::Shown;
use super::export::{About, Kind, save};
use super::look::Colours;
use super::place::Place;
use super::tokens::TokensView;
use crate::chart::{AttributionFigure, attribution_arrays, attribution_figure};
use crate::engine::{AttributeSpec, PromptInput, Work};
use crate::types::{AddedPart, AttributionReport, JobId, ModelId, ScaleCurve};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{Stamp, caption, hint, job_error, job_progress, visible_text};
use crate::ui::{Answer, Ask, Cx, Prompting, State, Themed};
use egui::{Layout, RichText, ScrollArea, TextEdit, Ui, vec2};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds that a text rests before it is asked about.
const REST_S: f64 = 0.4;

const HELP: &str = "Everything that is added into the residual stream, scaled as the last normalisation scales their sum and multiplied \
     with the direction of the score (direct logit attribution, Elhage et al. 2021): Σ γ u (c − mean c) / s. The parts make the score.";
const SCORE_HELP: &str =
    "The score of this token is taken apart; of a longer text, of its first token. Empty, it is the likeliest.";
const ABOVE_HELP: &str = "The score is told above that of this token. Empty, above the mean over the vocabulary: a score alone means \
     nothing, since the same number can be added to all of them.";
const CLASS_HELP: &str = "The name or the number of a class. Empty, the likeliest; and above the mean of all classes.";
const NOT_DEFINED: &str = "An encoder of this kind normalises the stream after each addition, so what one part added is scaled anew by \
     every later layer: no sum over the parts is defined. What a part of it does is seen by changing it.";

/// What survives a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// The text whose first token's score is taken apart.
    pub target: String,
    /// The one above which it is told.
    pub against: String,
    /// The head or MLP that is looked at closely.
    pub part: Option<AddedPart>,
}

/// What the view remembers.
#[derive(Default)]
pub(super) struct PartsView {
    pub kept: Kept,
    ask: Ask<(JobId, AttributeSpec)>,
    without: Ask<(JobId, AttributeSpec)>,
    place: Place,
}

impl PartsView {
    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.ask.shows(shown);
        self.without.shows(shown);
    }

    /// With what the numbers were made.
    pub fn stamp(&self, state: &State) -> Option<Stamp> {
        Stamp::of(state, self.ask.job()?)
    }

    /// The job of what is on show.
    pub fn job(&self) -> Option<JobId> {
        self.ask.job()
    }

    /// What is on show as a figure; `None` until the score is taken apart.
    pub fn figure(&self, colours: &Colours, cx: &Cx<'_>, about: &About) -> Option<AttributionFigure> {
        let Answer::New(report) = self.ask.answer::<AttributionReport>(cx.state) else { return None };
        Some(AttributionFigure::new(&about.model, about.prompt.clone(), report, colours.scale.curve))
    }

    /// Asks where to, then draws or lists and writes on the dialog's thread.
    pub fn export(&self, colours: &Colours, cx: &mut Cx<'_>, shown: &Shown, kind: Kind) {
        let about = About::of(cx, shown);
        let Some(figure) = self.figure(colours, cx, &about) else {
            cx.toast("The score is not taken apart yet");
            return;
        };
        let pairs = about.pairs(&AttributionFigure::what(&figure.report), &figure.report.tokens);
        save(cx, kind, &format!("parts-{}", about.model), move |kind| match kind {
            Kind::Figure(format) => attribution_figure(&figure, format),
            Kind::Arrays(format) => attribution_arrays(&figure.report, &pairs, format),
        });
    }

    fn follow(&mut self, cx: &mut Cx<'_>, model: ModelId, job: JobId, spec: AttributeSpec) {
        let start = |(_, spec): &(JobId, AttributeSpec)| (model, Work::Attribute(spec.clone()));
        self.ask.follow((job, spec.clone()), REST_S, cx, start);
        let Some(part) = self.kept.part.filter(|part| part.removal().is_some()) else { return };
        // A part that the model has not, such as one of another model, is not asked about.
        let has = |report: &AttributionReport| report.value(part).is_some();
        if matches!(self.ask.answer::<AttributionReport>(cx.state), Answer::New(report) if has(report)) {
            self.without.follow((job, AttributeSpec { removed: Some(part), ..spec }), 0.0, cx, start);
        }
    }
}

pub(super) fn show(view: &mut TokensView, colours: &Colours, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) {
    // The small pictures wait for the large one, of which there is none here.
    view.painted = Some((shown.job, colours.look(ui.theme())));
    if cx.state.prompting() == Prompting::Encodes {
        ui.add_space(space::S);
        caption(ui, NOT_DEFINED);
        return;
    }
    let asked = cx.state.job(shown.job).map(|job| (job.model, job.work.clone()));
    let Some((Some(model), Work::Inspect(inspected))) = asked.as_ref().map(|(model, work)| (model, &**work)) else {
        return;
    };
    let view = &mut view.parts;
    let is_picture = shown.report.picture.is_some();
    choices(&mut view.kept, ui, is_picture);
    let count = shown.report.tokens.len();
    let place = cx.selection.token.filter(|token| *token < count).unwrap_or(count.saturating_sub(1));
    if !is_picture {
        view.place.show(ui, cx, shown, place, "Token behind which the score is told");
    }
    if cx.state.models.contains_key(model) {
        let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let ids = || shown.report.tokens.iter().map(|token| token.id).collect();
        let spec = AttributeSpec {
            prompt: if is_picture { inspected.prompt.clone() } else { PromptInput::Ids(ids()) },
            position: (!is_picture).then_some(place),
            target: named(&view.kept.target),
            against: named(&view.kept.against),
            edits: inspected.edits.clone(),
            removed: None,
        };
        view.follow(cx, *model, shown.job, spec);
    }
    if let Some(job) = view.ask.job()
        && !job_error(ui, cx, job)
        && view.ask.running(cx.state).is_some()
    {
        job_progress(ui, cx, job);
    }
    let report = match view.ask.answer::<AttributionReport>(cx.state) {
        Answer::New(report) | Answer::Old(report) => Arc::clone(report),
        Answer::Nothing | Answer::Waiting | Answer::Failed(_) => return,
    };
    cx.selection.words = words(&report, view.kept.part);
    score(ui, &report, is_picture);
    ui.add_space(space::XS);
    parts(view, colours.scale.curve, ui, cx, &report);
}

/// Whose score, and above what.
fn choices(kept: &mut Kept, ui: &mut Ui, is_picture: bool) {
    ui.horizontal_wrapped(|ui| {
        let [likeliest, mean] = if is_picture {
            ["the likeliest class", "the mean of all classes"]
        } else {
            ["the likeliest token", "the mean of all tokens"]
        };
        let helps = if is_picture { [CLASS_HELP; 2] } else { [SCORE_HELP, ABOVE_HELP] };
        let of = [
            ("Score of", "Whose score is taken apart", &mut kept.target, likeliest, helps[0]),
            ("above", "Above whose score", &mut kept.against, mean, helps[1]),
        ];
        for (label, name, text, empty, help) in of {
            caption(ui, label).on_hover_text(help);
            let edit = TextEdit::singleline(text).hint_text(hint(empty)).desired_width(148.0);
            let _ = ui.add(edit).on_hover_text(help).accessible_name(name);
        }
    });
}

/// What is taken apart, and whether the parts make it.
fn score(ui: &mut Ui, report: &AttributionReport, is_picture: bool) {
    let theme = ui.theme();
    let above = match (&report.against, is_picture) {
        (Some((_, text)), _) => format!("‘{}’", visible_text(text)),
        (None, false) => "the mean of all tokens".to_owned(),
        (None, true) => "the mean of all classes".to_owned(),
    };
    let after = match report.tokens.last() {
        Some(token) if !is_picture => format!(" after ‘{}’", visible_text(&token.text)),
        _ => String::new(),
    };
    let what = format!("‘{}’{after}, above {above}: {:+.3}", visible_text(&report.target.1), report.score);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(what).font(Type::Body.bold()).color(theme.body())).on_hover_text(HELP);
        for (left_out, text) in
            report.left_out.iter().zip([Some(&report.target.1), report.against.as_ref().map(|of| &of.1)])
        {
            if let Some(text) = text.filter(|_| *left_out > 0) {
                caption(ui, format!("Of {} tokens, ‘{}’, the first, is meant.", left_out + 1, visible_text(text)));
            }
        }
    });
}

/// Map and bars, and beside them, or below where there is no room, the largest and what is lost without one.
fn parts(view: &mut PartsView, curve: ScaleCurve, ui: &mut Ui, cx: &mut Cx<'_>, report: &AttributionReport) {
    let without = match view.without.answer::<AttributionReport>(cx.state) {
        // Of another score, or of another part, it would mislead.
        Answer::New(without) => Some(Arc::clone(without)),
        _ => None,
    };
    let of = lists::Without {
        report: without.as_deref().filter(|without| lists::is_of(without, report, view.kept.part)),
        error: view.without.error(cx.state).cloned(),
        is_stopped: view.without.job().is_some()
            && matches!(view.without.answer::<AttributionReport>(cx.state), Answer::Nothing),
    };
    let width = ui.available_width() - space::S;
    let map = map::Map::new(report, curve, ui.available_height());
    let is_beside = map.least_width() + lists::WIDTH[0] + space::L <= width;
    let mut clicked = None;
    ScrollArea::vertical().id_salt("parts").auto_shrink(false).show(ui, |ui| {
        ui.set_max_width(width);
        if is_beside {
            let right = (width * 0.4).clamp(lists::WIDTH[0], lists::WIDTH[1]);
            let left = (width - right - space::L).min(map.most_width());
            ui.horizontal_top(|ui| {
                let down = Layout::top_down(egui::Align::Min);
                ui.allocate_ui_with_layout(vec2(left, 0.0), down, |ui| {
                    ui.set_width(left);
                    clicked = map.show(ui, view.kept.part);
                });
                ui.add_space(space::L - ui.spacing().item_spacing.x);
                ui.allocate_ui_with_layout(vec2(right, 0.0), down, |ui| {
                    ui.set_width(right);
                    clicked = lists::show(ui, report, view.kept.part, &of).or(clicked);
                });
            });
        } else {
            lists::sums(ui, report);
            ui.add_space(space::S);
            clicked = map.show(ui, view.kept.part);
            ui.add_space(space::S);
            lists::card(ui, report, view.kept.part, &of);
            ui.add_space(space::S);
            clicked = lists::largest(ui, report, view.kept.part).or(clicked);
        }
        ui.add_space(space::S);
    });
    if let Some(part) = clicked {
        if let AddedPart::Head { layer, head } = part {
            (cx.selection.layer, cx.selection.head) = (layer, head);
        }
        view.kept.part = if view.kept.part == Some(part) { None } else { Some(part) };
        ui.ctx().request_repaint();
    }
}

/// The same for somebody who does not see it.
fn words(report: &AttributionReport, chosen: Option<AddedPart>) -> String {
    let chosen = chosen.and_then(|part| Some((part, report.value(part)?)));
    let (part, value) = chosen.or_else(|| report.sorted().first().copied()).unwrap_or((AddedPart::Embedding, 0.0));
    format!("‘{}’ {:+.2}: {part} adds {value:+.3}", visible_text(&report.target.1), report.score)
}
