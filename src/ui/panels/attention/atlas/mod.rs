//! All heads at once, by what they do: a plane of two scores, and a table of all.

mod export;
mod kept;
mod plane;
mod probe;
mod scoring;
mod table;

pub(super) use kept::Kept;

use super::Shown;
use crate::analysis::{AtlasScore, HeadAtlas, HeadFilter, Order, Sequence, head_words};
use crate::chart::Format;
use crate::types::{InspectReport, JobId};
use crate::ui::theme::{Type, space};
use crate::ui::widgets::{Stamp, caption, hint, job_error, job_progress, secondary_button, segmented};
use crate::ui::{Cx, OpenModel, Prompting, State, Themed};
use egui::{DragValue, Layout, RichText, TextEdit, Ui, vec2};
use export::{Export, Scored};
use lucide_icons::Icon;
use plane::PlaneView;
use probe::ProbeReading;
use scoring::Scoring;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use table::TableView;

/// Least width at which the table stands beside the plane.
const BESIDE: f32 = 820.0;
/// Height of the line about the chosen head.
const LINE: f32 = 28.0;

const SOURCE_HELP: &str = "‘My text’ scores heads on what is on show. ‘Probe’ has the model read random tokens said twice: what \
     comes second can be known from what came first and from nothing else, so induction shows at its clearest.";
const FILTER_HELP: &str = "Words that must all hold: a score (more than 0.3 of it), a score with a bound (>0.4 previous, \
     entropy <1), layer 5, head 3, or 5.3 for head 3 of layer 5.";

/// What heads are scored on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    /// The text on show.
    #[default]
    Text,
    /// Random tokens said twice.
    Probe,
}

/// The view.
pub(super) struct AtlasView {
    source: Source,
    seed: u64,
    probe: ProbeReading,
    of_text: Scoring,
    of_probe: Scoring,
    filter: String,
    table: TableView,
    plane: PlaneView,
    /// What is to be written once it is on show.
    wanted: Option<Export>,
}

impl Default for AtlasView {
    fn default() -> Self {
        Self {
            source: Source::Text,
            seed: 1,
            probe: ProbeReading::default(),
            of_text: Scoring::default(),
            of_probe: Scoring::default(),
            filter: String::new(),
            table: TableView::default(),
            plane: PlaneView::default(),
            wanted: None,
        }
    }
}

/// What was clicked in the table: layers and heads.
#[derive(Clone, Copy, Debug, Default)]
struct Clicks {
    /// The head that is chosen.
    chosen: Option<(usize, usize)>,
    /// The one that is to be looked at.
    opened: Option<(usize, usize)>,
}

/// What is to be scored now.
struct Asked {
    job: JobId,
    report: Arc<InspectReport>,
    sequence: Sequence,
}

impl AtlasView {
    /// True of a job that read a probe: no text to look into.
    pub fn is_probe(&self, job: JobId) -> bool {
        self.probe.is_own(job)
    }

    /// The jobs whose answers must be kept.
    pub fn shows(&self, shown: &mut BTreeSet<JobId>) {
        self.probe.shows(shown);
    }

    /// Has what is on show written: the plane as a picture, the table as CSV.
    pub fn export(&mut self, format: Format) {
        self.wanted = Some(Export::of(format));
    }

    /// With what the scores on show were made.
    pub fn stamp(&self, state: &State, shown: &Shown) -> Option<Stamp> {
        match self.source {
            Source::Text => Stamp::of(state, shown.job),
            Source::Probe => self.probe.stamp(state),
        }
    }

    /// The scores of the heads on the text on show, once they are there; nobody needs to have asked before.
    pub fn of_text(&mut self, context: &egui::Context, cx: &mut Cx<'_>, shown: &Shown) -> Option<Rc<HeadAtlas>> {
        let sequence = Sequence::of_report(&shown.report, order_of(cx.state, shown));
        self.of_text.follow(shown.job, &shown.report, sequence, context, cx);
        self.of_text.done().filter(|(job, _)| *job == shown.job).map(|(_, atlas)| atlas)
    }

    /// Shows the view. True when the chosen head is to be looked at.
    pub fn show(&mut self, ui: &mut Ui, cx: &mut Cx<'_>, shown: &Shown) -> bool {
        ui.spacing_mut().item_spacing.y = space::XS;
        let (model, order) = (model_of(cx.state, shown), order_of(cx.state, shown));
        self.tools(ui);
        let asked = match self.source {
            Source::Text => {
                let sequence = || Sequence::of_report(&shown.report, order);
                Some(Asked { job: shown.job, report: shown.report.clone(), sequence: sequence() })
            }
            Source::Probe => {
                let Some(model) = model else {
                    caption(ui, "The model of this text is closed. Open it again to have it read a probe.");
                    return false;
                };
                let answer = self.probe.follow(model, self.seed, cx);
                if let Some(job) = self.probe.job()
                    && !job_error(ui, cx, job)
                {
                    job_progress(ui, cx, job);
                }
                if let Some(words) = self.probe.missing() {
                    caption(ui, words);
                }
                answer.map(|(job, report, probe)| Asked { job, report, sequence: Sequence::of_probe(&probe, order) })
            }
        };
        let scoring = match self.source {
            Source::Text => &mut self.of_text,
            Source::Probe => &mut self.of_probe,
        };
        if let Some(Asked { job, report, sequence }) = asked {
            scoring.follow(job, &report, sequence, ui.ctx(), cx);
        }
        let Some((job, atlas)) = scoring.done().filter(|_| self.source == Source::Text || self.probe.is_there()) else {
            if scoring.is_busy() {
                caption(ui, "Scoring the heads…");
            }
            return false;
        };
        if atlas.heads.is_empty() {
            caption(ui, "No head of this sequence was captured: its patterns do not fit into memory.");
            return false;
        }
        self.scored(ui, cx, shown, job, &atlas, order)
    }

    /// What is scored, and which heads are listed.
    fn tools(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.scope(|ui| segmented(ui, &mut self.source, &[(Source::Text, "My text"), (Source::Probe, "Probe")]))
                .response
                .on_hover_text(SOURCE_HELP);
            if self.source == Source::Probe {
                let name = caption(ui, "Seed");
                let field = DragValue::new(&mut self.seed).range(0..=u64::from(u32::MAX)).speed(0.1);
                ui.add(field).labelled_by(name.id).on_hover_text("What the random tokens are drawn from.");
            }
            let words = hint("induction, >0.4 previous, layer 5, 5.3");
            let field = TextEdit::singleline(&mut self.filter).hint_text(words).desired_width(250.0);
            let _ = ui.add(field).accessible_name("Find heads").on_hover_text(FILTER_HELP);
        });
    }

    fn scored(
        &mut self,
        ui: &mut Ui,
        cx: &mut Cx<'_>,
        shown: &Shown,
        job: JobId,
        atlas: &Rc<HeadAtlas>,
        order: Order,
    ) -> bool {
        let scores = atlas.scores();
        let filter = HeadFilter::parse(&self.filter, &scores);
        let is_found: Vec<bool> = atlas.heads.iter().map(|head| filter.takes(head)).collect();
        let count = is_found.iter().filter(|found| **found).count();
        let chosen = (cx.selection.layer, cx.selection.head);
        cx.selection.words = format!("layer {} · head {}", chosen.0, chosen.1);
        let measured = match self.source {
            Source::Text => "on your text",
            Source::Probe => "on the probe",
        };
        let mut looks = false;
        let mut wanted = self.wanted.take();
        let line = vec2(ui.available_width(), LINE);
        ui.allocate_ui_with_layout(line, Layout::right_to_left(egui::Align::Center), |ui| {
            for export in Export::ALL.into_iter().rev() {
                let button = secondary_button(ui, None, export.name()).accessible_name(export.words());
                if button.on_hover_text(export.words()).clicked() {
                    wanted = Some(export);
                }
            }
            ui.add_space(space::S);
            let head = atlas.head(chosen.0, chosen.1);
            ui.add_enabled_ui(head.is_some(), |ui| {
                looks = secondary_button(ui, Some(Icon::Grid3x3), "Look at it").clicked();
            });
            ui.with_layout(Layout::left_to_right(egui::Align::Center), |ui| {
                let words = head.map_or_else(|| "No head is chosen.".to_owned(), |head| sentence(&head_words(head)));
                let words = RichText::new(words).font(Type::Body.sans()).color(ui.theme().body());
                ui.add(egui::Label::new(words).truncate());
            });
        });
        if let Some(words) = filter.unclear {
            ui.label(RichText::new(words).font(Type::Caption.sans()).color(ui.theme().warning()));
        }
        let none = if count == 0 { "No head is like that: " } else { "" };
        let all = atlas.heads.len();
        caption(ui, format!("{none}{count} of {all} heads, scored {measured} of {} tokens", atlas.tokens));
        let all = shown.layers * shown.heads;
        if atlas.heads.len() < all {
            let words =
                format!("{} heads of the model's {all}: patterns of the others were not captured.", atlas.heads.len());
            ui.label(RichText::new(words).font(Type::Caption.sans()).color(ui.theme().warning()));
        }
        if let Some(words) = missing(atlas, order) {
            caption(ui, words);
        }
        let scored = Scored { atlas: atlas.clone(), measured, scores: &scores, chosen };
        if let Some(export) = wanted {
            let text = (self.source == Source::Text).then(|| shown.report.as_ref());
            let seed = (self.source == Source::Probe).then_some(self.seed);
            export::save(export, &scored, &mut self.plane, (job, text, seed), cx);
        }
        let Clicks { chosen, opened } = self.plane_and_table(ui, &scored, &is_found, job);
        if let Some((layer, head)) = chosen.or(opened) {
            (cx.selection.layer, cx.selection.head) = (layer, head);
        }
        looks || opened.is_some()
    }

    /// The plane and the table, beside each other where there is room.
    fn plane_and_table(&mut self, ui: &mut Ui, scored: &Scored<'_>, is_found: &[bool], job: JobId) -> Clicks {
        let Self { table, plane, filter, .. } = self;
        let (width, height) = (ui.available_width(), ui.available_height());
        if width < BESIDE {
            let on_plane = plane.show(ui, scored, is_found, (height * 0.5).max(150.0));
            let clicks = table.show(ui, scored, is_found, (job, filter));
            return Clicks { chosen: on_plane.or(clicks.chosen), ..clicks };
        }
        ui.horizontal_top(|ui| {
            let left = (width * 0.46).min(height * 1.1).min(640.0);
            let down = Layout::top_down(egui::Align::Min);
            let on_plane = ui
                .allocate_ui_with_layout(vec2(left, height), down, |ui| {
                    ui.set_width(left);
                    plane.show(ui, scored, is_found, height)
                })
                .inner;
            ui.add_space(space::M);
            let rest = vec2(ui.available_width(), height);
            let clicks =
                ui.allocate_ui_with_layout(rest, down, |ui| table.show(ui, scored, is_found, (job, filter))).inner;
            Clicks { chosen: on_plane.or(clicks.chosen), ..clicks }
        })
        .inner
    }
}

/// The model that read what is on show, if it is open.
fn model_of<'a>(state: &'a State, shown: &Shown) -> Option<&'a OpenModel> {
    state.job(shown.job).and_then(|job| job.model).and_then(|id| state.models.get(&id))
}

/// How what is on show was read.
fn order_of(state: &State, shown: &Shown) -> Order {
    model_of(state, shown).and_then(|open| Order::of(&open.info)).unwrap_or(match state.prompting() {
        Prompting::Continues => Order::LeftToRight,
        Prompting::Encodes => Order::BothWays,
        Prompting::Sees => Order::Patches,
    })
}

/// Which scores this sequence has not, and why.
fn missing(atlas: &HeadAtlas, order: Order) -> Option<String> {
    let is_missing = |score: &AtlasScore| score.is_of(order) && !score.needs_probe() && atlas.denominator(*score) == 0;
    let all: Vec<AtlasScore> = AtlasScore::ALL.into_iter().filter(is_missing).collect();
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for score in all {
        match reasons.iter_mut().find(|(why, _)| *why == score.why_missing()) {
            Some((_, names)) => names.push(score.name()),
            None => reasons.push((score.why_missing(), vec![score.name()])),
        }
    }
    let words: Vec<String> = reasons.iter().map(|(why, names)| format!("{}: {why}", names.join(", "))).collect();
    (!words.is_empty()).then(|| format!("Not scored here. {}.", words.join("; ")))
}

/// Words as a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a score means, how it is computed and over how many, and where it was measured.
fn explain(ui: &mut Ui, score: AtlasScore, denominator: usize, measured: &str) {
    let theme = ui.theme();
    ui.set_max_width(380.0);
    ui.label(RichText::new(score.name()).font(Type::Body.bold()).color(theme.body()));
    ui.label(RichText::new(score.meaning()).font(Type::Caption.sans()).color(theme.body()));
    ui.label(RichText::new(score.formula()).font(Type::Caption.mono()).color(theme.body()));
    caption(ui, format!("Measured {measured}; divided by {denominator}. Definition ‘{}’.", score.id()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Capture, PromptToken, Site};

    #[test]
    fn what_a_sequence_is_too_poor_for_is_told_with_the_reason() {
        let report = |ids: &[u32]| InspectReport {
            tokens: ids.iter().map(|id| PromptToken { id: *id, text: String::new(), span: 0..1 }).collect(),
            captures: vec![Capture {
                site: Site::Pattern(0),
                shape: vec![1, ids.len(), ids.len()],
                values: vec![0.5; ids.len() * ids.len()].into(),
            }],
            picture: None,
            left_out: None,
        };
        let words = |ids: &[u32]| {
            let report = report(ids);
            let order = Order::LeftToRight;
            missing(&HeadAtlas::of(&report, &Sequence::of_report(&report, order), &|| true).unwrap(), order)
        };
        let one = words(&[4]).unwrap();
        assert!(one.contains("Previous token, First token: a sequence of one token has no second one"), "{one}");
        assert_eq!(words(&[4, 5]).unwrap(), "Not scored here. Induction, Duplicate token: no token comes twice.");
        assert_eq!(words(&[4, 5, 4]), None);
    }
}
